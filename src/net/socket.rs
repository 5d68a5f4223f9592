//! A connected socket whose reads and writes block, each with its own limit, in one system call; or which is asked for what is
//! there already.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Deadline;

pub(crate) struct Socket {
    /// The Interrupt holds it weakly, to shut it down.
    stream: Arc<TcpStream>,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
    /// The mode that `read_now` leaves behind.
    nonblocking: bool,
    /// The last read took all that there was.
    drained: bool,
    /// `read_now` has brought bytes, whatever became of them.
    heard: bool,
}

/// A read that brings less than this and less than it had room for is taken to have brought all there was.
const DRAINED: usize = 1024;

impl Socket {
    /// `stream` is in blocking mode and has no limits set.
    pub(crate) fn new(stream: Arc<TcpStream>) -> Socket {
        Socket { stream, read_limit: None, write_limit: None, nonblocking: false, drained: false, heard: false }
    }

    /// What it is about, for whoever watches it or shuts it down.
    pub(crate) fn stream(&self) -> &Arc<TcpStream> {
        &self.stream
    }

    /// One recv that never blocks. None: there is nothing yet; where the recv before brought little, that is known without
    /// another one, once.
    pub(crate) fn read_now(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        // Set once for all the reads up to the next one that waits, which is cheaper than to ask before each.
        self.set_nonblocking(true)?;
        if std::mem::take(&mut self.drained) {
            return Ok(None);
        }
        let read = now(|| (&*self.stream).read(space))?;
        self.heard |= read.is_some_and(|n| n > 0);
        self.drained = read.is_some_and(|n| 0 < n && n < space.len().min(DRAINED));
        Ok(read)
    }

    /// Whether reads that do not block have brought bytes since the last time that this was asked.
    pub(crate) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// One send that never blocks. None: there is no room for it yet.
    pub(crate) fn write_now(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.set_nonblocking(true)?;
        now(|| (&*self.stream).write(bytes))
    }

    fn set_nonblocking(&mut self, wanted: bool) -> io::Result<()> {
        if self.nonblocking != wanted {
            self.stream.set_nonblocking(wanted)?;
            self.nonblocking = wanted;
        }
        Ok(())
    }

    /// One recv. Fails as `timed_out` tells if nothing came within `limit`.
    pub(crate) fn read(&mut self, space: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        self.set_nonblocking(false)?;
        self.drained = false;
        let Socket { stream, read_limit, .. } = self;
        blocking(limit, |limit| {
            set(read_limit, limit, |limit| stream.set_read_timeout(limit))?;
            (&**stream).read(space)
        })
    }

    /// One send. Fails as `timed_out` tells if nothing could be sent within `limit`.
    pub(crate) fn write(&mut self, bytes: &[u8], limit: Option<Duration>) -> io::Result<usize> {
        self.set_nonblocking(false)?;
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

impl Drop for Socket {
    /// Said here and not left to the descriptor's end: an Interrupt that is just firing may hold that up for a moment, in
    /// which the next connection is made already.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A call that does not block. None: not now.
fn now(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            done => return done.map(Some),
        }
    }
}

/// Whether a limit of ours has passed. The kernel's own timeout, which means that the connection is dead, has a number.
pub(crate) fn timed_out(error: &io::Error) -> bool {
    error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none()
}

/// Makes a blocking call anew after a signal, with what is left of its time.
fn blocking(limit: Option<Duration>, mut call: impl FnMut(Option<Duration>) -> io::Result<usize>) -> io::Result<usize> {
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
            return Err(ErrorKind::TimedOut.into());
        }
        match call(Some(left)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => left = limit.saturating_sub(begun.elapsed()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            // Windows has one number for both: the time tells.
            Err(error) if cfg!(windows) && error.kind() == ErrorKind::TimedOut && begun.elapsed() * 2 > limit => {
                return Err(ErrorKind::TimedOut.into());
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Socket::new(Arc::new(near)), listener.accept().unwrap().0)
    }

    #[test]
    fn a_limit_that_passes_is_told_from_a_connection_that_died() {
        let (mut socket, _far) = pair();
        let error = socket.read(&mut [0; 8], Some(Duration::from_millis(5))).unwrap_err();
        assert!(timed_out(&error));
        let error = socket.read(&mut [0; 8], Some(Duration::ZERO)).unwrap_err();
        assert!(timed_out(&error));
        #[cfg(unix)]
        for limit in [None, Some(Duration::from_secs(60))] {
            let dead = || io::Error::from_raw_os_error(nix::errno::Errno::ETIMEDOUT as i32);
            let error = blocking(limit, |_| Err(dead())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(!timed_out(&error));
        }
    }

    #[test]
    fn what_is_there_can_be_had_without_waiting() {
        let (mut socket, mut far) = pair();
        let mut space = [0; 8];
        assert_eq!(socket.read_now(&mut space).unwrap(), None);
        far.write_all(b"ab").unwrap();
        assert_eq!(socket.read(&mut space[..1], None).unwrap(), 1, "which waits again");
        assert_eq!(socket.read_now(&mut space).unwrap(), Some(1));
        assert_eq!((socket.read_now(&mut space).unwrap(), space[0]), (None, b'b'));
        assert!(timed_out(&socket.read(&mut space, Some(Duration::from_millis(5))).unwrap_err()));
        drop(far);
        assert_eq!(socket.read(&mut space, None).unwrap(), 0);
        assert_eq!(socket.read_now(&mut space).unwrap(), Some(0));
    }

    #[test]
    fn its_end_is_told_though_an_interrupt_still_holds_it() {
        let (socket, mut far) = pair();
        let held = socket.stream.clone();
        drop(socket);
        far.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
        drop(held);
    }

    #[test]
    fn a_signal_costs_no_time() {
        let mut calls = 0;
        let limit = Duration::from_secs(60);
        let got = blocking(Some(limit), |left| {
            calls += 1;
            assert!(left.unwrap() <= limit);
            if calls < 3 { Err(ErrorKind::Interrupted.into()) } else { Ok(7) }
        });
        assert_eq!((got.unwrap(), calls), (7, 3));
        // Interrupted again and again, it ends all the same.
        let error = blocking(Some(Duration::from_millis(5)), |_| Err(ErrorKind::Interrupted.into())).unwrap_err();
        assert!(timed_out(&error));
    }

    #[test]
    fn the_system_is_asked_only_for_what_changes() {
        let (mut socket, mut far) = pair();
        let mut asked = 0;
        for limit in [None, Some(1), Some(1), Some(2), None, None] {
            let limit = limit.map(Duration::from_secs);
            set(&mut socket.read_limit, limit, |limit| {
                asked += 1;
                socket.stream.set_read_timeout(limit)
            })
            .unwrap();
        }
        assert_eq!(asked, 3);
        far.write_all(b"x").unwrap();
        assert_eq!(socket.read(&mut [0; 8], None).unwrap(), 1);
    }
}
