//! Lending the read buffer out: what is still needed moves to the front, and a read gets the room it deserves.

use super::buffer::{AHEAD, LARGEST};
use super::{Mode, Parser, ReadBuffer};
use crate::scan::Scan;

impl<S: Scan> Parser<S> {
    /// Hands out the buffer to be read into, after `next` gave None.
    pub(crate) fn lend(&mut self) -> ReadBuffer {
        if self.lent.is_some() {
            // Whoever had it lost it, and with it the place in the stream.
            self.reset();
        }
        self.settle();
        let held = self.held();
        let size = self.buffer.bytes.len();
        let consumed = self.buffer.filled - held;
        // A move costs no more than a few times what was consumed since the last one, so that the whole stays linear.
        if held <= consumed || (consumed >= size / 4 && self.buffer.free() < size / 4) {
            self.move_to_front();
        }
        let wanted = self.sizing.wanted(size, held, self.buffer.free());
        if wanted != size {
            self.resize(wanted);
        }
        self.lent = Some(self.buffer.filled);
        std::mem::replace(&mut self.buffer, ReadBuffer::empty())
    }

    /// Takes back what `lend` gave, with more bytes in it or not.
    pub(crate) fn give_back(&mut self, buffer: ReadBuffer) {
        if let Some(before) = self.lent.take() {
            self.buffer = buffer;
            self.sizing.note(self.buffer.filled - before, self.buffer.free());
            self.skip_lf();
        }
    }

    /// Takes back what `lend` gave, as it was.
    pub(crate) fn take_back(&mut self, buffer: ReadBuffer) {
        if self.lent.take().is_some() {
            self.buffer = buffer;
        }
    }

    /// Takes bytes that were read ahead into another buffer, after `next` gave None, and gives a buffer back to read ahead into.
    pub(crate) fn absorb(&mut self, mut ahead: ReadBuffer) -> ReadBuffer {
        if self.lent.is_some() {
            self.reset();
        }
        self.settle();
        self.let_texts_leave();
        self.sizing.note(ahead.filled - ahead.start, ahead.free());
        let mut held = self.held();
        if held > ahead.start {
            let more = &ahead.bytes[ahead.start..ahead.filled];
            if self.make_room_for(more.len()) {
                let end = self.buffer.filled + more.len();
                self.buffer.bytes[self.buffer.filled..end].copy_from_slice(more);
                self.buffer.filled = end;
                self.skip_lf();
                let wanted = self.sizing.wanted(ahead.bytes.len(), 0, ahead.free());
                return renew(ahead, wanted.min(AHEAD));
            }
            held = self.held();
        }
        let start = ahead.start - held;
        self.move_into(&mut ahead.bytes, start);
        std::mem::swap(&mut self.buffer, &mut ahead);
        self.skip_lf();
        let wanted = self.sizing.wanted(self.buffer.bytes.len(), held, self.buffer.free()).min(AHEAD);
        renew(ahead, wanted)
    }

    /// A new connection: everything begins anew but the last event ID, and large storage is given up.
    pub(crate) fn reset(&mut self) {
        let fresh = Parser::with_scan(self.max);
        let old = std::mem::replace(self, fresh);
        self.last_event_id = old.last_event_id;
        self.commits = old.commits;
        self.retry = old.retry;
    }

    /// Forgets the last item and whatever was scanned but not used.
    #[inline]
    fn settle(&mut self) {
        self.forget_item();
        if self.ends != 0 {
            self.ends = 0;
            self.scanned = self.line;
            self.line_high = false;
        }
        self.scanned = self.scanned.max(self.line);
    }

    /// Bytes of the buffer that are still needed, the place of the NUL behind the data included.
    #[inline]
    fn held(&self) -> usize {
        let data = if self.data.in_buffer() { self.data.len() + 1 } else { 0 };
        data + (self.buffer.filled - self.line)
    }

    /// Lets go of the buffer's bytes but for data and the unfinished line.
    fn let_texts_leave(&mut self) {
        let bytes = &self.buffer.bytes;
        if self.event_type.leave(bytes).is_err() || self.id.leave(bytes).is_err() {
            self.failed |= !self.oversized;
            self.too_large();
        }
    }

    /// Data and the unfinished line go to the front of the buffer.
    fn move_to_front(&mut self) {
        if self.line == 0 {
            return;
        }
        self.let_texts_leave();
        let mut to = 0;
        if self.data.in_buffer() {
            let len = self.data.len();
            self.buffer.bytes.copy_within(self.data.start..self.data.end, 0);
            self.data.lie(0, len);
            to = len + 1;
        }
        self.buffer.bytes.copy_within(self.line..self.buffer.filled, to);
        self.moved(to);
    }

    /// The same into other storage, from `to` on.
    fn move_into(&mut self, bytes: &mut [u8], mut to: usize) {
        self.let_texts_leave();
        if self.data.in_buffer() {
            let len = self.data.len();
            bytes[to..to + len].copy_from_slice(&self.buffer.bytes[self.data.start..self.data.end]);
            self.data.lie(to, to + len);
            to += len + 1;
        }
        let line = &self.buffer.bytes[self.line..self.buffer.filled];
        bytes[to..to + line.len()].copy_from_slice(line);
        self.moved(to);
    }

    /// The unfinished line has moved to `to`, and all that was read with it.
    #[inline]
    fn moved(&mut self, to: usize) {
        self.scanned = self.scanned - self.line + to;
        self.buffer.filled = self.buffer.filled - self.line + to;
        self.line = to;
    }

    /// Makes the storage `wanted` bytes; there is room for another read in any case.
    #[cold]
    fn resize(&mut self, wanted: usize) {
        self.move_to_front();
        if !self.buffer.resize(wanted) && self.buffer.free() == 0 {
            self.out_of_memory();
        }
    }

    /// Makes room for `more` bytes behind those that are held. False: there is no memory, and nothing is held any more.
    fn make_room_for(&mut self, more: usize) -> bool {
        if self.buffer.free() >= more {
            return true;
        }
        self.move_to_front();
        let size = self.buffer.bytes.len();
        if self.buffer.free() >= more.max(size / 4) {
            return true;
        }
        let enough = (self.buffer.filled + more).saturating_mul(2).max(LARGEST);
        if !self.buffer.resize(enough) && self.buffer.free() < more {
            self.out_of_memory();
            return false;
        }
        true
    }

    /// There is no memory for the block: it is too large.
    #[cold]
    fn out_of_memory(&mut self) {
        self.failed |= !self.oversized;
        self.too_large();
        if self.mode != Mode::Number {
            self.mode = Mode::Dropped;
        }
        self.line = self.buffer.filled;
        self.move_to_front();
    }
}

/// An emptied buffer to read ahead into, of about `wanted` bytes.
fn renew(mut old: ReadBuffer, wanted: usize) -> ReadBuffer {
    old.filled = 0;
    if wanted != old.bytes.len() {
        old.resize(wanted);
    }
    old.rewind_ahead();
    old
}
