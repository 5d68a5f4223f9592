//! The library's log as a C callback: one for the process, installed into the log crate at the first call.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

use super::boundary::{Refusal, UserData, guard};
use super::source::eventsource_destroy_fn;
use super::status::eventsource_log_level;
use super::status::eventsource_status::{self, EVENTSOURCE_STATUS_BUSY, EVENTSOURCE_STATUS_INVALID_ARGUMENT};
use crate::drive::in_callback;

/// Gets what the library logs. level is an eventsource_log_level; target names the part of the library. Both strings are
/// on loan for the call. May be called by any thread, several at once; what it makes the library log itself is dropped.
pub type eventsource_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: c_int, target: *const c_char, message: *const c_char)>;

/// Sends what the library logs to a function; replaces the one before. Process-wide. max_level is an
/// eventsource_log_level. log NULL takes the function away. The function that is taken away or replaced is not called
/// any more once this returns, and its destroy has returned, since calls in progress are waited for; only inside of the
/// log function nothing is waited for. No header value and no body is ever logged.
/// BUSY: the process, a Rust program, has a logger of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_set_log(
    max_level: c_int,
    log: eventsource_log_fn,
    user_data: *mut c_void,
    destroy: eventsource_destroy_fn,
) -> eventsource_status {
    guard(|| {
        // First, so that whatever fails below calls destroy.
        let user_data = UserData::new(user_data, destroy);
        let known = LEVELS.into_iter().find(|(number, _)| *number as c_int == max_level);
        let (_, level) = known.ok_or_else(|| {
            Refusal::new(EVENTSOURCE_STATUS_INVALID_ARGUMENT, "max_level is no eventsource_log_level")
        })?;
        match log {
            Some(call) => {
                LOGGER.install()?;
                LOGGER.replace(Some(Arc::new(Target { call, user_data, level })));
            }
            None => LOGGER.replace(None),
        }
        Ok(eventsource_status::EVENTSOURCE_STATUS_OK)
    })
}

const LEVELS: [(eventsource_log_level, LevelFilter); 6] = [
    (eventsource_log_level::EVENTSOURCE_LOG_OFF, LevelFilter::Off),
    (eventsource_log_level::EVENTSOURCE_LOG_ERROR, LevelFilter::Error),
    (eventsource_log_level::EVENTSOURCE_LOG_WARN, LevelFilter::Warn),
    (eventsource_log_level::EVENTSOURCE_LOG_INFO, LevelFilter::Info),
    (eventsource_log_level::EVENTSOURCE_LOG_DEBUG, LevelFilter::Debug),
    (eventsource_log_level::EVENTSOURCE_LOG_TRACE, LevelFilter::Trace),
];

static LOGGER: Logger = Logger { state: Mutex::new(State { target: None, installed: false }), left: Condvar::new() };

thread_local! {
    /// Whether this thread is in the log function.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

struct Logger {
    state: Mutex<State>,
    /// A call of a log function has returned.
    left: Condvar,
}

struct State {
    target: Option<Arc<Target>>,
    /// The log crate has this logger, and keeps it for ever.
    installed: bool,
}

/// A log function. Each call in progress holds one count of it: the last one to go destroys.
struct Target {
    call: unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *const c_char),
    user_data: UserData,
    level: LevelFilter,
}

impl Logger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn install(&'static self) -> Result<(), Refusal> {
        let mut state = self.lock();
        if !state.installed {
            log::set_logger(self)
                .map_err(|_| Refusal::new(EVENTSOURCE_STATUS_BUSY, "the process has a logger of its own"))?;
            state.installed = true;
        }
        Ok(())
    }

    fn replace(&self, target: Option<Arc<Target>>) {
        let mut state = self.lock();
        if !state.installed {
            // The levels are another logger's business.
            return;
        }
        log::set_max_level(target.as_ref().map_or(LevelFilter::Off, |target| target.level));
        let old = std::mem::replace(&mut state.target, target);
        let Some(old) = old else { return };
        if !LOGGING.with(Cell::get) {
            // No new call can begin: they take their count under this lock, from the target that has just gone.
            while Arc::strong_count(&old) > 1 {
                state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(state);
        drop(old);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // At trace level ureq writes raw bytes of requests, credentials among them; above it, headers that it deems harmless.
        !metadata.target().starts_with("ureq")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || LOGGING.try_with(|logging| logging.replace(true)).unwrap_or(true) {
            return;
        }
        let target = self.lock().target.clone();
        if let Some(target) = target {
            if record.level() <= target.level {
                target.write(record);
            }
            let last = {
                // Under the lock, so that a `replace` that waits cannot miss it.
                let _state = self.lock();
                Arc::into_inner(target)
            };
            self.left.notify_all();
            // Some if it was taken away meanwhile by this very call, or by a `replace` that did not wait.
            drop(last);
        }
        let _ = LOGGING.try_with(|logging| logging.set(false));
    }

    fn flush(&self) {}
}

impl Target {
    fn write(&self, record: &Record<'_>) {
        let (name, message) = (c_string(record.target()), c_string(&record.args().to_string()));
        let level = record.level() as c_int;
        // SAFETY: C gave function and pointer together, and both strings outlive the call.
        in_callback(|| unsafe { (self.call)(self.user_data.pointer(), level, name.as_ptr(), message.as_ptr()) });
    }
}

/// A NUL inside would end the text early for C.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
