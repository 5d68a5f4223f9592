//! The chunked transfer coding (RFC 9112, section 7.1), taken out of the bytes where they lie.
//!
//! Whatever was complete before a fault is data all the same; the fault shows once it has been taken.

/// The longest line that gives a chunk's size, extensions included.
const LINE: usize = 4 * 1024;
/// All trailer fields together.
const TRAILERS: usize = 64 * 1024;

/// Where in the framing the next byte lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a size; none of its digits has come yet where there is no number.
    Size(Option<u64>),
    /// In the blanks behind a size, which some servers pad.
    Blank(u64),
    /// In the extensions behind a size.
    Extension(u64),
    /// At the LF of the line that gave this size.
    SizeLf(u64),
    /// In a chunk, of which this much is still to come.
    Data(u64),
    /// At the CR and at the LF that end a chunk.
    DataCr,
    DataLf,
    /// Behind the last chunk: where a trailer field may begin, within one, behind its CR.
    TrailerStart,
    Trailer,
    TrailerCr,
    /// At the very last LF.
    LastLf,
    /// Behind it.
    Over,
    /// What came is not chunked.
    Broken(&'static str),
}

/// One body's framing.
pub(super) struct Chunks {
    place: Place,
    /// Bytes of the line that gives a size, or of all trailer fields.
    length: usize,
}

impl Chunks {
    pub(super) fn new() -> Chunks {
        Chunks { place: Place::Size(None), length: 0 }
    }

    /// Leaves the data that is in `bytes` at their front, and says how much that is.
    pub(super) fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            match self.place {
                Place::Data(left) => {
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - from);
                    bytes.copy_within(from..from + n, to);
                    (from, to) = (from + n, to + n);
                    self.place = if n as u64 == left { Place::DataCr } else { Place::Data(left - n as u64) };
                }
                Place::Over | Place::Broken(_) => break,
                _ => {
                    self.place = self.behind(bytes[from]);
                    from += 1;
                }
            }
        }
        to
    }

    /// Whether the body is complete; an error in words where what came is not chunked.
    pub(super) fn is_over(&self) -> Result<bool, &'static str> {
        match self.place {
            Place::Over => Ok(true),
            Place::Broken(why) => Err(why),
            _ => Ok(false),
        }
    }

    /// Whether nothing is missing if nothing more comes: the last chunk was here (RFC 9112, section 8), though the line that
    /// ends the trailer should follow.
    pub(super) fn may_end_here(&self) -> bool {
        matches!(self.place, Place::TrailerStart | Place::Over)
    }

    /// Where the byte behind `byte` lies, which is one of the framing's.
    #[inline]
    fn behind(&mut self, byte: u8) -> Place {
        self.length += 1;
        match (self.place, byte) {
            (Place::Size(_) | Place::Blank(_) | Place::Extension(_), _) if self.length > LINE => {
                Place::Broken("the line of a chunk's size is longer than 4 KiB")
            }
            (Place::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = if byte <= b'9' { byte - b'0' } else { (byte | 0x20) - b'a' + 10 };
                match size.unwrap_or(0).checked_mul(16) {
                    Some(size) => Place::Size(Some(size + u64::from(digit))),
                    None => Place::Broken("a chunk's size is too large"),
                }
            }
            (Place::Size(Some(size)) | Place::Blank(size) | Place::Extension(size), b'\r') => Place::SizeLf(size),
            (Place::Size(Some(size)) | Place::Blank(size), b';') => Place::Extension(size),
            (Place::Size(Some(size)) | Place::Blank(size), b' ' | b'\t') => Place::Blank(size),
            (Place::Extension(size), byte) if byte != b'\n' => Place::Extension(size),
            (Place::SizeLf(size), b'\n') => {
                self.length = 0;
                if size == 0 { Place::TrailerStart } else { Place::Data(size) }
            }
            (Place::Size(_) | Place::Blank(_) | Place::Extension(_) | Place::SizeLf(_), _) => {
                Place::Broken("a chunk's size is none")
            }
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => {
                self.length = 0;
                Place::Size(None)
            }
            (Place::DataCr | Place::DataLf, _) => Place::Broken("a chunk is longer than its size"),
            (Place::TrailerStart | Place::Trailer | Place::TrailerCr, _) if self.length > TRAILERS => {
                Place::Broken("the trailer is larger than 64 KiB")
            }
            (Place::TrailerStart, b'\r') => Place::LastLf,
            (Place::Trailer | Place::TrailerCr, b'\r') => Place::TrailerCr,
            (Place::TrailerCr, b'\n') => Place::TrailerStart,
            (Place::TrailerStart | Place::Trailer | Place::TrailerCr, _) => Place::Trailer,
            (Place::LastLf, b'\n') => Place::Over,
            (Place::LastLf, _) => Place::Broken("the trailer does not end in CR and LF"),
            // `decode` takes these itself.
            (place @ (Place::Data(_) | Place::Over | Place::Broken(_)), _) => place,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a body in pieces of `size` bytes comes to: its data, and how it stands then.
    fn decode(body: &[u8], size: usize) -> (Vec<u8>, Result<bool, &'static str>, bool) {
        let mut chunks = Chunks::new();
        let mut data = Vec::new();
        for piece in body.chunks(size) {
            let mut piece = piece.to_vec();
            let n = chunks.decode(&mut piece);
            data.extend_from_slice(&piece[..n]);
        }
        (data, chunks.is_over(), chunks.may_end_here())
    }

    fn check(body: &[u8], data: &[u8], over: Result<bool, ()>, may_end: bool) {
        for size in 1..=body.len() {
            let (got, state, end) = decode(body, size);
            let text = String::from_utf8_lossy(body);
            assert_eq!((&*got, state.map_err(drop), end), (data, over, may_end), "{text:?} by {size}");
        }
    }

    #[test]
    fn data_comes_out_however_it_is_cut() {
        check(b"5\r\nhello\r\n0\r\n\r\n", b"hello", Ok(true), true);
        check(b"1\r\nh\r\n04;a=\"b c\"\r\nello\r\n0000\r\nX: y\r\nZ:\r\r\n\r\nmore", b"hello", Ok(true), true);
        check(b"A \t\r\n0123456789\r\nb ;x\r\n0123456789a\r\n", b"01234567890123456789a", Ok(false), false);
        check(b"10\r\n0123456789abc", b"0123456789abc", Ok(false), false);
        check(b"1\r\na\r\n0\r\nX: y\r", b"a", Ok(false), false);
        check(b"1\r\na\r\n0\r\nX: y\r\n", b"a", Ok(false), true);
        check(b"1\r\na\r\n0\r", b"a", Ok(false), false);
        check(b"1\r\na\r\n0\r\n", b"a", Ok(false), true);
        check(b"1\r\na\r\n0\r\n\r", b"a", Ok(false), false);
    }

    #[test]
    fn what_was_complete_before_a_fault_is_data() {
        for fault in [
            "\r\n",
            " 5\r\n",
            "-5\r\n",
            "+5\r\n",
            "0x5\r\n",
            "g\r\n",
            ";a\r\n",
            "5\n",
            "5;a\n",
            "5 5\r\n",
            "5\rx",
            "5;a\rx",
            "FFFFFFFFFFFFFFFFF\r\n",
            "10000000000000000\r\n",
            "1\r\nab",
            "1\r\na\rb",
            "1\r\na\n",
            "0\r\n\rx",
        ] {
            let body = format!("3\r\nabc\r\n{fault}4\r\nlost\r\n0\r\n\r\n");
            let data = if fault.starts_with("1\r\na") { "abca" } else { "abc" };
            check(body.as_bytes(), data.as_bytes(), Err(()), false);
        }
    }

    #[test]
    fn sizes_have_a_limit_and_numbers_none_but_64_bits() {
        let mut chunks = Chunks::new();
        assert_eq!(chunks.decode(&mut b"FFFFFFFFFFFFFFFF\r\nabc".to_owned()), 3);
        assert!(matches!(chunks.place, Place::Data(left) if left == u64::MAX - 3));
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        for (extension, over) in [(LINE - 20, Ok(true)), (LINE, Err(()))] {
            let body = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(extension));
            assert_eq!(decode(body.as_bytes(), 1000).1.map_err(drop), over);
        }
        for (lines, over) in [(TRAILERS / 8 - 1, Ok(true)), (TRAILERS / 8 + 1, Err(()))] {
            let body = format!("1\r\na\r\n0\r\n{}\r\n", "X-T: y\r\n".repeat(lines));
            assert_eq!(decode(body.as_bytes(), 1000).1.map_err(drop), over);
        }
        // Extensions of many chunks do not add up.
        let body = format!("1;{}\r\na\r\n", "x".repeat(LINE - 20)).repeat(10);
        assert_eq!(decode(body.as_bytes(), 1000), (b"a".repeat(10), Ok(false), false));
    }
}
