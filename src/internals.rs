//! Inner parts by themselves, for tests/bench and tests/fuzz. No part of the API.

use std::time::{Duration, SystemTime};

use crate::backoff;
use crate::parser::{self, Item};
use crate::url::Url;

/// Bytes in, events out.
pub struct Parser(parser::Parser);

/// What the parser found; texts are on loan.
pub enum Found<'a> {
    /// An event.
    Message {
        /// Its type.
        event_type: &'a [u8],
        /// Its data.
        data: &'a [u8],
        /// The last event ID as of this event.
        id: &'a [u8],
    },
    /// A comment.
    Comment(&'a [u8]),
    /// Something over the limit.
    TooLarge,
}

impl Parser {
    /// A parser with a limit for one event.
    pub fn new(max_event_size: usize) -> Parser {
        Parser(parser::Parser::new(max_event_size))
    }

    /// Copies `bytes` to where they would have been read to, and hands out what they complete.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Found<'_>)) {
        while !bytes.is_empty() {
            let mut buffer = self.0.lend();
            let space = buffer.space();
            let n = bytes.len().min(space.len());
            space[..n].copy_from_slice(&bytes[..n]);
            buffer.advance(n);
            bytes = &bytes[n..];
            self.0.give_back(buffer);
            while let Some(item) = self.0.next() {
                each(match item {
                    Item::Message => Found::Message {
                        event_type: self.0.event_type().as_bytes(),
                        data: self.0.data().as_bytes(),
                        id: self.0.last_event_id().as_bytes(),
                    },
                    Item::Comment => Found::Comment(self.0.data().as_bytes()),
                    Item::TooLarge => Found::TooLarge,
                });
            }
        }
    }
}

/// Where a redirect from `base` to `location` leads, as it is sent; `None` where it leads nowhere.
pub fn join(base: &str, location: &[u8]) -> Option<String> {
    Url::parse(base).ok()?.join(location).ok().map(|url| url.request_uri().to_owned())
}

/// What a `Retry-After` header asks for.
pub fn retry_after(value: &str) -> Option<Duration> {
    backoff::retry_after(value, SystemTime::UNIX_EPOCH)
}
