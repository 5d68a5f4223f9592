//! Event loop: a worker blocks, the loop's own thread polls. Work and results cross on a desk between the two.
//!
//! While data flows the worker reads on by itself, into buffers that nobody has asked for yet; there are two of these, so
//! nobody has to wake it for the next event. When both are full it stops, then the socket, then the server. In a flood the
//! worker lends the loop the connection: as long as something is there whenever the loop has done with what came before, the
//! two threads need not wake each other at all. A loop that can watch descriptors has it at any other time, too, and then there
//! is one thread to be woken for an event and not two.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::callbacks::Owned;
use super::watch::{Watch, Watcher};
use super::{Polling, in_callback, job, machine_and_worker};
use crate::control::Control;
use crate::error::CallError;
use crate::event::{Event, Kind};
use crate::handle::Handle;
use crate::interrupt::Never;
use crate::net;
use crate::parser::ReadBuffer;
use crate::source::{Source, Step};
use crate::thread;
use crate::work::{Ended, Outcome, Work};
use crate::worker::{Job, Worker};

/// How many buffers the worker may read into ahead of being asked, and their size to begin with.
const AHEAD: u8 = 2;
const READ_AHEAD: usize = 4 * 1024;
/// Reads in a row of the loop's own that bring no event, before the worker goes on: whoever polls does not wait.
const FRUITLESS: u8 = 4;
/// Reads in a row of the loop's own, before there is nothing for once: the loop has others to see to. Through TLS they cost
/// more, and after so many there is a flood.
const TURN: u8 = 32;
const TURN_TLS: u8 = 4;

/// The loop's side.
pub(super) struct Polled {
    machine: Source,
    desk: Arc<Desk>,
    /// What the worker's thread is at, by its epoch.
    asked: Option<(u64, Asked)>,
    /// On loan from the worker's thread, which is at nothing.
    worker: Option<Box<Worker>>,
    /// While it is on, the worker is here and nothing has been asked.
    watch: Watch,
    /// Reads with it since the last event; and in this turn.
    fruitless: u8,
    reads: u8,
    /// None once somebody has asked for it.
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// An attempt, a wait, or the first read of a connection.
    Work,
    /// Reads ahead.
    Ahead,
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
        watcher: Option<Watcher>,
    ) -> Result<(Polled, Sender<Never>), CallError> {
        let (machine, worker) = *machine_and_worker(handle);
        let watch = Watch::new(watcher, handle.config.idle_timeout);
        let desk = Arc::new(Desk::new(handle.control.clone(), watch.is_possible()));
        let serve = Serve { worker: Some(Box::new(worker)), desk: desk.clone(), ahead: None, unmade: 0, wake };
        let (held_back, go) = bounded(0);
        let work = move || {
            let _ = go.recv();
            drop(go);
            serve.run();
        };
        let thread = thread::spawn("eventsource", handle.config.stack_size, work)
            .map_err(|error| CallError::OutOfResources(format!("no thread: {error}")))?;
        Ok((
            Polled { machine, desk, asked: None, worker: None, watch, fruitless: 0, reads: 0, thread: Some(thread) },
            held_back,
        ))
    }

    /// As `poll`, where an event lies in what an open stream has received; false where more has to be looked at.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(super) fn poll_received(&mut self) -> bool {
        let there = matches!(self.machine.step_on(), Some(Step::Event));
        if there {
            // CLOSE is rare here, and what it lets go of tells the watcher, who must not run in here: the next poll does that.
            self.fruitless = 0;
        }
        there
    }

    #[inline(always)]
    fn came(&mut self) {
        self.fruitless = 0;
        if self.machine.kind() == Kind::Close {
            self.let_go();
        }
    }

    /// Sees to the machine's work. True: it takes time, and the bell is armed.
    #[inline(never)]
    fn advance(&mut self, epoch: u64, work: Work) -> bool {
        let is_read = work == Work::Read;
        if self.asked.is_none_or(|(asked, _)| asked != epoch) {
            let job = match job(&mut self.machine, work) {
                Job::Read(buffer) => match self.read_now(epoch, buffer) {
                    Some(buffer) if self.watch() => return self.rest(epoch, buffer),
                    Some(buffer) => Job::Read(buffer),
                    None => return false,
                },
                job => job,
            };
            self.watch.end();
            self.asked = Some((epoch, Asked::Work));
            return self.desk.ask(epoch, job, self.worker.take());
        }
        match self.desk.collect(epoch) {
            Collected::Result(of, outcome, worker) => {
                self.worker = worker;
                (self.fruitless, self.reads) = (0, 0);
                if of == epoch {
                    self.take(epoch, is_read, outcome);
                }
                false
            }
            Collected::Outdated => false,
            Collected::Armed => true,
        }
    }

    /// Reads here, if the worker is at hand. Gives the buffer back where it is not, or where there is nothing yet.
    fn read_now(&mut self, epoch: u64, buffer: ReadBuffer) -> Option<ReadBuffer> {
        let go_on = self.fruitless < FRUITLESS && self.reads < TURN;
        let Some(worker) = self.worker.as_mut().filter(|_| go_on) else { return Some(buffer) };
        self.fruitless += 1;
        self.reads += 1;
        match worker.perform(epoch, Job::ReadNow(buffer)) {
            Outcome::Nothing(buffer) => {
                if worker.transport().is_some_and(|transport| transport.take_heard()) {
                    self.watch.heard();
                }
                Some(buffer)
            }
            outcome => {
                let goes_on = matches!(outcome, Outcome::Read(_));
                self.machine.complete(epoch, outcome);
                self.watch.heard();
                if !goes_on {
                    self.watch.end(); // the connection is gone
                }
                None
            }
        }
    }

    /// Whether the loop waits for the connection itself.
    fn watch(&mut self) -> bool {
        if !self.watch.is_possible() {
            return false;
        }
        let Some(transport) = self.worker.as_mut().and_then(|worker| worker.transport()) else { return false };
        let is_flood = !transport.is_plain() && self.reads >= TURN_TLS;
        if is_flood || transport.holds_some() {
            return false;
        }
        self.watch.begin(transport.stream()) || {
            self.desk.lock().watched = false;
            false
        }
    }

    /// There is nothing more now, and the watcher will tell; unless there has been nothing for too long. True as in `advance`.
    fn rest(&mut self, epoch: u64, mut buffer: ReadBuffer) -> bool {
        (self.fruitless, self.reads) = (0, 0);
        if self.watch.too_long_at().is_some_and(|until| until <= Instant::now()) {
            // What came and was not looked for is no silence. Twice, since a look is spared where the one before took all.
            for _ in 0..2 {
                match self.read_now(epoch, buffer) {
                    Some(left) => buffer = left,
                    None => return false,
                }
            }
        }
        if let Some(until) = self.watch.too_long_at() {
            if until <= Instant::now() {
                self.watch.end();
                if let Some(worker) = &mut self.worker {
                    worker.disconnect();
                }
                self.machine.complete(epoch, Outcome::Ended(Ended { failure: Some(net::silent()) }));
                return false;
            }
            self.desk.ring_at(until);
        }
        self.machine.complete(epoch, Outcome::Nothing(buffer));
        true
    }

    fn take(&mut self, epoch: u64, is_read: bool, outcome: Outcome) {
        // With the worker here its thread is at nothing; otherwise it reads on by itself after the first read.
        let reads_on = is_read && matches!(outcome, Outcome::Read(_)) && self.worker.is_none();
        let asked = std::mem::replace(&mut self.asked, reads_on.then_some((epoch, Asked::Ahead)));
        match outcome {
            Outcome::Read(buffer) if is_read && asked == Some((epoch, Asked::Ahead)) => {
                let spare = self.machine.absorb(buffer);
                if reads_on {
                    self.desk.give(spare);
                }
            }
            outcome => self.machine.complete(epoch, outcome),
        }
    }

    /// Nobody will poll any more: no wake begins from here on.
    pub(super) fn silence(&self) {
        self.desk.lock().armed = false;
    }

    /// Lets the worker go; the source has been closed. Gives its thread, to be waited for.
    pub(super) fn leave(mut self) -> Option<JoinHandle<()>> {
        self.thread.take()
    }

    /// There is nothing left to do: the connection goes, wherever it is, and the thread ends.
    fn let_go(&mut self) {
        self.watch.end();
        self.worker = None;
        self.desk.end();
    }
}

impl Polling for Polled {
    /// Where there is none the bell is armed.
    #[inline(always)]
    fn poll(&mut self) -> Result<bool, CallError> {
        loop {
            match self.machine.step() {
                Step::Event => {
                    self.came();
                    return Ok(true);
                }
                Step::Closed => {
                    self.let_go();
                    return Err(CallError::Closed);
                }
                Step::Work => {
                    let (epoch, work) = self.machine.work();
                    if self.advance(epoch, work) {
                        return Ok(false);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn event(&self) -> Event<'_> {
        self.machine.event()
    }
}

/// However it goes, the thread ends with it.
impl Drop for Polled {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// What lies between the two threads.
struct Desk {
    papers: Mutex<Papers>,
    /// The worker's thread waits here for something to do.
    called: Condvar,
    /// Whose it is.
    control: Arc<Control>,
}

struct Papers {
    /// Asked for and not begun.
    job: Option<(u64, Job)>,
    /// Emptied, to be read ahead into.
    spares: Vec<ReadBuffer>,
    /// In the order in which they came.
    results: VecDeque<(u64, Outcome)>,
    /// On its way to the other thread, with the job or behind the last result.
    worker: Option<Box<Worker>>,
    /// The bell rings once for each time that it was armed.
    armed: bool,
    /// When it rings though there is no result.
    ring_at: Option<Instant>,
    /// The loop can watch descriptors, as far as is known.
    watched: bool,
    /// The worker's thread has to be called.
    waiting: bool,
    over: bool,
}

enum Collected {
    /// Of this epoch; and the worker, if it comes along.
    Result(u64, Outcome, Option<Box<Worker>>),
    /// There is nothing, and the epoch is over.
    Outdated,
    /// There is nothing, and the bell will ring.
    Armed,
}

impl Desk {
    fn new(control: Arc<Control>, watched: bool) -> Desk {
        let papers = Papers {
            job: None,
            spares: Vec::new(),
            results: VecDeque::new(),
            worker: None,
            armed: true,
            ring_at: None,
            watched,
            waiting: false,
            over: false,
        };
        Desk { papers: Mutex::new(papers), called: Condvar::new(), control }
    }

    fn lock(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the loop ----

    /// Asks for a job. One that the worker has not begun is out of date, and what it was to read into as well: nothing is asked
    /// twice in one epoch. True: the bell is armed for what comes of it; otherwise there are older results.
    fn ask(&self, epoch: u64, job: Job, worker: Option<Box<Worker>>) -> bool {
        let mut papers = self.lock();
        papers.job = Some((epoch, job));
        papers.ring_at = None;
        papers.spares.clear();
        if worker.is_some() {
            papers.worker = worker;
        }
        let armed = papers.results.is_empty();
        papers.armed = armed;
        self.call(papers);
        armed
    }

    /// Gives a buffer to be read ahead into. The worker is not called while there are results to be had: to be woken costs it
    /// more than the read.
    fn give(&self, spare: ReadBuffer) {
        let mut papers = self.lock();
        papers.spares.push(spare);
        if papers.results.is_empty() {
            self.call(papers);
        }
    }

    /// Arms the bell for that moment. While the worker is on loan its thread has nothing else to do.
    fn ring_at(&self, moment: Instant) {
        let mut papers = self.lock();
        papers.armed = true;
        // Put off again and again, it is not called: it looks when the moment has come.
        let is_new = papers.ring_at.replace(moment).is_none();
        if is_new {
            self.call(papers);
        }
    }

    fn call(&self, papers: MutexGuard<'_, Papers>) {
        let waiting = papers.waiting;
        drop(papers);
        if waiting {
            self.called.notify_one();
        }
    }

    /// Takes a result. Where there is none the bell is armed, unless `epoch` is over: the worker may have rung for its end before.
    fn collect(&self, epoch: u64) -> Collected {
        let mut papers = self.lock();
        if let Some((of, outcome)) = papers.results.pop_front() {
            // With a job beside it, it is on its way to its thread.
            let comes_along = papers.results.is_empty() && papers.job.is_none();
            let worker = if comes_along { papers.worker.take() } else { None };
            if worker.is_some() {
                papers.spares.clear();
            }
            return Collected::Result(of, outcome, worker);
        }
        if self.control.epoch() != epoch {
            return Collected::Outdated;
        }
        papers.armed = true;
        Collected::Armed
    }

    fn end(&self) {
        let mut papers = self.lock();
        papers.over = true;
        let left = (papers.worker.take(), papers.job.take());
        let buffers = (std::mem::take(&mut papers.results), std::mem::take(&mut papers.spares));
        self.call(papers);
        drop((left, buffers));
    }

    // ---- the worker's thread ----

    /// Lays down what came of a job. True: the bell was armed and has to be rung.
    fn post(&self, epoch: u64, outcome: Outcome, worker: Option<Box<Worker>>) -> bool {
        let mut papers = self.lock();
        if papers.over {
            return false; // nobody will take it, and the connection is not to lie here
        }
        papers.results.push_back((epoch, outcome));
        if worker.is_some() {
            papers.worker = worker;
        }
        std::mem::take(&mut papers.armed)
    }
}

/// The worker's side.
struct Serve<W: FnMut()> {
    /// None while it is on loan to the loop.
    worker: Option<Box<Worker>>,
    desk: Arc<Desk>,
    /// The epoch in which it reads on by itself, and how many buffers for that it has not made yet.
    ahead: Option<u64>,
    unmade: u8,
    wake: Owned<W>,
}

impl<W: FnMut()> Serve<W> {
    fn run(mut self) {
        // CONNECT can be polled.
        if std::mem::take(&mut self.desk.lock().armed) {
            self.ring();
        }
        while let Some((epoch, job)) = self.next() {
            let Some(worker) = &mut self.worker else { continue };
            let outcome = worker.perform(epoch, job);
            let read = matches!(outcome, Outcome::Read(_));
            let lend = (read || matches!(outcome, Outcome::Opened(_))) && {
                let watched = self.desk.lock().watched;
                worker.is_better_lent(watched)
            };
            self.ahead = (read && !lend).then_some(epoch);
            let lent = if lend { self.worker.take() } else { None };
            if self.desk.post(epoch, outcome, lent) {
                self.ring();
            }
        }
        let Serve { worker, desk, wake, .. } = self;
        drop(worker);
        // Lent when the end had come.
        desk.end();
        // The last act: the caller's destructor.
        drop(wake);
    }

    /// Waits for something to do. None: there will be nothing any more.
    fn next(&mut self) -> Option<(u64, Job)> {
        let desk = self.desk.clone();
        let mut papers = desk.lock();
        loop {
            if papers.over {
                return None;
            }
            let left = papers.ring_at.map(|moment| moment.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                papers.ring_at = None;
                if std::mem::take(&mut papers.armed) {
                    drop(papers);
                    self.ring();
                    papers = desk.lock();
                    continue;
                }
            }
            if let Some((epoch, job)) = papers.job.take() {
                if let Some(worker) = papers.worker.take() {
                    self.worker = Some(worker);
                }
                self.unmade = AHEAD;
                return Some((epoch, job));
            }
            if let Some(epoch) = self.ahead {
                if let Some(buffer) = papers.spares.pop() {
                    return Some((epoch, Job::Read(buffer)));
                }
                if self.unmade > 0 {
                    self.unmade -= 1;
                    return Some((epoch, Job::Read(ReadBuffer::for_reading_ahead(READ_AHEAD))));
                }
            }
            papers.waiting = true;
            papers = match papers.ring_at.and(left) {
                Some(left) => desk.called.wait_timeout(papers, left).unwrap_or_else(PoisonError::into_inner).0,
                None => desk.called.wait(papers).unwrap_or_else(PoisonError::into_inner),
            };
            papers.waiting = false;
        }
    }

    /// The lock is not held while the caller's code runs.
    fn ring(&mut self) {
        WAKING.with(|waking| waking.set(Arc::as_ptr(&self.desk.control)));
        in_callback(|| self.wake.call(|wake| wake()));
        WAKING.with(|waking| waking.set(std::ptr::null()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Config;
    use crossbeam_channel::RecvTimeoutError;
    use std::time::Duration;

    #[test]
    fn the_bell_rings_once_for_each_time_it_was_armed() {
        let config = Config::new("http://127.0.0.1/").unwrap();
        let desk = Desk::new(Arc::new(Control::new(&config)), false);
        let armed = |epoch| matches!(desk.collect(epoch), Collected::Armed);
        assert!(desk.post(0, Outcome::Waited, None));
        assert!(!desk.post(0, Outcome::Waited, None));
        // A result that came between a look at the desk and the arming would never be rung for: it is seen now.
        assert!(matches!(desk.collect(0), Collected::Result(0, Outcome::Waited, None)));
        assert!(!desk.post(0, Outcome::Waited, None));
        for _ in 0..2 {
            assert!(matches!(desk.collect(0), Collected::Result(0, Outcome::Waited, None)));
        }
        assert!(armed(0) && armed(0));
        assert!(desk.post(0, Outcome::Stale, None));
        assert!(matches!(desk.collect(0), Collected::Result(0, Outcome::Stale, None)));
        // Nor one that came between the machine's look at what is wanted and the arming.
        desk.control.close().unwrap();
        assert!(!armed(0));
        assert!(armed(desk.control.epoch()));
    }

    #[test]
    fn the_thread_ends_with_the_last_of_the_source() {
        let source = crate::EventSource::new(&Config::new("http://127.0.0.1/").unwrap()).unwrap();
        let (tell, told) = bounded::<()>(0);
        let wake = Owned::new(move || drop(tell.clone()));
        let (polled, held_back) = Polled::start(&source.handle(), wake, None).unwrap();
        drop(held_back);
        drop(polled);
        assert_eq!(told.recv_timeout(Duration::from_secs(30)), Err(RecvTimeoutError::Disconnected));
    }
}
