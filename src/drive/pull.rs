//! Pull: the calling thread does the blocking work itself.

use super::{Mode, Polling, job, machine_and_worker};
use crate::error::CallError;
use crate::event::{Event, Kind};
use crate::handle::Handle;
use crate::source::{Source, Step};
use crate::worker::{Job, Worker};

pub(super) struct Pull {
    machine: Source,
    worker: Worker,
    /// Work that `poll` came upon and left for `next`.
    left: Option<(u64, Job)>,
    handle: Handle,
}

impl Pull {
    /// The source as one that is pulled, from now on.
    pub(super) fn of<'a>(mode: &'a mut Mode, handle: &Handle) -> Result<&'a mut Pull, CallError> {
        if let Mode::New(registrations) = mode {
            if handle.control.is_over() {
                return Err(CallError::Closed);
            }
            if !registrations.is_empty() {
                return Err(CallError::Busy);
            }
            let (machine, worker) = *machine_and_worker(handle);
            *mode = Mode::Pull(Box::new(Pull { machine, worker, left: None, handle: handle.clone() }));
        }
        match mode {
            Mode::Pull(pull) => Ok(pull),
            _ => Err(handle.driven()),
        }
    }

    /// Blocks until there is an event.
    pub(super) fn next(&mut self) -> Result<(), CallError> {
        loop {
            let (epoch, job) = match self.left.take() {
                Some(left) => left,
                None => match self.machine.step() {
                    Step::Event => {
                        self.let_go();
                        return Ok(());
                    }
                    Step::Work => self.job(),
                    Step::Closed => return Err(CallError::Closed),
                },
            };
            let outcome = self.worker.perform(epoch, job);
            self.machine.complete(epoch, outcome);
        }
    }

    /// As `poll`, where the event lies in what an open stream has received; `None` where more has to be looked at. Nothing is
    /// logged in here, so nothing of the caller's runs.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(super) fn poll_received(&mut self) -> Option<bool> {
        if self.left.is_some() {
            return None;
        }
        let step = self.machine.step_on()?;
        self.polled(step).ok()
    }

    #[inline(always)]
    fn polled(&mut self, step: Step) -> Result<bool, CallError> {
        match step {
            Step::Event => {
                self.let_go();
                Ok(true)
            }
            Step::Work => {
                self.left = Some(self.job());
                Ok(false)
            }
            Step::Closed => Err(CallError::Closed),
        }
    }

    fn job(&mut self) -> (u64, Job) {
        let (epoch, work) = self.machine.work();
        (epoch, job(&mut self.machine, work))
    }

    /// After CLOSE nobody needs the connection, though the source may lie about for long.
    #[inline(always)]
    fn let_go(&mut self) {
        if self.machine.kind() == Kind::Close {
            self.worker.disconnect();
        }
    }
}

impl Polling for Pull {
    #[inline(always)]
    fn poll(&mut self) -> Result<bool, CallError> {
        if self.left.as_ref().is_some_and(|(epoch, _)| *epoch == self.handle.control.epoch()) {
            return Ok(false);
        }
        self.left = None;
        let step = self.machine.step();
        self.polled(step)
    }

    #[inline(always)]
    fn event(&self) -> Event<'_> {
        self.machine.event()
    }
}
