//! The content type of a response, as Fetch extracts it and MIME Sniffing parses it; parameters are of no interest here.

/// Whether these `Content-Type` headers come to `text/event-stream`. Of several values, in headers of their own or in one
/// list, the last counts that is a MIME type at all and not `*/*`.
pub(crate) fn is_event_stream(values: &[u8]) -> bool {
    let essence = list(values).filter_map(essence).filter(|essence| *essence != (b"*", b"*")).last();
    essence.is_some_and(|(kind, subtype)| {
        kind.eq_ignore_ascii_case(b"text") && subtype.eq_ignore_ascii_case(b"event-stream")
    })
}

/// The values of a list: split at the commas that stand in no quoted string.
fn list(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b',' => return !quoted,
                _ => {}
            }
            false
        });
        let value = &rest[..end.unwrap_or(rest.len())];
        match end {
            Some(end) => rest = &rest[end + 1..],
            None => over = true,
        }
        Some(value)
    })
}

/// Type and subtype, if it is a MIME type.
fn essence(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = trim(value);
    let slash = value.iter().position(|byte| *byte == b'/')?;
    let subtype = value[slash + 1..].split(|byte| *byte == b';').next().unwrap_or_default();
    let (kind, subtype) = (&value[..slash], trim_end(subtype));
    (is_token(kind) && is_token(subtype)).then_some((kind, subtype))
}

fn is_token(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(crate::header::is_token)
}

/// Without HTTP's white space, which has no form feed.
fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !b" \t\r\n".contains(byte)).unwrap_or(text.len());
    trim_end(&text[start..])
}

fn trim_end(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|byte| !b" \t\r\n".contains(byte)).map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    // row 10, row 13, row 14, row 15
    #[test]
    fn the_last_valid_type_counts() {
        let table: [(&str, bool); 36] = [
            ("text/event-stream", true),
            (" \ttext/event-stream \t", true),
            ("TEXT/Event-Stream", true),
            ("text/event-stream;", true),
            ("text/event-stream ; charset=utf-8", true),
            ("text/event-stream;charset=\"a,b\"", true),
            ("text/event-stream;\u{e9}", true),
            ("", false),
            (",", false),
            ("text", false),
            ("text/", false),
            ("/event-stream", false),
            ("text /event-stream", false),
            ("text/ event-stream", false),
            ("text/event-stream charset=utf-8", false),
            ("text/event-streams", false),
            ("text/event\u{e9}stream", false),
            ("application/json; x=text/event-stream", false),
            ("application/json; x=\"a, text/event-stream\"", false),
            ("text/event-stream, text/html", false),
            ("text/html, text/event-stream", true),
            ("text/html,text/event-stream;charset=utf-8", true),
            ("text/event-stream, */*", true),
            ("text/event-stream, *", true),
            ("text/event-stream, nonsense", true),
            ("text/event-stream,", true),
            ("text/event-stream, ,", true),
            (", text/event-stream", true),
            ("*/*", false),
            ("*/*, text/event-stream", true),
            // A quoted string that never ends swallows what follows it.
            ("text/html;x=\", text/event-stream", false),
            ("text/html;x=\"\\\", text/event-stream", false),
            ("text/html;x=\"\\\"\", text/event-stream", true),
            ("text/event-stream;x=\", text/html", true),
            ("text/event-stream\u{c}", false),
            ("text/event-stream;a=\"\\", true),
        ];
        for (value, wanted) in table {
            assert_eq!(is_event_stream(value.as_bytes()), wanted, "{value:?}");
        }
        assert!(!is_event_stream(b"\xff/\xff, text/event-stream\xff"));
    }
}
