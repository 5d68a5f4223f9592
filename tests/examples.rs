//! The examples do what they say: each is built as its first lines tell and run against the scripted server. The C and the Rust
//! `tail` are one program in two languages, so one list of tests runs both. The C programs run under AddressSanitizer and
//! UndefinedBehaviorSanitizer.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

use eventsource_test_server::{DEADLINE, Script, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const SANITIZERS: [&str; 3] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"];
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where cargo has put `libeventsource.a` for this very test: beside it.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let archive = libraries().join("libeventsource.a");
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
    cc.current_dir(ROOT).args(STRICT).args(flags).arg(format!("examples/{name}.c")).arg("-Iinclude").arg(archive);
    cc.args(["-lpthread", "-ldl", "-lm", "-o"]).arg(&program);
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{cc:?}: {}", String::from_utf8_lossy(&output.stderr));
    program
}

/// `cargo build --example NAME`, as a user would.
fn example(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(ROOT).args(["build", "--quiet", "--example", name]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    libraries().parent().unwrap().join("examples").join(name)
}

static TAIL_C: LazyLock<PathBuf> = LazyLock::new(|| compile("tail", &SANITIZERS));
static TAIL_RS: LazyLock<PathBuf> = LazyLock::new(|| example("tail"));
static CHAT: LazyLock<PathBuf> = LazyLock::new(|| compile("chat", &SANITIZERS));
static LOOP: LazyLock<PathBuf> = LazyLock::new(|| compile("loop", &SANITIZERS));

fn tails() -> [(&'static str, &'static Path); 2] {
    [("tail.c", &TAIL_C), ("tail.rs", &TAIL_RS)]
}

/// A program under way; killed should the test fail, or the program hang.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    _watched: Sender<()>,
}

impl Running {
    fn start(program: &Path, args: &[&str]) -> Running {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let id = Pid::from_raw(child.id().try_into().unwrap());
        let (watched, over) = channel();
        std::thread::spawn(move || {
            if over.recv_timeout(2 * DEADLINE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill(id, Signal::SIGKILL);
            }
        });
        Running { child, out, _watched: watched }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn interrupt(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    /// Exit status, the rest of stdout, stderr.
    fn end(mut self) -> (i32, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), out, err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &Path, args: &[&str]) -> (i32, String, String) {
    Running::start(program, args).end()
}

#[test]
fn the_sanitizers_are_in() {
    for program in [&TAIL_C, &CHAT, &LOOP] {
        let symbols = Command::new("nm").arg(program.as_path()).output().unwrap().stdout;
        let symbols = String::from_utf8_lossy(&symbols);
        assert!(symbols.contains("__asan_init") && symbols.contains("__ubsan_handle"), "{program:?}");
    }
}

#[test]
fn c_examples_compile_under_each_standard() {
    for name in ["tail", "chat", "loop"] {
        for standard in ["c99", "c11", "c17", "c2x"] {
            let mut cc = Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
            cc.current_dir(ROOT).args(STRICT).arg(format!("-std={standard}")).args(["-O2", "-Iinclude", "-c"]);
            let Output { status, stderr, .. } =
                cc.arg(format!("examples/{name}.c")).args(["-o", "/dev/null"]).output().unwrap();
            assert!(status.success(), "{name} {standard}: {}", String::from_utf8_lossy(&stderr));
        }
    }
}

#[test]
fn tail_prints_events_and_with_v_what_happens_around_them() {
    for (name, tail) in tails() {
        let server = Server::start();
        let first =
            Script::sse().body("retry: 1\n\n: hello\nid: 7\ndata: a\ndata: b\n\nevent: tick\ndata: c\n\n").fin();
        server.on("/", [first.clone(), Script::empty(204)]);
        let url = server.url("/");
        assert_eq!(run(tail, &[&url]), (0, "message: a\nb\ntick: c\n".into(), String::new()), "{name}");

        server.on("/", [first, Script::empty(204)]);
        let (status, out, err) = run(tail, &["-v", &url]);
        assert_eq!((status, out.as_str()), (0, "message: a\nb\ntick: c\n"), "{name}");
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines[..3], [&format!("* connect {url}"), &format!("* open {url}"), ": hello"], "{name}");
        assert!(lines[3].starts_with("* error: ") && lines[3].ends_with(" ms"), "{name}: {err}");
        assert_eq!(lines[4], format!("* connect {url} after 7"), "{name}");
        assert!(lines[5].starts_with("* close: ") && lines.len() == 6, "{name}: {err}");
    }
}

#[test]
fn tail_sends_method_headers_and_body() {
    for (name, tail) in tails() {
        let server = Server::start();
        server.on("/", Script::events("data: once\n\n"));
        let url = server.url("/");
        let args = ["-H", "X-One: 1 : 2", "-H", "Authorization:Bearer t", "-X", "REPORT", "-d", "{\"a\": 1}", &url];
        assert_eq!(run(tail, &args), (0, "message: once\n".into(), String::new()), "{name}");
        assert_eq!(run(tail, &["-d", "b", &url]), (0, "message: once\n".into(), String::new()), "{name}");
        let requests = server.requests();
        assert_eq!(
            (requests[0].method.as_str(), requests[0].body.as_slice()),
            ("REPORT", &b"{\"a\": 1}"[..]),
            "{name}"
        );
        assert_eq!(requests[0].header("x-one").as_deref(), Some("1 : 2"), "{name}");
        assert_eq!(requests[0].header("authorization").as_deref(), Some("Bearer t"), "{name}");
        assert_eq!((requests[1].method.as_str(), requests[1].body.as_slice()), ("POST", &b"b"[..]), "{name}");
    }
}

#[test]
fn tail_survives_a_server_restart_and_resumes_at_the_right_event() {
    for (name, tail) in tails() {
        let server = Server::start();
        let address = server.address();
        server
            .on("/", Script::sse().body("retry: 10\n\nid: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: lost").stall());
        let mut running = Running::start(tail, &[&server.url("/")]);
        assert_eq!([running.line(), running.line()], ["message: a\n", "message: b\n"], "{name}");
        drop(server);
        let server = Server::start_on(address);
        server.on("/", [Script::sse().body("id: 3\ndata: c\n\n").stall()]);
        assert_eq!(running.line(), "message: c\n", "{name}");
        assert_eq!(server.requests()[0].header("last-event-id").as_deref(), Some("2"), "{name}");
        running.interrupt();
        assert_eq!(running.end(), (0, String::new(), String::new()), "{name}");
    }
}

#[test]
fn tail_ends_cleanly_on_ctrl_c() {
    for (name, tail) in tails() {
        let server = Server::start();
        server.on("/", Script::sse().body("data: a\n\n").stall());
        let mut running = Running::start(tail, &["-v", &server.url("/")]);
        assert_eq!(running.line(), "message: a\n", "{name}");
        running.interrupt();
        let (status, out, err) = running.end();
        assert_eq!((status, out.as_str()), (0, ""), "{name}");
        assert!(err.lines().last().unwrap().starts_with("* close: "), "{name}: {err}");
        server.wait_for_open(0, DEADLINE);
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[test]
fn tail_says_how_it_failed() {
    for (name, tail) in tails() {
        let server = Server::start();
        let url = server.url("/none");
        let (status, out, err) = run(tail, &[&url]);
        assert_eq!((status, out.as_str()), (1, ""), "{name}");
        assert!(err.starts_with("tail: ") && err.contains("404"), "{name}: {err}");
        for wrong in
            [&[] as &[&str], &["-x", &url], &["-H"], &["-H", "x", &url], &["-H", "Host: x", &url], &["ftp://x/"]]
        {
            let (status, out, err) = run(tail, wrong);
            assert_eq!((status, out.as_str()), (2, ""), "{name} {wrong:?}: {err}");
            assert!(err.lines().any(|line| line.starts_with("tail: ")), "{name} {wrong:?}: {err}");
        }
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

fn chat(url: &str) -> (i32, String, String) {
    run(&CHAT, &[url, "m-1", "Say \"hi\"\n\\ \u{1f600}"])
}

/// An answer as model servers send it.
const ANSWER: &str = concat!(
    r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
    "\n\n",
    r#"data: {"choices":[{"delta":{"content": "Hi \"you\"\n\u00e4\ud83d\ude00 \\ \/ \ud800!"}}]}"#,
    "\n\n",
    r#"data: {"choices":[{"delta":{"content":null},"finish_reason":"stop"}]}"#,
    "\n\n",
);

#[test]
fn chat_prints_the_answer_and_ends_at_done() {
    let server = Server::start();
    // The server holds the connection after [DONE]: it is the client that ends.
    server.on("/", Script::sse().chunked().body(": busy\n\n").body(ANSWER).body("data: [DONE]\n\n").stall());
    let text = "Hi \"you\"\nä😀 \\ / \u{fffd}!\n";
    assert_eq!(chat(&server.url("/")), (0, text.into(), String::new()));
    let request = server.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.header("content-type").as_deref()),
        ("POST", Some("application/json"))
    );
    let body = r#"{"stream":true,"model":"m-1","messages":[{"role":"user","content":"Say \"hi\"\u000a\\ 😀"}]}"#;
    assert_eq!(String::from_utf8(request.body).unwrap(), body);
    server.wait_for_open(0, DEADLINE);
}

#[test]
fn chat_knows_half_an_answer_and_no_answer() {
    let server = Server::start();
    server.on("/ended", Script::sse().chunked().body(ANSWER).end());
    server.on("/cut", Script::sse().chunked().body(ANSWER).reset());
    for path in ["/ended", "/cut"] {
        let (status, out, err) = chat(&server.url(path));
        assert_eq!(status, 1, "{path}");
        assert!(out.starts_with("Hi ") && err.contains("not complete"), "{path}: {out} {err}");
    }
    let refusal = "{\"error\": \"no such key\"}\n";
    server.on("/key", Script::status(401, "Unauthorized").length(refusal.len() as u64).body(refusal).end());
    let (status, out, err) = chat(&server.url("/key"));
    assert_eq!((status, out.as_str()), (1, "\n"));
    assert!(err.contains("401") && err.contains(refusal), "{err}");
    assert_eq!(server.requests().len(), 3, "a POST is not repeated");
}

#[test]
fn chat_asks_a_busy_server_again() {
    let server = Server::start();
    let busy = Script::status(429, "Too Many Requests").header("Retry-After", "0").length(0);
    server.on("/", [busy, Script::events(format!("{ANSWER}data: [DONE]\n\n"))]);
    let (status, out, err) = chat(&server.url("/"));
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with("Hi ") && err.contains("429") && err.contains("asking again"), "{out} {err}");
}

#[test]
fn loop_serves_two_streams_in_one_thread() {
    let server = Server::start();
    server.on(
        "/a",
        [Script::sse().body("retry: 1\n\ndata: a1\n\n").wait_for("a").body("data: a2\n\n").fin(), Script::empty(204)],
    );
    server.on("/b", [Script::sse().body("retry: 1\n\nevent: x\ndata: b1\n\n").wait_for("b").fin(), Script::empty(204)]);
    let mut running = Running::start(&LOOP, &[&server.url("/a"), &server.url("/b")]);
    let mut begun = [running.line(), running.line()];
    begun.sort();
    assert_eq!(begun, ["1 message: a1\n", "2 x: b1\n"]);
    server.go("a");
    assert_eq!(running.line(), "1 message: a2\n");
    server.go("b");
    assert_eq!(running.end(), (0, String::new(), String::new()));
}

#[test]
fn loop_takes_a_burst_and_ends_cleanly_on_ctrl_c() {
    let server = Server::start();
    let burst: String = (0..1000).map(|n| format!("data: {n}\n\n")).collect();
    server.on("/a", Script::sse().body(burst).stall());
    server.on("/b", Script::sse().stall());
    let mut running = Running::start(&LOOP, &[&server.url("/a"), &server.url("/b")]);
    for n in 0..1000 {
        assert_eq!(running.line(), format!("1 message: {n}\n"));
    }
    running.interrupt();
    assert_eq!(running.end(), (0, String::new(), String::new()));
    server.wait_for_open(0, DEADLINE);
}

#[test]
fn loop_tells_a_stream_that_failed() {
    let server = Server::start();
    server.on("/204", Script::empty(204));
    let (status, out, err) = run(&LOOP, &[&server.url("/204"), &server.url("/none")]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.starts_with("loop: 2: ") && err.contains("404"), "{err}");
    assert_eq!(run(&LOOP, &["x"]).0, 2);
}

/// The README's first command.
#[test]
fn quickstart_resumes_and_ends_by_itself() {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.current_dir(ROOT).args(["run", "--quiet", "--example", "quickstart"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<&str> = out.lines().filter(|line| line.starts_with("client: event ")).collect();
    assert_eq!(told.len(), 6, "{out}");
    assert!(out.contains("cut the connection in the middle of event 4"), "{out}");
    assert!(out.contains("I connect again, and have had everything up to event 3"), "{out}");
    assert!(out.contains("each once and in order"), "{out}");
}
