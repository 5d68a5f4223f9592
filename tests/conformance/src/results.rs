//! What passed: as a table, as JSON, and compared with what is checked in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cases::root;

/// Passed and run, by suite.
pub type Counts = BTreeMap<String, (usize, usize)>;

/// The suites in the order of the table, with their headings.
pub const SUITES: [(&str, &str); 6] = [
    ("request", "A: request"),
    ("response", "B: response"),
    ("lifecycle", "C: open, close, failure"),
    ("reconnect", "D: reconnecting"),
    ("vectors", "E–H: the format"),
    ("contract", "contract tests"),
];

/// How a surface fared. A case is `suite: name`.
#[derive(Clone, Debug, Default)]
pub struct Fared {
    /// The surface.
    pub name: String,
    /// Passed and run, by suite.
    pub counts: Counts,
    /// Cases that need what it has not, and what that is.
    pub lacking: Vec<(String, String)>,
    /// Cases that failed.
    pub failed: Vec<String>,
}

impl Fared {
    /// Whether it passed what it was asked.
    pub fn passed_all(&self) -> bool {
        self.counts.values().all(|(passed, total)| passed == total)
    }
}

/// Results by surface, in the order of the table.
#[derive(Debug)]
pub struct Results {
    /// What was run with what, a line each.
    pub versions: Vec<String>,
    /// When: the day.
    pub date: String,
    /// In the order of the table.
    pub surfaces: Vec<Fared>,
}

impl Results {
    /// Those in the `results.json` of a folder.
    pub fn checked_in(folder: &str) -> Result<Results, String> {
        let path = root().join(folder).join("results.json");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Results::read(&serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?))
    }

    /// As `results.json` has them.
    pub fn read(value: &Value) -> Results {
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
        };
        let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let counts = |value: &Value| -> Counts {
            let suites = value["suites"].as_object().into_iter().flatten();
            suites.map(|(suite, pair)| (suite.clone(), (number(&pair[0]), number(&pair[1])))).collect()
        };
        let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
        let surfaces = value["surfaces"].as_array().into_iter().flatten().map(|s| Fared {
            name: s["name"].as_str().unwrap_or_default().into(),
            counts: counts(s),
            lacking: s["not_applicable"].as_array().into_iter().flatten().filter_map(pair).collect(),
            failed: texts(&s["failed"]),
        });
        Results {
            versions: texts(&value["versions"]),
            date: value["date"].as_str().unwrap_or_default().into(),
            surfaces: surfaces.collect(),
        }
    }

    /// For `results.json`.
    pub fn json(&self) -> Value {
        let surface = |fared: &Fared| {
            let suites: BTreeMap<_, _> =
                fared.counts.iter().map(|(suite, (passed, total))| (suite, [passed, total])).collect();
            json!({ "name": fared.name, "suites": suites, "not_applicable": fared.lacking, "failed": fared.failed })
        };
        json!({ "date": self.date, "versions": self.versions, "surfaces": self.surfaces.iter().map(surface).collect::<Vec<_>>() })
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let shown: Vec<_> = SUITES
            .iter()
            .filter(|(suite, _)| self.surfaces.iter().any(|fared| fared.counts.contains_key(*suite)))
            .collect();
        let lacking = self.surfaces.iter().any(|fared| !fared.lacking.is_empty());
        let mut text = String::from("| |");
        shown.iter().for_each(|(_, heading)| text += &format!(" {heading} |"));
        text += if lacking { " not applicable |\n|---|" } else { "\n|---|" };
        text += &"---|".repeat(shown.len() + usize::from(lacking));
        for Fared { name, counts, lacking: without, .. } in &self.surfaces {
            text += &format!("\n| {name} |");
            for (suite, _) in &shown {
                let cell = counts.get(*suite).map_or_else(|| "–".into(), |(passed, total)| format!("{passed}/{total}"));
                text += &format!(" {cell} |");
            }
            if lacking {
                text += &format!(" {} |", without.len());
            }
        }
        text
    }

    /// Where these are worse than `before`, or not the same without being better; and whether they are better anywhere.
    pub fn compare(&self, before: &Results) -> (Vec<String>, bool) {
        let (mut worse, mut better) = (Vec::new(), false);
        for Fared { name, counts: old, .. } in &before.surfaces {
            let Some(Fared { counts: new, .. }) = self.surfaces.iter().find(|fared| fared.name == *name) else {
                worse.push(format!("{name} was not run"));
                continue;
            };
            for (suite, (passed, total)) in old {
                let (p, t) = new.get(suite).copied().unwrap_or((0, 0));
                if (p, t) == (*passed, *total) {
                    continue;
                }
                if p >= *passed && t >= *total && t - p <= total - passed {
                    better = true;
                } else {
                    worse.push(format!("{name}, {suite}: {p}/{t}, was {passed}/{total}"));
                }
            }
            better |= new.keys().any(|suite| !old.contains_key(suite));
        }
        better |= self.surfaces.iter().any(|now| before.surfaces.iter().all(|then| then.name != now.name));
        (worse, better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compared, reasons};

    fn of(pairs: &[(&str, (usize, usize))]) -> Results {
        let counts = pairs.iter().map(|(suite, pair)| ((*suite).to_owned(), *pair)).collect();
        Results {
            versions: vec![],
            date: String::new(),
            surfaces: vec![Fared { name: "C".into(), counts, ..Fared::default() }],
        }
    }

    #[test]
    fn only_an_improvement_is_let_pass() {
        let before = of(&[("request", (9, 10))]);
        let verdict = |p, t| {
            let (worse, better) = of(&[("request", (p, t))]).compare(&before);
            (worse.is_empty(), better)
        };
        assert_eq!(verdict(9, 10), (true, false));
        assert_eq!(verdict(10, 10), (true, true));
        assert_eq!(verdict(11, 12), (true, true));
        assert!(!verdict(8, 10).0);
        assert!(!verdict(9, 9).0, "a case that has gone");
        assert!(!verdict(9, 12).0, "new cases that fail");
        assert!(!of(&[]).compare(&before).0.is_empty());
        assert_eq!(Results { surfaces: vec![], ..of(&[]) }.compare(&before).0, ["C was not run"]);
    }

    #[test]
    fn the_readme_and_the_page_show_the_results() {
        let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
        let [ours, peers] = ["tests/conformance", "tests/conformance/peers"].map(|folder| {
            let results = Results::checked_in(folder).expect("results");
            let table = results.table();
            let page = std::fs::read_to_string(root().join(folder).join("RESULTS.md")).expect("the page");
            assert!(table.lines().count() > 5, "{table}");
            assert!(page.contains(&table), "{folder}: RESULTS.md is not of results.json");
            assert!(readme.contains(&table), "README.md does not have the table of {folder}");
            results
        });
        let compared = compared::table(&ours, &peers).expect("a table");
        assert!(readme.contains(&compared), "README.md does not have\n{compared}");
        // The reasons too, each failure's.
        let why = reasons::pages(&peers).expect("a reason for each failure");
        let page = std::fs::read_to_string(root().join("tests/conformance/peers/RESULTS.md")).expect("the page");
        assert!(page.ends_with(&why), "the peers' RESULTS.md is not of results.json and reasons.json");
    }
}
