//! One table a subcommand; each in a file of its own. Nothing here can fail a build by noise.

mod close;
mod idle;
mod latency;
mod parser;
mod programs;
mod socket;
mod table;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

const USAGE: &str = "usage: cargo run --profile bench -p eventsource-bench -- COMMAND
  parser [COLUMN]   bytes in memory to events, beside other parsers
  socket            socket to callback, beside a raw read loop and libcurl
  latency           server write to callback, plain and TLS
  close [PHASE]     close, free, reconnect and pause in each phase
  memory            idle connections: 1,000 plain, 100 with TLS
  wakeups           how often idle connections run
  all               all of it, and one table of the results with ratios and aims";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most); // the server holds a thousand connections
    }
    let rows = match arguments.first().map(String::as_str) {
        Some("parser") => parser::run(&arguments[1..]),
        Some("socket") => socket::measure(),
        Some("latency") => latency::measure(),
        Some("close") => close::measure(&arguments[1..]),
        Some("memory") => idle::memory(),
        Some("wakeups") => idle::wakeups(),
        Some("close-lookup") => return close::lookup_client(),
        Some("idle-ureq") => return idle::ureq_client(&arguments[1..]),
        Some("all") => {
            let close = || close::measure(&[]);
            let parts = [socket::measure, latency::measure, close, idle::memory, idle::wakeups];
            let mut rows = parser::run(&[]);
            println!();
            parts.iter().for_each(|measure| rows.extend(measure()));
            rows
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    };
    table::print(&rows);
}
