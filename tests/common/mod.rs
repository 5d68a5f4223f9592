//! One scenario through all drivers, on a clock that takes no time; what a source yields is checked as it comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]
#![allow(dead_code, unused_imports)] // each test file uses its part of this

mod grammar;

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use eventsource::{CallError, Clock, Config, Descriptor, ErrorKind, Event, EventSource, Handle, Kind, State};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use eventsource_test_server::{DEADLINE, Script, Server};

/// The ways to use a source: the four drivers, of which the event loop has two manners.
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
    /// Event loop that waits for descriptors, too.
    Watched,
}

pub const DRIVERS: [Driver; 5] = [Driver::Start, Driver::Run, Driver::Next, Driver::Polled, Driver::Watched];

/// Runs the scenario once for each driver. The captured output of a test that fails says which one it was.
pub fn for_each_driver(scenario: impl Fn(Driver)) {
    for driver in DRIVERS {
        println!("with the driver {driver:?}");
        scenario(driver);
    }
}

/// As `for_each_driver`, all at once: for scenarios that take their time. They have no state in common.
pub fn for_each_driver_at_once(scenario: impl Fn(Driver) + Sync) {
    std::thread::scope(|scope| {
        for driver in DRIVERS {
            let scenario = &scenario;
            let thread = std::thread::Builder::new().name(format!("the driver {driver:?}"));
            thread.spawn_scoped(scope, move || scenario(driver)).unwrap();
        }
    });
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
                while woken.recv().is_ok() && poll_all(&mut source, &mut deliver) {}
                source.free();
                assert_eq!(woken.try_iter().count(), 0, "wake was called without an AGAIN before");
            })
        }
        Driver::Watched => {
            let events = Loop::start(&source);
            Box::new(move || {
                events.wait();
                while poll_all(&mut source, &mut deliver) {
                    events.wait();
                }
                source.free();
                events.end();
            })
        }
    }
}

/// Delivers what there is. False: all is over.
fn poll_all(source: &mut EventSource, deliver: &mut impl FnMut(&Event<'_>)) -> bool {
    loop {
        match source.poll() {
            Ok(Some(event)) => deliver(&event),
            Ok(None) => return true,
            Err(error) => {
                assert_eq!(error, CallError::Closed);
                return false;
            }
        }
    }
}

/// A small event loop: what `wake` tells it, and a descriptor to wait for.
pub struct Loop {
    bell: UnixStream,
    rings: Cell<usize>,
    watched: Arc<Mutex<Option<OwnedFd>>>,
}

/// The library catches what panics in there.
fn abort(why: &str) -> ! {
    eprintln!("{why}");
    std::process::abort()
}

/// What a descriptor of this process stands for.
#[cfg(target_os = "linux")]
fn identity(descriptor: i32) -> String {
    std::fs::read_link(format!("/proc/self/fd/{descriptor}")).map_or(String::new(), |link| link.display().to_string())
}

#[cfg(not(target_os = "linux"))]
fn identity(_: i32) -> String {
    String::new()
}

impl Loop {
    /// Starts the source.
    pub fn start(source: &EventSource) -> Loop {
        let (bell, ringer) = UnixStream::pair().unwrap();
        bell.set_read_timeout(Some(DEADLINE)).unwrap();
        let watched = Arc::new(Mutex::new(None));
        let (shared, mut current) = (watched.clone(), None);
        let wake = move || (&ringer).write_all(b"!").unwrap();
        let watch = move |descriptor: Option<Descriptor<'_>>| {
            let mut watched = shared.lock().unwrap();
            if watched.is_some() == descriptor.is_some() {
                abort("watched twice, or let go of twice");
            }
            let raw = descriptor.map(|descriptor| descriptor.as_raw_fd());
            let before = std::mem::replace(&mut current, raw.map(|raw| (raw, identity(raw))));
            if before.is_some_and(|(raw, socket)| identity(raw) != socket) {
                abort("closed, and only then let go of");
            }
            *watched = descriptor.map(|descriptor| descriptor.try_clone_to_owned().unwrap());
            true
        };
        source.start_watched(wake, watch).unwrap();
        Loop { bell, rings: Cell::new(0), watched }
    }

    /// Waits until there is reason to poll. `wake` is called once since the source last had nothing, or not at all.
    pub fn wait(&self) {
        let rung = self.ready_within(DEADLINE).expect("no reason to poll for long");
        if rung {
            // Two where one has not been waited for: that of the start, or one that told of silence when the descriptor had
            // something else to tell.
            let rung = (&self.bell).read(&mut [0; 8]).unwrap();
            assert!(rung <= 2, "wake was called again and again");
            self.rings.set(self.rings.get() + rung);
        }
    }

    /// Whether there is reason to poll now.
    pub fn is_ready(&self) -> bool {
        self.ready_within(Duration::ZERO).is_some()
    }

    fn ready_within(&self, span: Duration) -> Option<bool> {
        let watched = self.watched.lock().unwrap();
        let mut set = vec![PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        set.extend(watched.as_ref().map(|descriptor| PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)));
        let ready = poll(&mut set, PollTimeout::try_from(span).unwrap()).unwrap();
        (ready > 0).then(|| set[0].any() == Some(true))
    }

    /// How often `wake` has been the reason.
    pub fn rings(&self) -> usize {
        self.rings.get()
    }

    /// Whether a descriptor is being waited for.
    pub fn is_watching(&self) -> bool {
        self.watched.lock().unwrap().is_some()
    }

    /// The source is gone: nothing may be left.
    pub fn end(self) {
        assert!(!self.is_watching(), "what was to be waited for was never taken back");
        let mut left = Vec::new();
        (&self.bell).read_to_end(&mut left).unwrap();
        assert!(left.len() <= 2, "wake was called without an AGAIN before");
    }
}

/// Tells when it is dropped.
struct Last(Sender<()>);

impl Drop for Last {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
