//! `close`: how long close, free, reconnect and pause take to end a call that blocks, in each phase of a connection.
//!
//! close: to the CLOSE event; free: to its return, with the thread gone; reconnect, and pause with resume: to the CONNECT of
//! the attempt that follows. `close PHASE` measures the phases with that in their names. The sources' clock is fast, so that the spacing of attempts does not show.

use std::any::Any;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

use eventsource::{Clock, Config, EventSource, Kind};
use eventsource_test_server::{BlackHole, DEADLINE, Script, Server, Tls};

use crate::table::{Row, row, short};

const ROUNDS: usize = 100;
const AIM: &str = "p50 ≤ 200 µs, p95 ≤ 3 ms";

struct Phase {
    name: &'static str,
    config: Config,
    /// After this kind of event, and a moment, the source is in the phase.
    after: Kind,
}

/// A thousand times as fast as the wall's.
#[derive(Debug)]
struct Fast(Instant);

impl Clock for Fast {
    fn now(&self) -> Instant {
        self.0 + self.0.elapsed() * 1000
    }
    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn sleep_for(&self, span: Duration) -> Duration {
        span / 1000
    }
}

/// The server of a phase. It goes with the phase: the connections that it has left half open would slow down the next.
type Peer = Box<dyn Any>;
/// What a phase is made of: of its event `Kind` on, and a moment, a source of this config is in it.
type Made = (Config, Kind, Peer);

#[derive(Clone, Copy)]
enum Call {
    Close,
    Free,
    Reconnect,
    Pause,
}

const CALLS: [(&str, Call); 4] =
    [("close", Call::Close), ("free", Call::Free), ("reconnect", Call::Reconnect), ("pause", Call::Pause)];

fn config(url: &str) -> Config {
    let mut config = Config::new(url).expect("a URL");
    config.set_clock(Arc::new(Fast(Instant::now())));
    config
}

pub fn measure(arguments: &[String]) -> Vec<Row> {
    let wanted = |name: &str| arguments.iter().all(|part| name.contains(part.as_str()));
    let plain = |path: &'static str, script: Script, after| {
        let server = Server::start();
        server.on(path, script);
        (config(&server.url(path)), after, Box::new(server) as Peer)
    };
    // It accepts, and reads nothing. `scheme` is that of the URL, or of a proxy.
    let silent = |scheme: &'static str, proxy: bool| {
        let server = Server::start();
        server.on_every_connection(Script::new().stall());
        let url = server.url("/").replace("http:", scheme);
        let mut config = config(if proxy { "http://example.test/" } else { &url });
        if proxy {
            config.set_proxy(Some(url.trim_end_matches('/'))).expect("a proxy");
        }
        (config, Kind::Connect, Box::new(server) as Peer)
    };
    let connect = || {
        let hole = BlackHole::start();
        (config(&format!("http://{}/", hole.address())), Kind::Connect, Box::new(hole) as Peer)
    };
    let upload = || {
        let (mut config, after, server) = silent("http:", false);
        config.set_body(&vec![0; 64 << 20]).expect("a body");
        (config, after, server)
    };
    let gzip = || {
        let script = Script::sse().gzip().body(": \n\n").stall();
        let (mut config, after, server) = plain("/gzip", script, Kind::Comment);
        config.set_compression(true).expect("a choice");
        (config, after, server)
    };
    let tls = || {
        let server = Server::start_tls(&Tls::new());
        server.on("/body", Script::sse().body(": \n\n").stall());
        let mut config = config(&server.url("/body"));
        config.set_only_ca_pem(server.ca_pem().as_bytes()).expect("a CA");
        (config, Kind::Comment, Box::new(server) as Peer)
    };
    let phases: [(&str, &dyn Fn() -> Made); 10] = [
        ("TCP connect, SYN unanswered", &connect),
        ("proxy silent, CONNECT", &|| silent("http:", true)),
        ("proxy silent, SOCKS5", &|| silent("socks5:", true)),
        ("TLS handshake, silent", &|| silent("https:", false)),
        ("64 MB request not read", &upload),
        ("no response head", &|| plain("/head", Script::new().stall(), Kind::Connect)),
        ("body idle", &|| plain("/body", Script::sse().body(": \n\n").stall(), Kind::Comment)),
        ("body idle, gzip", &gzip),
        ("body idle, TLS", &tls),
        ("waiting to retry", &|| plain("/busy", Script::empty(503).header("Retry-After", "3600"), Kind::Error)),
    ];

    println!("µs to the end of the blocked call, {ROUNDS} times each: p50/p95");
    println!("  {:30} {:>13} {:>13} {:>13} {:>13}", "phase", "close", "free", "reconnect", "pause+resume");
    let mut worst = Worst::default();
    for (name, make) in phases.into_iter().filter(|(name, _)| wanted(name)) {
        let (config, after, _peer) = make();
        worst.add(name, show(&Phase { name, config, after }));
    }
    if wanted("lookup") {
        worst.add("lookup", lookups());
    }
    println!();
    worst.rows()
}

/// For each call the phase with the highest median.
#[derive(Default)]
struct Worst([(f64, f64, &'static str); 4]);

impl Worst {
    fn add(&mut self, phase: &'static str, times: [(f64, f64); 4]) {
        for (worst, (p50, p95)) in self.0.iter_mut().zip(times) {
            if p50 > worst.0 {
                *worst = (p50, p95, phase);
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let line = |((name, _), (p50, p95, phase)): (&(&str, Call), &(f64, f64, &str))| {
            let ours = format!("p50 {} µs, p95 {} µs", short(*p50), short(*p95));
            row(format!("{name}, worst phase ({phase})"), ours, String::new(), String::new(), AIM)
        };
        CALLS.iter().zip(&self.0).map(line).collect()
    }
}

/// Median and 95th percentile of each call, in µs; printed, too.
fn show(phase: &Phase) -> [(f64, f64); 4] {
    let times = CALLS.map(|(_, call)| {
        let mut times: Vec<_> = (0..ROUNDS).map(|round| time(phase, call, round)).collect();
        times.sort();
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
        (at(0.5), at(0.95))
    });
    let cells = times.map(|(p50, p95)| format!("{:>6}/{:<6}", short(p50), short(p95)));
    println!("  {:30} {}", phase.name, cells.join(" "));
    times
}

/// Long enough to be in the phase; different each time.
fn a_moment(round: usize) {
    std::thread::sleep(Duration::from_micros(1000 + round as u64 * 137 % 2000));
}

fn time(phase: &Phase, call: Call, round: usize) -> Duration {
    let source = EventSource::new(&phase.config).expect("a source");
    let (tell, told) = mpsc::channel();
    let deliver = move |event: &eventsource::Event<'_>| {
        let _ = tell.send((event.kind(), Instant::now()));
    };
    source.on(None, None, deliver).expect("a callback");
    source.start().expect("a thread");
    let until = |wanted| loop {
        let (kind, at) = told.recv_timeout(DEADLINE).expect(phase.name);
        if kind == wanted {
            return at;
        }
    };
    until(phase.after);
    a_moment(round);
    let begun = Instant::now();
    let end = match call {
        Call::Close => {
            source.close().expect("it was open");
            until(Kind::Close)
        }
        Call::Free => {
            source.free();
            return begun.elapsed();
        }
        Call::Reconnect => {
            source.reconnect().expect("it was open");
            until(Kind::Connect)
        }
        Call::Pause => {
            source.pause().expect("it was open");
            source.resume().expect("it was open");
            until(Kind::Connect)
        }
    };
    source.free();
    end - begun
}

/// A lookup that hangs takes a getaddrinfo that does, and so a process of its own.
fn lookups() -> [(f64, f64); 4] {
    let none = [(0.0, 0.0); 4];
    if cfg!(not(target_os = "linux")) {
        return none;
    }
    let folder = std::env::temp_dir().join(format!("eventsource-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for a library");
    let (library, file) = (folder.join("hang.so"), folder.join("hang"));
    std::fs::write(&file, "").expect("a file");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/hang.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.is_ok_and(|status| status.success()), "cc");
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).arg("close-lookup").env("LD_PRELOAD", library).env("HANG_FILE", &file).output();
    let _ = std::fs::remove_dir_all(&folder);
    let output = output.expect("this program again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let (shown, numbers) = text.trim_end().rsplit_once('\n').expect("a table and numbers");
    println!("{shown}");
    let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().expect("a number")).collect();
    let mut times = none;
    for (time, pair) in times.iter_mut().zip(numbers.chunks(2)) {
        *time = (pair[0], pair[1]);
    }
    times
}

/// What runs in that process.
pub fn lookup_client() {
    let times = show(&Phase { name: "lookup", config: config("http://example.test/"), after: Kind::Connect });
    println!("{}", times.map(|(p50, p95)| format!("{p50} {p95}")).join(" "));
}
