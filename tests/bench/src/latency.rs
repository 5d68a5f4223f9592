//! `latency`: from the server's write to the callback, an event each millisecond, plain and over TLS, beside a raw read.

use eventsource_test_server::{Server, Tls};

use crate::programs::{build, median, run};
use crate::table::{Row, row, short};

const ROUNDS: usize = 5;
const EVENTS: u64 = 2000;

pub fn measure() -> Vec<Row> {
    let (plain, tls) = (Server::start(), Server::start_tls(&Tls::new()));
    let ca = std::env::temp_dir().join(format!("eventsource-bench-{}.pem", std::process::id()));
    std::fs::write(&ca, tls.ca_pem()).expect("a file for the CA");
    let ca = ca.to_str().expect("a path in UTF-8").to_owned();
    let path = format!("/ticks?ms=1&count={EVENTS}");
    let (url, secure) = (plain.url(&path), tls.url(&path));
    let contestants: [(&str, &str, Vec<&str>); 10] = [
        ("raw read", "raw", vec!["ages", &url]),
        ("libcurl", "curl", vec!["ages", &url]),
        ("libcurl, TLS", "curl", vec!["ages", &secure, &ca]),
        ("start", "ours", vec!["start", "ages", &url]),
        ("next", "ours", vec!["next", "ages", &url]),
        ("start_polled", "ours", vec!["poll", "ages", &url]),
        ("start_watched", "ours", vec!["watch", "ages", &url]),
        ("start, TLS", "ours", vec!["start", "ages", &secure, &ca]),
        ("start_polled, TLS", "ours", vec!["poll", "ages", &secure, &ca]),
        ("start_watched, TLS", "ours", vec!["watch", "ages", &secure, &ca]),
    ];
    let mut all: Vec<(&str, Vec<f64>, Vec<f64>)> = contestants.iter().map(|c| (c.0, Vec::new(), Vec::new())).collect();
    for _ in 0..ROUNDS {
        for ((_, program, arguments), (_, p50, p99)) in contestants.iter().zip(&mut all) {
            let Some(program) = build(program) else { continue };
            let numbers = run(&program, arguments);
            p50.push(numbers[4] / 1000.0);
            p99.push(numbers[5] / 1000.0);
        }
    }
    let _ = std::fs::remove_file(&ca);
    println!("server write to callback, {EVENTS} events 1 ms apart, median of {ROUNDS}: µs at p50, p99");
    let mut results = Vec::new();
    for (name, p50, p99) in all.into_iter().filter(|(_, p50, _)| !p50.is_empty()) {
        let (p50, p99) = (median(p50), median(p99));
        println!("  {name:20} {:6} {:6}", short(p50), short(p99));
        results.push((name, p50, p99));
    }
    println!();
    let find = |name: &str| results.iter().find(|r| r.0 == name).map_or((0.0, 0.0), |r| (r.1, r.2));
    let raw = find("raw read");
    let line = |what: &str, name: &str, aim| {
        let (p50, p99) = find(name);
        let ours = format!("p50 {} µs, p99 {} µs", short(p50), short(p99));
        row(
            what,
            ours,
            format!("raw read {} µs, {} µs", short(raw.0), short(raw.1)),
            format!("{:+.1} µs", p50 - raw.0),
            aim,
        )
    };
    vec![
        line("server write to callback", "start", "≤ +3 µs at p50"),
        line("server write to callback, TLS", "start, TLS", "≤ +8 µs at p50"),
        line("server write to an event loop", "start_polled", ""),
        line("server write to an event loop that watches", "start_watched", ""),
    ]
}
