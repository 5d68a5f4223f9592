//! Pull: the calling thread does the blocking work itself.

use super::{Mode, job, machine_and_worker};
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
                    Step::Work(epoch, work) => (epoch, job(&mut self.machine, work)),
                    Step::Closed => return Err(CallError::Closed),
                },
            };
            let outcome = self.worker.perform(epoch, job);
            self.machine.complete(epoch, outcome);
        }
    }

    /// Whether there is an event without blocking.
    pub(super) fn poll(&mut self) -> Result<bool, CallError> {
        if self.left.as_ref().is_some_and(|(epoch, _)| *epoch == self.handle.control.epoch()) {
            return Ok(false);
        }
        self.left = None;
        match self.machine.step() {
            Step::Event => {
                self.let_go();
                Ok(true)
            }
            Step::Work(epoch, work) => {
                self.left = Some((epoch, job(&mut self.machine, work)));
                Ok(false)
            }
            Step::Closed => Err(CallError::Closed),
        }
    }

    /// After CLOSE nobody needs the connection, though the source may lie about for long.
    fn let_go(&mut self) {
        if self.machine.event().kind == Kind::Close {
            self.worker.disconnect();
        }
    }

    pub(super) fn event(&self) -> Event<'_> {
        self.machine.event()
    }
}
