//! The cases: `cases/*.json` and, as cases of the same kind, `tests/vectors/*.json`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// One case. `../README.md` says what its members mean.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique within its suite.
    pub name: String,
    /// The suite, that is the file: `request`, `response`, ... or `vectors`.
    pub suite: String,
    /// Rows of BEHAVIOUR's second part that it shows; a test sees to it that every row is shown.
    #[cfg_attr(not(test), allow(dead_code))]
    pub rows: Vec<u64>,
    /// Whether it is this client's own decision or extension rather than the standard's.
    pub own: bool,
    /// Its members.
    pub json: Value,
}

/// This repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The JSON files of a folder of `tests/`, by name: their stem and their array.
fn files(folder: &str) -> Vec<(String, Vec<Value>)> {
    let folder = root().join("tests").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), value)
    };
    paths.iter().map(read).collect()
}

/// `"$X"` becomes the value, `$X` inside a string its text.
fn replace(json: &Value, name: &str, value: &Value) -> Value {
    match json {
        Value::String(text) if text == name => value.clone(),
        Value::String(text) => {
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.replace(name, &plain).into()
        }
        Value::Array(all) => all.iter().map(|one| replace(one, name, value)).collect(),
        Value::Object(all) => {
            let key =
                |key: &String| if key == name { value.as_str().unwrap_or_default().to_owned() } else { key.clone() };
            all.iter().map(|(k, one)| (key(k), replace(one, name, value))).collect()
        }
        other => other.clone(),
    }
}

/// All scenarios, each `each` spelled out.
pub fn scenarios() -> Vec<Case> {
    let mut cases = Vec::new();
    for (suite, all) in files("conformance/cases") {
        for json in all {
            let values = json["each"].as_array().cloned();
            for value in values.unwrap_or_else(|| vec![Value::Null]) {
                let json = if value.is_null() { json.clone() } else { replace(&json, "$EACH", &value) };
                cases.push(Case {
                    name: json["name"].as_str().expect("a case has a name").into(),
                    suite: suite.clone(),
                    rows: json["rows"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
                    own: json["own"].as_bool() == Some(true),
                    json,
                });
            }
        }
    }
    cases
}

/// The vectors as cases: the stream in `split`, its events, and the wait announced at its end.
pub fn vectors(split: &str) -> Vec<Case> {
    let all = files("vectors").into_iter().flat_map(|(_, all)| all);
    all.enumerate()
        .map(|(n, vector)| {
            let name = vector["name"].as_str().expect("a vector has a name");
            let (mut log, mut retry) = (vec![json!("connect"), json!("open")], 1000);
            for item in vector["items"].as_array().into_iter().flatten() {
                let data = &item["data"];
                match item["kind"].as_str() {
                    Some("message") => log.push(json!({ "message": data, "type": item["type"], "id": item["id"] })),
                    // Which id it shows depends on what is committed, which its own tests know.
                    Some("comment") => log.push(json!({ "comment": data, "id": null })),
                    Some("retry") => retry = item["ms"].as_u64().unwrap_or(0),
                    _ => log.push(json!({ "error": "EVENT_TOO_LARGE", "state": "open", "id": null })),
                }
            }
            let wait = json!([retry, retry + retry / 5 + 1]);
            log.push(json!({ "error": "ENDED", "id": vector["last_event_id"], "retry": wait }));
            // In that very event, for the wait may be short.
            let errors = log.iter().filter(|item| item["error"].is_string()).count();
            log.push(json!({ "close": "NONE" }));
            let coded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let mut set = vec![json!(["retry", "1000", "30000"])];
            set.extend(vector.get("max_event_size").map(|size| json!(["max_event_size", size])));
            Case {
                name: name.into(),
                suite: "vectors".into(),
                rows: vector["rows"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
                own: vector.get("max_event_size").is_some(),
                json: json!({ "path": format!("/vectors/{coded}?split={split}&seed={}", n + 1), "set": set,
                    "on": [["error", errors, "close"]], "log": log }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Rows of A to D that concern one surface, whose own tests show them: what an Event object of JavaScript looks like.
    const OF_ONE_SURFACE: [u64; 1] = [29];

    #[test]
    fn every_row_has_a_case_and_every_case_a_name_of_its_own() {
        let scenarios = scenarios();
        let shown: BTreeSet<u64> = scenarios.iter().flat_map(|case| case.rows.iter().copied()).collect();
        let missing: Vec<_> = (1..=50).filter(|row| !shown.contains(row) && !OF_ONE_SURFACE.contains(row)).collect();
        assert!(missing.is_empty(), "rows without a case: {missing:?}");
        let in_vectors: BTreeSet<u64> = vectors("whole").iter().flat_map(|case| case.rows.clone()).collect();
        // 80, 81, 83 and 84 are about objects and listeners, not about a stream's events.
        let missing: Vec<_> = (51..=82).filter(|row| !in_vectors.contains(row) && ![80, 81].contains(row)).collect();
        assert!(missing.is_empty(), "rows without a vector: {missing:?}");
        let names: BTreeSet<_> = scenarios.iter().map(|case| (&case.suite, &case.name)).collect();
        assert_eq!(names.len(), scenarios.len());
        for case in &scenarios {
            let known = [
                "name",
                "rows",
                "own",
                "each",
                "path",
                "set",
                "on",
                "server",
                "other",
                "before",
                "instead",
                "log",
                "requests",
                "other_requests",
                "freed",
            ];
            let unknown: Vec<_> = case
                .json
                .as_object()
                .into_iter()
                .flatten()
                .map(|(k, _)| k)
                .filter(|k| !known.contains(&k.as_str()))
                .collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", case.name);
            assert!(case.own || !case.rows.is_empty(), "{}: no rows", case.name);
        }
    }
}
