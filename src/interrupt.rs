//! Ends whatever blocking call a piece of work is in, from any thread: a sleep, a lookup, a connect race, a socket.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

#[cfg(unix)]
use std::os::{
    fd::{AsFd, BorrowedFd},
    unix::net::UnixStream,
};

/// What `fired()` never receives: its end is the message.
pub(crate) enum Never {}

/// The work was ended by `Interrupt::fire` before the call could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// One per piece of blocking work: an attempt and the connection it leads to, or a wait.
///
/// Everything that may block registers here under one mutex which also holds whether `fire` has come, so that a
/// connection that succeeds while it is being closed is either refused here or shut down: there is no third case.
pub(crate) struct Interrupt {
    over: AtomicBool,
    fired: Receiver<Never>,
    slot: Mutex<Slot>,
}

struct Slot {
    /// Dropped by `fire`; whoever waits on `fired` sees the disconnection. `None` is the state *fired*.
    alive: Option<Sender<Never>>,
    /// Weak: the connection's owner closes it as ever. Upgraded only to shut it down, so no descriptor is used after
    /// it was closed and given out anew.
    socket: Weak<TcpStream>,
    /// The far end of an `Alarm`, there while a connect race is polling.
    #[cfg(unix)]
    alarm: Option<UnixStream>,
}

impl Interrupt {
    pub(crate) fn new() -> Arc<Interrupt> {
        let (alive, fired) = bounded(0);
        Arc::new(Interrupt {
            over: AtomicBool::new(false),
            fired,
            slot: Mutex::new(Slot {
                alive: Some(alive),
                socket: Weak::new(),
                #[cfg(unix)]
                alarm: None,
            }),
        })
    }

    /// Ends every blocking phase of the work, now and from now on. Any thread, any number of times; never blocks.
    pub(crate) fn fire(&self) {
        let mut slot = self.slot();
        self.over.store(true, Ordering::Release);
        let alive = slot.alive.take();
        let socket = std::mem::take(&mut slot.socket);
        #[cfg(unix)]
        let alarm = slot.alarm.take();
        drop(slot);
        drop(alive);
        #[cfg(unix)]
        drop(alarm); // its peer becomes readable
        if let Some(socket) = socket.upgrade() {
            // An error means that it is not connected (any more), and then nothing blocks on it.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn is_fired(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Disconnected once `fire` has been called: for `select!`.
    pub(crate) fn fired(&self) -> &Receiver<Never> {
        &self.fired
    }

    /// Sleeps for `span`, without end for `None`. True if it was ended by `fire`.
    pub(crate) fn wait(&self, span: Option<Duration>) -> bool {
        match span {
            None => {
                let _ = self.fired.recv();
                true
            }
            Some(span) => match self.fired.recv_timeout(span) {
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
                Ok(never) => match never {},
            },
        }
    }

    /// Has `fire` shut `socket` down, in place of one given before. Fails if `fire` has been called already.
    pub(crate) fn watch(&self, socket: &Arc<TcpStream>) -> Result<(), Interrupted> {
        let mut slot = self.slot();
        if slot.alive.is_none() {
            return Err(Interrupted);
        }
        slot.socket = Arc::downgrade(socket);
        Ok(())
    }

    /// A descriptor that becomes readable when `fire` is called; readable at once if it has been.
    #[cfg(unix)]
    pub(crate) fn alarm(&self) -> std::io::Result<Alarm<'_>> {
        let (near, far) = UnixStream::pair()?;
        let mut slot = self.slot();
        if slot.alive.is_some() {
            slot.alarm = Some(far);
        }
        Ok(Alarm { interrupt: self, near })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // Nothing panics while it is held; should something all the same, what it guards is still whole.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exists only while somebody polls several descriptors, so that an idle connection costs one descriptor and no more.
#[cfg(unix)]
pub(crate) struct Alarm<'a> {
    interrupt: &'a Interrupt,
    near: UnixStream,
}

#[cfg(unix)]
impl AsFd for Alarm<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.near.as_fd()
    }
}

#[cfg(unix)]
impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.interrupt.slot().alarm = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_ends_by_itself_or_by_fire() {
        let interrupt = Interrupt::new();
        assert!(!interrupt.wait(Some(Duration::from_millis(1))));
        let other = interrupt.clone();
        let waiting = thread::spawn(move || (other.wait(Some(LONG)), other.wait(None), other.wait(Some(LONG))));
        interrupt.fire();
        interrupt.fire();
        assert_eq!(waiting.join().unwrap(), (true, true, true));
        assert!(interrupt.is_fired());
        assert!(interrupt.fired().try_recv().is_err_and(|e| e.is_disconnected()));
    }

    fn pair() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(near), listener.accept().unwrap().0)
    }

    #[test]
    fn fire_ends_a_blocked_read() {
        let interrupt = Interrupt::new();
        let (near, _far) = pair();
        interrupt.watch(&near).unwrap();
        let reading = thread::spawn(move || (&*near).read(&mut [0; 8]).unwrap());
        interrupt.fire();
        assert_eq!(reading.join().unwrap(), 0);
    }

    #[test]
    fn a_socket_that_comes_too_late_is_refused() {
        let interrupt = Interrupt::new();
        interrupt.fire();
        let (near, mut far) = pair();
        assert_eq!(interrupt.watch(&near), Err(Interrupted));
        drop(near);
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    }

    #[test]
    fn the_socket_belongs_to_its_owner() {
        let interrupt = Interrupt::new();
        let (near, mut far) = pair();
        interrupt.watch(&near).unwrap();
        drop(near);
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0, "closed although it is still watched");
        interrupt.fire();
    }

    #[test]
    #[cfg(unix)]
    fn an_alarm_is_readable_once_fired() {
        let interrupt = Interrupt::new();
        let early = interrupt.alarm().unwrap();
        early.near.set_nonblocking(true).unwrap();
        assert_eq!((&early.near).read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        interrupt.fire();
        assert_eq!((&early.near).read(&mut [0; 1]).unwrap(), 0);
        let late = interrupt.alarm().unwrap();
        assert_eq!((&late.near).read(&mut [0; 1]).unwrap(), 0);
        drop(late);
        assert!(interrupt.slot().alarm.is_none());
    }

    #[test]
    fn close_never_races_a_new_connection() {
        // Whoever comes first, the reader returns: refused by watch, or shut down by fire.
        for _ in 0..200 {
            let interrupt = Interrupt::new();
            let (near, _far) = pair();
            let other = interrupt.clone();
            let reading = thread::spawn(move || match other.watch(&near) {
                Ok(()) => (&*near).read(&mut [0; 8]).unwrap(),
                Err(Interrupted) => 0,
            });
            interrupt.fire();
            assert_eq!(reading.join().unwrap(), 0);
        }
    }
}
