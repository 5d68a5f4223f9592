//! Bytes in any chunks become fields and events: the WHATWG event stream format, without I/O and without a clock.
//!
//! The read buffer is the event buffer: texts are slices of it, and the NUL that C wants behind them goes over the line end
//! that was consumed with them.

mod buffer;
mod field;
mod piece;
mod room;
#[cfg(test)]
mod tests;
mod utf8;

pub(crate) use buffer::ReadBuffer;

use crate::scan::{BLOCK, Native, Scan, seek};
use crate::text::{Text, TextBuf};
use buffer::Sizing;
use field::{Digits, Field};
use piece::Piece;
use std::collections::TryReserveError;
use std::marker::PhantomData;
use std::time::Duration;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// An unfinished line up to this length is not looked at before it ends, unless it could be over the limit: a byte becomes three at most.
const SHORT: usize = 64;

/// What the parser found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// An event: `data`, `event_type` and `last_event_id` hold it.
    Message,
    /// A comment: `data` holds the text after its colon.
    Comment,
    /// What is being received has just become larger than the limit or than memory allows; the stream goes on behind it.
    TooLarge,
}

/// How the line being received is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It is the first of the stream and may begin with a byte order mark.
    First,
    /// It is kept until it ends.
    Kept,
    /// Nobody needs it: its bytes are dropped as they come.
    Dropped,
    /// It is a `retry`: its digits are counted in as they come.
    Number,
}

/// One connection's stream after another; the last event ID lives on.
pub(crate) struct Parser<S = Native> {
    buffer: ReadBuffer,
    /// The buffer is with whoever reads; this is how much it held.
    lent: Option<usize>,
    sizing: Sizing,

    /// Where the scan goes on, the block it last found line ends in, and those of them not yet used.
    scanned: usize,
    base: usize,
    ends: u64,
    /// Whether that block, and the line so far, may hold bytes that are not ASCII.
    block_high: bool,
    line_high: bool,
    /// A NUL was passed since an ID was last looked through for one.
    nul: bool,

    /// Where the current line starts.
    line: usize,
    mode: Mode,
    /// The last line ended in a CR at the end of all bytes: an LF that comes next belongs to it.
    skip_lf: bool,
    /// An unfinished line need not be looked at below this length; what its value came to when it last was.
    alarm: usize,
    counted: (usize, usize),
    number: Digits,

    /// The block being received. How much it may still grow; whether it has grown too large already.
    data: Piece,
    event_type: Piece,
    id: Piece,
    room: usize,
    oversized: bool,
    max: usize,

    comment: Piece,
    /// What `next` gave last.
    item: Option<Item>,
    /// Memory ran out between two calls of `next`.
    failed: bool,
    retry: Option<Duration>,
    last_event_id: TextBuf,
    /// How often a blank line has committed one.
    commits: u64,
    scan: PhantomData<S>,
}

impl Parser {
    pub(crate) fn new(max_event_size: usize) -> Parser {
        Parser::with_scan(max_event_size)
    }
}

impl<S: Scan> Parser<S> {
    pub(crate) fn with_scan(max_event_size: usize) -> Parser<S> {
        Parser {
            buffer: ReadBuffer::empty(),
            lent: None,
            sizing: Sizing::default(),
            scanned: 0,
            base: 0,
            ends: 0,
            block_high: false,
            line_high: false,
            nul: false,
            line: 0,
            mode: Mode::First,
            skip_lf: false,
            alarm: 0,
            counted: (0, 0),
            number: Digits::default(),
            data: Piece::new(),
            event_type: Piece::new(),
            id: Piece::new(),
            room: max_event_size,
            oversized: false,
            max: max_event_size,
            comment: Piece::new(),
            item: None,
            failed: false,
            retry: None,
            last_event_id: TextBuf::empty(),
            commits: 0,
            scan: PhantomData,
        }
    }

    /// Parses on in what has been read. None: more bytes are needed.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Option<Item> {
        let follows_message = self.item == Some(Item::Message);
        self.forget_item();
        if follows_message && self.take_plain() {
            self.item = Some(Item::Message);
            return self.item;
        }
        if self.failed {
            self.failed = false;
            return Some(Item::TooLarge);
        }
        loop {
            while self.ends == 0 {
                if self.scanned >= self.buffer.filled {
                    return self.look_at_beginning();
                }
                self.scan();
            }
            let end = self.base + self.ends.trailing_zeros() as usize;
            self.ends &= self.ends - 1;
            let byte = self.buffer.bytes[end];
            if byte != b'\n' && byte != b'\r' {
                self.nul |= byte == 0;
                continue;
            }
            // Only the LF of a CRLF lies before the line.
            if end >= self.line {
                self.item = self.end_line(end, byte == b'\r');
                if self.item.is_some() {
                    return self.item;
                }
            }
        }
    }

    /// A message's data, or a comment's text; of the last item, until `next`, `lend`, `absorb` or `reset`.
    #[inline(always)]
    pub(crate) fn data(&self) -> Text<'_> {
        if self.item == Some(Item::Message) {
            self.data.text(&self.buffer.bytes)
        } else if self.item == Some(Item::Comment) {
            self.comment.text(&self.buffer.bytes)
        } else {
            Text::EMPTY
        }
    }

    /// A message's type.
    #[inline(always)]
    pub(crate) fn event_type(&self) -> Text<'_> {
        const MESSAGE: Text<'static> = Text::literal("message\0");
        match self.item {
            Some(Item::Message) if self.event_type.is_present() => {
                let text = self.event_type.text(&self.buffer.bytes);
                if text.as_bytes().is_empty() { MESSAGE } else { text }
            }
            _ => MESSAGE,
        }
    }

    /// The last event ID that a blank line has committed.
    pub(crate) fn last_event_id(&self) -> &TextBuf {
        &self.last_event_id
    }

    pub(crate) fn set_last_event_id(&mut self, id: &str) {
        self.last_event_id = TextBuf::from(id);
    }

    /// How many IDs the stream has brought, so that it can be told whether one came since.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    /// The reconnection time of a `retry` line that ended since the last call, at most 24 hours.
    #[inline(always)]
    pub(crate) fn take_retry(&mut self) -> Option<Duration> {
        if self.retry.is_some() { self.retry.take() } else { None }
    }

    #[inline(always)]
    fn forget_item(&mut self) {
        // Message first: it is what streams are made of.
        if self.item == Some(Item::Message) {
            self.begin_block();
        } else if self.item == Some(Item::Comment) {
            self.comment.clear();
        }
        self.item = None;
    }

    /// Looks on until a block may have line ends.
    #[inline(always)]
    fn scan(&mut self) {
        let found = seek::<S>(&self.buffer.bytes, self.scanned, self.buffer.filled);
        (self.base, self.ends, self.scanned) = (found.base, found.ends, found.next);
        self.line_high |= found.high;
        self.block_high = found.last_high;
    }

    /// Behind a message: takes another one that is a line of ASCII data and a blank line, as `end_line` and `end_block` would.
    /// False: something else comes, and nothing has been taken.
    #[inline(always)]
    fn take_plain(&mut self) -> bool {
        const NAME: &[u8] = b"data: ";
        if self.ends == 0 {
            if self.scanned >= self.buffer.filled {
                return false;
            }
            self.scan();
        }
        let (line, ends, filled) = (self.line, self.ends, self.buffer.filled);
        let end = self.base + ends.trailing_zeros() as usize;
        // Not all that is marked ends a line, and the first mark may lie before this one.
        if ends == 0 || self.line_high || end < line + NAME.len() || end + 1 >= filled {
            return false;
        }
        let start = line + NAME.len();
        let bytes = &mut self.buffer.bytes;
        if bytes[end..end + 2] != *b"\n\n" || bytes[line..start] != *NAME || end - start > self.max {
            return false;
        }
        bytes[end] = 0;
        self.data.lie(start, end);
        self.line = end + 2;
        self.alarm = 0;
        // The blank line's mark is the next one, unless it is in a block that has not been looked at; there it will lie before the line.
        let rest = ends & (ends - 1);
        self.ends = if end + 1 - self.base < BLOCK { rest & rest.wrapping_sub(1) } else { rest };
        true
    }

    #[inline(always)]
    fn begin_block(&mut self) {
        self.data.clear();
        self.event_type.clear();
        self.room = self.max;
        self.oversized = false;
    }

    /// The line ends at `end`, where a CR or an LF is.
    #[inline(always)]
    fn end_line(&mut self, end: usize, cr: bool) -> Option<Item> {
        let mut start = self.line;
        self.line = end + 1;
        if cr {
            self.skip_lf = true;
            self.skip_lf();
        }
        let high = self.line_high;
        self.line_high = self.block_high;
        self.alarm = 0;
        if self.mode != Mode::Kept {
            match std::mem::replace(&mut self.mode, Mode::Kept) {
                Mode::First if self.buffer.bytes[start..end].starts_with(BOM) => start += BOM.len(),
                Mode::First | Mode::Kept => {}
                Mode::Dropped => return None,
                Mode::Number => {
                    self.end_number(start, end);
                    return None;
                }
            }
        }
        if start == end {
            return self.end_block();
        }
        let (field, offset) = field::of_line(&self.buffer.bytes[start..end]);
        start += offset;
        match field {
            Field::Data => self.end_data(start, end, high),
            Field::Event => self.end_event(start, end, high),
            Field::Id => self.end_id(start, end, high),
            Field::Comment => self.end_comment(start, end, high),
            Field::Retry => {
                self.end_number(start, end);
                None
            }
            Field::Other | Field::Undecided => None,
        }
    }

    #[cold]
    fn end_number(&mut self, start: usize, end: usize) {
        self.number.add(&self.buffer.bytes[start..end]);
        if let Some(time) = std::mem::take(&mut self.number).duration() {
            self.retry = Some(time);
        }
    }

    /// Passes over the LF of a CRLF, as soon as it is there to be seen.
    #[inline(always)]
    fn skip_lf(&mut self) {
        if self.skip_lf && self.line < self.buffer.filled {
            self.skip_lf = false;
            if self.buffer.bytes[self.line] == b'\n' {
                self.line += 1;
            }
        }
    }

    #[inline(always)]
    fn end_data(&mut self, start: usize, end: usize, high: bool) -> Option<Item> {
        if self.oversized {
            return None;
        }
        // Nearly all data is this: one line of ASCII.
        if !high && !self.data.is_present() && end - start <= self.room {
            self.room -= end - start;
            self.data.lie(start, end);
            return None;
        }
        self.end_other_data(start, end, high)
    }

    #[inline(never)]
    fn end_other_data(&mut self, start: usize, end: usize, high: bool) -> Option<Item> {
        let value = &self.buffer.bytes[start..end];
        let valid = !high || utf8::is_valid(value);
        let len = if valid { value.len() } else { utf8::decoded_len(value) } + usize::from(self.data.is_present());
        if len > self.room {
            return self.too_large();
        }
        self.room -= len;
        if valid && !self.data.is_present() {
            self.data.lie(start, end);
        } else if valid && self.data.in_buffer() {
            return self.join(start, end);
        } else if self.copy_data(start, end).is_err() {
            return self.too_large();
        }
        None
    }

    /// Adds a line to data that lies in the buffer, by moving it there.
    fn join(&mut self, start: usize, end: usize) -> Option<Item> {
        // What lies between the two would be overwritten.
        let mut gone = false;
        for piece in [&mut self.event_type, &mut self.id] {
            if piece.in_buffer() && piece.start >= self.data.end {
                gone |= piece.leave(&self.buffer.bytes).is_err();
            }
        }
        if gone {
            return self.too_large();
        }
        self.buffer.bytes[self.data.end] = b'\n';
        self.buffer.bytes.copy_within(start..end, self.data.end + 1);
        self.data.end += 1 + (end - start);
        None
    }

    /// Adds a line to data that cannot stay in the buffer, because something in it became U+FFFD.
    #[cold]
    fn copy_data(&mut self, start: usize, end: usize) -> Result<(), TryReserveError> {
        let value = &self.buffer.bytes[start..end];
        if self.data.is_present() {
            self.data.leave(&self.buffer.bytes)?;
            self.data.add_line(value)
        } else {
            self.data.decode(value)
        }
    }

    #[inline(always)]
    fn end_event(&mut self, start: usize, end: usize, high: bool) -> Option<Item> {
        if self.oversized {
            return None;
        }
        let value = &self.buffer.bytes[start..end];
        let valid = !high || utf8::is_valid(value);
        let len = if valid { value.len() } else { utf8::decoded_len(value) };
        let room = self.room + self.event_type.len();
        if len > room {
            return self.too_large();
        }
        self.room = room - len;
        if valid {
            self.event_type.lie(start, end);
        } else if self.event_type.decode(value).is_err() {
            return self.too_large();
        }
        None
    }

    #[inline(always)]
    fn end_id(&mut self, start: usize, end: usize, high: bool) -> Option<Item> {
        let value = &self.buffer.bytes[start..end];
        let valid = !high || utf8::is_valid(value);
        let len = if valid { value.len() } else { utf8::decoded_len(value) };
        let room = self.room + self.id.len();
        let mut item = None;
        if !self.oversized && len > room {
            item = self.too_large();
        }
        let value = &self.buffer.bytes[start..end];
        // The ID of a block that is too large is kept if it alone is not.
        if (self.oversized && len > self.max) || (std::mem::take(&mut self.nul) && value.contains(&0)) {
            return item;
        }
        if !self.oversized {
            self.room = room - len;
        }
        if valid {
            self.id.lie(start, end);
        } else if self.id.decode(value).is_err() && !self.oversized {
            return self.too_large();
        }
        item
    }

    #[inline(never)]
    fn end_comment(&mut self, start: usize, end: usize, high: bool) -> Option<Item> {
        let value = &self.buffer.bytes[start..end];
        let valid = !high || utf8::is_valid(value);
        if (if valid { value.len() } else { utf8::decoded_len(value) }) > self.max {
            return Some(Item::TooLarge);
        }
        if valid {
            self.comment.lie(start, end);
        } else if self.comment.decode(value).is_err() {
            return Some(Item::TooLarge);
        }
        self.comment.finish(&mut self.buffer.bytes);
        Some(Item::Comment)
    }

    /// A blank line.
    #[inline(always)]
    fn end_block(&mut self) -> Option<Item> {
        if self.id.is_present() {
            let kept = self.last_event_id.try_set(self.id.bytes(&self.buffer.bytes));
            self.id.clear();
            self.commits += 1;
            if kept.is_err() && !self.oversized {
                self.begin_block();
                return Some(Item::TooLarge);
            }
        }
        if !self.data.is_present() {
            self.begin_block();
            return None;
        }
        self.data.finish(&mut self.buffer.bytes);
        self.event_type.finish(&mut self.buffer.bytes);
        Some(Item::Message)
    }

    /// From here to its end the block is parsed, but only its ID is kept.
    #[cold]
    fn too_large(&mut self) -> Option<Item> {
        self.oversized = true;
        self.data.clear();
        self.event_type.clear();
        self.room = self.max;
        Some(Item::TooLarge)
    }

    /// All bytes have been scanned: is there anything to be done about the unfinished line?
    #[inline(always)]
    fn look_at_beginning(&mut self) -> Option<Item> {
        let len = self.buffer.filled.saturating_sub(self.line);
        if self.mode == Mode::Kept && (len < self.alarm || (len <= SHORT && self.room >= 3 * SHORT)) {
            return None;
        }
        self.item = self.examine();
        self.item
    }

    /// Drops what nobody needs of an unfinished line, and finds out whether the rest has become too large.
    #[cold]
    fn examine(&mut self) -> Option<Item> {
        if self.lent.is_some() {
            return None;
        }
        let filled = self.buffer.filled;
        let beginning = &self.buffer.bytes[self.line..filled];
        match self.mode {
            Mode::Kept => {}
            Mode::First if BOM.len() > beginning.len() && BOM.starts_with(beginning) => return None,
            Mode::First => {
                self.mode = Mode::Kept;
                self.line += if beginning.starts_with(BOM) { BOM.len() } else { 0 };
            }
            Mode::Dropped => {
                self.line = filled;
                return None;
            }
            Mode::Number => {
                self.number.add(beginning);
                self.line = filled;
                return None;
            }
        }
        let beginning = &self.buffer.bytes[self.line..filled];
        let (field, offset) = field::of_beginning(beginning);
        let room = match field {
            Field::Undecided => return None,
            // Whether a space is to be skipped is not known yet.
            Field::Retry if beginning == b"retry:" => return None,
            Field::Retry => {
                self.number.add(&beginning[offset..]);
                self.drop_line(Mode::Number);
                return None;
            }
            Field::Other => Some(0),
            Field::Comment => Some(self.max),
            Field::Data if self.data.is_present() => self.room.checked_sub(1),
            Field::Data => Some(self.room),
            Field::Event => Some(self.room + self.event_type.len()),
            Field::Id if self.oversized => Some(self.max),
            Field::Id => Some(self.room + self.id.len()),
        };
        if field == Field::Other || (self.oversized && matches!(field, Field::Data | Field::Event)) {
            self.drop_line(Mode::Dropped);
            return None;
        }
        let value = &beginning[offset..];
        if room.is_some_and(|room| !exceeds(value, offset, room, &mut self.alarm, &mut self.counted)) {
            return None;
        }
        match field {
            Field::Comment => {
                self.drop_line(Mode::Dropped);
                Some(Item::TooLarge)
            }
            Field::Id if self.oversized => {
                self.drop_line(Mode::Dropped);
                None
            }
            Field::Id => {
                self.alarm = 0;
                self.too_large()
            }
            _ => {
                self.drop_line(Mode::Dropped);
                self.too_large()
            }
        }
    }

    fn drop_line(&mut self, mode: Mode) {
        self.mode = mode;
        self.line = self.buffer.filled;
    }
}

/// Whether the beginning of a value already comes to more than `room` bytes once decoded. If not, `alarm` is the length of the
/// line from which on it could; the work done so far is in `counted`, so that all of it is linear.
fn exceeds(value: &[u8], offset: usize, room: usize, alarm: &mut usize, counted: &mut (usize, usize)) -> bool {
    if *alarm == 0 {
        *counted = (0, 0);
    }
    // A byte becomes three at most.
    if value.len() <= room / 3 {
        *alarm = offset + room / 3 + 1;
        return false;
    }
    let (taken, decoded) = utf8::decoded_so_far(&value[counted.0..]);
    *counted = (counted.0 + taken, counted.1 + decoded);
    if counted.1 + (value.len() - counted.0) > room {
        return true;
    }
    *alarm = offset + value.len().max(counted.0 + (room - counted.1) / 3) + 1;
    false
}
