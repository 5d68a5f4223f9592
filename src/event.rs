//! What a source yields.

use crate::error::ErrorKind;
use crate::text::{Text, TextBuf};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// An attempt is about to begin. What is set now (headers, URL) goes with it; `fail` calls it off.
    Connect = 1,
    /// The server accepted: a stream is open.
    Open = 2,
    /// An event of the stream.
    Message = 3,
    /// A comment line of the stream.
    Comment = 4,
    /// An attempt failed or the stream broke. Delivered before the wait; `retry` changes what follows.
    Error = 5,
    /// The last event of a source, exactly once.
    Close = 6,
}

/// Where a source stands. WHATWG `readyState`, and `Paused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// Connecting, or waiting to connect again; a source starts here.
    Connecting = 0,
    /// A stream is open.
    Open = 1,
    /// Closed for good.
    Closed = 2,
    /// Paused by the caller.
    Paused = 3,
}

/// The status line and headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// In the order received. Bytes that are not UTF-8 have become U+FFFD.
    pub(crate) headers: Vec<(TextBuf, TextBuf)>,
}

impl Head {
    /// The first header of that name, in any case of letters.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&TextBuf> {
        self.headers.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

/// Something that happened, on loan until the source is asked for the next.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    pub(crate) kind: Kind,
    pub(crate) event_type: Text<'a>,
    pub(crate) data: Text<'a>,
    pub(crate) id: Text<'a>,
    pub(crate) url: Text<'a>,
    pub(crate) details: &'a Details,
}

/// What only those events tell of that are no part of a stream. Apart, so that messages need not carry it about.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) error: ErrorKind,
    pub(crate) state: State,
    pub(crate) status: u16,
    pub(crate) retry_ms: i64,
    pub(crate) head: Option<Head>,
    pub(crate) body: TextBuf,
}

impl Details {
    /// Of a message or a comment.
    pub(crate) const STREAM: &'static Details = &Details::new(State::Open, 200);

    /// Those of an event that tells nothing more.
    pub(crate) const fn new(state: State, status: u16) -> Details {
        Details { error: ErrorKind::None, state, status, retry_ms: -1, head: None, body: TextBuf::empty() }
    }
}

impl<'a> Event<'a> {
    /// What kind of thing happened.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The event type of a message; of all else the kind's name, such as "open".
    pub fn event_type(&self) -> &'a str {
        self.event_type.as_str()
    }
    /// A message's data, a comment's text, an error's or a close's reason in words.
    pub fn data(&self) -> &'a str {
        self.data.as_str()
    }
    /// The last event ID as of this event.
    pub fn id(&self) -> &'a str {
        self.id.as_str()
    }
    /// Where the attempt goes (`Connect`), the final URL after redirects, or the last URL tried. Without userinfo.
    pub fn url(&self) -> &'a str {
        self.url.as_str()
    }
    /// What went wrong.
    pub fn error(&self) -> ErrorKind {
        self.details.error
    }
    /// The source's state as this event sees it.
    pub fn state(&self) -> State {
        self.details.state
    }
    /// The HTTP status, or 0 where there is none.
    pub fn http_status(&self) -> u16 {
        self.details.status
    }
    /// Milliseconds until the next attempt, after an error; -1 where none will follow, and for other events.
    pub fn retry_ms(&self) -> i64 {
        self.details.retry_ms
    }
    /// The first response header of that name, in any case of letters (`Open` and `Error`).
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.details.head.as_ref()?.get(name.as_bytes()).map(TextBuf::as_str)
    }
    /// All response headers, in the order received (`Open` and `Error`).
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.details.head.iter().flat_map(|h| h.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
    /// The first 4 KiB of a refused response's body (`Error`).
    pub fn body(&self) -> &'a str {
        self.details.body.as_str()
    }
}
