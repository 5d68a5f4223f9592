//! The Rust crate as a conformance runner; `../README.md` has the protocol.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventsource::{Config, ConfigError, Event, EventSource, Handle, Kind, ReconnectMode};
use eventsource_conformance::words::{line, words};

/// What to do in the n-th event of a kind.
type Rules = HashMap<(String, usize), Vec<String>>;

fn ms(text: &str) -> Duration {
    Duration::from_millis(text.parse().expect("milliseconds"))
}

fn set(config: &mut Config, words: &[&str]) -> Result<(), ConfigError> {
    let number = || words[1].parse().expect("a number");
    match words[0] {
        "header" => config.set_header(words[1], words[2]),
        "secret_header" => config.set_secret_header(words[1], words[2]),
        "method" => config.set_method(words[1]),
        "body" => config.set_body(words[1].as_bytes()),
        "last_event_id" => config.set_last_event_id(words[1]),
        "retry" => config.set_retry(ms(words[1]), ms(words[2])),
        "max_retries" => config.set_max_retries(number()),
        "reconnect" if words[1] == "always" => config.set_reconnect(ReconnectMode::Always),
        "reconnect" if words[1] == "never" => config.set_reconnect(ReconnectMode::Never),
        "standard_status" => config.set_standard_status(true),
        "response_timeout" => config.set_response_timeout(Some(ms(words[1]))),
        "idle_timeout" => config.set_idle_timeout(Some(ms(words[1]))),
        "max_event_size" => config.set_max_event_size(number() as usize),
        "compression" => config.set_compression(true),
        other => {
            println!("lacks {other}");
            return Ok(());
        }
    }
    .map(|_| ())
}

fn act(handle: &Handle, words: &[String]) {
    let _ = match words[0].as_str() {
        "close" => handle.close(),
        "reconnect" => handle.reconnect(),
        "pause" => handle.pause(),
        "resume" => handle.resume(),
        "retry" => handle.retry(words[1].parse().ok().map(Duration::from_millis)),
        other => panic!("no action {other}"),
    };
}

fn show(event: &Event<'_>) -> (String, String) {
    let kind = format!("{:?}", event.kind()).to_lowercase();
    let (error, state) = (format!("{:?}", event.error()), format!("{:?}", event.state()));
    let (status, retry) = (event.http_status().to_string(), event.retry_ms().to_string());
    let mut all = vec![kind.as_str(), "id", event.id(), "url", event.url()];
    match event.kind() {
        Kind::Message => all.extend(["type", event.event_type(), "data", event.data()]),
        Kind::Comment => all.extend(["data", event.data()]),
        Kind::Error => all.extend(["error", &error, "status", &status, "state", &state, "retry", &retry]),
        Kind::Close => all.extend(["error", &error, "status", &status]),
        _ => {}
    }
    (line(&all), kind)
}

fn start(url: &str, sets: &[Vec<String>], rules: Rules) -> Result<EventSource, String> {
    let mut config = Config::new(url).map_err(|e| e.to_string())?;
    for words in sets {
        set(&mut config, &words.iter().map(String::as_str).collect::<Vec<_>>()).map_err(|e| e.to_string())?;
    }
    let source = EventSource::new(&config).map_err(|e| e.to_string())?;
    let (handle, counts) = (source.handle(), Arc::new(Mutex::new(HashMap::new())));
    let hear = move |event: &Event<'_>| {
        let (shown, kind) = show(event);
        let mut counts = counts.lock().expect("nobody panics");
        let count = counts.entry(kind.clone()).or_insert(0);
        *count += 1;
        if let Some(action) = rules.get(&(kind, *count)) {
            act(&handle, action);
        }
        println!("{shown}");
    };
    source.on(None, None, hear).and_then(|()| source.start()).map_err(|e| e.to_string())?;
    Ok(source)
}

fn main() {
    let (mut url, mut sets, mut rules, mut source) = (String::new(), Vec::new(), Rules::new(), None);
    for text in io::stdin().lock().lines() {
        let words = words(&text.expect("a line"));
        match words[0].as_str() {
            "set" if words[1] == "url" => url = words[2].clone(),
            "set" => sets.push(words[1..].to_vec()),
            "on" => drop(rules.insert((words[1].clone(), words[2].parse().expect("a number")), words[3..].to_vec())),
            "start" => match start(&url, &std::mem::take(&mut sets), std::mem::take(&mut rules)) {
                Ok(started) => source = Some(started),
                Err(reason) => println!("{}", line(["refused", &reason])),
            },
            "do" => act(&source.as_ref().map(EventSource::handle).expect("a source"), &words[1..]),
            "type" => {} // every type is heard
            _ => {
                if let Some(source) = source.take() {
                    source.free();
                }
                println!("ended");
            }
        }
    }
}
