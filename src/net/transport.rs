//! One connection: bytes out, bytes in, plain or through TLS, and every end of it in words. ureq borrows it for the request
//! and the response's head; the body is read from it directly.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use ureq::unversioned::transport::NextTimeout;

use super::buffers::Buffers;
use super::socket::{Socket, timed_out};
use super::tls::{self, Session};
use super::{Deadline, Wire};
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
    /// For the body: silence that ends it, and a moment at which it ends whatever comes.
    idle: Option<Duration>,
    until: Deadline,
}

/// When one read or write has to be over: by a moment that all of them share, and each after a span of its own.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    total: Deadline,
    each: Option<Duration>,
}

impl Limits {
    pub(super) fn of(timeout: NextTimeout, each: Option<Duration>) -> Limits {
        // One that never happens is so long that it cannot be counted: never.
        Limits { total: Deadline::after(*timeout.after), each }
    }

    fn next(self) -> Option<Duration> {
        match (self.total.remaining(), self.each) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl Transport {
    /// For a request whose head is at most `head` bytes long.
    pub(super) fn new(
        socket: Socket,
        session: Option<Session>,
        head: usize,
        interrupt: Arc<Interrupt>,
        wire: Arc<Wire>,
    ) -> Transport {
        let buffers = Buffers::new(head);
        Transport { socket, session, buffers, interrupt, wire, received: 0, idle: None, until: Deadline::never() }
    }

    /// From now on, silence for `limit` ends the connection.
    pub(crate) fn set_idle_timeout(&mut self, limit: Option<Duration>) {
        self.idle = limit;
    }

    /// Reading ends at `moment`, whatever still comes.
    pub(crate) fn limit_reads_until(&mut self, moment: Instant) {
        self.until = Deadline::at(moment);
    }

    /// Whether bytes come as they are, without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.session.is_none()
    }

    /// What there is to watch.
    pub(crate) fn stream(&self) -> &Arc<TcpStream> {
        self.socket.stream()
    }

    /// Whether reads that do not wait have brought bytes since this was last asked: framing, or part of a TLS record, may be all.
    pub(crate) fn take_heard(&mut self) -> bool {
        self.socket.take_heard()
    }

    /// Whether there are bytes here, or an end, that the socket does not tell of.
    pub(crate) fn holds_some(&mut self) -> bool {
        self.buffers.holds_some() || self.session.as_mut().is_some_and(|session| session.reader().fill_buf().is_ok())
    }

    /// The next bytes of the body, first those that came along with the head. 0: the server said that nothing more follows, by
    /// TCP's FIN or TLS's close_notify. Blocks if it may; otherwise None says that there is nothing yet.
    pub(crate) fn read(&mut self, space: &mut [u8], wait: bool) -> Result<Option<usize>, Failure> {
        let early = self.buffers.take(space);
        if early > 0 {
            return Ok(Some(early));
        }
        let limits = Limits { total: self.until, each: self.idle };
        let read = match &mut self.session {
            None if !wait => self.socket.read_now(space),
            Some(session) if !wait => match tls_read(session, &mut Now(&mut self.socket), space) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                done => done.map(Some),
            },
            _ => receive(&mut self.session, &mut self.socket, space, limits).map(Some),
        };
        match read {
            _ if self.interrupt.is_fired() => Err(interrupted()),
            Ok(amount) => Ok(amount),
            Err(error) if timed_out(&error) => Err(silent()),
            Err(error) => Err(self.broke(&error)),
        }
    }

    /// Why reading ended too early, in words.
    fn broke(&self, error: &io::Error) -> Failure {
        match error.kind() {
            // FIN inside of TLS without close_notify.
            io::ErrorKind::UnexpectedEof => {
                Failure::new(ErrorKind::Io, "the connection ended without TLS's close_notify: it may have been cut")
            }
            // A TLS 1.3 server refuses a client's certificate only now, as the first thing it says.
            _ if tls::is_tls(error) && self.received == 0 => Failure::new(ErrorKind::Tls, tls::words(error)),
            _ if tls::is_tls(error) => Failure::new(ErrorKind::Io, tls::words(error)),
            _ => Failure::new(ErrorKind::Io, format!("the connection broke: {}", super::words(error))),
        }
    }
}

/// The idle timeout has passed.
pub(crate) fn silent() -> Failure {
    Failure::new(ErrorKind::TimedOut, "the server was silent for too long")
}

fn interrupted() -> Failure {
    Failure::new(ErrorKind::Io, "interrupted")
}

fn receive(session: &mut Option<Session>, socket: &mut Socket, space: &mut [u8], limits: Limits) -> io::Result<usize> {
    match session {
        None => socket.read(space, limits.next()),
        Some(session) => tls_read(session, &mut Limited { socket, limits }, space),
    }
}

/// Plaintext as soon as there is any; 0 after close_notify. Asks for bytes at most once at a time; what cannot be sent now is
/// sent with the next read.
fn tls_read(session: &mut ClientConnection, stream: &mut (impl Read + Write), space: &mut [u8]) -> io::Result<usize> {
    loop {
        match session.reader().read(space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
        session.read_tls(stream)?;
        let processed = session.process_new_packets();
        // The alert that says why, or the answer to a change of keys.
        while session.wants_write() {
            match session.write_tls(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                written if processed.is_ok() => drop(written?),
                Err(_) => break,
                Ok(_) => {}
            }
        }
        processed.map_err(tls::to_io)?;
    }
}

/// Neither waits for bytes nor for room.
struct Now<'a>(&'a mut Socket);

impl Read for Now<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read_now(space)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_now(bytes)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

/// What ureq asks for.
impl Transport {
    pub(super) fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    pub(super) fn is_tls(&self) -> bool {
        self.session.is_some()
    }

    /// Sends the first `amount` bytes of the output.
    pub(super) fn send(&mut self, amount: usize, limits: Limits) -> Result<(), ureq::Error> {
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
            _ if self.interrupt.is_fired() => self.wire.fail(interrupted()),
            _ if timed_out(&error) => {
                self.wire.fail(Failure::new(ErrorKind::TimedOut, "the server did not take the request in time"))
            }
            _ => self.wire.fail(Failure::new(
                ErrorKind::Io,
                format!("the connection broke while the request was sent: {}", super::words(&error)),
            )),
        })
    }

    /// More of the response's head; false: there will be none.
    pub(super) fn await_head(&mut self, limits: Limits) -> Result<bool, ureq::Error> {
        self.buffers.all_sent();
        let most = HEAD - self.received.min(HEAD);
        if most == 0 {
            return Err(self.wire.fail(Failure::new(ErrorKind::Io, "the response's head is larger than 64 KiB")));
        }
        let space = self.buffers.space(most);
        match receive(&mut self.session, &mut self.socket, space, limits) {
            _ if self.interrupt.is_fired() => Err(self.wire.fail(interrupted())),
            Ok(amount) => {
                self.buffers.filled(amount);
                self.received += amount;
                Ok(amount > 0)
            }
            Err(error) if timed_out(&error) => {
                Err(self.wire.fail(Failure::new(ErrorKind::TimedOut, "the server did not answer in time")))
            }
            Err(error) => Err(self.wire.fail(self.broke(&error))),
        }
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
