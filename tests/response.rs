//! What comes back: section B of the acceptance list, statuses, types, codings, and the limits on what is not the body.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::time::Instant;

use common::*;
use eventsource::{Config, ErrorKind, Kind, State};

const EVENT: &str = "data: a\n\n";

/// The story of a source whose server always answers `script`, up to its first ERROR or MESSAGE.
fn first_answer(driver: Driver, script: Script, change: impl FnOnce(&mut Config)) -> Vec<Seen> {
    let server = Server::start();
    server.on("/s", script);
    let mut config = fast(&server.url("/s"));
    change(&mut config);
    let seen = follow(driver, &config, |event, handle| {
        let retried = event.kind() == Kind::Error && event.retry_ms() >= 0;
        if retried || event.kind() == Kind::Message {
            handle.close().unwrap();
        }
    });
    assert_eq!(server.requests().len(), 1, "one request");
    seen
}

fn brief(driver: Driver, script: Script, change: impl FnOnce(&mut Config)) -> Vec<String> {
    story(&first_answer(driver, script, change))
}

#[test]
fn status_200_and_an_event_stream_open() {
    // row 10
    for_each_driver(|driver| {
        let script = Script::sse().header("X-Custom", "1").header("X-Custom", "2").body(EVENT).stall();
        let seen = first_answer(driver, script, |_| {});
        assert_eq!(story(&seen), ["connect", "open", "message \"a\"", "close None 200"]);
        let headers: Vec<_> = seen[1].headers.iter().map(|(n, v)| (n.to_lowercase(), v.as_str())).collect();
        let expected = [("content-type", "text/event-stream"), ("x-custom", "1"), ("x-custom", "2")];
        assert_eq!(headers, expected.map(|(n, v)| (n.to_owned(), v)));
    });
}

#[test]
fn every_other_status_is_judged() {
    // row 11, row 28
    let retried = [408, 425, 429, 500, 502, 503, 504, 506, 507, 508, 510, 511, 520, 522, 599];
    let ended = [
        201, 202, 203, 205, 206, 226, 299, 300, 304, 305, 306, 399, 400, 401, 402, 403, 404, 405, 406, 407, 409, 410,
        411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 426, 428, 431, 451, 499, 501, 505, 600, 999,
    ];
    for_each_driver(|driver| {
        let body =
            |status| Script::status(status, "X").header("Content-Type", "text/event-stream").length(9).body(EVENT);
        for status in ended {
            let error = format!("error HttpStatus {status} final");
            let close = format!("close HttpStatus {status}");
            assert_eq!(brief(driver, body(status), |_| {}), ["connect", &error, &close]);
        }
        for status in retried {
            let error = format!("error HttpStatus {status} retry=1000");
            let close = format!("close None {status}");
            assert_eq!(brief(driver, body(status), |_| {}), ["connect", &error, &close]);
        }
    });
}

#[test]
fn with_standard_status_every_status_but_200_is_final_after_one_request() {
    // row 11, row 12
    let statuses = [
        201, 202, 203, 204, 205, 206, 226, 299, 300, 304, 400, 401, 403, 404, 408, 410, 425, 429, 500, 501, 502, 503,
        504, 505, 511, 520, 599,
    ];
    for_each_driver(|driver| {
        for status in statuses {
            let seen = brief(driver, Script::empty(status).end(), |c| {
                c.set_standard_status(true).unwrap();
            });
            let error = format!("error HttpStatus {status} final");
            assert_eq!(seen, ["connect", &error, &format!("close HttpStatus {status}")]);
        }
    });
}

#[test]
fn status_204_closes_without_an_error() {
    // row 12
    for_each_driver(|driver| {
        assert_eq!(brief(driver, Script::empty(204).end(), |_| {}), ["connect", "close Ended 204"]);
        // On a reconnect too.
        let server = Server::start();
        server.on("/s", [Script::events("id: 1\ndata: a\n\n"), Script::status(204, "No Content").end()]);
        let seen = follow(driver, &fast(&server.url("/s")), |_, _| {});
        let expected = [
            "connect",
            "open",
            "message \"a\" id=1",
            "error Ended 200 retry=1000 id=1",
            "connect id=1",
            "close Ended 204 id=1",
        ];
        assert_eq!(story(&seen), expected);
        assert_eq!(server.requests().len(), 2);
    });
}

#[test]
fn the_content_type_is_compared_by_its_essence() {
    // row 10, row 13, row 14, row 15, row 16
    let good: &[&[u8]] = &[
        b"text/event-stream",
        b"TEXT/Event-Stream",
        b"text/event-stream;",
        b"text/event-stream; charset=utf-8",
        b"text/event-stream;charset=windows-1252",
        b"text/event-stream; x=\"a;b\"",
        b"text/event-stream ; a=b",
        b"  text/event-stream  ",
        b"text/event-stream;charset=\xff",
        b"text/event-stream;;;",
        b"text/html, text/event-stream",
        b"text/event-stream, */*",
    ];
    let bad: &[&[u8]] = &[
        b"",
        b"text/event-streams",
        b"text/event-strea",
        b"text/event-stream x",
        b"application/json; x=text/event-stream",
        b"text/plain",
        b"text",
        b"/",
        b"text/",
        b"/event-stream",
        b"text/event-stream/x",
        b"\"text/event-stream\"",
        b"text /event-stream",
        b"*/*",
        b"application/x-dom-event-stream",
        b"text/event-stream,text/html",
    ];
    for_each_driver(|driver| {
        for value in good {
            let script = Script::status(200, "OK").header("Content-Type", value).body(EVENT).stall();
            let name = String::from_utf8_lossy(value);
            assert_eq!(
                brief(driver, script, |_| {}),
                ["connect", "open", "message \"a\"", "close None 200"],
                "{name:?}"
            );
        }
        let refused = ["connect", "error ContentType 200 final", "close ContentType 200"];
        for value in bad {
            let script = Script::status(200, "OK").header("Content-Type", value).body(EVENT).fin();
            assert_eq!(brief(driver, script, |_| {}), refused, "{:?}", String::from_utf8_lossy(value));
        }
        assert_eq!(brief(driver, Script::status(200, "OK").body(EVENT).fin(), |_| {}), refused);
    });
}

#[test]
fn of_several_content_types_the_last_counts_and_http_1_0_is_http() {
    // row 10
    for_each_driver(|driver| {
        let told = ["connect", "open", "message \"a\"", "close None 200"];
        let last =
            Script::status(200, "OK").header("Content-Type", "text/html").header("Content-Type", "text/event-stream");
        assert_eq!(brief(driver, last.body(EVENT).stall(), |_| {}), told);
        let nonsense = Script::sse().header("Content-Type", "nonsense");
        assert_eq!(brief(driver, nonsense.body(EVENT).stall(), |_| {}), told);
        let old = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        assert_eq!(brief(driver, Script::new().send(old).send(EVENT).stall(), |_| {}), told);
        let no_reason = "HTTP/1.1 200\r\ncontent-type:text/event-stream\r\n\r\n";
        assert_eq!(brief(driver, Script::new().send(no_reason).send(EVENT).stall(), |_| {}), told);
    });
}

#[test]
fn charset_does_not_matter_the_body_is_utf8() {
    // row 16
    for_each_driver(|driver| {
        let script = Script::status(200, "OK").header("Content-Type", "text/event-stream; charset=iso-8859-1");
        let seen = brief(driver, script.body("data: ü\n\n").stall(), |_| {});
        assert_eq!(seen[2], "message \"ü\"");
    });
}

#[test]
fn informational_responses_are_skipped_but_101() {
    // row 23
    for_each_driver(|driver| {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        let script = Script::new().send(early).step(Script::sse().steps.remove(0)).body(EVENT).stall();
        assert_eq!(brief(driver, script, |_| {}), ["connect", "open", "message \"a\"", "close None 200"]);
        let switching =
            Script::status(101, "Switching Protocols").header("Upgrade", "x").header("Connection", "upgrade");
        let seen = brief(driver, switching.fin(), |_| {});
        assert_eq!(seen, ["connect", "error HttpStatus 101 final", "close HttpStatus 101"]);
        let continue_with_headers = Script::new().send("HTTP/1.1 100 Continue\r\nX: y\r\n\r\n").stall();
        assert_eq!(brief(driver, continue_with_headers, |_| {}), ["connect", "error Io retry=1000", "close None"]);
    });
}

#[test]
fn codings() {
    // row 24
    for_each_driver(|driver| {
        // Asked for or not, gzip is decoded as it arrives: the event is here while the server holds the connection.
        for compression in [false, true] {
            for framed in [Script::sse(), Script::sse().chunked()] {
                let server = Server::start();
                let script = framed.gzip().body(EVENT).wait_for("more").body("data: b\n\n").body("data: c\n\n").end();
                server.on("/s", script);
                let mut config = fast(&server.url("/s"));
                config.set_compression(compression).unwrap();
                let mut session = Session::start(driver, &config);
                session.until_message("a");
                server.go("more");
                session.until_message("b");
                session.until_message("c");
                assert_eq!(session.until(Kind::Error).error, ErrorKind::Ended);
                session.close();
                let asked = if compression { "gzip" } else { "identity" };
                assert_eq!(server.requests()[0].all("accept-encoding").collect::<Vec<_>>(), [asked]);
            }
        }
        // Whatever its size and however well it packs: nothing of it waits for what comes after.
        let mixed =
            |len: usize| (0..len).map(|n| char::from(b'a' + ((n * n / 7 + n / 3) % 26) as u8)).collect::<String>();
        let server = Server::start();
        for len in [1_900, 1_984, 2_000, 3_000, 10_000, 31_000, 33_000, 40_000, 70_000, 200_000] {
            for data in ["x".repeat(len), mixed(len)] {
                let event = format!("data: {data}\n\n");
                server.on("/l", Script::sse().gzip().body(&event).wait_for("more").body(event.repeat(3)).stall());
                let mut session = Session::start(driver, &fast(&server.url("/l")));
                session.until_message(&data);
                server.go("more");
                for _ in 0..3 {
                    session.until_message(&data);
                }
                session.close();
            }
        }
        // OPEN comes with the head, which may be long before the first byte of the body.
        for head in [Script::sse(), Script::sse().gzip(), Script::sse().gzip().chunked()] {
            let server = Server::start();
            server.on("/s", head.wait_for("body").body(EVENT).stall());
            let mut session = Session::start(driver, &fast(&server.url("/s")));
            session.until(Kind::Open);
            server.go("body");
            session.until_message("a");
            session.close();
        }
        for coding in ["br", "deflate", "gzip, br", "compress", "zstd", "gzip, gzip", "nonsense"] {
            let script = Script::sse().header("Content-Encoding", coding).body(EVENT).fin();
            let seen = brief(driver, script, |_| {});
            assert_eq!(seen, ["connect", "error Encoding 200 final", "close Encoding 200"], "{coding}");
        }
        for coding in ["identity", "", "Identity"] {
            let script = Script::sse().header("Content-Encoding", coding).body(EVENT).stall();
            assert_eq!(brief(driver, script, |_| {})[2], "message \"a\"", "{coding}");
        }
        // What claims to be gzip and is not breaks the stream; coded bytes are never parsed.
        let script = Script::sse().header("Content-Encoding", "gzip").body(EVENT).body(EVENT).fin();
        assert_eq!(brief(driver, script, |_| {}), ["connect", "open", "error Io 200 retry=1000", "close None 200"]);
    });
}

#[test]
fn gzip_by_other_names() {
    // row 24
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(EVENT.as_bytes()).unwrap();
    let coded = encoder.finish().unwrap();
    for_each_driver(|driver| {
        for name in ["GZIP", "x-gzip", "Gzip"] {
            let script = Script::sse().header("Content-Encoding", name).body(&coded).stall();
            assert_eq!(brief(driver, script, |_| {})[2], "message \"a\"", "{name}");
        }
        // A stream of which the end is missing is no complete one.
        let script = Script::sse().header("Content-Encoding", "gzip").body(&coded[..coded.len() - 4]).fin();
        let server = Server::start();
        server.on("/s", script);
        let seen = story_until(driver, &fast(&server.url("/s")), Kind::Error, 1);
        assert_eq!(seen[2..4], ["message \"a\"", "error Io 200 retry=1000"]);
    });
}

#[test]
fn the_refused_body_is_kept_up_to_4_kib() {
    for_each_driver(|driver| {
        let script =
            Script::status(404, "Not Found").header("X-Why", "because").length(10).body(b"not \xff here").end();
        let seen = first_answer(driver, script, |_| {});
        assert_eq!((seen[1].body.as_str(), seen[1].state), ("not \u{fffd} here", State::Closed));
        assert_eq!(seen[1].headers[0], ("x-why".into(), "because".into()));
        let long = "x".repeat(10_000);
        let seen = first_answer(driver, Script::status(500, "No").chunked().body(&long).end(), |_| {});
        assert_eq!(seen[1].body, &long[..4096]);
        // Coded, it would say nothing to anybody.
        let coded = Script::status(400, "No").gzip().chunked().body("{\"error\": \"why\"}").end();
        let seen = first_answer(driver, coded, |config| {
            config.set_compression(true).unwrap();
        });
        assert_eq!(seen[1].body, "{\"error\": \"why\"}");
    });
}

#[test]
fn a_refused_body_that_never_ends_is_not_waited_for() {
    // What came within 2 s is kept. The driver does not matter here, and the 2 s are real.
    let begun = Instant::now();
    let seen = first_answer(Driver::Next, Script::status(403, "No").body("half").stall(), |_| {});
    assert_eq!((seen[1].body.as_str(), seen[1].http_status), ("half", 403));
    assert!(begun.elapsed() < DEADLINE);
}

#[test]
fn what_is_not_http_is_an_io_error_and_retried() {
    // row 25
    let bad: &[&str] = &[
        "nonsense\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nspace in name: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\ndata: a\n\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
        "HTTP/1.1 20",
        "\0\0\0\0",
        "",
    ];
    for_each_driver(|driver| {
        for text in bad {
            let seen = brief(driver, Script::new().send(text).fin(), |_| {});
            assert_eq!(seen, ["connect", "error Io retry=1000", "close None"], "{text:?}");
        }
    });
}

#[test]
fn bad_chunks_break_the_stream() {
    for_each_driver(|driver| {
        let too_long = format!("3;extension={}\r\nabc\r\n", "x".repeat(4096));
        for chunks in ["x\r\n", "5\r\ndata:", "-1\r\n", "ffffffffffffffffff\r\n", &too_long, "4\r\n: a\nXX"] {
            let script = Script::sse().chunked().body(": first\n").send(chunks).fin();
            let seen = brief(driver, script, |_| {});
            let broken = seen.iter().position(|e| e == "error Io 200 retry=1000");
            // What came before is delivered before, in whatever reads it came.
            assert!(
                broken >= Some(3) && seen[..2] == ["connect", "open"] && seen[2].starts_with("comment"),
                "{chunks:?}: {seen:?}"
            );
        }
    });
}

#[test]
fn everything_before_the_body_is_at_most_64_kib_and_128_headers() {
    for_each_driver(|driver| {
        let endless: &[fn(usize) -> Script] =
            &[Script::endless_head, Script::endless_header_line, Script::endless_informational];
        for script in endless {
            let server = Server::start();
            server.on("/s", script(100 << 20));
            let seen = story_until(driver, &fast(&server.url("/s")), Kind::Error, 1);
            assert_eq!(seen, ["connect", "error Io retry=1000", "close None"]);
            server.wait_for_open(0, DEADLINE);
            assert!(server.connections()[0].sent < 50 << 20, "it was not read to its end");
        }
        let filler = |n: usize| "X-Filler: 0123456789abcdef\r\n".repeat(n);
        let head = |filler: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{filler}\r\n{EVENT}");
        let many = brief(driver, Script::new().send(head(&filler(200))).stall(), |_| {});
        assert_eq!(many, ["connect", "error Io retry=1000", "close None"]);
        let some = brief(driver, Script::new().send(head(&filler(120))).stall(), |_| {});
        assert_eq!(some[2], "message \"a\"");
        let long = format!("X: {}\r\n", "x".repeat(60_000));
        assert_eq!(brief(driver, Script::new().send(head(&long)).stall(), |_| {})[2], "message \"a\"");
        let too_long = format!("X: {}\r\n", "x".repeat(70_000));
        let seen = brief(driver, Script::new().send(head(&too_long)).stall(), |_| {});
        assert_eq!(seen, ["connect", "error Io retry=1000", "close None"]);
    });
}

#[test]
fn events_over_the_limit_are_skipped_and_the_stream_goes_on() {
    // row 60
    for_each_driver(|driver| {
        let server = Server::start();
        let body = format!("id: 1\ndata: {}\n\n: {}\ndata: b\n\n", "x".repeat(2000), "y".repeat(2000));
        server.on("/s", Script::sse().body(body).stall());
        let mut config = fast(&server.url("/s"));
        config.set_max_event_size(1000).unwrap();
        let seen = follow_until(driver, &config, Kind::Message, 1);
        let told = [
            "connect",
            "open",
            "error EventTooLarge 200",
            "error EventTooLarge 200 id=1",
            "message \"b\" id=1",
            "close None 200 id=1",
        ];
        assert_eq!(story(&seen), told);
        assert_eq!(server.requests().len(), 1);
        // 0 is no limit that anything could keep to.
        assert!(Config::new("http://h/").unwrap().set_max_event_size(0).is_err());
    });
}
