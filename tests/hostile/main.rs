//! Servers that mean no good, or know no better: for each the documented event, in bounded memory and bounded time, and no
//! CPU while nothing comes.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod costs;
mod measure;

use std::time::{Duration, Instant};

use eventsource::{Config, ErrorKind, EventSource, Kind, State};
use eventsource_test_server::{Script, Server};
use measure::{alone, peak_growth};

const MIB: usize = 1024 * 1024;
/// More than anybody should take, less than the test machine has.
const FLOOD: usize = 64 * MIB;

#[derive(Debug, PartialEq)]
struct Seen {
    kind: Kind,
    error: ErrorKind,
    status: u16,
    retried: bool,
}

/// What the first attempt yields after CONNECT, up to and including its end.
fn attempt(script: Script, change: impl FnOnce(&mut Config)) -> Vec<Seen> {
    let server = Server::start();
    server.on_every_connection(script);
    attempt_at(&server, change)
}

fn attempt_at(server: &Server, change: impl FnOnce(&mut Config)) -> Vec<Seen> {
    let _shared = alone();
    let mut config = Config::new(&server.url("/")).unwrap();
    config.set_max_event_size(MIB).unwrap();
    change(&mut config);
    let mut source = EventSource::new(&config).unwrap();
    let mut seen = vec![];
    let begun = Instant::now();
    loop {
        let event = source.next().unwrap();
        if event.kind() == Kind::Connect {
            continue;
        }
        let over = event.kind() == Kind::Close || (event.kind() == Kind::Error && event.state() != State::Open);
        seen.push(Seen {
            kind: event.kind(),
            error: event.error(),
            status: event.http_status(),
            retried: event.retry_ms() >= 0,
        });
        if over {
            assert!(begun.elapsed() < Duration::from_secs(60), "took {:?}", begun.elapsed());
            return seen;
        }
    }
}

fn error(kind: ErrorKind, status: u16, retried: bool) -> Seen {
    Seen { kind: Kind::Error, error: kind, status, retried }
}

fn plain(kind: Kind) -> Seen {
    Seen { kind, error: ErrorKind::None, status: 200, retried: false }
}

fn ok_head() -> Script {
    Script::new().send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
}

// ---- heads ----

#[test]
fn a_head_without_end_is_an_io_error() {
    let io = [error(ErrorKind::Io, 0, true)];
    assert_eq!(attempt(Script::endless_head(FLOOD), |_| {}), io);
    assert_eq!(attempt(Script::endless_header_line(FLOOD), |_| {}), io);
    assert_eq!(attempt(Script::new().endless("x", FLOOD), |_| {}), io, "nor a status line");
}

#[test]
fn early_hints_without_end_are_an_io_error() {
    assert_eq!(attempt(Script::endless_informational(FLOOD), |_| {}), [error(ErrorKind::Io, 0, true)]);
}

#[test]
fn the_head_may_have_128_headers_and_no_more() {
    let head = |n: usize| {
        let mut script = ok_head();
        for i in 0..n - 1 {
            script = script.send(format!("X-{i}: y\r\n"));
        }
        script.send("\r\ndata: a\n\n").fin()
    };
    assert_eq!(attempt(head(128), |_| {})[..2], [plain(Kind::Open), plain(Kind::Message)]);
    assert_eq!(attempt(head(129), |_| {}), [error(ErrorKind::Io, 0, true)]);
}

#[test]
fn a_head_just_below_the_limit_passes_and_one_above_does_not() {
    let head =
        |filler: usize| ok_head().send(format!("X-Filler: {}\r\n\r\n", "f".repeat(filler))).send("data: a\n\n").fin();
    assert_eq!(attempt(head(60 * 1024), |_| {})[..2], [plain(Kind::Open), plain(Kind::Message)]);
    assert_eq!(attempt(head(66 * 1024), |_| {}), [error(ErrorKind::Io, 0, true)]);
}

#[test]
fn what_is_not_http_is_an_io_error() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..],
        b"HTTP/2 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
        b"ICY 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
        b"HTTP/1.1 20 OK\r\nContent-Type: text/event-stream\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX\0Y: z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nBad Name: z\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n folded: z\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"",
    ] {
        let seen = attempt(Script::new().send(bytes).fin(), |_| {});
        assert_eq!(seen, [error(ErrorKind::Io, 0, true)], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn bare_line_feeds_in_a_head_are_either_read_or_refused_but_never_half() {
    let script = Script::new().send("HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\ndata: a\n\n").fin();
    let seen = attempt(script, |_| {});
    assert!(
        seen == [error(ErrorKind::Io, 0, true)] || seen[..2] == [plain(Kind::Open), plain(Kind::Message)],
        "{seen:?}"
    );
}

#[test]
fn content_lengths_that_disagree_are_an_io_error() {
    for lines in [
        "Content-Length: 9\r\nContent-Length: 10\r\n",
        "Content-Length: 9, 10\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 0x10\r\n",
    ] {
        let script = ok_head().send(format!("{lines}\r\ndata: a\n\n")).fin();
        assert_eq!(attempt(script, |_| {}), [error(ErrorKind::Io, 0, true)], "{lines}");
    }
    let script = ok_head().send("Content-Length: 9\r\nContent-Length: 9\r\n\r\ndata: a\n\n").fin();
    assert_eq!(attempt(script, |_| {})[1], plain(Kind::Message), "the same twice is no disagreement");
}

#[test]
fn an_unknown_transfer_coding_is_an_io_error() {
    let script = ok_head().send("Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n").fin();
    let seen = attempt(script, |_| {});
    assert_eq!((seen[0].kind, seen[0].error), (Kind::Error, ErrorKind::Io));
}

// ---- bodies ----

#[test]
fn chunk_sizes_that_are_none_are_io_errors() {
    for size in [
        "FFFFFFFFFFFFFFFFF",
        "10000000000000000",
        "-5",
        "+5",
        "0x5",
        "five",
        "",
        " ",
        " 9",
        "9 9",
        ";9",
        "9\n",
        "9;a\n",
    ] {
        let script = ok_head()
            .send(format!("Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n{size}\r\ndata: b\n\n\r\n"))
            .fin();
        // What was complete before is delivered first, though it came in one read with what is broken.
        let seen = attempt(script, |_| {});
        let expected = [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Io, 200, true)];
        assert_eq!(seen, expected, "{size:?}");
    }
}

#[test]
fn a_chunk_that_is_longer_than_it_said_is_an_io_error() {
    let script = ok_head().send("Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\nXX\r\n").fin();
    let seen = attempt(script, |_| {});
    assert_eq!(seen, [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Io, 200, true)]);
}

#[test]
fn extensions_and_trailers_are_read_over_up_to_a_limit() {
    let ended = [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Ended, 200, true)];
    for (extension, expected) in [
        (";a=b".to_owned(), &ended[..]),
        (" ; a=\"b;c\"".to_owned(), &ended),
        ("  ".to_owned(), &ended),
        (format!(";a={}", "x".repeat(4000)), &ended),
        (format!(";a={}", "x".repeat(4096)), &[plain(Kind::Open), error(ErrorKind::Io, 200, true)]),
    ] {
        let script = ok_head()
            .send(format!(
                "Transfer-Encoding: chunked\r\n\r\n009{extension}\r\ndata: a\n\n\r\n0\r\nX-Trailer: y\r\n\r\n"
            ))
            .fin();
        assert_eq!(attempt(script, |_| {}), expected, "{} bytes", extension.len());
    }
}

#[test]
fn chunked_overrides_a_length() {
    let script =
        ok_head().send("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n").fin();
    assert_eq!(attempt(script, |_| {}), [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Ended, 200, true)]);
    // HTTP/1.0 knows no chunks: what looks like them is the body.
    let script = Script::new()
        .send("HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        .send("9\r\ndata: a\n\n\r\n0\r\n\r\n")
        .fin();
    assert_eq!(attempt(script, |_| {}), [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Ended, 200, true)]);
}

#[test]
fn a_length_is_a_promise_and_a_limit() {
    let script = |length| ok_head().send(format!("Content-Length: {length}\r\n\r\ndata: a\n\ndata: b\n\n")).stall();
    assert_eq!(
        attempt(script(9), |_| {}),
        [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Ended, 200, true)],
        "what is beyond the length is no part of the body, and nobody waits for more"
    );
    assert_eq!(attempt(script(0), |_| {}), [plain(Kind::Open), error(ErrorKind::Ended, 200, true)]);
}

#[test]
fn a_trailer_without_end_takes_no_memory() {
    let grown = peak_growth(|| {
        let script =
            ok_head().send("Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n").endless("X-T: y\r\n", FLOOD);
        let seen = attempt(script, |c| {
            c.set_idle_timeout(Some(Duration::from_secs(5))).unwrap();
        });
        assert_eq!(seen, [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Io, 200, true)]);
    });
    assert!(grown < 8 * MIB, "{grown}");
}

#[test]
fn a_line_without_end_takes_no_more_than_the_limit() {
    for (script, errors) in [
        (Script::endless_line(FLOOD), 1),
        (Script::endless_comment(FLOOD), 1),
        (Script::sse().send("id: ").endless("0123456789abcdef", FLOOD), 1),
        (Script::sse().send("event: ").endless("0123456789abcdef", FLOOD), 1),
        (Script::sse().endless("data: 0123456789abcdef\n", FLOOD), 1),
        (Script::sse().send("unknown: ").endless("0123456789abcdef", FLOOD), 0),
        (Script::sse().endless("name-without-colon", FLOOD), 0),
        (Script::sse().send("retry: ").endless("9", FLOOD), 0),
        (Script::sse().endless("\r", FLOOD), 0),
        (Script::sse().endless("id: 1\n\n", FLOOD), 0),
    ] {
        let what = format!("{script:?}").chars().take(400).collect::<String>();
        let grown = peak_growth(|| {
            let seen = attempt(script, |_| {});
            let too_large = error(ErrorKind::EventTooLarge, 200, false);
            assert_eq!(seen.iter().filter(|seen| **seen == too_large).count(), errors, "{what}: {seen:?}");
            assert_eq!(seen.last(), Some(&error(ErrorKind::Ended, 200, true)), "{what}");
        });
        assert!(grown < 12 * MIB, "{what}: {grown} bytes");
    }
}

#[test]
fn after_a_204_nothing_is_read() {
    let script =
        Script::new().send("HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n").stall();
    let seen = attempt(script, |_| {});
    assert_eq!(seen, [Seen { kind: Kind::Close, error: ErrorKind::Ended, status: 204, retried: false }]);
}

#[test]
fn a_gzip_bomb_meets_the_same_limits() {
    let grown = peak_growth(|| {
        // A megabyte of nothing is a thousand bytes on the wire.
        let server = Server::start();
        server.handle("/", |_, connection| {
            connection.run(&Script::sse().gzip().body("data: "))?;
            let zeros = "0".repeat(MIB);
            for _ in 0..FLOOD / MIB {
                connection.body(&zeros)?;
            }
            connection.body("\n\ndata: b\n\n")?;
            connection.end_body()
        });
        let seen = attempt_at(&server, |_| {});
        let too_large = error(ErrorKind::EventTooLarge, 200, false);
        assert_eq!(seen, [plain(Kind::Open), too_large, plain(Kind::Message), error(ErrorKind::Ended, 200, true)]);
    });
    assert!(grown < 16 * MIB, "{grown}");
}

#[test]
fn what_says_gzip_and_is_not_is_an_error() {
    let script = ok_head().send("Content-Encoding: gzip\r\n\r\ndata: a\n\ndata: b\n\n").fin();
    assert_eq!(attempt(script, |_| {}), [plain(Kind::Open), error(ErrorKind::Io, 200, true)]);
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "compress"] {
        let script = ok_head().send(format!("Content-Encoding: {coding}\r\n\r\ndata: a\n\n")).fin();
        assert_eq!(attempt(script, |_| {}), [error(ErrorKind::Encoding, 200, false)], "{coding}");
    }
}

// ---- redirects ----

#[test]
fn redirects_without_end_are_one_final_error() {
    for location in ["/", "/again", "?", "//127.0.0.1:1/"] {
        let script = Script::redirect(302, location).header("Content-Length", "0");
        let seen = attempt(script, |_| {});
        if location.starts_with("//") {
            assert_eq!(seen, [error(ErrorKind::Connect, 0, true)]);
        } else {
            assert_eq!(seen, [error(ErrorKind::Redirect, 302, false)], "{location}");
        }
    }
}

#[test]
fn locations_that_lead_nowhere_are_final_errors() {
    for location in
        ["", "ftp://127.0.0.1/", "javascript:alert(1)", "http://", "http://[::1", "http://a:99999/", "data:,x"]
    {
        let seen = attempt(Script::redirect(302, location).header("Content-Length", "0"), |_| {});
        assert_eq!(seen, [error(ErrorKind::Redirect, 302, false)], "{location:?}");
    }
    let seen = attempt(Script::status(302, "Found").header("Content-Length", "0"), |_| {});
    assert_eq!(seen, [error(ErrorKind::HttpStatus, 302, false)], "no Location at all");
}

// ---- time ----

#[test]
fn a_head_that_trickles_meets_the_response_timeout() {
    let script = ok_head().slow("X: y\r\n".repeat(100_000), 1);
    let seen = attempt(script, |c| {
        c.set_response_timeout(Some(Duration::from_millis(200))).unwrap();
    });
    assert_eq!(seen, [error(ErrorKind::TimedOut, 0, true)]);
}

#[test]
fn an_error_body_without_end_is_cut() {
    let begun = Instant::now();
    let seen = attempt(Script::status(404, "Gone").stall(), |_| {});
    assert_eq!(seen, [error(ErrorKind::HttpStatus, 404, false)]);
    assert!(begun.elapsed() < Duration::from_secs(30), "two seconds are enough for an error body");
    let grown = peak_growth(|| {
        let seen = attempt(Script::status(404, "Gone").endless("x", FLOOD), |_| {});
        assert_eq!(seen, [error(ErrorKind::HttpStatus, 404, false)]);
    });
    assert!(grown < 8 * MIB, "{grown}");
}

#[test]
fn a_reset_in_any_phase_is_an_io_error() {
    let io = |status| error(ErrorKind::Io, status, true);
    assert_eq!(attempt(Script::new().reset(), |_| {}), [io(0)], "before the head");
    assert_eq!(attempt(Script::new().send("HTTP/1.1 200 O").reset(), |_| {}), [io(0)], "inside the status line");
    assert_eq!(attempt(ok_head().reset(), |_| {}), [io(0)], "inside the head");
    for (framing, script) in [
        ("until close", Script::sse()),
        ("chunked", Script::sse().chunked()),
        ("length", Script::sse().length(1000)),
        ("gzip", Script::sse().gzip()),
    ] {
        let seen = attempt(script.clone().body("data: a\n\n").wait_for("x").reset(), |c| {
            c.set_idle_timeout(Some(Duration::from_secs(4))).unwrap();
        });
        assert_eq!(seen, [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::TimedOut, 200, true)], "{framing}");
        // The reset may overtake what was sent before it, so only the end is certain.
        let seen = attempt(script.body("data: a\n\n").reset(), |_| {});
        assert_eq!(seen.last().map(|seen| seen.error), Some(ErrorKind::Io), "{framing}: {seen:?}");
    }
}

#[test]
fn a_body_cut_short_is_an_io_error_whatever_it_said() {
    for (framing, script) in [
        ("chunked", Script::sse().chunked().body("data: a\n\n").fin()),
        ("inside a chunk", Script::sse().send("").fin()),
        ("length", Script::sse().length(1000).body("data: a\n\n").fin()),
    ] {
        if framing == "inside a chunk" {
            let script = ok_head().send("Transfer-Encoding: chunked\r\n\r\n20\r\ndata: a\n\n").fin();
            assert_eq!(
                attempt(script, |_| {}),
                [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Io, 200, true)]
            );
            continue;
        }
        assert_eq!(
            attempt(script, |_| {}),
            [plain(Kind::Open), plain(Kind::Message), error(ErrorKind::Io, 200, true)],
            "{framing}"
        );
    }
}
