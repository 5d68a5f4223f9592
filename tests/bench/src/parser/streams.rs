//! What is parsed, and in what chunks.

pub struct Column {
    pub name: &'static str,
    pub stream: Vec<u8>,
    pub chunk: usize,
    /// What every contestant has to find in it: events, bytes of data.
    pub events: usize,
    pub data: usize,
}

/// Large enough to be a stream, small enough to stay in a second-level cache, as what a socket has just delivered does.
const SIZE: usize = 512 << 10;
const CHUNK: usize = 16 << 10;

/// Events by number, each with the size of its data, until there is enough.
fn column(name: &'static str, chunk: usize, event: impl Fn(usize) -> (String, usize)) -> Column {
    let mut column = Column { name, stream: Vec::new(), chunk, events: 0, data: 0 };
    let size = if chunk == 1 { SIZE / 8 } else { SIZE };
    while column.stream.len() < size {
        let (text, data) = event(column.events);
        column.stream.extend_from_slice(text.as_bytes());
        column.events += 1;
        column.data += data;
    }
    column
}

fn text(n: usize) -> String {
    "x".repeat(n)
}

/// From 1 to 200, in an order that no branch predictor can learn.
fn random(i: usize) -> usize {
    let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (((x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) % 200) as usize + 1
}

pub fn columns() -> Vec<Column> {
    let plain = |_| (format!("data: {}\n\n", text(92)), 92);
    let long = |_| (format!("data: {}\n\n", text(64 << 10)), 64 << 10);
    let words = "Größe: 東京, Ελλάδα, Москва; café – 👋 and some words";
    vec![
        column("100 B", CHUNK, plain),
        column("100 B event, id", CHUNK, |i| {
            (format!("event: update\nid: {}\ndata: {}\n\n", 1_000_000 + i, text(65)), 65)
        }),
        column("64 KB", CHUNK, long),
        column("100 B CRLF", CHUNK, |_| (format!("data: {}\r\n\r\n", text(90)), 90)),
        column("UTF-8", CHUNK, |_| (format!("data: {words}\n\n"), words.len())),
        column("3 x data", CHUNK, |_| (format!("data: {0}\ndata: {0}\ndata: {0}\n\n", text(26)), 80)),
        column("tiny", CHUNK, |_| ("data:x\n\n".into(), 1)),
        column("random sizes", CHUNK, |i| (format!("data: {}\n\n", text(random(i))), random(i))),
        column("1-byte chunks", 1, plain),
        column("100-byte chunks", 100, plain),
        column("64 KB, 100-byte chunks", 100, long),
    ]
}
