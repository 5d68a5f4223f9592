//! The one place where pointers from C become references, and where panics and NULLs become statuses.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use super::source::{eventsource, eventsource_destroy_fn};
use super::status::eventsource_status;
use crate::drive::in_callback;
use crate::error::{CallError, ConfigError};

/// Why a function does not do what it was asked for.
pub(super) struct Refusal {
    pub(super) status: eventsource_status,
    /// For people; empty where the status says it all.
    pub(super) words: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(status: eventsource_status, words: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, words: words.into() }
    }

    pub(super) fn null(name: &str) -> Refusal {
        Refusal::new(eventsource_status::EVENTSOURCE_STATUS_NULL_ARGUMENT, format!("{name} is NULL"))
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Refusal {
        let status = match error {
            ConfigError::Url(_) => eventsource_status::EVENTSOURCE_STATUS_INVALID_URL,
            ConfigError::Header(_) => eventsource_status::EVENTSOURCE_STATUS_INVALID_HEADER,
            ConfigError::Argument(_) => eventsource_status::EVENTSOURCE_STATUS_INVALID_ARGUMENT,
            ConfigError::Certificate(_) => eventsource_status::EVENTSOURCE_STATUS_INVALID_CERTIFICATE,
            ConfigError::Unsupported(_) => eventsource_status::EVENTSOURCE_STATUS_UNSUPPORTED,
        };
        Refusal::new(status, error.to_string())
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Refusal {
        match error {
            CallError::Closed => Refusal::new(eventsource_status::EVENTSOURCE_STATUS_CLOSED, ""),
            CallError::Busy => Refusal::new(eventsource_status::EVENTSOURCE_STATUS_BUSY, ""),
            CallError::OutOfResources(why) => {
                Refusal::new(eventsource_status::EVENTSOURCE_STATUS_OUT_OF_RESOURCES, why)
            }
            CallError::Config(error) => error.into(),
        }
    }
}

/// Runs the body of a C function. Neither a panic nor a refusal leaves it as anything but a status.
pub(super) fn guard(body: impl FnOnce() -> Result<eventsource_status, Refusal>) -> eventsource_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => status,
        Ok(Err(refusal)) => {
            if !refusal.words.is_empty() {
                // Where there is no config to ask, this is the only place that says what was wrong.
                ::log::debug!("a call was refused: {}", refusal.words);
            }
            refusal.status
        }
        Err(_) => eventsource_status::EVENTSOURCE_STATUS_PANIC,
    }
}

/// For functions without a status: a panic ends here, and `otherwise` is the answer.
pub(super) fn guard_or<R>(otherwise: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// # Safety
/// `pointer` is NULL or points to a `T` that nobody changes or frees while the result is used.
pub(super) unsafe fn shared<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Refusal> {
    // SAFETY: not NULL here; the rest is this function's own condition.
    unsafe { pointer.as_ref() }.ok_or_else(|| Refusal::null(name))
}

/// # Safety
/// `pointer` is NULL or points to a `T` that nobody else uses while the result is.
pub(super) unsafe fn exclusive<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Refusal> {
    // SAFETY: not NULL here; the rest is this function's own condition.
    unsafe { pointer.as_mut() }.ok_or_else(|| Refusal::null(name))
}

/// The source behind a pointer, kept alive until the result is dropped, whoever frees it meanwhile.
///
/// # Safety
/// `pointer` is NULL or came from `eventsource_new`, and its source has not been freed before this call.
pub(super) unsafe fn held(pointer: *const eventsource) -> Result<Arc<eventsource>, Refusal> {
    if pointer.is_null() {
        return Err(Refusal::null("the source"));
    }
    // SAFETY: `eventsource_new` made the pointer with `Arc::into_raw`, and C's count on it has not been given back yet.
    unsafe {
        Arc::increment_strong_count(pointer);
        Ok(Arc::from_raw(pointer))
    }
}

/// # Safety
/// `pointer` is NULL or points to a string that ends in NUL and stays as it is while the result is used.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Refusal> {
    // SAFETY: this function's own condition.
    unsafe { optional_text(pointer, name) }?.ok_or_else(|| Refusal::null(name))
}

/// # Safety
/// As `text`; NULL is a value of its own.
pub(super) unsafe fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>, Refusal> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL here; the rest is this function's own condition.
    match unsafe { CStr::from_ptr(pointer) }.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => {
            Err(Refusal::new(eventsource_status::EVENTSOURCE_STATUS_INVALID_UTF8, format!("{name} is not UTF-8")))
        }
    }
}

/// # Safety
/// `pointer` is NULL or points to `len` bytes that stay as they are while the result is used.
pub(super) unsafe fn bytes<'a>(pointer: *const u8, len: usize, name: &str) -> Result<&'a [u8], Refusal> {
    if pointer.is_null() {
        return Err(Refusal::null(name));
    }
    if len > isize::MAX as usize {
        // No object is that large: a negative number has become a size.
        let words = format!("{name} has an impossible length");
        return Err(Refusal::new(eventsource_status::EVENTSOURCE_STATUS_INVALID_ARGUMENT, words));
    }
    // SAFETY: not NULL, of a possible length; the rest is this function's own condition.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Where a function stores what it makes.
pub(super) struct Out<T>(NonNull<*mut T>);

impl<T> Out<T> {
    /// Stores NULL, which stays there should the function fail.
    ///
    /// # Safety
    /// `pointer` is NULL or can be written to until the result is dropped.
    pub(super) unsafe fn new(pointer: *mut *mut T, name: &str) -> Result<Out<T>, Refusal> {
        let pointer = NonNull::new(pointer).ok_or_else(|| Refusal::null(name))?;
        // SAFETY: this function's own condition.
        unsafe { pointer.write(ptr::null_mut()) };
        Ok(Out(pointer))
    }

    pub(super) fn set(self, value: *mut T) {
        // SAFETY: the condition of `new`.
        unsafe { self.0.write(value) }
    }
}

/// Stores a length where C wants to know it.
///
/// # Safety
/// `pointer` is NULL or can be written to.
pub(super) unsafe fn store<T>(pointer: *mut T, value: T) {
    if let Some(pointer) = NonNull::new(pointer) {
        // SAFETY: not NULL; the rest is this function's own condition.
        unsafe { pointer.write(value) }
    }
}

/// What a callback gets back of its caller's, and what happens to it when it is needed no more: exactly once, on drop.
pub(super) struct UserData {
    pointer: *mut c_void,
    destroy: eventsource_destroy_fn,
}

// SAFETY: the header says on which threads callbacks and destroy run, so C has agreed to the pointer going there.
unsafe impl Send for UserData {}
// SAFETY: Rust only copies the pointer out of it.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, destroy: eventsource_destroy_fn) -> UserData {
        UserData { pointer, destroy }
    }

    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: C gave both together, and this is the only call of it.
            in_callback(|| unsafe { destroy(self.pointer) });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        assert_eq!(guard(|| panic!("on purpose")), eventsource_status::EVENTSOURCE_STATUS_PANIC);
        assert_eq!(guard_or(7, || panic!("on purpose")), 7);
    }

    #[test]
    fn a_refusal_becomes_its_status() {
        let table = [
            (ConfigError::Url(String::new()), -3),
            (ConfigError::Header(String::new()), -4),
            (ConfigError::Argument(String::new()), -5),
            (ConfigError::Certificate(String::new()), -6),
            (ConfigError::Unsupported(String::new()), -10),
        ];
        for (error, status) in table {
            assert_eq!(guard(|| Err(CallError::from(error).into())) as i32, status);
        }
        let table =
            [(CallError::Closed, 1), (CallError::Busy, -7), (CallError::OutOfResources("no thread".into()), -8)];
        for (error, status) in table {
            assert_eq!(guard(|| Err(error.into())) as i32, status);
        }
    }
}
