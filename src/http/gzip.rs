//! gzip, undone as the bytes come: what a server has flushed is there at once.
//!
//! A decoder that pulls does not do: it asks for more coded bytes while it still holds decoded ones that had no room. So the
//! coded bytes are pushed into one, piece by piece, and all that a piece gives is handed out before the next.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::body::{Content, in_words};
use crate::error::Failure;

/// How many coded bytes are read at once.
const CODED: usize = 4 * 1024;
/// How many are decoded at once: they grow to a thousand times as much, at most.
const PIECE: usize = 512;
/// What is kept to decode into.
const KEPT: usize = 64 * 1024;

/// A body without its framing and without gzip; several members are one body (RFC 1952, section 2.2).
pub(super) struct Unpacked {
    content: Content,
    decoder: MultiGzDecoder<Vec<u8>>,
    coded: Box<[u8]>,
    /// What of it has been read and not yet decoded.
    from: usize,
    to: usize,
    /// How much of what has been decoded has been handed out.
    given: usize,
    /// What ended the body, to be told once all before it has been handed out.
    failure: Option<Failure>,
}

impl Unpacked {
    pub(super) fn new(content: Content) -> Unpacked {
        let decoder = MultiGzDecoder::new(Vec::new());
        Unpacked { content, decoder, coded: vec![0; CODED].into(), from: 0, to: 0, given: 0, failure: None }
    }

    /// The next bytes; 0: the body is complete. Blocks for them.
    pub(super) fn next(&mut self, space: &mut [u8]) -> Result<usize, Failure> {
        loop {
            let given = self.hand_out(space);
            if given > 0 {
                return Ok(given);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if self.from == self.to {
                self.from = 0;
                self.to = self.content.next(&mut self.coded, true)?.unwrap_or_default();
            }
            let is_over = self.to == 0;
            let decoded = if is_over { self.decoder.try_finish() } else { self.decode() };
            self.failure = decoded.err().map(|error| in_words(&error));
            if is_over && self.failure.is_none() && self.decoder.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }

    fn decode(&mut self) -> io::Result<()> {
        let piece = self.from..self.to.min(self.from + PIECE);
        self.from = piece.end;
        self.decoder.write_all(&self.coded[piece])?;
        self.decoder.flush()
    }

    fn hand_out(&mut self, space: &mut [u8]) -> usize {
        let decoded = self.decoder.get_mut();
        let left = &decoded[self.given..];
        let given = left.len().min(space.len());
        space[..given].copy_from_slice(&left[..given]);
        self.given += given;
        if self.given == decoded.len() {
            self.given = 0;
            decoded.clear();
            decoded.shrink_to(KEPT);
        }
        given
    }
}
