//! Runs every case on every surface and compares what passed with `RESULTS.md` and `results.json`.
//!
//!     conformance [--accept] [--peers] [--only TEXT] [SURFACE...]
//!
//! Without arguments: all surfaces; status 1 if anything is worse than, or different from, what is checked in. `--accept`
//! writes the results anew. `--only` runs the cases whose name contains the text; that, or surfaces named, compares nothing.
//! `--peers` runs the standard's cases with other clients instead.

mod cases;
mod results;
mod runner;
mod scenario;
mod surfaces;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use cases::{Case, root};
use eventsource_test_server::Control;
use results::{Counts, Results};
use runner::Runner;
use scenario::{Outcome, Servers};
use surfaces::Surface;

/// How a surface fared: passed and run by suite, how many cases need what it has not, and those that failed.
type Fared = (Counts, usize, Vec<String>);

fn run(surface: &Surface, cases: &[Case]) -> Result<Fared, String> {
    let control = Control::start(None, || {});
    let servers = Servers::new(&control.url())?;
    let (mut runner, mut failures) = (None, Vec::new());
    let (mut counts, mut lacking, mut silences) = (Counts::new(), 0, 0);
    for case in cases {
        let count = counts.entry(case.suite.clone()).or_default();
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
                (count.1, lacking) = (count.1 - 1, lacking + 1);
                println!("{}: {}: {}: not applicable, no {what}", surface.name, case.suite, case.name);
                continue;
            }
            Outcome::Lacking(what) => {
                println!("{}: {}: {}: the runner has no {what}", surface.name, case.suite, case.name);
                continue;
            }
            Outcome::Failed(why) => {
                silences += usize::from(why == runner::SILENCE && !surface.peer);
                failures.push(format!("{}: {}: {}", surface.name, case.suite, case.name));
                println!("{}: {}: {}: {why}", surface.name, case.suite, case.name);
                continue; // with a new runner
            }
        }
        runner = Some(at_work);
    }
    drop(runner);
    // Scripts that a client has left in the middle are no mistake of the test's here.
    control.end();
    Ok((counts, lacking, failures))
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

fn measure(options: &Options) -> Result<(Results, Vec<String>), String> {
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
                    if let (Ok((counts, ..)), Some(service), None) = (&mut result, surface.contract, &options.only) {
                        match contract(service) {
                            Ok(counted) => drop(counts.insert("contract".into(), counted)),
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
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for (_, name, result) in done {
        let (counts, lacking, failures) = result.map_err(|e| format!("{name}: {e}"))?;
        failed.extend(failures);
        all.push((name.to_owned(), counts, lacking));
    }
    let versions = if options.peers { surfaces.iter().map(|s| s.name.to_owned()).collect() } else { versions() };
    Ok((Results { versions, date: version(&["date", "+%Y-%m-%d"]), surfaces: all }, failed))
}

const HEADING: &str = "# Conformance\n\nPassed and run, by surface and suite. Made by `cargo run -p eventsource-conformance -- --accept`; \
`tests/run conformance` does it\nagain and fails where anything is worse. What the suites are: [README.md](README.md).";
const PEERS: &str = "# The same cases, with other clients\n\nOnly what the standard says; decisions and extensions of this library are left out. \
Made by `tests/conformance/peers/run`.\nWhich cases fail: [failures.txt](failures.txt). How each client was used: [README.md](README.md).";

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}\nusage: conformance [--accept] [--peers] [--only TEXT] [SURFACE...]");
            return ExitCode::from(2);
        }
    };
    let (results, failed) = match measure(&options) {
        Ok(measured) => measured,
        Err(message) => {
            println!("{message}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", results.table());
    if options.only.is_some() || !options.names.is_empty() {
        let all = results.surfaces.iter().all(|(_, counts, _)| counts.values().all(|(passed, total)| passed == total));
        return if all { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let folder: PathBuf = root().join(if options.peers { "tests/conformance/peers" } else { "tests/conformance" });
    let before =
        std::fs::read_to_string(folder.join("results.json")).ok().and_then(|text| serde_json::from_str(&text).ok());
    if options.accept {
        let heading = if options.peers { PEERS } else { HEADING };
        let page =
            format!("{heading}\n\n{}\n\n{}\n\n- {}\n", results.table(), results.date, results.versions.join("\n- "));
        let json = serde_json::to_string_pretty(&results.json()).unwrap_or_default() + "\n";
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text);
        let mut written = write("RESULTS.md", page).and_then(|()| write("results.json", json));
        if options.peers {
            written = written.and_then(|()| write("failures.txt", failed.join("\n") + "\n"));
        }
        return if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (worse, better) = results.compare(&Results::read(&before.unwrap_or_default()));
    if better {
        println!("better than what is checked in: run it with --accept");
    }
    worse.iter().for_each(|line| println!("worse: {line}"));
    if worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
