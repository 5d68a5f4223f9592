//! Drives the contract test services through every call of their protocol, as the upstream harness does and a little worse.
//!
//!     cargo run -p eventsource-conformance --bin contract-driver -- [c] [node] [kotlin] [swift]
//!
//! Each service is built and started by `tests/contract/run`. A line a check, a sum a service; status 1 if any has failed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventsource_conformance::{Answer, call};
use eventsource_test_server::{BlackHole, Script, Server};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// Only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long something that must not happen is watched for.
const WATCH: Duration = Duration::from_millis(400);

type Callbacks = Arc<Mutex<HashMap<String, Sender<(usize, Value)>>>>;

/// What the service talks to, and the service.
struct Harness {
    server: Server,
    callbacks: Server,
    waiting: Callbacks,
    authority: String,
    child: Child,
    node: bool,
    hang: Option<Hang>,
}

/// While its file is there, lookups of names under .test hang in the service. Linux alone can load what makes them.
struct Hang {
    library: PathBuf,
    file: PathBuf,
}

impl Hang {
    fn build() -> Option<Hang> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        // Below target, which the root that Swift runs in has too.
        let folder = std::env::current_exe().expect("this program").with_file_name("contract-hang");
        std::fs::create_dir_all(&folder).expect("a folder for a library");
        let library = folder.join(format!("{}.so", std::process::id()));
        let source = Path::new(ROOT).join("tests/common/hang.c");
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.is_ok_and(|status| status.success()), "cc");
        Some(Hang { file: library.with_extension("file"), library })
    }

    fn asked(&self) -> usize {
        std::fs::read(self.file.with_extension("file.asked")).map_or(0, |text| text.len())
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        for path in [&self.library, &self.file, &self.file.with_extension("file.asked")] {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A stream of the service, deleted when it is dropped.
struct Stream<'a> {
    harness: &'a Harness,
    location: String,
    callbacks: Receiver<(usize, Value)>,
    heard: usize,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

impl Harness {
    fn start(name: &str) -> Harness {
        let port = free_port();
        let run = Path::new(ROOT).join("tests/contract/run");
        let (mut command, hang) = (Command::new(run), Hang::build());
        if let Some(hang) = &hang {
            command.env("LD_PRELOAD", &hang.library).env("HANG_FILE", &hang.file);
        }
        command.args([name, &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("tests/contract/run");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its standard output"));
        out.read_line(&mut line).expect("a line when it is ready");
        assert!(!line.is_empty(), "the service does not start");
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let waiting = Callbacks::default();
        let callbacks = Server::start();
        let shared = Arc::clone(&waiting);
        callbacks.handle_rest(move |request, connection| {
            let (tag, number) = request.path()[1..].rsplit_once('/').unwrap_or_default();
            let heard = (number.parse().unwrap_or(0), serde_json::from_slice(&request.body).unwrap_or(Value::Null));
            let table = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = table.get(tag).map(|stream| stream.send(heard));
            drop(table);
            let answer = Script::status(202, "Accepted").length(0);
            let closes = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            connection.run(&if closes { answer.fin() } else { answer.next_request() })
        });
        let authority = format!("127.0.0.1:{port}");
        Harness { server: Server::start(), callbacks, waiting, authority, child, node: name == "node", hang }
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        call(&self.authority, method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    /// Scripts `/NAME` and begins a stream of it; `more` is added to the order.
    fn stream<'a>(&'a self, name: &str, scripts: impl Into<Vec<Script>>, more: Value) -> Stream<'a> {
        let path = format!("/{name}");
        self.server.on(&path, scripts.into());
        self.open(name, &self.server.url(&path), more)
    }

    fn open<'a>(&'a self, tag: &str, url: &str, more: Value) -> Stream<'a> {
        let (tell, callbacks) = channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(tag.into(), tell);
        let mut order = json!({ "streamUrl": url, "callbackUrl": self.callbacks.url(&format!("/{tag}")), "tag": tag });
        for (key, value) in more.as_object().into_iter().flatten() {
            order[key] = value.clone();
        }
        let answer = self.call("POST", "/", &order.to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
        let location = answer.header("location").expect("a Location").to_owned();
        assert!(location.starts_with('/'), "{location}");
        Stream { harness: self, location, callbacks, heard: 0 }
    }

    /// The requests for that path so far, once there are `n`; no more than that may come.
    fn requests(&self, path: &str, n: usize) -> Vec<eventsource_test_server::Request> {
        let until = Instant::now() + PATIENCE;
        loop {
            let all: Vec<_> = self.server.requests().into_iter().filter(|r| r.path() == path).collect();
            if all.len() >= n {
                assert_eq!(all.len(), n, "too many requests for {path}");
                return all;
            }
            assert!(Instant::now() < until, "{} of {n} requests for {path}", all.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the client has ended the connection of that request.
    fn ended(&self, path: &str) {
        let connection = self.requests(path, 1)[0].connection;
        self.server.wait_for_peer_end(connection, PATIENCE);
    }
}

impl Stream<'_> {
    /// The next callback, which has to have the next number.
    fn next(&mut self) -> Value {
        let (number, value) = self.callbacks.recv_timeout(PATIENCE).expect("a callback");
        self.heard += 1;
        assert_eq!(number, self.heard, "callbacks out of turn: {value}");
        value
    }

    fn event(&mut self, kind: &str, data: &str, id: &str) {
        assert_eq!(self.next(), json!({ "kind": "event", "event": { "type": kind, "data": data, "id": id } }));
    }

    fn message(&mut self, data: &str) {
        self.event("message", data, "");
    }

    fn error(&mut self) {
        let value = self.next();
        assert!(value["kind"] == "error" && value["error"].is_string(), "no error: {value}");
    }

    fn comment(&mut self, text: &str) {
        assert_eq!(self.next(), json!({ "kind": "comment", "comment": text }));
    }

    /// No callback comes for a while.
    fn quiet(&mut self) {
        let heard = self.callbacks.recv_timeout(WATCH);
        assert_eq!(heard, Err(RecvTimeoutError::Timeout));
    }

    fn command(&self, command: Value) -> u16 {
        self.harness.call("POST", &self.location, &command.to_string()).status
    }

    fn listen(&self, kind: &str) {
        let status = self.command(json!({ "command": "listen", "listen": { "type": kind } }));
        assert!((200..300).contains(&status), "listen: {status}");
    }

    fn restart(&self) {
        let status = self.command(json!({ "command": "restart" }));
        assert!((200..300).contains(&status), "restart: {status}");
    }

    fn delete(&self) -> u16 {
        self.harness.call("DELETE", &self.location, "").status
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        let _ = call(&self.harness.authority, "DELETE", &self.location, "");
    }
}

fn held(body: impl AsRef<[u8]>) -> Script {
    Script::sse().chunked().body(body).stall()
}

fn soon() -> Value {
    json!({ "initialDelayMs": 1 })
}

fn status_says_what_it_can(h: &Harness) {
    let answer = h.call("GET", "/", "");
    let value: Value = serde_json::from_str(&answer.body).expect("JSON");
    assert!(answer.status == 200 && value["name"].as_str().is_some_and(|n| n.starts_with("libeventsource")), "{value}");
    let mut all = vec!["bom", "comments", "headers", "last-event-id", "post", "read-timeout", "report", "restart"];
    all.push("server-directed-shutdown-request");
    if h.node {
        all.push("event-type-listeners");
    }
    let mut had: Vec<_> = value["capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    had.sort_unstable();
    all.sort_unstable();
    assert_eq!(had, all);
}

fn events_have_type_data_and_id(h: &Harness) {
    // What is sent first waits until a service that needs it has been told of the type.
    let script = Script::sse().chunked().wait_for("listened");
    let body = "data: a\n\nid: 1\ndata: b\ndata: c\n\nevent: x\ndata: \"\\ \u{1}é😀\n\ndata\n\nid\ndata: d\n\n";
    let mut s = h.stream("events", [script.body(body).stall()], json!({}));
    s.listen("x");
    h.server.go("listened");
    s.message("a");
    s.event("message", "b\nc", "1");
    s.event("x", "\"\\ \u{1}é😀", "1");
    s.event("message", "", "1");
    s.message("d");
    s.quiet();
}

fn null_and_missing_fields_are_defaults(h: &Harness) {
    let nulls = json!({ "tag": null, "initialDelayMs": null, "readTimeoutMs": null, "lastEventId": null, "headers": null,
        "method": null, "body": null });
    h.stream("nulls", [held("data: a\n\n")], nulls).message("a");
    h.stream("missing", [held("data: a\n\n")], json!({})).message("a");
    let zeros = json!({ "initialDelayMs": 0, "readTimeoutMs": 0, "headers": {}, "unknown": [{ "x": [1, "]"] }] });
    h.stream("zeros", [held("data: a\n\n")], zeros).message("a");
    for path in ["/nulls", "/missing", "/zeros"] {
        let request = &h.requests(path, 1)[0];
        assert_eq!((request.method.as_str(), request.body.len()), ("GET", 0));
    }
}

fn the_first_request_has_the_headers_of_the_standard(h: &Harness) {
    let _s = h.stream("standard", [held("")], json!({}));
    let request = &h.requests("/standard", 1)[0];
    assert_eq!(request.all("accept").collect::<Vec<_>>(), ["text/event-stream"]);
    assert_eq!(request.all("cache-control").collect::<Vec<_>>(), ["no-cache"]);
    assert_eq!(request.header("last-event-id"), None);
}

fn headers_and_last_event_id_are_sent(h: &Harness) {
    let more = json!({ "headers": { "X-One": "1 \"é\"", "Authorization": "Bearer \\x" }, "lastEventId": "a é" });
    let mut s = h.stream("headers", [held("data: a\n\n")], more);
    s.event("message", "a", "a é");
    let request = &h.requests("/headers", 1)[0];
    assert_eq!(request.header("x-one").as_deref(), Some("1 \"é\""));
    assert_eq!(request.header("authorization").as_deref(), Some("Bearer \\x"));
    assert_eq!(request.header("last-event-id").as_deref(), Some("a é"));
}

fn post_and_report_have_bodies_and_come_again(h: &Harness) {
    for method in ["POST", "REPORT"] {
        let more = json!({ "method": method, "body": "{\"é\": \"\u{1F600}\\n\"}", "initialDelayMs": 1,
            "headers": { "content-type": "application/json" } });
        let mut s = h.stream(method, [Script::events("id: 1\ndata: a\n\n"), held("data: b\n\n")], more);
        s.event("message", "a", "1");
        s.error();
        s.event("message", "b", "1");
        let requests = h.requests(&format!("/{method}"), 2);
        for request in &requests {
            assert_eq!((request.method.as_str(), &*request.body), (method, "{\"é\": \"\u{1F600}\\n\"}".as_bytes()));
            assert_eq!(request.header("content-type").as_deref(), Some("application/json"));
        }
        assert_eq!(requests[1].header("last-event-id").as_deref(), Some("1"));
    }
}

fn a_stream_that_breaks_is_one_error_and_goes_on(h: &Harness) {
    let cut = Script::sse().chunked().body("retry: 1\nid: 7\ndata: a\n\ndata: half").reset();
    let replies = [cut, Script::events("data: b\n\nid\ndata: c\n\n"), held("data: d\n\n")];
    let mut s = h.stream("breaks", replies, json!({ "initialDelayMs": 20_000 }));
    s.event("message", "a", "7");
    s.error();
    s.event("message", "b", "7");
    s.message("c");
    s.error();
    s.message("d");
    s.quiet();
    let ids: Vec<_> = h.requests("/breaks", 3).iter().map(|r| r.header("last-event-id")).collect();
    assert_eq!(ids, [None, Some("7".into()), None]);
}

fn attempts_that_fail_are_one_error_each(h: &Harness) {
    let mut s = h.stream("fails", [Script::empty(503), Script::new().reset(), held("data: a\n\n")], soon());
    s.error();
    s.error();
    s.message("a");
    s.quiet();
    let mut refused = h.open("refused", &format!("http://127.0.0.1:{}/", free_port()), soon());
    refused.error();
    refused.error();
}

fn comments_are_told_untrimmed(h: &Harness) {
    let mut s = h.stream("comments", [held(":\n: a b \n:c:\rdata: x\n:\u{e9}\n\n")], json!({}));
    for text in ["", " a b ", "c:", "é"] {
        s.comment(text);
    }
    s.message("x");
}

fn a_byte_order_mark_is_dropped(h: &Harness) {
    let mut s = h.stream("bom", [held("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\ndata: \u{FEFF}c\n\n")], json!({}));
    s.message("a");
    s.message("\u{FEFF}c");
}

fn bytes_may_come_one_at_a_time(h: &Harness) {
    let mut s = h.stream("bytes", [Script::sse().bytewise("data: é😀\r\ndata: b\r\n\r\n: c\r\n").stall()], json!({}));
    s.message("é😀\nb");
    s.comment(" c");
}

fn nothing_waits_for_a_byte_that_does_not_come(h: &Harness) {
    for (n, end) in ["\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\r"].iter().enumerate() {
        h.stream(&format!("held{n}"), [held(format!("data: a{end}"))], json!({})).message("a");
    }
    h.stream("held-comment", [held(": a\r")], json!({})).comment(" a");
}

fn messages_may_be_of_14_mb(h: &Harness) {
    const SIZE: usize = 14 << 20;
    let line = "x".repeat(SIZE);
    let mut s = h.stream("large", [held(format!("data: {line}\n\ndata: a\n\n"))], json!({}));
    s.message(&line);
    s.message("a");
    let lines = vec!["é\"".repeat(500); SIZE / 1500].join("\n");
    let body = format!("data: {}\n\n", lines.replace('\n', "\ndata: "));
    h.stream("lines", [held(body)], json!({})).message(&lines);
}

fn a_thousand_events_come_in_order(h: &Harness) {
    let body: String = (0..1000).map(|n| format!("data: {n}\n\n")).collect();
    let mut s = h.stream("thousand", [held(body)], json!({}));
    (0..1000).for_each(|n| s.message(&n.to_string()));
}

fn restart_connects_again_at_once_and_is_no_error(h: &Harness) {
    let replies = [held("id: 1\ndata: a\n\n"), held("data: b\n\n"), held("data: c\n\n")];
    let mut s = h.stream("restart", replies, json!({ "initialDelayMs": 25_000 }));
    for data in ["a", "b", "c"] {
        s.event("message", data, "1");
        if data != "c" {
            s.restart();
        }
    }
    s.quiet();
    let ids: Vec<_> = h.requests("/restart", 3).iter().map(|r| r.header("last-event-id")).collect();
    assert_eq!(ids, [None, Some("1".into()), Some("1".into())]);
    // In the wait for the next attempt, too.
    let mut s = h.stream("waits", [Script::empty(500), held("data: a\n\n")], json!({ "initialDelayMs": 25_000 }));
    s.error();
    s.restart();
    s.message("a");
}

fn silence_is_an_error_under_a_read_timeout(h: &Harness) {
    let more = json!({ "readTimeoutMs": 4000, "initialDelayMs": 1 });
    let mut s = h.stream("silence", [held("data: a\n\n"), held("data: b\n\n")], more);
    s.message("a");
    s.error();
    s.message("b");
}

fn status_204_ends_all_attempts(h: &Harness) {
    let mut s = h.stream("204", [Script::events("data: a\n\n"), Script::empty(204)], soon());
    s.message("a");
    s.error();
    h.requests("/204", 2);
    s.quiet();
    h.requests("/204", 2);
}

fn redirects_are_followed(h: &Harness) {
    for status in [301, 302, 303, 307, 308] {
        let to = format!("to{status}");
        h.server.on(&format!("/{to}"), held("data: a\n\n"));
        h.stream(&format!("from{status}"), [Script::redirect(status, &to).end()], json!({})).message("a");
    }
}

fn redirects_to_nowhere_are_one_error(h: &Harness) {
    let nowhere = [Script::redirect(301, "").end(), Script::status(307, "Redirect").length(0).end()];
    for (n, script) in nowhere.into_iter().enumerate() {
        let name = format!("nowhere{n}");
        let mut s = h.stream(&name, [script], soon());
        s.error();
        s.quiet();
        h.requests(&format!("/{name}"), 1);
    }
}

fn several_streams_at_once(h: &Harness) {
    let mut all: Vec<_> = (0..20)
        .map(|n| {
            let body = format!("id: {n}\ndata: a{n}\n\n");
            let script = Script::sse().chunked().body(body).wait_for("more").body(format!("data: b{n}\n\n")).stall();
            h.stream(&format!("several{n}"), [script], json!({}))
        })
        .collect();
    for (n, s) in all.iter_mut().enumerate() {
        s.event("message", &format!("a{n}"), &n.to_string());
    }
    (0..20).for_each(|_| h.server.go("more"));
    for (n, s) in all.iter_mut().enumerate() {
        s.event("message", &format!("b{n}"), &n.to_string());
    }
}

fn a_stream_may_be_deleted_in_every_phase(h: &Harness) {
    let phases = [
        ("silent", Script::new().stall()),
        ("head", Script::new().send("HTTP/1.1 200 OK\r\nContent-Ty").stall()),
        ("open", held("")),
        ("event", held("data: half")),
        ("flood", Script::sse().endless("data: again and again\n\n", 1 << 40)),
        ("refused", Script::status(503, "Busy").body("half").stall()),
    ];
    for (name, script) in phases {
        let mut s = h.stream(&format!("delete-{name}"), [script], json!({ "initialDelayMs": 25_000 }));
        h.requests(&format!("/delete-{name}"), 1);
        if name == "flood" {
            (0..10).for_each(|_| s.message("again and again"));
        }
        let status = s.delete();
        assert!(status == 200 || status == 204, "{name}: {status}");
        h.ended(&format!("/delete-{name}"));
        assert_eq!((s.delete(), s.command(json!({ "command": "restart" }))), (404, 404), "{name}");
        if name != "flood" {
            s.quiet();
        }
    }
    let waiting = h.stream("delete-waiting", [Script::empty(503)], json!({ "initialDelayMs": 1500 }));
    h.requests("/delete-waiting", 1);
    assert!(waiting.delete() < 300);
    std::thread::sleep(Duration::from_secs(2)); // the wait, lengthened as much as it may be
    h.requests("/delete-waiting", 1);
    before_the_request(h);
    // Where the end has come already, there still is a stream to delete.
    let mut ended = h.stream("delete-ended", [Script::empty(404)], soon());
    ended.error();
    assert!(ended.delete() < 300);
}

/// How many connections to that port have had no answer yet.
fn connecting(port: u16) -> usize {
    let text = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let (to, syn_sent) = (format!(":{port:04X}"), "02");
    let fields = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[2].ends_with(&to) && fields[3] == syn_sent).count()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The phases that no server sees: the lookup of the name, and the connection that nobody answers.
fn before_the_request(h: &Harness) {
    let Some(hang) = &h.hang else { return };
    std::fs::write(&hang.file, "").expect("a file");
    let mut lookup = h.open("delete-lookup", "http://nobody.test/", soon());
    until("the lookup", || hang.asked() > 0);
    assert!(lookup.delete() < 300);
    assert_eq!(lookup.delete(), 404);
    lookup.quiet();
    std::fs::remove_file(&hang.file).expect("it was there until now");
    lookup.quiet();
    let hole = BlackHole::start();
    let port = hole.address().port();
    let filling = connecting(port);
    let mut connect = h.open("delete-connect", &format!("http://{}/", hole.address()), soon());
    until("a SYN", || connecting(port) > filling);
    assert!(connect.delete() < 300);
    until("the end of the attempt", || connecting(port) == filling);
    assert_eq!(connect.delete(), 404);
    connect.quiet();
}

fn what_is_no_call_is_refused(h: &Harness) {
    let s = h.stream("refusals", [held("")], json!({}));
    assert_eq!(s.command(json!({ "command": "dance" })), 400);
    for (method, path, body) in [
        ("POST", "/", "{\"streamUrl\": "),
        ("POST", "/", "{\"callbackUrl\": \"http://127.0.0.1:1/\"}"),
        ("POST", "/", "{\"streamUrl\": \"no URL\", \"callbackUrl\": \"http://127.0.0.1:1/\"}"),
        ("PUT", "/", ""),
        ("POST", "/streams/9999", "{\"command\": \"restart\"}"),
        ("DELETE", "/streams/9999", ""),
        ("DELETE", "/elsewhere", ""),
    ] {
        let status = h.call(method, path, body).status;
        assert!((400..500).contains(&status), "{method} {path} {body}: {status}");
    }
    assert_eq!(h.call("GET", "/", "").status, 200);
}

/// The last: it ends the service, with a stream that is still open.
fn delete_ends_the_service(h: &Harness) {
    let s = h.stream("last", [held("data: a\n\n")], json!({}));
    h.requests("/last", 1);
    assert_eq!(h.call("DELETE", "/", "").status, 200);
    h.ended("/last");
    drop(s);
}

type Check = (&'static str, fn(&Harness));
macro_rules! checks { ($($name:ident),* $(,)?) => { [$((stringify!($name), $name as fn(&Harness))),*] } }

fn drive(name: &str) -> (usize, usize) {
    let mut harness = Harness::start(name);
    let checks: [Check; 22] = checks![
        status_says_what_it_can,
        events_have_type_data_and_id,
        null_and_missing_fields_are_defaults,
        the_first_request_has_the_headers_of_the_standard,
        headers_and_last_event_id_are_sent,
        post_and_report_have_bodies_and_come_again,
        a_stream_that_breaks_is_one_error_and_goes_on,
        attempts_that_fail_are_one_error_each,
        comments_are_told_untrimmed,
        a_byte_order_mark_is_dropped,
        bytes_may_come_one_at_a_time,
        nothing_waits_for_a_byte_that_does_not_come,
        messages_may_be_of_14_mb,
        a_thousand_events_come_in_order,
        restart_connects_again_at_once_and_is_no_error,
        silence_is_an_error_under_a_read_timeout,
        status_204_ends_all_attempts,
        redirects_are_followed,
        redirects_to_nowhere_are_one_error,
        several_streams_at_once,
        a_stream_may_be_deleted_in_every_phase,
        what_is_no_call_is_refused,
    ];
    let mut passed = 0;
    let all = checks.iter().chain(&[("delete_ends_the_service", delete_ends_the_service as fn(&Harness))]);
    for (check, run) in all {
        let began = Instant::now();
        let ok = catch_unwind(AssertUnwindSafe(|| run(&harness))).is_ok();
        println!("{name} {check}: {} ({} ms)", if ok { "ok" } else { "FAILED" }, began.elapsed().as_millis());
        passed += usize::from(ok);
    }
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match harness.child.try_wait().expect("a child") {
            Some(status) => break status.success(),
            None if Instant::now() > until => break false,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    if !status {
        println!("{name}: the service did not end by itself and well");
        let _ = harness.child.kill();
    }
    harness.server.take_problems();
    (passed - usize::from(!status).min(passed), checks.len() + 1)
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let names: Vec<String> = std::env::args().skip(1).collect();
    let names = if names.is_empty() { ["c", "node", "kotlin", "swift"].map(String::from).to_vec() } else { names };
    let mut all = true;
    for name in &names {
        let (passed, total) = drive(name);
        println!("{name}: {passed} of {total}");
        all &= passed == total;
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
