//! What goes out: section A of the acceptance list, and the decisions about methods, headers and URLs.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use common::*;
use eventsource::{CallError, Config, ConfigError, EventSource, Kind, State};
use eventsource_test_server::Request;

/// Connects once, in every driver, and gives the requests.
fn requests(configure: impl Fn(&str, &Server) -> Config) -> Vec<Request> {
    let mut all = Vec::new();
    for driver in DRIVERS {
        let server = Server::start();
        server.on("/s", Script::sse().stall());
        let config = configure(&server.url("/s"), &server);
        story_until(driver, &config, Kind::Open, 1);
        let mut requests = server.requests();
        assert_eq!(requests.len(), 1, "{driver:?}");
        all.append(&mut requests);
    }
    all
}

#[test]
fn url_is_checked_at_construction() {
    // row 1, row 9
    let bad = [
        "",
        " ",
        "nonsense",
        "/relative",
        "//example.test/",
        "http:",
        "http://",
        "http:///x",
        "http://:80/",
        "http://a b/",
        "http://h:99999/",
        "http://h:65536/",
        "http://h:-1/",
        "http://h:x/",
        "http://[::1/",
        "http://[::g]/",
        "http://ä.test/",
        "ftp://h/",
        "ws://h/",
        "file:///x",
        "javascript:alert(1)",
        "data:text/event-stream,data:x",
        "htp://h/",
    ];
    for url in bad {
        assert!(matches!(Config::new(url), Err(ConfigError::Url(_))), "{url}");
    }
    for url in [
        "http://h",
        "HTTPS://H/",
        "http://h:65535/",
        "http://1.2.3.4/",
        "http://[::1]:80/x?y#z",
        "http://xn--4ca.test/",
    ] {
        assert!(Config::new(url).is_ok(), "{url}");
    }
    // A refused option is remembered, and no source is made of it.
    let mut config = Config::new("http://127.0.0.1/").unwrap();
    config.set_method("TRACE").unwrap_err();
    assert!(matches!(EventSource::new(&config), Err(CallError::Config(ConfigError::Argument(_)))));
}

#[test]
fn url_stays_as_given_whatever_redirects_do() {
    // row 2, row 80
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::redirect(302, "/t?x=1"));
        server.on("/t", Script::sse().body("data: a\n\n").fin());
        let url = format!("http://user:secret@127.0.0.1:{}/s?q=1#fragment", server.port());
        let seen = follow_until(driver, &fast(&url), Kind::Message, 2);
        let urls: Vec<_> = seen.iter().map(|e| (e.kind, e.url.strip_prefix(&server.url("")).unwrap())).collect();
        let round = [(Kind::Connect, "/s?q=1"), (Kind::Open, "/t?x=1"), (Kind::Message, "/t?x=1")];
        let expected = [&round[..], &[(Kind::Error, "/t?x=1")], &round, &[(Kind::Close, "/t?x=1")]].concat();
        assert_eq!(urls, expected);
    });
}

#[test]
fn no_cookies_and_no_ambient_credentials() {
    // row 3, row 7
    for_each_driver(|driver| {
        let server = Server::start();
        let cached = Script::sse()
            .header("Set-Cookie", "a=b; Path=/")
            .header("ETag", "\"x\"")
            .header("Last-Modified", "Mon, 23 Nov 2026 10:00:00 GMT")
            .header("Cache-Control", "max-age=3600");
        server.on("/s", cached.body("data: a\n\n").fin());
        story_until(driver, &fast(&server.url("/s")), Kind::Message, 2);
        let requests = server.requests();
        let names = |r: &Request| r.headers.iter().map(|(n, _)| n.to_lowercase()).collect::<Vec<_>>();
        assert_eq!(names(&requests[0]), names(&requests[1]));
        for request in &requests {
            for name in names(request) {
                assert!(!name.starts_with("if-"), "{name}");
                assert!(!["cookie", "authorization", "origin", "referer"].contains(&name.as_str()), "{name}");
            }
        }
    });
}

#[test]
fn states_have_their_numbers_and_begin_with_connecting() {
    // row 4
    assert_eq!([State::Connecting as u8, State::Open as u8, State::Closed as u8], [0, 1, 2]);
    let source = EventSource::new(&Config::new("http://127.0.0.1/").unwrap()).unwrap();
    assert_eq!(source.state(), State::Connecting);
}

#[test]
fn the_request_is_exactly_this() {
    // row 5, row 6, row 7, row 8, row 24
    let version = env!("CARGO_PKG_VERSION");
    for request in requests(|url, _| fast(url)) {
        assert_eq!(
            (request.method.as_str(), request.target.as_str(), request.version.as_str()),
            ("GET", "/s", "HTTP/1.1")
        );
        let mut headers: Vec<_> = request
            .headers
            .iter()
            .map(|(n, v)| (n.to_lowercase(), String::from_utf8(v.clone()).unwrap()))
            .filter(|(n, _)| n != "host")
            .collect();
        headers.sort();
        let expected = [
            ("accept", "text/event-stream"),
            ("accept-encoding", "identity"),
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("user-agent", &format!("libeventsource/{version}")),
        ];
        assert_eq!(headers, expected.map(|(n, v)| (n.into(), v.into())));
        assert!(request.header("host").unwrap().starts_with("127.0.0.1:"));
        assert_eq!(request.body, b"");
    }
}

#[test]
fn a_preset_last_event_id_goes_with_the_first_request() {
    // row 8, row 43
    for request in requests(|url, _| {
        let mut config = fast(url);
        config.set_last_event_id("ä 1").unwrap();
        config
    }) {
        assert_eq!(
            request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("last-event-id")).unwrap().1,
            "ä 1".as_bytes()
        );
    }
    for request in requests(|url, _| {
        let mut config = fast(url);
        config.set_header("LAST-event-id", "by header").unwrap(); // setting the header is setting the ID
        config
    }) {
        assert_eq!(request.all("last-event-id").collect::<Vec<_>>(), ["by header"]);
    }
}

#[test]
fn methods_and_bodies_are_an_extension() {
    // row 5
    for (method, body, expected) in [
        (None, Some("{}"), "POST"),
        (Some("POST"), None, "POST"),
        (Some("POST"), Some(""), "POST"),
        (Some("REPORT"), Some("<x/>"), "REPORT"),
        (Some("PUT"), Some("x"), "PUT"),
        (Some("DELETE"), Some("x"), "DELETE"),
        (Some("GET"), Some("x"), "GET"),
        (Some("PROPFIND"), None, "PROPFIND"),
    ] {
        for request in requests(|url, _| {
            let mut config = fast(url);
            if let Some(method) = method {
                config.set_method(method).unwrap();
            }
            if let Some(body) = body {
                config.set_body(body.as_bytes()).unwrap();
            }
            config
        }) {
            assert_eq!(request.method, expected);
            assert_eq!(request.body, body.unwrap_or_default().as_bytes(), "{expected}");
            let length = body.map(|b| b.len().to_string());
            match method {
                Some("POST") if body.is_none() => assert_eq!(request.header("content-length").as_deref(), Some("0")),
                _ => assert_eq!(request.header("content-length"), length, "{expected} {body:?}"),
            }
            assert_eq!(request.header("transfer-encoding"), None);
        }
    }
    for method in ["HEAD", "CONNECT", "TRACE", "", "G ET", "GET\r\n", "GÉT"] {
        let mut config = Config::new("http://127.0.0.1/").unwrap();
        assert!(matches!(config.set_method(method), Err(ConfigError::Argument(_))), "{method:?}");
    }
}

#[test]
fn headers_replace_each_other_and_some_of_ours() {
    for request in requests(|url, _| {
        let mut config = fast(url);
        config.set_header("X-A", "1").unwrap().set_header("x-a", "2").unwrap();
        config.set_header("ACCEPT", "text/event-stream, */*").unwrap();
        config.set_header("cache-control", "no-store").unwrap().set_header("Pragma", "x").unwrap();
        config.set_header("user-agent", "mine").unwrap();
        config.set_header("X-Utf8", "grüß").unwrap().set_header("X-Empty", "").unwrap();
        config.set_secret_header("X-Key", "s").unwrap();
        config
    }) {
        let all = |name: &str| request.all(name).collect::<Vec<_>>();
        assert_eq!(all("x-a"), ["2"]);
        assert_eq!(all("accept"), ["text/event-stream, */*"]);
        assert_eq!(all("cache-control"), ["no-store"]);
        assert_eq!(all("pragma"), ["x"]);
        assert_eq!(all("user-agent"), ["mine"]);
        assert_eq!(
            request.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("x-utf8")).unwrap().1,
            "grüß".as_bytes()
        );
        assert_eq!(all("x-empty"), [""]);
        assert_eq!(all("x-key"), ["s"]);
    }
}

#[test]
fn headers_that_http_cannot_carry_or_that_are_ours_are_refused() {
    let mut config = Config::new("http://127.0.0.1/").unwrap();
    let ours = [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Expect",
        "Upgrade",
        "TE",
        "Trailer",
        "ACCEPT-ENCODING",
        "Proxy-Authorization",
        "proxy-connection",
        "Proxy-X",
    ];
    for name in ours {
        assert!(matches!(config.set_header(name, "x"), Err(ConfigError::Header(_))), "{name}");
        assert!(matches!(config.set_secret_header(name, "x"), Err(ConfigError::Header(_))), "{name}");
    }
    for name in ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "(x)"] {
        assert!(matches!(config.set_header(name, "x"), Err(ConfigError::Header(_))), "{name:?}");
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b"] {
        assert!(matches!(config.set_header("X", value), Err(ConfigError::Header(_))), "{value:?}");
        assert!(
            matches!(config.set_last_event_id(value), Err(ConfigError::Header(_) | ConfigError::Argument(_))),
            "{value:?}"
        );
    }
}

#[test]
fn urls_are_percent_encoded_and_their_credentials_are_basic() {
    for (path, target) in
        [("/a b/ä?q=ü{}|\"<>&x=%41#frag", "/a%20b/%C3%A4?q=%C3%BC"), ("", "/"), ("?q", "/?q"), ("/a/../b/./c", "/b/c")]
    {
        let server = Server::start();
        server.handle_rest(|_, connection| connection.run(&Script::sse().stall()));
        let url = format!("http://us%40er:p%40s:s@127.0.0.1:{}{path}", server.port());
        story_until(Driver::Next, &fast(&url), Kind::Open, 1);
        let request = server.requests().remove(0);
        assert!(request.target.starts_with(target), "{} for {path}", request.target);
        assert!(
            request.target.is_ascii() && !request.target.contains(['{', '|', '"', '<', '#', ' ']),
            "{}",
            request.target
        );
        // us@er:p@s:s
        assert_eq!(request.header("authorization").as_deref(), Some("Basic dXNAZXI6cEBzOnM="));
        assert!(!request.raw_head.windows(3).any(|w| w == b"%40"));
    }
    let server = Server::start();
    server.on("/s", Script::sse().stall());
    let mut config = fast(&format!("http://user:pw@127.0.0.1:{}/s", server.port()));
    config.set_header("authorization", "Bearer x").unwrap();
    story_until(Driver::Next, &config, Kind::Open, 1);
    assert_eq!(server.requests()[0].all("authorization").collect::<Vec<_>>(), ["Bearer x"]);
}

#[test]
fn ipv6_and_names() {
    for_each_driver(|driver| {
        let server = Server::start_ipv6();
        server.on("/s", Script::sse().stall());
        story_until(driver, &fast(&server.url("/s")), Kind::Open, 1);
        assert_eq!(server.requests()[0].header("host"), Some(format!("[::1]:{}", server.port())));
        // A zone is for this machine only. `lo` has the number 1 on Linux.
        story_until(driver, &fast(&server.url("/s").replace("::1", "::1%251")), Kind::Open, 1);
        assert_eq!(server.requests()[1].header("host"), Some(format!("[::1]:{}", server.port())));
        let server = Server::start();
        server.on("/s", Script::sse().stall());
        story_until(driver, &fast(&server.url_by_name("/s")), Kind::Open, 1);
        assert_eq!(server.requests()[0].header("host"), Some(format!("localhost:{}", server.port())));
    });
}

#[test]
fn https_only_refuses_http() {
    let mut config = Config::new("http://127.0.0.1/").unwrap();
    assert!(matches!(config.set_https_only(true), Err(ConfigError::Url(_))));
    let mut config = Config::new("https://127.0.0.1/").unwrap();
    config.set_https_only(true).unwrap();
    let source = EventSource::new(&config).unwrap();
    assert!(matches!(source.set_url("http://127.0.0.1/"), Err(CallError::Config(ConfigError::Url(_)))));
}
