//! Redirects: where they lead, what goes along, what is remembered.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use common::*;
use eventsource::{Config, Kind, ReconnectMode};
use eventsource_test_server::{Ca, Request, Tls};

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

fn stream() -> Script {
    Script::sse().body("data: a\n\n").fin()
}

fn paths(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(|r| r.target.as_str()).collect()
}

#[test]
fn every_redirect_status_and_form_of_location_is_followed() {
    // row 17
    for_each_driver(|driver| {
        for status in STATUSES {
            let forms = [
                ("/t", "/t"),
                ("http://127.0.0.1:PORT/t", "/t"),
                ("//127.0.0.1:PORT/t", "/t"),
                ("HTTP://127.0.0.1:PORT/t", "/t"),
                ("?q=1", "/dir/s?q=1"),
                ("t", "/dir/t"),
                ("./t", "/dir/t"),
                ("../t", "/t"),
                ("../../../t", "/t"),
                ("/t#fragment", "/t"),
                ("/a b", "/a%20b"),
                ("/ü?ß", "/%C3%BC?%C3%9F"),
                ("/%41", "/%41"),
                ("  /t  ", "/t"),
            ];
            for (location, target) in forms {
                let server = Server::start();
                let location = location.replace("PORT", &server.port().to_string());
                server.on("/dir/s", [Script::redirect(status, &location), stream()]);
                server.handle_rest(|_, connection| connection.run(&stream()));
                // The query of the base does not stay.
                let seen = follow_until(driver, &fast(&server.url("/dir/s?old=1")), Kind::Message, 1);
                assert_eq!(story(&seen), ["connect", "open", "message \"a\"", "close None 200"], "{location}");
                assert_eq!(paths(&server.requests()), ["/dir/s?old=1", target], "{location}");
                assert_eq!(seen[1].url, server.url(target));
            }
        }
    });
}

#[test]
fn twenty_redirects_are_followed_and_no_more() {
    // row 17, row 19
    for_each_driver(|driver| {
        let server = Server::start();
        server.handle_rest(|request, connection| {
            let n: u32 = request.path()[1..].parse().unwrap();
            connection.run(&if n == 0 { stream() } else { Script::redirect(302, format!("/{}", n - 1)) })
        });
        let seen = story_until(driver, &fast(&server.url("/20")), Kind::Message, 1);
        assert_eq!(seen, ["connect", "open", "message \"a\"", "close None 200"]);
        assert_eq!(server.requests().len(), 21);
        let seen = follow(driver, &fast(&server.url("/21")), |_, _| {});
        assert_eq!(story(&seen), ["connect", "error Redirect 302 final", "close Redirect 302"]);
        assert_eq!(server.requests().len(), 42);
        assert!(seen[1..].iter().all(|e| e.url == server.url("/1")), "the last that was tried");
        server.reset();
        server.on("/loop", Script::redirect(302, "/loop"));
        let seen = story(&follow(driver, &fast(&server.url("/loop")), |_, _| {}));
        assert_eq!(seen, ["connect", "error Redirect 302 final", "close Redirect 302"]);
        assert_eq!(server.requests().len(), 21);
    });
}

#[test]
fn a_redirect_that_leads_nowhere_is_one_final_error() {
    // row 18, row 19, row 20
    for_each_driver(|driver| {
        for status in STATUSES {
            let server = Server::start();
            server.on("/s", Script::empty(status).end());
            let seen = story(&follow(driver, &fast(&server.url("/s")), |_, _| {}));
            let (error, close) = (format!("error HttpStatus {status} final"), format!("close HttpStatus {status}"));
            assert_eq!(seen, ["connect", &error, &close]);
            assert_eq!(server.requests().len(), 1);
        }
        let nowhere = [
            "",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
            "data:text/event-stream,data:a",
            "ws://127.0.0.1/",
            "file:///etc/passwd",
            "http://",
            "http:///t",
            "http://127.0.0.1:99999/",
            "mailto:x",
            "http://[::1/",
        ];
        for location in nowhere {
            let server = Server::start();
            server.on("/s", Script::redirect(302, location));
            let seen = story(&follow(driver, &fast(&server.url("/s")), |_, _| {}));
            assert_eq!(seen, ["connect", "error Redirect 302 final", "close Redirect 302"], "{location:?}");
            assert_eq!(server.requests().len(), 1);
        }
        for status in [300, 304, 305, 306] {
            let server = Server::start();
            server.on("/s", Script::redirect(status, "/t"));
            let seen = story(&follow(driver, &fast(&server.url("/s")), |_, _| {}));
            assert_eq!(seen[1], format!("error HttpStatus {status} final"));
        }
    });
}

#[test]
fn the_redirects_own_body_is_not_read() {
    for_each_driver(|driver| {
        let server = Server::start();
        let head = Script::status(302, "Found").header("Location", "/t");
        server.on("/s", head.endless("x", 100 << 20));
        server.on("/t", stream());
        let seen = story_until(driver, &fast(&server.url("/s")), Kind::Message, 1);
        assert_eq!(seen[1..3], ["open", "message \"a\""]);
        server.wait_for_open(0, DEADLINE);
        assert!(server.connections()[0].sent < 50 << 20);
        assert_eq!(server.connections().len(), 2, "the connection is not used again");
    });
}

/// What of the caller's headers arrived.
fn arrived(request: &Request) -> Vec<&'static str> {
    ["authorization", "cookie", "x-secret", "x-plain", "last-event-id"]
        .into_iter()
        .filter(|name| request.header(name).is_some())
        .collect()
}

fn with_secrets(config: &mut Config) {
    config.set_header("Authorization", "Bearer x").unwrap().set_header("Cookie", "a=b").unwrap();
    config.set_secret_header("X-Secret", "s").unwrap().set_header("X-Plain", "p").unwrap();
    config.set_last_event_id("7").unwrap();
}

const ALL: [&str; 5] = ["authorization", "cookie", "x-secret", "x-plain", "last-event-id"];
const NOT_SECRET: [&str; 2] = ["x-plain", "last-event-id"];

#[test]
fn secrets_stay_with_their_origin() {
    // row 21
    for_each_driver(|driver| {
        let (home, away) = (Server::start(), Server::start());
        // In the origin everything goes along; to another port nothing secret does, and not on the way back either.
        home.on("/s", [Script::redirect(302, "/same"), Script::redirect(302, away.url("/t"))]);
        home.on("/same", stream());
        home.on("/back", stream());
        away.on("/t", Script::redirect(302, home.url("/back")));
        let mut config = fast(&home.url("/s"));
        with_secrets(&mut config);
        story_until(driver, &config, Kind::Message, 2);
        let requests = home.requests();
        assert_eq!(paths(&requests), ["/s", "/same", "/s", "/back"]);
        for request in &requests[..3] {
            assert_eq!(arrived(request), ALL, "{}", request.target);
        }
        assert_eq!(arrived(&away.requests()[0]), NOT_SECRET);
        assert_eq!(arrived(&requests[3]), NOT_SECRET);
        // Another name for the same host is another origin; and so it is for the credentials of the URL.
        home.reset();
        home.on("/s", [Script::redirect(307, home.url_by_name("/same")), Script::redirect(307, "/same")]);
        home.on("/same", stream());
        let config = fast(&format!("http://user:pw@127.0.0.1:{}/s", home.port()));
        story_until(driver, &config, Kind::Message, 2);
        let authorized: Vec<_> = home.requests().iter().map(|r| r.header("authorization").is_some()).collect();
        assert_eq!(authorized, [true, false, true, true]);
    });
}

#[test]
fn userinfo_in_a_location_is_ignored() {
    // row 21
    for_each_driver(|driver| {
        let server = Server::start();
        server.on("/s", Script::redirect(302, format!("http://evil:pw@127.0.0.1:{}/t", server.port())));
        server.on("/t", stream());
        let seen = follow_until(driver, &fast(&server.url("/s")), Kind::Message, 1);
        assert_eq!(seen[1].url, server.url("/t"));
        assert_eq!(server.requests()[1].header("authorization"), None);
    });
}

#[test]
fn a_post_keeps_its_body_on_307_and_308_only() {
    // row 22
    for_each_driver(|driver| {
        for status in STATUSES {
            let server = Server::start();
            server.on("/s", Script::redirect(status, "/t"));
            server.on("/t", Script::redirect(302, "/u"));
            server.on("/u", stream());
            let mut config = fast(&server.url("/s"));
            config.set_body(b"{}").unwrap().set_header("Content-Type", "application/json").unwrap();
            config.set_reconnect(ReconnectMode::Always).unwrap();
            story_until(driver, &config, Kind::Message, 2);
            let requests = server.requests();
            let kept = matches!(status, 307 | 308);
            let methods: Vec<_> = requests.iter().map(|r| r.method.as_str()).collect();
            // The next attempt begins with the configured method, whatever became of it; a permanent redirect is skipped.
            let round: &[&str] = if kept { &["POST", "POST", "GET"] } else { &["POST", "GET", "GET"] };
            let again: &[&str] = if matches!(status, 301 | 308) { &["POST", "GET"] } else { round };
            assert_eq!(methods, [round, again].concat());
            for request in &requests {
                let with_body = request.method == "POST";
                assert_eq!(request.body, if with_body { &b"{}"[..] } else { b"" });
                assert_eq!(request.header("content-type").is_some(), with_body, "{status} {}", request.target);
                assert_eq!(request.header("content-length").is_some(), with_body);
            }
        }
        // Any method but GET becomes GET on 301 to 303.
        let server = Server::start();
        server.on("/s", Script::redirect(302, "/t"));
        server.on("/t", stream());
        let mut config = fast(&server.url("/s"));
        config.set_method("REPORT").unwrap().set_body(b"x").unwrap();
        follow(driver, &config, |_, _| {});
        assert_eq!(server.requests()[1].method, "GET");
        // What describes a body goes with the method, were there a body or not; a GET with a body stays what it is.
        for (method, body, kept) in [("POST", None, false), ("GET", Some(b"x"), true)] {
            let server = Server::start();
            server.on("/s", Script::redirect(303, "/t"));
            server.on("/t", stream());
            let mut config = fast(&server.url("/s"));
            config.set_method(method).unwrap().set_header("Content-Type", "application/json").unwrap();
            if let Some(body) = body {
                config.set_body(body).unwrap();
            }
            story_until(driver, &config, Kind::Message, 1);
            let request = &server.requests()[1];
            assert_eq!((request.method.as_str(), request.header("content-type").is_some()), ("GET", kept));
            assert_eq!(request.body, body.map_or(&b""[..], |body| body));
        }
    });
}

#[test]
fn permanent_redirects_in_the_origin_are_remembered() {
    // row 48
    for_each_driver(|driver| {
        for (statuses, second) in [
            (["301", "302"], "/b"),
            (["308", "307"], "/b"),
            (["302", "301"], "/a"),
            (["301", "308"], "/c"),
            (["303", "302"], "/a"),
        ] {
            let server = Server::start();
            server.on("/a", Script::redirect(statuses[0].parse().unwrap(), "/b"));
            server.on("/b", Script::redirect(statuses[1].parse().unwrap(), "/c"));
            server.on("/c", stream());
            let seen = follow_until(driver, &fast(&server.url("/a")), Kind::Message, 2);
            let requests = server.requests();
            assert_eq!(paths(&requests)[..4], ["/a", "/b", "/c", second], "{statuses:?}");
            let connects: Vec<_> = seen.iter().filter(|e| e.kind == Kind::Connect).map(|e| e.url.as_str()).collect();
            assert_eq!(connects, [server.url("/a"), server.url(second)]);
        }
    });
}

#[test]
fn set_url_forgets_a_remembered_redirect_and_keeps_secrets_where_they_belong() {
    // row 21, row 48
    for_each_driver(|driver| {
        let (home, away) = (Server::start(), Server::start());
        home.on("/s", Script::redirect(308, "/t"));
        home.on("/t", Script::events("id: 1\ndata: a\n\n"));
        away.on("/s", stream());
        let urls = [home.url("/s"), format!("http://user:pw@{}/s", away.address()), away.url("/s"), home.url("/s")];
        let mut config = fast(&home.url("/s"));
        config.set_secret_header("X-Secret", "s").unwrap().set_header("X-Plain", "p").unwrap();
        let mut attempt = 0;
        let seen = follow(driver, &config, move |event, handle| {
            if event.kind() == Kind::Connect {
                attempt += 1;
                match attempt {
                    3..=6 => handle.set_url(&urls[attempt - 3]).unwrap(),
                    7 => handle.close().unwrap(),
                    _ => {}
                }
                if attempt == 5 {
                    handle.set_secret_header("X-Secret", Some("of away")).unwrap(); // bound to where it goes now
                }
            }
        });
        let secrets = |requests: &[Request]| {
            requests.iter().map(|r| (r.target.clone(), r.header("x-secret"))).collect::<Vec<_>>()
        };
        let (s, of_home) = (|path: &str| path.to_owned(), Some("s".to_owned()));
        let (both, one) = ([(s("/s"), of_home.clone()), (s("/t"), of_home.clone())], [(s("/t"), of_home)]);
        let last = [(s("/s"), None), (s("/t"), None)];
        assert_eq!(secrets(&home.requests()), [&both[..], &one, &both, &last].concat());
        assert_eq!(secrets(&away.requests()), [(s("/s"), None), (s("/s"), Some("of away".into()))]);
        // Credentials of a URL go with it; the last event ID stays.
        let away = away.requests();
        assert_eq!(away[0].header("authorization").as_deref(), Some("Basic dXNlcjpwdw=="));
        assert_eq!(away[1].header("authorization"), None);
        assert!(
            away.iter().all(|r| r.header("last-event-id").as_deref() == Some("1") && r.header("x-plain").is_some())
        );
        assert_eq!(seen.iter().filter(|e| e.kind == Kind::Connect).count(), 7);
    });
}

#[test]
fn what_a_captive_portal_could_say_is_not_remembered() {
    // row 48
    for_each_driver(|driver| {
        let (home, portal) = (Server::start(), Server::start());
        home.on("/s", [Script::redirect(301, portal.url("/login")), stream()]);
        portal.on("/login", Script::status(511, "Network Authentication Required").end());
        story_until(driver, &fast(&home.url("/s")), Kind::Message, 1);
        assert_eq!(paths(&home.requests()), ["/s", "/s"]);
        assert_eq!(portal.requests().len(), 1);
    });
}

#[test]
fn over_https_any_permanent_redirect_is_remembered_and_secrets_still_stay_at_home() {
    // row 21, row 48
    let ca = Ca::new();
    for_each_driver(|driver| {
        let (home, away) = (Server::start_tls(&Tls::new().ca(&ca)), Server::start_tls(&Tls::new().ca(&ca)));
        home.on("/s", Script::redirect(308, away.url("/t")));
        away.on("/t", stream());
        let mut config = fast(&home.url("/s"));
        config.set_only_ca_pem(ca.pem().as_bytes()).unwrap();
        with_secrets(&mut config);
        story_until(driver, &config, Kind::Message, 2);
        assert_eq!(home.requests().len(), 1);
        let requests = away.requests();
        assert_eq!(requests.len(), 2);
        for request in &requests {
            assert_eq!(arrived(request), NOT_SECRET);
        }
    });
}

#[test]
fn from_https_to_http_there_is_no_way() {
    // row 20
    let ca = Ca::new();
    for_each_driver(|driver| {
        let (home, plain) = (Server::start_tls(&Tls::new().ca(&ca)), Server::start());
        home.on("/s", Script::redirect(302, plain.url("/t")));
        let mut config = fast(&home.url("/s"));
        config.set_only_ca_pem(ca.pem().as_bytes()).unwrap();
        let seen = story(&follow(driver, &config, |_, _| {}));
        assert_eq!(seen, ["connect", "error Redirect 302 final", "close Redirect 302"]);
        assert!(plain.connections().is_empty());
        // The other way is fine.
        plain.on("/s", Script::redirect(302, home.url("/t")));
        home.on("/t", stream());
        let mut config = fast(&plain.url("/s"));
        config.set_only_ca_pem(ca.pem().as_bytes()).unwrap();
        assert_eq!(story_until(driver, &config, Kind::Message, 1)[2], "message \"a\"");
    });
}
