//! The parser: any bytes in any chunks give the same events, as text that is valid, within the limit.
#![no_main]

use eventsource::internals::{Found, Parser};
use libfuzzer_sys::fuzz_target;

fn parse(stream: &[u8], limit: usize, mut chunk: impl FnMut() -> usize) -> Vec<String> {
    let mut parser = Parser::new(limit);
    let mut found = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(chunk().clamp(1, rest.len()));
        rest = later;
        parser.feed(now, |item| {
            let text = |bytes| std::str::from_utf8(bytes).expect("what is handed out is UTF-8");
            found.push(match item {
                Found::Message { event_type, data, id } => {
                    // The type that an event has by default is not counted.
                    let counted = if event_type == b"message" { 0 } else { event_type.len() };
                    assert!(counted + data.len() <= limit, "over the limit");
                    format!("{:?} {:?} {:?}", text(event_type), text(data), text(id))
                }
                Found::Comment(comment) => {
                    assert!(comment.len() <= limit, "over the limit");
                    format!(":{:?}", text(comment))
                }
                Found::TooLarge => "too large".into(),
            });
        });
    }
    found
}

fuzz_target!(|input: &[u8]| {
    // The first bytes choose the limit and the chunks.
    let Some((&[limit, seed, ..], stream)) = input.split_first_chunk::<2>() else { return };
    let limit = if limit < 64 { usize::from(limit) + 8 } else { 1 << 20 };
    let whole = parse(stream, limit, || usize::MAX);
    assert_eq!(whole, parse(stream, limit, || 1), "byte by byte");
    let mut state = u32::from(seed) + 1;
    let pieces = parse(stream, limit, || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as usize % 19
    });
    assert_eq!(whole, pieces, "in pieces");
});
