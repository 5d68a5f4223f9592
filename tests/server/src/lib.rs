//! The scripted SSE server that every test talks to: exact control of bytes and of how a connection ends, every
//! request recorded, no sleeping in tests (a script waits for [`Server::go`], a test for what the server has seen).
//!
//! ```
//! use eventsource_test_server::{DEADLINE, Script, Server};
//!
//! let server = Server::start();
//! server.on("/events", [
//!     Script::sse().body("id: 1\ndata: a\n\n").wait_for("cut").reset(), // the first request
//!     Script::sse().chunked().body("data: b\n\n").end(),               // every further one
//! ]);
//! let url = server.url("/events");
//! # use std::io::{Read, Write};
//! # let mut peer = std::net::TcpStream::connect(server.address()).unwrap();
//! # peer.write_all(b"GET /events HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n").unwrap();
//! // ... a client connects to `url` ...
//! let requests = server.wait_for_requests(1, DEADLINE);
//! assert_eq!(requests[0].header("accept").as_deref(), Some("text/event-stream"));
//! server.go("cut");
//! # let mut rest = Vec::new();
//! # let _ = peer.read_to_end(&mut rest);
//! # assert!(rest.ends_with(b"id: 1\ndata: a\n\n"));
//! ```

mod connection;
mod control;
mod json;
mod listen;
mod ready;
mod record;
mod script;
mod tls;
mod wire;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use connection::Connection;
pub use control::Control;
pub use listen::BlackHole;
pub use record::{ConnectionFacts, Request};
pub use script::{Framing, Handler, Head, Replies, Reply, Script, Step};
pub use tls::{Ca, Fault, Tls, TlsFacts};
pub use wire::PeerEnd;

use listen::{Listening, bind};
use record::{Mode, Route, Shared};
use tls::Identity;

/// A generous limit for anything a test waits for: only a hang reaches it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends every connection and every thread.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    identity: Option<Arc<Identity>>,
    listening: Mutex<Listening>,
}

impl Server {
    /// Plain HTTP on a free port of 127.0.0.1.
    pub fn start() -> Server {
        Server::start_on((Ipv4Addr::LOCALHOST, 0))
    }

    /// Plain HTTP on a free port of `[::1]`.
    pub fn start_ipv6() -> Server {
        Server::start_on((Ipv6Addr::LOCALHOST, 0))
    }

    /// HTTPS on a free port of 127.0.0.1.
    pub fn start_tls(tls: &Tls) -> Server {
        Server::start_tls_on((Ipv4Addr::LOCALHOST, 0), tls)
    }

    /// HTTPS on that address; port 0 is a free one.
    pub fn start_tls_on(address: impl Into<SocketAddr>, tls: &Tls) -> Server {
        let mut server = Server::start_refusing(address);
        server.identity = Some(Arc::new(tls.build()));
        server.listen();
        server
    }

    /// Plain HTTP on that address; port 0 is a free one.
    pub fn start_on(address: impl Into<SocketAddr>) -> Server {
        let server = Server::start_refusing(address);
        server.listen();
        server
    }

    /// Takes the port, but refuses connections until [`Server::listen`].
    pub fn start_refusing(address: impl Into<SocketAddr>) -> Server {
        let address = address.into();
        let socket = bind(address).unwrap_or_else(|e| panic!("cannot bind {address}: {e}"));
        let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("a bound socket has an address");
        let listening = Mutex::new(Listening::Refusing(socket));
        let shared = Shared::new();
        shared.change(|state| state.mode = Mode::Refusing);
        Server { shared, address, identity: None, listening }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://ADDRESS` or `https://ADDRESS`, followed by `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme(), self.address)
    }

    /// The same by name: `http://localhost:PORT` or `https://localhost:PORT`, followed by `path`.
    pub fn url_by_name(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme(), self.address.port())
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.identity.is_some()
    }

    fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    fn identity(&self) -> &Identity {
        self.identity.as_deref().expect("a server without TLS has no certificate")
    }

    /// The certificate of the authority that has signed this server's (unless it is at fault).
    pub fn ca_pem(&self) -> String {
        self.identity().ca.pem()
    }

    /// This server's certificate.
    pub fn leaf_pem(&self) -> String {
        self.identity().leaf_pem()
    }

    /// The pin of this server's certificate: SHA-256 of its SPKI, in base64.
    pub fn leaf_pin(&self) -> String {
        self.identity().leaf_pin()
    }

    /// The pin of the intermediate authority.
    pub fn intermediate_pin(&self) -> String {
        self.identity().middle_pin.clone().expect("a chain with an intermediate")
    }

    /// Answers requests for `path` (without query): the first with the first reply, and so on; the last is repeated.
    pub fn on(&self, path: &str, replies: impl Into<Replies>) {
        let Replies(replies) = replies.into();
        assert!(!replies.is_empty(), "no reply for {path}");
        self.shared.change(|state| state.routes.insert(path.into(), Route { replies, served: 0 }));
    }

    /// Answers requests for `path` with Rust code.
    pub fn handle(
        &self,
        path: &str,
        handler: impl Fn(&Request, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.on(path, Reply::Handler(Arc::new(handler)));
    }

    /// Answers requests for paths that have no reply of their own.
    pub fn handle_rest(&self, handler: impl Fn(&Request, &mut Connection) -> io::Result<()> + Send + Sync + 'static) {
        self.shared.change(|state| state.rest = Some(Reply::Handler(Arc::new(handler))));
    }

    /// Runs `script` on connection `number` (from 0) before anything is read from it. A script that does not end the
    /// connection lets it go on with the request. One that ends it never reads: not even the client's TLS hello.
    pub fn on_connection(&self, number: usize, script: Script) {
        self.shared.change(|state| state.openings.insert(number, Arc::new(script)));
    }

    /// As [`Server::on_connection`], for every connection without a script of its own.
    pub fn on_every_connection(&self, script: Script) {
        self.shared.change(|state| state.every_opening = Some(Arc::new(script)));
    }

    /// Lets one `wait_for(name)` step pass: one that waits now, or the next that comes.
    pub fn go(&self, name: &str) {
        self.shared.change(|state| *state.permits.entry(name.into()).or_default() += 1);
    }

    /// Waits until a script has come to a `tell(name)` step; each is waited for once.
    pub fn wait_until_told(&self, name: &str) {
        or_panic(self.try_wait_until_told(name, DEADLINE))
    }

    fn try_wait_until_told(&self, name: &str, timeout: Duration) -> Result<(), String> {
        self.wait(timeout, &format!("a script that tells {name:?}"), |state| {
            let count = state.told.get_mut(name).filter(|n| **n > 0)?;
            *count -= 1;
            Some(())
        })
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.look().requests.clone()
    }

    /// Waits until there have been `n` requests and gives all there are.
    pub fn wait_for_requests(&self, n: usize, timeout: Duration) -> Vec<Request> {
        or_panic(self.try_wait_for_requests(n, timeout))
    }

    fn try_wait_for_requests(&self, n: usize, timeout: Duration) -> Result<Vec<Request>, String> {
        self.wait(timeout, &format!("{n} requests"), |state| {
            (state.requests.len() >= n).then(|| state.requests.clone())
        })
    }

    /// Waits until `n` connections have been accepted.
    pub fn wait_for_connections(&self, n: usize, timeout: Duration) -> Vec<ConnectionFacts> {
        or_panic(self.try_wait_for_connections(n, timeout))
    }

    fn try_wait_for_connections(&self, n: usize, timeout: Duration) -> Result<Vec<ConnectionFacts>, String> {
        self.wait(timeout, &format!("{n} connections"), |state| (state.connections.len() >= n).then(|| state.facts()))
    }

    /// What is known about every connection so far.
    pub fn connections(&self) -> Vec<ConnectionFacts> {
        self.shared.look().facts()
    }

    /// How many connections both sides still hold. (A peer that goes away is noticed once the request has been read.)
    pub fn connections_open(&self) -> usize {
        self.shared.look().open()
    }

    /// Waits until exactly `n` connections are open.
    pub fn wait_for_open(&self, n: usize, timeout: Duration) {
        or_panic(self.try_wait_for_open(n, timeout))
    }

    fn try_wait_for_open(&self, n: usize, timeout: Duration) -> Result<(), String> {
        self.wait(timeout, &format!("exactly {n} open connections"), |state| (state.open() == n).then_some(()))
    }

    /// Waits until the peer has ended connection `number`, and says how.
    pub fn wait_for_peer_end(&self, number: usize, timeout: Duration) -> PeerEnd {
        or_panic(self.try_wait_for_peer_end(number, timeout))
    }

    fn try_wait_for_peer_end(&self, number: usize, timeout: Duration) -> Result<PeerEnd, String> {
        self.wait(timeout, &format!("the peer to end connection {number}"), |state| {
            state.connections.get(number).and_then(|c| c.peer_end)
        })
    }

    /// Waits until `ready` gives something; in time, or else the message says what was waited for and what was seen.
    fn wait<R>(
        &self,
        timeout: Duration,
        what: &str,
        ready: impl FnMut(&mut record::State) -> Option<R>,
    ) -> Result<R, String> {
        self.shared.wait(Some(timeout), ready).ok_or_else(|| {
            let summary = self.shared.look().summary();
            format!("test server {}: waited {timeout:?} for {what}; seen: {summary}", self.address)
        })
    }

    /// Ends every connection that stands, as a server does that dies: no close_notify, no last chunk, a FIN. New ones are
    /// served as before.
    pub fn drop_connections(&self) {
        let wires: Vec<_> = self.shared.look().wires.values().filter_map(std::sync::Weak::upgrade).collect();
        for wire in wires {
            wire.abort();
        }
    }

    /// Forgets scripts, signals and requests; connections that stand go on and keep their numbers.
    pub fn reset(&self) {
        self.shared.change(|state| {
            state.routes.clear();
            state.rest = None;
            state.openings.clear();
            state.every_opening = None;
            state.permits.clear();
            state.told.clear();
            state.requests.clear();
        });
    }

    /// Takes the mistakes noticed so far, such as a script whose signal never came. Dropping a server that has any left
    /// panics with them.
    pub fn take_problems(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.look().problems)
    }
}

pub(crate) fn or_panic<R>(waited: Result<R, String>) -> R {
    waited.unwrap_or_else(|message| panic!("{message}"))
}

impl Server {
    /// Ends everything; what was wrong until now.
    fn end(&mut self) -> Vec<String> {
        let (wires, problems) = self.shared.stop(|state| {
            let wires: Vec<_> = state.wires.values().filter_map(std::sync::Weak::upgrade).collect();
            (wires, std::mem::take(&mut state.problems))
        });
        let listening = std::mem::replace(&mut *self.listening.lock().unwrap(), Listening::Stopped);
        if let Listening::Accepting(thread) = listening {
            self.end_accepting(thread, Mode::Refusing);
        }
        for wire in wires {
            wire.abort();
        }
        // One accepted while we looked the other way has seen `stopping` or is in the table now.
        for wire in self.shared.look().wires.values().filter_map(std::sync::Weak::upgrade).collect::<Vec<_>>() {
            wire.abort();
        }
        let threads = std::mem::take(&mut self.shared.look().threads);
        for thread in threads {
            let _ = thread.join();
        }
        problems
    }

    /// Stops as dropping does, and gives what that would panic about.
    pub fn stop(mut self) -> Vec<String> {
        let problems = self.end();
        // What the end itself has brought about is no problem.
        self.shared.look().problems.clear();
        problems
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let problems = self.end();
        if !problems.is_empty() && !std::thread::panicking() {
            panic!("test server {}: {}", self.address, problems.join("; "));
        }
    }
}
