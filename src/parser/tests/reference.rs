//! Any chunking gives the same events, and they are those of a parser that is too simple to be wrong.

use super::*;
use proptest::prelude::*;

/// The format as the standard tells it, on a whole stream that ends in a line end.
fn reference(max: usize, stream: &[u8]) -> (Vec<Got>, String) {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut data, mut kind, mut id): (Option<String>, String, Option<String>) = (None, String::new(), None);
    let (mut got, mut last, mut oversized) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let trimmed = value.strip_prefix(' ').unwrap_or(value);
        let (mut new_data, mut new_kind, mut new_id) = (data.clone(), kind.clone(), id.clone());
        match name {
            "" if line.is_empty() => {
                last = id.take().unwrap_or(last);
                if let Some(data) = data.take() {
                    got.push(message(if kind.is_empty() { "message" } else { &kind }, &data, &last));
                }
                kind.clear();
                oversized = false;
                continue;
            }
            "" => got.push(if value.len() > max { Got::TooLarge } else { Got::Comment(value.into()) }),
            "data" => {
                new_data = Some(data.as_ref().map_or_else(|| trimmed.into(), |data| format!("{data}\n{trimmed}")))
            }
            "event" => new_kind = trimmed.into(),
            "id" => new_id = Some(trimmed.into()),
            "retry" if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) => {
                got.push(Got::Retry(trimmed.parse().unwrap_or(u128::MAX).min(86_400_000)));
            }
            _ => {}
        }
        let size = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        if !oversized && size(&new_data) + new_kind.len() + size(&new_id) > max {
            oversized = true;
            got.push(Got::TooLarge);
        }
        (data, kind) = if oversized { (None, String::new()) } else { (new_data, new_kind) };
        let usable =
            new_id.as_ref().is_none_or(|id| !(id.contains('\0') || (oversized && name == "id" && id.len() > max)));
        id = if usable { new_id } else { id };
    }
    (got, last)
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r"]);
    let name = prop::sample::select(vec![
        "data:",
        "data: ",
        "data",
        "event:",
        "event: ",
        "event",
        "id:",
        "id: ",
        "id",
        "retry:",
        "retry: ",
        ":",
        ": ",
        "x",
        "",
        "\u{FEFF}",
        "datax:",
        "dat",
        "unknown: ",
    ]);
    let value = prop_oneof![
        4 => "[a-z0-9]{0,9}".prop_map(String::into_bytes),
        2 => "[0-9]{0,30}".prop_map(String::into_bytes),
        2 => "[a-z :é€😀]{0,150}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(prop::sample::select(vec![0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x98, 0x80, 0xC0, 0xED, 0xA0, b'x', 0, 0xEF, 0xBB, 0xBF]), 0..9),
        1 => (0..6000_usize).prop_map(|n| vec![b'y'; n]),
    ];
    (name, value, end).prop_map(|(name, value, end)| [name.as_bytes(), &value, end.as_bytes()].concat())
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let bom = prop::sample::select(vec![&b""[..], b"", b"\xEF\xBB\xBF", b"\xEF\xBB"]);
    (bom, prop::collection::vec(piece(), 0..25)).prop_map(|(bom, pieces)| [bom, &pieces.concat(), b"\n"].concat())
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![usize::MAX]),
        Just(vec![1]),
        prop::collection::vec(0..4_usize, 1..40),
        prop::collection::vec(0..200_usize, 1..40),
        prop::collection::vec(0..9000_usize, 1..40),
    ]
    .prop_filter("some progress", |chunks| chunks.iter().any(|n| *n > 0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_reference(
        stream in stream(),
        chunks in chunks(),
        max in prop_oneof![Just(32usize << 20), 1..30_usize, 1..7000_usize],
        way in prop::sample::select(vec![Way::Lent, Way::Ahead, Way::Both]),
    ) {
        let (want, last) = reference(max, &stream);
        let mut cycle = chunks.iter().copied().cycle();
        let feed = run::<Native>(max, &stream, way, || cycle.next().unwrap());
        prop_assert_eq!(without_overtaken(&feed.items()), without_overtaken(&want));
        prop_assert_eq!(feed.parser.last_event_id().as_str(), last);
    }

    #[test]
    fn any_chunking_is_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300), chunks in chunks(), max in 1..40_usize) {
        let whole = run::<Portable>(max, &bytes, Way::Lent, || usize::MAX);
        let mut cycle = chunks.iter().copied().cycle();
        let pieces = run::<Native>(max, &bytes, Way::Both, || cycle.next().unwrap());
        prop_assert_eq!(without_overtaken(&whole.items()), without_overtaken(&pieces.items()));
    }
}
