//! A response's body, straight from the connection: where it ends, its transfer coding, gzip.
//!
//! ureq has read the head; from there on the bytes go from the socket to where the parser wants them.

use std::io;

use ureq::http::Version;
use ureq::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

use super::chunked::Chunks;
use super::gzip::Unpacked;
use crate::error::{ErrorKind, Failure};
use crate::net::Transport;

/// How the end of a body is known.
pub(super) enum Framing {
    /// By the connection's end.
    UntilClose,
    /// By its length: so many bytes are still to come.
    Length(u64),
    Chunked(Chunks),
}

impl Framing {
    /// As RFC 9112, section 6.3, has it: chunked overrides a length.
    pub(super) fn of(status: u16, version: Version, headers: &HeaderMap) -> Framing {
        if matches!(status, 100..=199 | 204 | 304) {
            return Framing::Length(0);
        }
        let mut codings =
            headers.get_all(TRANSFER_ENCODING).iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
        if version > Version::HTTP_10 && codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked")) {
            return Framing::Chunked(Chunks::new());
        }
        length(headers).map_or(Framing::UntilClose, Framing::Length)
    }
}

/// ureq has refused what are no numbers, and several that differ.
fn length(headers: &HeaderMap) -> Option<u64> {
    let first = headers.get(CONTENT_LENGTH)?.as_bytes().split(|byte| *byte == b',').next()?;
    std::str::from_utf8(first).ok()?.trim().parse().ok()
}

/// A body without its framing.
pub(super) struct Content {
    transport: Box<Transport>,
    framing: Framing,
}

impl Content {
    /// Whether it is known without another read that nothing more will come.
    fn is_over(&self) -> bool {
        match &self.framing {
            Framing::UntilClose => false,
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => !matches!(chunks.is_over(), Ok(false)),
        }
    }

    /// The next bytes; 0: the body is complete. Blocks for them if it may; otherwise None says that there are none yet.
    pub(super) fn next(&mut self, space: &mut [u8], wait: bool) -> Result<Option<usize>, Failure> {
        match &mut self.framing {
            Framing::UntilClose => self.transport.read(space, wait),
            Framing::Length(0) => Ok(Some(0)),
            Framing::Length(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(space.len());
                let read = self.transport.read(&mut space[..most], wait)?;
                *left -= read.unwrap_or(0) as u64;
                if read == Some(0) && most > 0 { Err(cut()) } else { Ok(read) }
            }
            Framing::Chunked(chunks) => loop {
                if chunks.is_over().map_err(broken)? {
                    return Ok(Some(0));
                }
                let Some(n) = self.transport.read(space, wait)? else { return Ok(None) };
                if n == 0 {
                    return if chunks.may_end_here() { Ok(Some(0)) } else { Err(cut()) };
                }
                let data = chunks.decode(&mut space[..n]);
                if data > 0 {
                    return Ok(Some(data));
                }
            },
        }
    }
}

/// The body of a response, decoded.
pub(crate) struct Connection(Coding);

enum Coding {
    Identity(Content),
    Gzip(Box<Unpacked>),
}

impl Connection {
    pub(super) fn new(transport: Box<Transport>, framing: Framing, gzip: bool) -> Connection {
        let content = Content { transport, framing };
        Connection(if gzip { gunzip(content) } else { Coding::Identity(content) })
    }

    /// What is below, where `read` can do without waiting and still needs bytes from there; otherwise whoever waits for them waits in
    /// vain. A decoder cannot stop in the middle.
    pub(crate) fn transport(&mut self) -> Option<&mut Transport> {
        match &mut self.0 {
            Coding::Identity(content) if !content.is_over() => Some(&mut content.transport),
            Coding::Identity(_) | Coding::Gzip(_) => None,
        }
    }

    /// The next bytes; `space` is not empty. 0: the body is complete by its framing. Blocks for them if it may; otherwise
    /// None says that there are none yet.
    pub(crate) fn read(&mut self, space: &mut [u8], wait: bool) -> Result<Option<usize>, Failure> {
        match &mut self.0 {
            Coding::Identity(content) => content.next(space, wait),
            Coding::Gzip(_) if !wait => Ok(None),
            Coding::Gzip(body) => body.next(space).map(Some),
        }
    }
}

/// In a frame of its own, so that plain streams do not pay for it.
#[inline(never)]
fn gunzip(content: Content) -> Coding {
    Coding::Gzip(Box::new(Unpacked::new(content)))
}

fn cut() -> Failure {
    Failure::new(ErrorKind::Io, "the connection broke before the response was complete")
}

fn broken(why: &str) -> Failure {
    Failure::new(ErrorKind::Io, format!("the response cannot be read: {why}"))
}

/// What an error says that is none of the connection's own.
pub(super) fn in_words(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut(),
        _ => broken(&error.to_string()),
    }
}
