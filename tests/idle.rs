//! What an open stream costs while nothing comes: no wake-up, no system call, one descriptor, one thread.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::*;
use eventsource::{Config, EventSource, Kind};
use eventsource_test_server::Tls;

/// The library's threads: how often each has given up the processor, and the system call that it is in.
fn threads() -> Vec<(String, String)> {
    let mut threads = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let read = |file: &str| std::fs::read_to_string(task.join(file)).unwrap_or_default();
        if read("comm").trim() == "eventsource" {
            // In this order: what a thread that sleeps by then has counted is all.
            let syscall = read("syscall").split(' ').next().unwrap_or_default().trim().to_owned();
            let status = read("status");
            let switches: Vec<_> = status.lines().filter(|line| line.contains("ctxt_switches")).collect();
            threads.push((format!("{} {}", task.display(), switches.join(" ")), syscall));
        }
    }
    threads.sort();
    threads
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until the process holds `expected` descriptors: the server, which is in it too, gives up its own a moment later.
fn await_descriptors(expected: usize) {
    let end = Instant::now() + DEADLINE;
    while descriptors() != expected {
        assert!(Instant::now() < end, "{} descriptors, not {expected}", descriptors());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The library's threads once all sleep in the system call `sleeping`: from a callback's end, or from handing a connection
/// over, to there it is a moment.
fn asleep(sleeping: &str) -> Vec<(String, String)> {
    let end = Instant::now() + DEADLINE;
    loop {
        let now = threads();
        if now.iter().all(|(_, syscall)| syscall == sleeping) {
            return now;
        }
        assert!(Instant::now() < end, "not all are in system call {sleeping}: {now:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// System calls by their number.
const RECVFROM: &str = if cfg!(target_arch = "x86_64") { "45" } else { "207" };
const FUTEX: &str = if cfg!(target_arch = "x86_64") { "202" } else { "98" };

#[test]
fn an_idle_stream_makes_no_system_call_and_holds_one_descriptor() {
    let (plain, tls) = (Server::start(), Server::start_tls(&Tls::new()));
    for server in [&plain, &tls] {
        server.on("/chunked", Script::sse().chunked().body("data: a\n\n").stall());
        server.on("/gzip", Script::sse().gzip().body("data: a\n\n").stall());
        server.on("/", Script::sse().body("data: a\n\n").stall());
    }
    let before = descriptors();
    let (tell, told) = mpsc::channel();
    let mut sources = Vec::new();
    for server in [&plain, &tls] {
        for path in ["/", "/chunked", "/gzip"] {
            for idle in [None, Some(Duration::from_secs(3600))] {
                let mut config = Config::new(&server.url(path)).unwrap();
                config.set_compression(true).unwrap();
                config.set_idle_timeout(idle).unwrap();
                if server.is_tls() {
                    config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
                }
                let source = EventSource::new(&config).unwrap();
                let tell = tell.clone();
                source.on(Some(Kind::Message), None, move |_| tell.send(()).unwrap()).unwrap();
                source.start().unwrap();
                sources.push(source);
            }
        }
    }
    for _ in &sources {
        told.recv_timeout(DEADLINE).unwrap();
    }
    let first = asleep(RECVFROM);
    assert_eq!(first.len(), sources.len(), "one thread each");
    // A descriptor here and one in the server, which is in this process.
    await_descriptors(before + 2 * sources.len());
    std::thread::sleep(Duration::from_secs(1)); // what would wake them has a second to do so
    assert_eq!(threads(), first, "something woke a thread");
    sources.into_iter().for_each(EventSource::free);
    await_descriptors(before);

    // In an event loop that waits for the connections itself the thread has nothing at all to do.
    let (mut sources, mut loops) = (Vec::new(), Vec::new());
    for server in [&plain, &tls] {
        for idle in [None, Some(Duration::from_secs(3600))] {
            let mut config = Config::new(&server.url("/chunked")).unwrap();
            config.set_idle_timeout(idle).unwrap();
            if server.is_tls() {
                config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
            }
            let mut source = EventSource::new(&config).unwrap();
            let events = Loop::start(&source);
            let mut there = false;
            loop {
                match source.poll().unwrap() {
                    Some(event) => there |= event.kind() == Kind::Message,
                    None if there && events.is_watching() => break,
                    None => events.wait(),
                }
            }
            sources.push(source);
            loops.push(events);
        }
    }
    let first = asleep(FUTEX);
    assert_eq!(first.len(), sources.len());
    // As above, and each of these loops has a pair of its own and a copy of what it waits for.
    await_descriptors(before + 5 * sources.len());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(threads(), first, "something woke a thread");
    assert!(loops.iter().all(|events| !events.is_ready()));
    sources.into_iter().for_each(EventSource::free);
}
