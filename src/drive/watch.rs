//! What a loop that can wait for descriptors is told: which one to wait for, and when to stop.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::callbacks::Owned;
use super::in_callback;

/// What an event loop can wait for: a descriptor, on Windows a socket.
#[cfg(not(windows))]
pub type Descriptor<'a> = std::os::fd::BorrowedFd<'a>;
/// What an event loop can wait for: a descriptor, on Windows a socket.
#[cfg(windows)]
pub type Descriptor<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// The caller's: begins to wait for a descriptor, if it can, or stops.
pub(super) type Watcher = Owned<Box<dyn FnMut(Option<Descriptor<'_>>) -> bool + Send>>;

/// Watching, from the loop's side.
pub(super) struct Watch {
    /// None where there is none, or one that could not.
    watcher: Option<Watcher>,
    /// What is being watched, which is not closed before the watcher has been told to stop.
    socket: Option<Arc<TcpStream>>,
    /// So much silence ends a connection.
    limit: Option<Duration>,
    /// Since when there has been silence, as far as is known.
    silent_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(watcher: Option<Watcher>, limit: Option<Duration>) -> Watch {
        // Whether Windows tells a watcher of a connection that was shut down here has not been tried.
        let watcher = watcher.filter(|_| !cfg!(windows));
        Watch { watcher, socket: None, limit, silent_since: None }
    }

    /// Whether there is somebody who may be able to.
    pub(super) fn is_possible(&self) -> bool {
        self.watcher.is_some()
    }

    pub(super) fn is_on(&self) -> bool {
        self.socket.is_some()
    }

    /// Has the socket watched from here on. False: it is not.
    pub(super) fn begin(&mut self, socket: &Arc<TcpStream>) -> bool {
        if self.is_on() {
            return true;
        }
        let Some(watcher) = &mut self.watcher else { return false };
        if !in_callback(|| watcher.call(|watcher| watcher(Some(descriptor(socket))))).unwrap_or(false) {
            self.watcher = None;
            return false;
        }
        self.socket = Some(socket.clone());
        self.silent_since = None;
        true
    }

    /// There is no need to any more. Twice is fine.
    pub(super) fn end(&mut self) {
        if let (Some(socket), Some(watcher)) = (self.socket.take(), &mut self.watcher) {
            in_callback(|| watcher.call(|watcher| watcher(None)));
            drop(socket);
        }
    }

    /// Bytes have come.
    #[inline]
    pub(super) fn heard(&mut self) {
        self.silent_since = None;
    }

    /// When the silence will have been too long, if it goes on.
    pub(super) fn too_long_at(&mut self) -> Option<Instant> {
        let limit = self.limit?;
        self.silent_since.get_or_insert_with(Instant::now).checked_add(limit)
    }
}

#[cfg(not(windows))]
fn descriptor(socket: &TcpStream) -> Descriptor<'_> {
    std::os::fd::AsFd::as_fd(socket)
}

#[cfg(windows)]
fn descriptor(socket: &TcpStream) -> Descriptor<'_> {
    std::os::windows::io::AsSocket::as_socket(socket)
}
