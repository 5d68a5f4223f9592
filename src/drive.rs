//! The four ways to use a source: callbacks on our thread or on the caller's, pull, event loop.
//!
//! The four share the machine and nothing else, and a source is driven in one way for all its life. The mutex here only
//! finds out who overlaps with whom: calls of two threads that may not overlap answer `Busy`.

mod callbacks;
mod polled;
mod pull;
mod watch;

use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::config::Config;
use crate::control::Control;
use crate::error::{CallError, ConfigError};
use crate::event::{Event, Kind};
use crate::handle::Handle;
use crate::source::Source;
use crate::thread;
use crate::work::Work;
use crate::worker::{Job, Worker};
use callbacks::Registration;
use polled::Polled;
use pull::Pull;
pub use watch::Descriptor;
use watch::Watcher;

/// A stream that reconnects until it is closed.
///
/// Nothing happens until one of the four drivers is chosen: [`start`](Self::start) and [`run`](Self::run) call what
/// [`on`](Self::on) registered, [`next`](Self::next) is asked for events, [`start_polled`](Self::start_polled) and
/// [`poll`](Self::poll) fit an event loop. What may be called from any thread is on [`Handle`], to which a source derefs.
///
/// Dropping a source closes it and does not wait; [`free`](Self::free) waits.
pub struct EventSource {
    handle: Handle,
    mode: Mutex<Mode>,
    /// `end` was called.
    ended: AtomicBool,
}

enum Mode {
    /// No driver yet.
    New(Vec<Registration>),
    /// `start`: events are delivered on this thread of ours.
    Started(JoinHandle<()>),
    /// `run`: events are delivered on a thread of the caller's, and all is over when it returns.
    Running,
    Pull(Box<Pull>),
    Polled(Box<Polled>),
    Freed,
}

impl EventSource {
    /// Makes a source. No I/O happens here.
    ///
    /// # Errors
    /// What [`Config::error`] remembers: a setter of `config` was refused and nobody looked.
    pub fn new(config: &Config) -> Result<EventSource, CallError> {
        if let Some(error) = config.error() {
            return Err(error.clone().into());
        }
        let control = Arc::new(Control::new(config));
        let handle = Handle { config: Arc::new(config.clone()), control };
        Ok(EventSource { handle, mode: Mutex::new(Mode::New(Vec::new())), ended: AtomicBool::new(false) })
    }

    /// The calls that may be made from any thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Registers a callback: for events of `kind` (`None`: of every kind) and, for messages, of one `event_type` only. Callbacks
    /// run in the order of their registration; none is added after the start, none is removed. The callback is dropped on the
    /// thread that delivered CLOSE, after it.
    ///
    /// # Errors
    /// `ConfigError::Argument` for a type with a kind other than message, [`CallError::Busy`] once a driver runs,
    /// [`CallError::Closed`].
    pub fn on(
        &self,
        kind: Option<Kind>,
        event_type: Option<&str>,
        callback: impl FnMut(&Event<'_>) + Send + 'static,
    ) -> Result<(), CallError> {
        let registration = Registration::new(kind, event_type, callback);
        // Wherever this returns early, the callback is dropped here, as one of the library's own.
        let refused = |error, registration| {
            in_callback(|| drop(registration));
            Err(error)
        };
        if event_type.is_some() && kind != Some(Kind::Message) {
            let reason = "an event type goes with the kind message only";
            return refused(ConfigError::Argument(reason.into()).into(), registration);
        }
        let mut mode = match self.enter() {
            Ok(mode) => mode,
            Err(error) => return refused(error, registration),
        };
        let error = match &mut *mode {
            _ if self.control.is_closed() || self.control.is_over() => CallError::Closed,
            Mode::New(registrations) => {
                registrations.push(registration);
                return Ok(());
            }
            _ => CallError::Busy,
        };
        // The callback's destructor may end the source.
        drop(mode);
        refused(error, registration)
    }

    /// Delivers events to the callbacks on a thread of the library's.
    ///
    /// # Errors
    /// [`CallError::Busy`] where a driver runs, [`CallError::Closed`] after CLOSE, [`CallError::OutOfResources`] where there is
    /// no thread to be had (the call may be made again).
    pub fn start(&self) -> Result<(), CallError> {
        let mut mode = self.enter()?;
        let registrations = self.registrations(&mut mode)?;
        let (hand_over, take_over) = crossbeam_channel::bounded::<Vec<Registration>>(1);
        let handle = self.handle.clone();
        // The registrations follow once there is a thread: where there is none, nothing has changed.
        let spawned = thread::spawn("eventsource", self.config.stack_size, move || {
            let handed_over = take_over.recv();
            drop(take_over); // and the channel's memory with it
            if let Ok(registrations) = handed_over {
                callbacks::deliver(&handle, registrations);
            }
        });
        match spawned {
            Ok(thread) => {
                // The thread is there and takes what it is handed.
                let _ = hand_over.send(registrations);
                *mode = Mode::Started(thread);
                Ok(())
            }
            Err(error) => {
                *mode = Mode::New(registrations);
                Err(CallError::OutOfResources(format!("no thread: {error}")))
            }
        }
    }

    /// Delivers events to the callbacks on this thread, and returns after CLOSE.
    ///
    /// # Errors
    /// [`CallError::Busy`] where a driver runs, [`CallError::Closed`] after CLOSE.
    pub fn run(&self) -> Result<(), CallError> {
        let registrations = {
            let mut mode = self.enter()?;
            let registrations = self.registrations(&mut mode)?;
            *mode = Mode::Running;
            registrations
        };
        callbacks::deliver(&self.handle, registrations);
        Ok(())
    }

    /// Takes the registrations of a source that no driver has yet.
    fn registrations(&self, mode: &mut Mode) -> Result<Vec<Registration>, CallError> {
        match mode {
            _ if self.control.is_over() => Err(CallError::Closed),
            Mode::New(registrations) => Ok(std::mem::take(registrations)),
            Mode::Freed => Err(CallError::Closed),
            _ => Err(self.handle.driven()),
        }
    }

    /// Blocks until there is an event.
    ///
    /// # Errors
    /// [`CallError::Closed`] after the CLOSE event, [`CallError::Busy`] where another driver runs.
    #[allow(clippy::should_implement_trait)] // an Iterator cannot lend
    pub fn next(&mut self) -> Result<Event<'_>, CallError> {
        let mode = self.mode.get_mut().unwrap_or_else(PoisonError::into_inner);
        let pull = Pull::of(mode, &self.handle)?;
        pull.next()?;
        Ok(pull.event())
    }

    /// As [`next`](Self::next), through a shared reference: `take` sees the event. Its texts stay where they are until the next
    /// call, which the C boundary relies on.
    ///
    /// # Errors
    /// As [`next`](Self::next); [`CallError::Busy`] also where another thread is in here.
    pub fn next_with<R>(&self, take: impl FnOnce(&Event<'_>) -> R) -> Result<R, CallError> {
        let mut mode = self.enter()?;
        let pull = Pull::of(&mut mode, &self.handle)?;
        pull.next()?;
        // The log function may have ended the source in there: then nobody is to be given what is about to go.
        if self.ended.load(Ordering::Relaxed) {
            drop(mode);
            self.end(false);
            return Err(CallError::Closed);
        }
        Ok(take(&pull.event()))
    }

    /// Prepares the source for an event loop. `wake` is called on the library's thread, once after each time that
    /// [`poll`](Self::poll) had nothing (and once after this call), when there is a reason to poll again; polls that had nothing
    /// with no wake between them share the next. It must not block.
    ///
    /// # Errors
    /// [`CallError::Busy`] where a driver runs or a callback is registered, [`CallError::Closed`] after CLOSE,
    /// [`CallError::OutOfResources`] where there is no thread to be had.
    pub fn start_polled(&self, wake: impl FnMut() + Send + 'static) -> Result<(), CallError> {
        self.begin_polling(wake, None)
    }

    /// As [`start_polled`](Self::start_polled), for a loop that can also wait until a descriptor is readable: a single event
    /// then wakes the loop alone, and not the library's thread before it.
    ///
    /// `watch` is called with `Some` when there is a descriptor to wait for, level-triggered, and says whether that is done.
    /// From then on there is reason to poll when it is readable, or when `wake` tells. With `None` the waiting ends: the
    /// descriptor will be closed, or is not what to wait for any more. It is called on the thread that polls, inside of
    /// [`poll`](Self::poll) or [`poll_each`](Self::poll_each), or that frees, releases or drops the source; `None` follows each
    /// `Some` that was answered with true. Once it has said false it is not called again. Where a stream cannot be read like
    /// this (compressed; a flood through TLS; on Windows) `wake` tells of everything.
    ///
    /// # Errors
    /// As [`start_polled`](Self::start_polled).
    pub fn start_watched(
        &self,
        wake: impl FnMut() + Send + 'static,
        watch: impl FnMut(Option<Descriptor<'_>>) -> bool + Send + 'static,
    ) -> Result<(), CallError> {
        self.begin_polling(wake, Some(Watcher::new(Box::new(watch))))
    }

    fn begin_polling(&self, wake: impl FnMut() + Send + 'static, watcher: Option<Watcher>) -> Result<(), CallError> {
        let wake = callbacks::Owned::new(wake);
        let mut mode = self.enter()?;
        match &*mode {
            _ if self.control.is_over() => return Err(CallError::Closed),
            Mode::New(registrations) if registrations.is_empty() => {}
            Mode::New(_) => return Err(CallError::Busy),
            Mode::Freed => return Err(CallError::Closed),
            _ => return Err(self.handle.driven()),
        }
        let (polled, held_back) = Polled::start(&self.handle, wake, watcher)?;
        *mode = Mode::Polled(Box::new(polled));
        drop(mode);
        // Not before: another thread may poll as soon as wake is called, and must find the lock free.
        drop(held_back);
        Ok(())
    }

    /// The next event, if there is one; never blocks. `None`: `wake` will tell, or, for a source that is pulled, call
    /// [`next`](Self::next).
    ///
    /// # Errors
    /// [`CallError::Closed`] after the CLOSE event, [`CallError::Busy`] where callbacks are used, and inside `wake`.
    pub fn poll(&mut self) -> Result<Option<Event<'_>>, CallError> {
        let mode = self.mode.get_mut().unwrap_or_else(PoisonError::into_inner);
        let there = poll_each(mode, &self.handle, |_| false)?;
        Ok(match mode {
            Mode::Polled(polled) if there => Some(polled.event()),
            Mode::Pull(pull) if there => Some(pull.event()),
            _ => None,
        })
    }

    /// As [`poll`](Self::poll), through a shared reference: `take` sees the event. Its texts stay where they are until the next
    /// call, which the C boundary relies on.
    ///
    /// # Errors
    /// As [`poll_each`](Self::poll_each).
    pub fn poll_with<R>(&self, take: impl FnOnce(&Event<'_>) -> R) -> Result<Option<R>, CallError> {
        let (mut take, mut taken) = (Some(take), None);
        self.poll_each(|event| {
            taken = take.take().map(|take| take(event));
            false
        })?;
        Ok(taken)
    }

    /// As [`poll`](Self::poll) again and again, cheaper where there are many events: `each` sees one after another until it
    /// says false. False: it never did, and there is none now. The texts of the last one stay where they are until the next call.
    ///
    /// # Errors
    /// As [`poll`](Self::poll); [`CallError::Closed`] also where `each` has freed the source, which sees no other event then;
    /// [`CallError::Busy`] also where another thread is in here, and inside `each`.
    pub fn poll_each(&self, mut each: impl FnMut(&Event<'_>) -> bool) -> Result<bool, CallError> {
        let polled = self.enter().and_then(|mut mode| {
            in_callback(|| {
                poll_each(&mut mode, &self.handle, |event| each(event) && !self.ended.load(Ordering::Relaxed))
            })
        });
        // The wake that this arms may come, and end the source, before the lock is free.
        fence(Ordering::SeqCst);
        if self.ended.load(Ordering::Relaxed) {
            self.end(false);
            return if polled == Ok(true) { Err(CallError::Closed) } else { polled };
        }
        polled
    }

    /// As [`poll_with`](Self::poll_with), for an event that has been received already; `None`: ask `poll_with`. Nothing is logged
    /// in here, so nothing of the caller's runs but `take`.
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) fn poll_received<R>(&self, take: impl FnOnce(&Event<'_>) -> R) -> Option<R> {
        let mut mode = self.mode.try_lock().ok()?;
        match &mut *mode {
            Mode::Polled(polled) if !polled::is_waking(&self.handle) => {
                polled.poll_received().then(|| take(&polled.event()))
            }
            mode => pull_received(mode, take),
        }
    }

    /// The same for [`next_with`](Self::next_with).
    #[cfg(feature = "capi")]
    #[inline(always)]
    pub(crate) fn next_received<R>(&self, take: impl FnOnce(&Event<'_>) -> R) -> Option<R> {
        pull_received(&mut *self.mode.try_lock().ok()?, take)
    }

    /// Closes and waits until all is over: CLOSE delivered to callbacks, callbacks dropped, the thread gone. Inside a callback of
    /// the library it does not wait.
    pub fn free(self) {
        self.end(true);
    }

    /// Closes and does not wait.
    pub fn release(self) {
        self.end(false);
    }

    /// The end of a source, seen from its owner.
    pub(crate) fn end(&self, wait: bool) {
        if let Ok(mode) = self.mode.try_lock() {
            if let Mode::Polled(polled) = &*mode {
                polled.silence();
            }
        }
        // Closed already is fine.
        let _ = self.control.close();
        // Who is in there now and is not waited for sees it on the way out.
        self.ended.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mode = {
            let mut mode = match self.mode.try_lock() {
                Ok(mode) => mode,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Somebody is inside `start`, on whose thread this is; or in poll, which does the rest when it has done; or in
                // next, which the caller should have waited for: closed, it returns, and the rest follows when it lets go of
                // the source.
                Err(TryLockError::WouldBlock) if is_in_callback() => return,
                Err(TryLockError::WouldBlock) => self.mode.lock().unwrap_or_else(PoisonError::into_inner),
            };
            match &*mode {
                Mode::Running => return,
                _ => std::mem::replace(&mut *mode, Mode::Freed),
            }
        };
        let thread = match mode {
            Mode::New(registrations) => {
                for registration in registrations {
                    in_callback(|| drop(registration));
                }
                None
            }
            Mode::Started(thread) => Some(thread),
            Mode::Polled(polled) => polled.leave(),
            Mode::Running | Mode::Pull(_) | Mode::Freed => None,
        };
        if let Some(thread) = thread.filter(|_| wait && !is_in_callback()) {
            // A panic on it was caught and reported there.
            let _ = thread.join();
        }
    }

    fn enter(&self) -> Result<MutexGuard<'_, Mode>, CallError> {
        match self.mode.try_lock() {
            Ok(mode) => Ok(mode),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(CallError::Busy),
        }
    }
}

/// A driver that is asked for events and does not block.
trait Polling {
    /// Whether there is an event now.
    fn poll(&mut self) -> Result<bool, CallError>;

    /// The one that `poll` announced.
    fn event(&self) -> Event<'_>;

    /// Hands out what there is until `each` says false. False: it did not, and there is nothing more now.
    #[inline(always)]
    fn poll_each(&mut self, mut each: impl FnMut(&Event<'_>) -> bool) -> Result<bool, CallError> {
        while self.poll()? {
            if !each(&self.event()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The same, whichever driver there is.
#[inline(always)]
fn poll_each(mode: &mut Mode, handle: &Handle, each: impl FnMut(&Event<'_>) -> bool) -> Result<bool, CallError> {
    if polled::is_waking(handle) {
        return Err(CallError::Busy);
    }
    match mode {
        Mode::Polled(polled) => polled.poll_each(each),
        // Not begun, so there is nothing yet; unless it was closed, which is an event.
        Mode::New(_) if !handle.control.is_closed() => Ok(false),
        mode => Pull::of(mode, handle)?.poll_each(each),
    }
}

#[cfg(feature = "capi")]
#[inline(always)]
fn pull_received<R>(mode: &mut Mode, take: impl FnOnce(&Event<'_>) -> R) -> Option<R> {
    match mode {
        Mode::Pull(pull) => pull.poll_received()?.then(|| take(&pull.event())),
        _ => None,
    }
}

/// The machine's wish as a job for a worker.
fn job(machine: &mut Source, work: Work) -> Job {
    match work {
        Work::Attempt { last_event_id } => Job::Attempt { target: machine.target(), last_event_id },
        Work::Read => Job::Read(machine.lend()),
        Work::Wait(until) => Job::Wait(until),
    }
}

/// On the heap: the stack that lies under an attempt decides how much memory a stream holds.
#[inline(never)]
fn machine_and_worker(handle: &Handle) -> Box<(Source, Worker)> {
    let (config, control) = (&handle.config, &handle.control);
    Box::new((Source::new(config.clone(), control.clone()), Worker::new(config.clone(), control.clone())))
}

impl Deref for EventSource {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        self.end(false);
    }
}

impl std::fmt::Debug for EventSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.handle.fmt(f)
    }
}

thread_local! {
    /// How many callbacks of the library this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs something of the caller's: a callback, a destructor, a logger. Freeing a source in there does not wait.
#[inline]
pub(crate) fn in_callback<R>(call: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            // A thread that is ending has no callbacks to count.
            let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
        }
    }
    let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
    let _leave = Leave;
    call()
}

fn is_in_callback() -> bool {
    DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false)
}
