//! The numbers C sees, and their texts.

use std::ffi::{CStr, c_char, c_int};

use crate::error::ErrorKind;
use crate::event::{Kind, State};

/// What a function answers. Below 0: it failed and changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_status {
    /// Done.
    EVENTSOURCE_STATUS_OK = 0,
    /// The source is closed, or there is nothing left that the call could act on. Not a failure.
    EVENTSOURCE_STATUS_CLOSED = 1,
    /// There is no event now. Not a failure.
    EVENTSOURCE_STATUS_AGAIN = 2,
    /// A pointer is NULL that must not be.
    EVENTSOURCE_STATUS_NULL_ARGUMENT = -1,
    /// A string is not UTF-8.
    EVENTSOURCE_STATUS_INVALID_UTF8 = -2,
    /// Not an absolute http or https URL that can be connected to.
    EVENTSOURCE_STATUS_INVALID_URL = -3,
    /// A header that HTTP cannot carry or that is the library's own to set.
    EVENTSOURCE_STATUS_INVALID_HEADER = -4,
    /// A number or a word outside its range.
    EVENTSOURCE_STATUS_INVALID_ARGUMENT = -5,
    /// PEM text or a pin that is damaged or does not fit together.
    EVENTSOURCE_STATUS_INVALID_CERTIFICATE = -6,
    /// The source is driven in another way or by another thread, or the process has a logger already.
    EVENTSOURCE_STATUS_BUSY = -7,
    /// The system has no thread or memory to give. The call may be made again.
    EVENTSOURCE_STATUS_OUT_OF_RESOURCES = -8,
    /// A fault in this library. Please report it.
    EVENTSOURCE_STATUS_PANIC = -9,
    /// This build of the library cannot do that.
    EVENTSOURCE_STATUS_UNSUPPORTED = -10,
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_kind {
    /// For eventsource_on: every kind. No event has it, but a NULL event does.
    EVENTSOURCE_KIND_ANY = 0,
    /// An attempt is about to begin. Headers and URL set now go with it; eventsource_fail calls it off.
    EVENTSOURCE_KIND_CONNECT = 1,
    /// The server accepted: a stream is open.
    EVENTSOURCE_KIND_OPEN = 2,
    /// An event of the stream.
    EVENTSOURCE_KIND_MESSAGE = 3,
    /// A comment of the stream, often sent to keep the connection alive.
    EVENTSOURCE_KIND_COMMENT = 4,
    /// An attempt failed or the stream broke. Comes before the wait; eventsource_retry changes what follows.
    EVENTSOURCE_KIND_ERROR = 5,
    /// The last event of a source, exactly once.
    EVENTSOURCE_KIND_CLOSE = 6,
}

/// Why an ERROR or a CLOSE came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_error {
    /// Nothing is wrong, or the close was asked for.
    EVENTSOURCE_ERROR_NONE = 0,
    /// The server ended the stream, or said with 204 that there is nothing more.
    EVENTSOURCE_ERROR_ENDED = 1,
    /// The host's name could not be looked up.
    EVENTSOURCE_ERROR_DNS = 2,
    /// No address of the host accepted a connection.
    EVENTSOURCE_ERROR_CONNECT = 3,
    /// The TLS handshake failed, or the certificate did not verify.
    EVENTSOURCE_ERROR_TLS = 4,
    /// The proxy refused, or could not reach the server.
    EVENTSOURCE_ERROR_PROXY = 5,
    /// The connection broke, or what came over it was not HTTP.
    EVENTSOURCE_ERROR_IO = 6,
    /// One of the configured timeouts passed.
    EVENTSOURCE_ERROR_TIMED_OUT = 7,
    /// The server answered with a status that opens no stream.
    EVENTSOURCE_ERROR_HTTP_STATUS = 8,
    /// The server answered 200, but with another type than text/event-stream.
    EVENTSOURCE_ERROR_CONTENT_TYPE = 9,
    /// The response has a content coding that the library does not know.
    EVENTSOURCE_ERROR_ENCODING = 10,
    /// A redirect led nowhere: too many, no usable Location, or from https to http.
    EVENTSOURCE_ERROR_REDIRECT = 11,
    /// One event was larger than the limit or than memory allows. The stream goes on behind it.
    EVENTSOURCE_ERROR_EVENT_TOO_LARGE = 12,
    /// eventsource_fail was called.
    EVENTSOURCE_ERROR_APPLICATION = 13,
    /// A fault in this library. Please report it.
    EVENTSOURCE_ERROR_INTERNAL = 14,
}

/// Where a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_state {
    /// Connecting, or waiting to connect again. A source begins here.
    EVENTSOURCE_STATE_CONNECTING = 0,
    /// A stream is open.
    EVENTSOURCE_STATE_OPEN = 1,
    /// Closed for good.
    EVENTSOURCE_STATE_CLOSED = 2,
    /// Paused with eventsource_pause.
    EVENTSOURCE_STATE_PAUSED = 3,
}

/// When a source connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_reconnect_mode {
    /// GET always. Other methods, which may cost money when repeated, only while the server has done nothing: no byte of
    /// the request was written, or it answered 425, 429 or 503.
    EVENTSOURCE_RECONNECT_AUTO = 0,
    /// Every method as GET.
    EVENTSOURCE_RECONNECT_ALWAYS = 1,
    /// Never: one request, whatever becomes of it.
    EVENTSOURCE_RECONNECT_NEVER = 2,
}

/// How much is logged: this and all above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum eventsource_log_level {
    /// Nothing.
    EVENTSOURCE_LOG_OFF = 0,
    /// What should not happen.
    EVENTSOURCE_LOG_ERROR = 1,
    /// What may be a mistake.
    EVENTSOURCE_LOG_WARN = 2,
    /// Connections made and lost.
    EVENTSOURCE_LOG_INFO = 3,
    /// What is needed to find a fault.
    EVENTSOURCE_LOG_DEBUG = 4,
    /// Reserved: release builds write nothing at this level.
    EVENTSOURCE_LOG_TRACE = 5,
}

impl From<Kind> for eventsource_kind {
    fn from(kind: Kind) -> eventsource_kind {
        match kind {
            Kind::Connect => eventsource_kind::EVENTSOURCE_KIND_CONNECT,
            Kind::Open => eventsource_kind::EVENTSOURCE_KIND_OPEN,
            Kind::Message => eventsource_kind::EVENTSOURCE_KIND_MESSAGE,
            Kind::Comment => eventsource_kind::EVENTSOURCE_KIND_COMMENT,
            Kind::Error => eventsource_kind::EVENTSOURCE_KIND_ERROR,
            Kind::Close => eventsource_kind::EVENTSOURCE_KIND_CLOSE,
        }
    }
}

impl From<ErrorKind> for eventsource_error {
    fn from(error: ErrorKind) -> eventsource_error {
        match error {
            ErrorKind::None => eventsource_error::EVENTSOURCE_ERROR_NONE,
            ErrorKind::Ended => eventsource_error::EVENTSOURCE_ERROR_ENDED,
            ErrorKind::Dns => eventsource_error::EVENTSOURCE_ERROR_DNS,
            ErrorKind::Connect => eventsource_error::EVENTSOURCE_ERROR_CONNECT,
            ErrorKind::Tls => eventsource_error::EVENTSOURCE_ERROR_TLS,
            ErrorKind::Proxy => eventsource_error::EVENTSOURCE_ERROR_PROXY,
            ErrorKind::Io => eventsource_error::EVENTSOURCE_ERROR_IO,
            ErrorKind::TimedOut => eventsource_error::EVENTSOURCE_ERROR_TIMED_OUT,
            ErrorKind::HttpStatus => eventsource_error::EVENTSOURCE_ERROR_HTTP_STATUS,
            ErrorKind::ContentType => eventsource_error::EVENTSOURCE_ERROR_CONTENT_TYPE,
            ErrorKind::Encoding => eventsource_error::EVENTSOURCE_ERROR_ENCODING,
            ErrorKind::Redirect => eventsource_error::EVENTSOURCE_ERROR_REDIRECT,
            ErrorKind::EventTooLarge => eventsource_error::EVENTSOURCE_ERROR_EVENT_TOO_LARGE,
            ErrorKind::Application => eventsource_error::EVENTSOURCE_ERROR_APPLICATION,
            ErrorKind::Internal => eventsource_error::EVENTSOURCE_ERROR_INTERNAL,
        }
    }
}

impl From<State> for eventsource_state {
    fn from(state: State) -> eventsource_state {
        match state {
            State::Connecting => eventsource_state::EVENTSOURCE_STATE_CONNECTING,
            State::Open => eventsource_state::EVENTSOURCE_STATE_OPEN,
            State::Closed => eventsource_state::EVENTSOURCE_STATE_CLOSED,
            State::Paused => eventsource_state::EVENTSOURCE_STATE_PAUSED,
        }
    }
}

const STATUS_TEXTS: [(c_int, &CStr); 13] = [
    (0, c"done"),
    (1, c"the source is closed, or there is nothing to act on"),
    (2, c"there is no event now"),
    (-1, c"an argument is NULL that must not be"),
    (-2, c"a string is not UTF-8"),
    (-3, c"not a usable http or https URL"),
    (-4, c"not a header that can be set"),
    (-5, c"an argument is out of its range"),
    (-6, c"a certificate, key or pin cannot be used"),
    (-7, c"somebody else is using it"),
    (-8, c"no thread or memory to be had"),
    (-9, c"a fault in the library"),
    (-10, c"not supported by this build"),
];

const ERROR_TEXTS: [(c_int, &CStr); 15] = [
    (0, c"no error"),
    (1, c"the server ended the stream"),
    (2, c"the host's name could not be looked up"),
    (3, c"the host could not be connected to"),
    (4, c"TLS failed"),
    (5, c"the proxy failed"),
    (6, c"the connection broke"),
    (7, c"a timeout passed"),
    (8, c"the server answered with an error status"),
    (9, c"the response is not an event stream"),
    (10, c"the response has an unknown content coding"),
    (11, c"a redirect could not be followed"),
    (12, c"an event was too large"),
    (13, c"the application called the attempt off"),
    (14, c"a fault in the library"),
];

/// A status in words, for logs. Never NULL; lives for ever. Words for one attempt or one option are in the event's data
/// and in eventsource_config_error.
#[unsafe(no_mangle)]
pub extern "C" fn eventsource_status_text(status: c_int) -> *const c_char {
    find(&STATUS_TEXTS, status, c"unknown status")
}

/// An eventsource_error in words, for logs. Never NULL; lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn eventsource_error_text(error: c_int) -> *const c_char {
    find(&ERROR_TEXTS, error, c"unknown error")
}

fn find(texts: &[(c_int, &'static CStr)], number: c_int, unknown: &'static CStr) -> *const c_char {
    texts.iter().find(|(known, _)| *known == number).map_or(unknown, |(_, text)| text).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_and_c_count_alike() {
        let kinds = [Kind::Connect, Kind::Open, Kind::Message, Kind::Comment, Kind::Error, Kind::Close];
        for kind in kinds {
            assert_eq!(eventsource_kind::from(kind) as i32, kind as i32);
        }
        for state in [State::Connecting, State::Open, State::Closed, State::Paused] {
            assert_eq!(eventsource_state::from(state) as i32, state as i32);
        }
        use ErrorKind::*;
        let errors = [
            None,
            Ended,
            Dns,
            Connect,
            Tls,
            Proxy,
            Io,
            TimedOut,
            HttpStatus,
            ContentType,
            Encoding,
            Redirect,
            EventTooLarge,
            Application,
            Internal,
        ];
        for (number, error) in errors.into_iter().enumerate() {
            assert_eq!((error as usize, eventsource_error::from(error) as usize), (number, number));
        }
        use crate::config::ReconnectMode::{Always, Auto, Never};
        use eventsource_reconnect_mode::*;
        assert_eq!(Auto as i32, EVENTSOURCE_RECONNECT_AUTO as i32);
        assert_eq!(Always as i32, EVENTSOURCE_RECONNECT_ALWAYS as i32);
        assert_eq!(Never as i32, EVENTSOURCE_RECONNECT_NEVER as i32);
    }

    #[test]
    fn every_number_has_words_of_its_own() {
        // SAFETY: both functions return literals.
        let text = |pointer| unsafe { CStr::from_ptr(pointer) }.to_owned();
        let statuses: std::collections::HashSet<_> = (-11..=3).map(|n| text(eventsource_status_text(n))).collect();
        assert_eq!(statuses.len(), 14, "13 and one for -11 and 3");
        let errors: std::collections::HashSet<_> = (-1..=15).map(|n| text(eventsource_error_text(n))).collect();
        assert_eq!(errors.len(), 16);
        assert_eq!(text(eventsource_status_text(c_int::MIN)).as_c_str(), c"unknown status");
        assert_eq!(text(eventsource_error_text(c_int::MAX)).as_c_str(), c"unknown error");
    }
}
