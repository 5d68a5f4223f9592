//! The parser against expectations written by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use std::cell::Cell;

thread_local! {
    /// What the parser's buffer may grow to in this test.
    pub(super) static MEMORY: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn feed<S: Scan>(parser: &mut Parser<S>, bytes: &[u8], out: &mut Vec<String>) {
    let mut rest = bytes;
    loop {
        let mut buffer = parser.lend();
        let space = buffer.space();
        let n = rest.len().min(space.len());
        space[..n].copy_from_slice(&rest[..n]);
        buffer.advance(n);
        rest = &rest[n..];
        parser.give_back(buffer);
        while let Some(item) = parser.next() {
            let id = parser.last_event_id().as_str().to_owned();
            out.push(match item {
                Item::Message => format!("{}|{}|{id}", parser.event_type().as_str(), parser.data().as_str()),
                Item::Comment => format!(":{}", parser.data().as_str()),
                Item::TooLarge => "too large".into(),
            });
        }
        if rest.is_empty() {
            return;
        }
    }
}

fn check(max: usize, stream: &[u8], expected: &[&str]) {
    for chunk in [usize::MAX, 1, 2, 3, 7] {
        let mut parser = Parser::new(max);
        let mut out = Vec::new();
        for piece in stream.chunks(chunk.min(stream.len())) {
            feed(&mut parser, piece, &mut out);
        }
        assert_eq!(out, expected, "in chunks of {chunk}");
    }
}

#[test]
fn basics() {
    check(1000, b"data: a\n\n", &["message|a|"]);
    check(1000, b"\xEF\xBB\xBFdata: a\r\rdata:b\r\n\r\n", &["message|a|", "message|b|"]);
    check(1000, b"data: a\nevent: x\nid: 7\ndata: b\n\n: c\ndata\n\n", &["x|a\nb|7", ": c", "message||7"]);
    check(1000, b"data: \xE2\x82\ndata: b\n\n", &["message|\u{FFFD}\nb|"]);
    check(
        10,
        b"data: 0123456789\n\ndata: 0123456789a\nid: 5\ndata: x\n\ndata: y\n\n",
        &["message|0123456789|", "too large", "message|y|5"],
    );
}
