//! `close`: how long close takes to end a call that blocks in each phase of a connection, and pause and reconnect to give up a
//! connection, as its server sees it. Not here: a lookup that hangs, which needs a name server that is silent.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use eventsource::{Config, EventSource, Handle, Kind};
use eventsource_test_server::{BlackHole, DEADLINE, PeerEnd, Script, Server, Tls};

use crate::table::{Row, row, short};

const ROUNDS: usize = 200;

struct Phase {
    name: &'static str,
    config: Config,
    /// After this kind of event, and a moment, the source is in the phase.
    after: Kind,
}

pub fn measure() -> Vec<Row> {
    let plain = Server::start();
    plain.on("/head", Script::new().stall());
    plain.on("/body", Script::sse().body(": \n\n").stall());
    plain.on("/gzip", Script::sse().gzip().body(": \n\n").stall());
    plain.on("/busy", Script::empty(503).header("Retry-After", "60"));
    let silent = Server::start();
    silent.on_every_connection(Script::new().stall());
    let tls = Server::start_tls(&Tls::new());
    tls.on("/body", Script::sse().body(": \n\n").stall());
    let hole = BlackHole::start();

    let config = |url: &str| Config::new(url).expect("a URL");
    let mut compressed = config(&plain.url("/gzip"));
    compressed.set_compression(true).expect("a choice");
    let mut secure = config(&tls.url("/body"));
    secure.set_only_ca_pem(tls.ca_pem().as_bytes()).expect("a CA");
    let mut proxied = config("http://example.test/");
    proxied.set_proxy(Some(&silent.url(""))).expect("a proxy");
    let mut upload = config(&silent.url("/"));
    upload.set_body(&vec![0; 64 << 20]).expect("a body");
    let phases = [
        Phase {
            name: "TCP connect, SYN unanswered",
            config: config(&format!("http://{}/", hole.address())),
            after: Kind::Connect,
        },
        Phase { name: "proxy silent", config: proxied, after: Kind::Connect },
        Phase {
            name: "TLS handshake, silent",
            config: config(&silent.url("/").replace("http:", "https:")),
            after: Kind::Connect,
        },
        Phase { name: "64 MB request not read", config: upload, after: Kind::Connect },
        Phase { name: "no response head", config: config(&plain.url("/head")), after: Kind::Connect },
        Phase { name: "body idle", config: config(&plain.url("/body")), after: Kind::Comment },
        Phase { name: "body idle, gzip", config: compressed, after: Kind::Comment },
        Phase { name: "body idle, TLS", config: secure, after: Kind::Comment },
        Phase { name: "waiting to retry", config: config(&plain.url("/busy")), after: Kind::Error },
    ];

    println!("close to the end of the blocked call, {ROUNDS} times: µs at p50, p95, longest");
    let mut worst = (0.0, 0.0, "");
    for phase in &phases {
        let times = (0..ROUNDS).map(|round| close(phase, round)).collect();
        let (p50, p95) = show(phase.name, times);
        if p50 > worst.0 {
            worst = (p50, p95, phase.name);
        }
    }
    let mut rows = vec![row(
        format!("close, worst phase ({})", worst.2),
        format!("p50 {} µs, p95 {} µs", short(worst.0), short(worst.1)),
        String::new(),
        String::new(),
        "p50 ≤ 200 µs, p95 ≤ 3 ms",
    )];
    println!(
        "\npause and reconnect to the end of the connection at its server, {ROUNDS} times: µs at p50, p95, longest"
    );
    for (name, call) in [("pause", Handle::pause as fn(&Handle) -> _), ("reconnect", Handle::reconnect)] {
        let times = (0..ROUNDS).map(|round| give_up(&config(&plain.url("/body")), &plain, call, round)).collect();
        let (p50, p95) = show(name, times);
        let ours = format!("p50 {} µs, p95 {} µs", short(p50), short(p95));
        rows.push(row(format!("{name}, body idle"), ours, String::new(), String::new(), "p50 ≤ 200 µs, p95 ≤ 3 ms"));
    }
    println!();
    rows
}

fn show(name: &str, mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e6;
    println!("  {name:30} {:6} {:6} {:6}", short(at(0.5)), short(at(0.95)), short(at(1.0)));
    (at(0.5), at(0.95))
}

/// Long enough to be in the phase; different each time.
fn a_moment(round: usize) {
    std::thread::sleep(Duration::from_micros(1000 + round as u64 * 137 % 2000));
}

/// A source that a thread pulls; it sends the time at which CLOSE came.
fn pull(config: &Config, after: Kind) -> (Handle, mpsc::Receiver<()>, mpsc::Receiver<Instant>) {
    let mut source = EventSource::new(config).expect("a source");
    let handle = source.handle();
    let ((there, in_phase), (over, closed)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        while let Ok(event) = source.next() {
            let kind = event.kind();
            if kind == Kind::Close {
                let _ = over.send(Instant::now());
            } else if kind == after {
                let _ = there.send(());
            }
        }
    });
    (handle, in_phase, closed)
}

fn close(phase: &Phase, round: usize) -> Duration {
    let (handle, in_phase, closed) = pull(&phase.config, phase.after);
    in_phase.recv_timeout(DEADLINE).expect(phase.name);
    a_moment(round);
    let begun = Instant::now();
    handle.close().expect("it was open");
    closed.recv_timeout(DEADLINE).expect(phase.name) - begun
}

fn give_up(
    config: &Config,
    server: &Server,
    call: impl Fn(&Handle) -> Result<(), eventsource::CallError>,
    round: usize,
) -> Duration {
    let number = server.connections().len();
    let (handle, in_phase, closed) = pull(config, Kind::Comment);
    in_phase.recv_timeout(DEADLINE).expect("a stream");
    a_moment(round);
    let begun = Instant::now();
    call(&handle).expect("it was open");
    let end = server.wait_for_peer_end(number, DEADLINE);
    let time = begun.elapsed();
    assert_eq!(end, PeerEnd::Closed);
    handle.close().expect("it was open");
    closed.recv_timeout(DEADLINE).expect("CLOSE");
    server.wait_for_open(0, DEADLINE);
    time
}
