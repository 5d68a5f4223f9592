//! The event loop's driver in a flood, where the loop reads from the connection itself: nothing is lost, nobody waits, and what
//! the caller wants meanwhile holds; in both of its manners.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::fmt::Write as _;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use eventsource::{Config, ErrorKind, Event, EventSource, Kind};
use eventsource_test_server::{DEADLINE, Script, Server, Tls};

/// Messages 0 to `count`, of all sizes up to some kilobytes.
fn numbered(count: usize) -> String {
    let mut body = String::new();
    for n in 0..count {
        write!(body, "id: {n}\ndata: {n} {}\n\n", "x".repeat(n * 7919 % 6000)).unwrap();
    }
    body
}

fn number(event: &Event<'_>) -> usize {
    event.data().split(' ').next().unwrap().parse().unwrap()
}

/// Who tells that there is reason to poll.
enum Bell {
    Wake(Receiver<()>),
    Watch(common::Loop),
}

impl Bell {
    fn wait(&self) {
        match self {
            Bell::Wake(woken) => woken.recv_timeout(DEADLINE).unwrap(),
            Bell::Watch(events) => events.wait(),
        }
    }
}

struct Loop {
    source: EventSource,
    bell: Bell,
}

impl Loop {
    fn new(config: &Config, watched: bool) -> Loop {
        println!("watched: {watched}");
        let source = EventSource::new(config).unwrap();
        if watched {
            let bell = Bell::Watch(common::Loop::start(&source));
            return Loop { source, bell };
        }
        let (wake, woken) = mpsc::channel();
        source.start_polled(move || wake.send(()).unwrap()).unwrap();
        Loop { source, bell: Bell::Wake(woken) }
    }

    /// Hands `each` every event, until it says that it has seen enough. False: CLOSE has come before.
    fn run(&mut self, mut each: impl FnMut(&Event<'_>) -> bool) -> bool {
        loop {
            match self.source.poll() {
                Ok(Some(event)) if each(&event) => return true,
                Ok(Some(_)) => {}
                Ok(None) => self.bell.wait(),
                Err(_) => return false,
            }
        }
    }
}

fn config(server: &Server, path: &str) -> Config {
    let mut config = Config::new(&server.url(path)).unwrap();
    config.set_retry(Duration::from_secs(60), Duration::from_secs(60)).unwrap();
    config.set_compression(true).unwrap();
    if server.is_tls() {
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    }
    config
}

#[test]
fn every_event_comes_in_its_order_however_the_body_is_framed() {
    const COUNT: usize = 2000;
    let body = numbered(COUNT);
    for watched in [false, true] {
        for server in [Server::start(), Server::start_tls(&Tls::new())] {
            for (name, head) in [
                ("/until-close", Script::sse()),
                ("/chunked", Script::sse().chunked()),
                ("/length", Script::sse().length(body.len() as u64)),
                ("/gzip", Script::sse().gzip()),
            ] {
                // Twice a flood, and something alone in between.
                let (first, second) = body.split_at(body.find("id: 1500\n").unwrap());
                let (alone, second) = second.split_at(second.find("id: 1501\n").unwrap());
                server.on(name, head.body(first).wait_for(name).body(alone).wait_for(name).body(second).end());
                let mut polled = Loop::new(&config(&server, name), watched);
                let mut next = 0;
                let ended = polled.run(|event| {
                    if event.kind() == Kind::Message {
                        assert_eq!(number(event), next, "{name}");
                        assert_eq!(event.id(), next.to_string());
                        next += 1;
                        if next == 1500 || next == 1501 {
                            server.go(name);
                        }
                    }
                    event.kind() == Kind::Error
                });
                assert!(ended && next == COUNT, "{name}: {next}");
                polled.source.free();
            }
        }
    }
}

#[test]
fn close_pause_and_reconnect_hold_at_once() {
    let server = Server::start();
    server.on("/", Script::sse().endless(numbered(500), 1 << 30));
    for (what, watched) in ["close", "pause", "reconnect"].into_iter().flat_map(|what| [(what, false), (what, true)]) {
        let before = server.connections().len();
        let mut polled = Loop::new(&config(&server, "/"), watched);
        let handle = polled.source.handle();
        let mut messages = 0;
        assert!(polled.run(|event| {
            messages += usize::from(event.kind() == Kind::Message);
            messages == 10_000
        }));
        // The connection goes now, and not when the loop polls again.
        match what {
            "close" => handle.close().unwrap(),
            "pause" => handle.pause().unwrap(),
            _ => handle.reconnect().unwrap(),
        }
        server.wait_for_peer_end(before, DEADLINE);
        match what {
            "close" => {
                let mut kinds = Vec::new();
                assert!(!polled.run(|event| {
                    kinds.push(event.kind());
                    false
                }));
                assert_eq!(kinds, [Kind::Close]);
            }
            "pause" => {
                assert!(polled.source.poll().unwrap().is_none(), "an event after pause");
                handle.resume().unwrap();
                assert!(polled.run(|event| event.kind() == Kind::Message && number(event) == 0));
            }
            _ => {
                let mut kinds = Vec::new();
                assert!(polled.run(|event| {
                    kinds.push(event.kind());
                    event.kind() == Kind::Message
                }));
                assert_eq!(kinds, [Kind::Connect, Kind::Open, Kind::Message]);
            }
        }
        polled.source.free();
    }
}

#[test]
fn silence_after_a_flood_is_noticed() {
    let server = Server::start();
    server.on("/", Script::sse().body(numbered(1000)).stall());
    let mut config = config(&server, "/");
    config.set_idle_timeout(Some(Duration::from_secs(3))).unwrap();
    for watched in [false, true] {
        let mut polled = Loop::new(&config, watched);
        let mut messages = 0;
        assert!(polled.run(|event| {
            messages += usize::from(event.kind() == Kind::Message);
            event.error() == ErrorKind::TimedOut
        }));
        assert_eq!(messages, 1000);
        polled.source.free();
    }
}

/// Whoever polls does not wait: a server that sends for ever what makes no event would keep it there.
#[test]
fn a_flood_without_events_does_not_keep_the_loop() {
    let server = Server::start();
    server.on("/", Script::sse().body("data: first\n\n").endless("other: x\n".repeat(1000), usize::MAX));
    for watched in [false, true] {
        let mut polled = Loop::new(&config(&server, "/"), watched);
        assert!(polled.run(|event| event.kind() == Kind::Message));
        let (done, other) = mpsc::channel();
        std::thread::spawn(move || {
            for _ in 0..50 {
                while polled.source.poll().unwrap().is_some() {}
                polled.bell.wait();
            }
            polled.source.free();
            done.send(()).unwrap();
        });
        other.recv_timeout(DEADLINE).unwrap();
    }
}

/// Who polls until there is nothing, as the manual says, has other sources to see to.
#[test]
fn a_flood_of_events_gives_the_others_of_the_loop_their_turn() {
    let server = Server::start();
    server.on("/", Script::sse().endless(numbered(500), usize::MAX));
    for watched in [false, true] {
        let mut polled = Loop::new(&config(&server, "/"), watched);
        let (mut messages, mut since) = (0, 0);
        while messages < 30_000 {
            if polled.source.poll().unwrap().is_some() {
                (messages, since) = (messages + 1, since + 1);
                // A turn reads 3 MB at most, and an event has 3 KB.
                assert!(since < 3000, "{since} events in a row");
            } else {
                since = 0;
                polled.bell.wait();
            }
        }
        polled.source.free();
    }
}
