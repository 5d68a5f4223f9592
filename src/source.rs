//! The only state machine: connecting, open, waiting, paused, closed. It never blocks and does no I/O.
//!
//! `step` says what is next: an event to hand out, blocking work for somebody who may block, or nothing any more. The same
//! work is asked for once; its outcome comes back through `complete`. Whatever was made in an older epoch (see `control`) is
//! thrown away, without an event and without a trace in the back-off.

mod current;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::{self, Backoff};
use crate::config::Config;
use crate::control::{Answer, Control, Target, Wanted, Window};
use crate::error::{ErrorKind, Failure};
use crate::event::{Details, Event, Kind, State};
use crate::parser::{Item, Parser, ReadBuffer};
use crate::policy::{self, Verdict};
use crate::text::TextBuf;
use crate::work::{Ended, Opened, Outcome, Refusal, Work};
use current::Current;

/// A connection that has been open this long has proved that the server works: the back-off starts anew.
const PROVEN_AFTER: Duration = Duration::from_secs(5);
/// Attempts made by `resume` and `reconnect` begin at least this long after the last one began.
const ATTEMPT_SPACING: Duration = Duration::from_millis(100);
/// The longest `retry` an application can ask for; beyond it, clocks overflow before anybody sees the attempt.
const LONGEST_RETRY: Duration = Duration::from_secs(365 * 24 * 3600);
/// A longer last event ID is kept and shown, but not sent: servers refuse heads of this size.
const LONGEST_ID_SENT: usize = 8 * 1024;

/// What comes next. It says no more than that: what it carried would be moved about once an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An event: see `Source::event`.
    Event,
    /// Work: see `Source::work`.
    Work,
    /// CLOSE has been handed out.
    Closed,
}

enum Phase {
    /// Nothing has happened yet.
    Fresh,
    /// Waiting; without end where there is no moment.
    Waiting(Option<Instant>),
    /// CONNECT is handed out, its answer not yet looked at.
    Announced,
    /// An attempt is being made.
    Attempting,
    /// Something came of it, or the stream is over: an event is next.
    Arrived(Outcome),
    /// The stream is open: parse, then read.
    Open,
    /// The final error is handed out, its answer not yet looked at.
    Doomed,
    /// CLOSE is next.
    Closing(ErrorKind, TextBuf),
    /// CLOSE has been handed out.
    Over,
}

/// The machine of one source. Belongs to one thread at a time.
pub(crate) struct Source {
    config: Arc<Config>,
    control: Arc<Control>,
    parser: Parser,
    backoff: Backoff,
    epoch: u64,
    phase: Phase,
    current: Current,
    /// Final, requested or tried last.
    url: TextBuf,
    /// Of the last response.
    status: u16,
    attempt_began: Option<Instant>,
    opened: Option<Instant>,
    /// Nothing was delivered from the connection yet that would reset the back-off.
    unproven: bool,
    /// The wait of the last error, counted from its delivery, and when that was.
    wait: Duration,
    wait_from: Instant,
    /// What the server asked for along with it.
    retry_after: Option<Duration>,
    /// The attempt under way follows from `retry(0)` and has not opened.
    immediate: bool,
    window: bool,
    /// A last event ID that the caller set, and how many the stream had brought by then.
    preset: Option<(TextBuf, u64)>,
    /// Of the attempt under way, until somebody makes it.
    target: Option<Box<Target>>,
}

impl Source {
    pub(crate) fn new(config: Arc<Config>, control: Arc<Control>) -> Source {
        let mut parser = Parser::new(config.max_event_size);
        parser.set_last_event_id(config.last_event_id.as_str());
        let now = config.clock.now();
        Source {
            parser,
            backoff: Backoff::new(config.retry_first, config.retry_max),
            epoch: 0,
            phase: Phase::Fresh,
            current: Current::new(Kind::Close, State::Connecting),
            url: config.url.text().clone(),
            status: 0,
            attempt_began: None,
            opened: None,
            unproven: false,
            wait: Duration::ZERO,
            wait_from: now,
            retry_after: None,
            immediate: false,
            window: false,
            preset: None,
            target: None,
            config,
            control,
        }
    }

    /// What comes next. Ends the loan of the last event.
    #[inline(always)]
    pub(crate) fn step(&mut self) -> Step {
        self.step_on().unwrap_or_else(|| self.step_slowly())
    }

    /// What comes next where the parser just goes on, which is nearly always; `None` where there is something else to do first.
    /// Nothing is logged in here, so nothing of the caller's runs.
    #[inline(always)]
    pub(crate) fn step_on(&mut self) -> Option<Step> {
        let on = !self.window
            && self.control.epoch() == self.epoch
            && !self.control.id_is_set()
            && matches!(self.phase, Phase::Open);
        on.then(|| self.parse())
    }

    #[inline(never)]
    fn step_slowly(&mut self) -> Step {
        self.note_id();
        if self.window {
            self.window = false;
            let answer = self.control.shut_window(self.epoch);
            self.answered(answer);
        }
        if self.control.epoch() != self.epoch || matches!(self.phase, Phase::Fresh) {
            self.catch_up();
        }
        if matches!(self.phase, Phase::Arrived(_)) {
            return self.arrive();
        }
        match &self.phase {
            Phase::Waiting(None) => Step::Work,
            Phase::Waiting(Some(until)) if *until > self.config.clock.now() => Step::Work,
            Phase::Waiting(Some(_)) | Phase::Fresh => self.announce(),
            Phase::Announced => {
                self.attempt_began = Some(self.config.clock.now());
                self.take_over_id();
                self.target = Some(self.control.target());
                self.phase = Phase::Attempting;
                self.step_slowly()
            }
            Phase::Attempting => Step::Work,
            Phase::Open => self.parse(),
            Phase::Doomed => {
                let reason = std::mem::replace(&mut self.current.reason, TextBuf::empty());
                self.phase = Phase::Closing(self.current.details.error, reason);
                self.close_now()
            }
            Phase::Closing(..) => self.close_now(),
            Phase::Over | Phase::Arrived(_) => Step::Closed,
        }
    }

    fn arrive(&mut self) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Arrived(Outcome::Opened(opened)) => self.open(*opened),
            Phase::Arrived(Outcome::Refused(refusal)) => self.refused(*refusal),
            Phase::Arrived(Outcome::Ended(ended)) => self.ended(ended),
            phase => {
                self.phase = phase;
                Step::Closed
            }
        }
    }

    #[inline(always)]
    fn parse(&mut self) -> Step {
        let item = self.parser.next();
        if let Some(first) = self.parser.take_retry() {
            self.backoff.set_first(first);
        }
        if item != Some(Item::Message) {
            return self.parsed_other(item);
        }
        if self.unproven {
            self.unproven = false;
            self.backoff.reset();
        }
        self.current.kind = Kind::Message;
        Step::Event
    }

    #[inline(never)]
    fn parsed_other(&mut self, item: Option<Item>) -> Step {
        match item {
            Some(Item::TooLarge) => self.too_large(),
            Some(Item::Comment | Item::Message) => {
                self.current.kind = Kind::Comment;
                Step::Event
            }
            None => Step::Work,
        }
    }

    /// What kind of event `step` announced.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.current.kind
    }

    /// The event that `step` announced. On loan until the next step.
    #[inline(always)]
    pub(crate) fn event(&self) -> Event<'_> {
        self.current.event(&self.parser, &self.url)
    }

    /// The work that `step` announced, and the epoch it belongs to.
    pub(crate) fn work(&self) -> (u64, Work) {
        let work = match &self.phase {
            Phase::Waiting(until) => Work::Wait(*until),
            Phase::Attempting => Work::Attempt { last_event_id: self.id_to_send() },
            _ => Work::Read,
        };
        (self.epoch, work)
    }

    /// Where to, for `Work::Attempt`: as it was when CONNECT had been answered, whatever has been set since.
    pub(crate) fn target(&mut self) -> Box<Target> {
        self.target.take().unwrap_or_else(|| self.control.target())
    }

    /// The buffer to read into, for `Work::Read`.
    pub(crate) fn lend(&mut self) -> ReadBuffer {
        // OPEN has been seen, and what the response's head takes may be much.
        self.current.details.head = None;
        self.parser.lend()
    }

    /// For `Work::Read`, where a second buffer has been read into ahead of being asked: takes its bytes, returns a buffer to
    /// read on with.
    pub(crate) fn absorb(&mut self, ahead: ReadBuffer) -> ReadBuffer {
        self.parser.absorb(ahead)
    }

    /// Takes what came of work made in epoch `epoch`.
    pub(crate) fn complete(&mut self, epoch: u64, outcome: Outcome) {
        if epoch != self.epoch || self.control.epoch() != self.epoch {
            return;
        }
        match (&self.phase, outcome) {
            (Phase::Attempting, outcome @ (Outcome::Opened(_) | Outcome::Refused(_))) => {
                self.phase = Phase::Arrived(outcome)
            }
            (Phase::Open, Outcome::Read(buffer)) => self.parser.give_back(buffer),
            (Phase::Open, Outcome::Nothing(buffer)) => self.parser.take_back(buffer),
            // In place of a read or a wait: the worker has caught a panic.
            (Phase::Open | Phase::Waiting(_), outcome @ Outcome::Refused(_)) => self.phase = Phase::Arrived(outcome),
            (Phase::Open, outcome @ Outcome::Ended(_)) => self.phase = Phase::Arrived(outcome),
            // A wait that is over shows in the clock. Stale work of the current epoch does not happen: see `control`.
            _ => {}
        }
    }

    // ---- from one phase to the next ----

    /// Follows what the caller wants since the epoch moved on.
    fn catch_up(&mut self) {
        let (epoch, wanted) = self.control.catch_up();
        let moved = epoch != self.epoch;
        self.epoch = epoch;
        if matches!(self.phase, Phase::Over) || !moved {
            return;
        }
        self.parser.reset();
        self.opened = None;
        self.target = None;
        self.phase = match wanted {
            Wanted::Closed => Phase::Closing(ErrorKind::None, TextBuf::from("closed by the application")),
            Wanted::Paused => Phase::Waiting(None),
            Wanted::Running => {
                self.backoff.reset();
                self.immediate = false;
                let now = self.config.clock.now();
                Phase::Waiting(Some(self.attempt_began.map_or(now, |began| began + ATTEMPT_SPACING)))
            }
        };
    }

    /// CONNECT: an attempt is about to begin.
    fn announce(&mut self) -> Step {
        self.take_over_id();
        // Again once its answer is there, which may take long. One called off counts, too: no loop of them is hot.
        self.attempt_began = Some(self.config.clock.now());
        let destination = self.control.destination();
        self.url.set(destination.text().as_bytes());
        let withheld = self.id_to_send().is_empty();
        self.phase = Phase::Announced;
        let connect = Current { id_withheld: withheld, ..Current::new(Kind::Connect, State::Connecting) };
        self.hand_out(connect, Window::Connect)
    }

    /// The caller has set a last event ID for the next attempt; one that the stream brings until then replaces it.
    fn note_id(&mut self) {
        if self.control.id_is_set() {
            self.preset = self.control.take_last_event_id().map(|id| (id, self.parser.commits()));
        }
    }

    fn take_over_id(&mut self) {
        self.note_id();
        if let Some((id, _)) = self.preset.take().filter(|(_, commits)| *commits == self.parser.commits()) {
            self.parser.set_last_event_id(id.as_str());
        }
    }

    /// The last event ID, where a header can carry it.
    fn id_to_send(&self) -> TextBuf {
        let id = self.parser.last_event_id();
        let control = |b: &u8| (*b < 0x20 && *b != b'\t') || *b == 0x7f;
        if id.as_bytes().len() > LONGEST_ID_SENT || id.as_bytes().iter().any(control) {
            return TextBuf::empty();
        }
        id.clone()
    }

    /// OPEN: the server accepted.
    fn open(&mut self, opened: Opened) -> Step {
        self.parser.reset();
        self.url.set(opened.url.text().as_bytes());
        self.status = opened.head.status;
        self.opened = Some(self.config.clock.now());
        self.unproven = true;
        self.immediate = false;
        self.phase = Phase::Open;
        log::info!("{:?}: open", self.url);
        let details = Details { head: Some(opened.head), ..Details::new(State::Open, self.status) };
        self.hand_out(Current::with(Kind::Open, "", details), Window::Shut)
    }

    fn refused(&mut self, refusal: Refusal) -> Step {
        self.url.set(refusal.url.text().as_bytes());
        self.status = refusal.status;
        let failure = refusal.failure;
        let retry_after = refusal
            .head
            .as_ref()
            .and_then(|head| head.get(b"retry-after"))
            .and_then(|value| backoff::retry_after(value.as_str(), self.config.clock.calendar()));
        let details = Details {
            error: failure.kind,
            head: refusal.head,
            body: refusal.body,
            ..Details::new(State::Connecting, refusal.status)
        };
        let error = Current::with(Kind::Error, &failure.message, details);
        let verdict = policy::refused(&self.config, failure.kind, refusal.status, refusal.wrote);
        self.judge(verdict, error, retry_after)
    }

    fn ended(&mut self, ended: Ended) -> Step {
        let now = self.config.clock.now();
        if self.opened.take().is_some_and(|opened| now.saturating_duration_since(opened) >= PROVEN_AFTER) {
            self.backoff.reset();
        }
        self.parser.reset();
        let verdict = policy::ended(&self.config, ended.failure.is_none());
        let failure = ended.failure.unwrap_or_else(|| Failure::new(ErrorKind::Ended, "the server ended the stream"));
        let details = Details { error: failure.kind, ..Details::new(State::Connecting, self.status) };
        let error = Current::with(Kind::Error, &failure.message, details);
        self.judge(verdict, error, None)
    }

    /// ERROR, or CLOSE where the server has said that there is nothing more.
    fn judge(&mut self, verdict: Verdict, mut error: Current, retry_after: Option<Duration>) -> Step {
        self.retry_after = retry_after;
        let exhausted = self.config.max_retries != u32::MAX && self.backoff.failures() >= self.config.max_retries;
        match verdict {
            Verdict::Finished => {
                self.phase = Phase::Closing(ErrorKind::Ended, error.reason);
                self.close_now()
            }
            Verdict::Retry if !exhausted => {
                // Whole milliseconds, so that what is said is what is done.
                let wait = self.backoff.next(retry_after, self.config.clock.random());
                self.wait = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                self.wait_from = self.config.clock.now();
                error.details.retry_ms = i64::try_from(self.wait.as_millis()).unwrap_or(i64::MAX);
                self.phase = Phase::Waiting(Some(self.wait_from + self.wait));
                log::info!("{:?}: {:?}; next attempt in {:?}", self.url, error.reason, self.wait);
                self.hand_out(error, Window::Error)
            }
            _ => {
                error.details.state = State::Closed;
                self.wait_from = self.config.clock.now();
                self.phase = Phase::Doomed;
                log::warn!("{:?}: {:?}; giving up", self.url, error.reason);
                self.hand_out(error, Window::Error)
            }
        }
    }

    /// ERROR about one event; the connection stays.
    fn too_large(&mut self) -> Step {
        let limit = self.config.max_event_size;
        let reason = format!("an event is larger than {limit} bytes, or than memory allows; it is skipped");
        let details = Details { error: ErrorKind::EventTooLarge, ..Details::new(State::Open, self.status) };
        self.hand_out(Current::with(Kind::Error, &reason, details), Window::Shut)
    }

    fn close_now(&mut self) -> Step {
        if !self.control.finish(self.epoch) {
            return self.step_slowly();
        }
        let Phase::Closing(error, reason) = std::mem::replace(&mut self.phase, Phase::Over) else {
            return Step::Closed;
        };
        self.parser.reset();
        let details = Details { error, ..Details::new(State::Closed, self.status) };
        self.current = Current { reason, ..Current::with(Kind::Close, "", details) };
        Step::Event
    }

    fn hand_out(&mut self, event: Current, window: Window) -> Step {
        if !self.control.hand_out(self.epoch, event.details.state, window, matches!(self.phase, Phase::Doomed)) {
            return self.step_slowly();
        }
        self.window = window != Window::Shut;
        self.current = event;
        Step::Event
    }

    /// The window of the last event is shut: what did the application say to it?
    fn answered(&mut self, answer: Option<Answer>) {
        match answer {
            Some(Answer::Fail(reason)) => {
                let refusal = Refusal {
                    failure: Failure::new(ErrorKind::Application, reason),
                    head: None,
                    body: TextBuf::empty(),
                    status: 0,
                    url: self.control.destination(),
                    wrote: false,
                };
                self.phase = Phase::Arrived(Outcome::Refused(Box::new(refusal)));
            }
            Some(Answer::Retry(delay)) => {
                let doomed = matches!(self.phase, Phase::Doomed);
                // A refused token must not make a hot loop: one immediate retry, then the library's own delay.
                let own = delay.filter(|delay| !(delay.is_zero() && self.immediate));
                let wait = match (own, doomed) {
                    (None, false) => self.wait,
                    (None, true) => self.backoff.next(self.retry_after, self.config.clock.random()),
                    (Some(delay), false) => delay,
                    (Some(delay), true) => {
                        self.backoff.count();
                        delay
                    }
                };
                if doomed {
                    self.control.revive(self.epoch);
                }
                self.immediate = own.is_some_and(|delay| delay.is_zero());
                self.phase = Phase::Waiting(Some(self.wait_from + wait.min(LONGEST_RETRY)));
            }
            None if matches!(self.phase, Phase::Waiting(_)) => self.immediate = false,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;
