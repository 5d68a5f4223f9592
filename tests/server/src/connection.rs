//! One connection's life: its opening script, its requests, and the running of steps.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::record::{Broken, Request, Shared};
use crate::script::{Framing, Reply, Script, Step};
use crate::wire::Wire;

/// How long a script waits for a signal before it counts as a mistake in the test.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(60);
/// A request head longer than this is not one.
const HEAD_LIMIT: usize = 1 << 20;

/// A connection, as a handler sees it.
pub struct Connection {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    reader: Option<JoinHandle<()>>,
    unread: Vec<u8>,
    framing: Framing,
    gzip: Option<GzEncoder<Vec<u8>>>,
    over: bool,
    again: bool,
}

/// Serves one accepted socket until it ends.
pub(crate) fn serve(shared: Arc<Shared>, wire: Arc<Wire>) {
    let number = wire.number;
    let mut connection = Connection {
        shared: Arc::clone(&shared),
        wire,
        reader: None,
        unread: Vec::new(),
        framing: Framing::UntilClose,
        gzip: None,
        over: false,
        again: false,
    };
    let result = connection.converse();
    if let Err(e) = result {
        // Anything else is the peer going away, which a script is there to see.
        if e.kind() == io::ErrorKind::InvalidData || e.kind() == io::ErrorKind::Other {
            shared.problem(format!("connection {number}: {e}"));
        }
    }
    if !connection.over {
        connection.fin();
    }
    shared.change(|state| {
        let facts = &mut state.connections[number];
        facts.held = false;
        facts.sent = connection.wire.sent();
        facts.received = connection.wire.received();
        state.wires.remove(&number);
    });
    let reader = connection.reader.take();
    drop(connection); // the socket closes here, unless the reader still holds it
    if let Some(reader) = reader {
        let _ = reader.join();
    }
}

impl Connection {
    fn converse(&mut self) -> io::Result<()> {
        let opening = {
            let state = self.shared.look();
            state.openings.get(&self.wire.number).or(state.every_opening.as_ref()).cloned()
        };
        if let Some(script) = opening {
            self.run(&script)?;
        }
        // A loop, so that a connection may carry any number of requests.
        let mut again = true;
        while again && !self.over {
            self.next_request()?;
            again = std::mem::take(&mut self.again);
        }
        Ok(())
    }

    /// The number of this connection, from 0.
    pub fn number(&self) -> usize {
        self.wire.number
    }

    /// The socket, for options and addresses.
    pub fn socket(&self) -> &TcpStream {
        self.wire.socket()
    }

    /// Whether the connection has been ended by a step.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Reads the next request, records it and answers it. Nothing happens if the peer sends no more.
    pub fn next_request(&mut self) -> io::Result<()> {
        let Some(request) = self.read_request()? else { return Ok(()) };
        let reply = self.shared.change(|state| {
            let mut request = request;
            request.number = state.requests.len();
            request.tls = state.connections[request.connection].tls.clone();
            state.requests.push(request.clone());
            let own = state.routes.get_mut(request.path()).map(|route| {
                let turn = route.served.min(route.replies.len() - 1);
                route.served += 1;
                route.replies[turn].clone()
            });
            let reply = own.or_else(|| state.rest.clone());
            (request, reply)
        });
        match reply {
            (_, Some(Reply::Script(script))) => self.run(&script),
            (request, Some(Reply::Handler(handler))) => handler(&request, self),
            (request, None) => crate::ready::answer(&request, self),
        }
    }

    /// Waits for bytes of the peer and gives up to `limit` of them; empty at its end.
    pub fn read(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        if !self.unread.is_empty() {
            let n = self.unread.len().min(limit);
            return Ok(self.unread.drain(..n).collect());
        }
        if self.reader.is_none() {
            self.reader = Some(self.wire.start_reading(&self.shared)?);
        }
        Ok(self.wire.take(limit))
    }

    fn read_request(&mut self) -> io::Result<Option<Request>> {
        let mut head = Vec::new();
        let length = loop {
            let more = self.read(64 << 10)?;
            if more.is_empty() {
                return Ok(None);
            }
            let from = head.len().saturating_sub(3);
            head.extend(more);
            if let Some(at) = head[from..].windows(4).position(|w| w == b"\r\n\r\n") {
                break from + at + 4;
            }
            if head.len() > HEAD_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a request head without end"));
            }
        };
        self.unread.splice(0..0, head.drain(length..));
        let mut request = parse_head(self.wire.number, head)?;
        let length = request.header("content-length").and_then(|v| v.parse().ok());
        let chunked = request.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
        if chunked {
            while let Some(chunk) = self.read_chunk()? {
                request.body.extend(chunk);
            }
        } else if let Some(length) = length {
            match self.read_exactly(length)? {
                Some(body) => request.body = body,
                None => return Ok(None),
            }
        }
        request.at = Instant::now();
        Ok(Some(request))
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let more = self.read(length - bytes.len())?;
            if more.is_empty() {
                return Ok(None);
            }
            bytes.extend(more);
        }
        Ok(Some(bytes))
    }

    fn read_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "a chunk that is none");
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.read_exactly(1)?.ok_or_else(bad)?);
        }
        let text = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(text.trim_end().split(';').next().unwrap_or_default(), 16);
        let size = size.map_err(|_| bad())?;
        let mut chunk = self.read_exactly(size + 2)?.ok_or_else(bad)?;
        if chunk.split_off(size) != b"\r\n" {
            return Err(bad());
        }
        Ok((size > 0).then_some(chunk))
    }

    /// Runs the steps of a script on this connection.
    pub fn run(&mut self, script: &Script) -> io::Result<()> {
        for step in &script.steps {
            if self.over {
                break;
            }
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Head(head) => {
                self.framing = head.framing;
                self.gzip = head.gzip.then(|| GzEncoder::new(Vec::new(), Compression::default()));
                self.send(head.to_bytes())
            }
            Step::Send(bytes) => self.send(bytes),
            Step::Body(bytes) => self.body(bytes),
            Step::Trickle { bytes, piece, pause } => {
                for (i, part) in bytes.chunks((*piece).max(1)).enumerate() {
                    if i > 0 && !pause.is_zero() {
                        self.pause(*pause)?;
                    }
                    self.send(part)?;
                }
                Ok(())
            }
            Step::Endless { unit, limit } => self.endless(unit, *limit),
            Step::Pause(span) => self.pause(*span),
            Step::WaitFor(name) => self.wait_for(name),
            Step::Tell(name) => {
                self.tell(name);
                Ok(())
            }
            Step::EndBody => self.end_body(),
            Step::End => {
                self.end_body()?;
                self.fin();
                Ok(())
            }
            Step::Fin => {
                self.fin();
                Ok(())
            }
            Step::Truncate => {
                self.truncate();
                Ok(())
            }
            Step::HalfClose => {
                self.wire.end_writing(true);
                Ok(())
            }
            Step::Reset => {
                self.reset();
                Ok(())
            }
            Step::Stall => {
                self.stall();
                Ok(())
            }
            Step::NextRequest => {
                self.again = true;
                Ok(())
            }
        }
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.wire.write(bytes.as_ref())
    }

    /// Sends a piece of body as the last head said.
    pub fn body(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        match &mut self.gzip {
            Some(encoder) => {
                encoder.write_all(bytes)?;
                encoder.flush()?; // a sync flush: the peer can decode all of it now
                let coded = std::mem::take(encoder.get_mut());
                self.frame(&coded)
            }
            None => self.frame(bytes),
        }
    }

    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        // An empty chunk would end the body.
        if self.framing != Framing::Chunked || bytes.is_empty() {
            return self.wire.write(bytes);
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend(bytes);
        chunk.extend(b"\r\n");
        self.wire.write(&chunk)
    }

    /// Ends the body as its framing wants; the connection goes on.
    pub fn end_body(&mut self) -> io::Result<()> {
        if let Some(encoder) = self.gzip.take() {
            let trailer = encoder.finish()?;
            self.frame(&trailer)?;
        }
        if self.framing == Framing::Chunked {
            self.wire.write(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    fn endless(&mut self, unit: &[u8], limit: usize) -> io::Result<()> {
        let many = unit.repeat((64 << 10) / unit.len().max(1) + 1);
        let mut left = limit;
        while left > 0 {
            let n = many.len().min(left);
            self.wire.write(&many[..n])?;
            left -= n;
        }
        Ok(())
    }

    /// Sends nothing for that long. An error if the peer goes away or the server stops meanwhile.
    pub fn pause(&mut self, span: Duration) -> io::Result<()> {
        match self.shared.wait_in_script(self.wire.number, span, |_| None::<()>) {
            Err(Broken::Late) => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Waits for one `Server::go(name)`.
    pub fn wait_for(&mut self, name: &str) -> io::Result<()> {
        let passed = self.shared.wait_in_script(self.wire.number, SIGNAL_DEADLINE, |state| {
            let permits = state.permits.get_mut(name).filter(|n| **n > 0)?;
            *permits -= 1;
            Some(())
        });
        match passed {
            Ok(()) => Ok(()),
            Err(Broken::Late) => {
                Err(io::Error::other(format!("nobody called go({name:?}) within {SIGNAL_DEADLINE:?}")))
            }
            Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Tells the test that this point was reached.
    pub fn tell(&mut self, name: &str) {
        self.shared.change(|state| *state.told.entry(name.into()).or_default() += 1);
    }

    /// FIN (with TLS a close_notify before it), then waits for the peer's.
    pub fn fin(&mut self) {
        self.end(true);
    }

    /// FIN without a close_notify, then waits for the peer's.
    pub fn truncate(&mut self) {
        self.end(false);
    }

    fn end(&mut self, notify: bool) {
        self.wire.end_writing(notify);
        if self.reader.is_none() {
            self.reader = self.wire.start_reading(&self.shared).ok();
        }
        self.stall();
    }

    /// A reset.
    pub fn reset(&mut self) {
        self.over = true;
        self.wire.prepare_reset(self.reader.take());
    }

    /// Holds the connection until the peer goes away or the server stops.
    pub fn stall(&mut self) {
        self.over = true;
        if self.reader.is_some() {
            self.wire.wait_for_peer_end();
        } else {
            // Nobody has read yet, and nobody will: the peer's own sending stalls.
            self.shared.wait_for_stop();
        }
    }
}

fn parse_head(connection: usize, raw: Vec<u8>) -> io::Result<Request> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut lines = raw[..raw.len() - 4].split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.splitn(3, ' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("a request line that is none"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|b| *b == b':').ok_or_else(|| bad("a header line without a colon"))?;
        let name = String::from_utf8_lossy(&line[..colon]).into_owned();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok(Request {
        number: 0,
        connection,
        method: method.into(),
        target: target.into(),
        version: version.into(),
        headers,
        tls: None,
        body: Vec::new(),
        at: Instant::now(),
        raw_head: raw,
    })
}
