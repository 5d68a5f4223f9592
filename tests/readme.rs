//! Every command and every program in the README is run as it is printed there. A block that no test here knows is an error.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eventsource_test_server::{Script, Server};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const README: &str = include_str!("../README.md");
/// The server that the README follows, which stands for any.
const FOLLOWED: &str = "https://stream.wikimedia.org/v2/stream/recentchange";

/// The fenced blocks: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut parts = README.split("```");
    let mut blocks = Vec::new();
    parts.next();
    while let (Some(block), Some(_)) = (parts.next(), parts.next()) {
        blocks.push(block.split_once('\n').expect("a block has lines"));
    }
    blocks
}

fn of(language: &str) -> Vec<&'static str> {
    blocks().into_iter().filter(|(l, _)| *l == language).map(|(_, text)| text).collect()
}

/// A folder of our own under target/.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{out}\n{err}");
    out.into_owned()
}

/// A stream that is cut in its second event, resumed, and ended by a 204.
fn server() -> Server {
    let server = Server::start();
    let first = Script::sse().body("retry: 1\n\nid: 1\ndata: a\n\nid: 2\ndata: b").reset();
    server.on("/", [first, Script::sse().body("event: x\nid: 2\ndata: b\n\n").fin(), Script::empty(204)]);
    server
}

fn resumed(server: &Server) -> bool {
    let ids: Vec<_> = server.requests().iter().map(|request| request.header("last-event-id")).collect();
    ids == [None, Some("1".to_owned()), Some("2".to_owned())]
}

#[test]
fn every_block_has_a_test() {
    for (language, text) in blocks() {
        // A binding's programs are those of its own README, which its own tests compile and run.
        let binding = match language {
            "js" => include_str!("../bindings/node/README.md"),
            "kotlin" => include_str!("../bindings/kotlin/README.md"),
            "swift" => include_str!("../bindings/swift/README.md"),
            _ => "",
        };
        let known = ["c", "rust", "toml", "sh"].contains(&language) || binding.contains(text);
        assert!(known, "no test runs this {language:?} block: {text}");
    }
    for language in ["c", "rust", "toml"] {
        assert_eq!(of(language).len(), 1, "{language}");
    }
}

#[test]
fn c_in_fifteen_lines() {
    let folder = folder("readme-c");
    let text = of("c")[0];
    assert!(text.lines().count() <= 15, "{text}");
    fs::write(folder.join("main.c"), text).unwrap();
    let archive = std::env::current_exe().unwrap().parent().unwrap().join("libeventsource.a");
    let program = folder.join("main");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(Path::new(ROOT).join("include"));
    run(cc.arg(folder.join("main.c")).arg(archive).args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program));

    let server = server();
    let out = run(Command::new(program).arg(server.url("/")));
    let kinds: Vec<_> = out.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let attempt = ["connect", "open", "message", "error", "connect", "open", "x", "error", "connect", "close"];
    assert_eq!(kinds, attempt, "{out}");
    assert!(resumed(&server));
}

#[test]
fn rust_and_its_manifest() {
    let folder = folder("readme-rust");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), of("rust")[0]).unwrap();
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    let from_registry = format!("{{ version = \"{version}\", default-features = false }}");
    let dependencies = of("toml")[0];
    assert!(dependencies.contains(&from_registry), "{dependencies}");
    let here = from_registry.replace('{', &format!("{{ path = {ROOT:?},"));
    let package = "[package]\nname = \"readme\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), format!("{package}{}", dependencies.replace(&from_registry, &here))).unwrap();
    fs::copy(Path::new(ROOT).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap(); // the versions that are here already
    let mut cargo = Command::new(env!("CARGO"));
    let target = folder.join("target");
    run(cargo.current_dir(&folder).args(["build", "--quiet", "--offline", "--target-dir"]).arg(&target));
    let mut tree = Command::new(env!("CARGO"));
    let log = run(tree.current_dir(&folder).args(["tree", "--offline", "-e", "features", "-i", "log"]));
    assert!(!log.contains("max_level"), "the trace level is out: {log}");

    let server = server();
    let out = run(Command::new(target.join("debug/readme")).arg(server.url("/")));
    let lines: Vec<_> = out.lines().collect();
    assert!(matches!(lines[..], ["1 message: a", _, "2 x: b", _]) && lines[1].ends_with(" ms"), "{out}");
    assert!(resumed(&server));
    assert_eq!(server.requests()[0].header("authorization").as_deref(), Some("Bearer ..."));
}

/// All lines of all `sh` blocks, in their order, from the top of a checkout.
#[test]
fn commands() {
    let mut followed = 0;
    for line in of("sh").concat().lines() {
        let mut sh = Command::new("sh");
        sh.current_dir(ROOT).env_remove("CARGO_TARGET_DIR");
        match line.split_once(' ').map_or(line, |(program, _)| program) {
            // This test is a part of it.
            _ if line == "tests/run" => assert!(Path::new(ROOT).join(line).exists()),
            "cargo" => drop(run(sh.args(["-c", line]))),
            "cc" => {
                // Not the program that an earlier line made.
                let _ = fs::remove_file(Path::new(ROOT).join("target/tail"));
                run(sh.args(["-c", line]));
                let server = server();
                let out = run(Command::new("target/tail").current_dir(ROOT).args(["-v", &server.url("/")]));
                assert_eq!(out, "message: a\nx: b\n", "{line}");
                assert!(resumed(&server), "{line}");
            }
            "target/tail" => {
                let server = server();
                assert!(line.contains(FOLLOWED), "{line}");
                assert_eq!(
                    run(sh.args(["-c", &line.replace(FOLLOWED, &server.url("/"))])),
                    "message: a\nx: b\n",
                    "{line}"
                );
                followed += 1;
            }
            _ => panic!("no test knows this command: {line}"),
        }
    }
    assert_eq!(followed, 1);
}
