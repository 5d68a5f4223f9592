//! One case through one runner: the server is scripted, the log compared as it comes, the requests at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use eventsource_conformance::call;
use serde_json::{Value, json};

use crate::cases::Case;
use crate::runner::{PATIENCE, Runner};
use crate::surfaces::Surface;

/// How a case went.
#[derive(Debug)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// The surface has no such option.
    Lacking(String),
    /// What was wrong.
    Failed(String),
}

/// The one test server program, seen through its control port: server 0 and another.
pub struct Servers {
    control: String,
    urls: [String; 2],
}

impl Servers {
    /// Of the control port at that URL.
    pub fn new(control: &str) -> Result<Servers, String> {
        let mut servers = Servers {
            control: control.trim_start_matches("http://").trim_end_matches('/').into(),
            urls: Default::default(),
        };
        servers.command("start", json!({}))?;
        for n in 0..2 {
            let told = servers.command(&format!("{n}/describe"), json!({}))?;
            servers.urls[n] = told["url"].as_str().unwrap_or_default().trim_end_matches('/').into();
        }
        Ok(servers)
    }

    fn command(&self, path: &str, arguments: Value) -> Result<Value, String> {
        let answer =
            call(&self.control, "POST", &format!("/{path}"), &arguments.to_string()).map_err(|e| e.to_string())?;
        let value: Value = serde_json::from_str(&answer.body).map_err(|e| e.to_string())?;
        if answer.status == 200 { Ok(value) } else { Err(format!("{path}: {}", value["error"])) }
    }

    fn fill(&self, json: &Value) -> Value {
        let text = json.to_string().replace("$SERVER", &self.urls[0]).replace("$OTHER", &self.urls[1]);
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn script(&self, case: &Value) -> Result<(), String> {
        for (n, key) in ["server", "other"].iter().enumerate() {
            self.command(&format!("{n}/listen"), json!({}))?;
            self.command(&format!("{n}/reset"), json!({}))?;
            for (path, script) in case[key].as_object().into_iter().flatten() {
                let several = script[0].is_array();
                let arguments = json!({ "path": path, if several { "replies" } else { "steps" }: script });
                self.command(&format!("{n}/on"), arguments)?;
            }
        }
        if let Some(before) = case["before"].as_str() {
            self.command(&format!("0/{before}"), json!({}))?;
        }
        Ok(())
    }

    /// The requests of a case, compared with those expected.
    fn check_requests(&self, case: &Value, peer: bool) -> Result<(), String> {
        for (n, key) in ["requests", "other_requests"].iter().enumerate() {
            let Some(expected) = case[key].as_array() else { continue };
            let seen =
                self.command(&format!("{n}/wait_for_requests"), json!({ "n": expected.len(), "timeout_ms": 5000 }))?;
            let seen = seen.as_array().cloned().unwrap_or_default();
            if seen.len() != expected.len() {
                return Err(format!("{} {key} instead of {}", seen.len(), expected.len()));
            }
            for (number, (request, expected)) in seen.iter().zip(expected).enumerate() {
                check_request(request, expected, case, peer).map_err(|e| format!("{key} {number}: {e}"))?;
            }
        }
        Ok(())
    }
}

/// Whether the last event ID is what a case is about: others who get it wrong are told so by these cases, not by all.
fn states_ids(case: &Value) -> bool {
    let requests =
        ["requests", "other_requests"].into_iter().flat_map(|key| case[key].as_array().into_iter().flatten());
    requests.into_iter().any(|request| request.get("id").is_some())
}

fn check_request(request: &Value, expected: &Value, case: &Value, peer: bool) -> Result<(), String> {
    let or = |key: &str, default: &str| expected[key].as_str().unwrap_or(default).to_owned();
    let same = |what: &str, seen: &Value, wanted: &str| {
        if seen.as_str() == Some(wanted) { Ok(()) } else { Err(format!("{what} {seen} instead of {wanted:?}")) }
    };
    same("method", &request["method"], &or("method", "GET"))?;
    same("target", &request["target"], &or("target", case["path"].as_str().unwrap_or("/")))?;
    same("body", &request["body"], &or("body", ""))?;
    let mut headers = expected["headers"].as_object().cloned().unwrap_or_default();
    if !peer || states_ids(case) {
        headers.insert("last-event-id".into(), expected["id"].clone());
    }
    for (name, wanted) in headers {
        let all = request["headers"].as_array().into_iter().flatten();
        let values: Vec<_> = all
            .filter(|h| h[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(&name)))
            .map(|h| h[1].clone())
            .collect();
        let wanted = if wanted.is_null() { vec![] } else { vec![wanted] };
        if values != wanted {
            return Err(format!("{name}: {values:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}

/// What the next event has to be: fields that stay from event to event are kept here.
struct Expected {
    home: String,
    url: String,
    id: Value,
    status: u64,
}

impl Expected {
    /// The kind and its fields. A field that is null may be anything.
    fn next(&mut self, item: &Value) -> (String, BTreeMap<&'static str, Value>) {
        const KINDS: [&str; 6] = ["connect", "open", "message", "comment", "error", "close"];
        let of_word = item.as_str().unwrap_or_default();
        let kind = KINDS.into_iter().find(|kind| *kind == of_word || item.get(kind).is_some()).unwrap_or("?");
        if let Some(url) = item["url"].as_str() {
            self.url = url.into();
        } else if kind == "connect" {
            self.url = self.home.clone();
        }
        let id = item.get("id").cloned().unwrap_or_else(|| self.id.clone());
        if !id.is_null() {
            self.id = id.clone();
        }
        match kind {
            "connect" if item["url"].is_string() => self.home = self.url.clone(),
            "open" => self.status = 200,
            _ => {}
        }
        if kind == "connect" {
            self.status = 0;
        }
        if let Some(status) = item["status"].as_u64() {
            self.status = status;
        }
        let mut fields = BTreeMap::from([("id", id), ("url", json!(self.url))]);
        let text = &item[kind];
        match kind {
            "message" => {
                let origin: Vec<_> = self.url.splitn(4, '/').take(3).collect();
                fields.insert("origin", json!(origin.join("/")));
                fields.insert("type", item.get("type").cloned().unwrap_or_else(|| json!("message")));
                fields.insert("data", text.clone());
            }
            "comment" => drop(fields.insert("data", text.clone())),
            "error" => {
                let is_final = item["final"].as_bool() == Some(true);
                let state = item["state"].as_str().unwrap_or(if is_final { "closed" } else { "connecting" });
                fields.insert("state", json!(state));
                fields.insert("error", text.clone());
                fields.insert("status", json!(self.status));
                let wait = if state == "connecting" { json!([0, 86_400_000u64 * 2]) } else { json!([-1, -1]) };
                fields.insert("retry", item.get("retry").cloned().unwrap_or(wait));
            }
            "close" => {
                fields.insert("error", text.clone());
                fields.insert("status", json!(self.status));
            }
            _ => {}
        }
        (kind.into(), fields)
    }
}

const ERRORS: [&str; 15] = [
    "NONE",
    "ENDED",
    "DNS",
    "CONNECT",
    "TLS",
    "PROXY",
    "IO",
    "TIMED_OUT",
    "HTTP_STATUS",
    "CONTENT_TYPE",
    "ENCODING",
    "REDIRECT",
    "EVENT_TOO_LARGE",
    "APPLICATION",
    "INTERNAL",
];
const STATES: [&str; 4] = ["connecting", "open", "closed", "paused"];

/// A value as a language spells it, in the words of the cases: numbers by their name, without regard to case and underscores.
fn spelled(field: &str, value: &str) -> String {
    let names: &[&str] = match field {
        "error" => &ERRORS,
        "state" => &STATES,
        _ => return value.into(),
    };
    let number = value.parse::<usize>().ok().and_then(|n| names.get(n));
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let named = names.iter().find(|name| plain(name) == plain(value));
    (*number.or(named).unwrap_or(&value)).to_owned()
}

fn compare(
    surface: &Surface,
    expected: (String, BTreeMap<&'static str, Value>),
    seen: &[String],
) -> Result<(), String> {
    let (kind, fields) = expected;
    let shown = || format!("{kind} {fields:?} was expected, not {}", seen.join(" "));
    if seen[0] != kind {
        return Err(shown());
    }
    let mut had: BTreeMap<&str, &str> =
        seen[1..].chunks(2).map(|pair| (pair[0].as_str(), pair.get(1).map_or("", String::as_str))).collect();
    for (field, wanted) in &fields {
        let lacking = surface.lacks.contains(&format!("{kind}.{field}").as_str());
        match (had.remove(field), wanted) {
            (None, _) if lacking => {}
            (None, _) => return Err(format!("{field} is missing: {}", shown())),
            (Some(_), _) if lacking => return Err(format!("{field} is there, but said to be lacking")),
            (Some(_), Value::Null) => {}
            (Some(value), Value::Array(range)) => {
                let number: i64 = value.parse().map_err(|_| shown())?;
                let bound = |n: usize| range[n].as_i64().unwrap_or(i64::MAX);
                if number < bound(0) || number > bound(1) {
                    return Err(format!("{field}: {}", shown()));
                }
            }
            (Some(value), wanted) => {
                let wanted = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_owned);
                if spelled(field, value) != wanted {
                    return Err(format!("{field}: {}", shown()));
                }
            }
        }
    }
    if had.is_empty() { Ok(()) } else { Err(format!("unknown fields {had:?}")) }
}

/// Runs a case. After a failure the runner may be in any state: it is not to be used again.
pub fn run(case: &Case, surface: &Surface, runner: &mut Runner, servers: &Servers) -> Outcome {
    let mut lacking = None;
    match play(case, surface, runner, servers, &mut lacking) {
        _ if lacking.is_some() => Outcome::Lacking(lacking.unwrap_or_default()),
        Ok(()) => Outcome::Passed,
        Err(why) => Outcome::Failed(why),
    }
}

fn play(
    case: &Case,
    surface: &Surface,
    runner: &mut Runner,
    servers: &Servers,
    lacking: &mut Option<String>,
) -> Result<(), String> {
    let json = servers.fill(&case.json);
    servers.script(&json)?;
    let url = json["path"].as_str().unwrap_or("/");
    let url = if url.starts_with('/') { format!("{}{url}", servers.urls[0]) } else { url.to_owned() };
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect()
    };
    let say = |runner: &mut Runner, first: &str, value: &Value| {
        let words = texts(value);
        let words: Vec<&str> = [first].into_iter().chain(words.iter().map(String::as_str)).collect();
        runner.say(&words)
    };
    runner.say(&["set", "url", &url])?;
    let sets = json["set"].as_array().cloned().unwrap_or_default();
    if !sets.iter().any(|set| set[0] == "retry") {
        runner.say(&["set", "retry", "1", "1"])?;
    }
    for set in &sets {
        say(runner, "set", set)?;
    }
    for rule in json["on"].as_array().into_iter().flatten() {
        say(runner, "on", rule)?;
    }
    for kind in json["log"].as_array().into_iter().flatten().filter_map(|item| item["type"].as_str()) {
        runner.say(&["type", kind])?; // for those that see no type they did not ask for
    }
    runner.say(&["start"])?;
    let instead = &json["instead"][surface.name];
    let mut log = if instead.is_array() { instead } else { &json["log"] }.as_array().cloned().unwrap_or_default();
    let freed = json["freed"].as_bool() == Some(true);
    if !freed && !log.iter().any(|item| item["close"].is_string() || item == "refused") {
        log.extend([json!({ "do": ["close"] }), json!({ "close": "NONE" })]);
    }
    let first = json["set"].as_array().into_iter().flatten().find(|set| set[0] == "last_event_id");
    let id = first.map_or_else(|| json!(""), |set| set[1].clone());
    let mut expected = Expected { home: url.clone(), url, id, status: 0 };
    let mut since = Instant::now();
    for item in &log {
        if item["do"].is_array() {
            say(runner, "do", &item["do"])?;
        } else if let Some(call) = item["server"].as_str() {
            servers.command(&format!("0/{call}"), json!({}))?;
        } else if let Some(name) = item["go"].as_str() {
            since = Instant::now();
            servers.command("0/go", json!({ "name": name }))?;
        } else if let Some(ms) = item["waited"].as_u64() {
            if since.elapsed() < Duration::from_millis(ms) {
                return Err(format!("it waited only {:?}", since.elapsed()));
            }
        } else if let Some(n) = item["requests"].as_u64() {
            servers.command("0/wait_for_requests", json!({ "n": n }))?;
        } else {
            let mut next = expected.next(item);
            if surface.peer && item.get("id").is_none() {
                next.1.insert("id", Value::Null); // see states_ids
            }
            if surface.lacks.contains(&next.0.as_str()) {
                continue;
            }
            let mut seen = runner.hear()?;
            while seen[0] == "lacks" {
                *lacking = Some(seen[1..].join(" "));
                seen = runner.hear()?;
            }
            if item == "refused" {
                if seen[0] != "refused" {
                    return Err(format!("refused was expected, not {}", seen.join(" ")));
                }
                continue;
            }
            compare(surface, next, &seen)?;
        }
    }
    if surface.peer && case.suite != "vectors" {
        // It cannot say that it has ended: what it would do wrong needs a moment.
        std::thread::sleep(Duration::from_millis(300));
    }
    runner.say(&["end"])?;
    let until = Instant::now() + PATIENCE;
    while let Some(seen) = runner.heard(until.saturating_duration_since(Instant::now())) {
        match seen[0].as_str() {
            "ended" => {
                let gone = json!({ "n": 0, "timeout_ms": 5000 });
                servers.command("0/wait_for_open", gone.clone())?;
                servers.command("1/wait_for_open", gone)?;
                return servers.check_requests(&json, surface.peer);
            }
            _ if freed => {}
            _ => return Err(format!("nothing more was expected, but {}", seen.join(" "))),
        }
    }
    Err("it does not end".into())
}
