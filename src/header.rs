//! The caller's request headers: which may be set, and to whom the secret ones may be told.

use crate::error::ConfigError;
use crate::url::Origin;

/// Names the library or HTTP itself gives their values. `Proxy-*` is refused beside them.
const RESERVED: [&str; 10] = [
    "Host",
    "Content-Length", // one larger than the body would make ureq spin for ever
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Expect",
    "Upgrade",
    "TE",
    "Trailer",
    "Accept-Encoding",
];

/// Secret whether or not the caller says so: Fetch drops these when a redirect leaves the origin.
const ALWAYS_SECRET: [&str; 2] = ["Authorization", "Cookie"];

/// Beyond these no server listens, and the http crate has limits of its own.
const MAX_HEADERS: usize = 128;
const MAX_NAME: usize = 256;
const MAX_VALUE: usize = 64 * 1024;

/// One header that the caller has set.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    /// Goes out as the UTF-8 bytes it is.
    pub(crate) value: String,
    /// Of a secret header: the only origin that may see it.
    pub(crate) origin: Option<Origin>,
}

impl Header {
    pub(crate) fn is_secret(&self) -> bool {
        self.origin.is_some()
    }

    /// Whether this header may go to `origin`.
    pub(crate) fn may_go_to(&self, origin: &Origin) -> bool {
        self.origin.as_ref().is_none_or(|own| own == origin)
    }
}

impl std::fmt::Debug for Header {
    /// No value at all: a caller may forget to call a secret one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: …{}", self.name, if self.is_secret() { " (secret)" } else { "" })
    }
}

/// The headers that the caller has set, each name once.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    list: Vec<Header>,
    /// Names that were ever secret, in lower case: they stay so, removed and set again too.
    secret_names: Vec<String>,
}

impl Headers {
    /// Sets or replaces a header. If it is secret, or ever was, it is bound to `origin`.
    pub(crate) fn set(&mut self, name: &str, value: &str, secret: bool, origin: &Origin) -> Result<(), ConfigError> {
        check_name(name)?;
        let value = check_value(name, value)?;
        if name.eq_ignore_ascii_case("Authorization") && !value.is_ascii() {
            // No scheme has others, and ureq would refuse each attempt.
            return Err(ConfigError::Header("the value of Authorization has to be ASCII".to_owned()));
        }
        let lower = name.to_ascii_lowercase();
        let at = self.position(name);
        if at.is_none() && self.list.len() >= MAX_HEADERS {
            return Err(ConfigError::Header(format!("more than {MAX_HEADERS} headers cannot be set")));
        }
        if secret && !self.secret_names.contains(&lower) {
            self.secret_names.push(lower.clone());
        }
        let secret = self.secret_names.contains(&lower) || is_one_of(name, &ALWAYS_SECRET);
        let header = Header { name: name.to_owned(), value: value.to_owned(), origin: secret.then(|| origin.clone()) };
        match at {
            Some(at) => self.list[at] = header,
            None => self.list.push(header),
        }
        Ok(())
    }

    /// Takes a header away, so that the library's own value, if it has one, is sent again. None of that name: nothing.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), ConfigError> {
        check_name(name)?;
        if let Some(at) = self.position(name) {
            self.list.remove(at);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&Header> {
        self.position(name).map(|at| &self.list[at])
    }

    /// In the order in which they were first set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Header> {
        self.list.iter()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|header| header.name.eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

/// Whether `text` is a token of RFC 9110: a header name or a method.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The value without the blanks around it, which HTTP does not count to it, if HTTP can carry it.
pub(crate) fn check_value<'a>(name: &str, value: &'a str) -> Result<&'a str, ConfigError> {
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(ConfigError::Header(format!(
            "the value of {name} holds a line end, NUL or other control character"
        )));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.len() > MAX_VALUE {
        return Err(ConfigError::Header(format!("the value of {name} is longer than {MAX_VALUE} bytes")));
    }
    Ok(value)
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let why = if !is_token(name) {
        // Not quoted: it may be a whole `Name: secret` line.
        "a header name may hold letters, digits and !#$%&'*+-.^_`|~ only, and is not empty".to_owned()
    } else if name.len() > MAX_NAME {
        format!("a header name may not be longer than {MAX_NAME} bytes")
    } else if is_one_of(name, &RESERVED) || name.get(..6).is_some_and(|head| head.eq_ignore_ascii_case("proxy-")) {
        format!("{name} cannot be set: its value follows from the connection")
    } else {
        return Ok(());
    };
    Err(ConfigError::Header(why))
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::url::Url;

    fn origin(url: &str) -> Origin {
        Url::parse(url).unwrap().origin()
    }

    fn set(headers: &mut Headers, name: &str, value: &str, secret: bool) -> Result<(), ConfigError> {
        headers.set(name, value, secret, &origin("https://a/"))
    }

    fn list(headers: &Headers) -> Vec<(&str, &str, bool)> {
        headers.iter().map(|h| (&*h.name, &*h.value, h.is_secret())).collect()
    }

    #[test]
    fn a_name_is_there_once_in_any_case() {
        let mut headers = Headers::default();
        set(&mut headers, "X-One", "1", false).unwrap();
        set(&mut headers, "x-two", "\u{fc}", false).unwrap();
        set(&mut headers, "x-ONE", " 3\t", false).unwrap();
        assert_eq!(list(&headers), [("x-ONE", "3", false), ("x-two", "\u{fc}", false)]);
        assert_eq!(headers.get("X-TWO").unwrap().value, "\u{fc}");
        headers.remove("X-one").unwrap();
        headers.remove("X-none").unwrap();
        assert_eq!(list(&headers), [("x-two", "\u{fc}", false)]);
        set(&mut headers, "x-two", "", false).unwrap();
        assert_eq!(list(&headers), [("x-two", "", false)]);
    }

    #[test]
    fn once_secret_stays_secret() {
        let mut headers = Headers::default();
        set(&mut headers, "X-Key", "1", true).unwrap();
        set(&mut headers, "x-key", "2", false).unwrap();
        set(&mut headers, "AUTHORIZATION", "3", false).unwrap();
        set(&mut headers, "cookie", "4", false).unwrap();
        set(&mut headers, "Accept", "5", false).unwrap();
        let want = [("x-key", "2", true), ("AUTHORIZATION", "3", true), ("cookie", "4", true), ("Accept", "5", false)];
        assert_eq!(list(&headers), want);
        headers.remove("X-KEY").unwrap();
        set(&mut headers, "X-key", "6", false).unwrap();
        assert_eq!(list(&headers)[3], ("X-key", "6", true));
        // Said for a name that was public before.
        set(&mut headers, "ACCEPT", "7", true).unwrap();
        assert_eq!(list(&headers)[2], ("ACCEPT", "7", true));
    }

    // row 21
    #[test]
    fn secrets_are_bound_to_the_origin_they_were_set_for() {
        let mut headers = Headers::default();
        headers.set("X-Key", "1", true, &origin("https://a/")).unwrap();
        headers.set("X-Public", "1", false, &origin("https://a/")).unwrap();
        let may = |headers: &Headers, name, to| headers.get(name).unwrap().may_go_to(&origin(to));
        assert!(may(&headers, "X-Key", "https://a:443/x"));
        for elsewhere in ["http://a/", "https://a:444/", "https://b/"] {
            assert!(!may(&headers, "X-Key", elsewhere));
            assert!(may(&headers, "X-Public", elsewhere));
        }
        headers.set("X-Key", "2", false, &origin("https://b/")).unwrap();
        assert!(may(&headers, "X-Key", "https://b/") && !may(&headers, "X-Key", "https://a/"));
    }

    #[test]
    fn refuses_what_http_cannot_carry() {
        let mut headers = Headers::default();
        for name in ["", " ", "a b", "a:", "a\r\nb", "a\0", "\u{fc}", "a\u{7f}", "a(b)", "a\"", "X: y"] {
            let why = set(&mut headers, name, "v", false).unwrap_err().to_string();
            assert!(why.starts_with("a header name may hold"), "{name:?}: {why}");
            assert!(headers.remove(name).is_err());
        }
        for value in ["a\r\nb: c", "a\rb", "a\nb", "a\0b", "\u{1}", "\u{7f}", "\n"] {
            let why = set(&mut headers, "x", value, false).unwrap_err().to_string();
            assert_eq!(why, "the value of x holds a line end, NUL or other control character");
        }
        let why = set(&mut headers, "authorization", "Bearer \u{fc}", false).unwrap_err().to_string();
        assert_eq!(why, "the value of Authorization has to be ASCII");
        set(&mut headers, "!#$%&'*+-.^_`|~09azAZ", "a\tb", false).unwrap();
        set(&mut headers, &"n".repeat(256), &"v".repeat(65_536), false).unwrap();
        assert!(set(&mut headers, &"n".repeat(257), "", false).is_err());
        assert!(set(&mut headers, "x", &"v".repeat(65_537), false).is_err());
        for at in 2..128 {
            set(&mut headers, &format!("x-{at}"), "", false).unwrap();
        }
        assert!(set(&mut headers, "x", "", false).is_err());
        set(&mut headers, "x-2", "replaced", false).unwrap();
    }

    #[test]
    fn refuses_what_is_not_the_callers_to_say() {
        let mut headers = Headers::default();
        for name in RESERVED.into_iter().chain(["Proxy-Authorization", "proxy-connection", "PROXY-", "te", "HOST"]) {
            let why = ConfigError::Header(format!("{name} cannot be set: its value follows from the connection"));
            assert_eq!(set(&mut headers, name, "1", false), Err(why.clone()));
            assert_eq!(set(&mut headers, name, "1", true), Err(why.clone()));
            assert_eq!(headers.remove(name), Err(why));
        }
        for name in ["Proxy", "Accept", "Cache-Control", "Pragma", "User-Agent", "Tea", "Content-Type", "Origin"] {
            set(&mut headers, name, "1", false).unwrap();
        }
        assert!(headers.secret_names.is_empty(), "a refused header leaves no trace");
    }

    #[test]
    fn what_is_accepted_ureq_takes_too() {
        use ureq::http::{HeaderName, HeaderValue};
        let mut accepted = 0;
        for byte in 0..=0x7f_u8 {
            let text = format!("x{}y", char::from(byte));
            let mut headers = Headers::default();
            assert_eq!(set(&mut headers, &text, "", false).is_ok(), HeaderName::try_from(&*text).is_ok(), "{text:?}");
            assert_eq!(set(&mut headers, "x", &text, false).is_ok(), HeaderValue::try_from(&*text).is_ok(), "{text:?}");
            accepted += headers.iter().count();
        }
        assert!(accepted > 128);
    }

    #[test]
    fn debug_shows_no_value() {
        let mut headers = Headers::default();
        set(&mut headers, "X-Key", "tulip", true).unwrap();
        set(&mut headers, "X-Other", "tulip", false).unwrap();
        assert_eq!(format!("{headers:?}"), "[X-Key: … (secret), X-Other: …]");
    }
}
