//! What ureq does not tell about an attempt: whether the request left, and what really went wrong.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Failure;

/// The facts of one connection, up to the response's head, shared by the Transport that finds them and the attempt that asks for them.
pub(crate) struct Wire {
    wrote: AtomicBool,
    proxy_status: AtomicU16,
    failure: Mutex<Option<Failure>>,
}

impl Wire {
    pub(crate) fn new() -> Arc<Wire> {
        Arc::new(Wire { wrote: AtomicBool::new(false), proxy_status: AtomicU16::new(0), failure: Mutex::new(None) })
    }

    /// A byte of the HTTP request has been handed to the system. What a proxy or TLS was told before does not count.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }

    /// What the transport ran into first, before the body.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.slot().clone()
    }

    /// The status by which a proxy refused; 0 if none did.
    pub(crate) fn proxy_status(&self) -> u16 {
        self.proxy_status.load(Ordering::Acquire)
    }

    pub(super) fn set_wrote(&self) {
        self.wrote.store(true, Ordering::Release);
    }

    pub(super) fn set_proxy_status(&self, status: u16) {
        self.proxy_status.store(status, Ordering::Release);
    }

    /// Keeps the first failure, and makes of it the error that ureq passes up: of a kind that it leaves alone.
    pub(super) fn fail(&self, failure: Failure) -> ureq::Error {
        let message = failure.message.clone();
        self.slot().get_or_insert(failure);
        ureq::Error::Io(io::Error::other(message))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Failure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
