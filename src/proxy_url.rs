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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credentials(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials { user: user.into(), password: password.into() })
    }

    #[test]
    fn proxies_parse() {
        use ProxyScheme::{Http, Socks5};
        let table = [
            ("http://proxy:3128", Http, "proxy", 3128, None),
            (" HTTP://Proxy.example/ignored?x\n", Http, "proxy.example", 1080, None),
            ("socks5://[::1]:9050/", Socks5, "::1", 9050, None),
            ("socks5h://10.0.0.1", Socks5, "10.0.0.1", 1080, None),
            ("http://user:p%40ss%20word@proxy:1", Http, "proxy", 1, credentials("user", "p@ss word")),
            ("socks5://us%3Aer:@proxy:1", Socks5, "proxy", 1, credentials("us:er", "")),
        ];
        for (text, scheme, host, port, credentials) in table {
            let want = ProxyUrl { scheme, host: host.to_owned(), port, credentials };
            assert_eq!(ProxyUrl::parse(text), Ok(want), "{text}");
        }
        let proxy = ProxyUrl::parse("http://Aladdin:open%20sesame@proxy").unwrap();
        assert_eq!(proxy.credentials.as_ref().unwrap().basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{proxy:?}").contains("sesame"));
    }

    #[test]
    fn bad_proxies_are_refused_without_a_word_of_their_credentials() {
        let table = [
            ("", "http:// or socks5://"),
            ("proxy:3128", "http:// or socks5://"),
            ("https://sesame:tulip@proxy", "http:// or socks5://"),
            ("socks4://proxy", "http:// or socks5://"),
            ("sesame:tulip@proxy", "http:// or socks5://"),
            ("http:proxy", "two slashes"),
            ("http://", "no host"),
            ("http://sesame:tulip@", "no host"),
            ("http://proxy:70000", "0 to 65535"),
            ("http://sesame:tulip@b\u{fc}cher", "punycode"),
        ];
        for (text, why) in table {
            let got = ProxyUrl::parse(text).unwrap_err();
            assert!(matches!(&got, ConfigError::Url(got) if got.contains(why)), "{text}: {got}");
            assert!(!got.to_string().contains("tulip") && !got.to_string().contains("sesame"), "{got}");
        }
        let long = |user, password| format!("socks5://{}:{}@a", "u".repeat(user), "p".repeat(password));
        assert!(ProxyUrl::parse(&long(255, 255)).is_ok());
        assert!(ProxyUrl::parse(&long(256, 1)).is_err() && ProxyUrl::parse(&long(1, 256)).is_err());
    }

    fn env(variables: &[(&str, &str)]) -> Result<ProxyEnv, ConfigError> {
        ProxyEnv::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    /// The host of the proxy that these variables give for a URL.
    fn chosen(variables: &[(&str, &str)], url: &str) -> Option<String> {
        env(variables).unwrap().proxy_for(&Url::parse(url).unwrap()).map(|proxy| proxy.host.clone())
    }

    #[test]
    fn variables_in_curls_order() {
        let all = [
            ("http_proxy", "h"),
            ("HTTP_PROXY", "cgi"),
            ("https_proxy", "s"),
            ("HTTPS_PROXY", "S"),
            ("all_proxy", "socks5://a"),
            ("ALL_PROXY", "A"),
        ];
        let without = |names: &[&str]| {
            let mut left = all.to_vec();
            left.retain(|(name, _)| !names.contains(name));
            left
        };
        let table: [(&[&str], _, _); 7] = [
            (&[], Some("h"), Some("s")),
            (&["https_proxy"], Some("h"), Some("s")), // HTTPS_PROXY's host, in lower case
            (&["https_proxy", "HTTPS_PROXY"], Some("h"), Some("a")),
            (&["http_proxy"], Some("a"), Some("s")),
            (&["http_proxy", "all_proxy"], Some("a"), Some("s")), // never HTTP_PROXY
            (&["http_proxy", "all_proxy", "ALL_PROXY"], None, Some("s")),
            (&["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], None, None),
        ];
        for (names, http, https) in table {
            assert_eq!(chosen(&without(names), "http://x").as_deref(), http, "without {names:?}");
            assert_eq!(chosen(&without(names), "https://x").as_deref(), https, "without {names:?}");
        }
        assert_eq!(chosen(&[("https_proxy", ""), ("ALL_PROXY", "a")], "https://x").as_deref(), Some("a"));
        assert_eq!(env(&[("all_proxy", "p:8080")]).unwrap().http.unwrap().port, 8080);
        assert!(matches!(env(&[("all_proxy", "ftp://p")]), Err(ConfigError::Url(_))));
        assert_eq!(env(&[]), Ok(ProxyEnv::default()));
    }

    #[test]
    fn no_proxy_by_suffix_port_network_and_star() {
        let table = [
            ("*", "http://anything", true),
            ("", "http://a.example", false),
            (" , ,", "http://a.example", false),
            ("a.example", "http://a.example", true),
            ("A.Example", "http://a.EXAMPLE", true),
            ("example", "http://a.example", true),
            (".example", "http://a.example", true),
            (".a.example", "http://a.example", true),
            ("a.example.", "http://a.example", true),
            ("a.example", "http://a.example.", true),
            ("b.a.example", "http://a.example", false),
            ("ample", "http://a.example", false),
            ("xa.example", "http://a.example", false),
            ("*.example", "http://a.example", false), // no patterns, as with curl
            (".", "http://a.example", false),
            ("other,a.example", "http://a.example", true),
            ("other, a.example", "http://a.example", true),
            ("other\ta.example other2", "http://a.example", true),
            ("a.example:80", "http://a.example", true),
            ("a.example:443", "http://a.example", false),
            ("a.example:443", "https://a.example", true),
            ("a.example:8080", "http://a.example:8080", true),
            ("a.example:x", "http://a.example", false),
            ("a.example:", "http://a.example", false),
            ("10.1.2.3", "http://10.1.2.3", true),
            ("10.1.2.3:81", "http://10.1.2.3:81", true),
            ("10.1.2.3:81", "http://10.1.2.3", false),
            ("10.0.0.0/8", "http://10.1.2.3", true),
            ("10.0.0.0/8:80", "http://10.1.2.3", true),
            ("10.1.2.0/25", "http://10.1.2.127", true),
            ("10.1.2.0/25", "http://10.1.2.128", false),
            ("10.1.2.3/32", "http://10.1.2.3", true),
            ("0.0.0.0/0", "http://10.1.2.3", true),
            ("0.0.0.0/33", "http://10.1.2.3", false),
            ("10.0.0.0/-1", "http://10.1.2.3", false),
            ("10.0.0.0/", "http://10.1.2.3", false),
            ("10.0.0.0/8", "http://host.example", false),
            ("2.3", "http://10.1.2.3", false), // an address has no suffixes
            ("::1", "http://[::1]", true),
            ("[::1]", "http://[::1]", true),
            ("[::1]:80", "http://[::1]", true),
            ("[::1]:81", "http://[::1]", false),
            ("0:0::1", "http://[::1]", true),
            ("fe80::/10", "http://[fe80::1%25eth0]", true),
            ("[fe80::]/10", "http://[fe80::1%25eth0]", true),
            ("fe80::/10", "http://[fec0::1]", false),
            ("::/0", "http://10.1.2.3", false),
            ("10.0.0.0/8", "http://[::1]", false),
            ("\u{e9}", "http://a.example", false),
        ];
        for (no_proxy, url, direct) in table {
            let got = chosen(&[("all_proxy", "p"), ("no_proxy", no_proxy), ("NO_PROXY", "*")], url);
            let want = if direct || no_proxy.is_empty() { None } else { Some("p") };
            assert_eq!(got.as_deref(), want, "{no_proxy:?} {url}");
        }
        assert_eq!(chosen(&[("all_proxy", "p"), ("NO_PROXY", "x")], "http://x"), None);
    }
}
