//! ureq over our Loan, and bodies from the Transport, against small servers on loopback, plain and TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use eventsource_test_server::BlackHole;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use ureq::Agent;

pub(crate) mod pki;

const LONG: Duration = Duration::from_secs(60);

/// Serves each connection with `serve`, on a thread of its own, until dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(connections: usize, serve: impl Fn(TcpStream) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            for _ in 0..connections {
                serve(listener.accept().unwrap().0);
            }
        });
        Server { address, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// The server's thread has ended, and its assertions have held.
    pub(crate) fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Reads a request's head.
pub(crate) fn request(stream: impl Read) -> String {
    let mut head = String::new();
    let mut reader = BufReader::with_capacity(1, stream);
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the request broke off");
    }
    head
}

pub(crate) fn network(set: impl FnOnce(&mut Config)) -> Arc<Network> {
    let mut config = Config::new("http://unused.test/").unwrap();
    set(config.set_connect_timeout(Some(LONG)).unwrap());
    Arc::new(Network::new(&config))
}

/// One attempt and everything that can be asked about it.
pub(crate) struct Attempt {
    network: Arc<Network>,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) wire: Arc<Wire>,
}

impl Attempt {
    /// With a config that `set` has changed.
    pub(crate) fn new(set: impl FnOnce(&mut Config)) -> Attempt {
        Attempt::on(network(set))
    }

    pub(crate) fn on(network: Arc<Network>) -> Attempt {
        Attempt { network, interrupt: Interrupt::new(), wire: Wire::new() }
    }

    pub(crate) fn plain() -> Attempt {
        Attempt::new(|_| {})
    }

    fn agent(
        &self,
        url: &str,
        configure: impl FnOnce(ConfigBuilder) -> ConfigBuilder,
    ) -> Result<(Agent, Loan), ureq::Error> {
        let loan = self.network.open(&Url::parse(url).unwrap(), 80_000, None, &self.interrupt, &self.wire);
        let loan = loan.map_err(|failure| self.wire.fail(failure))?;
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent("")
            .accept("")
            .accept_encoding("");
        Ok((Agent::with_parts(configure(config).build(), loan.clone(), NoResolver), loan))
    }

    pub(crate) fn get(&self, url: &str) -> Result<Answer, ureq::Error> {
        let (agent, loan) = self.agent(url, |config| config)?;
        let (head, body) = agent.get(url).call()?.into_parts();
        assert!(loan.take_back().is_none(), "ureq has it still");
        drop((agent, body));
        Ok(Answer { head, body: loan.take_back().expect("ureq has let go of it") })
    }

    pub(crate) fn failure(&self) -> (ErrorKind, String) {
        let failure = self.wire.failure().expect("nothing failed");
        (failure.kind, failure.message)
    }
}

/// A response's head, and the connection that its body comes from.
pub(crate) struct Answer {
    pub(crate) head: ureq::http::response::Parts,
    pub(crate) body: Box<Transport>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head.fmt(f)
    }
}

impl Answer {
    /// All that comes, and how that ends.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, Result<(), (ErrorKind, String)>) {
        let (mut all, mut space) = (Vec::new(), [0; 1000]);
        loop {
            match self.body.read(&mut space, true).map(Option::unwrap) {
                Ok(0) => return (all, Ok(())),
                Ok(n) => all.extend_from_slice(&space[..n]),
                Err(failure) => return (all, Err((failure.kind, failure.message))),
            }
        }
    }
}

type ConfigBuilder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

#[test]
fn a_response_comes_as_it_is_sent() {
    let server = Server::new(1, |mut stream| {
        assert!(request(&stream).starts_with("GET / HTTP/1.1\r\n"));
        stream.write_all(OK).unwrap();
        stream.write_all(b"data: 1\n\n").unwrap();
        stream.read_exact(&mut [0]).unwrap_err(); // waits until the client is gone
    });
    let attempt = Attempt::plain();
    let mut answer = attempt.get(&server.url()).unwrap();
    assert!(attempt.wire.wrote());
    // Whether it came along with the head or not, byte by byte or not.
    for expected in b"data: 1\n\n" {
        let mut byte = [0];
        assert_eq!((answer.body.read(&mut byte, true).unwrap(), byte[0]), (Some(1), *expected));
    }
    drop(answer);
    server.join();
}

#[test]
fn the_ends_of_a_body_are_told_apart() {
    // Fin
    let server = Server::new(1, |mut stream| {
        request(&stream);
        stream.write_all(OK).unwrap();
        stream.write_all(b"data: 1\n\n").unwrap();
    });
    let attempt = Attempt::plain();
    assert_eq!(attempt.get(&server.url()).unwrap().rest(), (b"data: 1\n\n".to_vec(), Ok(())));
    server.join();

    // RST
    let server = Server::new(1, |mut stream| {
        request(&stream);
        stream.write_all(OK).unwrap();
        stream.write_all(b"data: 1\n\n").unwrap();
        thread::sleep(Duration::from_millis(20)); // a reset throws away what has not been read
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let attempt = Attempt::plain();
    let end = attempt.get(&server.url()).unwrap().rest().1;
    assert_eq!(end, Err((ErrorKind::Io, "the connection broke: Connection reset by peer".into())));
    server.join();

    // Silence
    let server = Server::new(1, |mut stream| {
        request(&stream);
        stream.write_all(OK).unwrap();
        stream.read_exact(&mut [0]).unwrap_err();
    });
    let attempt = Attempt::plain();
    let mut answer = attempt.get(&server.url()).unwrap();
    answer.body.set_idle_timeout(Some(Duration::from_millis(30)));
    assert_eq!(answer.rest().1, Err((ErrorKind::TimedOut, "the server was silent for too long".into())));
    // A moment at which all ends
    answer.body.set_idle_timeout(None);
    answer.body.limit_reads_until(Instant::now() + Duration::from_millis(30));
    assert_eq!(answer.rest().1.unwrap_err().0, ErrorKind::TimedOut);
    drop(answer);
    server.join();
}

#[test]
fn a_head_of_more_than_64_kib_is_refused() {
    for (line, fits) in [("X: 0\r\n".repeat(100), true), ("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3000), false)] {
        let server = Server::new(1, move |mut stream| {
            request(&stream);
            let status = if fits { "HTTP/1.1 200 OK\r\n" } else { "" };
            // An error means that the client has had enough.
            let _ = write!(stream, "{status}{line}\r\n");
            let _ = stream.read(&mut [0]);
        });
        let attempt = Attempt::plain();
        assert_eq!(attempt.get(&server.url()).is_ok(), fits);
        if !fits {
            assert_eq!(attempt.failure(), (ErrorKind::Io, "the response's head is larger than 64 KiB".into()));
        }
        server.join();
    }
}

#[test]
fn a_large_head_and_body_arrive_whole() {
    let header = format!("X-Large: {}\r\n", "x".repeat(60_000));
    let body = "data: y\n\n".repeat(100_000);
    let length = body.len();
    let server = Server::new(1, move |mut stream| {
        request(&stream);
        write!(stream, "HTTP/1.1 200 OK\r\n{header}Content-Length: {length}\r\n\r\n{body}").unwrap();
    });
    let attempt = Attempt::plain();
    let mut answer = attempt.get(&server.url()).unwrap();
    assert_eq!(answer.head.headers["x-large"].len(), 60_000);
    let (all, end) = answer.rest();
    assert_eq!((all.len(), end), (length, Ok(())));
    server.join();
}

#[test]
fn requests_of_any_size_are_sent_whole() {
    let server = Server::new(1, |mut stream| {
        let head = request(&stream);
        assert!(head.contains(&"h".repeat(70_000)), "{head}");
        assert!(head.contains("content-length: 1000000\r\n"), "{head}");
        let mut body = vec![0; 1_000_000];
        stream.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|byte| *byte == b'b'));
        stream.write_all(OK).unwrap();
    });
    let attempt = Attempt::plain();
    let (agent, _) = attempt.agent(&server.url(), |config| config).unwrap();
    agent.post(server.url()).header("x-long", "h".repeat(70_000)).send(&vec![b'b'; 1_000_000][..]).unwrap();
    server.join();
}

#[test]
fn what_failed_on_the_way_is_said() {
    let attempt = Attempt::plain();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    attempt.get(&format!("http://{address}/")).unwrap_err();
    let why = format!("cannot connect to {address}: Connection refused");
    assert_eq!(attempt.failure(), (ErrorKind::Connect, why));
    assert!(!attempt.wire.wrote());

    let attempt = Attempt::plain();
    attempt.get(&format!("http://{}/", "a".repeat(64))).unwrap_err();
    assert_eq!(attempt.failure().0, ErrorKind::Dns);

    let hole = BlackHole::start();
    let attempt = Attempt::new(|config| config.connect_timeout = Some(Duration::from_millis(20)));
    attempt.get(&format!("http://{}/", hole.address())).unwrap_err();
    assert_eq!(attempt.failure(), (ErrorKind::TimedOut, "no connection to 127.0.0.1 within 20ms".into()));
}

#[test]
fn a_response_timeout_ends_the_wait_for_the_head() {
    let server = Server::new(1, |mut stream| {
        request(&stream);
        stream.read_exact(&mut [0]).unwrap_err();
    });
    let attempt = Attempt::plain();
    let (agent, loan) =
        attempt.agent(&server.url(), |config| config.timeout_recv_response(Some(Duration::from_millis(30)))).unwrap();
    agent.get(server.url()).call().unwrap_err();
    assert_eq!(attempt.failure(), (ErrorKind::TimedOut, "the server did not answer in time".into()));
    drop((agent, loan)); // the connection came back to them
    server.join();
}

#[test]
fn tls_works_and_resumes() {
    let pki = pki::Pki::new();
    let config = pki.server(&["localhost"]);
    let server = Server::new(2, move |stream| {
        let mut session = pki::accept(config.clone(), stream);
        assert!(request(&mut session).starts_with("GET / HTTP/1.1\r\n"));
        assert_eq!(session.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let resumed = session.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        write!(session, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Resumed: {resumed}\r\n\r\nhello").unwrap();
        session.conn.send_close_notify();
        session.flush().unwrap();
    });
    let network = network(|config| config.tls.only_ca = Some(vec![pki.ca()]));
    for resumed in ["false", "true"] {
        let attempt = Attempt::on(network.clone());
        let mut answer = attempt.get(&server.tls_url()).unwrap();
        assert_eq!(answer.head.headers["x-resumed"], resumed);
        assert_eq!(answer.rest(), (b"hello".to_vec(), Ok(())));
    }
    server.join();
}

#[test]
fn a_missing_close_notify_is_no_clean_end() {
    let pki = pki::Pki::new();
    for notify in [true, false] {
        let config = pki.server(&["localhost"]);
        let server = Server::new(1, move |stream| {
            let mut session = pki::accept(config.clone(), stream);
            request(&mut session);
            session.write_all(OK).unwrap();
            session.write_all(b"data: 1\n\n").unwrap();
            if notify {
                session.conn.send_close_notify();
            }
            session.flush().unwrap();
            session.sock.shutdown(Shutdown::Write).unwrap();
            let _ = session.sock.read(&mut [0; 100]);
        });
        let attempt = Attempt::new(|config| config.tls.only_ca = Some(vec![pki.ca()]));
        let mut answer = attempt.get(&server.tls_url()).unwrap();
        let (text, end) = answer.rest();
        assert_eq!(text, b"data: 1\n\n");
        assert_eq!(end.is_ok(), notify, "{end:?}");
        drop(answer);
        server.join();
    }
}
