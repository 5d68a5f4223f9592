//! What can go wrong: in a call (`CallError`), in an option (`ConfigError`), on the network (`ErrorKind`).

use thiserror::Error;

/// Why an ERROR or CLOSE event happened. Few values: each is one that a program does something different about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorKind {
    /// Nothing is wrong: the event is no failure, or the caller asked for the close.
    None = 0,
    /// The stream ended: the server finished the response, or said with 204 that there is nothing more.
    Ended = 1,
    /// The host's name could not be looked up.
    Dns = 2,
    /// No address of the host accepted a connection.
    Connect = 3,
    /// The TLS handshake failed, or the certificate did not verify.
    Tls = 4,
    /// The proxy refused, or could not reach the server.
    Proxy = 5,
    /// The connection broke, or what came over it was not HTTP.
    Io = 6,
    /// One of the configured timeouts passed.
    TimedOut = 7,
    /// The server answered with a status that does not open a stream.
    HttpStatus = 8,
    /// The server answered 200 with another type than `text/event-stream`.
    ContentType = 9,
    /// The response has a content coding that was not asked for and is not known.
    Encoding = 10,
    /// A redirect led nowhere: too many, no usable Location, or from https to http.
    Redirect = 11,
    /// One event was larger than `max_event_size`, or than memory allows. The stream goes on.
    EventTooLarge = 12,
    /// The application refused the attempt with `fail`.
    Application = 13,
    /// A fault in this library, such as a caught panic. Please report it.
    Internal = 14,
}

/// Why an option was refused. Says in words what is wrong with it; never quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an absolute http or https URL that can be connected to.
    #[error("{0}")]
    Url(String),
    /// A header name or value that HTTP cannot carry, or a header that is the library's own to set.
    #[error("{0}")]
    Header(String),
    /// A number, method or word outside its range.
    #[error("{0}")]
    Argument(String),
    /// PEM or pin input that is no certificate, no key, or does not fit together.
    #[error("{0}")]
    Certificate(String),
    /// An option that this build does not have.
    #[error("{0}")]
    Unsupported(String),
}

/// Why a call on a source was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The source is closed, or there is nothing left that the call could act on.
    #[error("the source is closed, or there is nothing to answer")]
    Closed,
    /// Another driver or another thread is using the source.
    #[error("another driver or thread is using the source")]
    Busy,
    /// The operating system gave no thread or memory. Nothing has changed: the call may be made again.
    #[error("out of resources: {0}")]
    OutOfResources(String),
    /// An argument was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A failed attempt or read, before anybody decided what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// For people; holds no secret, no userinfo.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into() }
    }
}
