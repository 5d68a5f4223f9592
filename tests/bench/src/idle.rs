//! `memory` and `wakeups`: what connections cost on which nothing happens, beside libcurl with a thread each and stock ureq.

use std::io::Read as _;
use std::sync::mpsc;

use eventsource_test_server::{Script, Server, Tls};

use crate::programs::{build, run};
use crate::table::{Row, row, short, times};

pub fn memory() -> Vec<Row> {
    measure(0)
}

pub fn wakeups() -> Vec<Row> {
    measure(10)
}

fn measure(seconds: u64) -> Vec<Row> {
    let (plain, tls) = (Server::start(), Server::start_tls(&Tls::new()));
    let ca = std::env::temp_dir().join(format!("eventsource-idle-{}.pem", std::process::id()));
    std::fs::write(&ca, tls.ca_pem()).expect("a file for the CA");
    let ca = ca.to_str().expect("a path in UTF-8").to_owned();
    let mut rows = Vec::new();
    // Wake-ups need no crowd.
    let counts = if seconds == 0 { [1000, 100] } else { [20, 20] };
    for (server, what, count, ca, aim) in
        [(&plain, "plain", counts[0], None, "≤ 40 KB"), (&tls, "TLS", counts[1], Some(ca.as_str()), "≤ 75 KB")]
    {
        server.on("/", Script::sse().body("data: x\n\n").stall());
        let (url, n, s) = (server.url("/"), count.to_string(), seconds.to_string());
        let ask = |program: &str, first: &[&str]| {
            let arguments: Vec<&str> = first.iter().copied().chain([n.as_str(), &s, &url]).chain(ca).collect();
            build(program).map(|program| run(&program, &arguments))
        };
        let ureq = std::env::current_exe().expect("this program");
        let results: Vec<(&str, Vec<f64>)> = [
            ("start", ask("idle", &["start"])),
            ("start_polled", ask("idle", &["poll"])),
            ("libcurl", ask("idle_curl", &[])),
            ("ureq 3", ca.is_none().then(|| run(&ureq, &["idle-ureq", &n, &s, &url]))),
        ]
        .into_iter()
        .filter_map(|(name, numbers)| Some((name, numbers?)))
        .collect();
        if seconds == 0 {
            println!("{count} idle connections, {what}: KB, descriptors, threads for each");
            for (name, r) in &results {
                let each = |x: f64| short(x / f64::from(count));
                println!("  {name:20} {:6} {:6} {:6}", each(r[0]), each(r[1]), each(r[2]));
            }
            let each = |i: usize| results[i].1[0] / f64::from(count);
            for (name, r) in &results[2..] {
                let beside = format!("{name} {} KB", short(r[0] / f64::from(count)));
                rows.push(row(
                    format!("memory of an idle connection, {what}"),
                    format!("{} KB", short(each(0))),
                    beside,
                    times(r[0] / results[0].1[0]),
                    aim,
                ));
            }
        } else {
            println!("{count} idle connections for {seconds} s, {what}: context switches (0: no system call either)");
            for (name, r) in &results {
                println!("  {name:20} {:6}", r[3]);
            }
            for (name, r) in &results[2..] {
                let ours = format!("{} in {seconds} s", results[0].1[3] + results[1].1[3]);
                rows.push(row(
                    format!("wake-ups of {count} idle connections, {what}"),
                    ours,
                    format!("{name} {}", r[3]),
                    String::new(),
                    "0",
                ));
            }
        }
        println!();
    }
    let _ = std::fs::remove_file(&ca);
    rows
}

/// `idle-ureq COUNT SECONDS URL`: this program as the client, with ureq as it comes.
pub fn ureq_client(arguments: &[String]) {
    let [count, seconds, url] = arguments else { panic!("idle-ureq COUNT SECONDS URL") };
    let (count, seconds): (usize, u64) = (count.parse().expect("a count"), seconds.parse().expect("seconds"));
    let (arrived, arrivals) = mpsc::channel();
    let connect = |url: String, arrived: mpsc::Sender<()>| {
        std::thread::spawn(move || {
            let mut response = ureq::get(&url).call().expect("a response");
            let mut body = response.body_mut().as_reader();
            let mut byte = [0];
            while body.read(&mut byte).is_ok_and(|n| n > 0) {
                if byte == *b"x" {
                    let _ = arrived.send(());
                }
            }
        });
    };
    connect(url.clone(), arrived.clone());
    arrivals.recv().expect("the first");
    let (memory, descriptors) = (resident(), entries("/proc/self/fd"));
    (0..count).for_each(|_| connect(url.clone(), arrived.clone()));
    (0..count).for_each(|_| arrivals.recv().expect("all of them"));
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (memory, descriptors) = (resident() - memory, entries("/proc/self/fd") - descriptors);
    let (threads, switched) = (entries("/proc/self/task") - 1, switches());
    std::thread::sleep(std::time::Duration::from_secs(seconds));
    println!("{memory} {descriptors} {threads} {}", switches() - switched);
    std::process::exit(0);
}

/// KB
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn entries(folder: &str) -> i64 {
    std::fs::read_dir(folder).expect("/proc").count() as i64
}

/// Of all threads but the first.
fn switches() -> u64 {
    let own = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc").flatten();
    let others = tasks.filter(|task| task.file_name().to_str() != Some(&own));
    let texts = others.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let count = |line: &str| line.split_once("ctxt_switches:").and_then(|(_, n)| n.trim().parse::<u64>().ok());
    texts.map(|text| text.lines().filter_map(count).sum::<u64>()).sum()
}
