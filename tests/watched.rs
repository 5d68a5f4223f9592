//! The event loop that waits for the connection itself: when it is told to, and that nothing else depends on it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::*;
use eventsource::{CallError, Config, ErrorKind, Event, EventSource, Kind, ReconnectMode};
use eventsource_test_server::Tls;

fn config(server: &Server, path: &str) -> Config {
    let mut config = fast(&server.url(path));
    if server.is_tls() {
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    }
    config
}

/// Polls until `each` says that it has seen enough.
fn until(source: &mut EventSource, events: &Loop, mut each: impl FnMut(&Event<'_>) -> bool) {
    loop {
        match source.poll().unwrap() {
            Some(event) if each(&event) => return,
            Some(_) => {}
            None => events.wait(),
        }
    }
}

fn begin(config: &Config) -> (EventSource, Loop) {
    let source = EventSource::new(config).unwrap();
    let events = Loop::start(&source);
    (source, events)
}

#[test]
fn single_events_come_without_a_wake() {
    for server in [Server::start(), Server::start_tls(&Tls::new())] {
        for path in ["/", "/chunked"] {
            let head = if path == "/" { Script::sse() } else { Script::sse().chunked() };
            let script = (0..50).fold(head, |script, n| script.wait_for(path).body(format!("data: {n}\n\n")));
            server.on(path, script.stall());
            let (mut source, events) = begin(&config(&server, path));
            until(&mut source, &events, |event| event.kind() == Kind::Open);
            for n in 0..50 {
                assert!(source.poll().unwrap().is_none());
                assert!(events.is_watching(), "{path}: from OPEN on");
                let rings = events.rings();
                server.go(path);
                until(&mut source, &events, |event| {
                    assert_eq!(event.data(), n.to_string());
                    true
                });
                assert_eq!(events.rings(), rings, "{path}: the library's thread had nothing to do with it");
            }
            source.free();
            events.end();
        }
    }
}

#[test]
fn what_cannot_be_waited_for_comes_by_wakes() {
    let server = Server::start();
    let script = (0..20).fold(Script::sse().gzip(), |script, n| script.wait_for("go").body(format!("data: {n}\n\n")));
    server.on("/", script.stall());
    let mut config = config(&server, "/");
    config.set_compression(true).unwrap();
    let (mut source, events) = begin(&config);
    until(&mut source, &events, |event| event.kind() == Kind::Open);
    for _ in 0..20 {
        assert!(source.poll().unwrap().is_none());
        assert!(!events.is_watching());
        server.go("go");
        until(&mut source, &events, |event| event.kind() == Kind::Message);
    }
    source.free();
    events.end();
}

#[test]
fn who_cannot_watch_is_asked_once_and_woken_as_ever() {
    let server = Server::start();
    let message = || Script::sse().wait_for("go").body("data: x\n\n");
    server.on("/", vec![message().fin(), message().fin(), message().stall()]);
    let mut source = EventSource::new(&config(&server, "/")).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let (wake, woken) = mpsc::channel();
    source
        .start_watched(
            move || wake.send(()).unwrap(),
            move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                false
            },
        )
        .unwrap();
    let (mut messages, mut opened) = (0, false);
    while messages < 3 {
        match source.poll().unwrap() {
            Some(event) => {
                messages += usize::from(event.kind() == Kind::Message);
                opened |= event.kind() == Kind::Open;
            }
            None => {
                if std::mem::take(&mut opened) {
                    server.go("go");
                }
                woken.recv_timeout(DEADLINE).unwrap();
            }
        }
    }
    source.free();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_the_watcher_is_a_no() {
    let server = Server::start();
    server.on("/", Script::sse().body("data: x\n\n").wait_for("go").body("data: y\n\n").stall());
    let mut source = EventSource::new(&config(&server, "/")).unwrap();
    let (wake, woken) = mpsc::channel();
    source.start_watched(move || wake.send(()).unwrap(), |_| panic!("on purpose")).unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|data| data != "y") {
        match source.poll().unwrap() {
            Some(event) if event.kind() == Kind::Message => seen.push(event.data().to_string()),
            Some(_) => {}
            None => {
                if seen.len() == 1 {
                    server.go("go");
                }
                woken.recv_timeout(DEADLINE).unwrap();
            }
        }
    }
    assert_eq!(seen, ["x", "y"]);
}

/// Readable for ever is what has ended: nobody waits for that.
#[test]
fn the_end_of_a_connection_ends_the_waiting_for_it() {
    for server in [Server::start(), Server::start_tls(&Tls::new())] {
        let script = || Script::sse().body("data: x\n\n").wait_for("go");
        for (path, end) in [("/fin", script().fin()), ("/cut", script().truncate()), ("/reset", script().reset())] {
            server.on(path, end);
            let (mut source, events) = begin(&config(&server, path));
            until(&mut source, &events, |event| event.kind() == Kind::Message);
            assert!(source.poll().unwrap().is_none());
            assert!(events.is_watching());
            server.go("go");
            until(&mut source, &events, |event| {
                assert_eq!(event.kind(), Kind::Error);
                true
            });
            assert!(!events.is_watching(), "{path}: in ERROR already");
            source.free();
            events.end();
        }
    }
}

/// From any thread, without a wake: the connection is shut down, which the loop sees.
#[test]
fn close_pause_and_reconnect_are_seen_by_the_watcher() {
    for server in [Server::start(), Server::start_tls(&Tls::new())] {
        server.on("/", Script::sse().body("data: x\n\n").stall());
        for what in ["close", "pause", "reconnect"] {
            let (mut source, events) = begin(&config(&server, "/"));
            until(&mut source, &events, |event| event.kind() == Kind::Message);
            assert!(source.poll().unwrap().is_none());
            assert!(events.is_watching());
            let handle = source.handle();
            let connection = server.connections().len() - 1;
            let other = std::thread::spawn(move || match what {
                "close" => handle.close().unwrap(),
                "pause" => handle.pause().unwrap(),
                _ => handle.reconnect().unwrap(),
            });
            events.wait();
            other.join().unwrap();
            server.wait_for_peer_end(connection, DEADLINE);
            match what {
                "close" => {
                    until(&mut source, &events, |event| {
                        assert_eq!(event.kind(), Kind::Close);
                        true
                    });
                    assert_eq!(source.poll().map(|_| ()), Err(CallError::Closed));
                }
                "pause" => {
                    assert!(source.poll().unwrap().is_none());
                    source.resume().unwrap();
                    until(&mut source, &events, |event| event.kind() == Kind::Message);
                }
                _ => until(&mut source, &events, |event| event.kind() == Kind::Message),
            }
            source.free();
            events.end();
        }
    }
}

#[test]
fn silence_is_noticed_and_polling_for_no_reason_does_not_put_it_off() {
    // Pauses far below the limit, however late the server's thread gets its turn. All at once, for time's sake.
    let servers = [Server::start(), Server::start_tls(&Tls::new())];
    let test = |server: &Server, idle| {
        let lively = (0..7).fold(Script::sse(), |script, n| script.body(format!("data: {n}\n\n")).pause(ms(700)));
        let path = format!("/{idle}");
        server.on(&path, lively.stall());
        let mut config = config(server, &path);
        config.set_idle_timeout(Some(ms(3500))).unwrap();
        let (mut source, events) = begin(&config);
        let mut messages = 0;
        let end = std::time::Instant::now() + DEADLINE;
        loop {
            assert!(std::time::Instant::now() < end, "the silence was not noticed");
            match source.poll().unwrap() {
                Some(event) if event.kind() == Kind::Error => {
                    assert_eq!(event.error(), ErrorKind::TimedOut);
                    assert_eq!(event.data(), "the server was silent for too long");
                    break;
                }
                Some(event) => messages += usize::from(event.kind() == Kind::Message),
                None if idle => events.wait(),
                None => std::thread::sleep(ms(5)),
            }
        }
        assert_eq!(messages, 7, "longer in all than the limit");
        source.free();
        if idle {
            events.end();
        }
    };
    std::thread::scope(|scope| {
        for server in &servers {
            for idle in [false, true] {
                scope.spawn(move || test(server, idle));
            }
        }
    });
}

#[test]
fn the_watcher_is_told_to_stop_whatever_ends_the_source() {
    let server = Server::start();
    server.on("/", Script::sse().body("data: x\n\n").stall());
    for how in ["free", "release", "drop", "close"] {
        let (mut source, events) = begin(&config(&server, "/"));
        until(&mut source, &events, |event| event.kind() == Kind::Message);
        assert!(source.poll().unwrap().is_none());
        assert!(events.is_watching());
        match how {
            "free" => source.free(),
            "release" => source.release(),
            "drop" => drop(source),
            _ => {
                source.close().unwrap();
                until(&mut source, &events, |event| event.kind() == Kind::Close);
                assert!(!events.is_watching(), "before CLOSE is handed out");
                source.free();
            }
        }
        events.end();
    }
}

/// A flood through TLS is undone on the library's thread, and comes back when it is over.
#[test]
fn a_flood_through_tls_goes_to_the_thread_and_comes_back() {
    let server = Server::start_tls(&Tls::new());
    let flood = "data: 0123456789\n\n".repeat(200_000);
    let script = Script::sse().body("data: first\n\n").wait_for("go").body(flood).body("data: last\n\n").wait_for("go");
    server.on("/", script.body("data: alone\n\n").wait_for("go").body("data: again\n\n").stall());
    let (mut source, events) = begin(&config(&server, "/"));
    until(&mut source, &events, |event| event.data() == "first");
    server.go("go");
    let (rings, mut messages) = (events.rings(), 0);
    until(&mut source, &events, |event| {
        messages += 1;
        event.data() == "last"
    });
    assert_eq!(messages, 200_001);
    assert!(events.rings() > rings, "none of it came by the thread");
    server.go("go");
    until(&mut source, &events, |event| event.data() == "alone");
    assert!(source.poll().unwrap().is_none());
    assert!(events.is_watching(), "back again");
    server.go("go");
    until(&mut source, &events, |event| event.data() == "again");
    source.free();
    events.end();
}

/// Nothing wakes anybody while nothing comes, whether or not there is a limit to that.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_source_wakes_nobody() {
    let server = Server::start();
    server.on("/", Script::sse().body("data: x\n\n").stall());
    for idle in [None, Some(Duration::from_secs(3600))] {
        let mut config = config(&server, "/");
        config.set_idle_timeout(idle).unwrap();
        let (mut source, events) = begin(&config);
        until(&mut source, &events, |event| event.kind() == Kind::Message);
        assert!(source.poll().unwrap().is_none());
        let rings = events.rings();
        std::thread::sleep(ms(200));
        assert!(!events.is_ready(), "a reason to poll, though nothing has come");
        assert_eq!(events.rings(), rings);
        source.free();
        events.end();
    }
}

/// The read that brings it may be the last of a turn, and the socket tells of nothing more.
#[test]
fn the_end_of_a_body_is_seen_while_the_connection_stays() {
    let server = Server::start();
    // A line without an end: no read brings an event, and of such a turn has few.
    for n in 1..=64 {
        let body = format!(":{}", "x".repeat(n * 1024));
        for is_chunked in [false, true] {
            let path = format!("/{n}/{is_chunked}");
            let head = if is_chunked { Script::sse().chunked() } else { Script::sse().length(body.len() as u64) };
            let sent = head.wait_for(&path).body(&body);
            let sent = if is_chunked { sent.end_body() } else { sent };
            server.on(&path, sent.tell(&path).stall());
            let mut config = config(&server, &path);
            config.set_reconnect(ReconnectMode::Never).unwrap();
            let (mut source, events) = begin(&config);
            until(&mut source, &events, |event| event.kind() == Kind::Open);
            server.go(&path);
            server.wait_until_told(&path); // so that all of it is there
            until(&mut source, &events, |event| {
                assert_eq!((event.kind(), event.error()), (Kind::Close, ErrorKind::Ended), "{path}");
                true
            });
            source.free();
            events.end();
        }
    }
}

/// As where the library's thread reads: whatever comes is no silence, even if it is no event yet.
#[test]
fn bytes_that_are_framing_are_no_silence() {
    let server = Server::start();
    let head = Script::sse().header("Transfer-Encoding", "chunked");
    let script = (0..10).fold(head, |script, _| script.send("0").pause(ms(500)));
    server.on("/", script.send("9\r\ndata: a\n\n\r\n").stall());
    let mut config = config(&server, "/");
    config.set_idle_timeout(Some(ms(4000))).unwrap(); // of 5 seconds
    let (mut source, events) = begin(&config);
    until(&mut source, &events, |event| event.kind() == Kind::Open);
    until(&mut source, &events, |event| {
        assert_eq!(event.kind(), Kind::Message, "{event:?}");
        true
    });
    source.free();
    events.end();
}
