//! Does the blocking work that the machine asks for, on whichever thread may block; owns the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::control::{Control, Target};
use crate::error::{ErrorKind, Failure};
use crate::http::{self, Connection};
use crate::interrupt::Interrupt;
use crate::net::{Network, Transport};
use crate::parser::ReadBuffer;

use crate::text::TextBuf;
use crate::work::{Ended, Outcome, Refusal};

/// Work with what is needed to do it.
pub(crate) enum Job {
    Attempt {
        target: Box<Target>,
        last_event_id: TextBuf,
    },
    Read(ReadBuffer),
    /// Never blocks.
    ReadNow(ReadBuffer),
    Wait(Option<Instant>),
}

/// Who gets so much from one read is in a flood: there will be more.
const FLOOD: usize = 16 * 1024;
/// Who gets so little is in none.
const TRICKLE: usize = 1024;

/// One per source.
pub(crate) struct Worker {
    config: Arc<Config>,
    control: Arc<Control>,
    network: Arc<Network>,
    connection: Option<Connection>,
    interrupt: Arc<Interrupt>,
    /// Bytes that the last read brought.
    read_last: usize,
}

impl Worker {
    pub(crate) fn new(config: Arc<Config>, control: Arc<Control>) -> Worker {
        let network = Arc::new(Network::new(&config));
        Worker { config, control, network, connection: None, interrupt: Interrupt::new(), read_last: 0 }
    }

    /// Whether whoever wants the events should read for himself. In a flood that is so, but for TLS, which is better undone
    /// beside him. `watched`: he can tell when there are bytes; then it is so at any other time, too.
    pub(crate) fn is_better_lent(&mut self, watched: bool) -> bool {
        let read_last = self.read_last;
        let is_plain = self.transport().map(|transport| transport.is_plain());
        match is_plain {
            Some(true) => watched || read_last >= FLOOD,
            Some(false) => watched && read_last < TRICKLE,
            None => false,
        }
    }

    /// The connection, where it can be read from without waiting.
    pub(crate) fn transport(&mut self) -> Option<&mut Transport> {
        self.connection.as_mut()?.transport()
    }

    /// Lets the connection go: there will be no further work.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Blocks until the work is done, or until the epoch moves on, which gives `Stale`. The interrupt of an attempt stays
    /// registered for the life of the connection.
    pub(crate) fn perform(&mut self, epoch: u64, job: Job) -> Outcome {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.perform_unguarded(epoch, job)));
        let outcome = outcome.unwrap_or_else(|_| self.fault());
        // What failed may have failed because it was interrupted: the epoch knows, the error does not.
        if self.control.epoch() != epoch {
            self.connection = None;
            return Outcome::Stale;
        }
        if !matches!(outcome, Outcome::Opened(_) | Outcome::Read(_) | Outcome::Nothing(_)) {
            self.connection = None;
        }
        outcome
    }

    #[cold]
    fn fault(&self) -> Outcome {
        log::error!("a panic inside the library was caught; the source gives up");
        let failure = Failure::new(ErrorKind::Internal, "a fault inside the library");
        Outcome::Refused(Box::new(Refusal {
            failure,
            head: None,
            body: TextBuf::empty(),
            status: 0,
            url: self.control.destination(),
            wrote: true,
        }))
    }

    fn perform_unguarded(&mut self, epoch: u64, job: Job) -> Outcome {
        match job {
            Job::Attempt { target, last_event_id } => self.attempt(epoch, &target, &last_event_id),
            Job::Read(buffer) => self.read(buffer, true),
            Job::ReadNow(buffer) => self.read(buffer, false),
            Job::Wait(until) => self.wait(epoch, until),
        }
    }

    #[inline(never)]
    fn attempt(&mut self, epoch: u64, target: &Target, last_event_id: &TextBuf) -> Outcome {
        self.connection = None;
        self.interrupt = Interrupt::new();
        if self.control.begin(epoch, &self.interrupt).is_none() {
            return Outcome::Stale;
        }
        log::debug!("connecting to {}", target.remembered.as_ref().unwrap_or(&target.url).text().as_str());
        let attempt = http::attempt(&self.network, &self.config, target, last_event_id, &self.interrupt);
        // Where the epoch has moved on, nothing is remembered either.
        if self.control.epoch() != epoch {
            return Outcome::Stale;
        }
        if let Some(remember) = attempt.remember {
            self.control.remember(&target.url, remember);
        }
        match attempt.result {
            Ok((opened, connection)) => {
                self.read_last = 0;
                self.connection = Some(connection);
                Outcome::Opened(opened)
            }
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn read(&mut self, mut buffer: ReadBuffer, wait: bool) -> Outcome {
        let Some(connection) = &mut self.connection else { return Outcome::Stale };
        match connection.read(buffer.space(), wait) {
            Ok(None) => Outcome::Nothing(buffer),
            Ok(Some(0)) => Outcome::Ended(Ended { failure: None }),
            Ok(Some(n)) => {
                buffer.advance(n);
                self.read_last = n;
                Outcome::Read(buffer)
            }
            Err(failure) => Outcome::Ended(Ended { failure: Some(failure) }),
        }
    }

    fn wait(&mut self, epoch: u64, until: Option<Instant>) -> Outcome {
        self.connection = None;
        self.interrupt = Interrupt::new();
        if self.control.begin(epoch, &self.interrupt).is_none() {
            return Outcome::Stale;
        }
        let span = until.map(|until| {
            let clock = &self.config.clock;
            clock.sleep_for(until.saturating_duration_since(clock.now()))
        });
        if self.interrupt.wait(span) { Outcome::Stale } else { Outcome::Waited }
    }
}
