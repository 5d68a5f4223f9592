//! Proxies: real ones (tinyproxy, microsocks), started here, and hostile ones.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::io::{ErrorKind as Io, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use eventsource::{Config, ErrorKind, Kind, State};
use eventsource_test_server::Tls;

const NEXT: Driver = Driver::Next;

/// A proxy program of the system's, which ends with the test.
struct Program {
    child: Child,
    port: u16,
    files: Option<PathBuf>,
}

impl Program {
    fn start(name: &str, arguments: impl Fn(u16) -> Vec<String>) -> Program {
        // Somebody else may take the port between the question and the start.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new(name);
            command.args(arguments(port)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; it is a package of its name"));
            let mut program = Program { child, port, files: None };
            let end = Instant::now() + DEADLINE;
            while program.child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return program;
                }
                assert!(Instant::now() < end, "{name} does not listen");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        panic!("{name} ends at once");
    }

    fn tinyproxy(more: &str) -> Program {
        let own = (std::process::id(), std::thread::current().id());
        let config = std::env::temp_dir().join(format!("eventsource-tinyproxy-{own:?}.conf"));
        let mut program = Program::start("tinyproxy", |port| {
            let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Critical\n{more}\n");
            std::fs::write(&config, text).unwrap();
            vec!["-d".into(), "-c".into(), config.to_str().unwrap().into()]
        });
        program.files = Some(config);
        program
    }

    fn microsocks(more: &[&str]) -> Program {
        Program::start("microsocks", |port| {
            let own = ["-i".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
            own.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(file) = &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// A plain server and a TLS server, and their names as a proxy finds them.
fn servers() -> [Server; 2] {
    let servers = [Server::start(), Server::start_tls(&Tls::new())];
    for server in &servers {
        server.on(
            "/",
            [
                Script::sse().body("id: 1\ndata: a\n\n").wait_for("cut").reset(),
                Script::sse().body("data: b\n\n").stall(),
            ],
        );
        server.on("/once", Script::sse().body("data: a\n\n").stall());
    }
    servers
}

fn through(proxy: &str, server: &Server, path: &str) -> Config {
    let mut config = fast(&server.url_by_name(path));
    config.set_proxy(Some(proxy)).unwrap();
    if server.is_tls() {
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    }
    config
}

fn opens(config: &Config) {
    assert_eq!(story_until(NEXT, config, Kind::Message, 1)[..3], ["connect", "open", "message \"a\""]);
}

/// What the first attempt fails with.
fn fails(config: &Config) -> Seen {
    let seen = follow_until(NEXT, config, Kind::Error, 1);
    assert_eq!(seen[1].kind, Kind::Error, "{:?}", story(&seen));
    for event in &seen {
        assert!(!format!("{event:?}").contains("hush"), "the password shows in {event:?}");
    }
    seen[1].clone()
}

#[test]
fn real_proxies_carry_streams_of_http_and_https() {
    let (tiny, socks) = (Program::tinyproxy(""), Program::microsocks(&[]));
    for proxy in [format!("http://127.0.0.1:{}", tiny.port), format!("socks5://localhost:{}", socks.port)] {
        for server in servers() {
            let server = &server;
            for_each_driver(|driver| {
                server.on(
                    "/",
                    [
                        Script::sse().body("id: 1\ndata: a\n\n").wait_for("cut").reset(),
                        Script::sse().body("data: b\n\n").stall(),
                    ],
                );
                let before = server.requests().len();
                let mut session = Session::start(driver, &through(&proxy, server, "/"));
                session.until_message("a"); // the server still holds the connection: nothing buffers
                server.go("cut");
                session.until_message("b");
                let requests = server.wait_for_requests(before + 2, DEADLINE);
                assert_eq!(requests[before + 1].header("last-event-id").as_deref(), Some("1"));
                assert_eq!(requests[before].header("proxy-authorization"), None);
                session.close();
            });
        }
    }
}

#[test]
fn real_proxies_ask_for_credentials() {
    let tiny = Program::tinyproxy("BasicAuth friend hush");
    let socks = Program::microsocks(&["-u", "friend", "-P", "hush"]);
    for server in servers() {
        for (scheme, port) in [("http", tiny.port), ("socks5", socks.port)] {
            let proxy = |login: &str| format!("{scheme}://{login}127.0.0.1:{port}");
            opens(&through(&proxy("friend:%68ush@"), &server, "/once"));
            for login in ["", "friend:hush2@"] {
                let error = fails(&through(&proxy(login), &server, "/once"));
                assert_eq!(error.error, ErrorKind::Proxy, "{}", error.data);
                match (error.http_status, error.state) {
                    (407, State::Closed) => assert_eq!((scheme, login), ("http", "")),
                    // Its answer to a wrong password, which is not the standard's.
                    (401, State::Connecting) => assert_eq!((scheme, login), ("http", "friend:hush2@")),
                    (0, State::Connecting) => assert_eq!(scheme, "socks5"),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(server.requests().len(), 2);
        assert!(server.requests().iter().all(|request| request.header("proxy-authorization").is_none()));
    }
}

#[test]
fn real_proxies_that_cannot_reach_the_server_are_retried() {
    let (tiny, socks) = (Program::tinyproxy(""), Program::microsocks(&[]));
    let nobody = Server::start_refusing((std::net::Ipv4Addr::LOCALHOST, 0));
    for proxy in [format!("http://127.0.0.1:{}", tiny.port), format!("socks5://127.0.0.1:{}", socks.port)] {
        let error = fails(&through(&proxy, &nobody, "/"));
        assert_eq!((error.error, error.state, error.retry_ms), (ErrorKind::Proxy, State::Connecting, 1000));
        assert!(error.data.starts_with("the proxy "), "{}", error.data);
        assert_eq!(error.http_status >= 500, proxy.starts_with("http"), "{}", error.http_status);
        // A name that only the proxy asks for: it is not looked up here, and none there (a label of 64, so that nobody is asked).
        let mut config = fast(&format!("http://{}.invalid/", "a".repeat(64)));
        config.set_proxy(Some(&proxy)).unwrap();
        assert_eq!(fails(&config).error, ErrorKind::Proxy);
    }
}

/// Accepts connections one after the other, handing each to `serve`; ends with the test's last connection.
fn scripted(
    connections: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || (0..connections).for_each(|_| serve(listener.accept().unwrap().0)));
    (address, thread)
}

/// Reads on until the peer is gone.
fn drain(mut stream: &TcpStream) {
    while !matches!(stream.read(&mut [0; 4096]), Ok(0) | Err(_)) {}
}

#[test]
fn hostile_proxies_make_proxy_errors() {
    let endless = ["HTTP/1.1 200 OK\r\n".to_owned(), "X-Filler: y\r\n".repeat(100_000)].concat();
    let large = ["HTTP/1.1 200 OK\r\nX: ", &"y".repeat(2_000_000), "\r\n\r\n"].concat();
    // What the proxy answers, the kind, the status, and whether that is final.
    let table: [(&str, ErrorKind, u16, bool); 10] = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            ErrorKind::Proxy,
            407,
            true,
        ),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!", ErrorKind::Proxy, 502, false),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", ErrorKind::Proxy, 403, false),
        ("HTTP/1.1 301 Moved\r\nLocation: http://elsewhere.test/\r\n\r\n", ErrorKind::Proxy, 301, false),
        ("HTTP/1.1 200 OK\r\nVia: half", ErrorKind::Proxy, 0, false),
        ("", ErrorKind::Proxy, 0, false),
        ("\x05\x00", ErrorKind::Proxy, 0, false),
        (
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n",
            ErrorKind::Proxy,
            0,
            false,
        ),
        (&endless, ErrorKind::Proxy, 0, false),
        (&large, ErrorKind::Proxy, 0, false),
    ];
    for (answer, kind, status, is_final) in table {
        let bytes = answer.as_bytes().to_vec();
        let (address, thread) = scripted(1, move |mut stream| {
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            assert!(request[..n].ends_with(b"\r\n\r\n"), "the request does not come in one piece");
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            drain(&stream);
        });
        let mut config = fast("http://target.test/");
        config.set_proxy(Some(&format!("http://me:hush@{address}"))).unwrap();
        let error = fails(&config);
        let expected = if is_final { (State::Closed, -1) } else { (State::Connecting, 1000) };
        assert_eq!((error.error, error.http_status), (kind, status), "{:.60} {}", answer, error.data);
        assert_eq!((error.state, error.retry_ms), expected, "{:.60}", answer);
        thread.join().unwrap();
    }
}

#[test]
fn a_slow_proxy_is_waited_for_and_any_2xx_is_good() {
    let (address, thread) = scripted(1, |mut stream| {
        let mut request = [0; 4096];
        let n = stream.read(&mut request).unwrap();
        assert!(request[..n].starts_with(b"CONNECT target.test:80 HTTP/1.1\r\n"));
        stream.set_nodelay(true).unwrap();
        for byte in b"HTTP/1.1 201 Created\r\nServer: slow\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        let n = stream.read(&mut request).unwrap();
        assert!(request[..n].starts_with(b"GET / HTTP/1.1\r\n"));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n").unwrap();
        drain(&stream);
    });
    let mut config = fast("http://target.test/");
    config.set_proxy(Some(&format!("http://{address}"))).unwrap();
    opens(&config);
    thread.join().unwrap();
}

#[test]
fn silent_and_absent_proxies() {
    for scheme in ["http", "socks5"] {
        let (address, thread) = scripted(1, |stream| drain(&stream));
        let mut config = fast("http://target.test/");
        config.set_proxy(Some(&format!("{scheme}://{address}"))).unwrap();
        config.set_connect_timeout(Some(Duration::from_millis(100))).unwrap();
        let error = fails(&config);
        assert_eq!((error.error, error.retry_ms), (ErrorKind::TimedOut, 1000));
        thread.join().unwrap();

        let nobody = Server::start_refusing((std::net::Ipv4Addr::LOCALHOST, 0));
        let mut config = fast("http://target.test/");
        config.set_proxy(Some(&format!("{scheme}://{}", nobody.address()))).unwrap();
        let error = fails(&config);
        assert_eq!((error.error, error.retry_ms), (ErrorKind::Proxy, 1000));
        assert!(error.data.starts_with("the proxy cannot be reached: "), "{}", error.data);

        let (address, thread) = scripted(1, |mut stream| {
            let _ = stream.read(&mut [0; 100]);
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let mut config = fast("http://target.test/");
        config.set_proxy(Some(&format!("{scheme}://{address}"))).unwrap();
        let error = fails(&config);
        assert_eq!(error.error, ErrorKind::Proxy);
        assert!(error.data.contains("broke") || error.data.contains("closed"), "{}", error.data);
        thread.join().unwrap();
    }
}

#[test]
fn a_proxy_that_fails_costs_no_post() {
    // Nothing of the request was written: it is sent again.
    let server = Server::start();
    server.on("/", Script::events("data: a\n\n"));
    let target = server.address();
    let (address, thread) = {
        let turn = std::sync::atomic::AtomicUsize::new(0);
        scripted(2, move |mut stream| {
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            assert!(!request[..n].windows(4).any(|bytes| bytes == b"POST"));
            if turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                return stream.write_all(b"HTTP/1.1 503 Busy\r\n\r\n").unwrap();
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            splice(stream, TcpStream::connect(target).unwrap());
        })
    };
    let mut config = through(&format!("http://{address}"), &server, "/");
    config.set_body(b"question").unwrap();
    let seen = story(&follow(NEXT, &config, |_, _| {}));
    assert_eq!(seen, ["connect", "error Proxy 503 retry=1000", "connect", "open", "message \"a\"", "close Ended 200"]);
    assert_eq!(server.requests()[0].body, b"question");
    thread.join().unwrap();
}

/// Carries bytes both ways until both ends are done.
fn splice(a: TcpStream, b: TcpStream) {
    let carry = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) if to.write_all(&buffer[..n]).is_ok() => {}
                    Err(error) if error.kind() == Io::Interrupted => {}
                    _ => break,
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    let there = carry(a.try_clone().unwrap(), b.try_clone().unwrap());
    let back = carry(b, a);
    there.join().unwrap();
    back.join().unwrap();
}

#[test]
fn the_environment_is_read_when_asked_and_not_before() {
    let test = "the_environment_is_read_when_asked_and_not_before";
    if std::env::var_os("EVENTSOURCE_TEST_INNER").is_none() {
        let socks = Program::microsocks(&[]);
        let (refusing, thread) = scripted(1, |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(b"HTTP/1.1 403 No\r\n\r\n").unwrap();
            drain(&stream);
        });
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env("EVENTSOURCE_TEST_INNER", "1");
        for name in ["HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "NO_PROXY"] {
            command.env_remove(name);
        }
        command.env("HTTP_PROXY", "http://127.0.0.1:1/"); // which curl does not read either
        command.env("http_proxy", format!("http://{refusing}"));
        command.env("ALL_PROXY", format!("socks5://127.0.0.1:{}", socks.port));
        command.env("no_proxy", "127.0.0.1, .direct.test");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("1 passed"), "{text}");
        thread.join().unwrap();
        return;
    }
    let [plain, secure] = servers();
    // Not asked.
    opens(&fast(&plain.url_by_name("/once")));
    // http_proxy, which refuses.
    let mut config = fast(&plain.url_by_name("/once"));
    config.set_proxy_from_env().unwrap();
    let error = fails(&config);
    assert_eq!((error.error, error.http_status), (ErrorKind::Proxy, 403));
    // no_proxy: the same server by address.
    let mut config = fast(&plain.url("/once"));
    config.set_proxy_from_env().unwrap();
    opens(&config);
    // ALL_PROXY for https, a real one.
    let mut config = fast(&secure.url_by_name("/once"));
    config.set_only_ca_pem(secure.ca_pem().as_bytes()).unwrap();
    config.set_proxy_from_env().unwrap();
    opens(&config);
}
