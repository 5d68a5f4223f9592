//! Which proxy, if any, leads to a URL: one that the caller named, or curl's environment variables.

use std::net::IpAddr;

use crate::error::ConfigError;
use crate::url::{Authority, Credentials, Url, before, strip};

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyScheme {
    /// CONNECT, for http and https targets.
    Http,
    /// SOCKS5; the proxy looks names up.
    Socks5,
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyUrl {
    pub(crate) scheme: ProxyScheme,
    /// As the resolver wants it: no brackets, a zone as `%eth0`.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<Credentials>,
}

impl ProxyUrl {
    /// Parses `http://[user:password@]host[:port]` or the same with `socks5://` (or `socks5h://`, curl's name for it).
    pub(crate) fn parse(text: &str) -> Result<ProxyUrl, ConfigError> {
        ProxyUrl::parse_bytes(&strip(text.as_bytes())).map_err(|why| ConfigError::Url(format!("the proxy: {why}")))
    }

    fn parse_bytes(text: &[u8]) -> Result<ProxyUrl, &'static str> {
        let scheme = before(text, b":");
        let after = &text[scheme.len()..];
        let scheme = match &*scheme.to_ascii_lowercase() {
            b"http" => ProxyScheme::Http,
            b"socks5" | b"socks5h" => ProxyScheme::Socks5,
            _ => return Err("its URL has to begin with http:// or socks5://"),
        };
        let after = after.strip_prefix(b"://").ok_or("its URL needs two slashes and a host after its scheme")?;
        let authority = Authority::parse(before(after, b"/?#"))?;
        if scheme == ProxyScheme::Socks5 {
            let too_long = |credentials: &Credentials| credentials.user.len().max(credentials.password.len()) > 255;
            if authority.credentials.as_ref().is_some_and(too_long) {
                return Err("SOCKS5 carries no user or password above 255 bytes");
            }
        }
        // 1080 is what curl takes for both kinds.
        let port = authority.port.unwrap_or(1080);
        Ok(ProxyUrl { scheme, host: authority.host, port, credentials: authority.credentials })
    }
}

/// The proxies that the environment names, as they stood when the caller asked for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProxyEnv {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: String,
}

impl ProxyEnv {
    /// Reads the variables through `get`, by curl's rules: `https_proxy` and `HTTPS_PROXY`; only the lower-case
    /// `http_proxy`, since a web server hands a client's `Proxy:` header to its CGI programs as `HTTP_PROXY`; then
    /// `all_proxy` and `ALL_PROXY`; `no_proxy` and `NO_PROXY`. An empty variable is one that is not set.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<ProxyEnv, ConfigError> {
        let first = |names: &[&str]| names.iter().find_map(|name| get(name).filter(|value| !value.is_empty()));
        let proxy = |names: &[&str]| {
            let text = first(names)?;
            let text = if text.contains("://") { text } else { format!("http://{text}") };
            Some(ProxyUrl::parse(&text))
        };
        Ok(ProxyEnv {
            http: proxy(&["http_proxy", "all_proxy", "ALL_PROXY"]).transpose()?,
            https: proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]).transpose()?,
            no_proxy: first(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        })
    }

    /// The proxy for `url`; None: connect directly.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = if url.is_https() { &self.https } else { &self.http };
        let direct = self
            .no_proxy
            .split(|c: char| c == ',' || c.is_ascii_whitespace())
            .any(|entry| !entry.is_empty() && excludes(entry, url.host(), url.port()));
        proxy.as_ref().filter(|_| !direct)
    }
}

/// Whether an entry of `no_proxy` names the host: `*`, a name or a suffix of it (with or without a dot in front), an
/// address or a network in CIDR form, each with or without a port.
fn excludes(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let (name, wanted_port) = split_port(entry);
    if wanted_port.is_some_and(|wanted| wanted.parse() != Ok(port)) {
        return false;
    }
    let address = host.split('%').next().unwrap_or(host);
    if let Ok(address) = address.parse::<IpAddr>() {
        return contains(name, address);
    }
    let (name, host) = (name.trim_matches('.'), host.trim_end_matches('.'));
    let Some(at) = host.len().checked_sub(name.len()) else { return false };
    // Bytes, since an entry may hold anything; a host is ASCII.
    let (head, tail) = host.as_bytes().split_at(at);
    !name.is_empty() && tail.eq_ignore_ascii_case(name.as_bytes()) && (head.is_empty() || head.ends_with(b"."))
}

/// `name:port`, `[::1]:port`, or either without a port. A bare IPv6 address has no port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // A network in brackets keeps its prefix length: [fe80::]/10.
        return if rest.starts_with('/') { (entry, None) } else { (address, rest.strip_prefix(':')) };
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

/// Whether `address` is `network` or lies in it.
fn contains(network: &str, address: IpAddr) -> bool {
    let (network, bits) = network.split_once('/').map_or((network, None), |(net, bits)| (net, Some(bits)));
    let Ok(network) = network.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => (u128::from(net.to_bits()), u128::from(ip.to_bits()), 32),
        (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    match bits.map_or(Ok(width), str::parse::<u32>) {
        Ok(bits) if bits <= width => bits == 0 || (network ^ address) >> (width - bits) == 0,
        _ => false,
    }
}
