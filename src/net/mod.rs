//! What lies under HTTP: names, TCP, proxies and TLS, up to a Transport that ureq borrows and a body is read from.
//!
//! Every call that blocks takes one deadline and the attempt's Interrupt. ureq's errors do not say what went wrong in
//! words that help, so the facts of each connection are kept beside it, in its `Wire`.

mod buffers;
mod dns;
mod loan;
mod proxy;
mod socket;
mod tcp;
mod tls;
mod transport;
mod trust;
mod wire;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use rustls::ClientConfig;

use crate::config::{Config, Proxy, TlsOptions};
use crate::error::{ErrorKind, Failure};
use crate::interrupt::Interrupt;
use crate::proxy_url::ProxyUrl;
use crate::url::Url;
use dns::Lookups;
pub(crate) use loan::{Loan, NoResolver};
use socket::Socket;
use tls::Session;
pub(crate) use transport::{Transport, silent};
pub(crate) use wire::Wire;

/// What all connections of one source share.
pub(crate) struct Network {
    /// For the lookup, TCP, the proxy and TLS together.
    connect_timeout: Option<Duration>,
    /// Silence after which TCP begins to probe.
    keepalive: Option<Duration>,
    proxy: Proxy,
    tls_options: TlsOptions,
    lookups: Arc<Lookups>,
    /// Made at the first https connection. One for the source, so that its sessions are resumed.
    tls: Mutex<Option<Arc<ClientConfig>>>,
}

impl Network {
    pub(crate) fn new(config: &Config) -> Network {
        Network {
            connect_timeout: config.connect_timeout,
            keepalive: config.keepalive,
            proxy: config.proxy.clone(),
            tls_options: config.tls.clone(),
            lookups: Lookups::shared(),
            tls: Mutex::default(),
        }
    }

    /// Connects to the server of `url`, up to where a request may be sent whose head is at most `head` bytes long. The
    /// network has been another before `since`.
    #[inline(never)]
    pub(crate) fn open(
        &self,
        url: &Url,
        head: usize,
        since: Option<Instant>,
        interrupt: &Arc<Interrupt>,
        wire: &Arc<Wire>,
    ) -> Result<Loan, Failure> {
        match self.reach(url, since, interrupt, wire) {
            Ok((socket, session)) => {
                Ok(Loan::of(Transport::new(socket, session, head, interrupt.clone(), wire.clone())))
            }
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Interrupted) => Err(Failure::new(ErrorKind::Io, "interrupted")),
            Err(Stop::TimedOut) => {
                let limit = self.connect_timeout.unwrap_or_default();
                let message = format!("no connection to {} within {limit:?}", url.host());
                Err(Failure::new(ErrorKind::TimedOut, message))
            }
        }
    }

    fn reach(
        &self,
        url: &Url,
        since: Option<Instant>,
        interrupt: &Interrupt,
        wire: &Wire,
    ) -> Result<(Socket, Option<Session>), Stop> {
        // Before the network is touched: without trust there is no point in a connection. Reading the platform's
        // certificates takes a moment, once, that is none of the network's.
        let tls = if url.is_https() { Some(self.tls().map_err(Stop::Failed)?) } else { None };
        let deadline = self.connect_timeout.map_or(Deadline::never(), Deadline::after);
        let mut socket = match self.proxy_for(url) {
            None => self.dial((url.host(), url.port()), since, deadline, interrupt)?,
            Some(proxy) => {
                let dialled = self.dial((&proxy.host, proxy.port), since, deadline, interrupt);
                let mut socket = dialled.map_err(proxy::unreachable)?;
                proxy::tunnel(proxy, (url.host(), url.port()), &mut socket, deadline, interrupt, wire)?;
                socket
            }
        };
        let session = match tls {
            Some(config) => Some(tls::handshake(config, url.host(), &mut socket, deadline, interrupt)?),
            None => None,
        };
        Ok((socket, session))
    }

    fn dial(
        &self,
        host: (&str, u16),
        since: Option<Instant>,
        deadline: Deadline,
        interrupt: &Interrupt,
    ) -> Result<Socket, Stop> {
        let addresses = self.lookups.look_up(host, since, deadline, interrupt)?;
        let stream = Arc::new(tcp::connect(&addresses, self.keepalive, deadline, interrupt)?);
        interrupt.watch(&stream).map_err(|_| Stop::Interrupted)?;
        Ok(Socket::new(stream))
    }

    fn proxy_for(&self, url: &Url) -> Option<&ProxyUrl> {
        match &self.proxy {
            Proxy::None => None,
            Proxy::Url(proxy) => Some(proxy),
            Proxy::Env(environment) => environment.proxy_for(url),
        }
    }

    /// A failure is not kept: the certificates may have been installed by the next attempt.
    fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        match &*tls {
            Some(config) => Ok(config.clone()),
            None => Ok(tls.insert(tls::configure(&self.tls_options)?).clone()),
        }
    }
}

/// Why a step on the way to a connection came to nothing.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Failure),
    TimedOut,
    Interrupted,
}

/// A moment by which something has to be done, or none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn never() -> Deadline {
        Deadline(None)
    }

    pub(crate) fn now() -> Deadline {
        Deadline(Some(Instant::now()))
    }

    pub(crate) fn at(moment: Instant) -> Deadline {
        Deadline(Some(moment))
    }

    /// Too far away to be counted is never.
    pub(crate) fn after(span: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(span))
    }

    #[cfg(unix)]
    pub(crate) fn min(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }

    /// Zero once it has passed; None: without end.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn passed(self) -> bool {
        self.remaining() == Some(Duration::ZERO)
    }

    /// Something to `select!` on.
    pub(crate) fn channel(self) -> Receiver<Instant> {
        self.0.map_or_else(crossbeam_channel::never, crossbeam_channel::at)
    }

    /// Rounded up: a poll that ends early would only poll again.
    #[cfg(unix)]
    pub(crate) fn poll_timeout(self) -> nix::poll::PollTimeout {
        use nix::poll::PollTimeout;
        match self.remaining() {
            None => PollTimeout::NONE,
            Some(left) => PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX),
        }
    }
}

/// The system's words for an error, without the number that the standard library adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
