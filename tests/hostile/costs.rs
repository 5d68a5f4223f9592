//! Every kind of hostile server once, one after the other: the documented event, little memory, little time, and no work for
//! the processor once it is over.
#![cfg(target_os = "linux")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use eventsource::{Config, ErrorKind, EventSource, Kind, State};
use eventsource_test_server::{Script, Server};

use super::measure::{assert_at_rest, peak_growth, this_task};
use super::{FLOOD, MIB, error, ok_head, plain};
use ErrorKind::{Ended, EventTooLarge, Io, Redirect, TimedOut};

/// What the first attempt yields after CONNECT, in callbacks, and the worker's thread. The retry is an hour away.
fn attempt(script: Script, response_timeout: Duration) -> (Vec<super::Seen>, String) {
    let server = Server::start();
    server.on_every_connection(script);
    let mut config = Config::new(&server.url("/")).unwrap();
    let hour = Duration::from_secs(3600);
    config.set_retry(hour, hour).unwrap();
    config.set_max_event_size(MIB).unwrap();
    config.set_response_timeout(Some(response_timeout)).unwrap();
    config.set_idle_timeout(Some(Duration::from_secs(5))).unwrap();
    let source = EventSource::new(&config).unwrap();
    let (tell, told) = mpsc::channel();
    source
        .on(None, None, move |event| {
            let seen = super::Seen {
                kind: event.kind(),
                error: event.error(),
                status: event.http_status(),
                retried: event.retry_ms() >= 0,
            };
            let over = event.kind() == Kind::Error && event.state() != State::Open || event.kind() == Kind::Close;
            let _ = tell.send((seen, over, this_task()));
        })
        .unwrap();
    source.start().unwrap();
    let mut all = vec![];
    loop {
        let (seen, over, task) = told.recv_timeout(Duration::from_secs(60)).unwrap();
        if seen.kind != Kind::Connect {
            all.push(seen);
        }
        if over {
            assert_at_rest(&task, "after its end");
            source.free();
            return (all, task);
        }
    }
}

#[test]
fn each_costs_little_and_comes_to_rest() {
    let chunked = |rest: &str| ok_head().send(format!("Transfer-Encoding: chunked\r\n\r\n{rest}"));
    let with = |lines: &str| ok_head().send(format!("{lines}\r\ndata: a\n\n")).fin();
    let headers = (0..128).fold(ok_head(), |script, n| script.send(format!("X-{n}: y\r\n")));
    let (open, message) = (|| plain(Kind::Open), || plain(Kind::Message));
    let ended = || error(Ended, 200, true);
    let too_large = || error(EventTooLarge, 200, false);
    let table = [
        ("endless head", Script::endless_head(FLOOD), vec![error(Io, 0, true)]),
        ("endless header line", Script::endless_header_line(FLOOD), vec![error(Io, 0, true)]),
        ("129 headers", headers.send("\r\ndata: a\n\n").fin(), vec![error(Io, 0, true)]),
        ("1xx flood", Script::endless_informational(FLOOD), vec![error(Io, 0, true)]),
        ("NUL in a header", with("X: a\0b\r\n"), vec![error(Io, 0, true)]),
        (
            "bare LF",
            Script::new().send("HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\ndata: a\n\n").fin(),
            vec![open(), message(), ended()],
        ),
        (
            "Content-Lengths that disagree",
            with("Content-Length: 9\r\nContent-Length: 10\r\n"),
            vec![error(Io, 0, true)],
        ),
        (
            "Content-Length twice the same",
            with("Content-Length: 9\r\nContent-Length: 9\r\n"),
            vec![open(), message(), ended()],
        ),
        ("slow head", ok_head().slow("X: y\r\n".repeat(100_000), 1), vec![error(TimedOut, 0, true)]),
        (
            "endless redirects",
            Script::redirect(302, "/").header("Content-Length", "0"),
            vec![error(Redirect, 302, false)],
        ),
        (
            "body after 204",
            Script::new().send("HTTP/1.1 204 No\r\n\r\ndata: a\n\n").stall(),
            vec![super::Seen { kind: Kind::Close, error: Ended, status: 204, retried: false }],
        ),
        ("endless line", Script::endless_line(FLOOD), vec![open(), too_large(), ended()]),
        ("endless comment", Script::endless_comment(FLOOD), vec![open(), too_large(), ended()]),
        ("endless event", Script::sse().endless("data: 0123456789abcdef\n", FLOOD), vec![open(), too_large(), ended()]),
        ("a chunk size that overflows", chunked("FFFFFFFFFFFFFFFFF\r\n").fin(), vec![open(), error(Io, 200, true)]),
        ("an endless chunk size", chunked("").endless("0", FLOOD), vec![open(), error(Io, 200, true)]),
        ("an endless chunk extension", chunked("9;").endless("x", FLOOD), vec![open(), error(Io, 200, true)]),
        ("an endless trailer", chunked("0\r\nX: ").endless("y", FLOOD), vec![open(), error(Io, 200, true)]),
        ("trailers", chunked("9\r\ndata: a\n\n\r\n0\r\nX: y\r\n\r\n").fin(), vec![open(), message(), ended()]),
        ("chunks of a byte", chunked("").endless("1\r\nx\r\n", FLOOD / 8), vec![open(), error(Io, 200, true)]),
        ("a body that trickles", Script::sse().slow("data: a\n\n", 1).fin(), vec![open(), message(), ended()]),
        ("RST before the head", Script::new().reset(), vec![error(Io, 0, true)]),
        ("RST in the head", ok_head().reset(), vec![error(Io, 0, true)]),
        ("silence", Script::new().stall(), vec![error(TimedOut, 0, true)]),
        (
            "silence in the body",
            Script::sse().body("data: a\n\n").stall(),
            vec![open(), message(), error(TimedOut, 200, true)],
        ),
    ];
    for (name, script, expected) in table {
        let begun = Instant::now();
        let mut seen = vec![];
        // Short where it is to run out.
        let limit = Duration::from_millis(if expected[0] == error(TimedOut, 0, true) { 500 } else { 20_000 });
        let grown = peak_growth(|| seen = attempt(script, limit).0);
        println!("{name}: {} KiB, {:?}", grown / 1024, begun.elapsed());
        assert_eq!(seen, expected, "{name}");
        assert!(grown < 12 * MIB, "{name}: {grown} bytes");
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
    }
}

/// A stream that stands still, and one whose consumer sleeps while the server floods it.
#[test]
fn a_stalled_stream_costs_no_cpu() {
    let server = Server::start();
    server.on_every_connection(Script::sse().body("data: a\n\n").stall());
    let source = EventSource::new(&Config::new(&server.url("/")).unwrap()).unwrap();
    let (tell, told) = mpsc::channel();
    source.on(Some(Kind::Message), None, move |_| tell.send(this_task()).unwrap()).unwrap();
    source.start().unwrap();
    assert_at_rest(&told.recv_timeout(Duration::from_secs(30)).unwrap(), "a stalled stream");
    source.free();
}
