//! What crosses between the machine and whoever does its blocking work: plain data.

use std::time::Instant;

use crate::error::Failure;
use crate::event::Head;
use crate::parser::ReadBuffer;
use crate::text::TextBuf;
use crate::url::Url;

/// What somebody who may block has to do before there can be another event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Connect, and ask with this last event ID.
    Attempt { last_event_id: TextBuf },
    /// Read into the buffer that the machine lends.
    Read,
    /// Drop the connection and wait until then; without end where there is no then (paused).
    Wait(Option<Instant>),
}

/// What came of the work.
pub(crate) enum Outcome {
    Opened(Box<Opened>),
    /// No stream: the attempt failed, or the server answered something else than an event stream.
    Refused(Box<Refusal>),
    /// More bytes.
    Read(ReadBuffer),
    /// None yet: the answer to a read that does not wait.
    Nothing(ReadBuffer),
    /// The body is over.
    Ended(Ended),
    /// The wait is over.
    Waited,
    /// Interrupted, or begun too late: somebody wants something else by now.
    Stale,
}

/// A stream has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) head: Head,
    /// After redirects.
    pub(crate) url: Url,
}

#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    /// The response, where there was one.
    pub(crate) head: Option<Head>,
    /// The first bytes of the refused response's body.
    pub(crate) body: TextBuf,
    /// The response's status, 407 of a proxy, or 0.
    pub(crate) status: u16,
    /// The last URL tried.
    pub(crate) url: Url,
    /// A byte of the request left this machine.
    pub(crate) wrote: bool,
}

#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: complete, by the framing of the response.
    pub(crate) failure: Option<Failure>,
}
