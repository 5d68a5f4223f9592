//! A connected socket whose reads and writes block, each with its own limit, in one system call.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Deadline;

pub(crate) struct Socket {
    /// The Interrupt holds it weakly, to shut it down.
    stream: Arc<TcpStream>,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

impl Socket {
    /// `stream` is in blocking mode and has no limits set.
    pub(crate) fn new(stream: Arc<TcpStream>) -> Socket {
        Socket { stream, read_limit: None, write_limit: None }
    }

    /// One recv. `TimedOut` if nothing came within `limit`.
    pub(crate) fn read(&mut self, space: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        let Socket { stream, read_limit, .. } = self;
        blocking(limit, |limit| {
            set(read_limit, limit, |limit| stream.set_read_timeout(limit))?;
            (&**stream).read(space)
        })
    }

    /// One send. `TimedOut` if nothing could be sent within `limit`.
    pub(crate) fn write(&mut self, bytes: &[u8], limit: Option<Duration>) -> io::Result<usize> {
        let Socket { stream, write_limit, .. } = self;
        blocking(limit, |limit| {
            set(write_limit, limit, |limit| stream.set_write_timeout(limit))?;
            (&**stream).write(bytes)
        })
    }

    /// Reads and writes that all have to be done by `deadline`.
    pub(crate) fn until(&mut self, deadline: Deadline) -> Until<'_> {
        Until { socket: self, deadline }
    }
}

/// Makes a blocking call anew after a signal, with what is left of its time.
fn blocking(limit: Option<Duration>, mut call: impl FnMut(Option<Duration>) -> io::Result<usize>) -> io::Result<usize> {
    let timed_out = || io::Error::from(ErrorKind::TimedOut);
    let Some(limit) = limit else {
        loop {
            match call(None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A limit that could not be taken away (see `set`): there is no limit, so go on.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    };
    let begun = Instant::now();
    let mut left = limit;
    loop {
        if left.is_zero() {
            return Err(timed_out());
        }
        match call(Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => left = limit.saturating_sub(begun.elapsed()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(timed_out()),
            done => return done,
        }
    }
}

/// Asks the system only for what changes: a stream reads for hours with one and the same limit.
fn set(
    current: &mut Option<Duration>,
    wanted: Option<Duration>,
    change: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    if *current != wanted {
        match change(wanted) {
            Ok(()) => *current = wanted,
            // macOS refuses once the peer has gone; what it sent before can still be read.
            Err(error) if cfg!(target_vendor = "apple") && error.kind() == ErrorKind::InvalidInput => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(crate) struct Until<'a> {
    socket: &'a mut Socket,
    deadline: Deadline,
}

impl Read for Until<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.socket.read(space, self.deadline.remaining())
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes, self.deadline.remaining())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
