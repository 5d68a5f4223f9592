//! The bytes of one connection: who reads, who writes, and how it ends (FIN, half-close, reset).

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use crate::record::Shared;
use crate::tls::TlsFacts;

/// How the peer's side of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEnd {
    /// FIN.
    Closed,
    /// A reset.
    Reset,
}

/// One accepted socket. Shared by the thread that runs the script and the one that reads.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) number: usize,
    stream: TcpStream,
    /// Locked for work on the session and, so that records stay in order, for writing them; never for reading.
    tls: Option<Mutex<ServerConnection>>,
    /// We end it ourselves: what the reader sees says nothing about the peer.
    ending: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    bytes: VecDeque<u8>,
    end: Option<PeerEnd>,
}

impl Wire {
    pub(crate) fn new(number: usize, stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Arc<Wire>> {
        stream.set_nodelay(true)?;
        let tls = tls.map(ServerConnection::new).transpose().map_err(io::Error::other)?.map(Mutex::new);
        Ok(Arc::new(Wire {
            number,
            stream,
            tls,
            ending: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
        }))
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Starts the thread that reads whatever comes until the peer ends. It is what notices a peer that goes away.
    pub(crate) fn start_reading(self: &Arc<Self>, shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
        let wire = Arc::clone(self);
        let shared = Arc::clone(shared);
        std::thread::Builder::new().name("test-server-read".into()).stack_size(256 << 10).spawn(move || {
            let end = wire.read_to_end(&shared);
            shared.reading_ended(wire.number, end, wire.ending.load(Relaxed)); // before the script can go on
            wire.inbox.lock().unwrap().end = Some(end);
            wire.arrived.notify_all();
        })
    }

    fn read_to_end(&self, shared: &Shared) -> PeerEnd {
        let mut buffer = [0; 16 << 10];
        loop {
            let n = match (&self.stream).read(&mut buffer) {
                Ok(0) => return PeerEnd::Closed,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return PeerEnd::Reset,
            };
            self.received.fetch_add(n as u64, Relaxed);
            match &self.tls {
                None => self.deliver(&buffer[..n]),
                Some(tls) => {
                    if let Err(e) = self.decrypt(tls, &buffer[..n], shared) {
                        shared.change(|state| {
                            state.connections[self.number].tls_error.get_or_insert_with(|| e.to_string());
                        });
                    }
                }
            }
        }
    }

    fn deliver(&self, bytes: &[u8]) {
        self.inbox.lock().unwrap().bytes.extend(bytes);
        self.arrived.notify_all();
    }

    fn decrypt(&self, tls: &Mutex<ServerConnection>, mut records: &[u8], shared: &Shared) -> io::Result<()> {
        let mut session = tls.lock().unwrap();
        let mut shaking = session.is_handshaking();
        while !records.is_empty() {
            session.read_tls(&mut records)?;
            let processed = session.process_new_packets();
            self.flush(&mut session)?; // an alert, if it failed
            let plain = processed.map_err(io::Error::other)?;
            let mut bytes = vec![0; plain.plaintext_bytes_to_read()];
            session.reader().read_exact(&mut bytes)?;
            // Before what comes with its last record is answered.
            if shaking && !session.is_handshaking() {
                shaking = false;
                self.note_handshake(&session, shared);
            }
            self.deliver(&bytes);
            if plain.peer_has_closed() {
                shared.change(|state| state.connections[self.number].close_notify = true);
            }
        }
        Ok(())
    }

    fn note_handshake(&self, session: &ServerConnection, shared: &Shared) {
        let facts = TlsFacts {
            sni: session.server_name().map(str::to_owned),
            alpn: session.alpn_protocol().map(|p| String::from_utf8_lossy(p).into_owned()),
            resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
            version: if session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) { 3 } else { 2 },
            client_certificates: session.peer_certificates().map_or(0, <[_]>::len),
        };
        shared.change(|state| state.connections[self.number].tls = Some(facts));
    }

    fn flush(&self, session: &mut ServerConnection) -> io::Result<()> {
        while session.wants_write() {
            let n = session.write_tls(&mut &self.stream)?;
            self.sent.fetch_add(n as u64, Relaxed);
        }
        Ok(())
    }

    /// Takes up to `limit` bytes of what the peer has sent; waits for the first. Empty: the peer has ended.
    pub(crate) fn take(&self, limit: usize) -> Vec<u8> {
        let mut inbox = self.inbox.lock().unwrap();
        while inbox.bytes.is_empty() && inbox.end.is_none() {
            inbox = self.arrived.wait(inbox).unwrap();
        }
        let n = inbox.bytes.len().min(limit);
        inbox.bytes.drain(..n).collect()
    }

    /// Waits until the peer ends (or the server stops, which ends every connection).
    pub(crate) fn wait_for_peer_end(&self) {
        let mut inbox = self.inbox.lock().unwrap();
        while inbox.end.is_none() {
            inbox = self.arrived.wait(inbox).unwrap();
        }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        if let Some(tls) = &self.tls {
            while !rest.is_empty() {
                let mut session = tls.lock().unwrap();
                let n = session.writer().write(rest)?;
                if n == 0 {
                    return Err(io::Error::other("too much to send before the TLS handshake"));
                }
                rest = &rest[n..];
                self.flush(&mut session)?;
            }
            return Ok(());
        }
        while !rest.is_empty() {
            match (&self.stream).write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.sent.fetch_add(n as u64, Relaxed);
                    rest = &rest[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Ends our direction with a FIN; with TLS, `notify` sends a close_notify before it.
    pub(crate) fn end_writing(&self, notify: bool) {
        if let (Some(tls), true) = (&self.tls, notify) {
            let mut session = tls.lock().unwrap();
            session.send_close_notify();
            let _ = self.flush(&mut session);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Wakes whoever is blocked in this connection, for good.
    pub(crate) fn abort(&self) {
        self.ending.store(true, Relaxed);
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Makes the close that follows a reset. `reader` must end first: a socket that somebody reads is not closed.
    pub(crate) fn prepare_reset(&self, reader: Option<JoinHandle<()>>) {
        self.ending.store(true, Relaxed);
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
        if let Some(reader) = reader {
            let _ = self.stream.shutdown(Shutdown::Read); // wakes the reader, sends nothing
            let _ = reader.join();
        }
    }
}
