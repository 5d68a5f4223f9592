//! `eventsource`: a counted handle, since callbacks may use the pointer until their destroy has returned, freed or not.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use super::boundary::{Out, Refusal, UserData, guard, guard_or, held, optional_text, shared, text};
use super::config::eventsource_config;
use super::event::eventsource_event;
use super::status::eventsource_state;
use super::status::eventsource_status::{
    self, EVENTSOURCE_STATUS_AGAIN, EVENTSOURCE_STATUS_INVALID_ARGUMENT, EVENTSOURCE_STATUS_OK,
};
use crate::drive::{Descriptor, EventSource};
use crate::error::CallError;
use crate::event::{Event, Kind};

/// A stream that connects again until it is closed. Functions that take it const may be called from any thread at any time
/// until it is freed; the others belong to one thread at a time, and those that can see an overlap answer BUSY.
pub struct eventsource {
    source: EventSource,
    /// The event that eventsource_next, eventsource_poll or eventsource_poll_each has lent out.
    lent: UnsafeCell<eventsource_event>,
}

// SAFETY: `EventSource` is both. `lent` is written only inside of `next_with`, `poll_each` and their kin, which let in one thread
// at a time; its pointers point into the source and into no thread's own storage.
unsafe impl Send for eventsource {}
// SAFETY: as above.
unsafe impl Sync for eventsource {}

/// Is called with each event it is registered for; the event is on loan for the call. It may call any function.
pub type eventsource_callback_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const eventsource_event)>;

/// Is called once, when user_data is needed no more. NULL: nobody needs to know.
pub type eventsource_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Is called when eventsource_poll has something; must not block.
pub type eventsource_wake_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Is called with a descriptor to wait for besides wake, and says whether that is done; with -1 when there is none to wait
/// for any more, before it is closed.
pub type eventsource_watch_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, descriptor: isize) -> bool>;

/// Is called with one event after another. true: go on; false: eventsource_poll_each returns. It may call any function;
/// those that ask for an event are BUSY in there, and a free takes effect when eventsource_poll_each returns.
pub type eventsource_each_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const eventsource_event) -> bool>;

/// An eventsource_kind from C, which may be any number.
///
/// cbindgen:ignore
type KindNumber = c_int;

/// A callback with all that belongs to it.
struct Callback<F> {
    call: F,
    user_data: UserData,
    /// Dropped after `user_data`: the source's pointer is good in destroy, too.
    _source: Arc<eventsource>,
}

impl Callback<unsafe extern "C" fn(*mut c_void, *const eventsource_event)> {
    fn call(&mut self, event: &Event<'_>) {
        let event = eventsource_event::lend(event);
        // SAFETY: C gave function and pointer together; the event and its texts stay for the call.
        unsafe { (self.call)(self.user_data.pointer(), &event) }
    }
}

impl Callback<unsafe extern "C" fn(*mut c_void)> {
    fn wake(&mut self) {
        // SAFETY: C gave function and pointer together.
        unsafe { (self.call)(self.user_data.pointer()) }
    }
}

/// What watches descriptors. It does not hold the source, which holds it; the user_data is wake's, which outlives it.
struct Watcher {
    watch: unsafe extern "C" fn(*mut c_void, isize) -> bool,
    user_data: *mut c_void,
}

// SAFETY: the header says on which threads watch is called, so C has agreed to the pointer going there.
unsafe impl Send for Watcher {}

impl Watcher {
    fn call(&self, descriptor: Option<Descriptor<'_>>) -> bool {
        let descriptor = descriptor.and_then(|descriptor| isize::try_from(raw(descriptor)).ok()).unwrap_or(-1);
        // SAFETY: C gave function and pointer together, and destroy is not called before the last of this.
        unsafe { (self.watch)(self.user_data, descriptor) }
    }
}

#[cfg(not(windows))]
fn raw(descriptor: Descriptor<'_>) -> std::os::fd::RawFd {
    std::os::fd::AsRawFd::as_raw_fd(&descriptor)
}

#[cfg(windows)]
fn raw(descriptor: Descriptor<'_>) -> std::os::windows::io::RawSocket {
    std::os::windows::io::AsRawSocket::as_raw_socket(&descriptor)
}

/// Makes a source. No I/O: nothing happens before one of the drivers below is called. A status that a setter of the config
/// has answered is answered again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_new(
    config: *const eventsource_config,
    source_out: *mut *mut eventsource,
) -> eventsource_status {
    guard(|| {
        // SAFETY: the header asks for a place to write to.
        let out = unsafe { Out::new(source_out, "source_out") }?;
        // SAFETY: the header asks for a config or NULL.
        let config = unsafe { shared(config, "the config") }?;
        if config.status() != EVENTSOURCE_STATUS_OK {
            return Err(Refusal::new(config.status(), "a setter of the config was refused"));
        }
        let source = EventSource::new(&config.config)?;
        let lent = UnsafeCell::new(eventsource_event::NONE);
        out.set(Arc::into_raw(Arc::new(eventsource { source, lent })).cast_mut());
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Registers a callback for the events of a kind (EVENTSOURCE_KIND_ANY: all), and, for MESSAGE, of one event type (NULL:
/// all). Callbacks are called in the order of their registration; none is taken away again. BUSY once a driver runs;
/// INVALID_ARGUMENT for a type with another kind. Where this fails, destroy has been called when it returns; else it is
/// called after CLOSE, on the thread that delivered it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_on(
    source: *mut eventsource,
    kind: KindNumber,
    event_type: *const c_char,
    callback: eventsource_callback_fn,
    user_data: *mut c_void,
    destroy: eventsource_destroy_fn,
) -> eventsource_status {
    guard(|| {
        // First, so that whatever fails below calls destroy.
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: the header asks for a source or NULL.
        let source = unsafe { held(source) }?;
        let call = callback.ok_or_else(|| Refusal::null("the callback"))?;
        let kind = match kind {
            0 => None,
            1 => Some(Kind::Connect),
            2 => Some(Kind::Open),
            3 => Some(Kind::Message),
            4 => Some(Kind::Comment),
            5 => Some(Kind::Error),
            6 => Some(Kind::Close),
            _ => return Err(Refusal::new(EVENTSOURCE_STATUS_INVALID_ARGUMENT, "kind is no eventsource_kind")),
        };
        // SAFETY: the header asks for a string or NULL.
        let event_type = unsafe { optional_text(event_type, "the event type") }?;
        let mut callback = Callback { call, user_data, _source: source.clone() };
        source.source.on(kind, event_type, move |event| callback.call(event))?;
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Delivers events to the callbacks on a thread of the library's. OUT_OF_RESOURCES: nothing has changed, and it may be
/// called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_start(source: *mut eventsource) -> eventsource_status {
    guard(|| {
        // SAFETY: the header asks for a source or NULL. Held, since a callback may free it before this returns.
        unsafe { held(source) }?.source.start()?;
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Delivers events to the callbacks on the calling thread, and returns OK after CLOSE and every destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_run(source: *mut eventsource) -> eventsource_status {
    guard(|| {
        // SAFETY: the header asks for a source or NULL. Held, since a callback may free it before this returns.
        unsafe { held(source) }?.source.run()?;
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Blocks until there is an event. OK, or CLOSED after the CLOSE event. The calling thread itself does the network's
/// work in here: while nobody calls, nothing is received.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_next(
    source: *mut eventsource,
    event_out: *mut *const eventsource_event,
) -> eventsource_status {
    // SAFETY: what the header asks for.
    unsafe {
        fetch(
            source,
            event_out,
            |source| source.source.next_received(|event| source.lend(event)),
            |source| source.source.next_with(|event| source.lend(event)).map(Some),
        )
    }
}

/// Prepares a source for an event loop: a thread of the library's does what blocks, eventsource_poll fetches the events.
///
/// This counts as an AGAIN. After each AGAIN wake is called exactly once, when there is reason to poll: an event, a close,
/// resume or reconnect; AGAINs with no wake between them share the next. It is called on the library's thread; typically it
/// writes to a pipe or posts to the loop.
/// eventsource_poll inside wake is BUSY. Where this fails, destroy has been called when it returns; else it is the last
/// thing that the library's thread does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_start_polled(
    source: *mut eventsource,
    wake: eventsource_wake_fn,
    user_data: *mut c_void,
    destroy: eventsource_destroy_fn,
) -> eventsource_status {
    // SAFETY: what the header asks for.
    unsafe {
        begin_polling(source, wake, user_data, destroy, |source, mut callback| {
            Ok(source.start_polled(move || callback.wake())?)
        })
    }
}

/// As eventsource_start_polled, for a loop that can also wait until a descriptor is readable (level-triggered): a single
/// event then wakes the loop alone, and not the library's thread before it.
///
/// watch is called with a descriptor while eventsource_poll is about to answer AGAIN. If it returns true, poll when that is
/// readable or when wake tells, which then need not come. Readable it stays until you have polled: who puts that off should
/// stop waiting for it. watch is called with -1 before the descriptor is closed or another takes its place, in
/// eventsource_poll, eventsource_free or eventsource_release, on the thread that calls these. false: it cannot, and is not
/// asked again. Where a stream cannot be waited for like this (compressed, a flood through TLS, on Windows) wake tells of
/// everything, as ever. It may call any function but those that ask for an event; destroy is called after the last watch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_start_watched(
    source: *mut eventsource,
    wake: eventsource_wake_fn,
    watch: eventsource_watch_fn,
    user_data: *mut c_void,
    destroy: eventsource_destroy_fn,
) -> eventsource_status {
    // SAFETY: what the header asks for.
    unsafe {
        begin_polling(source, wake, user_data, destroy, |source, mut callback| {
            let watch = watch.ok_or_else(|| Refusal::null("watch"))?;
            let watcher = Watcher { watch, user_data: callback.user_data.pointer() };
            Ok(source.start_watched(move || callback.wake(), move |descriptor| watcher.call(descriptor))?)
        })
    }
}

/// What both ways to begin with an event loop have in common.
///
/// # Safety
/// `source` is NULL or a source that has not been freed; what C says of `wake`, `user_data` and `destroy` holds.
unsafe fn begin_polling(
    source: *mut eventsource,
    wake: eventsource_wake_fn,
    user_data: *mut c_void,
    destroy: eventsource_destroy_fn,
    start: impl FnOnce(&EventSource, Callback<unsafe extern "C" fn(*mut c_void)>) -> Result<(), Refusal>,
) -> eventsource_status {
    guard(|| {
        // First, so that whatever fails below calls destroy.
        let user_data = UserData::new(user_data, destroy);
        // SAFETY: this function's own condition. Held, since wake may lead to its end before this returns.
        let source = unsafe { held(source) }?;
        let call = wake.ok_or_else(|| Refusal::null("wake"))?;
        start(&source.source, Callback { call, user_data, _source: source.clone() })?;
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Never blocks: OK and an event; AGAIN, there is none now; or CLOSED after the CLOSE event. Poll until AGAIN. Also good
/// beside eventsource_next, to fetch what has been received already: there AGAIN means, call eventsource_next.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_poll(
    source: *mut eventsource,
    event_out: *mut *const eventsource_event,
) -> eventsource_status {
    // SAFETY: what the header asks for.
    unsafe {
        fetch(
            source,
            event_out,
            |source| source.source.poll_received(|event| source.lend(event)),
            |source| source.source.poll_with(|event| source.lend(event)),
        )
    }
}

/// As eventsource_poll again and again, cheaper where there are many events: calls each on the calling thread until it
/// returns false, which gives OK, or until there is no event: AGAIN or CLOSED. The last event stays on loan.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_poll_each(
    source: *mut eventsource,
    each: eventsource_each_fn,
    user_data: *mut c_void,
) -> eventsource_status {
    guard(|| {
        // SAFETY: the header asks for a source or NULL. Held, since each may free it.
        let source = unsafe { held(source) }?;
        let each = each.ok_or_else(|| Refusal::null("each"))?;
        let stopped = source.source.poll_each(|event| {
            source.lend(event);
            // SAFETY: C gave function and pointer together; the event and its texts stay for the call.
            unsafe { each(user_data, source.lent.get()) }
        })?;
        Ok(if stopped { EVENTSOURCE_STATUS_OK } else { EVENTSOURCE_STATUS_AGAIN })
    })
}

/// Lends out one event: one that has been received already, where `received` finds it, or what `ask` comes by.
///
/// # Safety
/// `source` is NULL or a source that has not been freed; `event_out` is NULL or can be written to.
#[inline(always)]
unsafe fn fetch(
    source: *mut eventsource,
    event_out: *mut *const eventsource_event,
    received: impl FnOnce(&eventsource) -> Option<()>,
    ask: impl FnOnce(&eventsource) -> Result<Option<()>, CallError>,
) -> eventsource_status {
    guard(|| {
        // SAFETY: this function's own condition.
        let out = unsafe { Out::new(event_out.cast(), "event_out") }?;
        // SAFETY: this function's own condition. Nothing of C's runs in `received`, so it need not be held.
        let borrowed = unsafe { shared(source.cast_const(), "the source") }?;
        if received(borrowed).is_some() {
            out.set(borrowed.lent.get());
            return Ok(EVENTSOURCE_STATUS_OK);
        }
        // SAFETY: as above, and not freed yet. Held, since the log function may free it in here.
        let source = unsafe { held(source) }?;
        if ask(&source)?.is_none() {
            return Ok(EVENTSOURCE_STATUS_AGAIN);
        }
        out.set(source.lent.get());
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

impl eventsource {
    fn lend(&self, event: &Event<'_>) {
        // SAFETY: called inside of `next_with`, `poll_each` and their kin, so by one thread at a time; C gives the last loan
        // back by asking for the next event. The texts stay where they are until then, as `next_with` promises.
        unsafe { *self.lent.get() = eventsource_event::lend(event) }
    }
}

/// Runs one of the calls that any thread may make at any time.
///
/// # Safety
/// `source` is NULL or a source that has not been freed.
unsafe fn call(
    source: *const eventsource,
    body: impl FnOnce(&EventSource) -> Result<(), Refusal>,
) -> eventsource_status {
    guard(|| {
        // SAFETY: this function's own condition. Held, since the call may lead to a callback that frees it.
        body(&unsafe { held(source) }?.source)?;
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// Closes for good. eventsource_get_state is CLOSED at once, and whatever blocks ends. From a callback of the source, or
/// between two polls: nothing but CLOSE follows. From another thread: at most the one callback that has begun still runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_close(source: *const eventsource) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL.
    unsafe { call(source, |source| Ok(source.close()?)) }
}

/// Disconnects and stays away until eventsource_resume; the place in the stream is kept. What was received and not yet
/// handed out is asked for again by its event ID. Not flow control: for that, stop asking for events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_pause(source: *const eventsource) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL.
    unsafe { call(source, |source| Ok(source.pause()?)) }
}

/// Connects a paused source again at once, with a fresh back-off. A source that is not paused is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_resume(source: *const eventsource) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL.
    unsafe { call(source, |source| Ok(source.resume()?)) }
}

/// The network has changed: drops the connection or the wait and connects anew at once, with a fresh back-off. A source that
/// is paused or has not begun is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_reconnect(source: *const eventsource) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL.
    unsafe { call(source, |source| Ok(source.reconnect()?)) }
}

/// Answers an ERROR, until its callback ends or the next event is asked for: try again delay_ms after it came (at most a
/// year; -1: the library's own delay), even where retry_ms says that there will be no other attempt. The last answer counts.
/// A second retry with delay 0 in a row, if the attempt between them did not open, waits the library's delay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_retry(source: *const eventsource, delay_ms: i64) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL.
    unsafe {
        call(source, |source| {
            let delay = match delay_ms {
                -1 => None,
                delay => Some(u64::try_from(delay).map_err(|_| {
                    let words = "the delay is neither -1 nor a number of milliseconds";
                    Refusal::new(EVENTSOURCE_STATUS_INVALID_ARGUMENT, words)
                })?),
            };
            Ok(source.retry(delay.map(Duration::from_millis))?)
        })
    }
}

/// Answers a CONNECT, until its callback ends or the next event is asked for: this attempt cannot be made, for that reason.
/// It becomes an ERROR APPLICATION with the usual back-off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_fail(source: *const eventsource, reason: *const c_char) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL, and a string.
    unsafe { call(source, |source| Ok(source.fail(text(reason, "the reason")?)?)) }
}

/// Replaces the configured URL, its credentials included, from the next attempt on. Headers that were secret before stay
/// with the origin they were set for; the last event ID is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_set_url(source: *const eventsource, url: *const c_char) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL, and a string.
    unsafe { call(source, |source| Ok(source.set_url(text(url, "the URL")?)?)) }
}

/// Sets a header from the next attempt on, under the rules of eventsource_config_set_header; NULL takes it away. In a CONNECT
/// that very attempt is the next.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_set_header(
    source: *const eventsource,
    name: *const c_char,
    value: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL, a string, and a string or NULL.
    unsafe {
        call(source, |source| {
            let (name, value) = (text(name, "the header's name")?, optional_text(value, "the header's value")?);
            Ok(source.set_header(name, value)?)
        })
    }
}

/// The same for a header that must not leave the origin of the URL configured now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_set_secret_header(
    source: *const eventsource,
    name: *const c_char,
    value: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a source or NULL, a string, and a string or NULL.
    unsafe {
        call(source, |source| {
            let (name, value) = (text(name, "the header's name")?, optional_text(value, "the header's value")?);
            Ok(source.set_secret_header(name, value)?)
        })
    }
}

/// Where the source stands. CLOSED for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_get_state(source: *const eventsource) -> eventsource_state {
    guard_or(eventsource_state::EVENTSOURCE_STATE_CLOSED, || {
        // SAFETY: the header asks for a source or NULL.
        let source = unsafe { held(source) };
        source.map_or(eventsource_state::EVENTSOURCE_STATE_CLOSED, |source| source.source.state().into())
    })
}

/// Closes, and waits until all is over: CLOSE delivered to the callbacks, every destroy returned, the library's thread gone.
/// Hold no lock that they take. Inside any callback of the library it does not wait, as eventsource_release. NULL: nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_free(source: *mut eventsource) {
    // SAFETY: the header asks for a source or NULL.
    unsafe { end(source, true) }
}

/// Closes and never waits. CLOSE and destroy follow on the library's thread: destroy tells that all is over. NULL: nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_release(source: *mut eventsource) {
    // SAFETY: the header asks for a source or NULL.
    unsafe { end(source, false) }
}

/// # Safety
/// `source` is NULL or a source that is not freed twice.
unsafe fn end(source: *mut eventsource, wait: bool) {
    if source.is_null() {
        return;
    }
    guard_or((), || {
        // SAFETY: `eventsource_new` made it with `Arc::into_raw`, and this takes back C's only count.
        let source = unsafe { Arc::from_raw(source.cast_const()) };
        source.source.end(wait);
    });
}
