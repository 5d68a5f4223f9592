//! The parser in every chunking, through every scanner, by itself and with read-ahead.
#![allow(clippy::unwrap_used, clippy::panic)]

mod limits;
mod reference;
mod room;
mod vectors;

use super::*;
use crate::scan::Portable;
use std::cell::Cell;

thread_local! {
    /// What the parser's buffer may grow to in this test.
    pub(super) static MEMORY: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// What a stream meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Message { kind: String, data: String, id: String },
    Comment(String),
    Retry(u128),
    TooLarge,
}

fn message(kind: &str, data: &str, id: &str) -> Got {
    Got::Message { kind: kind.into(), data: data.into(), id: id.into() }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

/// How bytes come to the parser.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// `lend` and `give_back`.
    Lent,
    /// Every read ahead, into the buffer that the last `absorb` gave back.
    Ahead,
    /// Now this, now that.
    Both,
}

/// A parser, and all it has given.
struct Feed<S> {
    parser: Parser<S>,
    way: Way,
    spare: Option<ReadBuffer>,
    random: Random,
    fed: usize,
    /// What came, and after how many bytes.
    got: Vec<(Got, usize)>,
}

impl<S: Scan> Feed<S> {
    fn new(max: usize, way: Way) -> Feed<S> {
        Feed { parser: Parser::with_scan(max), way, spare: None, random: Random(7), fed: 0, got: Vec::new() }
    }

    /// Feeds `bytes`, in as few reads as the buffers allow, at least one.
    fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            let ahead = self.way == Way::Ahead || (self.way == Way::Both && self.random.below(2) == 0);
            let mut buffer = match (ahead, self.spare.take()) {
                (true, None) => ReadBuffer::for_reading_ahead(4096),
                (true, Some(spare)) => spare,
                (false, spare) => {
                    self.spare = spare;
                    self.parser.lend()
                }
            };
            let space = buffer.space();
            assert!(!space.is_empty());
            let n = bytes.len().min(space.len());
            space[..n].copy_from_slice(&bytes[..n]);
            buffer.advance(n);
            bytes = &bytes[n..];
            self.fed += n;
            if ahead {
                self.spare = Some(self.parser.absorb(buffer));
            } else {
                self.parser.give_back(buffer);
            }
            self.drain();
            if bytes.is_empty() {
                return;
            }
        }
    }

    fn drain(&mut self) {
        loop {
            let item = self.parser.next();
            if let Some(time) = self.parser.take_retry() {
                self.got.push((Got::Retry(time.as_millis()), self.fed));
            }
            let Some(item) = item else { return };
            for text in [self.parser.data(), self.parser.event_type(), self.parser.last_event_id().as_text()] {
                assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                assert_eq!(text.as_bytes_with_nul()[text.as_bytes().len()], 0);
            }
            let data = self.parser.data().as_str().to_owned();
            let got = match item {
                Item::Message => {
                    message(self.parser.event_type().as_str(), &data, self.parser.last_event_id().as_str())
                }
                Item::Comment => Got::Comment(data),
                Item::TooLarge => Got::TooLarge,
            };
            self.got.push((got, self.fed));
        }
    }

    fn items(&self) -> Vec<Got> {
        self.got.iter().map(|(got, _)| got.clone()).collect()
    }
}

/// All of `stream` in the pieces that `cut` wants, each at least empty.
fn run<S: Scan>(max: usize, stream: &[u8], way: Way, mut cut: impl FnMut() -> usize) -> Feed<S> {
    let mut feed = Feed::new(max, way);
    let mut rest = stream;
    while !rest.is_empty() {
        let n = cut().min(rest.len());
        feed.feed(&rest[..n]);
        rest = &rest[n..];
    }
    feed
}

/// Retry lines that come in one read are one reconnection time: of neighbours the last counts.
fn without_overtaken(items: &[Got]) -> Vec<Got> {
    let last = |i: usize| !(matches!(items[i], Got::Retry(_)) && matches!(items.get(i + 1), Some(Got::Retry(_))));
    (0..items.len()).filter(|&i| last(i)).map(|i| items[i].clone()).collect()
}
