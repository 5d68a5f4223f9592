//! `eventsource_config`: a Rust config, and the first refusal of one of its setters.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::time::Duration;

use super::boundary::{Out, Refusal, bytes, exclusive, guard, guard_or, optional_text, shared, store, text};
use super::status::eventsource_reconnect_mode;
use super::status::eventsource_status::{self, EVENTSOURCE_STATUS_INVALID_ARGUMENT, EVENTSOURCE_STATUS_OK};
use crate::config::{Config, ReconnectMode};
use crate::text::{Text, TextBuf};

/// Where to connect and how. Yours alone until it is freed; one config may make many sources, and be changed or freed
/// afterwards.
///
/// Every setter copies and checks, and changes nothing if it refuses. A config remembers its first refused setter:
/// eventsource_new returns that status, so that checking there is enough.
pub struct eventsource_config {
    pub(super) config: Config,
    refused: Option<(eventsource_status, TextBuf)>,
}

impl eventsource_config {
    pub(super) fn status(&self) -> eventsource_status {
        self.refused.as_ref().map_or(EVENTSOURCE_STATUS_OK, |(status, _)| *status)
    }
}

/// Runs a setter's body, and remembers a refusal where there is a config to remember it in.
///
/// # Safety
/// `config` is NULL or a config that is the caller's alone.
unsafe fn set(
    config: *mut eventsource_config,
    body: impl FnOnce(&mut Config) -> Result<(), Refusal>,
) -> eventsource_status {
    guard(|| {
        // SAFETY: this function's own condition.
        let config = unsafe { exclusive(config, "the config") }?;
        body(&mut config.config).map(|()| EVENTSOURCE_STATUS_OK).inspect_err(|refusal| {
            config.refused.get_or_insert_with(|| (refusal.status, TextBuf::from(&*refusal.words)));
        })
    })
}

fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

/// Makes a config for a stream at an absolute http or https URL.
///
/// What no request may carry is percent-encoded. user:password@ becomes Basic credentials, for the URL's origin only, and
/// shows in no event and no log. The host is ASCII: an international name has to come as punycode (xn--...).
/// INVALID_URL also: a port above 65535, no host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_new(
    url: *const c_char,
    config_out: *mut *mut eventsource_config,
) -> eventsource_status {
    guard(|| {
        // SAFETY: the header asks for a place to write to.
        let out = unsafe { Out::new(config_out, "config_out") }?;
        // SAFETY: the header asks for a string.
        let config = Config::new(unsafe { text(url, "the URL") }?)?;
        out.set(Box::into_raw(Box::new(eventsource_config { config, refused: None })));
        Ok(EVENTSOURCE_STATUS_OK)
    })
}

/// In words, what was wrong with the first refused setter; "" if none was. On loan until the config is changed or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_error(config: *const eventsource_config, len: *mut usize) -> *const c_char {
    guard_or(ptr::null(), || {
        // SAFETY: the header asks for a config or NULL.
        let refused = unsafe { shared(config, "the config") }.ok().and_then(|config| config.refused.as_ref());
        let words = refused.map_or(Text::EMPTY, |(_, words)| words.as_text());
        // SAFETY: the header asks for NULL or a place to write to.
        unsafe { store(len, words.as_bytes().len()) };
        words.as_bytes_with_nul().as_ptr().cast()
    })
}

/// Sends a header with every request; a name set again, in any case of letters, is replaced.
///
/// Accept, Cache-Control, Pragma and User-Agent replace the library's own. Last-Event-ID is
/// eventsource_config_set_last_event_id. Authorization and Cookie are secret always.
/// INVALID_HEADER: a name that is no HTTP token or longer than 256 bytes; a value with a control character (CR, LF, NUL)
/// or longer than 64 KiB; an Authorization that is not ASCII; more than 128 headers; and Host, Content-Length,
/// Transfer-Encoding, Connection, Keep-Alive, Expect, Upgrade, TE, Trailer, Accept-Encoding, Proxy-*.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_header(
    config: *mut eventsource_config,
    name: *const c_char,
    value: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config and two strings.
    unsafe {
        set(config, |config| {
            config.set_header(text(name, "the header's name")?, text(value, "the header's value")?)?;
            Ok(())
        })
    }
}

/// The same for a header that only the origin (scheme, host, port) of the config's URL may see: a redirect to another
/// leaves it out. A name once secret stays secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_secret_header(
    config: *mut eventsource_config,
    name: *const c_char,
    value: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config and two strings.
    unsafe {
        set(config, |config| {
            config.set_secret_header(text(name, "the header's name")?, text(value, "the header's value")?)?;
            Ok(())
        })
    }
}

/// The request method: any HTTP token but HEAD, CONNECT and TRACE, sent as it is written. Default GET, or POST once there
/// is a body. Others than GET are repeated with care: see eventsource_reconnect_mode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_method(
    config: *mut eventsource_config,
    method: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config and a string.
    unsafe {
        set(config, |config| {
            config.set_method(text(method, "the method")?)?;
            Ok(())
        })
    }
}

/// The request body, sent with every attempt; the method becomes POST unless one is set. body may be NULL if len is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_body(
    config: *mut eventsource_config,
    body: *const u8,
    len: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config and `len` bytes.
    unsafe {
        set(config, |config| {
            // An empty C++ container has no address.
            config.set_body(if len == 0 { b"" } else { bytes(body, len, "the body")? })?;
            Ok(())
        })
    }
}

/// The last event ID to begin with, sent as Last-Event-ID until the stream brings another. Default "": not sent.
/// INVALID_HEADER: it holds a control character (CR, LF), or is longer than 64 KiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_last_event_id(
    config: *mut eventsource_config,
    id: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config and a string.
    unsafe {
        set(config, |config| {
            config.set_last_event_id(text(id, "the last event ID")?)?;
            Ok(())
        })
    }
}

/// The time for DNS, TCP, proxy and TLS together. Default 10 000 ms; 0: none. More than a year counts as a year.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_connect_timeout(
    config: *mut eventsource_config,
    timeout_ms: u64,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_connect_timeout(ms(timeout_ms))?;
            Ok(())
        })
    }
}

/// The time from the request sent to the response's head, anew for each redirect. Default 60 000 ms for GET, none for
/// other methods, since a model may think for minutes; 0: none. More than a year counts as a year.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_response_timeout(
    config: *mut eventsource_config,
    timeout_ms: u64,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_response_timeout(ms(timeout_ms))?;
            Ok(())
        })
    }
}

/// How long an open stream may stay without a byte, comments included, before it counts as broken. Default 0: for ever.
/// More than a year counts as a year.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_idle_timeout(
    config: *mut eventsource_config,
    timeout_ms: u64,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_idle_timeout(ms(timeout_ms))?;
            Ok(())
        })
    }
}

/// After how long without traffic TCP begins to probe whether the server is still there. Default 120 000 ms; 0: never. In
/// whole seconds, rounded up; more than 32 767 s counts as 32 767 s.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_keepalive(
    config: *mut eventsource_config,
    idle_ms: u64,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_keepalive(ms(idle_ms))?;
            Ok(())
        })
    }
}

/// The wait before the first retry, and what the waits double up to. Default 1 000 ms and 30 000 ms. The server's retry:
/// replaces first_ms. A max_ms below first_ms counts as first_ms; more than 24 h counts as 24 h. Waits are lengthened by
/// up to 20 % at random.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_retry(
    config: *mut eventsource_config,
    first_ms: u64,
    max_ms: u64,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_retry(Duration::from_millis(first_ms), Duration::from_millis(max_ms))?;
            Ok(())
        })
    }
}

/// How many failures in a row are retried before one is final; 0: never reconnect. Default UINT32_MAX: no limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_max_retries(
    config: *mut eventsource_config,
    count: u32,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_max_retries(count)?;
            Ok(())
        })
    }
}

/// Whether to connect again: an eventsource_reconnect_mode. Default EVENTSOURCE_RECONNECT_AUTO.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_reconnect(
    config: *mut eventsource_config,
    mode: c_int,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            const MODES: [(eventsource_reconnect_mode, ReconnectMode); 3] = [
                (eventsource_reconnect_mode::EVENTSOURCE_RECONNECT_AUTO, ReconnectMode::Auto),
                (eventsource_reconnect_mode::EVENTSOURCE_RECONNECT_ALWAYS, ReconnectMode::Always),
                (eventsource_reconnect_mode::EVENTSOURCE_RECONNECT_NEVER, ReconnectMode::Never),
            ];
            let known = MODES.into_iter().find(|(number, _)| *number as c_int == mode);
            let (_, mode) = known.ok_or_else(|| {
                Refusal::new(EVENTSOURCE_STATUS_INVALID_ARGUMENT, "the mode is no eventsource_reconnect_mode")
            })?;
            config.set_reconnect(mode)?;
            Ok(())
        })
    }
}

/// The WHATWG standard to the letter: any status but 200 is final. Default off: 204 ends the stream without an ERROR, and
/// 408, 425, 429 and 5xx but 501 and 505 are retried.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_standard_status(
    config: *mut eventsource_config,
    on: bool,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_standard_status(on)?;
            Ok(())
        })
    }
}

/// The largest event or comment, in bytes of data, type and id together. A larger one is one ERROR EVENT_TOO_LARGE, and the
/// stream goes on behind it. Default 32 MiB; 0 is INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_max_event_size(
    config: *mut eventsource_config,
    bytes: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_max_event_size(bytes)?;
            Ok(())
        })
    }
}

/// Asks the server for gzip. Default off: many servers hold compressed events back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_compression(
    config: *mut eventsource_config,
    on: bool,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_compression(on)?;
            Ok(())
        })
    }
}

/// Refuses http: for this config's URL (INVALID_URL), in eventsource_set_url, in redirects. Default off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_https_only(
    config: *mut eventsource_config,
    on: bool,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_https_only(on)?;
            Ok(())
        })
    }
}

/// Connects through a proxy: http://[user:password@]host[:port] (CONNECT), or the same with socks5://, where the proxy
/// looks names up. Port 1080 unless given, as with curl. NULL, the default: directly.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_proxy(
    config: *mut eventsource_config,
    url: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config, and a string or NULL.
    unsafe {
        set(config, |config| {
            config.set_proxy(optional_text(url, "the proxy's URL")?)?;
            Ok(())
        })
    }
}

/// Takes the proxy that the environment names now, by curl's rules: https_proxy, HTTPS_PROXY, http_proxy, all_proxy,
/// ALL_PROXY, no_proxy, NO_PROXY. INVALID_URL: one of them is no URL of an http or socks5 proxy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_proxy_from_env(config: *mut eventsource_config) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_proxy_from_env()?;
            Ok(())
        })
    }
}

/// Trusts the certificates of a PEM bundle beside the platform's. May be called again for more.
/// INVALID_CERTIFICATE: there is none, or one cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_add_ca_pem(
    config: *mut eventsource_config,
    pem: *const u8,
    len: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config and `len` bytes.
    unsafe {
        set(config, |config| {
            config.add_ca_pem(bytes(pem, len, "the PEM text")?)?;
            Ok(())
        })
    }
}

/// Trusts the certificates of a PEM bundle (and those of eventsource_config_add_ca_pem) instead of the platform's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_only_ca_pem(
    config: *mut eventsource_config,
    pem: *const u8,
    len: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config and `len` bytes.
    unsafe {
        set(config, |config| {
            config.set_only_ca_pem(bytes(pem, len, "the PEM text")?)?;
            Ok(())
        })
    }
}

/// Shows a certificate to a server that asks for one: a chain in PEM, the client's own certificate first, and its private
/// key (PKCS#8, PKCS#1 or SEC1, not encrypted). INVALID_CERTIFICATE: no certificate, not exactly one key, or they do not
/// belong together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_identity_pem(
    config: *mut eventsource_config,
    pem: *const u8,
    len: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config and `len` bytes.
    unsafe {
        set(config, |config| {
            config.set_identity_pem(bytes(pem, len, "the PEM text")?)?;
            Ok(())
        })
    }
}

/// Accepts only chains with a certificate of this public key: the SHA-256 of its SPKI in base64, with or without sha256/
/// in front. Pins come on top of the ordinary verification. With several pins, one has to match. On
/// Apple and Windows, a root of the system's counts only if the server sends it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_add_pin(
    config: *mut eventsource_config,
    sha256_base64: *const c_char,
) -> eventsource_status {
    // SAFETY: the header asks for a config and a string.
    unsafe {
        set(config, |config| {
            config.add_pin(text(sha256_base64, "the pin")?)?;
            Ok(())
        })
    }
}

/// The stack of the library's thread, on which callbacks run: 128 KiB to 256 MiB, default 512 KiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_set_stack_size(
    config: *mut eventsource_config,
    bytes: usize,
) -> eventsource_status {
    // SAFETY: the header asks for a config.
    unsafe {
        set(config, |config| {
            config.set_stack_size(bytes)?;
            Ok(())
        })
    }
}

/// Frees a config; sources made of it live on. NULL: nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eventsource_config_free(config: *mut eventsource_config) {
    if !config.is_null() {
        // SAFETY: `eventsource_config_new` made it with `Box::into_raw`, and C frees it once.
        guard_or((), || drop(unsafe { Box::from_raw(config) }));
    }
}
