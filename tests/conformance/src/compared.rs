//! The peers' results by question, for readers in a hurry: each cell is what became of the named cases.

use crate::cases::{Case, scenarios, vectors};
use crate::reasons::without_version;
use crate::results::{Fared, Results};

/// A question, and the cases that answer it: the beginnings of `suite: name`.
const QUESTIONS: [(&str, &[&str]); 14] = [
    ("follows all five redirects", &["response: a redirect is followed"]),
    ("resolves relative Locations", &["response: Locations of every kind"]),
    ("forgets a temporary redirect", &["request: a temporary redirect", "reconnect: a temporary one is not: 307"]),
    ("keeps Authorization in its origin", &["response: Authorization stays"]),
    ("refuses other content types", &["response: another content type", "response: no content type"]),
    ("refuses every status but 200", &["response: by the standard"]),
    ("decodes gzip", &["response: gzip that was not asked for"]),
    ("waits as long as `retry:` says", &["reconnect: the wait is at least"]),
    ("an error for each failed attempt", &["reconnect: failure after failure"]),
    ("Last-Event-ID is UTF-8", &["reconnect: the last event ID is sent, as UTF-8"]),
    ("goes on after any id", &["reconnect: an id that no header may carry"]),
    ("nothing comes after `close()`", &["lifecycle: nothing follows close", "lifecycle: close aborts"]),
    ("a lone CR ends a line at once", &["lifecycle: a lone CR"]),
    (
        "decodes any bytes",
        &["vectors: C0 80", "vectors: ED A0 80", "vectors: latin-1", "vectors: leading byte order mark"],
    ),
];

fn cell(fared: &Fared, of: &[String]) -> String {
    let lacks = |case: &String| fared.lacking.iter().any(|(name, _)| name == case);
    let asked: Vec<_> = of.iter().filter(|case| !lacks(case)).collect();
    let passed = asked.iter().filter(|case| !fared.failed.contains(case)).count();
    match (passed, asked.len()) {
        (_, 0) => "–".into(),
        (n, total) if n == total => "yes".into(),
        (0, _) => "no".into(),
        (n, total) => format!("{n} of {total}"),
    }
}

/// The table in Markdown, this library's column from its own results; an error if a question has no cases.
pub fn table(ours: &Results, peers: &Results) -> Result<String, String> {
    let failed = ours.surfaces.iter().flat_map(|fared| fared.failed.clone()).collect();
    let library = Fared { name: "libeventsource 0".into(), failed, ..Fared::default() };
    let columns: Vec<&Fared> = [&library].into_iter().chain(&peers.surfaces).collect();
    if ours.surfaces.is_empty() || ours.surfaces.iter().any(|fared| fared.counts.is_empty()) {
        return Err("there are no results of this library".into());
    }
    let all: Vec<String> = scenarios()
        .iter()
        .chain(&vectors("whole"))
        .filter(|case: &&Case| !case.own)
        .map(|case| format!("{}: {}", case.suite, case.name))
        .collect();
    let names: Vec<_> = columns.iter().map(|fared| without_version(&fared.name)).collect();
    let mut text = format!("| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for (question, beginnings) in QUESTIONS {
        let of: Vec<String> =
            all.iter().filter(|case| beginnings.iter().any(|begin| case.starts_with(begin))).cloned().collect();
        if let Some(begin) = beginnings.iter().find(|begin| !of.iter().any(|case| case.starts_with(**begin))) {
            return Err(format!("{question}: no case begins with {begin}"));
        }
        let cells: Vec<_> = columns.iter().map(|fared| cell(fared, &of)).collect();
        text += &format!("\n| {question} | {} |", cells.join(" | "));
    }
    Ok(text)
}

/// Where the cases of each question are named, in Markdown.
pub fn cases_of_questions() -> String {
    let line = |(question, cases): &(&str, &[&str])| {
        let cases: Vec<_> = cases.iter().map(|case| format!("`{case}…`")).collect();
        format!("- {question}: {}", cases.join(", "))
    };
    QUESTIONS.iter().map(line).collect::<Vec<_>>().join("\n")
}
