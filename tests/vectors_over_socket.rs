//! `tests/vectors/` over the wire, in every driver and any split: sections E to H as an application sees them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::*;
use eventsource::Kind;
use serde_json::Value;

fn vectors() -> Vec<Value> {
    let mut files: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    let all = files.iter().flat_map(|path| {
        let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        file.as_array().unwrap().clone()
    });
    all.collect()
}

/// The items that a source hands out, in the words of `Seen::brief`; the reconnection time at the end of the stream.
fn expected(vector: &Value) -> (Vec<String>, i64) {
    let mut items = Vec::new();
    let mut retry = 1000;
    for item in vector["items"].as_array().unwrap() {
        let text = |key: &str| item[key].as_str().unwrap_or_else(|| panic!("{key} of {item}"));
        match text("kind") {
            "message" => items.push(format!("message {:?} type={} id={}", text("data"), text("type"), text("id"))),
            "comment" => items.push(format!("comment {:?}", text("data"))),
            "error-too-large" => items.push("too large".into()),
            "retry" => retry = item["ms"].as_i64().unwrap(),
            kind => panic!("an unknown kind of item: {kind}"),
        }
    }
    (items, retry)
}

fn told(seen: &Seen) -> String {
    match seen.kind {
        Kind::Message => format!("message {:?} type={} id={}", seen.data, seen.event_type, seen.id),
        Kind::Comment => format!("comment {:?}", seen.data),
        _ => "too large".into(),
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02x}");
        encoded
    })
}

#[test]
fn every_vector_in_every_driver_and_split() {
    // the rows are those that each vector names
    let vectors = vectors();
    assert!(vectors.len() > 200, "{}", vectors.len());
    for_each_driver(|driver| {
        let server = Server::start();
        for (n, vector) in vectors.iter().enumerate() {
            let name = vector["name"].as_str().unwrap();
            let (items, retry) = expected(vector);
            let seed = n + 1;
            for split in ["whole", "byte", &format!("random&seed={seed}")] {
                let mut config = fast(&server.url(&format!("/vectors/{}?split={split}", percent_encode(name))));
                if let Some(limit) = vector["max_event_size"].as_u64() {
                    config.set_max_event_size(usize::try_from(limit).unwrap()).unwrap();
                }
                let seen = follow(driver, &config, |event, handle| {
                    if event.kind() == Kind::Error && event.retry_ms() >= 0 {
                        handle.close().unwrap();
                    }
                });
                let end = seen.len() - 2;
                assert_eq!((seen[0].kind, seen[1].kind), (Kind::Connect, Kind::Open));
                assert_eq!(seen[2..end].iter().map(told).collect::<Vec<_>>(), items, "{name}, {split}, {driver:?}");
                // A stream of comments alone proves nothing, but it is the first one: the wait is the first, too.
                assert_eq!(
                    (seen[end].id.as_str(), seen[end].retry_ms),
                    (vector["last_event_id"].as_str().unwrap(), retry),
                    "{name}"
                );
            }
        }
    });
}

#[test]
fn all_is_delivered_while_the_server_holds_the_connection() {
    // row 58, row 63, row 82
    let vectors = vectors();
    for_each_driver(|driver| {
        let server = Server::start();
        for vector in &vectors {
            let name = vector["name"].as_str().unwrap();
            let (items, _) = expected(vector);
            let mut config = fast(&server.url(&format!("/vectors/{}?hold=1", percent_encode(name))));
            if let Some(limit) = vector["max_event_size"].as_u64() {
                config.set_max_event_size(usize::try_from(limit).unwrap()).unwrap();
            }
            let mut session = Session::start(driver, &config);
            session.until(Kind::Open);
            for item in &items {
                assert_eq!(told(&session.event()), *item, "{name}, {driver:?}");
            }
            session.close();
        }
    });
}
