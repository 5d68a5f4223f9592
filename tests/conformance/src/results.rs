//! What passed: as a table, as JSON, and compared with what is checked in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

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

/// Results by surface, in the order of the table.
#[derive(Debug)]
pub struct Results {
    /// What was run with what, a line each.
    pub versions: Vec<String>,
    /// When: the day.
    pub date: String,
    /// Surface, and what it lacks altogether: cases that need an option it has not.
    pub surfaces: Vec<(String, Counts, usize)>,
}

impl Results {
    /// As `results.json` has them.
    pub fn read(value: &Value) -> Results {
        let texts =
            |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
        let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let counts = |value: &Value| -> Counts {
            let suites = value["suites"].as_object().into_iter().flatten();
            suites.map(|(suite, pair)| (suite.clone(), (number(&pair[0]), number(&pair[1])))).collect()
        };
        let surfaces = value["surfaces"].as_array().into_iter().flatten();
        let surfaces =
            surfaces.map(|s| (s["name"].as_str().unwrap_or_default().into(), counts(s), number(&s["not_applicable"])));
        Results {
            versions: texts(&value["versions"]),
            date: value["date"].as_str().unwrap_or_default().into(),
            surfaces: surfaces.collect(),
        }
    }

    /// For `results.json`.
    pub fn json(&self) -> Value {
        let surface = |(name, counts, lacking): &(String, Counts, usize)| {
            let suites: BTreeMap<_, _> =
                counts.iter().map(|(suite, (passed, total))| (suite, [passed, total])).collect();
            json!({ "name": name, "suites": suites, "not_applicable": lacking })
        };
        json!({ "date": self.date, "versions": self.versions, "surfaces": self.surfaces.iter().map(surface).collect::<Vec<_>>() })
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let shown: Vec<_> = SUITES
            .iter()
            .filter(|(suite, _)| self.surfaces.iter().any(|(_, counts, _)| counts.contains_key(*suite)))
            .collect();
        let lacking = self.surfaces.iter().any(|(_, _, lacking)| *lacking > 0);
        let mut text = String::from("| |");
        shown.iter().for_each(|(_, heading)| text += &format!(" {heading} |"));
        text += if lacking { " not applicable |\n|---|" } else { "\n|---|" };
        text += &"---|".repeat(shown.len() + usize::from(lacking));
        for (name, counts, without) in &self.surfaces {
            text += &format!("\n| {name} |");
            for (suite, _) in &shown {
                let cell = counts.get(*suite).map_or_else(|| "–".into(), |(passed, total)| format!("{passed}/{total}"));
                text += &format!(" {cell} |");
            }
            if lacking {
                text += &format!(" {without} |");
            }
        }
        text
    }

    /// Where these are worse than `before`, or not the same without being better; and whether they are better anywhere.
    pub fn compare(&self, before: &Results) -> (Vec<String>, bool) {
        let (mut worse, mut better) = (Vec::new(), false);
        for (name, old, _) in &before.surfaces {
            let Some((_, new, _)) = self.surfaces.iter().find(|(n, _, _)| n == name) else {
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
        better |= self.surfaces.iter().any(|(name, _, _)| before.surfaces.iter().all(|(n, _, _)| n != name));
        (worse, better)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::root;

    fn of(pairs: &[(&str, (usize, usize))]) -> Results {
        let counts = pairs.iter().map(|(suite, pair)| ((*suite).to_owned(), *pair)).collect();
        Results { versions: vec![], date: String::new(), surfaces: vec![("C".into(), counts, 0)] }
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
        for folder in ["tests/conformance", "tests/conformance/peers"] {
            let folder = root().join(folder);
            if folder.ends_with("peers") && !folder.join("results.json").exists() {
                continue; // not run yet
            }
            let read =
                |path: &str| std::fs::read_to_string(folder.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            let results = Results::read(&serde_json::from_str(&read("results.json")).expect("JSON"));
            let table = results.table();
            assert!(table.lines().count() > 5, "{table}");
            assert!(read("RESULTS.md").contains(&table), "{}: RESULTS.md is not of results.json", folder.display());
            let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
            assert!(readme.contains(&table), "README.md does not have the table of {}", folder.display());
        }
    }
}
