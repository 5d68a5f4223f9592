//! http and https URLs: checked, percent-encoded and resolved so that nothing behind this file has to look again.
//!
//! RFC 3986 with what every browser adds to it: surrounding blanks and inner tabs and line ends vanish, and `%2e` is
//! a dot in a dot segment. Left as given: `%` without two hex digits, `[` and `]` in paths and queries, and
//! hosts such as `127.1`, which the resolver may know better.

use std::net::Ipv6Addr;

use crate::base64;
use crate::error::ConfigError;
use crate::text::TextBuf;

/// The http crate, which ureq parses with, takes no URI above this length.
const MAX_LEN: usize = 65_534;

/// An absolute http or https URL.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Scheme, host, port, path and query as they go to ureq; no userinfo, no fragment.
    text: TextBuf,
    origin: Origin,
    /// Where the path begins in `text`.
    path: usize,
    /// The `Authorization` value made of the userinfo.
    basic: Option<String>,
}

/// Scheme, host and port: whom a secret may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    /// As the resolver wants it: lower case, no brackets, a zone as `%eth0`.
    host: String,
    port: u16,
}

impl Url {
    /// Parses what a caller configured.
    pub(crate) fn parse(text: &str) -> Result<Url, ConfigError> {
        Url::absolute(&strip(text.as_bytes()), true).map_err(|why| ConfigError::Url(why.to_owned()))
    }

    /// Resolves a `Location` header, whose bytes may be anything; its userinfo is dropped. The error is for people.
    pub(crate) fn join(&self, location: &[u8]) -> Result<Url, String> {
        let location = strip(location);
        let reference = before(&location, b"#");
        if location.is_empty() {
            return Err("the redirect has an empty Location".to_owned());
        }
        if let Some(scheme) = scheme_of(reference) {
            if !matches!(scheme, Scheme::Http | Scheme::Https) {
                return Err("the redirect leads to a scheme other than http and https".to_owned());
            }
            return Url::absolute(reference, false).map_err(redirect_error);
        }
        if reference.starts_with(b"//") {
            let scheme = if self.is_https() { b"https:".as_slice() } else { b"http:" };
            return Url::absolute(&[scheme, reference].concat(), false).map_err(redirect_error);
        }
        let base = self.path_and_query();
        let base_path = before(base, b"?");
        let path = before(reference, b"?");
        let query = if reference.len() > path.len() { &reference[path.len()..] } else { b"" };
        let target = match path.first() {
            None if query.is_empty() => base.to_vec(),
            None => [base_path, query].concat(),
            Some(b'/') => reference.to_vec(),
            // Everything after the last slash of the base is replaced. A base path always holds a slash.
            Some(_) => {
                let last_slash = base_path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                [&base_path[..=last_slash], reference].concat()
            }
        };
        Url::assemble(self.origin.clone(), &target, None).map_err(redirect_error)
    }

    /// The URL as events and logs show it: percent-encoded, without userinfo and fragment.
    pub(crate) fn text(&self) -> &TextBuf {
        &self.text
    }

    /// What ureq is given.
    pub(crate) fn request_uri(&self) -> &str {
        self.text.as_str()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.origin.https
    }

    /// The host as the resolver wants it: no brackets, a zone as `%eth0`.
    pub(crate) fn host(&self) -> &str {
        &self.origin.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.origin.port
    }

    /// What the `Host` header has to say: an IPv6 zone means nothing to the server (RFC 6874) and is left out.
    pub(crate) fn host_header(&self) -> String {
        let host = before(self.host().as_bytes(), b"%");
        authority(&String::from_utf8_lossy(host), self.is_https(), self.port())
    }

    /// `Basic …` for the `Authorization` header, if the configured URL held userinfo.
    pub(crate) fn basic(&self) -> Option<&str> {
        self.basic.as_deref()
    }

    pub(crate) fn same_origin(&self, other: &Url) -> bool {
        self.origin == other.origin
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn path_and_query(&self) -> &[u8] {
        &self.text.as_bytes()[self.path..]
    }

    fn absolute(text: &[u8], with_userinfo: bool) -> Result<Url, &'static str> {
        let https = match scheme_of(text) {
            Some(Scheme::Http) => false,
            Some(Scheme::Https) => true,
            _ => return Err("a URL has to begin with http:// or https://"),
        };
        let after = &text[if https { 6 } else { 5 }..];
        let Some(after) = after.strip_prefix(b"//") else {
            return Err("a URL needs two slashes and a host after its scheme");
        };
        let authority = before(after, b"/?#");
        let target = before(&after[authority.len()..], b"#");
        let parts = Authority::parse(authority)?;
        let origin = Origin { https, host: parts.host, port: parts.port.unwrap_or(default_port(https)) };
        let basic = parts.credentials.filter(|_| with_userinfo).map(|credentials| credentials.basic());
        Url::assemble(origin, target, basic)
    }

    fn assemble(origin: Origin, target: &[u8], basic: Option<String>) -> Result<Url, &'static str> {
        let mut text = String::from(if origin.https { "https://" } else { "http://" });
        text.push_str(&authority(&origin.host, origin.https, origin.port));
        let start = text.len();
        let path = before(target, b"?");
        let mut encoded = String::new();
        percent_encode(path, &mut encoded);
        text.push_str(&remove_dot_segments(&encoded));
        percent_encode(&target[path.len()..], &mut text);
        if text.len() > MAX_LEN {
            return Err("a URL may not be longer than 65 534 bytes");
        }
        Ok(Url { text: TextBuf::from(text.as_str()), origin, path: start, basic })
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.request_uri())
    }
}

fn redirect_error(why: &str) -> String {
    format!("the redirect's Location cannot be used: {why}")
}

/// What stands between the two slashes of a URL and its path.
pub(crate) struct Authority {
    /// As in `Origin`.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) credentials: Option<Credentials>,
}

/// User and password, percent-decoded. They may be any bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Authority {
    pub(crate) fn parse(text: &[u8]) -> Result<Authority, &'static str> {
        if text.contains(&b'\\') {
            return Err("a backslash before the path of a URL is read differently by different programs");
        }
        let at = text.iter().rposition(|byte| *byte == b'@');
        let (host, port) = split_port(&text[at.map_or(0, |at| at + 1)..])?;
        let credentials = at.and_then(|at| Credentials::parse(&text[..at]));
        Ok(Authority { host: parse_host(host)?, port: parse_port(port)?, credentials })
    }
}

impl Credentials {
    /// None if both are empty.
    fn parse(userinfo: &[u8]) -> Option<Credentials> {
        let user = before(userinfo, b":");
        let password = userinfo[user.len()..].strip_prefix(b":").unwrap_or(b"");
        let credentials = Credentials { user: percent_decode(user), password: percent_decode(password) };
        (!user.is_empty() || !password.is_empty()).then_some(credentials)
    }

    /// The value of an `Authorization` or `Proxy-Authorization` header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", base64::encode(&[&self.user[..], b":", &self.password].concat()))
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

enum Scheme {
    Http,
    Https,
    Other,
}

/// The scheme of an absolute reference; None if it is relative.
fn scheme_of(text: &[u8]) -> Option<Scheme> {
    let head = before(text, b":/?#");
    if text.get(head.len()) != Some(&b':') || !head.first()?.is_ascii_alphabetic() {
        return None;
    }
    if !head.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) {
        return None;
    }
    Some(match head {
        _ if head.eq_ignore_ascii_case(b"http") => Scheme::Http,
        _ if head.eq_ignore_ascii_case(b"https") => Scheme::Https,
        _ => Scheme::Other,
    })
}

/// What stands before the first of `ends`.
pub(crate) fn before<'a>(text: &'a [u8], ends: &[u8]) -> &'a [u8] {
    &text[..text.iter().position(|byte| ends.contains(byte)).unwrap_or(text.len())]
}

/// Takes away what browsers take away before they parse.
pub(crate) fn strip(text: &[u8]) -> Vec<u8> {
    let start = text.iter().position(|byte| *byte > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte > b' ').map_or(start, |last| last + 1);
    text[start..end].iter().copied().filter(|byte| !b"\t\r\n".contains(byte)).collect()
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
fn split_port(text: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    if text.first() != Some(&b'[') {
        let host = before(text, b":");
        return Ok((host, text[host.len()..].strip_prefix(b":").unwrap_or(b"")));
    }
    let Some(close) = text.iter().position(|byte| *byte == b']') else {
        return Err("the '[' before the host of a URL has no ']'");
    };
    match &text[close + 1..] {
        [] => Ok((&text[..=close], b"")),
        [b':', port @ ..] => Ok((&text[..=close], port)),
        _ => Err("only ':' and a port may follow the ']' of a host"),
    }
}

fn parse_host(host: &[u8]) -> Result<String, &'static str> {
    if let Some(inner) = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        return parse_ipv6(inner);
    }
    if host.is_empty() {
        return Err("the URL has no host");
    }
    if !host.is_ascii() {
        return Err("the host of a URL has to be ASCII: give an international name as punycode (xn--…)");
    }
    // Wider than DNS by the underscore, which names inside of companies and containers have.
    if !host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte)) {
        return Err("the host of the URL holds a character that no host name has");
    }
    Ok(String::from_utf8_lossy(host).to_ascii_lowercase())
}

fn parse_ipv6(inner: &[u8]) -> Result<String, &'static str> {
    const WRONG: &str = "what stands between '[' and ']' in a URL has to be an IPv6 address";
    let address = before(inner, b"%");
    let text = std::str::from_utf8(address).map_err(|_| WRONG)?;
    let address: Ipv6Addr = text.parse().map_err(|_| WRONG)?;
    let Some(zone) = inner[text.len()..].strip_prefix(b"%") else {
        return Ok(address.to_string());
    };
    // RFC 6874 writes `%25eth0`; people write `%eth0`.
    let zone = zone.strip_prefix(b"25").unwrap_or(zone);
    if zone.is_empty() || !zone.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
        return Err("the zone of an IPv6 address has to be the name or number of a network interface");
    }
    Ok(format!("{address}%{}", String::from_utf8_lossy(zone)))
}

fn parse_port(port: &[u8]) -> Result<Option<u16>, &'static str> {
    if port.is_empty() {
        return Ok(None);
    }
    let number = port.iter().try_fold(0u16, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u16::from(digit))
    });
    number.map(Some).ok_or("the port of a URL has to be a number from 0 to 65535")
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// `host[:port]` as a URL and a `Host` header write it.
fn authority(host: &str, https: bool, port: u16) -> String {
    let host = if host.contains(':') { format!("[{}]", host.replace('%', "%25")) } else { host.to_owned() };
    if port == default_port(https) { host } else { format!("{host}:{port}") }
}

fn percent_decode(text: &[u8]) -> Vec<u8> {
    let hex = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// Appends a path or a query with everything encoded that no HTTP request line may carry.
fn percent_encode(text: &[u8], out: &mut String) {
    for byte in text {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// RFC 3986 section 5.2.4 for a path that begins with a slash or is empty.
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        let dots = segment.to_ascii_lowercase().replace("%2e", ".");
        ends_open = matches!(&*dots, "." | "..");
        match &*dots {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    // A path that ended in a dot segment ends in a slash: `/a/b/..` is `/a/`.
    let end = if ends_open && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
