//! Every option: its default, its range, what is refused and what of it shows.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config::new("https://user:tulip@example.com/a?b").unwrap()
}

fn refused(set: impl FnOnce(&mut Config) -> Result<&mut Config, ConfigError>) -> ConfigError {
    let mut config = config();
    let error = set(&mut config).unwrap_err();
    assert_eq!(config.error(), Some(&error), "a refusal is remembered");
    error
}

fn argument(set: impl FnOnce(&mut Config) -> Result<&mut Config, ConfigError>) -> String {
    match refused(set) {
        ConfigError::Argument(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults() {
    let config = config();
    assert_eq!(config.url.request_uri(), "https://example.com/a?b");
    assert_eq!(config.effective_method(), "GET");
    assert_eq!(config.headers.iter().count(), 0);
    assert_eq!((config.body.as_deref(), config.last_event_id.as_str()), (None, ""));
    assert_eq!(config.connect_timeout, Some(10 * SECOND));
    assert_eq!(config.response_timeout, None, "by the method");
    assert_eq!((config.idle_timeout, config.keepalive), (None, Some(120 * SECOND)));
    assert_eq!((config.retry_first, config.retry_max, config.max_retries), (SECOND, 30 * SECOND, u32::MAX));
    assert_eq!(config.reconnect, ReconnectMode::Auto);
    assert_eq!((config.standard_status, config.compression, config.https_only), (false, false, false));
    assert_eq!((config.max_event_size, config.stack_size), (33_554_432, 524_288));
    assert_eq!(config.proxy, Proxy::None);
    assert!(config.tls.extra_ca.is_empty() && config.tls.only_ca.is_none() && config.tls.pins.is_empty());
    assert!(config.tls.identity.is_none() && config.error().is_none());
}

// row 1
#[test]
fn a_bad_url_is_refused_at_once() {
    assert!(matches!(Config::new("ws://example.com/"), Err(ConfigError::Url(_))));
}

#[test]
fn the_first_refusal_is_the_one_remembered_and_changes_nothing() {
    let mut config = config();
    config.set_max_event_size(7).unwrap();
    assert!(config.set_max_event_size(0).is_err());
    assert!(config.set_method("").is_err());
    assert!(matches!(config.error(), Some(ConfigError::Argument(why)) if why.contains("event size")));
    assert_eq!((config.max_event_size, config.effective_method()), (7, "GET"));
    config.set_max_event_size(8).unwrap();
    assert!(config.error().is_some(), "a later success forgives nothing");
    assert!(config.clone().error().is_some());
}

#[test]
fn setters_chain() {
    let mut config = config();
    config.set_method("POST").unwrap().set_body(b"x").unwrap().set_compression(true).unwrap();
    assert_eq!((config.effective_method(), config.body.as_deref()), ("POST", Some(&b"x"[..])));
    assert!(config.compression);
}

// row 5
#[test]
fn methods() {
    for method in ["GET", "POST", "REPORT", "get", "M-SEARCH", "!#$%&'*+-.^_`|~"] {
        let mut config = config();
        assert_eq!(config.set_method(method).unwrap().effective_method(), method);
    }
    for method in ["", " ", "G ET", "GET\r\n", "G\0", "\u{fc}", "HEAD", "Connect", "trace", "a/b", &"x".repeat(65)] {
        assert!(argument(|c| c.set_method(method)).contains("the method"), "{method:?}");
    }
    let mut config = config();
    assert_eq!(config.set_body(b"").unwrap().effective_method(), "POST");
    assert_eq!(config.set_method("GET").unwrap().effective_method(), "GET");
}

#[test]
fn timeouts() {
    type Set = fn(&mut Config, Option<Duration>) -> Result<&mut Config, ConfigError>;
    type Get = fn(&Config) -> Option<Duration>;
    let table: [(Set, Get); 3] = [
        (Config::set_connect_timeout, |c| c.connect_timeout),
        (Config::set_response_timeout, |c| c.response_timeout.unwrap()),
        (Config::set_idle_timeout, |c| c.idle_timeout),
    ];
    for (set, get) in table {
        let mut config = config();
        let mut after = |timeout| get(set(&mut config, timeout).unwrap());
        assert_eq!(after(Some(Duration::from_millis(1))), Some(Duration::from_millis(1)));
        assert_eq!(after(None), None);
        assert_eq!(after(Some(Duration::ZERO)), None);
        assert_eq!(after(Some(Duration::MAX)), Some(365 * 24 * 3_600 * SECOND));
        let longest = after(Some(Duration::from_millis(u64::MAX))).unwrap();
        assert!(std::time::Instant::now().checked_add(longest).is_some());
    }
}

#[test]
fn keepalive_is_whole_seconds_that_linux_takes() {
    let mut config = config();
    let mut after = |idle| config.set_keepalive(idle).unwrap().keepalive;
    assert_eq!(after(Some(Duration::from_millis(1))), Some(SECOND));
    assert_eq!(after(Some(Duration::from_millis(1_001))), Some(2 * SECOND));
    assert_eq!(after(Some(Duration::from_nanos(1))), Some(SECOND));
    assert_eq!(after(Some(32_767 * SECOND)), Some(32_767 * SECOND));
    assert_eq!(after(Some(Duration::MAX)), Some(32_767 * SECOND));
    assert_eq!(after(Some(Duration::ZERO)), None);
    assert_eq!(after(None), None);
}

#[test]
fn retry_is_clamped() {
    let day = 86_400 * SECOND;
    let table = [
        ((SECOND, 2 * SECOND), (SECOND, 2 * SECOND)),
        ((Duration::ZERO, Duration::ZERO), (Duration::ZERO, Duration::ZERO)),
        ((5 * SECOND, SECOND), (5 * SECOND, 5 * SECOND)),
        ((SECOND, Duration::MAX), (SECOND, day)),
        ((Duration::MAX, SECOND), (day, day)),
        ((Duration::from_millis(u64::MAX), Duration::from_millis(u64::MAX)), (day, day)),
    ];
    for ((first, max), want) in table {
        let mut config = config();
        config.set_retry(first, max).unwrap();
        assert_eq!((config.retry_first, config.retry_max), want);
    }
}

#[test]
fn sizes_have_limits() {
    let mut config = config();
    for bytes in [1, usize::MAX] {
        assert_eq!(config.set_max_event_size(bytes).unwrap().max_event_size, bytes);
    }
    assert!(argument(|c| c.set_max_event_size(0)).contains("at least 1"));
    for bytes in [131_072, 268_435_456] {
        assert_eq!(config.set_stack_size(bytes).unwrap().stack_size, bytes);
    }
    for bytes in [0, 131_071, 268_435_457, usize::MAX] {
        assert!(argument(|c| c.set_stack_size(bytes)).contains("128 KiB"), "{bytes}");
    }
}

#[test]
fn switches_and_numbers_are_kept() {
    let mut config = config();
    config.set_max_retries(0).unwrap().set_reconnect(ReconnectMode::Never).unwrap().set_standard_status(true).unwrap();
    config.set_https_only(true).unwrap();
    assert_eq!((config.max_retries, config.reconnect), (0, ReconnectMode::Never));
    assert!(config.standard_status && config.https_only);
    config.set_standard_status(false).unwrap().set_https_only(false).unwrap();
    assert!(!config.standard_status && !config.https_only);
}

#[test]
fn https_only_refuses_a_config_for_http() {
    let mut config = Config::new("http://example.com").unwrap();
    config.set_https_only(false).unwrap();
    let why = config.set_https_only(true).unwrap_err();
    assert!(matches!(&why, ConfigError::Url(why) if why.contains("https://")), "{why}");
    assert_eq!(config.error(), Some(&why));
}

// rows 8 and 46
#[test]
fn last_event_id_is_one_thing_by_two_names() {
    let mut config = config();
    assert_eq!(config.set_header("LAST-event-id", "1").unwrap().last_event_id.as_str(), "1");
    assert_eq!(config.set_last_event_id(" \u{fc} ").unwrap().last_event_id.as_str(), " \u{fc} ");
    assert_eq!(config.set_secret_header("Last-Event-ID", " 3\t").unwrap().last_event_id.as_str(), "3");
    assert_eq!(config.headers.iter().count(), 0);
    for id in ["a\0", "a\rb", "a\nb", "\u{1}", "\u{7f}"] {
        assert!(matches!(refused(|c| c.set_last_event_id(id)), ConfigError::Header(_)), "{id:?}");
        assert!(matches!(refused(|c| c.set_header("last-event-id", id)), ConfigError::Header(_)), "{id:?}");
    }
    assert_eq!(config.set_last_event_id("").unwrap().last_event_id.as_str(), "");
}

#[test]
fn secrets_are_bound_to_the_configured_origin() {
    let mut config = config();
    config.set_secret_header("X-Key", "1").unwrap().set_header("X-Public", "2").unwrap();
    let (own, other) = (Url::parse("https://example.com/z").unwrap(), Url::parse("https://example.org/").unwrap());
    let goes = |name, url: &Url| config.headers.get(name).unwrap().may_go_to(&url.origin());
    assert!(goes("X-Key", &own) && goes("X-Public", &own) && goes("X-Public", &other));
    assert!(!goes("X-Key", &other));
    assert!(matches!(refused(|c| c.set_header("Host", "x")), ConfigError::Header(_)));
    assert!(matches!(refused(|c| c.set_secret_header("X", "\n")), ConfigError::Header(_)));
}

#[test]
fn proxies() {
    let mut config = config();
    config.set_proxy(Some("socks5://sesame:poppy@proxy")).unwrap();
    assert!(matches!(&config.proxy, Proxy::Url(proxy) if proxy.host == "proxy"));
    assert!(!format!("{config:?}").contains("poppy"));
    config.set_proxy(None).unwrap();
    assert_eq!(config.proxy, Proxy::None);
    config.set_proxy_from_env().unwrap();
    assert!(matches!(config.proxy, Proxy::Env(_)));
    assert!(matches!(refused(|c| c.set_proxy(Some("proxy"))), ConfigError::Url(_)));
}

#[test]
fn certificates_and_pins() {
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
    let mut config = config();
    config.add_ca_pem(pem.as_bytes()).unwrap().add_ca_pem(pem.as_bytes()).unwrap();
    config.set_only_ca_pem(pem.as_bytes()).unwrap().set_only_ca_pem(pem.as_bytes()).unwrap();
    config.set_identity_pem((pem + &key.serialize_pem()).as_bytes()).unwrap();
    let pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    config.add_pin(pin).unwrap().add_pin(&format!("sha256/{pin}")).unwrap();
    assert_eq!((config.tls.extra_ca.len(), config.tls.only_ca.as_ref().map(Vec::len)), (2, Some(1)));
    assert_eq!((config.tls.identity.as_ref().unwrap().chain.len(), config.tls.pins.len()), (1, 1));
    let want = "TlsOptions { extra_ca: 2, only_ca: Some(1), identity: Some(Identity(1 certificates)), pins: 1 }";
    assert_eq!(format!("{:?}", config.tls), want);
    assert!(matches!(refused(|c| c.add_ca_pem(b"")), ConfigError::Certificate(_)));
    assert!(matches!(refused(|c| c.set_only_ca_pem(b"x")), ConfigError::Certificate(_)));
    assert!(matches!(refused(|c| c.set_identity_pem(b"x")), ConfigError::Certificate(_)));
    assert!(matches!(refused(|c| c.add_pin("x")), ConfigError::Certificate(_)));
}

#[test]
fn debug_shows_no_secret() {
    let mut config = config();
    config.set_header("Authorization", "Bearer tulip").unwrap();
    config.set_header("X-Plain", "tulip").unwrap();
    config.set_secret_header("X-Key", "tulip").unwrap();
    config.set_body(b"tulip").unwrap();
    config.set_last_event_id("tulip").unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("tulip") && !shown.contains("user") && !shown.contains("dXNlcjp0dWxpcA"), "{shown}");
    assert!(shown.contains("https://example.com/a?b") && shown.contains("5 bytes"), "{shown}");
}
