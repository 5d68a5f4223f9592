//! What may be called from any thread, any callback, at any time: closing, pausing, answering, overriding.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, is_last_event_id};
use crate::control::Control;
use crate::error::{CallError, ConfigError};
use crate::event::State;
use crate::header;
use crate::text::TextBuf;
use crate::url::Url;

/// A source as seen from outside: every call returns at once and takes effect at once. Cheap to clone, and safe to keep:
/// where the source is over, calls answer [`CallError::Closed`].
#[derive(Clone)]
pub struct Handle {
    pub(crate) config: Arc<Config>,
    pub(crate) control: Arc<Control>,
}

impl Handle {
    /// Closes for good. Nothing but the CLOSE event is handed out any more; what blocks ends.
    ///
    /// # Errors
    /// [`CallError::Closed`] where the source is closed already.
    pub fn close(&self) -> Result<(), CallError> {
        self.control.close()
    }

    /// Disconnects and stays away until [`resume`](Self::resume). The place in the stream is kept. Not flow control: for that,
    /// stop asking for events.
    ///
    /// # Errors
    /// [`CallError::Closed`] where there is nothing left to pause.
    pub fn pause(&self) -> Result<(), CallError> {
        self.control.pause()
    }

    /// Connects again after [`pause`](Self::pause), with a fresh back-off. Does nothing to a source that is not paused.
    ///
    /// # Errors
    /// [`CallError::Closed`] where there is nothing left to resume.
    pub fn resume(&self) -> Result<(), CallError> {
        self.control.resume()
    }

    /// Drops the connection or the wait and connects anew at once, with a fresh back-off: for a changed network. Does nothing to
    /// a source that is paused or has not begun.
    ///
    /// # Errors
    /// [`CallError::Closed`] where there is nothing left to connect.
    pub fn reconnect(&self) -> Result<(), CallError> {
        self.control.reconnect()
    }

    /// Answers an ERROR: try again `delay` after it was delivered (at most a year), or after the library's own delay. Also
    /// revives a source whose error was final. The last answer counts.
    ///
    /// # Errors
    /// [`CallError::Closed`] where no ERROR is waiting for an answer.
    pub fn retry(&self, delay: Option<Duration>) -> Result<(), CallError> {
        self.control.retry(delay)
    }

    /// Answers a CONNECT: this attempt cannot be made, for `reason`. Becomes an ERROR with the usual back-off.
    ///
    /// # Errors
    /// [`CallError::Closed`] where no CONNECT is waiting for an answer.
    pub fn fail(&self, reason: &str) -> Result<(), CallError> {
        self.control.fail(reason)
    }

    /// Replaces the configured URL, its credentials included, from the next attempt on. Headers that were secret before stay
    /// with the origin they were set for.
    ///
    /// # Errors
    /// [`ConfigError::Url`], or [`CallError::Closed`] where there will be no further attempt.
    pub fn set_url(&self, url: &str) -> Result<(), CallError> {
        self.control.check_open_ended()?;
        let url = Url::parse(url)?;
        if self.config.https_only && !url.is_https() {
            return Err(ConfigError::Url("https_only is set: an http URL is refused".into()).into());
        }
        self.control.set_url(url)
    }

    /// Sets, or with `None` removes, a header from the next attempt on.
    ///
    /// # Errors
    /// [`ConfigError::Header`] as in [`Config::set_header`], or [`CallError::Closed`] where there will be no further attempt.
    pub fn set_header(&self, name: &str, value: Option<&str>) -> Result<(), CallError> {
        self.override_header(name, value, false)
    }

    /// The same for a header that must not leave the origin of the URL configured now.
    ///
    /// # Errors
    /// As [`set_header`](Self::set_header).
    pub fn set_secret_header(&self, name: &str, value: Option<&str>) -> Result<(), CallError> {
        self.override_header(name, value, true)
    }

    fn override_header(&self, name: &str, value: Option<&str>, secret: bool) -> Result<(), CallError> {
        if is_last_event_id(name) {
            self.control.check_open_ended()?;
            let id = header::check_value("Last-Event-ID", value.unwrap_or_default())?;
            return self.control.set_last_event_id(TextBuf::from(id));
        }
        self.control.set_header(name, value, secret)
    }

    /// Why a second driver is refused. Once the source is closed, there is nothing left to drive.
    pub(crate) fn driven(&self) -> CallError {
        if self.control.is_closed() || self.control.is_over() { CallError::Closed } else { CallError::Busy }
    }

    /// Where the source stands. `Closed` as soon as `close` was called.
    pub fn state(&self) -> State {
        self.control.state()
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("url", self.config.url.text()).field("state", &self.state()).finish()
    }
}
