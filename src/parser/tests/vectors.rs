//! tests/vectors/: rows 51 to 82 of the acceptance list, and what real services send.

use super::*;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

struct Vector {
    name: String,
    rows: Vec<u64>,
    max: usize,
    input: Vec<u8>,
    /// What is due after how many bytes.
    items: Vec<(Got, usize)>,
    last_event_id: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn item(value: &Value) -> (Got, usize) {
    let got = match value["kind"].as_str().unwrap() {
        "message" => Got::Message { kind: text(&value["type"]), data: text(&value["data"]), id: text(&value["id"]) },
        "comment" => Got::Comment(text(&value["data"])),
        "retry" => Got::Retry(value["ms"].as_u64().unwrap().into()),
        "error-too-large" => Got::TooLarge,
        other => panic!("an item of kind {other}"),
    };
    (got, value["at"].as_u64().unwrap() as usize)
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut all = Vec::new();
    for file in ["decoding", "lines", "fields", "dispatch", "limits", "services"] {
        let json = std::fs::read_to_string(folder.join(file).with_extension("json")).unwrap();
        assert!(json.is_ascii());
        for vector in serde_json::from_str::<Vec<Value>>(&json).unwrap() {
            all.push(Vector {
                name: text(&vector["name"]),
                rows: vector["rows"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect(),
                max: vector["max_event_size"].as_u64().map_or(32 << 20, |max| max as usize),
                input: text(&vector["input"]).chars().map(|c| u8::try_from(c).unwrap()).collect(),
                items: vector["items"].as_array().unwrap().iter().map(item).collect(),
                last_event_id: text(&vector["last_event_id"]),
            });
        }
    }
    all
}

fn check<S: Scan>(vector: &Vector, how: &str, way: Way, cut: impl FnMut() -> usize) -> Feed<S> {
    let feed = run::<S>(vector.max, &vector.input, way, cut);
    let want: Vec<Got> = vector.items.iter().map(|(got, _)| got.clone()).collect();
    assert_eq!(without_overtaken(&feed.items()), without_overtaken(&want), "{}: {how}, {way:?}", vector.name);
    assert_eq!(feed.parser.last_event_id().as_str(), vector.last_event_id, "{}: {how}, {way:?}", vector.name);
    feed
}

fn everywhere<S: Scan>() {
    let mut random = Random(1);
    for vector in vectors() {
        for way in [Way::Lent, Way::Ahead, Way::Both] {
            check::<S>(&vector, "whole", way, || usize::MAX);
            let feed = check::<S>(&vector, "byte by byte", way, || 1);
            assert_eq!(feed.got, vector.items, "{}: when each is due, {way:?}", vector.name);
            for largest in [2, 3, 5, 20, 70, 200, 5000] {
                check::<S>(&vector, "in random pieces, empty ones too", way, || random.below(largest + 1));
            }
        }
        for first in 0..vector.input.len().min(200) {
            let mut cuts = [first, usize::MAX].into_iter();
            check::<S>(&vector, &format!("cut at {first}"), Way::Lent, || cuts.next().unwrap_or(usize::MAX));
        }
    }
}

#[test]
fn native() {
    everywhere::<Native>();
}

#[test]
fn portable() {
    everywhere::<Portable>();
}

#[test]
fn one_after_another_on_one_parser() {
    // Row 50: nothing of a connection but its last event ID reaches the next.
    let mut feed = Feed::<Native>::new(32 << 20, Way::Both);
    for vector in vectors().into_iter().filter(|vector| vector.max == 32 << 20) {
        feed.parser.reset();
        feed.parser.set_last_event_id("");
        feed.got.clear();
        feed.feed(&vector.input);
        let want: Vec<Got> = vector.items.iter().map(|(got, _)| got.clone()).collect();
        assert_eq!(without_overtaken(&feed.items()), without_overtaken(&want), "{}", vector.name);
        assert_eq!(feed.parser.last_event_id().as_str(), vector.last_event_id, "{}", vector.name);
    }
}

#[test]
fn every_row_has_a_vector() {
    let vectors = vectors();
    let rows: BTreeSet<u64> = vectors.iter().flat_map(|vector| vector.rows.clone()).collect();
    // 80, 83 and 84 are not about the bytes of a stream.
    let missing: Vec<u64> = (51..=82).filter(|row| *row != 80 && !rows.contains(row)).collect();
    assert!(missing.is_empty(), "no vector for rows {missing:?}");
    let names: HashSet<&str> = vectors.iter().map(|vector| &*vector.name).collect();
    assert_eq!(names.len(), vectors.len(), "names are unique");
    assert!(vectors.len() >= 200, "{}", vectors.len());
}
