//! One connection as ureq sees it: bytes out, bytes in, plain or through TLS, and every end of it in words.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::ClientConnection;
use ureq::unversioned::transport::{Buffers as UreqBuffers, NextTimeout, Transport as UreqTransport};

use super::buffers::Buffers;
use super::socket::{Socket, timed_out};
use super::tls::{self, Session};
use super::{Deadline, End, Wire};
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;

/// Everything before the body, 1xx responses included.
const HEAD: usize = 64 * 1024;

pub(crate) struct Transport {
    socket: Socket,
    session: Option<Session>,
    buffers: Buffers,
    interrupt: Arc<Interrupt>,
    wire: Arc<Wire>,
    /// Bytes received so far, while that can still be too many for a head.
    received: usize,
}

/// When one read or write has to be over: by a moment that all of them share, and each after a span of its own.
#[derive(Clone, Copy)]
struct Limits {
    total: Deadline,
    each: Option<std::time::Duration>,
}

impl Limits {
    fn of(timeout: NextTimeout, each: Option<std::time::Duration>) -> Limits {
        // One that never happens is so long that it cannot be counted: never.
        Limits { total: Deadline::after(*timeout.after), each }
    }

    fn next(self) -> Option<std::time::Duration> {
        match (self.total.remaining(), self.each) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl Transport {
    pub(crate) fn new(
        socket: Socket,
        session: Option<Session>,
        head: usize,
        interrupt: Arc<Interrupt>,
        wire: Arc<Wire>,
    ) -> Transport {
        Transport { socket, session, buffers: Buffers::new(head), interrupt, wire, received: 0 }
    }

    fn read(&mut self, most: usize, limits: Limits) -> io::Result<usize> {
        let space = self.buffers.space(most);
        let offered = space.len();
        let amount = match &mut self.session {
            None => self.socket.read(space, limits.next())?,
            Some(session) => tls_read(session, &mut self.socket, space, limits)?,
        };
        self.buffers.filled(amount, offered);
        Ok(amount)
    }

    /// How reading ended, kept in the wire, and the error that ureq gets for it.
    fn ended(&self, error: &io::Error, head: bool) -> ureq::Error {
        let (end, failure) = match error.kind() {
            _ if timed_out(error) && head => {
                (End::TimedOut, Failure::new(ErrorKind::TimedOut, "the server did not answer in time"))
            }
            _ if timed_out(error) => {
                (End::TimedOut, Failure::new(ErrorKind::TimedOut, "the server was silent for too long"))
            }
            io::ErrorKind::UnexpectedEof => (
                End::Truncated,
                Failure::new(ErrorKind::Io, "the connection ended without TLS's close_notify: it may have been cut"),
            ),
            // A TLS 1.3 server refuses a client's certificate only now, as the first thing it says.
            _ if tls::is_tls(error) && self.received == 0 => {
                (End::Reset, Failure::new(ErrorKind::Tls, tls::words(error)))
            }
            _ if tls::is_tls(error) => (End::Reset, Failure::new(ErrorKind::Io, tls::words(error))),
            _ => (End::Reset, Failure::new(ErrorKind::Io, format!("the connection broke: {}", super::words(error)))),
        };
        self.wire.set_end(end);
        self.wire.fail(failure)
    }

    fn interrupted(&self) -> ureq::Error {
        self.wire.fail(Failure::new(ErrorKind::Io, "interrupted"))
    }
}

/// Plaintext as soon as there is any. Blocks in at most one recv at a time; 0 after close_notify.
fn tls_read(
    session: &mut ClientConnection,
    socket: &mut Socket,
    space: &mut [u8],
    limits: Limits,
) -> io::Result<usize> {
    loop {
        match session.reader().read(space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        session.read_tls(&mut Limited { socket, limits })?;
        let processed = session.process_new_packets();
        // The alert that says why, or the answer to a change of keys.
        while session.wants_write() {
            let written = session.write_tls(&mut Limited { socket, limits });
            if processed.is_ok() {
                written?;
            } else if written.is_err() {
                break;
            }
        }
        processed.map_err(tls::to_io)?;
    }
}

struct Limited<'a> {
    socket: &'a mut Socket,
    limits: Limits,
}

impl Read for Limited<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.socket.read(space, self.limits.next())
    }
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes, self.limits.next())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl UreqTransport for Transport {
    fn buffers(&mut self) -> &mut dyn UreqBuffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let limits = Limits::of(timeout, timeout.per_write.map(|span| *span));
        let bytes = &self.buffers.outgoing()[..amount];
        let wire = &self.wire;
        let mut sink = Limited { socket: &mut self.socket, limits };
        let result = match &mut self.session {
            None => write_all(bytes, |rest| {
                let sent = sink.write(rest)?;
                wire.set_wrote();
                Ok(sent)
            }),
            Some(session) => write_all(bytes, |rest| {
                let taken = session.writer().write(rest)?;
                while session.wants_write() {
                    session.write_tls(&mut sink)?;
                    wire.set_wrote();
                }
                Ok(taken)
            }),
        };
        self.buffers.sent(amount);
        result.map_err(|error| match error.kind() {
            _ if self.interrupt.is_fired() => self.interrupted(),
            _ if timed_out(&error) => {
                self.wire.fail(Failure::new(ErrorKind::TimedOut, "the server did not take the request in time"))
            }
            _ => self.wire.fail(Failure::new(
                ErrorKind::Io,
                format!("the connection broke while the request was sent: {}", super::words(&error)),
            )),
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.buffers.all_sent();
        let reading = self.wire.reading();
        let most = if reading.head { HEAD - self.received.min(HEAD) } else { usize::MAX };
        if most == 0 {
            return Err(self.wire.fail(Failure::new(ErrorKind::Io, "the response's head is larger than 64 KiB")));
        }
        // ureq takes what it can of a body; a chunk's size or a trailer without end it cannot, and would wait for ever.
        if !reading.head && self.buffers.unread() >= HEAD {
            return Err(self
                .wire
                .fail(Failure::new(ErrorKind::Io, "the response's chunks are broken: a line has no end")));
        }
        let mut limits = Limits::of(timeout, timeout.per_read.map(|span| *span).or(reading.idle));
        limits.total = limits.total.min(reading.until);
        match self.read(most, limits) {
            _ if self.interrupt.is_fired() => Err(self.interrupted()),
            Ok(0) => {
                self.wire.set_end(End::Fin);
                Ok(false)
            }
            Ok(amount) => {
                self.received = self.received.saturating_add(amount);
                Ok(true)
            }
            Err(error) => Err(self.ended(&error, reading.head)),
        }
    }

    fn is_open(&mut self) -> bool {
        false // nothing is kept for a next request
    }

    fn is_tls(&self) -> bool {
        self.session.is_some()
    }
}

fn write_all(mut bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => bytes = &bytes[sent..],
        }
    }
    Ok(())
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
