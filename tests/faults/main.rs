//! Soak: a server that honours Last-Event-ID, a network that fails thousands of times, and every event exactly once, in order.
//!
//! Time is accelerated: an event stands for 100 ms of stream time and follows the last one as fast as the connection takes it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod dice;
mod proxy;

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

use dice::{Dice, seed};
use eventsource::{Clock, Config, ErrorKind, EventSource, Handle, Kind, State};
use eventsource_test_server::{Server, Tls};
use proxy::{ALL, Fault, Proxy};

/// Stream time that one event stands for.
const EVENT: Duration = Duration::from_millis(100);
/// Long enough for a loaded machine to answer in, short enough that silence does not take the day.
const SILENCE: Duration = Duration::from_millis(150);

fn faults_wanted() -> usize {
    std::env::var("EVENTSOURCE_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}

/// Numbered events from behind Last-Event-ID on, without end; with comments, sizes and pauses by the dice of their number.
fn numbered(server: &Server) {
    server.handle("/numbered", |request, connection| {
        let last = request.header("Last-Event-ID").map_or(0, |id| id.parse::<u64>().unwrap());
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let mut burst = Vec::new();
        for number in last + 1.. {
            let mut dice = Dice::new(number.wrapping_mul(0x9E37_79B9));
            dice.roll(2);
            let filler = "x".repeat(dice.roll(200) as usize);
            let line_end = ["\n", "\r\n", "\r"][dice.roll(3) as usize];
            let text = format!(
                ": {number}{line_end}id: {number}{line_end}data: {number}{line_end}data: {filler}{line_end}{line_end}"
            );
            write!(burst, "{:x}\r\n{text}\r\n", text.len())?;
            if dice.roll(5) == 0 {
                connection.send(&burst)?;
                burst.clear();
                connection.pause(Duration::from_micros(dice.roll(1000)))?;
            }
        }
        io::Result::Ok(())
    });
}

/// Expects the numbers one after the other.
#[derive(Default)]
struct Ledger {
    last: u64,
    errors: [usize; 16],
    wrong: Option<String>,
}

impl Ledger {
    fn note(&mut self, event: &eventsource::Event<'_>) {
        match event.kind() {
            Kind::Message => {
                let number: u64 = event.id().parse().unwrap_or(0);
                let said = event.data().split('\n').next().unwrap_or_default().parse().unwrap_or(0);
                if (number, said) != (self.last + 1, self.last + 1) && self.wrong.is_none() {
                    self.wrong = Some(format!("after {} came id {:?} data {:?}", self.last, event.id(), event.data()));
                }
                self.last = number;
            }
            Kind::Error => {
                self.errors[event.error() as usize] += 1;
                if event.state() == State::Closed {
                    self.wrong = Some(format!("gave up: {:?} {}", event.error(), event.data()));
                }
            }
            _ => {}
        }
    }
}

#[derive(Clone, Copy)]
enum Driver {
    Start,
    Pull,
    Poll,
    Watch,
}

/// Runs until so many faults have happened and so much stream time has passed; then until the source is closed.
fn soak(
    name: &str,
    driver: Driver,
    server: &Server,
    config: impl FnOnce(&str) -> Config,
    faults: &[Fault],
    steer: bool,
) {
    numbered(server);
    let seed = seed();
    let network = Proxy::start(server.address(), seed, faults);
    let scheme = if server.is_tls() { "https" } else { "http" };
    let config = config(&format!("{scheme}://localhost:{}/numbered", network.address.port()));
    let source = EventSource::new(&config).unwrap();
    let begun = Instant::now();
    let (received, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));

    let steering = steer.then(|| {
        let (handle, stop) = (source.handle(), stop.clone());
        std::thread::spawn(move || steer_until(&handle, &stop, Dice::new(seed)))
    });
    let watcher = {
        let (handle, received, stop) = (source.handle(), received.clone(), stop.clone());
        let (wanted, mut steering) = (faults_wanted(), steering);
        std::thread::spawn(move || {
            // The last stretch is calm, so that the end is a stream that works.
            let mut goal = usize::MAX;
            while received.load(Ordering::SeqCst) < goal {
                assert!(
                    begun.elapsed() < Duration::from_secs(600),
                    "hangs at {received:?} events, {:?}",
                    network.tally()
                );
                let stream_time = EVENT * received.load(Ordering::SeqCst) as u32;
                if goal == usize::MAX && network.faults() >= wanted && stream_time >= Duration::from_secs(600) {
                    network.calm();
                    stop.store(true, Ordering::SeqCst);
                    // It ends before the close below, which it could not call anything after. Its last word is `resume`.
                    if let Some(steering) = steering.take() {
                        steering.join().unwrap();
                    }
                    goal = received.load(Ordering::SeqCst) + 200;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let _ = handle.close();
            network.tally()
        })
    };
    let ledger = drive(driver, source, &received);
    stop.store(true, Ordering::SeqCst);
    let tally = watcher.join().unwrap();
    let faults: Vec<_> =
        ALL.iter().zip(tally).filter(|(_, n)| *n > 0).map(|(fault, n)| format!("{fault:?} {n}")).collect();
    println!(
        "{name}: {} faults ({}), {} events = {:?} of stream time, {} errors, lost 0, duplicated 0, in {:?}",
        tally.iter().sum::<usize>(),
        faults.join(", "),
        ledger.last,
        EVENT * ledger.last as u32,
        ledger.errors.iter().sum::<usize>(),
        begun.elapsed(),
    );
    assert_eq!(ledger.wrong, None, "{name}, seed {seed}");
    assert_eq!(ledger.errors[ErrorKind::Internal as usize], 0);
    assert!(tally.iter().sum::<usize>() >= faults_wanted(), "{name}, seed {seed}: hangs");
    assert!(EVENT * ledger.last as u32 >= Duration::from_secs(600), "{name}, seed {seed}: hangs");
}

fn steer_until(handle: &Handle, stop: &AtomicBool, mut dice: Dice) {
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(dice.roll(40)));
        match dice.roll(3) {
            0 => handle.reconnect().unwrap(),
            _ => {
                handle.pause().unwrap();
                std::thread::sleep(Duration::from_millis(dice.roll(10)));
                handle.resume().unwrap();
            }
        }
    }
}

fn drive(driver: Driver, mut source: EventSource, received: &Arc<AtomicUsize>) -> Ledger {
    let mut ledger = Ledger::default();
    match driver {
        Driver::Start => {
            let (tell, told) = mpsc::channel();
            let received = received.clone();
            source
                .on(None, None, move |event| {
                    ledger.note(event);
                    received.store(ledger.last as usize, Ordering::SeqCst);
                    if event.kind() == Kind::Close {
                        tell.send(std::mem::take(&mut ledger)).unwrap();
                    }
                })
                .unwrap();
            source.start().unwrap();
            let ledger = told.recv_timeout(Duration::from_secs(660)).unwrap();
            source.free();
            return ledger;
        }
        Driver::Pull => {
            while let Ok(event) = source.next() {
                ledger.note(&event);
                received.store(ledger.last as usize, Ordering::SeqCst);
            }
        }
        Driver::Poll => {
            let (tell, told) = mpsc::channel();
            source.start_polled(move || tell.send(()).unwrap()).unwrap();
            'all: loop {
                told.recv_timeout(Duration::from_secs(60)).unwrap();
                loop {
                    match source.poll() {
                        Ok(Some(event)) => ledger.note(&event),
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
                received.store(ledger.last as usize, Ordering::SeqCst);
            }
        }
        Driver::Watch => {
            let events = common::Loop::start(&source);
            loop {
                match source.poll() {
                    Ok(Some(event)) => ledger.note(&event),
                    Ok(None) => {
                        received.store(ledger.last as usize, Ordering::SeqCst);
                        events.wait();
                    }
                    Err(_) => break,
                }
            }
            source.free();
            events.end();
        }
    }
    ledger
}

/// Twenty times as fast as the wall's, for back-off and the spacing of attempts.
#[derive(Debug)]
struct Fast(Instant);

impl Clock for Fast {
    fn now(&self) -> Instant {
        self.0 + self.0.elapsed() * 20
    }
    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn sleep_for(&self, span: Duration) -> Duration {
        span / 20
    }
}

fn patient(url: &str) -> Config {
    let mut config = Config::new(url).unwrap();
    config.set_clock(Arc::new(Fast(Instant::now())));
    config.set_retry(Duration::from_millis(20), Duration::from_millis(60)).unwrap();
    config.set_idle_timeout(Some(SILENCE)).unwrap();
    config.set_response_timeout(Some(SILENCE)).unwrap();
    config.set_connect_timeout(Some(SILENCE * 4)).unwrap();
    config
}

const PLAIN: [Fault; 7] =
    [Fault::Refuse, Fault::Cut, Fault::Reset, Fault::Delay, Fault::Throttle, Fault::HalfClose, Fault::Cut];

#[test]
fn callbacks_lose_nothing_and_repeat_nothing() {
    soak("callbacks", Driver::Start, &Server::start(), patient, &PLAIN, false);
}

#[test]
fn pulling_loses_nothing_and_repeats_nothing() {
    soak("pull, steered", Driver::Pull, &Server::start(), patient, &PLAIN, true);
}

#[test]
fn polling_loses_nothing_and_repeats_nothing() {
    soak("event loop, steered", Driver::Poll, &Server::start(), patient, &PLAIN, true);
}

#[test]
fn watching_loses_nothing_and_repeats_nothing() {
    soak("event loop that watches, steered", Driver::Watch, &Server::start(), patient, &PLAIN, true);
}

const SILENT: [Fault; 7] = [Fault::Silence, Fault::Cut, Fault::Cut, Fault::Cut, Fault::Cut, Fault::Cut, Fault::Cut];

#[test]
fn silence_is_noticed_by_the_idle_timeout() {
    soak("silence", Driver::Poll, &Server::start(), patient, &SILENT, false);
}

#[test]
fn silence_is_noticed_while_the_loop_watches() {
    soak("silence, watched", Driver::Watch, &Server::start(), patient, &SILENT, false);
}

#[test]
fn tls_turns_every_corruption_into_a_cut() {
    through_tls("TLS", Driver::Start);
}

#[test]
fn tls_that_is_watched_turns_every_corruption_into_a_cut() {
    through_tls("TLS, watched", Driver::Watch);
}

fn through_tls(name: &str, driver: Driver) {
    let server = Server::start_tls(&Tls::default());
    let ca = server.ca_pem().to_owned();
    let config = |url: &str| {
        let mut config = patient(url);
        config.set_only_ca_pem(ca.as_bytes()).unwrap();
        config
    };
    soak(
        name,
        driver,
        &server,
        config,
        &[Fault::Corrupt, Fault::Cut, Fault::Reset, Fault::HalfClose, Fault::Corrupt],
        false,
    );
    // It has seen alerts, and reports them as faults of the test.
    let problems = server.stop();
    assert!(problems.iter().all(|problem| problem.contains("lert")), "{problems:?}");
}
