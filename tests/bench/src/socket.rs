//! `socket`: bytes that come over a socket to events in a callback, through the C API, beside a loop that only reads and beside
//! libcurl, which hands out bytes. The server has a process of its own; the client's time is that of all its threads.

use eventsource_test_server::Server;

use crate::programs::{build, median, run};
use crate::table::{Row, row, short, times};

/// Turns of which the median counts; all contestants take one in each.
const ROUNDS: usize = 5;
/// Bytes on the wire of one turn.
const VOLUME: u64 = 1 << 30;

struct Contestant {
    name: &'static str,
    program: std::path::PathBuf,
    arguments: Vec<&'static str>,
    /// Wall and CPU seconds of each turn.
    turns: Vec<(f64, f64)>,
}

pub fn measure() -> Vec<Row> {
    let mut rows = Vec::new();
    for (what, size, chunked) in
        [("100-byte events", 100, 0), ("100-byte events, a chunk each", 100, 1), ("1,000-byte events", 1000, 0)]
    {
        rows.extend(stream(what, size, chunked));
    }
    rows
}

fn stream(what: &str, size: u64, chunked: u64) -> Vec<Row> {
    let server = Server::start();
    let count = VOLUME / size;
    let url = server.url(&format!("/flood?size={size}&count={count}&chunked={chunked}"));
    let contestants = [
        ("raw read loop", "raw", vec!["stream"]),
        ("libcurl, no parsing", "curl", vec!["stream"]),
        ("start", "ours", vec!["start", "stream"]),
        ("run", "ours", vec!["run", "stream"]),
        ("next", "ours", vec!["next", "stream"]),
        ("poll", "ours", vec!["poll", "stream"]),
        ("poll_each", "ours", vec!["each", "stream"]),
    ];
    let mut contestants: Vec<Contestant> = contestants
        .into_iter()
        .filter_map(|(name, program, arguments)| {
            Some(Contestant { name, program: build(program)?, arguments, turns: Vec::new() })
        })
        .collect();
    for _ in 0..ROUNDS {
        for contestant in &mut contestants {
            let arguments: Vec<&str> = contestant.arguments.iter().copied().chain([url.as_str()]).collect();
            let numbers = run(&contestant.program, &arguments);
            assert!(numbers[0] == 0.0 || numbers[0] == count as f64, "{}: {} events", contestant.name, numbers[0]);
            contestant.turns.push((numbers[2], numbers[3]));
        }
    }
    let gigabytes = (count * size) as f64 / 1e9;
    let speed = |c: &Contestant| gigabytes / median(c.turns.iter().map(|turn| turn.0).collect());
    let cost = |c: &Contestant| median(c.turns.iter().map(|turn| turn.1).collect()) / gigabytes;
    println!("{what}, {:.1} GB, median of {ROUNDS}: GB/s, M events/s, CPU s/GB", gigabytes);
    for c in &contestants {
        println!(
            "  {:20} {:5} {:5} {:6}",
            c.name,
            short(speed(c)),
            short(speed(c) * 1000.0 / size as f64),
            short(cost(c))
        );
    }
    println!();
    let find = |name: &str| contestants.iter().find(|c| c.name == name);
    let (Some(raw), Some(ours)) = (find("raw read loop"), find("start")) else { return Vec::new() };
    let plain = size == 100 && chunked == 0;
    let mut rows = vec![
        row(
            format!("socket to callback, {what}"),
            format!("{} GB/s, {} M/s", short(speed(ours)), short(speed(ours) * 1000.0 / size as f64)),
            format!("raw read loop {} GB/s", short(speed(raw))),
            times(speed(ours) / speed(raw)),
            if plain { "≥ 0.7 ×, ≥ 15 M/s" } else { "" },
        ),
        row(
            format!("CPU above the raw read loop, {what}"),
            format!("{} s/GB", short(cost(ours) - cost(raw))),
            find("libcurl, no parsing")
                .map_or(String::new(), |c| format!("libcurl {} s/GB", short(cost(c) - cost(raw)))),
            String::new(),
            if plain { "≤ 0.15 s/GB" } else { "" },
        ),
    ];
    if let Some(curl) = find("libcurl, no parsing") {
        let beside = format!("libcurl, not parsing, {} GB/s", short(speed(curl)));
        rows.insert(
            1,
            row(
                format!("the same, {what}"),
                format!("{} GB/s", short(speed(ours))),
                beside,
                times(speed(ours) / speed(curl)),
                "",
            ),
        );
    }
    rows
}
