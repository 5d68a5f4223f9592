//! The test server as a program, for tests that are not in Rust. `README.md` says how to drive it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc;

use eventsource_test_server::{Control, Tls};

const USAGE: &str = "usage: eventsource-test-server [--tls] [--forever]
Prints one line, LISTENING URL CONTROL URL [CA FILE], and serves until its standard input ends
(with --forever: until it is killed) or somebody calls /shutdown on the control URL.";

fn main() -> ExitCode {
    let mut tls = None;
    let mut forever = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--tls" => tls = Some(Tls::new()),
            "--forever" => forever = true,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let (over, until_over) = mpsc::channel();
    let by_call = over.clone();
    let control = Control::start(tls.as_ref(), move || {
        let _ = by_call.send(());
    });
    let first = control.describe_first();
    let mut line = format!("LISTENING {} CONTROL {}", first["url"].as_str().unwrap_or_default(), control.url());
    let mut ca_file = None;
    if let Some(pem) = first["ca_pem"].as_str() {
        let path = std::env::temp_dir().join(format!("eventsource-test-server-{}.pem", std::process::id()));
        if let Err(e) = std::fs::write(&path, pem) {
            eprintln!("cannot write {}: {e}", path.display());
            return ExitCode::FAILURE;
        }
        line += &format!(" CA {}", path.display());
        ca_file = Some(path);
    }
    println!("{line}");
    let _ = std::io::stdout().flush();
    if !forever {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = over.send(());
        });
    }
    let _ = until_over.recv();
    let problems = control.end();
    if let Some(path) = ca_file {
        let _ = std::fs::remove_file(path);
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
