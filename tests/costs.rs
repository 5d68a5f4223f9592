//! What connections cost on which nothing happens, counted and not timed: no wake-up, one thread, one descriptor, so many bytes.
//! The client is a C program of the benchmarks, linked with the release build, as an app's would be.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use eventsource_test_server::{Script, Server, Tls};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is measured is the whole machine's memory and peace, so one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

static IDLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let succeed = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    succeed(Command::new(env!("CARGO")).current_dir(ROOT).args(["build", "--release", "--target-dir"]).arg(target));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("idle");
    let mut cc = Command::new("cc");
    cc.current_dir(ROOT).args(["-O2", "-Wall", "-Wextra", "-Werror", "-Iinclude", "tests/bench/c/idle.c"]);
    succeed(cc.arg(target.join("release/libeventsource.a")).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program));
    program
});

struct Costs {
    kilobytes: f64,
    descriptors: f64,
    threads: f64,
    switches: f64,
}

/// For each connection; switches of all together in so many seconds.
fn costs(server: &Server, driver: &str, count: usize, seconds: usize) -> Costs {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    server.on("/", Script::sse().body("data: x\n\n").stall());
    let mut idle = Command::new(IDLE.as_path());
    idle.args([driver, &count.to_string(), &seconds.to_string(), &server.url("/")]);
    let ca = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("costs-{}.pem", server.port()));
    if server.url("/").starts_with("https") {
        std::fs::write(&ca, server.ca_pem()).unwrap();
        idle.arg(&ca);
    }
    let output = idle.output().unwrap();
    let _ = std::fs::remove_file(&ca);
    assert!(output.status.success(), "{idle:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let each = |n: f64| n / count as f64;
    Costs {
        kilobytes: each(numbers[0]),
        descriptors: each(numbers[1]),
        threads: (numbers[2] - 1.0) / count as f64, // the program's first source is not of the count
        switches: numbers[3],
    }
}

/// A thread that was not switched to has run no instruction, so it has made no system call either.
#[test]
fn an_idle_connection_never_wakes_up() {
    for server in [Server::start(), Server::start_tls(&Tls::new())] {
        for driver in ["start", "poll"] {
            let costs = costs(&server, driver, 20, 3);
            assert_eq!(costs.switches, 0.0, "{driver} {}", server.url(""));
        }
    }
}

#[test]
fn an_idle_connection_has_one_thread_and_one_descriptor() {
    for server in [Server::start(), Server::start_tls(&Tls::new())] {
        for driver in ["start", "poll"] {
            let costs = costs(&server, driver, 20, 0);
            assert_eq!((costs.descriptors, costs.threads), (1.0, 1.0), "{driver} {}", server.url(""));
        }
    }
}

/// Resident memory, stacks included.
#[test]
fn an_idle_connection_takes_little_memory() {
    let (plain, tls) = (Server::start(), Server::start_tls(&Tls::new()));
    for (server, driver, count, ceiling) in [
        (&plain, "start", 300, 50.0),
        (&plain, "poll", 300, 56.0),
        (&tls, "start", 100, 75.0),
        (&tls, "poll", 100, 80.0),
    ] {
        let each = costs(server, driver, count, 0).kilobytes;
        println!("{driver} {}: {each:.1} KB", server.url(""));
        assert!(each <= ceiling, "{driver} {}: {each:.1} KB, not {ceiling}", server.url(""));
    }
}
