//! What the server has seen, what it is told to do, and the waits for both. One mutex, one condition variable.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::script::{Reply, Script};
use crate::tls::TlsFacts;
use crate::wire::{PeerEnd, Wire};

/// A request as it came, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    /// The how manieth request of the server this is, from 0.
    pub number: usize,
    /// The number of its connection, from 0.
    pub connection: usize,
    /// Such as `GET`.
    pub method: String,
    /// The request target as sent, query included.
    pub target: String,
    /// Such as `HTTP/1.1`.
    pub version: String,
    /// In the order sent; names in the case sent, values without the white space around them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Request line and headers, the blank line included.
    pub raw_head: Vec<u8>,
    /// With chunked coding, the decoded body.
    pub body: Vec<u8>,
    /// What the TLS handshake of its connection came to.
    pub tls: Option<TlsFacts>,
    /// When the last byte of the request had been read.
    pub at: Instant,
}

impl Request {
    /// The first header of that name, in any case of letters. Bytes that are not UTF-8 show as U+FFFD.
    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// All headers of that name, in the order sent.
    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let name = name.to_owned();
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(&name))
            .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    }

    /// The target up to the `?`.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of `name` in the query, as it stands there.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.split_once('=').filter(|(n, _)| *n == name).map(|(_, v)| v))
    }
}

/// What is known about one connection.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// From 0, in the order accepted.
    pub number: usize,
    /// How the peer's side ended; `None` while it stands, or where the server closed first without reading on.
    pub peer_end: Option<PeerEnd>,
    /// What the TLS handshake came to, once it is done.
    pub tls: Option<TlsFacts>,
    /// Why TLS failed, such as an alert of the client's.
    pub tls_error: Option<String>,
    /// Whether the peer has sent a close_notify.
    pub close_notify: bool,
    /// Whether the server still holds the socket.
    pub held: bool,
    /// Bytes read from the peer, the encryption's included.
    pub received: u64,
    /// Bytes that the operating system has taken from us, the encryption's included.
    pub sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Accepting,
    Idle,
    Refusing,
}

pub(crate) struct Route {
    pub(crate) replies: Vec<Reply>,
    pub(crate) served: usize,
}

pub(crate) struct State {
    pub(crate) requests: Vec<Request>,
    pub(crate) connections: Vec<ConnectionFacts>,
    /// Connections that the server itself has ended from outside their script.
    pub(crate) cut: HashSet<usize>,
    pub(crate) wires: HashMap<usize, Weak<Wire>>,
    pub(crate) routes: HashMap<String, Route>,
    pub(crate) rest: Option<Reply>,
    pub(crate) openings: HashMap<usize, Arc<Script>>,
    pub(crate) every_opening: Option<Arc<Script>>,
    pub(crate) permits: HashMap<String, usize>,
    pub(crate) told: HashMap<String, usize>,
    pub(crate) problems: Vec<String>,
    pub(crate) mode: Mode,
    pub(crate) in_accept: bool,
    pub(crate) unanswered: Vec<TcpStream>,
    /// The server's own ends of connections that only wake accept().
    pub(crate) wakers: HashSet<SocketAddr>,
    pub(crate) stopping: bool,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// For those who wait for nothing but the end: there may be thousands, whom each change need not wake.
    stopped: Condvar,
}

/// Why a wait of a script ended early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Stopping,
    PeerGone,
    Late,
}

impl Shared {
    pub(crate) fn new() -> Arc<Shared> {
        Arc::new(Shared {
            state: Mutex::new(State {
                requests: Vec::new(),
                connections: Vec::new(),
                cut: HashSet::new(),
                wires: HashMap::new(),
                routes: HashMap::new(),
                rest: None,
                openings: HashMap::new(),
                every_opening: None,
                permits: HashMap::new(),
                told: HashMap::new(),
                problems: Vec::new(),
                mode: Mode::Accepting,
                in_accept: false,
                unanswered: Vec::new(),
                wakers: HashSet::new(),
                stopping: false,
                threads: Vec::new(),
            }),
            changed: Condvar::new(),
            stopped: Condvar::new(),
        })
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.look());
        self.changed.notify_all();
        result
    }

    /// The last change: ends every wait.
    pub(crate) fn stop<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = self.change(|state| {
            state.stopping = true;
            change(state)
        });
        self.stopped.notify_all();
        result
    }

    pub(crate) fn wait_for_stop(&self) {
        let waited = self.stopped.wait_while(self.look(), |state| !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until `ready` gives something, or for `limit`.
    pub(crate) fn wait<R>(&self, limit: Option<Duration>, mut ready: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut state = self.look();
        loop {
            if let Some(result) = ready(&mut state) {
                return Some(result);
            }
            state = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return None,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// As `wait`, for a script: ends too when the server stops or the peer of `connection` goes away.
    pub(crate) fn wait_in_script<R>(
        &self,
        connection: usize,
        limit: Duration,
        mut ready: impl FnMut(&mut State) -> Option<R>,
    ) -> Result<R, Broken> {
        self.wait(Some(limit), |state| {
            if let Some(result) = ready(state) {
                Some(Ok(result))
            } else if state.stopping {
                Some(Err(Broken::Stopping))
            } else if state.connections[connection].peer_end.is_some() || state.cut.contains(&connection) {
                Some(Err(Broken::PeerGone))
            } else {
                None
            }
        })
        .unwrap_or(Err(Broken::Late))
    }

    /// The reader of a connection came to its end: the peer's, or one that we made (`ours`).
    pub(crate) fn reading_ended(&self, connection: usize, end: PeerEnd, ours: bool) {
        self.change(|state| {
            if ours {
                state.cut.insert(connection);
            } else {
                state.connections[connection].peer_end = Some(end);
            }
        });
    }

    pub(crate) fn problem(&self, text: String) {
        self.change(|state| state.problems.push(text));
    }
}

impl State {
    /// Enters a new connection.
    pub(crate) fn add(&mut self, wire: &Arc<Wire>) {
        self.wires.insert(wire.number, Arc::downgrade(wire));
        self.connections.push(ConnectionFacts {
            number: wire.number,
            peer_end: None,
            tls: None,
            tls_error: None,
            close_notify: false,
            held: true,
            received: 0,
            sent: 0,
        });
    }

    /// Brings the byte counts of living connections up to date and gives a copy of all facts.
    pub(crate) fn facts(&mut self) -> Vec<ConnectionFacts> {
        for (number, wire) in &self.wires {
            if let Some(wire) = wire.upgrade() {
                self.connections[*number].received = wire.received();
                self.connections[*number].sent = wire.sent();
            }
        }
        self.connections.clone()
    }

    pub(crate) fn open(&self) -> usize {
        self.connections.iter().filter(|c| c.held && c.peer_end.is_none() && !self.cut.contains(&c.number)).count()
    }

    /// What has been seen so far, for the message of a wait that failed.
    pub(crate) fn summary(&self) -> String {
        let mut text = format!("{} connections, {} still open", self.connections.len(), self.open());
        for r in &self.requests {
            let _ = write!(text, "\n  request {} on connection {}: {} {}", r.number, r.connection, r.method, r.target);
        }
        for problem in &self.problems {
            let _ = write!(text, "\n  problem: {problem}");
        }
        text
    }
}
