//! Lifecycle stress: thousands of sources opened, steered, closed and freed at random moments, from several threads and from
//! their own callbacks, in all four drivers. Nothing may hang, be lost or be left: no thread, no descriptor, no callback that
//! is not dropped exactly once, no event after CLOSE.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use eventsource::{CallError, Config, EventSource, Handle, Kind};
use eventsource_test_server::{Script, Server};

/// xorshift64*: small, seeded, good enough to choose moments.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
    /// Spins or sleeps for up to 2 ms: the moments at which connections are made and broken.
    fn linger(&mut self) {
        let until = Instant::now() + Duration::from_micros(self.roll(2000));
        while Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

fn rounds() -> u64 {
    std::env::var("EVENTSOURCE_STRESS_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

fn seed() -> u64 {
    let seed = std::env::var("EVENTSOURCE_STRESS_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1
    });
    println!("EVENTSOURCE_STRESS_SEED={seed}");
    seed
}

fn server() -> Server {
    let server = Server::start();
    server.on("/stall", Script::sse().body("id: 1\ndata: a\n\n").stall());
    server.on("/short", Script::sse().body("data: a\n\ndata: b\n\n").fin());
    server.on("/reset", Script::sse().body("data: a\n\n").reset());
    server.on("/silent", Script::new().stall());
    server.on("/busy", Script::status(503, "Busy").header("Content-Length", "0"));
    server.on("/gone", Script::status(404, "Gone").header("Content-Length", "0"));
    server
}

/// Counts what is dropped, and catches what comes after CLOSE.
struct Witness {
    closed: AtomicBool,
    dropped: AtomicUsize,
    /// A panic in a callback stays there: what must not happen is noted, and looked at later.
    violated: AtomicBool,
}

struct Ticket(Arc<Witness>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether a descriptor is being waited for.
struct Watched(bool);

impl Watched {
    fn change(&mut self, watched: bool) {
        if self.0 == watched && watched {
            eprintln!("two descriptors at once");
            std::process::abort(); // the library catches a panic
        }
        self.0 = watched;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.0 {
            eprintln!("a descriptor was never let go of");
            std::process::abort();
        }
    }
}

fn steer(handle: &Handle, dice: &mut Dice) {
    // Any answer is fine; what matters is that nothing breaks.
    let _ = match dice.roll(8) {
        0 => handle.pause(),
        1 => handle.resume(),
        2 | 3 => handle.reconnect(),
        4 => handle.set_header("X-A", Some("b")),
        5 => handle.retry(Some(Duration::from_millis(dice.roll(3)))),
        6 => handle.fail("dice"),
        _ => handle.close(),
    };
}

fn round(server: &Server, dice: &mut Dice) {
    let path = ["/stall", "/stall", "/short", "/reset", "/silent", "/busy", "/gone"][dice.roll(7) as usize];
    let mut config = Config::new(&server.url(path)).unwrap();
    config.set_retry(Duration::from_millis(dice.roll(3)), Duration::from_millis(3)).unwrap();
    let mut source = EventSource::new(&config).unwrap();
    let witness = Arc::new(Witness {
        closed: AtomicBool::new(false),
        dropped: AtomicUsize::new(0),
        violated: AtomicBool::new(false),
    });
    let mut expected_drops = 0;

    let other = (dice.roll(2) == 0).then(|| {
        let (handle, mut dice) = (source.handle(), Dice(dice.0 | 1));
        std::thread::spawn(move || {
            for _ in 0..dice.roll(4) {
                dice.linger();
                steer(&handle, &mut dice);
            }
        })
    });

    let driver = dice.roll(6);
    if driver < 2 {
        expected_drops = 1;
        let (ticket, handle, mut inner) = (Ticket(witness.clone()), source.handle(), Dice(dice.0 | 1));
        // Refused where the other thread has closed already; the callback is dropped all the same.
        let _ = source.on(None, None, move |event| {
            ticket.0.violated.fetch_or(ticket.0.closed.load(Ordering::SeqCst), Ordering::SeqCst);
            if event.kind() == Kind::Close {
                ticket.0.closed.store(true, Ordering::SeqCst);
            }
            if inner.roll(4) == 0 {
                steer(&handle, &mut inner);
            }
        });
    }
    match driver {
        0 => {
            source.start().unwrap();
            dice.linger();
        }
        1 => {
            let (handle, mut inner) = (source.handle(), Dice(dice.0 | 1));
            let closer = std::thread::spawn(move || {
                inner.linger();
                let _ = handle.close();
            });
            source.run().unwrap();
            closer.join().unwrap();
        }
        2 => {
            let (handle, mut inner) = (source.handle(), Dice(dice.0 | 1));
            let closer = std::thread::spawn(move || {
                inner.linger();
                let _ = handle.close();
            });
            let mut last = None;
            while let Ok(event) = source.next() {
                assert_ne!(last, Some(Kind::Close), "an event after CLOSE");
                last = Some(event.kind());
            }
            assert_eq!(last, Some(Kind::Close));
            closer.join().unwrap();
        }
        3 | 4 => {
            expected_drops = 1;
            let (ticket, (tx, rx)) = (Ticket(witness.clone()), mpsc::channel());
            let wake = move || {
                let _keep = &ticket;
                let _ = tx.send(());
            };
            if driver == 3 {
                source.start_polled(wake).unwrap();
            } else {
                // Able or not, and told to stop in any case.
                let (able, mut watched) = (dice.roll(4) > 0, Watched(false));
                source
                    .start_watched(wake, move |descriptor| {
                        watched.change(able && descriptor.is_some());
                        able
                    })
                    .unwrap();
            }
            let end = Instant::now() + Duration::from_micros(dice.roll(3000));
            let mut closing = false;
            'polling: loop {
                if !closing && Instant::now() >= end {
                    let _ = source.close();
                    closing = true;
                }
                loop {
                    match source.poll() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(CallError::Closed) => break 'polling,
                        Err(error) => panic!("{error}"),
                    }
                }
                if dice.roll(64) == 0 {
                    break; // freed with CLOSE unpolled
                }
                let _ = rx.recv_timeout(if closing { Duration::from_secs(30) } else { Duration::from_micros(200) });
            }
        }
        _ => dice.linger(), // never driven
    }
    match dice.roll(3) {
        0 => drop(source),
        1 => source.release(),
        _ => {
            source.free();
            if driver != 1 || expected_drops == 1 {
                assert_eq!(witness.dropped.load(Ordering::SeqCst), expected_drops, "free returned too early");
            }
        }
    }
    if let Some(other) = other {
        other.join().unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while witness.dropped.load(Ordering::SeqCst) != expected_drops {
        assert!(Instant::now() < deadline, "a callback was never dropped");
        std::thread::yield_now();
    }
    assert!(!witness.violated.load(Ordering::SeqCst), "an event after CLOSE");
}

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

#[test]
fn ten_thousand_lives() {
    let seed = seed();
    // The harness's own, and what a sanitizer adds.
    let (fds_at_rest, tasks_at_rest) = (count("fd"), count("task"));
    let threads: Vec<_> = (0..2)
        .map(|n| {
            std::thread::spawn(move || {
                let server = server();
                let mut dice = Dice(seed + n * 2);
                for _ in 0..rounds() / 2 {
                    round(&server, &mut dice);
                }
            })
        })
        .collect();
    let (fds, tasks) = (count("fd"), count("task"));
    println!("while running: {fds} descriptors, {tasks} threads");
    for thread in threads {
        thread.join().unwrap();
    }
    // Released sources end on their own; the servers are gone.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (fds, tasks) = (count("fd"), count("task"));
        if tasks <= tasks_at_rest && fds <= fds_at_rest {
            println!("afterwards: {fds} descriptors, {tasks} threads");
            break;
        }
        assert!(Instant::now() < deadline, "left behind: {fds} descriptors, {tasks} threads");
        std::thread::yield_now();
    }
}
