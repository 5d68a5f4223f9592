//! One scenario through all four drivers, on a clock that takes no time; what a source yields is checked as it comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]
#![allow(dead_code, unused_imports)] // each test file uses its part of this

mod grammar;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use eventsource::{CallError, Clock, Config, ErrorKind, Event, EventSource, Handle, Kind, State};
pub use eventsource_test_server::{DEADLINE, Script, Server};

/// The four ways to use a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Callbacks on the library's thread.
    Start,
    /// Callbacks on the thread that calls.
    Run,
    /// Pull.
    Next,
    /// Event loop.
    Polled,
}

pub const DRIVERS: [Driver; 4] = [Driver::Start, Driver::Run, Driver::Next, Driver::Polled];

/// Runs the scenario once for each driver. The captured output of a test that fails says which one it was.
pub fn for_each_driver(scenario: impl Fn(Driver)) {
    for driver in DRIVERS {
        println!("with the driver {driver:?}");
        scenario(driver);
    }
}

/// A clock on which waits take no time: to sleep is to move it. It moves for no other reason but `advance`.
#[derive(Debug)]
pub struct FastClock(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now: Instant,
    calendar: SystemTime,
    random: f64,
    waits: Vec<Duration>,
}

impl FastClock {
    pub fn new() -> Arc<FastClock> {
        let hands = Hands { now: Instant::now(), calendar: SystemTime::now(), random: 0.0, waits: Vec::new() };
        Arc::new(FastClock(Mutex::new(hands)))
    }

    /// What waited, and for how long, since the last call.
    pub fn waits(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap().waits)
    }

    pub fn set_random(&self, random: f64) {
        self.0.lock().unwrap().random = random;
    }

    pub fn set_calendar(&self, calendar: SystemTime) {
        self.0.lock().unwrap().calendar = calendar;
    }

    pub fn advance(&self, span: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.now += span;
        hands.calendar += span;
    }
}

impl Clock for FastClock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn calendar(&self) -> SystemTime {
        self.0.lock().unwrap().calendar
    }

    fn random(&self) -> f64 {
        self.0.lock().unwrap().random
    }

    fn sleep_for(&self, span: Duration) -> Duration {
        self.advance(span);
        self.0.lock().unwrap().waits.push(span);
        Duration::ZERO
    }
}

/// More events than any test wants to see.
const MOST_EVENTS: usize = 20_000;

/// A config on a clock of its own.
pub fn fast(url: &str) -> Config {
    fast_with_clock(url).0
}

pub fn fast_with_clock(url: &str) -> (Config, Arc<FastClock>) {
    let clock = FastClock::new();
    let mut config = Config::new(url).unwrap();
    config.set_clock(clock.clone());
    (config, clock)
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An event, kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub kind: Kind,
    pub event_type: String,
    pub data: String,
    pub id: String,
    pub url: String,
    pub error: ErrorKind,
    pub state: State,
    pub http_status: u16,
    pub retry_ms: i64,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn of(event: &Event<'_>) -> Seen {
        Seen {
            kind: event.kind(),
            event_type: event.event_type().into(),
            data: event.data().into(),
            id: event.id().into(),
            url: event.url().into(),
            error: event.error(),
            state: event.state(),
            http_status: event.http_status(),
            retry_ms: event.retry_ms(),
            headers: event.headers().map(|(n, v)| (n.into(), v.into())).collect(),
            body: event.body().into(),
        }
    }

    /// The event in a few words: what tests compare most.
    pub fn brief(&self) -> String {
        let mut text = format!("{:?}", self.kind).to_lowercase();
        match self.kind {
            Kind::Message => {
                let _ = write!(text, " {:?}", self.data);
                if self.event_type != "message" {
                    let _ = write!(text, " type={}", self.event_type);
                }
            }
            Kind::Comment => {
                let _ = write!(text, " {:?}", self.data);
            }
            Kind::Error => {
                let _ = write!(text, " {:?}", self.error);
                if self.http_status != 0 {
                    let _ = write!(text, " {}", self.http_status);
                }
                match (self.state, self.retry_ms) {
                    (State::Closed, _) => text.push_str(" final"),
                    (State::Open, _) => {}
                    (_, retry) => {
                        let _ = write!(text, " retry={retry}");
                    }
                }
            }
            Kind::Close => {
                let _ = write!(text, " {:?}", self.error);
                if self.http_status != 0 {
                    let _ = write!(text, " {}", self.http_status);
                }
            }
            _ => {}
        }
        if !self.id.is_empty() {
            let _ = write!(text, " id={}", self.id);
        }
        text
    }
}

pub fn story(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(Seen::brief).collect()
}

/// A source at work in the background, seen from a test.
pub struct Session {
    pub handle: Handle,
    events: Receiver<std::thread::Result<Seen>>,
    history: Vec<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    pub fn start(driver: Driver, config: &Config) -> Session {
        Session::start_with(driver, config, |_, _| {})
    }

    /// `hook` sees each event while it is on loan: in the callback, or between two polls.
    pub fn start_with(
        driver: Driver,
        config: &Config,
        hook: impl FnMut(&Event<'_>, &Handle) + Send + 'static,
    ) -> Session {
        Session::of(driver, EventSource::new(config).unwrap(), hook)
    }

    /// The same with a source that was made already.
    pub fn of(
        driver: Driver,
        source: EventSource,
        mut hook: impl FnMut(&Event<'_>, &Handle) + Send + 'static,
    ) -> Session {
        let handle = source.handle();
        let (tell, events) = mpsc::channel();
        let own = handle.clone();
        let deliver = move |event: &Event<'_>| {
            // The library catches what panics in a callback; here it is a test's assertion, and the test has to fail.
            let hooked = catch_unwind(AssertUnwindSafe(|| hook(event, &own)));
            let _ = tell.send(hooked.map(|()| Seen::of(event)));
        };
        let work = prepare(driver, source, deliver);
        let thread = std::thread::spawn(work);
        Session { handle, events, history: Vec::new(), thread: Some(thread) }
    }

    fn receive(&mut self) -> Option<Seen> {
        match self.events.recv_timeout(DEADLINE) {
            Ok(Err(panic)) => {
                println!("after {:#?}", story(&self.history));
                resume_unwind(panic)
            }
            Ok(Ok(seen)) => {
                // Waits take no time here: a source that never gets anywhere would never end either.
                assert!(self.history.len() < MOST_EVENTS, "no end to {:#?}", story(&self.history[..20]));
                self.history.push(seen.clone());
                Some(seen)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no event for long after {:#?}", story(&self.history)),
        }
    }

    /// Waits for the next event.
    pub fn event(&mut self) -> Seen {
        self.receive().unwrap_or_else(|| panic!("no event after {:#?}", story(&self.history)))
    }

    /// Waits for the next event, which has to be of that kind.
    pub fn expect(&mut self, kind: Kind) -> Seen {
        let seen = self.event();
        assert_eq!(seen.kind, kind, "after {:#?}", story(&self.history));
        seen
    }

    /// Waits until there has been an event of that kind.
    pub fn until(&mut self, kind: Kind) -> Seen {
        loop {
            let seen = self.event();
            if seen.kind == kind {
                return seen;
            }
        }
    }

    /// Waits for the message with that data.
    pub fn until_message(&mut self, data: &str) -> Seen {
        loop {
            let seen = self.until(Kind::Message);
            if seen.data == data {
                return seen;
            }
        }
    }

    /// Whether no event has come that was not looked at.
    pub fn is_quiet(&mut self) -> bool {
        match self.events.try_recv() {
            Ok(seen) => {
                self.history.extend(seen.ok());
                false
            }
            Err(_) => true,
        }
    }

    /// Waits for CLOSE, for what comes after it (nothing), and gives the whole story.
    pub fn end(mut self) -> Vec<Seen> {
        while self.receive().is_some() {}
        let thread = self.thread.take().unwrap();
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
        let history = std::mem::take(&mut self.history);
        grammar::check(&history);
        history
    }

    /// Closes, then as `end`.
    pub fn close(self) -> Vec<Seen> {
        let _ = self.handle.close();
        self.end()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.handle.close(); // where a test fails, its source does not go on
    }
}

/// Follows a source to its end.
pub fn follow(driver: Driver, config: &Config, hook: impl FnMut(&Event<'_>, &Handle) + Send + 'static) -> Vec<Seen> {
    Session::start_with(driver, config, hook).end()
}

/// Follows a source until its `n`th event of that kind, which closes it; tells the story.
pub fn story_until(driver: Driver, config: &Config, kind: Kind, n: usize) -> Vec<String> {
    story(&follow_until(driver, config, kind, n))
}

pub fn follow_until(driver: Driver, config: &Config, kind: Kind, n: usize) -> Vec<Seen> {
    let mut left = n;
    follow(driver, config, move |event, handle| {
        if event.kind() == kind && left > 0 {
            left -= 1;
            if left == 0 {
                handle.close().unwrap();
            }
        }
    })
}

/// What the session's thread will do. Callbacks are registered, and a worker started, before this returns.
fn prepare(
    driver: Driver,
    mut source: EventSource,
    mut deliver: impl FnMut(&Event<'_>) + Send + 'static,
) -> Box<dyn FnOnce() + Send> {
    match driver {
        Driver::Start => {
            let (over, until_over) = mpsc::channel();
            let over = Last(over);
            source
                .on(None, None, move |event| {
                    let _ = &over;
                    deliver(event);
                })
                .unwrap();
            source.start().unwrap();
            Box::new(move || {
                // The callback is dropped after CLOSE: only then is the last event told.
                let _ = until_over.recv();
                assert_eq!(source.start(), Err(CallError::Closed));
                source.free();
            })
        }
        Driver::Run => {
            source.on(None, None, deliver).unwrap();
            Box::new(move || {
                source.run().unwrap();
                assert_eq!(source.run(), Err(CallError::Closed));
                source.free();
            })
        }
        Driver::Next => Box::new(move || {
            loop {
                match source.next() {
                    Ok(event) => deliver(&event),
                    Err(error) => break assert_eq!(error, CallError::Closed),
                }
            }
            assert_eq!(source.next().map(|_| ()), Err(CallError::Closed), "CLOSED for good");
        }),
        Driver::Polled => {
            let (wake, woken) = mpsc::channel();
            source.start_polled(move || wake.send(()).unwrap()).unwrap();
            Box::new(move || {
                'polling: while woken.recv().is_ok() {
                    loop {
                        match source.poll() {
                            Ok(Some(event)) => deliver(&event),
                            Ok(None) => break,
                            Err(error) => {
                                assert_eq!(error, CallError::Closed);
                                break 'polling;
                            }
                        }
                    }
                }
                source.free();
                assert_eq!(woken.try_iter().count(), 0, "wake was called without an AGAIN before");
            })
        }
    }
}

/// Tells when it is dropped.
struct Last(Sender<()>);

impl Drop for Last {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
