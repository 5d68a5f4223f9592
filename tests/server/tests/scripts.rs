//! The server does on the wire what its scripts say.
#![allow(missing_docs)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use eventsource_test_server::{BlackHole, DEADLINE, PeerEnd, Script, Server};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn get(server: &Server, path: &str) -> TcpStream {
    let mut stream = connect(server);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream
}

fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn read_exactly(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(bytes));
}

#[test]
fn head_and_framing_are_exact() {
    let server = Server::start();
    server.on("/close", Script::sse().body("data: a\n\n"));
    server.on("/chunked", Script::events("data: a\n\n"));
    server.on("/length", Script::sse().header("X", b"\xff").length(3).body("abc").end());
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    assert_eq!(read_all(get(&server, "/close")), format!("{head}\r\ndata: a\n\n").as_bytes());
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n");
    assert_eq!(read_all(get(&server, "/chunked")), chunked.as_bytes());
    let length = [head.as_bytes(), b"X: \xff\r\nContent-Length: 3\r\n\r\nabc"].concat();
    assert_eq!(read_all(get(&server, "/length")), length);
    assert!(read_all(get(&server, "/none")).starts_with(b"HTTP/1.1 404 "));
}

#[test]
fn requests_are_recorded_byte_for_byte() {
    let server = Server::start();
    let mut peer = connect(&server);
    let head = b"POST /p?a=1&b=%20 HTTP/1.1\r\nhOST: x\r\nA:  \xc3\xa4 \r\nA: 2\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.write_all(head).unwrap();
    peer.write_all(b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").unwrap();
    let request = server.wait_for_requests(1, DEADLINE).remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/p?a=1&b=%20"));
    assert_eq!((request.path(), request.query("b"), request.version.as_str()), ("/p", Some("%20"), "HTTP/1.1"));
    assert_eq!(request.headers[0], ("hOST".into(), b"x".to_vec()));
    assert_eq!(request.headers[1], ("A".into(), "ä".as_bytes().to_vec()));
    assert_eq!(request.all("a").collect::<Vec<_>>(), ["ä", "2"]);
    assert_eq!(request.raw_head, head);
    assert_eq!(request.body, b"abcde");
    assert_eq!(request.connection, 0);
}

#[test]
fn replies_go_in_turn_and_signals_hold_steps() {
    let server = Server::start();
    server.on("/", [Script::new().send("1").tell("there").wait_for("on").send("2"), Script::new().send("last")]);
    let mut first = get(&server, "/");
    read_exactly(&mut first, b"1");
    server.wait_until_told("there");
    assert_eq!(read_all(get(&server, "/")), b"last");
    assert_eq!(read_all(get(&server, "/")), b"last");
    first.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(first.read(&mut [0]).is_err(), "the step did not wait");
    server.go("on");
    first.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(read_all(first), b"2");
}

#[test]
fn connections_end_as_told() {
    let server = Server::start();
    server.on("/reset", Script::new().send("x").wait_for("go").reset());
    server.on("/half", Script::new().send("x").half_close().wait_for("go").reset());
    let mut reset = get(&server, "/reset");
    read_exactly(&mut reset, b"x");
    server.go("go");
    assert_eq!(reset.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    server.wait_for_open(0, DEADLINE);
    assert_eq!(server.connections()[0].peer_end, None, "it was the server that ended it");
    let mut half = get(&server, "/half");
    read_exactly(&mut half, b"x");
    assert_eq!(half.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.connections_open(), 1);
    server.go("go");
    server.wait_for_open(0, DEADLINE);
}

#[test]
fn a_peer_that_goes_away_is_noticed_in_every_kind_of_wait() {
    let server = Server::start();
    server.on("/stall", Script::sse().stall());
    server.on("/wait", Script::sse().wait_for("never"));
    server.on("/pause", Script::sse().pause(Duration::from_secs(3600)));
    server.on("/fin", Script::sse().fin());
    for (number, path) in ["/stall", "/wait", "/pause", "/fin"].into_iter().enumerate() {
        let mut peer = get(&server, path);
        read_exactly(&mut peer, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        assert!(path == "/fin" || server.connections_open() == 1, "{path}");
        drop(peer);
        assert_eq!(server.wait_for_peer_end(number, DEADLINE), PeerEnd::Closed, "{path}");
    }
    server.wait_for_open(0, DEADLINE);
}

#[test]
fn opening_scripts_come_before_the_request() {
    let server = Server::start();
    server.on("/", Script::new().send("reply"));
    server.on_connection(0, Script::new().reset());
    server.on_connection(1, Script::new().fin());
    server.on_connection(2, Script::new().send("early "));
    server.on_connection(3, Script::new().stall());
    assert_eq!(connect(&server).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(connect(&server).read(&mut [0]).unwrap(), 0);
    assert_eq!(read_all(get(&server, "/")), b"early reply");
    let _unread = get(&server, "/");
    assert_eq!(read_all(get(&server, "/")), b"reply");
    assert_eq!(server.requests().len(), 2, "connection 3 was read");
    assert_eq!(server.connections()[3].received, 0);
}

#[test]
fn refusing_listening_and_not_answering() {
    let server = Server::start();
    server.on("/", Script::new().send("x"));
    server.refuse();
    assert_eq!(TcpStream::connect(server.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    server.listen();
    assert_eq!(read_all(get(&server, "/")), b"x");
    server.stop_accepting();
    let unanswered = get(&server, "/");
    server.listen();
    assert_eq!(read_all(unanswered), b"x");
    assert_eq!(server.connections().len(), 2, "the server's own wake-ups do not count");
}

#[test]
fn a_server_that_dies_ends_its_connections() {
    let server = Server::start();
    server.on("/", [Script::new().send("x").wait_for("never"), Script::new().send("again")]);
    let mut peer = get(&server, "/");
    read_exactly(&mut peer, b"x");
    server.drop_connections();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    server.wait_for_open(0, DEADLINE);
    assert_eq!(read_all(get(&server, "/")), b"again");
}

#[cfg(target_os = "linux")]
#[test]
fn a_black_hole_neither_accepts_nor_refuses() {
    let hole = BlackHole::start();
    let error = TcpStream::connect_timeout(&hole.address(), Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn gzip_can_be_decoded_as_it_arrives() {
    let server = Server::start();
    server.on("/", Script::sse().gzip().body("data: a\n\n").wait_for("go").body("data: b\n\n").end());
    let mut peer = get(&server, "/");
    read_exactly(&mut peer, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n");
    let mut decoder = flate2::read::GzDecoder::new(peer);
    let mut first = [0; 9];
    decoder.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"data: a\n\n");
    server.go("go");
    let mut rest = String::new();
    decoder.read_to_string(&mut rest).unwrap(); // checks the trailer
    assert_eq!(rest, "data: b\n\n");
}

#[test]
fn endless_is_bounded_and_ends_with_the_peer() {
    let server = Server::start();
    server.on("/all", Script::endless_line(1_000_000));
    server.on("/cut", Script::endless_comment(usize::MAX));
    assert!(read_all(get(&server, "/all")).len() > 1_000_000);
    let mut cut = get(&server, "/cut");
    cut.read_exact(&mut [0; 1_000_000]).unwrap();
    drop(cut);
    server.wait_for_open(0, DEADLINE);
    assert!(server.connections()[1].sent > 0);
}

#[test]
fn handlers_drive_a_connection_and_requests_follow_each_other() {
    let server = Server::start();
    server.handle("/echo", |request, connection| {
        connection.send(format!("{} {}\n", request.method, request.target))?;
        let rest = connection.read(100)?;
        connection.send(rest)
    });
    server.on("/next", Script::new().send("one ").next_request());
    let mut echo = get(&server, "/echo");
    read_exactly(&mut echo, b"GET /echo\n");
    echo.write_all(b"more").unwrap();
    assert_eq!(read_all(echo), b"more");
    let mut next = connect(&server);
    next.write_all(b"GET /next HTTP/1.1\r\n\r\nGET /none HTTP/1.1\r\n\r\n").unwrap();
    assert!(read_all(next).starts_with(b"one HTTP/1.1 404 "));
}

#[test]
fn dropping_the_server_ends_everything() {
    let server = Server::start();
    server.on("/", Script::sse().stall());
    server.on("/wait", Script::sse().wait_for("never"));
    server.on("/full", Script::endless_line(usize::MAX));
    server.on_connection(3, Script::new().stall());
    let peers = [get(&server, "/"), get(&server, "/wait"), get(&server, "/full"), get(&server, "/")];
    server.wait_for_requests(3, DEADLINE);
    server.wait_for_connections(4, DEADLINE);
    drop(server); // joins every thread
    for mut peer in peers {
        let _ = std::io::copy(&mut peer, &mut std::io::sink());
    }
}

#[test]
#[should_panic(expected = "for 2 requests; seen: 1 connections")]
fn a_wait_that_fails_says_what_was_seen() {
    let server = Server::start();
    let _peer = get(&server, "/seen");
    server.wait_for_requests(1, DEADLINE);
    server.wait_for_requests(2, Duration::from_millis(10));
}
