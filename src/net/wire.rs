//! What ureq does not tell about a connection: whether the request left, what really went wrong, how reading ended.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Deadline;
use crate::error::Failure;

/// The facts of one connection, shared by the Transport that finds them and the attempt that asks for them.
pub(crate) struct Wire {
    wrote: AtomicBool,
    proxy_status: AtomicU16,
    facts: Mutex<Facts>,
}

struct Facts {
    failure: Option<Failure>,
    end: Option<End>,
    reading: Reading,
}

/// How reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server said that nothing more follows: TCP's FIN, or TLS's close_notify.
    Fin,
    /// FIN inside of TLS without close_notify: anybody on the way may have cut the stream here.
    Truncated,
    /// Any other failure to read.
    Reset,
    /// A timeout of ours.
    TimedOut,
}

/// How the transport reads on.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The response's head is still to come, and counted.
    pub(super) head: bool,
    /// Silence that ends the connection.
    pub(super) idle: Option<Duration>,
    /// A moment at which reading ends whatever comes.
    pub(super) until: Deadline,
}

impl Wire {
    pub(crate) fn new() -> Arc<Wire> {
        let reading = Reading { head: true, idle: None, until: Deadline::never() };
        Arc::new(Wire {
            wrote: AtomicBool::new(false),
            proxy_status: AtomicU16::new(0),
            facts: Mutex::new(Facts { failure: None, end: None, reading }),
        })
    }

    /// A byte of the HTTP request has been handed to the system. What a proxy or TLS was told before does not count.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }

    /// The response's head is there: from now on `idle` is the limit, and no longer 64 KiB.
    pub(crate) fn head_done(&self, idle: Option<Duration>) {
        let mut facts = self.facts();
        facts.reading.head = false;
        facts.reading.idle = idle;
    }

    /// Reading ends at `moment`, whatever still comes.
    pub(crate) fn limit_reads_until(&self, moment: Instant) {
        self.facts().reading.until = Deadline::at(moment);
    }

    /// What the connector or the transport ran into first.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.facts().failure.clone()
    }

    /// The status by which a proxy refused; 0 if none did.
    pub(crate) fn proxy_status(&self) -> u16 {
        self.proxy_status.load(Ordering::Acquire)
    }

    /// How reading ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.facts().end
    }

    pub(super) fn set_wrote(&self) {
        self.wrote.store(true, Ordering::Release);
    }

    pub(super) fn set_proxy_status(&self, status: u16) {
        self.proxy_status.store(status, Ordering::Release);
    }

    pub(super) fn reading(&self) -> Reading {
        self.facts().reading
    }

    pub(super) fn set_end(&self, end: End) {
        self.facts().end.get_or_insert(end);
    }

    /// Keeps the first failure, and makes of it the error that ureq passes up: of a kind that it leaves alone.
    pub(super) fn fail(&self, failure: Failure) -> ureq::Error {
        let message = failure.message.clone();
        self.facts().failure.get_or_insert(failure);
        ureq::Error::Io(io::Error::other(message))
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
