//! Event loop: a worker blocks, the loop's own thread polls. Work and results cross in two one-place channels.
//!
//! While data flows the worker is allowed one read that nobody has asked for yet, into a second buffer; so the two threads
//! work side by side, and a loop that does not poll stops the worker, then the socket, then the server.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};

use super::callbacks::Owned;
use super::{in_callback, job, machine_and_worker};
use crate::control::Control;
use crate::error::CallError;
use crate::event::{Event, Kind};
use crate::handle::Handle;
use crate::interrupt::Never;
use crate::parser::ReadBuffer;
use crate::source::{Source, Step};
use crate::thread;
use crate::work::{Outcome, Work};
use crate::worker::{Job, Worker};

/// The second buffer's size to begin with.
const READ_AHEAD: usize = 4 * 1024;

/// The loop's side.
pub(super) struct Polled {
    machine: Source,
    /// `None` once CLOSE was polled: the worker has nothing left to do.
    jobs: Option<Sender<(u64, Job)>>,
    /// The other end of `jobs`, to take back what the worker has not begun.
    unbegun: Receiver<(u64, Job)>,
    results: Receiver<(u64, Outcome)>,
    bell: Arc<Bell>,
    /// What the worker is at, by its epoch.
    asked: Option<(u64, Asked)>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// An attempt, a wait, or the first read of a connection.
    Work,
    /// A read ahead.
    Ahead,
}

/// Rings once for each time that it was armed.
struct Bell {
    armed: Mutex<bool>,
    /// Whose it is.
    control: Arc<Control>,
}

thread_local! {
    /// Of the source whose wake function this thread is in.
    static WAKING: Cell<*const Control> = const { Cell::new(std::ptr::null()) };
}

/// Whether this thread is in the wake function of that source.
pub(super) fn is_waking(handle: &Handle) -> bool {
    WAKING.with(|waking| std::ptr::eq(waking.get(), Arc::as_ptr(&handle.control)))
}

impl Polled {
    /// The worker is held back for as long as what comes with it is.
    pub(super) fn start<W: FnMut() + Send + 'static>(
        handle: &Handle,
        wake: Owned<W>,
    ) -> Result<(Polled, Sender<Never>), CallError> {
        let (machine, worker) = *machine_and_worker(handle);
        let (jobs, unbegun) = bounded(1);
        let (post, results) = bounded(1);
        let bell = Arc::new(Bell { armed: Mutex::new(true), control: handle.control.clone() });
        let serve = Serve { worker, jobs: unbegun.clone(), results: post, bell: bell.clone(), wake };
        let (held_back, go) = bounded(0);
        let work = move || {
            let _ = go.recv();
            drop(go);
            serve.run();
        };
        let thread = thread::spawn("eventsource", handle.config.stack_size, work)
            .map_err(|error| CallError::OutOfResources(format!("no thread: {error}")))?;
        Ok((Polled { machine, jobs: Some(jobs), unbegun, results, bell, asked: None, thread }, held_back))
    }

    /// Whether there is an event. Where there is none the bell is armed.
    pub(super) fn poll(&mut self) -> Result<bool, CallError> {
        loop {
            let (epoch, work) = match self.machine.step() {
                Step::Event => {
                    if self.machine.event().kind == Kind::Close {
                        self.jobs = None;
                    }
                    return Ok(true);
                }
                Step::Work(epoch, work) => (epoch, work),
                Step::Closed => return Err(CallError::Closed),
            };
            if self.asked.is_none_or(|(asked, _)| asked != epoch) {
                let job = job(&mut self.machine, work.clone());
                self.ask(epoch, job, Asked::Work);
            }
            match self.results.try_recv() {
                Ok((of, outcome)) if of == epoch => self.take(epoch, &work, outcome),
                // Of an epoch that is over.
                Ok(_) => {}
                Err(TryRecvError::Empty) => {
                    if self.bell.arm_unless(epoch, || !self.results.is_empty()) {
                        return Ok(false);
                    }
                }
                // The worker is gone, which it never is before its jobs end.
                Err(TryRecvError::Disconnected) => return Err(CallError::Closed),
            }
        }
    }

    fn ask(&mut self, epoch: u64, job: Job, asked: Asked) {
        self.asked = Some((epoch, asked));
        // A job that the worker has not begun is out of date: nothing is asked twice in one epoch.
        let _ = self.unbegun.try_recv();
        if let Some(jobs) = &self.jobs {
            // There is room: nobody else sends.
            let _ = jobs.try_send((epoch, job));
        }
    }

    fn take(&mut self, epoch: u64, work: &Work, outcome: Outcome) {
        let asked = self.asked.take();
        match (work, outcome) {
            (Work::Read, Outcome::Read(buffer)) => {
                if asked == Some((epoch, Asked::Ahead)) {
                    let spare = self.machine.absorb(buffer);
                    self.ask(epoch, Job::Read(spare), Asked::Ahead);
                } else {
                    // The worker goes on by itself after the first.
                    self.machine.complete(epoch, Outcome::Read(buffer));
                    self.asked = Some((epoch, Asked::Ahead));
                }
            }
            (_, outcome) => self.machine.complete(epoch, outcome),
        }
    }

    pub(super) fn event(&self) -> Event<'_> {
        self.machine.event()
    }

    /// Nobody will poll any more: no wake begins from here on.
    pub(super) fn silence(&self) {
        self.bell.take();
    }

    /// Lets the worker go; the source has been closed.
    pub(super) fn leave(self) -> JoinHandle<()> {
        self.thread
    }
}

impl Bell {
    /// Arms the bell, unless there is something to be had already, or `epoch` is over: the worker may have rung for its end
    /// before, and dropped what came of it.
    fn arm_unless(&self, epoch: u64, ready: impl FnOnce() -> bool) -> bool {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        if ready() || self.control.epoch() != epoch {
            return false;
        }
        *armed = true;
        true
    }

    /// Whether it was armed.
    fn take(&self) -> bool {
        std::mem::take(&mut *self.armed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ring<W: FnMut()>(&self, wake: &mut Owned<W>) {
        // The lock is not held while the caller's code runs.
        if self.take() {
            WAKING.with(|waking| waking.set(Arc::as_ptr(&self.control)));
            in_callback(|| wake.call(|wake| wake()));
            WAKING.with(|waking| waking.set(std::ptr::null()));
        }
    }
}

/// The worker's side.
struct Serve<W: FnMut()> {
    worker: Worker,
    jobs: Receiver<(u64, Job)>,
    results: Sender<(u64, Outcome)>,
    bell: Arc<Bell>,
    wake: Owned<W>,
}

impl<W: FnMut()> Serve<W> {
    fn run(mut self) {
        // CONNECT can be polled.
        self.bell.ring(&mut self.wake);
        let mut reading = false;
        while let Ok((epoch, job)) = self.jobs.recv() {
            let is_read = matches!(job, Job::Read(_));
            let more = self.perform(epoch, job);
            if is_read && !reading && more {
                self.perform(epoch, Job::Read(ReadBuffer::for_reading_ahead(READ_AHEAD)));
            }
            reading = is_read;
        }
        let Serve { worker, wake, .. } = self;
        drop(worker);
        // The last act: the caller's destructor.
        drop(wake);
    }

    /// Does the job, posts what came of it, rings. Whether bytes were read and taken.
    fn perform(&mut self, epoch: u64, job: Job) -> bool {
        let outcome = self.worker.perform(epoch, job);
        let read = matches!(outcome, Outcome::Read(_));
        let interrupt = self.worker.interrupt().clone();
        let posted = select! {
            send(self.results, (epoch, outcome)) -> sent => sent.is_ok(),
            recv(interrupt.fired()) -> _ => false,
        };
        self.bell.ring(&mut self.wake);
        read && posted
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_bell_rings_once_for_each_time_it_was_armed() {
        let config = Config::new("http://127.0.0.1/").unwrap();
        let bell = Bell { armed: Mutex::new(true), control: Arc::new(Control::new(&config)) };
        let rung = Arc::new(Mutex::new(0));
        let count = rung.clone();
        let mut wake = Owned::new(move || *count.lock().unwrap() += 1);
        bell.ring(&mut wake);
        bell.ring(&mut wake);
        assert_eq!(*rung.lock().unwrap(), 1);
        // A result that came between the look at the channel and the arming would never be rung for: it is seen now.
        assert!(!bell.arm_unless(0, || true));
        bell.ring(&mut wake);
        assert_eq!(*rung.lock().unwrap(), 1);
        assert!(bell.arm_unless(0, || false));
        bell.ring(&mut wake);
        bell.ring(&mut wake);
        assert_eq!(*rung.lock().unwrap(), 2);
        assert!(bell.arm_unless(0, || false));
        assert!(bell.take());
        bell.ring(&mut wake);
        assert_eq!(*rung.lock().unwrap(), 2, "silenced");
        // Nor one that came between the machine's look at what is wanted and the arming.
        bell.control.close().unwrap();
        bell.ring(&mut wake);
        assert!(!bell.arm_unless(0, || false));
        assert!(bell.arm_unless(bell.control.epoch(), || false));
    }
}
