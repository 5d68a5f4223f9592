//! Opening, closing, freeing: section C of the acceptance list, the table of calls by state, who is dropped when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use common::*;
use eventsource::{CallError, Config, ConfigError, ErrorKind, EventSource, Kind, State};
use eventsource_test_server::{BlackHole, Tls};

const EVENT: &str = "id: 1\ndata: a\n\n";

#[test]
fn open_comes_with_the_header_once_a_connection() {
    // row 26, row 27
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().wait_for("first").body(EVENT).wait_for("end").fin());
        let mut session = Session::start(driver, &fast(&server.url("/s")));
        for _ in 0..2 {
            session.expect(Kind::Connect);
            session.expect(Kind::Open); // and the server has not sent one byte of the body
            assert_eq!(session.handle.state(), State::Open);
            server.go("first");
            session.expect(Kind::Message);
            server.go("end");
            session.expect(Kind::Error);
        }
        session.close();
    });
}

#[test]
fn a_final_error_is_one_and_the_state_is_closed() {
    // row 28
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::empty(404).end());
        let seen = follow(driver, &fast(&server.url("/s")), |event, handle| {
            let expected = if event.kind() == Kind::Connect { State::Connecting } else { State::Closed };
            assert_eq!((event.state(), handle.state()), (expected, expected));
        });
        assert_eq!(story(&seen), ["connect", "error HttpStatus 404 final", "close HttpStatus 404"]);
        assert_eq!(server.requests().len(), 1);
    });
}

#[test]
fn open_error_and_close_say_what_they_have_to_say() {
    // row 29; the getters of every event of every test are checked in common/grammar.rs
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::events("event: open\ndata: x\n\n"));
        let seen = follow_until(driver, &fast(&server.url("/s")), Kind::Error, 1);
        assert_eq!((seen[1].event_type.as_str(), seen[1].data.as_str(), seen[1].id.as_str()), ("open", "", ""));
        assert_eq!((seen[2].event_type.as_str(), seen[2].kind), ("open", Kind::Message));
        assert_eq!((seen[3].event_type.as_str(), seen[3].error), ("error", ErrorKind::Ended));
        assert_eq!((seen[4].event_type.as_str(), seen[4].error), ("close", ErrorKind::None));
    });
}

#[test]
fn close_aborts_whatever_is_under_way() {
    // row 30, row 32
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/silent", Script::new().stall());
        server.on("/half", Script::new().send("HTTP/1.1 200 OK\r\nContent-Ty").stall());
        server.on("/body", Script::sse().body(EVENT).body("data: half").stall());
        server.on("/chunk", Script::sse().chunked().body(EVENT).send("ff\r\ndata").stall());
        for (n, path) in ["/silent", "/half", "/body", "/chunk"].into_iter().enumerate() {
            let mut session = Session::start(driver, &fast(&server.url(path)));
            server.wait_for_requests(n + 1, DEADLINE);
            if n >= 2 {
                session.until(Kind::Message);
            }
            session.handle.close().unwrap();
            assert_eq!(session.handle.state(), State::Closed, "at once");
            assert_eq!(session.handle.close(), Err(CallError::Closed), "twice is fine");
            server.wait_for_peer_end(n, DEADLINE);
            let seen = session.end();
            assert_eq!(seen.last().map(|e| (e.kind, e.error)), Some((Kind::Close, ErrorKind::None)));
            assert!(seen.iter().all(|e| e.kind != Kind::Error), "{path}: {:?}", story(&seen));
        }
        // Connecting: TCP, then TLS.
        if cfg!(target_os = "linux") {
            let hole = BlackHole::start();
            let mut session = Session::start(driver, &fast(&format!("http://{}/", hole.address())));
            session.expect(Kind::Connect);
            assert_eq!(story(&session.close()), ["connect", "close None"]);
        }
        let server = Server::start_tls(&Tls::new());
        server.on_every_connection(Script::new().tell("accepted").stall());
        let mut config = fast(&server.url("/"));
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
        let session = Session::start(driver, &config);
        server.wait_until_told("accepted");
        assert_eq!(story(&session.close()), ["connect", "close None"]);
    });
}

#[test]
fn nothing_follows_close_but_close() {
    // row 31
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().body("data: 1\n\ndata: 2\n\n: c\ndata: 3\n\n").stall());
        let seen = follow(driver, &fast(&server.url("/s")), |event, handle| {
            if event.data() == "1" {
                handle.close().unwrap();
            }
        });
        assert_eq!(story(&seen), ["connect", "open", "message \"1\"", "close None 200"]);
    });
    // The remaining callbacks of the same event are withheld as well.
    let server = Server::start();
    server.on("/s", Script::sse().body(EVENT).stall());
    let source = EventSource::new(&fast(&server.url("/s"))).unwrap();
    let (tell, told) = mpsc::channel();
    for n in 0..3 {
        let (tell, handle) = (tell.clone(), source.handle());
        source
            .on(None, None, move |event| {
                tell.send((n, event.kind())).unwrap();
                if n == 1 && event.kind() == Kind::Message {
                    handle.close().unwrap();
                }
            })
            .unwrap();
    }
    source.run().unwrap();
    let told: Vec<_> = told.try_iter().collect();
    let all = |kind| [(0, kind), (1, kind), (2, kind)];
    let expected = [&all(Kind::Connect)[..], &all(Kind::Open), &all(Kind::Message)[..2], &all(Kind::Close)].concat();
    assert_eq!(told, expected);
}

#[test]
fn pause_and_reconnect_do_not_withhold_an_event_from_the_other_callbacks() {
    let server = Server::start();
    server.on("/s", [Script::sse().body(EVENT).stall(), Script::empty(204).end()]);
    let source = EventSource::new(&fast(&server.url("/s"))).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let (count, handle) = (count.clone(), source.handle());
        source
            .on(Some(Kind::Message), None, move |_| {
                count.fetch_add(1, SeqCst);
                handle.reconnect().unwrap();
            })
            .unwrap();
    }
    source.run().unwrap();
    assert_eq!(count.load(SeqCst), 2);
    assert_eq!(server.requests()[1].header("last-event-id").as_deref(), Some("1"), "it counts as delivered");
}

#[test]
fn close_works_inside_every_kind_of_event() {
    // row 32
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::events(": c\ndata: a\n\n"));
        for kind in [Kind::Connect, Kind::Open, Kind::Comment, Kind::Message, Kind::Error] {
            let seen = follow_until(driver, &fast(&server.url("/s")), kind, 1);
            assert_eq!(seen[seen.len() - 2].kind, kind);
            assert_eq!(seen.last().map(|e| (e.kind, e.error)), Some((Kind::Close, ErrorKind::None)));
        }
        let seen = follow(driver, &fast(&server.url("/s")), |event, handle| match event.kind() {
            Kind::Close => assert_eq!(handle.close(), Err(CallError::Closed)),
            Kind::Connect => handle.close().unwrap(),
            _ => {}
        });
        assert_eq!(story(&seen), ["connect", "close None"]);
        // A final error that the application closes is its own close.
        server.on("/gone", Script::empty(410).end());
        let seen = follow_until(driver, &fast(&server.url("/gone")), Kind::Error, 1);
        assert_eq!(story(&seen), ["connect", "error HttpStatus 410 final", "close None 410"]);
    });
}

// ---- the table of calls by state ----

/// How a call was answered, in the words of the table.
fn word<T>(result: Result<T, CallError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(CallError::Closed) => "closed",
        Err(CallError::Busy) => "busy",
        Err(CallError::Config(ConfigError::Argument(_))) => "invalid",
        Err(_) => "another error",
    }
}

fn call(source: &EventSource, name: &str) -> &'static str {
    match name {
        "on" => word(source.on(None, None, |_| {})),
        "on with a type" => word(source.on(Some(Kind::Message), Some("x"), |_| {})),
        "on with a type of another kind" => word(source.on(Some(Kind::Open), Some("x"), |_| {})),
        "on with a type of no kind" => word(source.on(None, Some("x"), |_| {})),
        "start" => word(source.start()),
        "run" => word(source.run()),
        "start_polled" => word(source.start_polled(|| {})),
        "start_watched" => word(source.start_watched(|| {}, |_| true)),
        "next" => word(source.next_with(|_| {})),
        "poll" => match source.poll_with(|_| {}) {
            Ok(None) => "again",
            other => word(other),
        },
        "pause" => word(source.pause()),
        "resume" => word(source.resume()),
        "reconnect" => word(source.reconnect()),
        "close" => word(source.close()),
        "retry" => word(source.retry(None)),
        "fail" => word(source.fail("x")),
        "set_url" => word(source.set_url("http://127.0.0.1:1/")),
        "set_header" => word(source.set_header("X", Some("y"))),
        "set_secret_header" => word(source.set_secret_header("X", None)),
        _ => panic!("no call {name}"),
    }
}

fn check(source: &EventSource, expected: &[(&str, &str)], state: &str) {
    for (name, answer) in expected {
        assert_eq!(call(source, name), *answer, "{name}, {state}");
    }
}

fn source(server: &Server, path: &str) -> EventSource {
    EventSource::new(&fast(&server.url(path))).unwrap()
}

#[test]
fn calls_before_start() {
    let server = Server::start();
    server.on("/s", Script::sse().body(EVENT).stall());
    let fresh = || source(&server, "/s");
    for (name, answer) in [
        ("on", "ok"),
        ("on with a type", "ok"),
        ("on with a type of another kind", "invalid"),
        ("on with a type of no kind", "invalid"),
        ("start", "ok"),
        ("start_polled", "ok"),
        ("start_watched", "ok"),
        ("next", "ok"),
        ("poll", "again"),
        ("pause", "ok"),
        ("resume", "ok"),
        ("reconnect", "ok"),
        ("close", "ok"),
        ("retry", "closed"),
        ("fail", "closed"),
        ("set_url", "ok"),
        ("set_header", "ok"),
        ("set_secret_header", "ok"),
    ] {
        assert_eq!(call(&fresh(), name), answer, "{name}");
    }
    // Once a callback is registered, there is no pulling and no event loop.
    let registered = fresh();
    registered.on(Some(Kind::Message), None, |_| {}).unwrap();
    check(
        &registered,
        &[
            ("next", "busy"),
            ("start_polled", "busy"),
            ("start_watched", "busy"),
            ("poll", "again"),
            ("on", "ok"),
            ("start", "ok"),
        ],
        "registered",
    );
    // resume undoes pause; reconnect has nothing to do.
    let paused = fresh();
    check(&paused, &[("pause", "ok"), ("reconnect", "ok"), ("pause", "ok")], "paused before start");
    assert_eq!(paused.state(), State::Paused);
    check(&paused, &[("resume", "ok"), ("next", "ok")], "no longer paused");
    assert_eq!(paused.state(), State::Connecting);
}

/// A source that is driven in the background and shared with the test.
struct Shared {
    source: Arc<EventSource>,
    kinds: Receiver<Kind>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Shared {
    fn start(driver: Driver, config: &Config) -> Shared {
        let source = Arc::new(EventSource::new(config).unwrap());
        let (tell, kinds) = mpsc::channel();
        let on = tell.clone();
        let listen = move |source: &EventSource| {
            source.on(None, None, move |event| on.send(event.kind()).unwrap_or(())).unwrap()
        };
        let mut thread = None;
        let shared = source.clone();
        match driver {
            Driver::Start => {
                listen(&source);
                source.start().unwrap();
            }
            Driver::Run => {
                listen(&source);
                thread = Some(std::thread::spawn(move || shared.run().unwrap()));
            }
            // Pulled and polled by hand.
            Driver::Next => assert_eq!(source.next_with(|event| tell.send(event.kind()).unwrap()), Ok(())),
            Driver::Polled | Driver::Watched => {
                let (wake, woken) = mpsc::channel();
                let wake = move || wake.send(()).unwrap_or(());
                match driver {
                    Driver::Polled => source.start_polled(wake).unwrap(),
                    _ => source.start_watched(wake, |_| true).unwrap(),
                }
                woken.recv_timeout(DEADLINE).unwrap();
                source.poll_with(|event| tell.send(event.kind()).unwrap()).unwrap().unwrap();
                // What wakes it next is looked at by the tests that want to.
            }
        }
        Shared { source, kinds, thread }
    }

    fn until(&self, kind: Kind) {
        while self.kinds.recv_timeout(DEADLINE).unwrap() != kind {}
    }

    fn end(self) {
        let _ = self.source.close();
        if let Some(thread) = self.thread {
            thread.join().unwrap();
        }
    }
}

const BUSY: [(&str, &str); 7] = [
    ("on", "busy"),
    ("on with a type", "busy"),
    ("on with a type of another kind", "invalid"),
    ("start", "busy"),
    ("run", "busy"),
    ("start_polled", "busy"),
    ("start_watched", "busy"),
];

#[test]
fn calls_while_connecting_open_waiting_and_paused() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/silent", Script::new().stall());
        server.on("/open", Script::sse().body(EVENT).stall());
        server.on("/busy", Script::empty(503).end());
        for path in ["/silent", "/open", "/busy", "paused"] {
            let mut config = Config::new(&server.url(if path == "paused" { "/open" } else { path })).unwrap();
            config.set_retry(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap(); // of the real clock
            let shared = Shared::start(driver, &config);
            let source = &*shared.source;
            shared.until(Kind::Connect);
            // Callbacks get further on their own; the state they are in does not matter to these calls.
            if matches!(driver, Driver::Start | Driver::Run) {
                match path {
                    "/open" | "paused" => shared.until(Kind::Message),
                    "/busy" => shared.until(Kind::Error),
                    _ => {}
                }
            }
            if path == "paused" {
                source.pause().unwrap();
                assert_eq!(source.state(), State::Paused);
            }
            check(source, &BUSY, path);
            match driver {
                Driver::Start | Driver::Run => check(source, &[("next", "busy"), ("poll", "busy")], path),
                Driver::Polled | Driver::Watched => check(source, &[("next", "busy")], path),
                Driver::Next => {}
            }
            if path == "paused" {
                check(source, &[("pause", "ok"), ("reconnect", "ok"), ("retry", "closed"), ("fail", "closed")], path);
                assert_eq!(source.state(), State::Paused, "reconnect has nothing to do");
                if matches!(driver, Driver::Next | Driver::Polled | Driver::Watched) {
                    check(source, &[("poll", "again"), ("poll", "again")], path);
                }
                check(
                    source,
                    &[("set_header", "ok"), ("set_secret_header", "ok"), ("set_url", "ok"), ("resume", "ok")],
                    path,
                );
                assert_eq!(source.state(), State::Connecting);
            } else {
                check(
                    source,
                    &[("resume", "ok"), ("set_header", "ok"), ("set_secret_header", "ok"), ("set_url", "ok")],
                    path,
                );
                check(source, &[("reconnect", "ok")], path);
                assert_eq!(source.state(), State::Connecting, "{path}: at once");
                check(source, &[("pause", "ok")], path);
                assert_eq!(source.state(), State::Paused, "{path}: at once");
            }
            check(source, &[("close", "ok"), ("close", "closed")], path);
            assert_eq!(source.state(), State::Closed, "{path}: at once");
            // Whether or not CLOSE has come by now.
            check(
                source,
                &[
                    ("on", "closed"),
                    ("start", "closed"),
                    ("run", "closed"),
                    ("start_polled", "closed"),
                    ("start_watched", "closed"),
                ],
                path,
            );
            if driver != Driver::Next {
                check(source, &[("next", "closed")], path);
            }
            shared.end();
        }
    });
}

#[test]
fn calls_after_close() {
    let server = Server::start();
    server.on("/s", Script::sse().body(EVENT).stall());
    let after = [
        ("on", "closed"),
        ("pause", "closed"),
        ("resume", "closed"),
        ("reconnect", "closed"),
        ("close", "closed"),
        ("retry", "closed"),
        ("fail", "closed"),
        ("set_url", "closed"),
        ("set_header", "closed"),
        ("set_secret_header", "closed"),
    ];
    let over = [
        ("start", "closed"),
        ("run", "closed"),
        ("start_polled", "closed"),
        ("start_watched", "closed"),
        ("next", "closed"),
        ("poll", "closed"),
        ("on", "closed"),
    ];
    // Never driven: each driver delivers CLOSE once.
    for driver in ["run", "next", "poll"] {
        let source = source(&server, "/s");
        source.close().unwrap();
        check(&source, &after, "closed before start");
        check(&source, &[(driver, "ok")], "closed before start");
        check(&source, &over, "CLOSE delivered");
        check(&source, &after, "CLOSE delivered");
    }
    for_each_driver(|driver| {
        // Closed between the registration and the start.
        let (tell, told) = mpsc::channel();
        let source = source(&server, "/s");
        let also = tell.clone();
        if matches!(driver, Driver::Start | Driver::Run) {
            source.on(None, None, move |event| also.send(Seen::of(event)).unwrap()).unwrap();
        }
        source.close().unwrap();
        match driver {
            Driver::Start => source.start().unwrap(),
            Driver::Run => source.run().unwrap(),
            Driver::Next => source.next_with(|event| tell.send(Seen::of(event)).unwrap()).unwrap(),
            Driver::Polled | Driver::Watched => {
                let (wake, woken) = mpsc::channel();
                let wake = move || wake.send(()).unwrap();
                match driver {
                    Driver::Polled => source.start_polled(wake).unwrap(),
                    _ => source.start_watched(wake, |_| true).unwrap(),
                }
                woken.recv_timeout(DEADLINE).unwrap();
                source.poll_with(|event| tell.send(Seen::of(event)).unwrap()).unwrap().unwrap();
            }
        }
        let close = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!((close.brief().as_str(), close.state), ("close None", State::Closed));
        check(&source, &over, "CLOSE delivered");
        source.free();
        assert!(told.try_recv().is_err());
    });
    assert!(server.connections().is_empty());
}

#[test]
fn an_error_can_be_answered_until_its_delivery_is_over() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::sse().body(format!("data: {}\n\ndata: b\n\n", "x".repeat(200))).fin());
        let mut config = fast(&server.url("/s"));
        config.set_max_event_size(100).unwrap();
        let seen = follow(driver, &config, |event, handle| {
            let retry = word(handle.retry(Some(ms(1))));
            let fail = if event.kind() == Kind::Connect { "ok" } else { "closed" };
            match event.kind() {
                Kind::Error if event.error() != ErrorKind::EventTooLarge => assert_eq!(retry, "ok"),
                _ => assert_eq!(retry, "closed", "{:?}", event.kind()),
            }
            assert_eq!(word(handle.fail("x")), fail, "{:?}", event.kind());
            // What was answered to CONNECT is taken back by a reconnect, which wins.
            if event.kind() == Kind::Connect {
                handle.reconnect().unwrap();
                assert_eq!(word(handle.fail("x")), "closed", "the window is shut");
                handle.close().unwrap();
            }
        });
        assert_eq!(story(&seen), ["connect", "close None"]);
        let mut config = fast(&server.url("/s"));
        config.set_max_event_size(100).unwrap();
        let seen = follow(driver, &config, |event, handle| {
            let answered = word(handle.retry(Some(ms(1))));
            let is_answerable = event.kind() == Kind::Error && event.error() != ErrorKind::EventTooLarge;
            assert_eq!(answered, if is_answerable { "ok" } else { "closed" }, "{:?}", event.kind());
            if is_answerable {
                handle.pause().unwrap(); // wins over the answer, and shuts the window
                assert_eq!(word(handle.retry(None)), "closed");
                handle.close().unwrap();
            }
        });
        assert_eq!(
            story(&seen)[2..],
            ["error EventTooLarge 200", "message \"b\"", "error Ended 200 retry=1000", "close None 200"]
        );
    });
    // Behind the end of the callback, or the next poll or next, there is nothing to answer.
    let server = Server::start();
    server.on("/s", Script::empty(503).end());
    let mut config = Config::new(&server.url("/s")).unwrap();
    config.set_retry(Duration::from_secs(3600), Duration::from_secs(3600)).unwrap();
    let mut source = EventSource::new(&config).unwrap();
    let handle = source.handle();
    assert_eq!(source.next().unwrap().kind(), Kind::Connect);
    assert_eq!(source.next().unwrap().kind(), Kind::Error);
    assert_eq!(handle.retry(None), Ok(()));
    assert!(source.poll().unwrap().is_none());
    assert_eq!(handle.retry(None), Err(CallError::Closed));
}

#[test]
fn a_final_error_leaves_a_last_window() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/gone", Script::empty(404).end());
        server.on("/here", Script::sse().body(EVENT).stall());
        let here = server.url("/here");
        let seen = follow(driver, &fast(&server.url("/gone")), move |event, handle| match event.kind() {
            Kind::Error => {
                assert_eq!(handle.state(), State::Closed);
                for refused in [handle.pause(), handle.resume(), handle.reconnect(), handle.fail("x")] {
                    assert_eq!(refused, Err(CallError::Closed));
                }
                handle.set_url(&here).unwrap();
                handle.set_header("X-New", Some("1")).unwrap();
                handle.retry(Some(Duration::ZERO)).unwrap();
            }
            Kind::Message => handle.close().unwrap(),
            _ => {}
        });
        let told =
            ["connect", "error HttpStatus 404 final", "connect", "open", "message \"a\" id=1", "close None 200 id=1"];
        assert_eq!(story(&seen), told);
        assert_eq!(server.requests()[1].header("x-new").as_deref(), Some("1"));
        // From the end of the window on, a source that was revived is one that waits like any other.
        let config = Config::new(&server.url("/gone")).unwrap();
        let mut session = Session::start_with(driver, &config, |event, handle| {
            if event.kind() == Kind::Error {
                handle.retry(Some(Duration::from_secs(3600))).unwrap();
            }
        });
        session.until(Kind::Error);
        let begun = Instant::now();
        while session.handle.state() != State::Connecting {
            assert!(begun.elapsed() < DEADLINE, "{:?}", session.handle.state());
            std::thread::yield_now();
        }
        session.handle.pause().unwrap();
        assert_eq!(*story(&session.close()).last().unwrap(), "close None 404");
    });
}

#[test]
fn overlapping_calls_are_busy() {
    let server = Server::start();
    server.on("/s", Script::new().tell("asked").stall());
    let source = Arc::new(source(&server, "/s"));
    let inside = source.clone();
    let blocked = std::thread::spawn(move || {
        let first = inside.next_with(|event| event.kind());
        (first, inside.next_with(|event| event.kind()), inside.next_with(|_| ()))
    });
    server.wait_until_told("asked"); // it is inside the second next
    check(
        &source,
        &[
            ("next", "busy"),
            ("poll", "busy"),
            ("on", "busy"),
            ("start", "busy"),
            ("start_polled", "busy"),
            ("start_watched", "busy"),
            ("run", "busy"),
        ],
        "in next",
    );
    source.close().unwrap();
    assert_eq!(blocked.join().unwrap(), (Ok(Kind::Connect), Ok(Kind::Close), Err(CallError::Closed)));
}

#[test]
fn whoever_is_woken_may_poll_though_start_polled_has_not_returned() {
    let server = Server::start();
    for _ in 0..300 {
        let source = Arc::new(source(&server, "/s"));
        let (wake, woken) = mpsc::channel();
        let polling = source.clone();
        let event_loop = std::thread::spawn(move || {
            woken.recv_timeout(DEADLINE).unwrap();
            polling.poll_with(|event| event.kind())
        });
        source.start_polled(move || wake.send(()).unwrap_or(())).unwrap();
        assert_eq!(event_loop.join().unwrap(), Ok(Some(Kind::Connect)));
    }
}

#[test]
fn no_wake_begins_once_the_source_is_freed() {
    let server = Server::start();
    server.on("/s", Script::sse().tell("open").stall());
    for wait in [true, false] {
        let source = source(&server, "/s");
        let (wake, woken) = mpsc::channel();
        source.start_polled(move || wake.send(()).unwrap_or(())).unwrap();
        while source.state() != State::Open {
            woken.recv_timeout(DEADLINE).unwrap();
            while source.poll_with(|_| ()).unwrap().is_some() {}
        }
        // It was an AGAIN, so the next thing that happens would wake: the close that follows.
        if wait {
            source.free()
        } else {
            source.release()
        }
        // The end of the channel is the drop of the wake function.
        assert_eq!(woken.iter().count(), 0);
    }
}

#[test]
fn poll_inside_wake_is_busy() {
    let server = Server::start();
    server.on("/s", Script::sse().stall());
    let source = Arc::new(source(&server, "/s"));
    let (tell, told) = mpsc::channel();
    let weak = Arc::downgrade(&source);
    source
        .start_polled(move || {
            if let Some(source) = weak.upgrade() {
                tell.send(source.poll_with(|_| ())).unwrap();
            }
        })
        .unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Err(CallError::Busy));
    source.close().unwrap();
}

// ---- free, release, drop ----

/// Tells on which thread it was dropped, and in which order.
struct Witness {
    name: &'static str,
    log: Arc<Mutex<Vec<(&'static str, ThreadId)>>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.log.lock().unwrap().push((self.name, std::thread::current().id()));
    }
}

type Log = Arc<Mutex<Vec<(&'static str, ThreadId)>>>;

fn names(log: &Log) -> Vec<&'static str> {
    log.lock().unwrap().iter().map(|(name, _)| *name).collect()
}

/// Registers two callbacks that log CLOSE and their own end.
fn register(source: &EventSource, log: &Log) {
    for (name, close) in [("first", "CLOSE 1"), ("second", "CLOSE 2")] {
        let witness = Witness { name, log: log.clone() };
        source
            .on(Some(Kind::Close), None, move |_| {
                witness.log.lock().unwrap().push((close, std::thread::current().id()));
            })
            .unwrap();
    }
}

const IN_ORDER: [&str; 4] = ["CLOSE 1", "CLOSE 2", "first", "second"];

#[test]
fn free_waits_until_all_is_over() {
    // row 34
    let server = Server::start();
    server.on("/s", Script::sse().stall());
    server.on("/silent", Script::new().stall());
    for path in ["/s", "/silent"] {
        let log = Log::default();
        let source = source(&server, path);
        register(&source, &log);
        source.start().unwrap();
        let n = server.wait_for_requests(server.requests().len() + 1, DEADLINE).len();
        source.free();
        assert_eq!(names(&log), IN_ORDER);
        let threads: Vec<_> = log.lock().unwrap().iter().map(|(_, thread)| *thread).collect();
        assert!(threads.iter().all(|t| *t == threads[0] && *t != std::thread::current().id()), "all on the worker");
        server.wait_for_peer_end(n - 1, DEADLINE);
    }
    // Never started: on the caller, in free, without CLOSE.
    let log = Log::default();
    let source = source(&server, "/s");
    register(&source, &log);
    source.free();
    assert_eq!(names(&log), ["first", "second"]);
    assert!(log.lock().unwrap().iter().all(|(_, thread)| *thread == std::thread::current().id()));
}

#[test]
fn run_drops_its_callbacks_before_it_returns() {
    let server = Server::start();
    server.on("/s", Script::empty(204).end());
    let log = Log::default();
    let source = source(&server, "/s");
    register(&source, &log);
    source.run().unwrap();
    assert_eq!(names(&log), IN_ORDER);
    assert!(log.lock().unwrap().iter().all(|(_, thread)| *thread == std::thread::current().id()));
}

#[test]
fn release_never_waits_and_the_destructor_tells() {
    // row 34
    let server = Server::start();
    server.on("/s", Script::sse().body(EVENT).stall());
    for by_drop in [false, true] {
        let source = source(&server, "/s");
        let (held, holding) = (Arc::new(Mutex::new(())), mpsc::channel());
        let (over, until_over) = mpsc::channel();
        let over = Told(over);
        let (hold, tell) = (held.clone(), holding.0);
        source
            .on(Some(Kind::Message), None, move |_| {
                let _ = &over;
                tell.send(()).unwrap();
                drop(hold.lock().unwrap()); // blocks for as long as the test likes
            })
            .unwrap();
        let guard = held.lock().unwrap();
        source.start().unwrap();
        holding.1.recv_timeout(DEADLINE).unwrap();
        if by_drop {
            drop(source)
        } else {
            source.release()
        } // while the callback blocks
        assert!(until_over.try_recv().is_err());
        drop(guard);
        until_over.recv_timeout(DEADLINE).unwrap();
    }
    server.wait_for_open(0, DEADLINE);
}

struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn free_inside_any_callback_does_not_wait_for_itself() {
    let server = Server::start();
    server.on("/s", Script::events(": c\nid: 1\ndata: a\n\n"));
    for kind in [Kind::Connect, Kind::Open, Kind::Comment, Kind::Message, Kind::Error, Kind::Close] {
        let own = Arc::new(Mutex::new(None::<EventSource>));
        let source = source(&server, "/s");
        let (tell, told) = mpsc::channel();
        let (inside, handle) = (own.clone(), source.handle());
        source
            .on(None, None, move |event| {
                if event.kind() == kind {
                    if let Some(source) = inside.lock().unwrap().take() {
                        source.free();
                    }
                } else if kind == Kind::Close && event.kind() == Kind::Error {
                    handle.close().unwrap();
                }
                // The event outlives the source for the rest of the callback.
                tell.send((event.kind(), event.url().to_owned())).unwrap();
            })
            .unwrap();
        let mut holder = own.lock().unwrap();
        source.start().unwrap();
        *holder = Some(source);
        drop(holder);
        let mut seen = Vec::new();
        while let Ok((kind, url)) = told.recv() {
            assert_eq!(url, server.url("/s"));
            seen.push(kind); // until the callback is dropped, and its sender with it
        }
        assert_eq!(seen.last(), Some(&Kind::Close), "{seen:?}");
        assert_eq!(seen.iter().filter(|k| **k == Kind::Close).count(), 1);
        let before_close = seen.iter().rev().nth(usize::from(kind != Kind::Close)).unwrap();
        assert_eq!(*before_close, kind);
    }
}

#[test]
fn a_refused_registration_is_dropped_before_the_call_returns() {
    let server = Server::start();
    server.on("/s", Script::sse().stall());
    let log = Log::default();
    let witness = |name| Witness { name, log: log.clone() };
    let source = source(&server, "/s");
    let (a, b, c) = (witness("invalid"), witness("busy"), witness("wake"));
    source.on(Some(Kind::Open), Some("x"), move |_| _ = &a).unwrap_err();
    assert_eq!(names(&log), ["invalid"]);
    source.on(None, None, |_| {}).unwrap();
    source.start_polled(move || _ = &c).unwrap_err();
    assert_eq!(names(&log), ["invalid", "wake"]);
    source.start().unwrap();
    source.on(None, None, move |_| _ = &b).unwrap_err();
    assert_eq!(names(&log), ["invalid", "wake", "busy"]);
    source.free();
}

#[test]
fn the_wake_function_is_dropped_as_the_workers_last_act() {
    let server = Server::start();
    server.on("/s", Script::sse().stall());
    // After CLOSE was polled; and where nobody polls CLOSE, after free, release or drop.
    for end in ["polled", "free", "release", "drop"] {
        let (wake, woken) = mpsc::channel();
        let (over, until_over) = mpsc::channel();
        let over = Told(over);
        let source = source(&server, "/s");
        source
            .start_polled(move || {
                let _ = &over;
                let _ = wake.send(());
            })
            .unwrap();
        woken.recv_timeout(DEADLINE).unwrap();
        while source.poll_with(|_| ()).unwrap().is_some() {}
        assert!(until_over.try_recv().is_err());
        match end {
            "polled" => {
                source.close().unwrap();
                woken.recv_timeout(DEADLINE).unwrap();
                assert_eq!(source.poll_with(|event| event.kind()), Ok(Some(Kind::Close)));
                until_over.recv_timeout(DEADLINE).unwrap();
                source.free();
            }
            "free" => {
                source.free();
                until_over.try_recv().unwrap(); // free has waited for it
            }
            "release" => source.release(),
            _ => drop(source),
        }
        if matches!(end, "release" | "drop") {
            until_over.recv_timeout(DEADLINE).unwrap();
        }
    }
    server.wait_for_open(0, DEADLINE);
}

#[test]
fn dropping_a_pulled_source_aborts_its_connection() {
    // row 34
    let server = Server::start();
    server.on("/s", Script::sse().body(EVENT).stall());
    let mut source = source(&server, "/s");
    while source.next().unwrap().kind() != Kind::Message {}
    assert_eq!(server.connections_open(), 1);
    drop(source);
    server.wait_for_peer_end(0, DEADLINE);
    // Once CLOSE was pulled there is no need to wait for that.
    let mut source = self::source(&server, "/s");
    while source.next().unwrap().kind() != Kind::Message {}
    source.close().unwrap();
    assert_eq!(source.next().unwrap().kind(), Kind::Close);
    server.wait_for_peer_end(1, DEADLINE);
    drop(source);
}

// ---- callbacks for some events only; back-pressure ----

#[test]
fn typed_events_go_to_their_callbacks_only() {
    // row 81
    let server = Server::start();
    let body = "data: 1\n\nevent: a\ndata: 2\n\nevent: open\ndata: 3\n\nevent: message\ndata: 4\n\n: c\n";
    server.on("/s", [Script::events(body), Script::empty(204).end()]);
    let source = source(&server, "/s");
    let log = Arc::new(Mutex::new(Vec::new()));
    let kinds = [
        (Some(Kind::Message), Some("a")),
        (Some(Kind::Message), Some("message")),
        (Some(Kind::Open), None),
        (Some(Kind::Message), None),
        (Some(Kind::Message), Some("A")),
        (Some(Kind::Comment), None),
    ];
    for (n, (kind, event_type)) in kinds.into_iter().enumerate() {
        let log = log.clone();
        source.on(kind, event_type, move |event| log.lock().unwrap().push((n, event.data().to_owned()))).unwrap();
    }
    source.run().unwrap();
    let expected = [(2, ""), (1, "1"), (3, "1"), (0, "2"), (3, "2"), (3, "3"), (1, "4"), (3, "4"), (5, " c")];
    assert_eq!(*log.lock().unwrap(), expected.map(|(n, data)| (n, data.to_owned())));
}

#[test]
fn a_consumer_that_stops_stops_the_server() {
    for_each_driver(|driver| {
        let server = Server::start();
        server.handle_rest(|_, connection| {
            connection.run(&Script::sse().endless(format!("data: {}\n\n", "x".repeat(1000)), 1 << 30))
        });
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let mut n = 0;
        let session = Session::start_with(driver, &fast(&server.url("/s")), move |event, _| {
            if event.kind() == Kind::Message {
                n += 1;
                if n == 100 {
                    tell.send(()).unwrap();
                    let _ = gone.lock().unwrap().recv(); // a consumer that is busy with something else
                }
            }
        });
        told.recv_timeout(DEADLINE).unwrap();
        // The server goes on until the sockets' buffers are full, and then stands still.
        let mut before = 0;
        let sent = loop {
            std::thread::sleep(ms(100));
            let sent = server.connections()[0].sent;
            if sent == before {
                break sent;
            }
            before = sent;
        };
        assert!(sent < 64 << 20, "{sent} bytes were taken from the server while nobody consumed");
        go.send(()).unwrap();
        drop(session.close());
    });
}

#[test]
fn a_destructor_may_call_anything_even_free() {
    struct Owner(Arc<Mutex<Option<EventSource>>>, mpsc::Sender<&'static str>);
    impl Drop for Owner {
        fn drop(&mut self) {
            if let Some(source) = self.0.lock().unwrap().take() {
                self.1.send(call(&source, "close")).unwrap();
                self.1.send(call(&source, "start")).unwrap();
                source.free();
            }
            self.1.send("over").unwrap();
        }
    }
    let server = Server::start();
    server.on("/s", Script::empty(204).end());
    let slot = Arc::new(Mutex::new(None));
    let (tell, told) = mpsc::channel();
    let source = source(&server, "/s");
    let owner = Owner(slot.clone(), tell);
    source.on(Some(Kind::Close), None, move |_| _ = &owner).unwrap();
    let mut holder = slot.lock().unwrap(); // the destructor waits for it
    source.start().unwrap();
    *holder = Some(source);
    drop(holder);
    assert_eq!(told.recv_timeout(DEADLINE), Ok("closed"));
    assert_eq!(told.recv_timeout(DEADLINE), Ok("closed"));
    assert_eq!(told.recv_timeout(DEADLINE), Ok("over"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_that_finds_no_thread_has_changed_nothing() {
    // In a process of its own, whose address space is smaller than the stack asked for.
    const NAME: &str = "a_start_that_finds_no_thread_has_changed_nothing";
    if std::env::var_os("NO_ROOM").is_none() {
        let again = std::process::Command::new("sh")
            .args(["-c", "ulimit -v 250000 && exec \"$0\" --exact \"$1\" --nocapture"])
            .args([std::env::current_exe().unwrap().to_str().unwrap(), NAME])
            .env("NO_ROOM", "1")
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && output.contains("there was no thread"), "{output}");
        return;
    }
    let server = Server::start();
    server.on("/s", Script::empty(204).end());
    let mut config = fast(&server.url("/s"));
    config.set_stack_size(256 << 20).unwrap();
    let source = EventSource::new(&config).unwrap();
    let (tell, told) = mpsc::channel();
    let log = Log::default();
    let witness = Witness { name: "wake", log: log.clone() };
    let refused = source.start_polled(move || _ = &witness);
    assert!(matches!(refused, Err(CallError::OutOfResources(_))), "{refused:?}");
    assert_eq!(names(&log), ["wake"], "dropped before the call returned");
    source.on(None, None, move |event| tell.send(event.kind()).unwrap()).unwrap();
    assert!(matches!(source.start(), Err(CallError::OutOfResources(_))));
    assert_eq!(source.state(), State::Connecting);
    source.run().unwrap(); // needs no thread of ours
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [Kind::Connect, Kind::Close]);
    println!("there was no thread");
}
