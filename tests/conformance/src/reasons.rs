//! Why other clients fail what they fail: `peers/reasons.json`, a line for each thing that a client does otherwise, with the
//! cases that show it. A failure without a reason is an error, and so is a reason without a failure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::cases::root;
use crate::compared;
use crate::results::Results;

/// What a client does, and the cases (`suite: name`) that fail by it.
pub type Explained = Vec<(String, Vec<String>)>;

/// The reasons by client, without its version.
pub fn read() -> Result<Value, String> {
    let path = root().join("tests/conformance/peers/reasons.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A name without the version behind it.
pub fn without_version(name: &str) -> &str {
    name.rsplit_once(' ').map_or(name, |(name, _)| name)
}

/// The failures of a client by their reasons, or what is wrong with these. A case counts for the first reason that has
/// the beginning of its name.
pub fn explain(reasons: &Value, client: &str, failures: &[String]) -> Result<Explained, Vec<String>> {
    let mut explained = Explained::new();
    let mut left: Vec<&String> = failures.iter().collect();
    let mut wrong = Vec::new();
    for reason in reasons[without_version(client)].as_array().into_iter().flatten() {
        let does = reason["does"].as_str().unwrap_or_default();
        let mut shown = Vec::new();
        for begin in reason["cases"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (these, others): (Vec<&String>, Vec<&String>) = left.iter().partition(|case| case.starts_with(begin));
            if these.is_empty() {
                wrong.push(format!("{client}: a reason without a failure: {begin}"));
            }
            shown.extend(these.into_iter().cloned());
            left = others;
        }
        explained.push((does.to_owned(), shown));
    }
    wrong.extend(left.iter().map(|case| format!("{client}: a failure without a reason: {case}")));
    if wrong.is_empty() { Ok(explained) } else { Err(wrong) }
}

/// What follows the table on the peers' page: their results by question, then what each does where it fails.
pub fn pages(peers: &Results) -> Result<String, String> {
    let reasons = read()?;
    let table = compared::table(&Results::checked_in("tests/conformance")?, peers)?;
    let cases = compared::cases_of_questions();
    let mut text = format!("\n## In short\n\n{table}\n\nBy the cases whose names begin with\n\n{cases}\n");
    let mut wrong = Vec::new();
    for fared in &peers.surfaces {
        match explain(&reasons, &fared.name, &fared.failed) {
            Ok(explained) => text += &page(&fared.name, &explained, &fared.lacking),
            Err(lines) => wrong.extend(lines),
        }
    }
    if wrong.is_empty() { Ok(text) } else { Err(wrong.join("\n")) }
}

/// The explained failures in Markdown, with what is not applicable at the end.
fn page(client: &str, explained: &Explained, lacking: &[(String, String)]) -> String {
    let mut text = format!("\n## {client}\n\n");
    let mut item = |what: &str, cases: &[String]| {
        // The vectors run three times: whole, byte by byte and cut at random.
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        cases.iter().for_each(|case| *times.entry(case).or_default() += 1);
        let names: Vec<_> = times.keys().map(|case| format!("`{}`", case.replace('`', "'"))).collect();
        let _ = writeln!(text, "- {what} ({}): {}", cases.len(), names.join(", "));
    };
    explained.iter().for_each(|(does, cases)| item(does, cases));
    let mut by_option: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    lacking.iter().for_each(|(case, what)| by_option.entry(what).or_default().push(case.clone()));
    by_option.iter().for_each(|(what, cases)| item(&format!("Not applicable, for it has no {what}"), cases));
    if explained.is_empty() && lacking.is_empty() {
        text += "Passes all.\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_failure_has_a_reason_and_each_reason_a_failure() {
        let reasons =
            json!({ "a client": [{ "does": "no x", "cases": ["s: x"] }, { "does": "no y", "cases": ["s: y: 1"] }] });
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            explain(&reasons, "a client 1.0", &names)
        };
        let all = of(&["s: x: 2", "s: y: 1", "s: x: 1"]).expect("explained");
        assert_eq!(all[0].1, ["s: x: 2", "s: x: 1"]);
        assert_eq!(all[1].1, ["s: y: 1"]);
        assert!(of(&["s: x", "s: y: 1", "s: z"]).is_err());
        assert!(of(&["s: x"]).is_err());
    }
}
