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
mod record;
mod script;
mod tls;
mod wire;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

pub use connection::Connection;
pub use record::{ConnectionFacts, Request};
pub use script::{Framing, Handler, Head, Replies, Reply, Script, Step};
pub use tls::{Ca, Fault, Tls, TlsFacts};
pub use wire::PeerEnd;

use record::{Mode, Route, Shared};
use tls::Identity;
use wire::Wire;

/// A generous limit for anything a test waits for: only a hang reaches it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A running server. Dropping it ends every connection and every thread.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    identity: Option<Arc<Identity>>,
    listening: Mutex<Listening>,
}

/// Where the listening socket is.
enum Listening {
    /// With the thread that accepts.
    Accepting(JoinHandle<()>),
    /// Here: bound, so that the port stays ours, but refusing connections.
    Refusing(Socket),
    Stopped,
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

    fn scheme(&self) -> &'static str {
        if self.identity.is_some() { "https" } else { "http" }
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
        let told = self.shared.wait(Instant::now() + DEADLINE, |state| {
            let count = state.told.get_mut(name).filter(|n| **n > 0)?;
            *count -= 1;
            Some(())
        });
        told.unwrap_or_else(|| self.give_up(&format!("no script told {name:?}")));
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.look().requests.clone()
    }

    /// Waits until there have been `n` requests and gives all there are.
    pub fn wait_for_requests(&self, n: usize, timeout: Duration) -> Vec<Request> {
        let seen = self
            .shared
            .wait(Instant::now() + timeout, |state| (state.requests.len() >= n).then(|| state.requests.clone()));
        seen.unwrap_or_else(|| self.give_up(&format!("fewer than {n} requests within {timeout:?}")))
    }

    /// Waits until `n` connections have been accepted.
    pub fn wait_for_connections(&self, n: usize, timeout: Duration) -> Vec<ConnectionFacts> {
        let seen =
            self.shared.wait(Instant::now() + timeout, |state| (state.connections.len() >= n).then(|| state.facts()));
        seen.unwrap_or_else(|| self.give_up(&format!("fewer than {n} connections within {timeout:?}")))
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
        let seen = self.shared.wait(Instant::now() + timeout, |state| (state.open() == n).then_some(()));
        seen.unwrap_or_else(|| self.give_up(&format!("not {n} open connections within {timeout:?}")));
    }

    /// Waits until the peer has ended connection `number`, and says how.
    pub fn wait_for_peer_end(&self, number: usize, timeout: Duration) -> PeerEnd {
        let seen =
            self.shared.wait(Instant::now() + timeout, |state| state.connections.get(number).and_then(|c| c.peer_end));
        seen.unwrap_or_else(|| self.give_up(&format!("connection {number} stands after {timeout:?}")))
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
            state.openings.clear();
            state.every_opening = None;
            state.permits.clear();
            state.told.clear();
            state.requests.clear();
        });
    }

    /// Stops accepting: the operating system still completes connections, but nobody answers them until
    /// [`Server::listen`].
    pub fn stop_accepting(&self) {
        self.shared.change(|state| state.mode = Mode::Idle);
        self.wake_accept();
        let idle = self.shared.wait(Instant::now() + DEADLINE, |state| (!state.in_accept).then_some(()));
        idle.unwrap_or_else(|| self.give_up("still accepting"));
    }

    /// Refuses new connections; those that stand go on. The port stays reserved.
    pub fn refuse(&self) {
        let mut listening = self.listening.lock().unwrap();
        if let Listening::Accepting(thread) = std::mem::replace(&mut *listening, Listening::Stopped) {
            self.end_accepting(thread, Mode::Refusing);
            let socket = bind(self.address).unwrap_or_else(|e| panic!("cannot keep {}: {e}", self.address));
            *listening = Listening::Refusing(socket);
        }
    }

    /// Listens (again), after [`Server::start_refusing`], [`Server::refuse`] or [`Server::stop_accepting`].
    pub fn listen(&self) {
        let mut listening = self.listening.lock().unwrap();
        self.shared.change(|state| {
            state.mode = Mode::Accepting;
            state.unanswered.clear();
        });
        if let Listening::Refusing(socket) = &*listening {
            let socket = socket.try_clone().and_then(|s| s.listen(1024).map(|()| s));
            let socket = socket.unwrap_or_else(|e| panic!("cannot listen on {}: {e}", self.address));
            let shared = Arc::clone(&self.shared);
            let tls = self.identity.as_ref().map(|i| Arc::clone(&i.config));
            let thread = std::thread::Builder::new()
                .name("test-server-accept".into())
                .spawn(move || accept(&socket.into(), &shared, tls.as_ref()));
            *listening = Listening::Accepting(thread.expect("a thread for the test server"));
        }
    }

    fn end_accepting(&self, thread: JoinHandle<()>, mode: Mode) {
        self.shared.change(|state| state.mode = mode);
        self.wake_accept();
        let _ = thread.join();
    }

    /// Connects to ourselves: accept() has no other portable way to be woken. The address is noted first, so that this
    /// connection never counts as a client's, however late it is accepted.
    fn wake_accept(&self) {
        let connect = || {
            let socket = bind(SocketAddr::new(self.address.ip(), 0))?;
            let own = socket.local_addr()?.as_socket();
            self.shared.change(|state| state.wakers.extend(own));
            socket.connect_timeout(&self.address.into(), Duration::from_secs(1))
        };
        let _ = connect(); // where it fails, the thread is not in accept(), and the mode alone ends it
    }

    fn give_up(&self, what: &str) -> ! {
        let summary = self.shared.look().summary();
        panic!("test server {}: {what}; seen: {summary}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let (wires, problems) = self.shared.change(|state| {
            state.stopping = true;
            (state.wires.values().filter_map(std::sync::Weak::upgrade).collect::<Vec<_>>(), state.problems.clone())
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
        if !problems.is_empty() && !std::thread::panicking() {
            panic!("test server {}: {}", self.address, problems.join("; "));
        }
    }
}

/// A port that answers no SYN: connecting to it neither succeeds nor fails. (Its queue of connections is full. Linux
/// drops what comes then; other systems may refuse it.)
pub struct BlackHole {
    address: SocketAddr,
    _socket: Socket,
    _fill: Vec<TcpStream>,
}

impl BlackHole {
    /// On a free port of 127.0.0.1.
    pub fn start() -> BlackHole {
        BlackHole::start_on((Ipv4Addr::LOCALHOST, 0))
    }

    /// On that address; port 0 is a free one.
    pub fn start_on(address: impl Into<SocketAddr>) -> BlackHole {
        let address = address.into();
        let socket = bind(address).and_then(|s| s.listen(0).map(|()| s));
        let socket = socket.unwrap_or_else(|e| panic!("cannot listen on {address}: {e}"));
        let address = socket.local_addr().ok().and_then(|a| a.as_socket()).expect("a bound socket has an address");
        let mut fill = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            fill.push(stream);
            assert!(fill.len() < 64, "the queue of {address} does not fill up");
        }
        BlackHole { address, _socket: socket, _fill: fill }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let domain = match address.ip() {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::STREAM, None)?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?; // on Windows it would mean something else
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: Option<&Arc<ServerConfig>>) {
    loop {
        let far = Instant::now() + Duration::from_secs(3600);
        let mode = shared.wait(far, |state| {
            state.in_accept = state.mode == Mode::Accepting;
            (state.mode != Mode::Idle || state.stopping).then_some(state.mode)
        });
        if mode != Some(Mode::Accepting) {
            return;
        }
        let accepted = listener.accept();
        shared.change(|state| state.in_accept = false);
        let Ok((stream, peer)) = accepted else {
            std::thread::sleep(Duration::from_millis(10)); // out of descriptors: try again until told to stop
            continue;
        };
        let begun = shared.change(|state| {
            if state.wakers.remove(&peer) {
                return None;
            }
            if state.stopping || state.mode != Mode::Accepting {
                state.unanswered.push(stream); // one that came just too late
                return None;
            }
            let number = state.connections.len();
            let wire = Wire::new(number, stream, tls.cloned()).ok()?;
            state.add(&wire);
            Some(wire)
        });
        let Some(wire) = begun else { continue };
        let (wire_shared, number) = (Arc::clone(shared), wire.number);
        let thread = std::thread::Builder::new()
            .name(format!("test-server-{number}"))
            .stack_size(512 << 10)
            .spawn(move || connection::serve(wire_shared, wire));
        shared.change(|state| match thread {
            Ok(thread) => {
                state.threads.retain(|t| !t.is_finished());
                state.threads.push(thread);
            }
            Err(e) => state.problems.push(format!("no thread for connection {number}: {e}")),
        });
    }
}
