//! Scripted proxies, good and hostile, under a whole request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::net::tests::{Attempt, OK, Server, pki, request};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

fn through(proxy: &str) -> Attempt {
    Attempt::new(|config| {
        config.set_proxy(Some(proxy)).unwrap();
    })
}

fn text(attempt: &Attempt, url: &str) -> String {
    String::from_utf8(attempt.get(url).unwrap().rest().0).unwrap()
}

/// What a proxy that answers CONNECT with `answer` makes of an attempt: nothing of the request may reach it.
fn refused(credentials: &str, answer: impl Into<Vec<u8>>) -> (ErrorKind, String, u16) {
    let answer = answer.into();
    let server = Server::new(1, move |mut stream| {
        request(&stream);
        let _ = stream.write_all(&answer);
        let _ = stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    });
    let attempt = through(&format!("http://{credentials}{}", server.address));
    attempt.get("http://target.test/").unwrap_err();
    assert!(!attempt.wire.wrote());
    server.join();
    let (kind, message) = attempt.failure();
    (kind, message, attempt.wire.proxy_status())
}

#[test]
fn connect_leads_to_the_server() {
    for answer in
        ["HTTP/1.1 200 Connection established", "HTTP/1.0 201 Fine\r\nVia: x", "HTTP/1.1 103 Wait\r\n\r\nHTTP/1.1 299"]
    {
        let server = Server::new(1, move |mut stream| {
            let mut first = [0; 1024];
            let n = stream.read(&mut first).unwrap();
            assert_eq!(
                std::str::from_utf8(&first[..n]).unwrap(),
                "CONNECT target.test:8080 HTTP/1.1\r\nHost: target.test:8080\r\n\
                 Proxy-Authorization: Basic dTpwQA==\r\n\r\n",
                "not in one piece"
            );
            write!(stream, "{answer}\r\n\r\n").unwrap();
            assert!(request(&stream).starts_with("GET /path HTTP/1.1\r\nhost: target.test:8080\r\n"));
            stream.write_all(OK).unwrap();
            stream.write_all(b"data: 1\n\n").unwrap();
        });
        let attempt = through(&format!("http://u:p%40@{}", server.address));
        assert_eq!(text(&attempt, "http://target.test:8080/path"), "data: 1\n\n");
        assert!(attempt.wire.wrote());
        assert_eq!(attempt.wire.proxy_status(), 0);
        server.join();
    }
}

#[test]
fn connect_writes_addresses_as_urls_do() {
    let server = Server::new(1, |mut stream| {
        assert!(request(&stream).starts_with("CONNECT [fe80::1]:81 HTTP/1.1\r\nHost: [fe80::1]:81\r\n\r\n"));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        request(&stream);
        stream.write_all(OK).unwrap();
    });
    text(&through(&format!("http://{}", server.address)), "http://[fe80::1%25eth0]:81/");
    server.join();
}

#[test]
fn tls_runs_through_the_tunnel() {
    let pki = pki::Pki::new();
    let config = pki.server(&["target.test"]);
    for socks in [false, true] {
        let config = config.clone();
        let server = Server::new(1, move |mut stream| {
            if socks {
                serve_socks5(&mut stream, None);
            } else {
                assert!(request(&stream).starts_with("CONNECT target.test:443 "));
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            }
            let mut session = pki::accept(config.clone(), stream);
            request(&mut session);
            session.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        });
        let attempt = Attempt::new(|config| {
            let scheme = if socks { "socks5" } else { "http" };
            config.set_proxy(Some(&format!("{scheme}://{}", server.address))).unwrap();
            config.tls.only_ca = Some(vec![pki.ca()]);
        });
        assert_eq!(text(&attempt, "https://target.test/"), "hello");
        server.join();
    }
}

#[test]
fn refusals_are_told_in_words_and_numbers() {
    let table: [(&str, &str, &str, u16); 9] = [
        ("", "HTTP/1.1 407 Auth\r\n\r\n", "the proxy wants a user and a password (407)", 407),
        ("u:secret@", "HTTP/1.1 407 Auth\r\n\r\n", "the proxy does not accept the user and password (407)", 407),
        ("", "HTTP/1.1 502 Bad\tGate\x1bway\r\n\r\nbody", "the proxy refused: 502 Bad Gate way", 502),
        ("", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "the proxy refused: 302 Found", 302),
        ("", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "the proxy sent more than its answer", 0),
        ("", "HTTP/1.1 20\r\n\r\n", "the proxy's answer is not HTTP", 0),
        ("", "HTTP/1.1 2000\r\n\r\n", "the proxy's answer is not HTTP", 0),
        ("", "SSH-2.0-x\r\n\r\n", "the proxy's answer is not HTTP", 0),
        ("", "HTTP/1.1 200 OK\r\nVia: ", "the proxy closed the connection before the way to the server was open", 0),
    ];
    for (credentials, answer, message, status) in table {
        assert_eq!(refused(credentials, answer), (ErrorKind::Proxy, message.into(), status), "{answer:?}");
    }
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"X: y\r\n".repeat(1_000_000);
    let (kind, message, _) = refused("", endless);
    assert_eq!((kind, &*message), (ErrorKind::Proxy, "the proxy's answer is larger than 64 KiB"));
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    assert_eq!(refused("", endless).1, "the proxy's answer is larger than 64 KiB");
}

#[test]
fn a_proxy_out_of_reach_or_silent() {
    let attempt = through("http://127.0.0.1:1");
    attempt.get("http://target.test/").unwrap_err();
    let words = "the proxy cannot be reached: cannot connect to 127.0.0.1:1: Connection refused";
    assert_eq!(attempt.failure(), (ErrorKind::Proxy, words.into()));

    let attempt = through(&format!("socks5://{}:1", "a".repeat(64)));
    attempt.get("http://target.test/").unwrap_err();
    assert_eq!(attempt.failure().0, ErrorKind::Proxy);

    for scheme in ["http", "socks5"] {
        let server = Server::new(1, |mut stream| while stream.read(&mut [0; 100]).unwrap() > 0 {});
        let attempt = Attempt::new(|config| {
            config.set_proxy(Some(&format!("{scheme}://{}", server.address))).unwrap();
            config.set_connect_timeout(Some(Duration::from_millis(50))).unwrap();
        });
        attempt.get("http://target.test/").unwrap_err();
        assert_eq!(attempt.failure(), (ErrorKind::TimedOut, "no connection to target.test within 50ms".into()));
        server.join();
    }

    // A byte now and then does not stretch the time.
    let server = Server::new(1, |mut stream| {
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        while stream.write_all(b"H").is_ok() {
            if matches!(stream.read(&mut [0; 1000]), Ok(0)) {
                break;
            }
        }
    });
    let attempt = Attempt::new(|config| {
        config.set_proxy(Some(&format!("http://{}", server.address))).unwrap();
        config.set_connect_timeout(Some(Duration::from_millis(100))).unwrap();
    });
    attempt.get("http://target.test/").unwrap_err();
    assert_eq!(attempt.failure().0, ErrorKind::TimedOut);
    server.join();
}

/// The server's half of SOCKS5, up to a tunnel, of which this stream then is the far end. Says what was asked for.
fn serve_socks5(stream: &mut TcpStream, login: Option<(&[u8], &[u8])>) -> Vec<u8> {
    let [5, methods] = read_array(stream).unwrap() else { panic!("not SOCKS5") };
    let mut offered = vec![0; methods.into()];
    stream.read_exact(&mut offered).unwrap();
    match login {
        None => {
            assert!(offered.contains(&0));
            stream.write_all(&[5, 0]).unwrap();
        }
        Some((user, password)) => {
            assert_eq!(offered, [0, 2]);
            stream.write_all(&[5, 2]).unwrap();
            let mut part = |prefix: &[u8], wanted: &[u8]| {
                let mut got = vec![0; prefix.len() + wanted.len()];
                stream.read_exact(&mut got).unwrap();
                assert_eq!(got, [prefix, wanted].concat());
            };
            part(&[1, user.len() as u8], user);
            part(&[password.len() as u8], password);
            stream.write_all(&[1, 0]).unwrap();
        }
    }
    let head: [u8; 4] = read_array(stream).unwrap();
    assert_eq!(head[..3], [5, 1, 0]);
    let length = match head[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(read_array::<1>(stream).unwrap()[0]),
    };
    let mut target = vec![0; length + 2];
    stream.read_exact(&mut target).unwrap();
    stream.write_all(&[5, 0, 0, 3, 4, b'n', b'a', b'm', b'e', 0, 80]).unwrap();
    target
}

#[test]
fn socks5_leads_to_the_server() {
    type Credentials<'a> = Option<(&'a [u8], &'a [u8])>;
    let table: [(&str, &str, Credentials<'_>, &[u8]); 4] = [
        ("", "http://target.test:258/", None, b"target.test\x01\x02"),
        ("u:p%40@", "http://target.test/", Some((b"u", b"p@")), b"target.test\x00\x50"),
        ("", "http://10.1.2.3/", None, b"\x0a\x01\x02\x03\x00\x50"),
        ("", "http://[::5]/", None, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\x00\x50"),
    ];
    for (credentials, url, login, target) in table {
        let server = Server::new(1, move |mut stream| {
            assert_eq!(serve_socks5(&mut stream, login), target);
            request(&stream);
            stream.write_all(OK).unwrap();
            stream.write_all(b"data: 1\n\n").unwrap();
        });
        let attempt = through(&format!("socks5://{credentials}{}", server.address));
        assert_eq!(text(&attempt, url), "data: 1\n\n");
        server.join();
    }
}

#[test]
fn socks5_refusals_are_told_in_words() {
    let open: &[u8] = &[5, 0];
    let table: [(&str, &[u8], &str); 11] = [
        ("", &[5, 0xff], "the proxy wants a user and a password"),
        ("u:secret@", &[5, 0xff], "the proxy accepts no way to log in that this client knows"),
        ("u:secret@", &[5, 2, 1, 1], "the proxy does not accept the user and password"),
        ("", &[5, 2], "the proxy's answer is not SOCKS5"),
        ("", b"HTTP/1.1 400 Bad Request\r\n\r\n", "the proxy's answer is not SOCKS5"),
        (
            "",
            &[5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0],
            "the proxy could not connect to the server: the server refused the connection",
        ),
        ("", &[5, 0, 5, 99, 0, 1, 0, 0, 0, 0, 0, 0], "the proxy could not connect to the server: it failed"),
        ("", &[5, 0, 4, 0, 0, 1], "the proxy's answer is not SOCKS5"),
        ("", &[5, 0, 5, 0, 0, 9], "the proxy's answer is not SOCKS5"),
        ("", &[5, 0, 5, 0, 0, 3, 200, 1], "the proxy closed the connection before the way to the server was open"),
        ("", open, "the proxy closed the connection before the way to the server was open"),
    ];
    for (credentials, answer, message) in table {
        let server = Server::new(1, move |mut stream| {
            stream.write_all(answer).unwrap();
            let _ = stream.shutdown(Shutdown::Write); // the client may have had enough already
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            assert!(!rest.windows(4).any(|bytes| bytes == b"GET "));
        });
        let attempt = through(&format!("socks5://{credentials}{}", server.address));
        attempt.get("http://target.test/").unwrap_err();
        assert_eq!(attempt.failure(), (ErrorKind::Proxy, message.into()), "{answer:?}");
        server.join();
    }
}

#[test]
fn the_environment_chooses_by_target() {
    let server = Server::new(2, |mut stream| {
        let head = request(&stream);
        if head.starts_with("CONNECT ") {
            stream.write_all(b"HTTP/1.1 403 No\r\n\r\n").unwrap();
        } else {
            stream.write_all(OK).unwrap();
        }
    });
    let proxy = format!("http://{}", server.address);
    let environment = crate::proxy_url::ProxyEnv::read(|name| match name {
        "http_proxy" => Some(proxy.clone()),
        "no_proxy" => Some("127.0.0.0/8".to_owned()),
        _ => None,
    });
    let environment = crate::config::Proxy::Env(environment.unwrap());
    let attempt = Attempt::new(|config| config.proxy = environment.clone());
    attempt.get("http://target.test/").unwrap_err();
    assert_eq!((attempt.failure().0, attempt.wire.proxy_status()), (ErrorKind::Proxy, 403));
    let attempt = Attempt::new(|config| config.proxy = environment);
    attempt.get(&server.url()).unwrap();
    server.join();
}
