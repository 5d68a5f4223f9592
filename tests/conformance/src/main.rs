//! Runs every case on every surface and compares what passed with `RESULTS.md` and `results.json`.
//!
//!     conformance [--accept] [--peers] [--only TEXT] [SURFACE...]
//!
//! Without arguments: all surfaces; status 1 if anything is worse than, or different from, what is checked in. `--accept`
//! writes the results anew. `--only` runs the cases whose name contains the text; that, or surfaces named, compares nothing.
//! `--peers` runs the standard's cases with other clients instead.

mod cases;
mod compared;
mod reasons;
mod results;
mod runner;
mod scenario;
mod surfaces;

use std::process::{Command, ExitCode};
use std::sync::Mutex;

use cases::{Case, root};
use eventsource_test_server::Control;
use results::{Fared, Results};
use runner::Runner;
use scenario::{Outcome, Servers};
use surfaces::Surface;

fn run(surface: &Surface, cases: &[Case]) -> Result<Fared, String> {
    let control = Control::start(None, || {});
    let servers = Servers::new(&control.url())?;
    let mut fared = Fared { name: surface.name.to_owned(), ..Fared::default() };
    let (mut runner, mut silences) = (None, 0);
    for case in cases {
        let count = fared.counts.entry(case.suite.clone()).or_default();
        let name = format!("{}: {}", case.suite, case.name);
        if silences > 3 {
            count.1 += 1; // each costs its patience: the rest has failed, too
            continue;
        }
        let mut at_work = match runner.take() {
            Some(runner) => runner,
            None => Runner::start(surface)?,
        };
        count.1 += 1;
        match scenario::run(case, surface, &mut at_work, &servers) {
            Outcome::Passed => count.0 += 1,
            // What it lacks it may have done otherwise, in whatever state it is now.
            Outcome::Lacking(what) if surface.peer => {
                count.1 -= 1;
                println!("{}: {name}: not applicable, no {what}", surface.name);
                fared.lacking.push((name, what));
                continue;
            }
            Outcome::Lacking(what) => {
                println!("{}: {name}: the runner has no {what}", surface.name);
                continue;
            }
            Outcome::Failed(why) => {
                silences += usize::from(why == runner::SILENCE && !surface.peer);
                println!("{}: {name}: {why}", surface.name);
                fared.failed.push(name);
                continue; // with a new runner
            }
        }
        runner = Some(at_work);
    }
    drop(runner);
    // Scripts that a client has left in the middle are no mistake of the test's here.
    control.end();
    Ok(fared)
}

/// What our driver of the contract tests says of a service: "c: 23 of 23".
fn contract(service: &str) -> Result<(usize, usize), String> {
    let driver = std::env::current_exe().map_err(|e| e.to_string())?.with_file_name("contract-driver");
    let output = Command::new(&driver).arg(service).output().map_err(|e| format!("{}: {e}", driver.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default().to_owned();
    let counts = last.strip_prefix(&format!("{service}: ")).and_then(|rest| rest.split_once(" of "));
    let counts = counts.and_then(|(passed, total)| Some((passed.parse().ok()?, total.parse().ok()?)));
    if counts.is_none_or(|(passed, total): (usize, usize)| passed < total) {
        println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    }
    counts.ok_or_else(|| format!("the contract tests of {service} end with {last:?}"))
}

/// The first line that a program prints about itself.
fn version(program: &[&str]) -> String {
    let output = Command::new(program[0]).current_dir(root()).args(&program[1..]).output();
    let text = output.map(|o| [o.stdout, o.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or(program[0]).trim().to_owned()
}

fn library_version() -> String {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap_or_default();
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    line.unwrap_or_default().trim_matches('"').to_owned()
}

fn versions() -> Vec<String> {
    let named = |name: &str, program: &[&str]| format!("{name}: {}", version(program));
    vec![
        format!("libeventsource {}", library_version()),
        named("Rust", &["rustc", "--version"]),
        named("C", &["cc", "--version"]),
        named("Node", &["node", "--version"]),
        named("Kotlin and Java", &["java", "-version"]),
        named("Swift", &["bindings/swift/root.sh", "swift", "--version"]),
    ]
}

struct Options {
    accept: bool,
    peers: bool,
    only: Option<String>,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { accept: false, peers: false, only: None, names: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--accept" => options.accept = true,
            "--peers" => options.peers = true,
            "--only" => options.only = Some(arguments.next().ok_or("--only wants a text")?),
            name if name.starts_with('-') => return Err(format!("no option {name}")),
            name => options.names.push(name.into()),
        }
    }
    Ok(options)
}

fn measure(options: &Options) -> Result<Results, String> {
    let mut surfaces = if options.peers { surfaces::peers() } else { surfaces::ours() };
    surfaces.retain(|s| options.names.is_empty() || options.names.iter().any(|name| s.name.starts_with(name.as_str())));
    if surfaces.is_empty() {
        return Err("no such surface".into());
    }
    let mut cases = cases::scenarios();
    for split in ["whole", "byte", "random"] {
        cases.extend(cases::vectors(split));
    }
    cases.retain(|case| {
        options.only.as_ref().is_none_or(|text| case.name.contains(text)) && !(options.peers && case.own)
    });
    for surface in &surfaces {
        surfaces::build(surface)?;
    }
    // Several at a time: they wait more than they work, and others, whose waits cannot be shortened, most of all.
    let threads = if options.peers { 6 } else { 2 };
    let (todo, done) = (Mutex::new(surfaces.iter().enumerate()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((n, surface)) = todo.lock().ok().and_then(|mut all| all.next()) {
                    let mut result = run(surface, &cases);
                    if let (Ok(fared), Some(service), None) = (&mut result, surface.contract, &options.only) {
                        match contract(service) {
                            Ok(counted) => drop(fared.counts.insert("contract".into(), counted)),
                            Err(e) => result = Err(e),
                        }
                    }
                    if let Ok(mut all) = done.lock() {
                        all.push((n, surface.name, result));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(|e| e.to_string())?;
    done.sort_by_key(|(n, _, _)| *n);
    let all: Result<Vec<_>, String> =
        done.into_iter().map(|(_, name, result)| result.map_err(|e| format!("{name}: {e}"))).collect();
    let mut versions = versions();
    if options.peers {
        versions.retain(|line| ["Rust", "Node", "Kotlin"].iter().any(|runs| line.starts_with(runs)));
    }
    Ok(Results { versions, date: version(&["date", "+%Y-%m-%d"]), surfaces: all? })
}

const HEADING: &str = "# Conformance\n\nPassed and run, by surface and suite. Made by `cargo run -p eventsource-conformance -- --accept`; \
`tests/run conformance` does it\nagain and fails where anything is worse. What the suites are: [README.md](README.md).";
const PEERS: &str = "# The same cases, with other clients\n\nOnly what the standard says; decisions and extensions of this library are left out. \
Made by `tests/conformance/peers/run --accept`.\nHow each client was used: [README.md](README.md). What each does where a case fails is below.";

/// Writes the results, or compares them with those checked in. False: something is worse.
fn judge(options: &Options, results: &Results) -> Result<bool, String> {
    let folder = if options.peers { "tests/conformance/peers" } else { "tests/conformance" };
    let (heading, why) = if options.peers { (PEERS, reasons::pages(results)?) } else { (HEADING, String::new()) };
    if options.accept {
        let versions = results.versions.join("\n- ");
        let page = format!("{heading}\n\n{}\n\n{}\n\n- {versions}\n{why}", results.table(), results.date);
        let json = serde_json::to_string_pretty(&results.json()).map_err(|e| e.to_string())? + "\n";
        for (name, text) in [("RESULTS.md", page), ("results.json", json)] {
            std::fs::write(root().join(folder).join(name), text).map_err(|e| format!("{name}: {e}"))?;
        }
        return Ok(true);
    }
    let (worse, better) = results.compare(&Results::checked_in(folder)?);
    if better {
        println!("better than what is checked in: run it with --accept");
    }
    worse.iter().for_each(|line| println!("worse: {line}"));
    Ok(worse.is_empty())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\nusage: conformance [--accept] [--peers] [--only TEXT] [SURFACE...]");
            return ExitCode::from(2);
        }
    };
    let verdict = measure(&options).and_then(|results| {
        println!("{}", results.table());
        if options.only.is_some() || !options.names.is_empty() {
            return Ok(results.surfaces.iter().all(Fared::passed_all));
        }
        judge(&options, &results)
    });
    match verdict {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}
