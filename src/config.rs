//! Everything a caller can choose, checked where it is set.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use crate::backoff;
use crate::clock::{Clock, SystemClock};
use crate::error::ConfigError;
use crate::header::{self, Headers};
use crate::text::TextBuf;
use crate::url::Url;
pub(crate) use peer::{Proxy, TlsOptions};

/// No timeout is longer: what is meant by more is "none", and sums with it must not overflow a clock.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Linux counts keep-alive in seconds and refuses more than this.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(32_767);

const STACK_SIZES: std::ops::RangeInclusive<usize> = 128 * 1024..=256 * 1024 * 1024;

/// When a source connects again after its stream has ended or failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ReconnectMode {
    /// GET always. Any other method only while the server has certainly done nothing: no byte of the request was
    /// written, or it answered 425, 429 or 503.
    #[default]
    Auto = 0,
    /// Any method as GET, with its headers and body: for requests that may be repeated.
    Always = 1,
    /// Never: one request, whatever becomes of it.
    Never = 2,
}

/// Where to connect and how. One config may make many sources, and be changed afterwards.
///
/// Every setter checks what it is given and changes nothing if it refuses it. The first refusal is also remembered:
/// `EventSource::new` then fails with it, so that a program may check once, there.
#[derive(Clone)]
pub struct Config {
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) method: Option<String>,
    pub(crate) body: Option<Arc<[u8]>>,
    pub(crate) last_event_id: TextBuf,
    pub(crate) connect_timeout: Option<Duration>,
    /// The outer None: not set, so that the default depends on the method.
    pub(crate) response_timeout: Option<Option<Duration>>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) retry_first: Duration,
    pub(crate) retry_max: Duration,
    /// `u32::MAX`: no limit.
    pub(crate) max_retries: u32,
    pub(crate) reconnect: ReconnectMode,
    pub(crate) standard_status: bool,
    pub(crate) max_event_size: usize,
    pub(crate) compression: bool,
    pub(crate) https_only: bool,
    pub(crate) proxy: Proxy,
    pub(crate) tls: TlsOptions,
    pub(crate) stack_size: usize,
    pub(crate) clock: Arc<dyn Clock>,
    refused: Option<ConfigError>,
}

impl Config {
    /// Options for a stream at `url`, all others at their defaults.
    ///
    /// The URL is absolute, http or https. What no request may carry is percent-encoded. `user:password@` becomes
    /// Basic credentials for this origin only and shows in no event and no log. The host is ASCII: an
    /// international name has to come as punycode.
    ///
    /// # Errors
    /// `ConfigError::Url`.
    pub fn new(url: &str) -> Result<Config, ConfigError> {
        Ok(Config {
            url: Url::parse(url)?,
            headers: Headers::default(),
            method: None,
            body: None,
            last_event_id: TextBuf::empty(),
            connect_timeout: Some(Duration::from_secs(10)),
            response_timeout: None,
            idle_timeout: None,
            keepalive: Some(Duration::from_secs(120)),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
            max_retries: u32::MAX,
            reconnect: ReconnectMode::Auto,
            standard_status: false,
            max_event_size: 32 * 1024 * 1024,
            compression: false,
            https_only: false,
            proxy: Proxy::None,
            tls: TlsOptions::default(),
            stack_size: 512 * 1024,
            clock: Arc::new(SystemClock::new()),
            refused: None,
        })
    }

    /// The first refusal of a setter, if there was one.
    pub fn error(&self) -> Option<&ConfigError> {
        self.refused.as_ref()
    }

    /// Sends a header with every request; a name set again, in any case of letters, is replaced.
    ///
    /// `Authorization` and `Cookie` go to the configured URL's origin only, as secret headers do. `Accept`,
    /// `Cache-Control`, `Pragma` and `User-Agent` replace the library's own. `Last-Event-ID` is `set_last_event_id`.
    /// Blanks around the value are dropped; the rest goes out as its UTF-8 bytes.
    ///
    /// # Errors
    /// `ConfigError::Header`: a name that is no token, a value with a control character other than tab, a
    /// name over 256 bytes, a value over 64 KiB, more than 128 headers; an Authorization that is not ASCII; Host, Content-Length,
    /// Transfer-Encoding, Connection, Keep-Alive, Expect, Upgrade, TE, Trailer, Accept-Encoding and Proxy-*.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<&mut Self, ConfigError> {
        self.put_header(name, value, false)
    }

    /// As `set_header`, for a value that only the configured URL's origin may see: a redirect elsewhere leaves it out.
    /// A name once secret stays secret.
    ///
    /// # Errors
    /// As `set_header`.
    pub fn set_secret_header(&mut self, name: &str, value: &str) -> Result<&mut Self, ConfigError> {
        self.put_header(name, value, true)
    }

    fn put_header(&mut self, name: &str, value: &str, secret: bool) -> Result<&mut Self, ConfigError> {
        if is_last_event_id(name) {
            return self.checked(|config| {
                config.last_event_id = TextBuf::from(header::check_value("Last-Event-ID", value)?);
                Ok(())
            });
        }
        let origin = self.url.origin();
        self.checked(|config| config.headers.set(name, value, secret, &origin))
    }

    /// The request method: any token but HEAD, CONNECT and TRACE, sent as it is written. Default: GET, or POST
    /// once there is a body. Other methods than GET are repeated with care: see `ReconnectMode`.
    ///
    /// # Errors
    /// `ConfigError::Argument`.
    pub fn set_method(&mut self, method: &str) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            let unusable = ["HEAD", "CONNECT", "TRACE"].iter().any(|name| name.eq_ignore_ascii_case(method));
            if !header::is_token(method) || method.len() > 64 || unusable {
                let why =
                    "the method has to be one word (an HTTP token of at most 64 bytes), and not HEAD, CONNECT or TRACE";
                return Err(ConfigError::Argument(why.to_owned()));
            }
            config.method = Some(method.to_owned());
            Ok(())
        })
    }

    /// The request body, sent with every attempt; it may be empty. Without a method set, the method becomes POST.
    ///
    /// # Errors
    /// None yet.
    pub fn set_body(&mut self, body: &[u8]) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.body = Some(Arc::from(body));
            Ok(())
        })
    }

    /// The last event ID to begin with, sent as `Last-Event-ID` until the stream brings another. Default: "", not sent.
    ///
    /// # Errors
    /// `ConfigError::Header`: it holds a control character other than tab (CR, LF and NUL among them), or is longer
    /// than 64 KiB.
    pub fn set_last_event_id(&mut self, id: &str) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            header::check_value("Last-Event-ID", id)?;
            config.last_event_id = TextBuf::from(id);
            Ok(())
        })
    }

    /// The time for DNS, TCP, proxy and TLS together. Default 10 s; `None` or zero: none. More than a year counts as a
    /// year.
    ///
    /// # Errors
    /// None yet.
    pub fn set_connect_timeout(&mut self, timeout: Option<Duration>) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.connect_timeout = limited(timeout);
            Ok(())
        })
    }

    /// The time from the request sent to the response's head, anew for each hop of a redirect. Default 60 s for GET, none
    /// for other methods (a model may think for minutes); `None` or zero: none. More than a year counts as a year.
    ///
    /// # Errors
    /// None yet.
    pub fn set_response_timeout(&mut self, timeout: Option<Duration>) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.response_timeout = Some(limited(timeout));
            Ok(())
        })
    }

    /// How long an open stream may stay without a byte, comments included, before it counts as broken. Default:
    /// none, as `None` or zero. More than a year counts as a year.
    ///
    /// # Errors
    /// None yet.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.idle_timeout = limited(timeout);
            Ok(())
        })
    }

    /// After how long without traffic TCP begins to probe whether the peer is still there. Default 120 s; `None`
    /// or zero: never. In whole seconds, rounded up; more than 32 767 s counts as 32 767 s.
    ///
    /// # Errors
    /// None yet.
    pub fn set_keepalive(&mut self, idle: Option<Duration>) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            let whole = |idle: Duration| Duration::from_secs(idle.as_secs() + u64::from(idle.subsec_nanos() > 0));
            config.keepalive = idle.filter(|idle| !idle.is_zero()).map(|idle| whole(idle.min(LONGEST_KEEPALIVE)));
            Ok(())
        })
    }

    /// The wait before the first retry, and what the waits double up to. Default 1 s and 30 s. The server's
    /// `retry:` replaces `first`. A `max` below `first` counts as `first`; more than 24 h counts as 24 h.
    ///
    /// # Errors
    /// None yet.
    pub fn set_retry(&mut self, first: Duration, max: Duration) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.retry_first = first.min(backoff::LONGEST);
            config.retry_max = max.min(backoff::LONGEST).max(config.retry_first);
            Ok(())
        })
    }

    /// How many failures in a row are retried before one is final; 0: never reconnect. Default `u32::MAX`: no limit.
    ///
    /// # Errors
    /// None yet.
    pub fn set_max_retries(&mut self, count: u32) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.max_retries = count;
            Ok(())
        })
    }

    /// Whether to connect again. Default `ReconnectMode::Auto`.
    ///
    /// # Errors
    /// None yet.
    pub fn set_reconnect(&mut self, mode: ReconnectMode) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.reconnect = mode;
            Ok(())
        })
    }

    /// The WHATWG standard to the letter: any status but 200 is final. Default off: 204 ends the stream without an error,
    /// and 408, 425, 429 and most of 5xx are retried.
    ///
    /// # Errors
    /// None yet.
    pub fn set_standard_status(&mut self, on: bool) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.standard_status = on;
            Ok(())
        })
    }

    /// The largest event or comment, in bytes of data, type and id together once decoded. A larger one is one ERROR,
    /// and the stream goes on behind it. Default 32 MiB; any number but 0.
    ///
    /// # Errors
    /// `ConfigError::Argument`: 0.
    pub fn set_max_event_size(&mut self, bytes: usize) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            if bytes == 0 {
                return Err(ConfigError::Argument("the largest event size has to be at least 1 byte".to_owned()));
            }
            config.max_event_size = bytes;
            Ok(())
        })
    }

    /// Asks the server for gzip. Default off: event streams are small, and many servers hold compressed events back.
    ///
    /// # Errors
    /// None yet.
    pub fn set_compression(&mut self, on: bool) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            config.compression = on;
            Ok(())
        })
    }

    /// The stack of the library's thread, on which callbacks run, in bytes: 128 KiB to 256 MiB, default 512 KiB.
    ///
    /// # Errors
    /// `ConfigError::Argument`.
    pub fn set_stack_size(&mut self, bytes: usize) -> Result<&mut Self, ConfigError> {
        self.checked(|config| {
            if !STACK_SIZES.contains(&bytes) {
                return Err(ConfigError::Argument("the stack size has to be from 128 KiB to 256 MiB".to_owned()));
            }
            config.stack_size = bytes;
            Ok(())
        })
    }

    /// Replaces time and randomness, for tests.
    #[doc(hidden)]
    pub fn set_clock(&mut self, clock: Arc<dyn Clock>) -> &mut Self {
        self.clock = clock;
        self
    }

    /// The method of a request to the configured URL.
    pub(crate) fn effective_method(&self) -> &str {
        self.method.as_deref().unwrap_or(if self.body.is_some() { "POST" } else { "GET" })
    }

    fn checked(&mut self, set: impl FnOnce(&mut Config) -> Result<(), ConfigError>) -> Result<&mut Self, ConfigError> {
        match set(self) {
            Ok(()) => Ok(self),
            Err(error) => {
                self.refused.get_or_insert_with(|| error.clone());
                Err(error)
            }
        }
    }
}

/// For what `set_header` and `set_last_event_id` share.
pub(crate) fn is_last_event_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("last-event-id")
}

fn limited(timeout: Option<Duration>) -> Option<Duration> {
    timeout.filter(|timeout| !timeout.is_zero()).map(|timeout| timeout.min(LONGEST_TIMEOUT))
}

impl std::fmt::Debug for Config {
    /// Shows no header value, no body, no credentials, no key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("method", &self.effective_method())
            .field("headers", &self.headers)
            .field("body", &self.body.as_ref().map(|body| format!("{} bytes", body.len())))
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .field("error", &self.refused)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
