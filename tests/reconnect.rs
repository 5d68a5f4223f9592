//! Losing connections and coming back: section D of the acceptance list, back-off, and what a repeated POST may do.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::*;
use eventsource::{Config, ErrorKind, Event, EventSource, Handle, Kind, ReconnectMode, State};
use eventsource_test_server::{BlackHole, Fault, Request, Tls};

fn ids(requests: &[Request]) -> Vec<Option<String>> {
    requests.iter().map(|r| r.header("last-event-id")).collect()
}

fn waits(seen: &[Seen]) -> Vec<i64> {
    seen.iter().filter(|e| e.kind == Kind::Error).map(|e| e.retry_ms).collect()
}

#[test]
fn failures_before_a_response_are_retried() {
    // row 25
    for_each_driver(|driver| {
        let first_error = |config: &Config| story_until(driver, config, Kind::Error, 1)[1].clone();
        let server = Server::start_refusing(([127, 0, 0, 1], 0));
        assert_eq!(first_error(&fast(&server.url("/"))), "error Connect retry=1000");
        let server = Server::start();
        server.on_connection(0, Script::new().reset());
        server.on_connection(1, Script::new().fin());
        server.on("/s", Script::new().reset());
        server.on("/half", Script::new().send("HTTP/1.1 200 OK\r\nContent-").reset());
        // A reset may come before the client has seen that it is connected.
        let reset = first_error(&fast(&server.url("/s")));
        assert!(reset == "error Io retry=1000" || reset == "error Connect retry=1000", "{reset}");
        assert_eq!(first_error(&fast(&server.url("/s"))), "error Io retry=1000");
        assert_eq!(first_error(&fast(&server.url("/s"))), "error Io retry=1000");
        assert_eq!(first_error(&fast(&server.url("/half"))), "error Io retry=1000");
        // A label of more than 63 characters is no name that could be looked up: no server is asked.
        let unknown = format!("http://{}.test/", "x".repeat(64));
        assert_eq!(first_error(&fast(&unknown)), "error Dns retry=1000");
        // A certificate that does not verify may be a captive portal's.
        let server = Server::start_tls(&Tls::new().fault(Fault::UnknownCa));
        let mut config = fast(&server.url("/"));
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
        assert_eq!(first_error(&config), "error Tls retry=1000");
        // HTTP where TLS should be.
        let server = Server::start();
        server.on_every_connection(Script::new().send("HTTP/1.1 400 Bad Request\r\n\r\n").fin());
        assert_eq!(first_error(&fast(&format!("https://{}/", server.address()))), "error Tls retry=1000");
    });
}

#[test]
fn every_end_of_a_body_leads_to_a_new_attempt() {
    // row 35
    let event = "data: a\n\n";
    let ends = [
        (Script::events(event), "Ended"),
        (Script::sse().body(event).fin(), "Ended"),
        (Script::sse().length(9).body(event).stall(), "Ended"),
        (Script::sse().length(10).body(event).fin(), "Io"),
        (Script::sse().chunked().body(event).fin(), "Io"),
        (Script::sse().chunked().body(event).send("5\r\nda").fin(), "Io"),
        // Complete is what has its zero-sized chunk (RFC 9112, 8), though more should follow.
        (Script::sse().chunked().body(event).send("0\r\n").fin(), "Ended"),
        (Script::sse().body(event).pause(ms(20)).reset(), "Io"),
        (Script::sse().chunked().body(event).pause(ms(20)).reset(), "Io"),
    ];
    for_each_driver(|driver| {
        for (script, error) in &ends {
            let server = Server::start();
            server.on("/s", [script.clone(), Script::sse().body("data: b\n\n").stall()]);
            let seen = story_until(driver, &fast(&server.url("/s")), Kind::Message, 2);
            let error = format!("error {error} 200 retry=1000");
            assert_eq!(seen[3], error, "{script:?}");
            assert_eq!(seen[4..], ["connect", "open", "message \"b\"", "close None 200"]);
        }
    });
}

#[test]
fn connecting_then_the_error_then_the_wait() {
    // row 36, row 37, row 38
    for_each_driver(|driver| {
        let server = Arc::new(Server::start());
        server.on("/s", Script::events("data: a\n\n"));
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let witness = server.clone();
        let mut attempts = 0;
        let seen = follow(driver, &config, move |event, handle| match event.kind() {
            Kind::Error => {
                assert_eq!((handle.state(), event.state()), (State::Connecting, State::Connecting));
                assert!(clock.waits().is_empty(), "the wait begins behind the error");
            }
            Kind::Connect => {
                attempts += 1;
                if attempts == 2 {
                    assert_eq!(clock.waits(), [ms(1000)], "the default");
                    assert_eq!(witness.connections().len(), 1, "nothing was sent before the wait was over");
                    handle.close().unwrap();
                }
            }
            _ => {}
        });
        let told = ["connect", "open", "message \"a\"", "error Ended 200 retry=1000", "connect", "close None 200"];
        assert_eq!(story(&seen), told);
        assert_eq!(server.connections().len(), 1);
    });
}

#[test]
fn the_wait_is_the_one_announced_and_at_most_a_fifth_longer_than_asked() {
    // row 37
    for_each_driver(|driver| {
        for (random, expected) in [(0.0, 1000), (0.5, 1100), (0.999_999, 1199)] {
            let server = Server::start();
            server.on("/s", [Script::events("data: a\n\n"), Script::sse().stall()]);
            let (config, clock) = fast_with_clock(&server.url("/s"));
            clock.set_random(random);
            let seen = follow_until(driver, &config, Kind::Open, 2);
            assert_eq!(waits(&seen), [expected]);
            assert_eq!(clock.waits(), [ms(expected as u64)]);
        }
    });
}

#[test]
fn close_and_pause_during_the_wait_end_it() {
    // row 33, row 39
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::empty(503).end());
        let mut config = Config::new(&server.url("/s")).unwrap(); // on the real clock
        config.set_retry(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
        let mut session = Session::start(driver, &config);
        session.until(Kind::Error);
        session.handle.pause().unwrap();
        assert_eq!(session.handle.state(), State::Paused);
        assert!(session.is_quiet());
        session.handle.resume().unwrap();
        session.expect(Kind::Connect);
        session.until(Kind::Error);
        session.handle.close().unwrap();
        let seen = session.end();
        let error = "error HttpStatus 503 retry=";
        let story = story(&seen);
        assert!(story[1].starts_with(error) && story[3].starts_with(error), "{story:?}");
        assert_eq!((story.len(), story[4].as_str()), (5, "close None 503"));
        assert_eq!(server.requests().len(), 2);
    });
}

#[test]
fn no_connection_is_held_while_waiting() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().length(9).body("data: a\n\n").stall());
        let mut config = Config::new(&server.url("/s")).unwrap();
        config.set_retry(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
        let mut session = Session::start(driver, &config);
        session.until(Kind::Error);
        server.wait_for_peer_end(0, DEADLINE); // though the server would have held it for longer
        session.close();
    });
}

#[test]
fn it_keeps_trying_with_one_error_an_attempt() {
    // row 40, row 37
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::empty(503).end());
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let seen = follow_until(driver, &config, Kind::Error, 40);
        assert_eq!(server.requests().len(), 40);
        assert_eq!(seen.iter().filter(|e| e.kind == Kind::Connect).count(), 40);
        let expected = [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000];
        assert_eq!(waits(&seen)[..8], expected.map(|wait| wait as i64));
        assert!(waits(&seen)[8..].iter().all(|wait| *wait == 30000));
        assert_eq!(clock.waits()[..8], expected.map(ms));
    });
}

#[test]
fn first_and_max_are_settable() {
    // row 37
    for_each_driver(|driver| {
        for (first, max, expected) in [
            (10, 1000, [10, 200, 400, 800, 1000, 1000]),
            (0, 0, [0, 0, 0, 0, 0, 0]),
            (5000, 10, [5000, 5000, 5000, 5000, 5000, 5000]),
            (100, 300, [100, 200, 300, 300, 300, 300]),
        ] {
            let server = Server::start();
            server.on("/s", Script::empty(503).end());
            let mut config = fast(&server.url("/s"));
            config.set_retry(ms(first), ms(max)).unwrap();
            assert_eq!(waits(&follow_until(driver, &config, Kind::Error, 6)), expected, "{first} {max}");
        }
    });
}

#[test]
fn retry_lasts_until_it_is_changed() {
    // row 41, row 71
    for_each_driver(|driver| {
        let server = Server::start();
        let busy = || Script::empty(503).end();
        server.on(
            "/s",
            [
                Script::events("retry: 5000\n\ndata: a\n\n"),
                Script::events("data: b\n\n"),
                busy(),
                Script::events("data: c\n\n"),
                Script::events("data: d\n\nretry: 70\ndata: of a block that never ends"),
                Script::events("retry: 99999999999999999999\n"),
                busy(),
            ],
        );
        let seen = follow_until(driver, &fast(&server.url("/s")), Kind::Error, 7);
        // A failure in a row of its own doubles the base; above 24 h it is 24 h.
        assert_eq!(waits(&seen), [5000, 5000, 10000, 5000, 70, 86_400_000, 86_400_000]);
    });
}

#[test]
fn last_event_id_goes_along_iff_there_is_one() {
    // row 42, row 43, row 44, row 46, row 49
    for_each_driver(|driver| {
        let server = Server::start();
        server.on(
            "/s",
            [
                Script::events("data: no id\n\n"),
                Script::events("id: 1\ndata: a\n\n"),
                Script::empty(503).end(),
                Script::events("data: still 1\n\n"),
                Script::events("id: {\"ü\": [1, 2]}\n\n"), // commits without a message
                Script::events("id\ndata: reset\n\n"),
                Script::events("id: 2\ndata: b\n\nid: discarded\ndata: half a block"),
                Script::sse().body("data: end\n\n").stall(),
            ],
        );
        let seen = follow(driver, &fast(&server.url("/s")), |event, handle| {
            if event.data() == "end" {
                handle.close().unwrap();
            }
        });
        let expected = [None, None, Some("1"), Some("1"), Some("1"), Some("{\"ü\": [1, 2]}"), None, Some("2")]
            .map(|id| id.map(String::from));
        assert_eq!(ids(&server.requests()), expected);
        let raw = server.requests()[5]
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case("last-event-id"))
            .unwrap()
            .1
            .clone();
        assert_eq!(raw, "{\"ü\": [1, 2]}".as_bytes());
        let messages: Vec<_> =
            seen.iter().filter(|e| e.kind == Kind::Message).map(|e| (e.data.as_str(), e.id.as_str())).collect();
        assert_eq!(messages, [("no id", ""), ("a", "1"), ("still 1", "1"), ("reset", ""), ("b", "2"), ("end", "2")]);
        // CONNECT says what will be sent.
        let connects: Vec<_> = seen.iter().filter(|e| e.kind == Kind::Connect).map(|e| e.id.clone()).collect();
        let sent: Vec<_> = expected.into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(connects, sent);
    });
}

#[test]
fn a_preset_id_is_replaced_by_those_that_come() {
    // row 46, row 49
    for_each_driver(|driver| {
        let server = Server::start();
        server.on(
            "/s",
            [
                Script::events("data: a\n\n"),
                Script::events("id: 2\ndata: b\n\n"),
                Script::events("id:\ndata: c\n\n"),
                Script::sse().stall(),
            ],
        );
        let mut config = fast(&server.url("/s"));
        config.set_header("lAST-eVENT-iD", "preset").unwrap();
        let seen = follow_until(driver, &config, Kind::Open, 4);
        assert_eq!(
            ids(&server.requests()),
            [Some("preset"), Some("preset"), Some("2"), None].map(|id| id.map(String::from))
        );
        assert_eq!(seen[2].id, "preset");
        assert!(server.requests().iter().all(|r| r.all("last-event-id").count() < 2));
    });
}

#[test]
fn an_id_set_while_the_stream_is_open_is_for_the_next_attempt_unless_another_comes() {
    // row 46
    for_each_driver(|driver| {
        for (more, shown, sent) in [
            ("data: b\n\n", "1", Some("mine")),
            ("id\ndata: b\n\n", "", None),
            ("id: 2\ndata: b\n\n", "2", Some("2")),
            ("id: 3\n\ndata: b\n\n", "3", Some("3")),
            ("id: 1\ndata: b\n\n", "1", Some("1")),
            ("data: b\n\nid: 4\n", "1", Some("mine")), // no blank line has committed it
        ] {
            let server = Server::start();
            server.on(
                "/s",
                [
                    Script::sse().body("id: 1\ndata: a\n\n").wait_for("set").body(more).fin(),
                    Script::sse().body("data: c\n\n").stall(),
                ],
            );
            let mut session = Session::start(driver, &fast(&server.url("/s")));
            session.until_message("a");
            session.handle.set_header("LAST-event-ID", Some("mine")).unwrap();
            server.go("set");
            assert_eq!(session.until_message("b").id, shown, "{more:?}: not before the next attempt");
            assert_eq!(session.until(Kind::Connect).id, sent.unwrap_or_default(), "{more:?}");
            session.until_message("c");
            session.close();
            assert_eq!(ids(&server.requests()), [None, sent.map(str::to_owned)], "{more:?}");
        }
    });
}

#[test]
fn an_id_that_no_header_may_carry_is_kept_but_not_sent() {
    // row 45
    for_each_driver(|driver| {
        for id in ["a\u{1}b", "\u{7f}", "\u{1b}[0m", &"x".repeat(8193)] {
            let server = Server::start();
            server.on(
                "/s",
                [Script::events(format!("id: {id}\ndata: a\n\n")), Script::sse().body("data: b\n\n").stall()],
            );
            let seen = follow_until(driver, &fast(&server.url("/s")), Kind::Message, 2);
            assert_eq!(ids(&server.requests()), [None, None], "{id:?}");
            let messages: Vec<_> = seen.iter().filter(|e| e.kind == Kind::Message).map(|e| e.id.as_str()).collect();
            assert_eq!(messages, [id, id]);
            assert!(seen.iter().all(|e| e.kind != Kind::Connect || e.id.is_empty()), "CONNECT says what is sent");
        }
        for id in ["a\tb", "\u{80}", " x ", &"x".repeat(8192)] {
            let server = Server::start();
            server.on("/s", [Script::events(format!("id: {id}\ndata: a\n\n")), Script::sse().stall()]);
            follow_until(driver, &fast(&server.url("/s")), Kind::Open, 2);
            let sent = server.requests()[1].header("last-event-id");
            assert_eq!(sent.as_deref(), Some(id.trim()), "{id:?}");
        }
    });
}

#[test]
fn every_attempt_is_the_same_request() {
    // row 47
    for_each_driver(|driver| {
        let server = Server::start();
        server.on(
            "/s",
            [Script::events("data: a\n\n"), Script::empty(503).end(), Script::new().reset(), Script::sse().stall()],
        );
        let mut config = fast(&server.url("/s"));
        config.set_method("REPORT").unwrap().set_body(b"body \x00\xff").unwrap().set_header("X-A", "1").unwrap();
        config.set_reconnect(ReconnectMode::Always).unwrap();
        story_until(driver, &config, Kind::Open, 2);
        let requests = server.requests();
        assert_eq!(requests.len(), 4);
        for request in &requests[1..] {
            assert_eq!((&request.raw_head, &request.body), (&requests[0].raw_head, &requests[0].body));
        }
        assert_eq!((requests[0].method.as_str(), &requests[0].body[..]), ("REPORT", &b"body \x00\xff"[..]));
    });
}

#[test]
fn decoder_line_data_and_type_are_fresh_for_each_connection() {
    // row 50, row 52, row 61
    for_each_driver(|driver| {
        let server = Server::start();
        let parts: &[&[u8]] = &[
            b"data: a\n\nevent: x\ndata: half\r",
            b"\ndata: b\n\ndata: cut \xe2\x82", // LF after the CR of another connection is an empty line
            b"\xac\n\ndata: c\n\nid: never\nda",
            b"ta: d\n\n\xef\xbb\xbfdata: e\n\n", // a BOM that does not lead is content
            b"\xef\xbb\xbfdata: f\n\n\xef\xbb",
            b"\xbfdata: g\n\ndata: end\n\n",
        ];
        server.on("/s", parts.iter().map(Script::events).collect::<Vec<_>>());
        let seen = follow(driver, &fast(&server.url("/s")), |event, handle| {
            if event.data() == "end" {
                handle.close().unwrap();
            }
        });
        let messages: Vec<_> = seen.iter().filter(|e| e.kind == Kind::Message).map(Seen::brief).collect();
        assert_eq!(messages, ["a", "b", "c", "f", "end"].map(|data| format!("message {data:?}")));
    });
}

#[test]
fn retry_after_is_honoured_up_to_an_hour() {
    for_each_driver(|driver| {
        // Mon, 23 Nov 2026 10:00:00 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_428_000);
        for (value, expected) in [
            ("7", 7_000),
            ("0", 1_000),
            ("3600", 3_600_000),
            ("99999999999999", 3_600_000),
            ("Mon, 23 Nov 2026 10:00:30 GMT", 30_000),
            ("Monday, 23-Nov-26 10:00:30 GMT", 30_000),
            ("Mon Nov 23 10:00:30 2026", 30_000),
            ("Mon, 23 Nov 2026 09:00:00 GMT", 1_000),
            ("Mon, 23 Nov 2099 10:00:00 GMT", 3_600_000),
            ("soon", 1_000),
            ("-5", 1_000),
            ("1.5", 1_000),
            ("", 1_000),
        ] {
            for status in [429, 503] {
                let server = Server::start();
                server.on("/s", Script::status(status, "X").header("Retry-After", value).length(0).end());
                let (config, clock) = fast_with_clock(&server.url("/s"));
                clock.set_calendar(now);
                let seen = follow_until(driver, &config, Kind::Error, 1);
                assert_eq!(waits(&seen), [expected], "{value:?}");
            }
        }
    });
}

#[test]
fn after_so_many_retries_a_failure_is_final_and_keeps_its_cause() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::empty(503).end());
        for (retries, errors) in [(0, 1), (2, 3)] {
            let mut config = fast(&server.url("/s"));
            config.set_max_retries(retries).unwrap();
            let seen = follow(driver, &config, |_, _| {});
            let story = story(&seen);
            assert_eq!(story.iter().filter(|e| e.starts_with("error")).count(), errors);
            assert_eq!(story[story.len() - 2..], ["error HttpStatus 503 final", "close HttpStatus 503"]);
        }
        // The plain end of a stream is a failure like any other, once in a row.
        server
            .on("/e", [Script::events("data: a\n\n"), Script::events("data: b\n\n"), Script::events(": nothing\n\n")]);
        let mut config = fast(&server.url("/e"));
        config.set_max_retries(1).unwrap();
        let seen = story(&follow(driver, &config, |_, _| {}));
        let errors: Vec<_> = seen.iter().filter(|e| e.starts_with("error")).collect();
        let again = "error Ended 200 retry=1000";
        assert_eq!(errors, [again, again, "error Ended 200 final"]);
        assert_eq!(seen.last().unwrap(), "close Ended 200");
    });
}

#[test]
fn only_what_proves_the_server_resets_the_back_off() {
    for_each_driver(|driver| {
        let server = Server::start();
        // Opening is not enough, nor is a comment; a message is, and so are 5 s of being open.
        let open = || Script::sse().chunked().body(": hello\n\n");
        server.on(
            "/s",
            [
                open().end(),
                open().end(),
                open().body("data: a\n\n").end(),
                open().end(),
                open().wait_for("old").end(),
                open().end(),
            ],
        );
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let mut session = Session::start(driver, &config);
        for _ in 0..4 {
            session.until(Kind::Error);
        }
        session.until(Kind::Comment);
        clock.advance(Duration::from_secs(5));
        server.go("old");
        session.until(Kind::Error);
        session.until(Kind::Error);
        assert_eq!(waits(&session.close())[..6], [1000, 2000, 1000, 2000, 1000, 2000]);
    });
}

#[test]
fn resume_and_reconnect_reset_the_back_off_and_keep_a_distance() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::empty(503).end());
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let mut errors = 0;
        let seen = follow(driver, &config, move |event, handle| {
            if event.kind() == Kind::Error {
                errors += 1;
                match errors {
                    2 => handle.reconnect().unwrap(),
                    4 => {
                        handle.pause().unwrap();
                        handle.resume().unwrap();
                    }
                    5 => handle.close().unwrap(),
                    _ => {}
                }
            }
        });
        assert_eq!(waits(&seen), [1000, 2000, 1000, 2000, 1000]);
        // 100 ms after the last attempt began; nothing but waits moves this clock.
        assert_eq!(clock.waits(), [1000, 100, 1000, 100].map(ms));
    });
}

// ---- methods other than GET ----

#[derive(Clone, Copy)]
struct Post {
    mode: ReconnectMode,
    method: &'static str,
}

fn post(url: &str, post: Post) -> Config {
    let mut config = fast(url);
    config.set_method(post.method).unwrap().set_body(b"{}").unwrap().set_reconnect(post.mode).unwrap();
    config
}

const AUTO: Post = Post { mode: ReconnectMode::Auto, method: "POST" };
const ALWAYS: Post = Post { mode: ReconnectMode::Always, method: "POST" };
const NEVER: Post = Post { mode: ReconnectMode::Never, method: "POST" };
const NEVER_GET: Post = Post { mode: ReconnectMode::Never, method: "GET" };

#[test]
fn a_complete_body_ends_a_one_shot_without_an_error() {
    let event = "data: a\n\n";
    let complete = [
        Script::events(event),
        Script::sse().length(9).body(event).stall(),
        Script::sse().body(event).fin(),
        Script::sse().gzip().chunked().body(event).end(),
    ];
    for_each_driver(|driver| {
        for script in &complete {
            for kind in [AUTO, NEVER, NEVER_GET, Post { method: "REPORT", ..AUTO }] {
                let server = Server::start();
                server.on("/s", script.clone());
                let seen = story(&follow(driver, &post(&server.url("/s"), kind), |_, _| {}));
                assert_eq!(seen, ["connect", "open", "message \"a\"", "close Ended 200"], "{script:?}");
                assert_eq!(server.requests().len(), 1);
            }
            let server = Server::start();
            server.on("/s", script.clone());
            let seen = story_until(driver, &post(&server.url("/s"), ALWAYS), Kind::Message, 2);
            assert_eq!(seen[3], "error Ended 200 retry=1000");
        }
    });
}

#[test]
fn an_incomplete_body_of_a_one_shot_is_a_final_error() {
    let event = "data: a\n\n";
    let incomplete = [
        Script::sse().length(10).body(event).fin(),
        Script::sse().chunked().body(event).fin(),
        Script::sse().chunked().body(event).send("5\r\nx").fin(),
        Script::sse().body(event).pause(ms(20)).reset(),
        Script::sse().chunked().body(event).pause(ms(20)).reset(),
    ];
    for_each_driver(|driver| {
        for script in &incomplete {
            for kind in [AUTO, NEVER, NEVER_GET] {
                let server = Server::start();
                server.on("/s", script.clone());
                let seen = story(&follow(driver, &post(&server.url("/s"), kind), |_, _| {}));
                assert_eq!(
                    seen,
                    ["connect", "open", "message \"a\"", "error Io 200 final", "close Io 200"],
                    "{script:?}"
                );
                assert_eq!(server.requests().len(), 1);
            }
        }
    });
}

#[test]
fn without_close_notify_an_unframed_body_may_have_been_cut() {
    let server = Server::start_tls(&Tls::new());
    for_each_driver(|driver| {
        let config = |kind| {
            let mut config = post(&server.url("/s"), kind);
            config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
            config
        };
        let event = "data: a\n\n";
        server.on("/s", Script::sse().body(event).truncate());
        let seen = story(&follow(driver, &config(AUTO), |_, _| {}));
        assert_eq!(seen[3..], ["error Io 200 final", "close Io 200"]);
        server.on("/s", Script::sse().body(event).fin());
        assert_eq!(story(&follow(driver, &config(AUTO), |_, _| {}))[3..], ["close Ended 200"]);
        // Where the framing says that all is there, it is.
        server.on("/s", Script::sse().chunked().body(event).end_body().truncate());
        assert_eq!(story(&follow(driver, &config(AUTO), |_, _| {}))[3..], ["close Ended 200"]);
    });
}

#[test]
fn a_post_is_sent_again_only_where_the_server_has_done_nothing() {
    for_each_driver(|driver| {
        for (status, retried) in [
            (425, true),
            (429, true),
            (503, true),
            (408, false),
            (500, false),
            (502, false),
            (504, false),
            (511, false),
            (520, false),
            (404, false),
        ] {
            let server = Server::start();
            server.on("/s", [Script::empty(status).end(), Script::events("data: a\n\n")]);
            let seen = story(&follow(driver, &post(&server.url("/s"), AUTO), |_, _| {}));
            let first = if retried {
                format!("error HttpStatus {status} retry=1000")
            } else {
                format!("error HttpStatus {status} final")
            };
            assert_eq!(seen[1], first);
            assert_eq!(seen.last().unwrap() == "close Ended 200", retried);
            // NEVER means never, ALWAYS means as for GET.
            let server = Server::start();
            server.on("/s", Script::empty(status).end());
            let seen = story(&follow(driver, &post(&server.url("/s"), NEVER), |_, _| {}));
            assert_eq!(seen[1], format!("error HttpStatus {status} final"));
            let seen = story_until(driver, &post(&server.url("/s"), ALWAYS), Kind::Error, 1);
            let as_get = if matches!(status, 404) { "final" } else { "retry=1000" };
            assert_eq!(seen[1], format!("error HttpStatus {status} {as_get}"));
        }
        // Nothing was written: nothing can have happened. Once a byte is out, anything can.
        let server = Server::start_refusing(([127, 0, 0, 1], 0));
        assert_eq!(story_until(driver, &post(&server.url("/s"), AUTO), Kind::Error, 1)[1], "error Connect retry=1000");
        assert_eq!(story_until(driver, &post(&server.url("/s"), NEVER), Kind::Error, 1)[1], "error Connect final");
        let server = Server::start();
        server.on("/s", Script::new().reset());
        assert_eq!(story_until(driver, &post(&server.url("/s"), AUTO), Kind::Error, 1)[1], "error Io final");
        assert_eq!(story_until(driver, &post(&server.url("/s"), ALWAYS), Kind::Error, 1)[1], "error Io retry=1000");
        assert_eq!(server.requests().len(), 2);
        // 204 is an end like that of a stream.
        server.on("/s", Script::empty(204).end());
        assert_eq!(story(&follow(driver, &post(&server.url("/s"), AUTO), |_, _| {})), ["connect", "close Ended 204"]);
    });
}

#[test]
fn resume_reconnect_and_retry_are_consent_to_send_again() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on(
            "/s",
            [
                Script::sse().body("data: a\n\n").stall(),
                Script::sse().body("data: b\n\n").stall(),
                Script::empty(500).end(),
                Script::events("data: c\n\n"),
            ],
        );
        let seen = follow(driver, &post(&server.url("/s"), AUTO), |event, handle| match event.data() {
            "a" => handle.reconnect().unwrap(),
            "b" => {
                handle.pause().unwrap();
                handle.resume().unwrap();
            }
            _ if event.kind() == Kind::Error => handle.retry(Some(ms(5))).unwrap(),
            _ => {}
        });
        let told = [
            "connect",
            "open",
            "message \"a\"",
            "connect",
            "open",
            "message \"b\"",
            "connect",
            "error HttpStatus 500 final",
            "connect",
            "open",
            "message \"c\"",
            "close Ended 200",
        ];
        assert_eq!(story(&seen), told);
        assert!(server.requests().iter().all(|r| r.body == b"{}"));
    });
}

// ---- time ----

#[test]
fn timeouts_of_ours_are_timed_out_whatever_the_phase() {
    for_each_driver(|driver| {
        let first_error = |config: &Config| story_until(driver, config, Kind::Error, 1);
        if cfg!(target_os = "linux") {
            let hole = BlackHole::start();
            let mut config = fast(&format!("http://{}/", hole.address()));
            config.set_connect_timeout(Some(ms(50))).unwrap();
            assert_eq!(first_error(&config), ["connect", "error TimedOut retry=1000", "close None"]);
        }
        // A TLS handshake that is not answered belongs to connecting.
        let server = Server::start_tls(&Tls::new());
        server.on_every_connection(Script::new().stall());
        let mut config = fast(&server.url("/"));
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap().set_connect_timeout(Some(ms(50))).unwrap();
        assert_eq!(first_error(&config)[1], "error TimedOut retry=1000");
        // No response.
        let server = Server::start();
        server.on("/silent", Script::new().stall());
        server.on("/half", Script::new().send("HTTP/1.1 200 OK\r\n").stall());
        for path in ["/silent", "/half"] {
            let mut config = fast(&server.url(path));
            config.set_response_timeout(Some(ms(50))).unwrap();
            assert_eq!(first_error(&config)[1], "error TimedOut retry=1000");
        }
        // A stream that falls silent. A comment is a sign of life.
        let whole = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n"; // in one piece
        server.on("/idle", Script::new().send(whole).stall());
        let mut config = fast(&server.url("/idle"));
        config.set_idle_timeout(Some(ms(50))).unwrap();
        assert_eq!(first_error(&config)[1..4], ["open", "message \"a\"", "error TimedOut 200 retry=1000"]);
    });
}

#[test]
fn signs_of_life_put_the_idle_timeout_off() {
    for_each_driver_at_once(|driver| {
        let server = Server::start();
        let mut script = Script::sse().chunked();
        for _ in 0..8 {
            script = script.pause(ms(500)).body(":\n");
        }
        server.on("/s", script.body("data: a\n\n").end());
        let mut config = fast(&server.url("/s"));
        config.set_idle_timeout(Some(ms(3000))).unwrap(); // less than the 4 s of all, more than noise makes of 500 ms
        assert_eq!(*story_until(driver, &config, Kind::Message, 1).last().unwrap(), "close None 200");
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn the_response_timeout_starts_anew_for_each_hop() {
    for_each_driver_at_once(|driver| {
        let server = Server::start();
        for n in 0..6 {
            let redirect = Script::redirect(302, format!("/{}", n + 1));
            let slow = Script { steps: [Script::new().pause(ms(600)).steps, redirect.steps].concat() };
            server.on(&format!("/{n}"), slow);
        }
        server.on("/6", Script::sse().body("data: a\n\n").stall());
        let mut config = fast(&server.url("/0"));
        config.set_response_timeout(Some(ms(3000))).unwrap(); // less than the 3.6 s of all hops
        assert_eq!(
            story_until(driver, &config, Kind::Message, 1),
            ["connect", "open", "message \"a\"", "close None 200"]
        );
    });
}

// ---- pause ----

#[test]
fn what_was_received_but_not_delivered_is_asked_for_again() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on(
            "/s",
            [
                Script::sse().body("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n").stall(),
                Script::sse().body("id: 2\ndata: b\n\n").stall(),
            ],
        );
        let mut paused = false;
        let seen = follow(driver, &fast(&server.url("/s")), move |event, handle| {
            if event.data() == "a" && !paused {
                paused = true;
                handle.pause().unwrap();
                handle.resume().unwrap();
            }
            if event.data() == "b" {
                handle.close().unwrap();
            }
        });
        let told = [
            "connect",
            "open",
            "message \"a\" id=1",
            "connect id=1",
            "open id=1",
            "message \"b\" id=2",
            "close None 200 id=2",
        ];
        assert_eq!(story(&seen), told);
        assert_eq!(ids(&server.requests()), [None, Some("1".into())]);
    });
}

#[test]
fn a_paused_source_does_nothing_at_all() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().body("data: a\n\n").stall());
        let mut session = Session::start(driver, &fast(&server.url("/s")));
        session.until_message("a");
        session.handle.pause().unwrap();
        server.wait_for_open(0, DEADLINE);
        session.handle.reconnect().unwrap();
        assert!(session.is_quiet());
        assert_eq!((server.requests().len(), session.handle.state()), (1, State::Paused));
        session.handle.resume().unwrap();
        session.expect(Kind::Connect);
        session.until_message("a");
        assert_eq!(server.requests().len(), 2);
        session.close();
    });
}

#[test]
fn a_source_may_start_paused() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().body("data: a\n\n").stall());
        let source = EventSource::new(&fast(&server.url("/s"))).unwrap();
        source.pause().unwrap();
        assert_eq!(source.state(), State::Paused);
        let mut session = Session::of(driver, source, |_, _| {});
        assert!(session.is_quiet());
        session.handle.resume().unwrap();
        session.until_message("a");
        session.close();
        let source = EventSource::new(&fast(&server.url("/s"))).unwrap();
        source.pause().unwrap();
        assert_eq!(story(&Session::of(driver, source, |_, _| {}).close()), ["close None"]);
        assert_eq!(server.connections().len(), 1);
    });
}

// ---- answers ----

#[test]
fn retry_answers_an_error() {
    for_each_driver(|driver| {
        let server = Server::start();
        let busy = || Script::empty(503).end();
        server.on("/s", [busy(), busy(), Script::empty(404).end(), busy(), Script::sse().body("data: a\n\n").stall()]);
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let mut n = 0;
        let seen = follow(driver, &config, move |event, handle| {
            if event.kind() == Kind::Error {
                n += 1;
                match n {
                    1 => handle.retry(Some(ms(77))).unwrap(),
                    2 => {
                        handle.retry(Some(ms(1))).unwrap();
                        handle.retry(None).unwrap(); // the last answer counts
                    }
                    3 => {
                        assert_eq!(handle.state(), State::Closed);
                        handle.retry(None).unwrap(); // revives a final error
                    }
                    _ => {}
                }
            }
            if event.kind() == Kind::Message {
                handle.close().unwrap();
            }
        });
        let told = [
            "connect",
            "error HttpStatus 503 retry=1000",
            "connect",
            "error HttpStatus 503 retry=2000",
            "connect",
            "error HttpStatus 404 final",
            "connect",
            "error HttpStatus 503 retry=8000",
            "connect",
            "open",
            "message \"a\"",
            "close None 200",
        ];
        assert_eq!(story(&seen), told);
        // The final error counts among the failures: its wait is the third.
        assert_eq!(clock.waits(), [77, 2000, 4000, 8000].map(ms));
    });
}

#[test]
fn immediate_retries_do_not_make_a_hot_loop() {
    for_each_driver(|driver| {
        let server = Server::start();
        let refused = || Script::empty(401).end();
        server.on(
            "/s",
            [refused(), refused(), refused(), Script::events("data: a\n\n"), refused(), Script::sse().stall()],
        );
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let mut opened = 0;
        let seen = follow(driver, &config, move |event, handle| match event.kind() {
            Kind::Error if event.http_status() == 401 => handle.retry(Some(Duration::ZERO)).unwrap(),
            Kind::Open => {
                opened += 1;
                if opened == 2 {
                    handle.close().unwrap();
                }
            }
            _ => {}
        });
        // At once; the library's delay, of a second failure; at once again. The stream ended: the delay. At once.
        assert_eq!(clock.waits(), [2000, 1000].map(ms), "{:#?}", story(&seen));
        assert_eq!(server.requests().len(), 6);
    });
}

#[test]
fn fail_answers_a_connect() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().body("data: a\n\n").stall());
        let mut n = 0;
        let seen = follow(driver, &fast(&server.url("/s")), move |event, handle| match event.kind() {
            Kind::Connect => {
                n += 1;
                if n <= 2 {
                    handle.fail("no token").unwrap();
                }
            }
            Kind::Message => handle.close().unwrap(),
            _ => {}
        });
        let told = [
            "connect",
            "error Application retry=1000",
            "connect",
            "error Application retry=2000",
            "connect",
            "open",
            "message \"a\"",
            "close None 200",
        ];
        assert_eq!(story(&seen), told);
        assert_eq!(seen[1].data, "no token");
        assert_eq!(server.connections().len(), 1);
    });
}

#[test]
fn reconnect_and_pause_win_over_an_answer() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", [Script::empty(503).end(), Script::empty(503).end(), Script::sse().stall()]);
        let mut n = 0;
        let (config, clock) = fast_with_clock(&server.url("/s"));
        let seen = follow(driver, &config, move |event, handle| {
            n += 1;
            match n {
                1 => {
                    handle.fail("no token").unwrap();
                    handle.reconnect().unwrap();
                }
                2 => {
                    handle.fail("no token").unwrap();
                    handle.pause().unwrap();
                    handle.resume().unwrap();
                }
                4 => {
                    handle.retry(Some(Duration::from_secs(77))).unwrap();
                    handle.reconnect().unwrap();
                }
                _ if event.kind() == Kind::Open => handle.close().unwrap(),
                _ => {}
            }
        });
        let busy = "error HttpStatus 503 retry=1000";
        let told = ["connect", "connect", "connect", busy, "connect", busy, "connect", "open", "close None 200"];
        assert_eq!(story(&seen), told, "what was failed and then reconnected is no error");
        assert_eq!(clock.waits(), [100, 100, 100, 1000].map(ms), "attempts called off have begun all the same");
    });
}

#[test]
fn an_attempt_called_off_counts_as_a_failure_that_sent_nothing() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::events("data: a\n\n"));
        let mut config = post(&server.url("/s"), AUTO);
        config.set_max_retries(1).unwrap();
        let fail = |event: &Event<'_>, handle: &Handle| {
            if event.kind() == Kind::Connect {
                handle.fail("not now").unwrap();
            }
        };
        let told =
            ["connect", "error Application retry=1000", "connect", "error Application final", "close Application"];
        assert_eq!(story(&follow(driver, &config, fail)), told);
        let never = story(&follow(driver, &post(&server.url("/s"), NEVER), fail));
        assert_eq!(never, ["connect", "error Application final", "close Application"]);
        assert!(server.connections().is_empty());
    });
}

#[test]
fn standard_status_is_about_statuses_only() {
    // row 11, row 25
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", [Script::new().fin(), Script::events("data: a\n\n"), Script::empty(503).end()]);
        let mut config = fast(&server.url("/s"));
        config.set_standard_status(true).unwrap();
        let errors: Vec<_> =
            follow(driver, &config, |_, _| {}).iter().filter(|e| e.kind == Kind::Error).map(Seen::brief).collect();
        let expected = ["error Io retry=1000", "error Ended 200 retry=1000", "error HttpStatus 503 final"];
        assert_eq!(errors, expected);
    });
}

#[test]
fn what_is_set_at_connect_goes_with_that_very_attempt() {
    for_each_driver(|driver| {
        let (server, other) = (Server::start(), Server::start());
        server.on("/s", Script::events("id: 1\ndata: a\n\n"));
        other.on("/t", Script::sse().body("data: b\n\n").stall());
        let url = other.url("/t");
        let mut n = 0;
        let seen = follow(driver, &fast(&server.url("/s")), move |event, handle| {
            if event.kind() == Kind::Connect {
                n += 1;
                handle.set_header("X-Token", Some(&n.to_string())).unwrap();
                handle.set_header("X-Gone", (n == 1).then_some("x")).unwrap();
                if n == 3 {
                    handle.set_header("Last-Event-ID", Some("mine")).unwrap();
                    handle.set_url(&url).unwrap();
                }
            }
            if event.data() == "b" {
                handle.close().unwrap();
            }
        });
        let requests = [server.requests(), other.requests()].concat();
        let told: Vec<_> =
            requests.iter().map(|r| (r.header("x-token").unwrap(), r.header("x-gone").is_some())).collect();
        assert_eq!(told, [("1".into(), true), ("2".into(), false), ("3".into(), false)]);
        assert_eq!(ids(&requests), [None, Some("1".into()), Some("mine".into())]);
        assert_eq!(seen.last().unwrap().error, ErrorKind::None);
    });
}
