//! What ureq is given: a connection that stands, on loan for the request and the response's head, and no resolver.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers as UreqBuffers, ConnectionDetails, Connector as UreqConnector, NextTimeout, Transport as UreqTransport,
};

use super::Transport;
use super::transport::Limits;

/// Where the connection is while ureq does not have it.
type Slot = Arc<Mutex<Option<Box<Transport>>>>;

/// A connection that stands, for ureq to borrow: it comes back when ureq lets go of it.
///
/// It is made before ureq is called and not by it, so that a handshake's frames do not lie on top of ureq's: a stack keeps the
/// memory that it ever used, for as long as the stream runs.
#[derive(Clone)]
pub(crate) struct Loan(Slot);

/// The connection, while ureq has it.
pub(crate) struct Lent {
    /// Taken only when this is dropped.
    transport: Option<Box<Transport>>,
    home: Slot,
}

impl Loan {
    pub(super) fn of(transport: Transport) -> Loan {
        Loan(Arc::new(Mutex::new(Some(Box::new(transport)))))
    }

    /// The connection, once ureq has let go of it.
    pub(crate) fn take_back(&self) -> Option<Box<Transport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl UreqConnector for Loan {
    type Out = Lent;

    fn connect(&self, _: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Lent>, ureq::Error> {
        let transport = self.take_back();
        Ok(transport.map(|transport| Lent { transport: Some(transport), home: self.0.clone() }))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.transport.take();
    }
}

impl Lent {
    fn transport(&mut self) -> &mut Transport {
        match &mut self.transport {
            Some(transport) => transport,
            None => unreachable!("it is here until it is dropped"),
        }
    }
}

impl UreqTransport for Lent {
    fn buffers(&mut self) -> &mut dyn UreqBuffers {
        self.transport().buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let limits = Limits::of(timeout, timeout.per_write.map(|span| *span));
        self.transport().send(amount, limits)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let limits = Limits::of(timeout, timeout.per_read.map(|span| *span));
        self.transport().await_head(limits)
    }

    fn is_open(&mut self) -> bool {
        false // nothing is kept for a next request
    }

    fn is_tls(&self) -> bool {
        self.transport.as_ref().is_some_and(|transport| transport.is_tls())
    }
}

/// Gives ureq no address: the connection stands already.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loan")
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lent")
    }
}
