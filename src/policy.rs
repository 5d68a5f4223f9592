//! What follows from a response or a failure: try again, give up, or be content. Pure decisions, no state.

use crate::config::{Config, ReconnectMode};
use crate::error::ErrorKind;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// An ERROR, and another attempt after a wait.
    Retry,
    /// An ERROR that is the last, then CLOSE.
    Final,
    /// CLOSE without an ERROR: the server has nothing more to say.
    Finished,
}

/// What follows from an attempt that opened no stream.
pub(crate) fn refused(config: &Config, kind: ErrorKind, status: u16, wrote: bool) -> Verdict {
    if kind == ErrorKind::HttpStatus && status == 204 && !config.standard_status {
        return Verdict::Finished;
    }
    let retry = match kind {
        ErrorKind::HttpStatus => status_is_retried(config, status),
        ErrorKind::ContentType | ErrorKind::Encoding | ErrorKind::Redirect | ErrorKind::Internal => false,
        // The proxy asks for credentials that waiting does not bring.
        ErrorKind::Proxy => status != 407 && may_send_again(config, wrote),
        _ => may_send_again(config, wrote),
    };
    if retry && config.reconnect != ReconnectMode::Never { Verdict::Retry } else { Verdict::Final }
}

/// What follows from the end of an open stream; `complete` is the word of the response's framing.
pub(crate) fn ended(config: &Config, complete: bool) -> Verdict {
    match (is_one_shot(config), complete) {
        (false, _) => Verdict::Retry,
        (true, true) => Verdict::Finished,
        (true, false) => Verdict::Final,
    }
}

/// Whether one response is all that is wanted: a repeated POST may cost money.
fn is_one_shot(config: &Config) -> bool {
    match config.reconnect {
        ReconnectMode::Auto => config.effective_method() != "GET",
        ReconnectMode::Always => false,
        ReconnectMode::Never => true,
    }
}

fn status_is_retried(config: &Config, status: u16) -> bool {
    if config.standard_status {
        return false;
    }
    if is_one_shot(config) {
        // By these a server says that it has done nothing.
        return matches!(status, 425 | 429 | 503);
    }
    match status {
        408 | 425 | 429 => true,
        501 | 505 => false,
        500..=599 => true,
        _ => false,
    }
}

fn may_send_again(config: &Config, wrote: bool) -> bool {
    !is_one_shot(config) || !wrote
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(method: &str, mode: ReconnectMode, standard: bool) -> Config {
        let mut config = Config::new("http://127.0.0.1/").unwrap();
        config.set_method(method).unwrap();
        config.set_reconnect(mode).unwrap();
        config.set_standard_status(standard).unwrap();
        config
    }

    #[test]
    fn statuses_of_a_get() {
        let get = config("GET", ReconnectMode::Auto, false);
        let verdict = |status| refused(&get, ErrorKind::HttpStatus, status, true);
        assert_eq!(verdict(204), Verdict::Finished);
        for status in [408, 425, 429, 500, 502, 503, 504, 511, 520, 522, 599] {
            assert_eq!(verdict(status), Verdict::Retry, "{status}");
        }
        for status in [101, 201, 206, 300, 304, 400, 401, 403, 404, 410, 451, 501, 505, 600] {
            assert_eq!(verdict(status), Verdict::Final, "{status}");
        }
    }

    #[test]
    fn standard_status_makes_every_status_final() {
        let standard = config("GET", ReconnectMode::Auto, true);
        for status in [201, 204, 304, 404, 429, 500, 503] {
            assert_eq!(refused(&standard, ErrorKind::HttpStatus, status, true), Verdict::Final, "{status}");
        }
        assert_eq!(refused(&standard, ErrorKind::Connect, 0, false), Verdict::Retry);
    }

    #[test]
    fn a_post_is_repeated_only_where_nothing_can_have_happened() {
        let post = config("POST", ReconnectMode::Auto, false);
        assert_eq!(refused(&post, ErrorKind::Io, 0, false), Verdict::Retry);
        assert_eq!(refused(&post, ErrorKind::Io, 0, true), Verdict::Final);
        for status in [425, 429, 503] {
            assert_eq!(refused(&post, ErrorKind::HttpStatus, status, true), Verdict::Retry, "{status}");
        }
        for status in [408, 500, 502, 504, 520] {
            assert_eq!(refused(&post, ErrorKind::HttpStatus, status, true), Verdict::Final, "{status}");
        }
        assert_eq!(ended(&post, true), Verdict::Finished);
        assert_eq!(ended(&post, false), Verdict::Final);
        let always = config("POST", ReconnectMode::Always, false);
        assert_eq!(refused(&always, ErrorKind::Io, 0, true), Verdict::Retry);
        assert_eq!(ended(&always, true), Verdict::Retry);
    }

    #[test]
    fn never_makes_any_method_one_shot() {
        let never = config("GET", ReconnectMode::Never, false);
        assert_eq!(refused(&never, ErrorKind::Connect, 0, false), Verdict::Final);
        assert_eq!(refused(&never, ErrorKind::HttpStatus, 503, true), Verdict::Final);
        assert_eq!(ended(&never, true), Verdict::Finished);
        assert_eq!(ended(&never, false), Verdict::Final);
    }

    #[test]
    fn what_waiting_does_not_cure_is_final() {
        let get = config("GET", ReconnectMode::Auto, false);
        for kind in [ErrorKind::ContentType, ErrorKind::Encoding, ErrorKind::Redirect, ErrorKind::Internal] {
            assert_eq!(refused(&get, kind, 200, true), Verdict::Final, "{kind:?}");
        }
        for kind in [
            ErrorKind::Dns,
            ErrorKind::Connect,
            ErrorKind::Tls,
            ErrorKind::Io,
            ErrorKind::TimedOut,
            ErrorKind::Application,
        ] {
            assert_eq!(refused(&get, kind, 0, false), Verdict::Retry, "{kind:?}");
        }
        assert_eq!(refused(&get, ErrorKind::Proxy, 407, false), Verdict::Final);
        assert_eq!(refused(&get, ErrorKind::Proxy, 502, false), Verdict::Retry);
    }
}
