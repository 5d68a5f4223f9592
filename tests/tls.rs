//! TLS: whose certificates are accepted, what a refusal says, and what a handshake that goes wrong comes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use common::*;
use eventsource::{Config, ErrorKind, Kind, State};
use eventsource_test_server::{Ca, Fault, Tls, TlsFacts};

const NEXT: Driver = Driver::Next;

fn serving(tls: &Tls) -> Server {
    let server = Server::start_tls(tls);
    server.on("/", Script::sse().body("data: a\n\n").stall());
    server
}

/// Trusts that server's authority and nobody else.
fn trusting(server: &Server) -> Config {
    let mut config = fast(&server.url_by_name("/"));
    config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    config
}

fn opens(config: &Config) {
    assert_eq!(story_until(NEXT, config, Kind::Message, 1)[..3], ["connect", "open", "message \"a\""]);
}

/// What the first attempt fails with.
fn fails(config: &Config) -> Seen {
    let seen = follow_until(NEXT, config, Kind::Error, 1);
    assert_eq!(seen[1].kind, Kind::Error, "{:?}", story(&seen));
    seen[1].clone()
}

/// The first attempt fails as a TLS error, which is retried, and says why.
fn fails_saying(config: &Config, words: &str) {
    let error = fails(config);
    assert_eq!((error.error, error.state, error.retry_ms), (ErrorKind::Tls, State::Connecting, 1000), "{}", error.data);
    assert!(error.data.contains(words), "{:?} does not say {words:?}", error.data);
}

fn facts(server: &Server, number: usize) -> TlsFacts {
    server.wait_for_requests(number + 1, DEADLINE);
    server.connections()[number].tls.clone().unwrap()
}

#[test]
fn certificates_that_do_not_verify_are_refused_in_words() {
    for (fault, words) in [
        (Fault::Expired, "has expired"),
        (Fault::NotYetValid, "is not valid yet"),
        (Fault::WrongHost, "is not valid for localhost (it names: "),
        (Fault::SelfSigned, "issued by nobody who is trusted here"),
        (Fault::UnknownCa, "issued by nobody who is trusted here"),
        (Fault::MissingIntermediate, "issued by nobody who is trusted here"),
    ] {
        let server = serving(&Tls::new().fault(fault));
        fails_saying(&trusting(&server), words);
        assert_eq!(server.requests().len(), 0, "the request was sent in spite of it");
    }
    // The platform's trust does not know a certificate of today either.
    fails_saying(&fast(&serving(&Tls::new()).url_by_name("/")), "issued by nobody who is trusted here");
}

#[test]
fn a_failure_of_tls_is_retried_and_may_pass() {
    let server = serving(&Tls::new().fault(Fault::Expired));
    let mut config = trusting(&server);
    config.set_max_retries(2).unwrap();
    let seen = story(&follow(NEXT, &config, |_, _| {}));
    let errors: Vec<_> = seen.iter().filter(|line| line.starts_with("error")).map(String::as_str).collect();
    assert_eq!(errors, ["error Tls retry=1000", "error Tls retry=2000", "error Tls final"]);
}

#[test]
fn what_verifies_is_spoken_to_in_tls_1_2_and_1_3() {
    for (tls, version) in [(Tls::new(), 3), (Tls::new().tls12(), 2), (Tls::new().intermediate(), 3)] {
        let server = serving(&tls);
        opens(&trusting(&server));
        let facts = facts(&server, 0);
        assert_eq!(facts.version, version);
        assert_eq!(facts.sni.as_deref(), Some("localhost"));
        assert_eq!(facts.alpn.as_deref(), Some("http/1.1"));
        assert_eq!(facts.client_certificates, 0);
    }
}

#[test]
fn addresses_are_names_too() {
    let server = serving(&Tls::new());
    let mut config = fast(&server.url("/"));
    config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    opens(&config);
    assert_eq!(facts(&server, 0).sni, None);
    let server = Server::start_tls_on((std::net::Ipv6Addr::LOCALHOST, 0), &Tls::new());
    server.on("/", Script::sse().body("data: a\n\n").stall());
    let mut config = fast(&server.url("/"));
    config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    opens(&config);
}

#[test]
fn http_1_1_is_asked_for_and_h2_never_spoken() {
    let server = serving(&Tls::new().alpn(&["h2", "http/1.1"]));
    opens(&trusting(&server));
    assert_eq!(facts(&server, 0).alpn.as_deref(), Some("http/1.1"));
    let server = serving(&Tls::new().alpn(&[]));
    opens(&trusting(&server));
    assert_eq!(facts(&server, 0).alpn, None);
    fails_saying(&trusting(&serving(&Tls::new().alpn(&["h2"]))), "broke the TLS handshake off");
}

#[test]
fn a_source_resumes_its_sessions_and_only_its_own() {
    for tls in [Tls::new(), Tls::new().tls12()] {
        let server = Server::start_tls(&tls);
        server.on("/", Script::events("data: a\n\n"));
        for source in 0..2 {
            follow_until(NEXT, &trusting(&server), Kind::Message, 2);
            assert!(!facts(&server, 2 * source).resumed);
            assert!(facts(&server, 2 * source + 1).resumed);
        }
    }
}

#[test]
fn pins_are_of_the_leaf_or_of_what_signed_it() {
    let plain = serving(&Tls::new());
    let ca = Ca::new();
    let chained = serving(&Tls::new().ca(&ca).intermediate());
    let pinned = |server: &Server, pins: &[String]| {
        let mut config = trusting(server);
        for pin in pins {
            config.add_pin(pin).unwrap();
        }
        config
    };
    opens(&pinned(&plain, &[plain.leaf_pin()]));
    opens(&pinned(&chained, &[chained.leaf_pin()]));
    opens(&pinned(&chained, &[chained.intermediate_pin()]));
    opens(&pinned(&chained, &[ca.pin()])); // which the server does not send
    opens(&pinned(&plain, &[chained.leaf_pin(), plain.leaf_pin()]));
    fails_saying(&pinned(&plain, &[chained.leaf_pin(), ca.pin()]), "no certificate of its chain has a pinned key");
}

#[test]
fn a_pinned_certificate_appended_to_a_foreign_chain_is_seen_through() {
    // The attacker holds a certificate that verifies, and sends the pinned authority's along.
    let (ours, pinned) = (Ca::new(), Ca::new());
    let attacker = serving(&Tls::new().ca(&ours).append(&pinned));
    let mut config = trusting(&attacker);
    opens(&config);
    config.add_pin(&pinned.pin()).unwrap();
    fails_saying(&config, "no certificate of its chain has a pinned key");
    // Also where the pinned authority is trusted as such.
    config.add_ca_pem(pinned.pem().as_bytes()).unwrap();
    fails_saying(&config, "no certificate of its chain has a pinned key");
    assert_eq!(attacker.requests().len(), 1, "only the attempt without a pin");
}

#[test]
fn a_pin_does_not_replace_verification() {
    for fault in [Fault::Expired, Fault::WrongHost, Fault::UnknownCa, Fault::SelfSigned] {
        let server = serving(&Tls::new().fault(fault));
        let mut config = trusting(&server);
        config.add_pin(&server.leaf_pin()).unwrap();
        assert_eq!(fails(&config).error, ErrorKind::Tls);
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn a_server_may_want_to_know_who_we_are() {
    for tls in [Tls::new(), Tls::new().tls12()] {
        let (ca, stranger) = (Ca::new(), Ca::new());
        let server = serving(&tls.client_ca(&ca));
        fails_saying(&trusting(&server), "client certificate");
        let mut config = trusting(&server);
        config.set_identity_pem(stranger.client_identity("stranger").as_bytes()).unwrap();
        fails_saying(&config, "client certificate");
        assert_eq!(server.requests().len(), 0);
        config.set_identity_pem(ca.client_identity("friend").as_bytes()).unwrap();
        opens(&config);
        let connections = server.connections();
        let last = connections.last().unwrap().tls.clone().unwrap();
        assert_eq!(last.client_certificates, 1);
    }
    // Who is not asked shows nothing.
    let server = serving(&Tls::new());
    let mut config = trusting(&server);
    config.set_identity_pem(Ca::new().client_identity("anybody").as_bytes()).unwrap();
    opens(&config);
    assert_eq!(facts(&server, 0).client_certificates, 0);
}

#[test]
fn redirects_between_servers_verify_each() {
    let ca = Ca::new();
    let good = serving(&Tls::new().ca(&ca));
    let bad = serving(&Tls::new().ca(&ca).fault(Fault::Expired));
    let first = Server::start_tls(&Tls::new().ca(&ca));
    first.on("/good", Script::redirect(302, good.url_by_name("/")));
    first.on("/bad", Script::redirect(302, bad.url_by_name("/")));
    let mut config = fast(&first.url_by_name("/good"));
    config.set_only_ca_pem(ca.pem().as_bytes()).unwrap();
    opens(&config);
    let mut config = fast(&first.url_by_name("/bad"));
    config.set_only_ca_pem(ca.pem().as_bytes()).unwrap();
    fails_saying(&config, "has expired");
}

/// A server that answers the first bytes it reads with `answer`, then closes (or resets), or stays silent for None.
fn raw(answer: Option<Vec<u8>>, reset: bool) -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut hello = [0; 4096];
        assert!(stream.read(&mut hello).unwrap() > 5);
        assert_eq!(hello[0], 22, "a handshake record");
        match answer {
            // Ends with the client's own end.
            None => while matches!(stream.read(&mut hello), Ok(1..)) {},
            Some(answer) => {
                let _ = stream.write_all(&answer); // it may hang up before the last of it
                if reset {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                } else {
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    while matches!(stream.read(&mut hello), Ok(1..)) {}
                }
            }
        }
    });
    (address, thread)
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1, (payload.len() >> 8) as u8, payload.len() as u8], payload].concat()
}

/// The ServerHello of a server that knows TLS 1.0 and no more, in reply to any hello.
fn tls_1_0_hello() -> Vec<u8> {
    let mut hello = vec![3, 1];
    hello.extend([7; 32]); // random
    hello.extend([0, 0xc0, 0x13, 0]); // no session, ECDHE-RSA-AES128-SHA, no compression
    record(22, &[&[2, 0, 0, hello.len() as u8], &hello[..]].concat())
}

#[test]
fn what_is_no_safe_tls_is_refused_in_words() {
    for (answer, words) in [
        (record(21, &[2, 70]), "speaks no version of TLS"), // protocol_version
        (tls_1_0_hello(), "speaks no version of TLS"),
        (record(21, &[2, 40]), "broke the TLS handshake off"), // handshake_failure
        (b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port".to_vec(), "is not TLS"),
        (b"220 mail.test ESMTP\r\n".to_vec(), "is not TLS"),
        (vec![0; 100_000], "is not TLS"),
        (vec![0x16; 100_000], "TLS"),
        ((0..60_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect(), "TLS"),
        (Vec::new(), "closed the connection during the TLS handshake"),
        (record(22, &[2, 0, 0, 70])[..7].to_vec(), "closed the connection during the TLS handshake"),
    ] {
        let (address, thread) = raw(Some(answer), false);
        fails_saying(&fast(&format!("https://{address}/")), words);
        thread.join().unwrap();
    }
    let (address, thread) = raw(Some(Vec::new()), true);
    fails_saying(&fast(&format!("https://{address}/")), "broke during the TLS handshake");
    thread.join().unwrap();
}

#[test]
fn a_handshake_that_stalls_is_timed_out() {
    for answer in [None, Some(())] {
        let (address, thread) = match answer {
            None => raw(None, false),
            Some(()) => {
                // A byte of a record now and then is no progress.
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let thread = std::thread::spawn(move || {
                    let mut stream = listener.accept().unwrap().0;
                    stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                    stream.write_all(&[22, 3, 3, 0x10, 0]).unwrap();
                    while stream.write_all(&[0]).is_ok() {
                        if matches!(stream.read(&mut [0; 4096]), Ok(0)) {
                            break;
                        }
                    }
                });
                (address, thread)
            }
        };
        let mut config = fast(&format!("https://{address}/"));
        config.set_connect_timeout(Some(Duration::from_millis(150))).unwrap();
        let error = fails(&config);
        assert_eq!((error.error, error.retry_ms), (ErrorKind::TimedOut, 1000));
        assert_eq!(error.data, "no connection to 127.0.0.1 within 150ms");
        thread.join().unwrap();
    }
}

/// Runs the calling test again in a process of its own with this environment. The trust store is read once a process.
fn in_a_process_of_its_own(test: &str, environment: &[(&str, &str)]) -> bool {
    if std::env::var_os("EVENTSOURCE_TEST_INNER").is_some() {
        return false;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("EVENTSOURCE_TEST_INNER", "1");
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
    true
}

#[test]
#[cfg(all(unix, not(target_vendor = "apple")))]
fn without_a_trust_store_the_error_says_what_to_do() {
    let test = "without_a_trust_store_the_error_says_what_to_do";
    if in_a_process_of_its_own(test, &[("SSL_CERT_FILE", "/nowhere/at/all"), ("SSL_CERT_DIR", "/nowhere/either")]) {
        return;
    }
    let server = serving(&Tls::new());
    let config = fast(&server.url_by_name("/"));
    fails_saying(&config, "this system has no trusted certificates");
    fails_saying(&config, "install the package ca-certificates");
    assert_eq!(server.connections().len(), 0, "there is no point in connecting");
    // Who brings trust along needs no store, and http needs none.
    opens(&trusting(&server));
    let mut config = fast(&server.url_by_name("/"));
    config.add_ca_pem(server.ca_pem().as_bytes()).unwrap();
    opens(&config);
    let plain = Server::start();
    plain.on("/", Script::sse().body("data: a\n\n").stall());
    opens(&fast(&plain.url("/")));
}

#[test]
#[cfg(all(unix, not(target_vendor = "apple")))]
fn the_platforms_trust_is_the_default_and_can_be_added_to() {
    let test = "the_platforms_trust_is_the_default_and_can_be_added_to";
    let platform = Ca::new();
    let file = std::env::temp_dir().join(format!("eventsource-platform-{}.pem", std::process::id()));
    if std::env::var_os("EVENTSOURCE_TEST_INNER").is_none() {
        std::fs::write(&file, platform.pem()).unwrap();
        // The inner process makes servers by the same authority: hand it over, key and all, as it stands here.
        let server = serving(&Tls::new().ca(&platform).intermediate());
        let other = serving(&Tls::new());
        let environment = [
            ("SSL_CERT_FILE", file.to_str().unwrap().to_owned()),
            ("TEST_PLATFORM", server.url_by_name("/")),
            ("TEST_PLATFORM_PIN", platform.pin()),
            ("TEST_OTHER", other.url_by_name("/")),
            ("TEST_OTHER_CA", other.ca_pem()),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert!(in_a_process_of_its_own(test, &environment));
        let _ = std::fs::remove_file(&file);
        return;
    }
    let given = |name: &str| std::env::var(name).unwrap();
    let config = |name: &str| fast(&given(name));
    opens(&config("TEST_PLATFORM"));
    fails_saying(&config("TEST_OTHER"), "issued by nobody who is trusted here");
    for name in ["TEST_PLATFORM", "TEST_OTHER"] {
        let mut both = config(name);
        both.add_ca_pem(given("TEST_OTHER_CA").as_bytes()).unwrap();
        opens(&both);
    }
    let mut instead = config("TEST_PLATFORM");
    instead.set_only_ca_pem(given("TEST_OTHER_CA").as_bytes()).unwrap();
    fails_saying(&instead, "issued by nobody who is trusted here");
    // An anchor of the platform's can be pinned, though the server does not send it.
    let mut pinned = config("TEST_PLATFORM");
    pinned.add_pin(&given("TEST_PLATFORM_PIN")).unwrap();
    opens(&pinned);
}
