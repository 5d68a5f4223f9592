#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn soon() -> Deadline {
    Deadline::after(LONG)
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 0))
}

fn message(stop: Stop) -> String {
    match stop {
        Stop::Failed(failure) => {
            assert_eq!(failure.kind, ErrorKind::Dns);
            failure.message
        }
        other => panic!("{other:?}"),
    }
}

/// A resolver that answers only when told to, and how often it was asked.
struct Held {
    lookups: Arc<Lookups>,
    release: Sender<()>,
    asked: Arc<AtomicUsize>,
}

fn held() -> Held {
    let (release, gate) = crossbeam_channel::unbounded::<()>();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let lookups = Lookups::with(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        let _ = gate.recv();
        Ok(vec![address(1)])
    });
    Held { lookups, release, asked }
}

impl Held {
    /// How many wait for each lookup of `host`.
    fn waiting(&self, host: &str) -> Vec<usize> {
        let table = self.lookups.table();
        table.pending.get(host).into_iter().flatten().map(|lookup| lookup.waiting.len()).collect()
    }

    /// Helpers begin when they get their turn.
    fn until_asked(&self, times: usize) {
        let end = std::time::Instant::now() + LONG;
        while self.asked.load(Ordering::SeqCst) < times {
            assert!(std::time::Instant::now() < end, "not asked");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The helpers end: nothing of a test stays behind. They are detached, so this asks until it is so.
    fn finish(self) {
        let Held { lookups, release, .. } = self;
        drop(release);
        let end = std::time::Instant::now() + LONG;
        while lookups.table().helpers > 0 {
            assert!(std::time::Instant::now() < end, "a helper did not end");
            std::thread::yield_now();
        }
        assert!(lookups.table().pending.is_empty());
        assert!(lookups.table().queue.is_empty());
    }
}

#[test]
fn addresses_are_not_looked_up() {
    let lookups = Lookups::with(|host| panic!("asked for {host}"));
    let interrupt = Interrupt::new();
    for host in ["127.0.0.1", "::1", "2001:db8::7"] {
        let found = lookups.look_up((host, 8080), None, soon(), &interrupt).unwrap();
        assert_eq!(found, [SocketAddr::new(host.parse().unwrap(), 8080)]);
    }
}

#[test]
fn a_zone_is_kept() {
    let lookups = Lookups::with(|host| panic!("asked for {host}"));
    let interrupt = Interrupt::new();
    let found = lookups.look_up(("fe80::1%7", 80), None, soon(), &interrupt).unwrap();
    assert!(matches!(found[..], [SocketAddr::V6(address)] if address.scope_id() == 7 && address.port() == 80));
    let why = message(lookups.look_up(("fe80::1%no-such-interface", 80), None, soon(), &interrupt).unwrap_err());
    assert!(why.starts_with("cannot look up fe80::1%no-such-interface: "), "{why}");
    #[cfg(target_os = "linux")]
    {
        let found = lookups.look_up(("fe80::1%lo", 80), None, soon(), &interrupt).unwrap();
        assert!(matches!(found[..], [SocketAddr::V6(address)] if address.scope_id() > 0), "{found:?}");
    }
}

#[test]
fn names_go_to_the_system() {
    let found = Lookups::shared().look_up(("localhost", 80), None, soon(), &Interrupt::new()).unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
}

#[test]
fn failures_are_in_the_systems_words() {
    // A name that no resolver can hold (a label of 64) fails without a packet.
    let name = "a".repeat(64);
    let why = message(Lookups::shared().look_up((&name, 80), None, soon(), &Interrupt::new()).unwrap_err());
    let words = why.strip_prefix(&format!("cannot look up {name}: ")).unwrap();
    assert!(!words.is_empty() && !words.contains("failed to lookup"), "{why}");

    let lookups = Lookups::with(|_| Ok(Vec::new()));
    let why = message(lookups.look_up(("example.test", 80), None, soon(), &Interrupt::new()).unwrap_err());
    assert_eq!(why, "cannot look up example.test: it has no address");
}

#[test]
fn a_lookup_that_panics_is_a_failure() {
    let lookups = Lookups::with(|_| panic!("on purpose"));
    let why = message(lookups.look_up(("example.test", 80), None, soon(), &Interrupt::new()).unwrap_err());
    assert_eq!(why, "cannot look up example.test: the lookup failed");
}

#[test]
fn a_hung_lookup_ends_with_the_interrupt_and_with_the_deadline() {
    let held = held();
    let interrupt = Interrupt::new();
    let stop = held.lookups.look_up(("a.test", 80), None, Deadline::after(Duration::from_millis(20)), &interrupt);
    assert!(matches!(stop, Err(Stop::TimedOut)));
    held.until_asked(1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| held.lookups.look_up(("a.test", 80), None, Deadline::never(), &interrupt));
        interrupt.fire();
        assert!(matches!(waiting.join().unwrap(), Err(Stop::Interrupted)));
    });
    assert_eq!(held.waiting("a.test").len(), 1, "the second attempt joined the first one's lookup");
    held.finish();
}

#[test]
fn a_lookup_in_flight_serves_all_who_ask() {
    let held = held();
    let interrupt = Interrupt::new();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (1..=5)
            .map(|port| {
                scope.spawn({
                    let held = &held;
                    let interrupt = &interrupt;
                    move || held.lookups.look_up(("a.test", port), None, soon(), interrupt)
                })
            })
            .collect();
        while held.waiting("a.test") != [5] {
            std::thread::yield_now();
        }
        held.release.send(()).unwrap();
        for (asked, port) in asking.into_iter().zip(1..) {
            assert_eq!(asked.join().unwrap().unwrap(), [SocketAddr::new(address(1).ip(), port)]);
        }
    });
    assert_eq!(held.asked.load(Ordering::SeqCst), 1);
    held.finish();
}

#[test]
fn on_another_network_a_name_is_asked_for_anew() {
    let held = held();
    let interrupt = Interrupt::new();
    std::thread::scope(|scope| {
        let ask = |since| {
            let (held, interrupt) = (&held, &interrupt);
            scope.spawn(move || held.lookups.look_up(("a.test", 80), since, soon(), interrupt))
        };
        let until = |waiting: &[usize]| {
            while held.waiting("a.test") != waiting {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let before = Instant::now();
        let mut asking = vec![ask(None)];
        until(&[1]);
        // Begun on this network, though by somebody else.
        asking.push(ask(Some(before)));
        until(&[2]);
        let after = Instant::now();
        asking.push(ask(Some(after)));
        until(&[2, 1]);
        // Who knows of no change joins the newest.
        asking.extend([ask(Some(after)), ask(None)]);
        until(&[2, 3]);
        asking.push(ask(Some(Instant::now())));
        until(&[2, 3, 1]);
        // However often the network changes: one name does not take all helpers.
        asking.push(ask(Some(Instant::now())));
        until(&[2, 3, 2]);
        assert_eq!(held.waiting("a.test").len(), LOOKUPS_OF_A_NAME);
        held.until_asked(LOOKUPS_OF_A_NAME);
        for _ in 0..LOOKUPS_OF_A_NAME {
            held.release.send(()).unwrap();
        }
        assert!(asking.into_iter().all(|asked| asked.join().unwrap().is_ok()));
    });
    assert_eq!(held.asked.load(Ordering::SeqCst), LOOKUPS_OF_A_NAME);
    held.finish();
}

#[test]
fn sixteen_helpers_at_most_and_the_rest_wait_their_turn() {
    let held = held();
    let interrupt = Interrupt::new();
    let quitter = Interrupt::new();
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel();
        for n in 0..20 {
            let (held, interrupt, done) = (&held, &interrupt, done.clone());
            scope.spawn(move || {
                done.send(held.lookups.look_up((&format!("{n}.test"), 80), None, soon(), interrupt).is_ok())
            });
        }
        let until = |queued| {
            while held.asked.load(Ordering::SeqCst) < HELPERS || held.lookups.table().queue.len() < queued {
                // Not a spin: it would keep the table's lock from those who wait for it.
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        until(4);
        let gives_up = scope.spawn(|| held.lookups.look_up(("never.test", 80), None, soon(), &quitter));
        until(5);
        assert_eq!(held.lookups.table().helpers, HELPERS);
        quitter.fire();
        assert!(matches!(gives_up.join().unwrap(), Err(Stop::Interrupted)));
        assert_eq!(held.lookups.table().queue.len(), 4, "who gave up leaves the queue");
        for _ in 0..20 {
            held.release.send(()).unwrap();
        }
        assert!(finished.iter().take(20).all(|ok| ok));
    });
    assert_eq!(held.asked.load(Ordering::SeqCst), 20);
    held.finish();
}
