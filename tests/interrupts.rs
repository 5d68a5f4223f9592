//! Close, pause, reconnect and free in every phase that blocks: each ends at once, and leaves no thread and no descriptor.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::any::Any;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::*;
use eventsource::{Config, EventSource, Kind, State};
use eventsource_test_server::{BlackHole, Tls};

/// Far above what anything here takes: only a hang reaches it.
const HANG: Duration = Duration::from_secs(10);

/// A source that will block, and how to know that it does.
struct Phase {
    config: Config,
    /// The last event before it blocks, if that is later than CONNECT.
    after: Kind,
    /// Returns once it blocks, or as near to that as can be seen from outside.
    blocks: Box<dyn FnMut()>,
    /// Lives as long as the phase is needed.
    _keep: Box<dyn Any>,
}

impl Phase {
    fn new(config: Config, after: Kind, blocks: impl FnMut() + 'static, keep: impl Any) -> Phase {
        Phase { config, after, blocks: Box::new(blocks), _keep: Box::new(keep) }
    }
}

/// Takes what each connection sends first (or nothing of it), tells, answers with `answer` and is silent from then on.
struct Silent {
    address: SocketAddr,
    spoke: mpsc::Receiver<()>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silent {
    fn new(reads: bool, answer: &'static [u8]) -> Silent {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, spoke) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = over.clone();
        let thread = std::thread::spawn(move || {
            let mut threads = Vec::new();
            loop {
                let mut stream = listener.accept().unwrap().0;
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                let (tell, is_over) = (tell.clone(), is_over.clone());
                threads.push(std::thread::spawn(move || {
                    let mut bytes = [0; 8192];
                    if reads {
                        let _ = stream.read(&mut bytes);
                        let _ = stream.write_all(answer);
                        let _ = tell.send(());
                        while !matches!(stream.read(&mut bytes), Ok(0) | Err(_)) {}
                    } else {
                        // A request too large for the buffers on the way is not taken, so its end does not come either.
                        let _ = stream.peek(&mut bytes);
                        let _ = tell.send(());
                        while !is_over.load(Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                }));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Silent { address, spoke, over, thread: Some(thread) }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Local port, remote port and state of every IPv4 connection.
fn states() -> impl Iterator<Item = (u16, u16, u8)> {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
    lines.into_iter().map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let port = |field: &str| u16::from_str_radix(field.split(':').nth(1).unwrap(), 16).unwrap();
        (port(fields[1]), port(fields[2]), u8::from_str_radix(fields[3], 16).unwrap())
    })
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + HANG;
    while !done() {
        assert!(Instant::now() < end, "{what} does not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn spoken_to(url: &str, silent: Silent, change: impl FnOnce(&mut Config, SocketAddr)) -> Phase {
    let address = silent.address;
    let mut config = fast(&url.replace("HERE", &address.to_string()));
    change(&mut config, address);
    let silent = Rc::new(silent);
    let spoken = silent.clone();
    Phase::new(config, Kind::Connect, move || spoken.spoke.recv_timeout(HANG).unwrap(), silent)
}

const SYN_SENT: u8 = 2;

fn tcp() -> Phase {
    let hole = BlackHole::start();
    let mut config = fast(&format!("http://{}/", hole.address()));
    config.set_connect_timeout(None).unwrap();
    let port = hole.address().port();
    let waiting = states().filter(|state| state.1 == port && state.2 == SYN_SENT).count();
    let blocks = move || {
        until("a SYN", || states().filter(|state| state.1 == port && state.2 == SYN_SENT).count() > waiting);
    };
    Phase::new(config, Kind::Connect, blocks, hole)
}

fn proxy_connect() -> Phase {
    spoken_to("http://target.test/", Silent::new(true, b"HTTP/1.1 200 OK\r\n"), |config, address| {
        config.set_proxy(Some(&format!("http://{address}"))).unwrap();
    })
}

fn proxy_socks() -> Phase {
    spoken_to("http://target.test/", Silent::new(true, b"\x05\x00"), |config, address| {
        config.set_proxy(Some(&format!("socks5://{address}"))).unwrap();
    })
}

fn tls() -> Phase {
    spoken_to("https://HERE/", Silent::new(true, b""), |_, _| {})
}

fn request() -> Phase {
    spoken_to("http://HERE/", Silent::new(false, b""), |config, _| {
        config.set_body(&vec![b'x'; 64 << 20]).unwrap();
    })
}

fn head() -> Phase {
    spoken_to("http://HERE/", Silent::new(true, b"HTTP/1.1 200 OK\r\n"), |_, _| {})
}

fn refused_body() -> Phase {
    spoken_to("http://HERE/", Silent::new(true, b"HTTP/1.1 500 No\r\n\r\nhalf of a"), |_, _| {})
}

fn served(server: Server, script: Script) -> Phase {
    server.on("/", script);
    let mut config = fast(&server.url("/"));
    config.set_compression(true).unwrap();
    if server.is_tls() {
        config.set_only_ca_pem(server.ca_pem().as_bytes()).unwrap();
    }
    Phase::new(config, Kind::Message, || {}, server)
}

fn body() -> Phase {
    served(Server::start(), Script::sse().body("data: a\n\n").stall())
}

fn body_chunked() -> Phase {
    served(Server::start(), Script::sse().chunked().body("data: a\n\n").stall())
}

fn body_gzip() -> Phase {
    served(Server::start(), Script::sse().gzip().body("data: a\n\n").stall())
}

fn body_tls() -> Phase {
    served(Server::start_tls(&Tls::new()), Script::sse().body("data: a\n\n").stall())
}

fn back_off() -> Phase {
    let nobody = Server::start_refusing((std::net::Ipv4Addr::LOCALHOST, 0));
    let mut config = Config::new(&nobody.url("/")).unwrap();
    let hour = Duration::from_secs(3600);
    config.set_retry(hour, hour).unwrap();
    Phase::new(config, Kind::Error, || {}, nobody)
}

type Make = fn() -> Phase;

const PHASES: [(&str, Make); 12] = [
    ("TCP connect", tcp),
    ("proxy, CONNECT", proxy_connect),
    ("proxy, SOCKS5", proxy_socks),
    ("TLS handshake", tls),
    ("request body", request),
    ("response head", head),
    ("refused body", refused_body),
    ("body", body),
    ("body, chunked", body_chunked),
    ("body, gzip", body_gzip),
    ("body, TLS", body_tls),
    ("back-off", back_off),
];

/// Threads and descriptors of this process.
fn held() -> (usize, usize) {
    (std::fs::read_dir("/proc/self/task").unwrap().count(), std::fs::read_dir("/proc/self/fd").unwrap().count())
}

/// The same when nothing is about to end: a joined thread is gone from the list a moment later.
fn held_at_rest() -> (usize, usize) {
    let (mut last, mut since) = (held(), Instant::now());
    while since.elapsed() < Duration::from_millis(100) {
        std::thread::sleep(Duration::from_millis(1));
        let now = held();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

fn settle(before: (usize, usize), what: &str) {
    let end = Instant::now() + HANG;
    while held() != before {
        assert!(Instant::now() < end, "{what} leaves (threads, descriptors) {:?}, it had {before:?}", held());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A session that blocks.
fn blocked(driver: Driver, phase: &mut Phase) -> Session {
    let mut session = Session::start(driver, &phase.config);
    session.until(phase.after);
    (phase.blocks)();
    session
}

/// One test, since it counts what the process has.
#[test]
fn every_phase_ends_at_once_and_leaves_nothing() {
    match std::env::var_os("HANG_FILE") {
        None => {
            phases();
            if cfg!(target_os = "linux") {
                in_a_process_whose_lookups_hang("every_phase_ends_at_once_and_leaves_nothing");
            }
        }
        Some(file) => lookups(Path::new(&file)),
    }
}

fn phases() {
    // Whatever is made once in a process is made now.
    let mut warm = tls();
    blocked(Driver::Start, &mut warm).close();
    drop(warm);
    let before = held_at_rest();
    for (name, make) in PHASES {
        let mut times = Vec::new();
        for driver in DRIVERS {
            let mut phase = make();
            let mut session = blocked(driver, &mut phase);
            let begun = Instant::now();
            session.handle.close().unwrap();
            let seen = session.end();
            times.push(begun.elapsed());
            assert_eq!(seen.last().unwrap().kind, Kind::Close);
            assert!(
                seen.iter().filter(|event| event.kind == Kind::Error).count()
                    <= usize::from(phase.after == Kind::Error)
            );

            // A pause ends it and makes no error; another attempt follows at the resume.
            session = blocked(driver, &mut phase);
            session.handle.pause().unwrap();
            assert_eq!(session.handle.state(), State::Paused);
            session.handle.resume().unwrap();
            session.expect(Kind::Connect);
            session.close();

            // Reconnect ends it, and another attempt follows at once.
            session = blocked(driver, &mut phase);
            session.handle.reconnect().unwrap();
            session.expect(Kind::Connect);
            session.close();
            drop(phase);
            settle(before, name);
        }
        // free waits until all is over.
        let mut phase = make();
        let source = EventSource::new(&phase.config).unwrap();
        let (tell, told) = mpsc::channel();
        source.on(None, None, move |event| tell.send(event.kind()).unwrap()).unwrap();
        source.start().unwrap();
        while told.recv_timeout(HANG).unwrap() != phase.after {}
        (phase.blocks)();
        let begun = Instant::now();
        source.free();
        times.push(begun.elapsed());
        assert_eq!(told.iter().last(), Some(Kind::Close));
        drop(phase);
        settle(before, name);
        times.sort();
        println!("{name:15} {:?} .. {:?}", times[0], times[times.len() - 1]);
        assert!(times[times.len() - 1] < HANG);
    }
}

fn in_a_process_whose_lookups_hang(test: &str) {
    let directory = std::env::temp_dir().join(format!("eventsource-hang-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let [library, file] = ["hang.so", "hang"].map(|name| directory.join(name));
    std::fs::write(&file, "").unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/hang.c");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status().unwrap();
    assert!(built.success());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    let output = command.env("HANG_FILE", &file).env("LD_PRELOAD", &library).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{}", text.lines().find_map(|line| line.find("lookup  ").map(|at| &line[at..])).unwrap_or_default());
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
    std::fs::remove_dir_all(&directory).unwrap();
}

fn lookups(file: &Path) {
    let asked = |file: &Path| std::fs::read(file.with_extension("asked")).map_or(0, |text| text.len());
    let config = |host: usize| {
        let mut config = fast(&format!("http://{host}.test/"));
        config.set_connect_timeout(None).unwrap();
        config
    };
    blocked(Driver::Start, &mut back_off()).close();
    let before = held_at_rest();
    let mut times = Vec::new();
    // One name: one helper, whoever asks; another where the network may have changed, up to three.
    let mut lookups = 1;
    for driver in DRIVERS {
        let mut session = Session::start(driver, &config(0));
        session.expect(Kind::Connect);
        until("the lookup", || asked(file) == lookups);
        session.handle.reconnect().unwrap();
        session.expect(Kind::Connect);
        lookups = 3.min(lookups + 1);
        until("the lookup after reconnect", || asked(file) == lookups);
        session.handle.pause().unwrap();
        session.handle.resume().unwrap();
        session.expect(Kind::Connect);
        lookups = 3.min(lookups + 1);
        until("the lookup after resume", || asked(file) == lookups);
        let begun = Instant::now();
        session.close();
        times.push(begun.elapsed());
    }
    settle((before.0 + 3, before.1), "the lookups of one name");
    // Many names: never more than 16 helpers, and whoever waits for one ends as promptly.
    let sessions: Vec<_> = (0..40).map(|host| Session::start(Driver::Start, &config(host))).collect();
    until("16 lookups", || asked(file) == 16);
    for session in sessions {
        let begun = Instant::now();
        session.close();
        times.push(begun.elapsed());
    }
    settle((before.0 + 16, before.1), "40 lookups");
    assert_eq!(asked(file), 16);
    times.sort();
    println!("lookup          {:?} .. {:?}", times[0], times[times.len() - 1]);
    assert!(times[times.len() - 1] < HANG);
    // And the helpers end when libc lets go.
    std::fs::remove_file(file).unwrap();
    settle(before, "the helpers");
}
