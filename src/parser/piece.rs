//! A text of the block being received: a slice of the read buffer for as long as it can stay there, then a copy.

use super::utf8;
use crate::text::Text;
use std::collections::TryReserveError;

/// Copies larger than this do not keep their storage for the next text.
const KEPT: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Absent,
    Buffer,
    Copy,
}

pub(super) struct Piece {
    place: Place,
    pub(super) start: usize,
    pub(super) end: usize,
    copy: Vec<u8>,
}

impl Piece {
    pub(super) const fn new() -> Piece {
        Piece { place: Place::Absent, start: 0, end: 0, copy: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn storage(&self) -> usize {
        self.copy.capacity()
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        if self.place == Place::Copy {
            self.forget_copy();
        }
        self.place = Place::Absent;
    }

    #[cold]
    fn forget_copy(&mut self) {
        self.copy.clear();
        if self.copy.capacity() > KEPT {
            self.copy = Vec::new();
        }
    }

    /// The text lies in the buffer from `start` to `end`; what it was before is forgotten.
    #[inline(always)]
    pub(super) fn lie(&mut self, start: usize, end: usize) {
        if self.place == Place::Copy {
            self.clear();
        }
        self.place = Place::Buffer;
        (self.start, self.end) = (start, end);
    }

    #[inline(always)]
    pub(super) fn is_present(&self) -> bool {
        self.place != Place::Absent
    }

    #[inline(always)]
    pub(super) fn in_buffer(&self) -> bool {
        self.place == Place::Buffer
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        match self.place {
            Place::Absent => 0,
            Place::Buffer => self.end - self.start,
            Place::Copy => self.copy.len(),
        }
    }

    /// Copies the text out of the buffer if it still lies there. On an error it is gone.
    pub(super) fn leave(&mut self, buffer: &[u8]) -> Result<(), TryReserveError> {
        if self.place == Place::Buffer {
            self.place = Place::Absent;
            self.copy.clear();
            self.copy.try_reserve_exact(self.end - self.start + 1)?;
            self.copy.extend_from_slice(&buffer[self.start..self.end]);
            self.place = Place::Copy;
        }
        Ok(())
    }

    /// The text is `bytes`, decoded.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.copy.clear();
        self.place = Place::Absent;
        utf8::append(&mut self.copy, bytes)?;
        self.place = Place::Copy;
        Ok(())
    }

    /// Adds a line to a text that has left the buffer: an LF and `bytes`, decoded.
    pub(super) fn add_line(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.copy.try_reserve(1)?;
        self.copy.push(b'\n');
        utf8::append(&mut self.copy, bytes)
    }

    /// Puts the NUL behind the text, in the buffer over the line end that was consumed with it.
    #[inline(always)]
    pub(super) fn finish(&mut self, buffer: &mut [u8]) {
        match self.place {
            Place::Absent => {}
            Place::Buffer => buffer[self.end] = 0,
            Place::Copy => self.copy.push(0),
        }
    }

    /// The finished text.
    #[inline(always)]
    pub(super) fn text<'a>(&'a self, buffer: &'a [u8]) -> Text<'a> {
        match self.place {
            Place::Absent => Text::EMPTY,
            Place::Buffer => Text::from_bytes_with_nul(&buffer[self.start..self.end + 1]),
            Place::Copy => Text::from_bytes_with_nul(&self.copy),
        }
    }

    /// The text, not finished.
    #[inline(always)]
    pub(super) fn bytes<'a>(&'a self, buffer: &'a [u8]) -> &'a [u8] {
        match self.place {
            Place::Absent => &[],
            Place::Buffer => &buffer[self.start..self.end],
            Place::Copy => &self.copy,
        }
    }
}
