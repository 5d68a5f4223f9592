//! The program: one line to begin with, scripts and records over HTTP, an end when its input ends.
#![allow(missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

struct Program {
    child: Child,
    input: Option<ChildStdin>,
    /// What the first line says, by its words.
    line: Vec<String>,
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eventsource-test-server"));
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let input = child.stdin.take();
        Program { child, input, line: line.split_whitespace().map(String::from).collect() }
    }

    fn word(&self, name: &str) -> &str {
        let at = self.line.iter().position(|w| w == name).unwrap_or_else(|| panic!("no {name} in {:?}", self.line));
        &self.line[at + 1]
    }

    fn try_call(&self, call: &str, arguments: &Value) -> Result<Value, Value> {
        let body = arguments.to_string();
        let reply =
            exchange(self.word("CONTROL"), &format!("POST /{call} HTTP/1.1\r\nContent-Length: {}", body.len()), &body);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let value = serde_json::from_str(body).unwrap();
        if head.starts_with("HTTP/1.1 200 ") { Ok(value) } else { Err(value) }
    }

    fn call(&self, call: &str, arguments: Value) -> Value {
        self.try_call(call, &arguments).unwrap_or_else(|e| panic!("{call}: {e}"))
    }

    fn get(&self, target: &str) -> String {
        exchange(self.word("LISTENING"), &format!("GET {target} HTTP/1.1"), "")
    }

    /// Ends the program's input; gives what it wrote to its error output.
    fn end(mut self) -> (bool, String) {
        drop(self.input.take());
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().success(), errors)
    }
}

fn exchange(url: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    write!(stream, "{head}\r\nHost: x\r\n\r\n{body}").unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn every_kind_of_step_and_the_records() {
    let program = Program::start(&[]);
    let steps = json!([
        {"sse": {"framing": "chunked", "headers": [["X", {"base64": "/w=="}]]}},
        {"body": {"repeat": "ab", "times": 2}},
        {"tell": "there"}, {"wait_for": "go"}, {"pause_ms": 1},
        {"trickle": {"bytes": "2\r\ncd\r\n", "piece": 3, "pause_ms": 0.5}},
        "end"
    ]);
    program.call("0/on", json!({"path": "/s", "replies": [steps, [{"endless": {"unit": "xy", "limit": 5}}], ["sse", {"redirect": [307, "/t"]}]]}));
    let reader = {
        let url = program.word("LISTENING").to_owned();
        std::thread::spawn(move || exchange(&url, "GET /s HTTP/1.1\r\nA: b", ""))
    };
    program.call("0/wait_until_told", json!({"name": "there"}));
    program.call("0/go", json!({"name": "go"}));
    let expected = "HTTP/1.1 200 Status\r\nContent-Type: text/event-stream\r\nX: \u{fffd}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabab\r\n2\r\ncd\r\n0\r\n\r\n";
    assert_eq!(reader.join().unwrap(), expected);
    assert_eq!(program.get("/s"), "xyxyx");
    assert!(
        program
            .get("/s")
            .ends_with("HTTP/1.1 307 Redirect\r\nLocation: /t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    );
    let requests = program.call("0/wait_for_requests", json!({"n": 3}));
    assert_eq!(requests[0]["headers"], json!([["A", "b"], ["Host", "x"]]));
    assert_eq!(requests[2]["target"], "/s");
    program.call("0/wait_for_open", json!({"n": 0}));
    assert_eq!(program.call("0/connections", json!({}))[1]["peer_end"], "closed");
    assert_eq!(program.end(), (true, String::new()));
}

#[test]
fn mistakes_are_told() {
    let program = Program::start(&[]);
    let mistakes = [
        ("0/on", json!({"path": "/", "steps": ["nonsense"]}), "no such step"),
        ("0/on", json!({"path": "/", "steps": [{"head": {"statsu": 200}}]}), "statsu"),
        ("0/wait_for_requests", json!({"n": 1, "timeout_ms": 10}), "for 1 requests"),
        ("7/go", json!({"name": "x"}), "no server 7"),
        ("0/nonsense", json!({}), "no call"),
        ("start", json!({"tls": {"fault": "odd"}}), "no such fault"),
    ];
    for (call, arguments, message) in mistakes {
        let error = program.try_call(call, &arguments).unwrap_err();
        assert!(error["error"].as_str().unwrap().contains(message), "{call}: {error}");
    }
    program.get("/flood?size=many");
    let problems = program.call("0/problems", json!({}));
    assert!(problems[0].as_str().unwrap().contains("size is no number"));
    program.get("/flood?size=much");
    let (success, errors) = program.end();
    assert!(!success && errors.contains("size=much"), "{errors}");
}

#[test]
fn further_servers_and_tls() {
    let program = Program::start(&["--tls"]);
    assert!(program.word("LISTENING").starts_with("https://127.0.0.1:"));
    let ca_file = program.word("CA").to_owned();
    assert_eq!(program.call("0/describe", json!({}))["ca_pem"], std::fs::read_to_string(&ca_file).unwrap());
    let second = program.call("start", json!({"ipv6": true}));
    assert_eq!(second["server"], 1);
    let url = second["url"].as_str().unwrap();
    assert!(exchange(url, "GET /clock HTTP/1.1", "").starts_with("HTTP/1.1 200 "));
    let third = program.call("start", json!({"tls": {"fault": "expired", "client_ca": true, "tls12": true}}));
    assert!(third["url"].as_str().unwrap().starts_with("https://"));
    assert!(program.call("2/client_identity", json!({"name": "me"})).as_str().unwrap().contains("PRIVATE KEY"));
    program.call("1/stop", json!({}));
    assert!(TcpStream::connect(url.trim_start_matches("http://")).is_err());
    program.call("shutdown", json!({}));
    let mut program = program;
    assert!(program.child.wait().unwrap().success());
    assert!(!std::path::Path::new(&ca_file).exists());
}

#[test]
fn ready_endpoints() {
    let program = Program::start(&[]);
    let flood = program.get("/flood?size=100&count=5000");
    let (_, body) = flood.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 500_000);
    assert_eq!(body, format!("data: {}\n\n", "x".repeat(92)).repeat(5000));
    assert!(
        program
            .get("/flood?size=10&count=2&chunked=1")
            .ends_with("\r\n\r\na\r\ndata: xx\n\n\r\na\r\ndata: xx\n\n\r\n0\r\n\r\n")
    );
    let ticks = program.get("/ticks?ms=0.1&count=3");
    let times: Vec<i64> = ticks.lines().filter_map(|l| l.strip_prefix("data: ")).map(|t| t.parse().unwrap()).collect();
    assert!(times.len() == 3 && times.is_sorted());
    let clock: i64 = program.get("/clock").split_once("\r\n\r\n").unwrap().1.parse().unwrap();
    assert!(clock >= times[2]);
    let resume =
        |id: &str| exchange(program.word("LISTENING"), &format!("GET /resume?every=2&total=3 HTTP/1.1{id}"), "");
    assert!(resume("").ends_with("\r\n\r\n1e\r\nid: 1\ndata: 1\n\nid: 2\ndata: 2\n\n\r\n0\r\n\r\n"));
    assert!(resume("\r\nLast-Event-ID: 2").ends_with("\r\n\r\nf\r\nid: 3\ndata: 3\n\n\r\n0\r\n\r\n"));
    assert!(resume("\r\nLast-Event-ID: 3").starts_with("HTTP/1.1 204 "));
    assert!(program.get("/echo?a").contains("\"target\":\"/echo?a\""));
}

#[test]
fn vectors_come_over_the_socket_in_any_split() {
    let program = Program::start(&[]);
    let all = program.get("/vectors");
    let all: Vec<Value> = serde_json::from_str(all.split_once("\r\n\r\n").unwrap().1).unwrap();
    let vector = all.iter().find(|v| v["name"] == "leading byte order mark").expect("a vector of that name");
    let input: Vec<u8> = vector["input"].as_str().unwrap().chars().map(|c| c as u8).collect();
    let mut sizes = Vec::new();
    for split in ["whole", "byte", "random&seed=7"] {
        let target = format!("/vectors/leading%20byte%20order%20mark?split={split}");
        let mut stream = TcpStream::connect(program.word("LISTENING").trim_start_matches("http://")).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let at = reply.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let (mut rest, mut body, mut chunks) = (&reply[at..], Vec::<u8>::new(), 0);
        loop {
            let line = rest.iter().position(|b| *b == b'\r').unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 2 + size + 2..];
            chunks += 1;
        }
        assert_eq!(body, input, "{split}");
        sizes.push(chunks);
    }
    assert!(sizes[0] == 1 && sizes[1] == input.len() && sizes[2] >= 1, "{sizes:?}");
    assert!(program.get("/vectors/none").starts_with("HTTP/1.1 404 "));
}
