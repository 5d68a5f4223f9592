//! The listening socket: accepting, refusing, and not answering at all.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

use crate::record::{Mode, Shared};
use crate::wire::Wire;
use crate::{DEADLINE, Server, connection, or_panic};

/// Where the listening socket is.
pub(crate) enum Listening {
    /// With the thread that accepts.
    Accepting(JoinHandle<()>),
    /// Here: bound, so that the port stays ours, but refusing connections.
    Refusing(Socket),
    Stopped,
}

impl Server {
    /// Stops accepting: the operating system still completes connections, but nobody answers them until
    /// [`Server::listen`].
    pub fn stop_accepting(&self) {
        self.shared.change(|state| state.mode = Mode::Idle);
        self.wake_accept();
        or_panic(self.wait(DEADLINE, "accepting to stop", |state| (!state.in_accept).then_some(())));
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

    pub(crate) fn end_accepting(&self, thread: JoinHandle<()>, mode: Mode) {
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

pub(crate) fn bind(address: SocketAddr) -> io::Result<Socket> {
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
        let mode = shared.wait(None, |state| {
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
