//! What callers want of a source: the one mutex behind close, pause, resume, reconnect, retry, fail and the overrides.
//!
//! Callers write here from any thread and return at once. The machine looks here before it takes its next step, and whoever
//! does blocking work registers here before it blocks, so that a call never misses work that has just begun. close, pause,
//! resume and reconnect raise the *epoch*; work and results of an older epoch are thrown away whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::CallError;
use crate::event::State;
use crate::header::Headers;
use crate::interrupt::Interrupt;
use crate::text::TextBuf;
use crate::url::Url;

/// Shared by the callers, the machine and the worker of one source.
pub(crate) struct Control {
    /// A copy of `Wishes::epoch` that can be read without the lock, before every event.
    epoch: AtomicU64,
    /// A copy of `wanted == Closed`, read before every callback.
    closed: AtomicBool,
    /// A copy of `last_event_id.is_some()`, read before every event.
    id_is_set: AtomicBool,
    wishes: Mutex<Wishes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Running,
    Paused,
    Closed,
}

/// Which answers the event that was last handed out allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// None.
    Shut,
    /// CONNECT: `fail`.
    Connect,
    /// ERROR: `retry`.
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Try again after this long; `None` is the library's own delay.
    Retry(Option<Duration>),
    /// This attempt cannot be made.
    Fail(String),
}

struct Wishes {
    epoch: u64,
    wanted: Wanted,
    window: Window,
    answer: Option<Answer>,
    /// The machine's own state, shown unless the caller wants something else.
    state: State,
    /// The machine has made its first step.
    began: bool,
    /// A final error was handed out and nothing has revived the source.
    doomed: bool,
    /// CLOSE has been handed out.
    over: bool,
    url: Url,
    /// Where a permanent redirect of `url` led.
    remembered: Option<Url>,
    headers: Headers,
    /// A last event ID that the caller set and the machine has not yet taken over.
    last_event_id: Option<TextBuf>,
    interrupt: Option<Arc<Interrupt>>,
    /// When `resume` or `reconnect` was called last: the network may be another since.
    since: Option<Instant>,
}

/// What an attempt needs to know of the overrides, as of the moment when its CONNECT has been answered.
pub(crate) struct Target {
    /// The configured URL, or what `set_url` made of it.
    pub(crate) url: Url,
    /// Where a remembered permanent redirect leads instead.
    pub(crate) remembered: Option<Url>,
    pub(crate) headers: Headers,
    /// From when on the network is the one that there is now; None: all along.
    pub(crate) since: Option<Instant>,
}

impl Control {
    pub(crate) fn new(config: &Config) -> Control {
        Control {
            epoch: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            id_is_set: AtomicBool::new(false),
            wishes: Mutex::new(Wishes {
                epoch: 0,
                wanted: Wanted::Running,
                window: Window::Shut,
                answer: None,
                state: State::Connecting,
                began: false,
                doomed: false,
                over: false,
                url: config.url.clone(),
                remembered: None,
                headers: config.headers.clone(),
                last_event_id: None,
                interrupt: None,
                since: None,
            }),
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all that was begun before worthless and ends what blocks.
    fn turn(&self, mut wishes: MutexGuard<'_, Wishes>) {
        wishes.epoch += 1;
        wishes.window = Window::Shut;
        wishes.answer = None;
        self.closed.store(wishes.wanted == Wanted::Closed, Ordering::Release);
        self.epoch.store(wishes.epoch, Ordering::Release);
        let interrupt = wishes.interrupt.take();
        drop(wishes);
        if let Some(interrupt) = interrupt {
            interrupt.fire();
        }
    }

    // ---- callers, any thread ----

    pub(crate) fn close(&self) -> Result<(), CallError> {
        let mut wishes = self.lock();
        if wishes.over || wishes.wanted == Wanted::Closed {
            return Err(CallError::Closed);
        }
        wishes.wanted = Wanted::Closed;
        self.turn(wishes);
        Ok(())
    }

    pub(crate) fn pause(&self) -> Result<(), CallError> {
        let mut wishes = self.live()?;
        if wishes.wanted == Wanted::Running {
            wishes.wanted = Wanted::Paused;
            self.turn(wishes);
        }
        Ok(())
    }

    pub(crate) fn resume(&self) -> Result<(), CallError> {
        let mut wishes = self.live()?;
        if wishes.wanted == Wanted::Paused {
            wishes.wanted = Wanted::Running;
            wishes.state = State::Connecting;
            wishes.since = Some(Instant::now());
            self.turn(wishes);
        }
        Ok(())
    }

    pub(crate) fn reconnect(&self) -> Result<(), CallError> {
        let mut wishes = self.live()?;
        if wishes.wanted == Wanted::Running && wishes.began {
            wishes.state = State::Connecting;
            wishes.since = Some(Instant::now());
            self.turn(wishes);
        }
        Ok(())
    }

    /// The lock, if there is still a stream to be steered: not after close, CLOSE or a final error.
    fn live(&self) -> Result<MutexGuard<'_, Wishes>, CallError> {
        let wishes = self.lock();
        if wishes.over || wishes.doomed || wishes.wanted == Wanted::Closed {
            Err(CallError::Closed)
        } else {
            Ok(wishes)
        }
    }

    pub(crate) fn retry(&self, delay: Option<Duration>) -> Result<(), CallError> {
        self.answer(Window::Error, Answer::Retry(delay))
    }

    pub(crate) fn fail(&self, reason: &str) -> Result<(), CallError> {
        self.answer(Window::Connect, Answer::Fail(reason.to_owned()))
    }

    fn answer(&self, window: Window, answer: Answer) -> Result<(), CallError> {
        let mut wishes = self.lock();
        if wishes.window != window {
            return Err(CallError::Closed);
        }
        wishes.answer = Some(answer);
        Ok(())
    }

    /// The lock, if there may be another attempt: a final error can still be revived.
    fn open_ended(&self) -> Result<MutexGuard<'_, Wishes>, CallError> {
        let wishes = self.lock();
        if wishes.over || wishes.wanted == Wanted::Closed { Err(CallError::Closed) } else { Ok(wishes) }
    }

    pub(crate) fn set_url(&self, url: Url) -> Result<(), CallError> {
        let mut wishes = self.open_ended()?;
        wishes.url = url;
        wishes.remembered = None;
        Ok(())
    }

    /// Sets or, with `None`, removes a header from the next attempt on.
    pub(crate) fn set_header(&self, name: &str, value: Option<&str>, secret: bool) -> Result<(), CallError> {
        let mut wishes = self.open_ended()?;
        let origin = wishes.url.origin();
        match value {
            Some(value) => wishes.headers.set(name, value, secret, &origin)?,
            None => wishes.headers.remove(name)?,
        }
        Ok(())
    }

    pub(crate) fn set_last_event_id(&self, id: TextBuf) -> Result<(), CallError> {
        let mut wishes = self.open_ended()?;
        wishes.last_event_id = Some(id);
        self.id_is_set.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether overrides have an attempt to act on: asked before they are looked at.
    pub(crate) fn check_open_ended(&self) -> Result<(), CallError> {
        self.open_ended().map(drop)
    }

    pub(crate) fn state(&self) -> State {
        let wishes = self.lock();
        match wishes.wanted {
            Wanted::Closed => State::Closed,
            Wanted::Paused if !wishes.over => State::Paused,
            _ => wishes.state,
        }
    }

    /// Whether close was called. One atomic load.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether CLOSE has been handed out.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    // ---- the machine ----

    /// The current epoch. One atomic load.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The machine catches up: the epoch, and what is wanted in it.
    pub(crate) fn catch_up(&self) -> (u64, Wanted) {
        let mut wishes = self.lock();
        wishes.began = true;
        (wishes.epoch, wishes.wanted)
    }

    /// The machine hands out an event of epoch `epoch` in state `state`, which `window` answers. False where the epoch has
    /// moved on: the caller's word is newer, and the event is none any more.
    pub(crate) fn hand_out(&self, epoch: u64, state: State, window: Window, doomed: bool) -> bool {
        let mut wishes = self.lock();
        if wishes.epoch != epoch {
            return false;
        }
        wishes.state = state;
        wishes.window = window;
        wishes.answer = None;
        wishes.doomed = doomed;
        true
    }

    /// CLOSE is handed out: no call has anything left to act on. False as in `hand_out`.
    pub(crate) fn finish(&self, epoch: u64) -> bool {
        let mut wishes = self.lock();
        if wishes.epoch != epoch {
            return false;
        }
        wishes.state = State::Closed;
        wishes.window = Window::Shut;
        wishes.answer = None;
        wishes.interrupt = None;
        wishes.over = true;
        true
    }

    /// Ends the window of the last event and takes what was answered.
    pub(crate) fn shut_window(&self, epoch: u64) -> Option<Answer> {
        let mut wishes = self.lock();
        wishes.window = Window::Shut;
        let answer = wishes.answer.take();
        if wishes.epoch == epoch { answer } else { None }
    }

    /// A final error was answered with a retry: the source lives on.
    pub(crate) fn revive(&self, epoch: u64) {
        let mut wishes = self.lock();
        wishes.doomed = false;
        if wishes.epoch == epoch {
            wishes.state = State::Connecting;
        }
    }

    /// Where the next attempt goes, for CONNECT to say.
    pub(crate) fn destination(&self) -> Url {
        let wishes = self.lock();
        wishes.remembered.as_ref().unwrap_or(&wishes.url).clone()
    }

    /// Whether the caller has set a last event ID that was not taken yet. One atomic load.
    #[inline]
    pub(crate) fn id_is_set(&self) -> bool {
        self.id_is_set.load(Ordering::Acquire)
    }

    pub(crate) fn take_last_event_id(&self) -> Option<TextBuf> {
        let mut wishes = self.lock();
        self.id_is_set.store(false, Ordering::Release);
        wishes.last_event_id.take()
    }

    /// Keeps where a permanent redirect of `from` led, unless the URL has been replaced since.
    pub(crate) fn remember(&self, from: &Url, to: Url) {
        let mut wishes = self.lock();
        if wishes.url == *from {
            wishes.remembered = Some(to);
        }
    }

    // ---- whoever does the blocking work ----

    /// Registers `interrupt` for work of epoch `epoch`; `None` if the work is out of date. From here on every caller that
    /// makes it so fires the interrupt.
    pub(crate) fn begin(&self, epoch: u64, interrupt: &Arc<Interrupt>) -> Option<()> {
        let mut wishes = self.lock();
        if wishes.epoch != epoch {
            return None;
        }
        wishes.interrupt = Some(interrupt.clone());
        Some(())
    }

    /// The URL and headers of an attempt that is settled now.
    #[inline(never)]
    pub(crate) fn target(&self) -> Box<Target> {
        let wishes = self.lock();
        Box::new(Target {
            url: wishes.url.clone(),
            remembered: wishes.remembered.clone(),
            headers: wishes.headers.clone(),
            since: wishes.since,
        })
    }
}
