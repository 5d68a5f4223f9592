//! What a line is, by its name, and the one value that is a number.

use std::time::Duration;

/// A longer reconnection time counts as this.
const LONGEST_RETRY: u64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Data,
    Event,
    Id,
    Retry,
    Comment,
    Other,
    /// The beginning of a line that may still become anything.
    Undecided,
}

const NAMES: [(&[u8], Field); 4] =
    [(b"data", Field::Data), (b"event", Field::Event), (b"id", Field::Id), (b"retry", Field::Retry)];

/// The field of a whole line that is not empty, and where its value starts.
#[inline(always)]
pub(super) fn of_line(line: &[u8]) -> (Field, usize) {
    // As servers write them, each a comparison or two.
    if line.starts_with(b"data: ") {
        return (Field::Data, 6);
    }
    if line.starts_with(b"id: ") {
        return (Field::Id, 4);
    }
    if line.starts_with(b"event: ") {
        return (Field::Event, 7);
    }
    of_any_line(line)
}

#[inline(never)]
fn of_any_line(line: &[u8]) -> (Field, usize) {
    if line[0] == b':' {
        return (Field::Comment, 1);
    }
    for (name, field) in NAMES {
        if let Some(rest) = line.strip_prefix(name) {
            match rest {
                [] => return (field, name.len()),
                [b':', b' ', ..] => return (field, name.len() + 2),
                [b':', ..] => return (field, name.len() + 1),
                _ => {}
            }
        }
    }
    (Field::Other, 0)
}

/// The field of a line whose end has not come yet, and where its value starts as far as can be seen.
pub(super) fn of_beginning(line: &[u8]) -> (Field, usize) {
    if line.is_empty() || NAMES.iter().any(|(name, _)| name.starts_with(line)) {
        return (Field::Undecided, 0);
    }
    of_line(line)
}

/// The number of a `retry` line, however many digits it has.
#[derive(Clone, Copy, Default)]
pub(super) struct Digits {
    milliseconds: u64,
    any: bool,
    other: bool,
}

impl Digits {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.any = true;
            self.other |= !byte.is_ascii_digit();
            let digit = u64::from(byte.wrapping_sub(b'0'));
            self.milliseconds = (self.milliseconds * 10 + digit).min(LONGEST_RETRY);
        }
    }

    /// The reconnection time, if these were digits and nothing else.
    pub(super) fn duration(self) -> Option<Duration> {
        (self.any && !self.other).then(|| Duration::from_millis(self.milliseconds))
    }
}
