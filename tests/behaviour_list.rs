//! Keeps `behaviour.md` true: every row has tests, every test named exists, and tests and vectors agree with the list.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

const ROWS: std::ops::RangeInclusive<u32> = 1..=84;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands between backquotes and names a test or a file of tests.
fn references(text: &str) -> Vec<&str> {
    let is_reference = |quoted: &&str| {
        quoted.contains("::")
            || quoted.starts_with("vectors/") && !quoted.contains('.')
            || quoted.starts_with("bindings/")
    };
    text.split('`').skip(1).step_by(2).filter(is_reference).collect()
}

/// The rows of the list and what each refers to.
fn rows(list: &str) -> BTreeMap<u32, Vec<&str>> {
    let mut rows = BTreeMap::new();
    for line in list.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let Some(number) = cells.get(1).and_then(|cell| cell.parse().ok()) else { continue };
        assert_eq!(cells.len(), 5, "three cells: {line}");
        assert!(cells[2].len() > 5, "row {number} says nothing");
        assert!(rows.insert(number, references(cells[3])).is_none(), "row {number} is there twice");
    }
    rows
}

/// Numbers behind `row` or `rows` in a line of text: `row 3`, `rows 35, 36`, `row 2, row 80`.
fn numbers(text: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("row") {
        let is_word = !rest[..at].ends_with(char::is_alphanumeric); // not of `throw`
        rest = &rest[at + 3..];
        if !is_word {
            continue;
        }
        let list = rest.strip_prefix('s').unwrap_or(rest);
        let list = list.split(|c: char| !c.is_ascii_digit() && !", ".contains(c)).next().unwrap_or_default();
        numbers.extend(list.split([',', ' ']).filter_map(|n| n.parse::<u32>().ok()));
    }
    numbers
}

/// The tests of a Rust file, and the rows that the comments in each of them name.
fn tests(path: &Path) -> BTreeMap<String, BTreeSet<u32>> {
    let mut tests: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut current = None;
    let mut announced = false;
    for line in read(path).lines().map(str::trim) {
        if line == "#[test]" {
            announced = true;
        } else if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next()) {
            current = announced.then(|| name.to_owned());
            announced = false;
            tests.extend(current.iter().map(|name| (name.clone(), BTreeSet::new())));
        } else if let (Some(test), Some((_, comment))) = (&current, line.split_once("// ")) {
            tests.get_mut(test).unwrap().extend(numbers(comment));
        }
    }
    tests
}

/// `request::x` is in `tests/request.rs`, `src/a/b.rs::x` where it says.
fn file_of(place: &str) -> PathBuf {
    if place.starts_with("src/") { root().join(place) } else { root().join(format!("tests/{place}.rs")) }
}

fn vector_files() -> BTreeMap<String, BTreeSet<u32>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("tests/vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            let vectors: Value = serde_json::from_str(&read(&path)).unwrap();
            let rows = vectors.as_array().unwrap().iter().flat_map(|v| v["rows"].as_array().unwrap());
            let rows = rows.map(|row| u32::try_from(row.as_u64().unwrap()).unwrap()).collect();
            files.insert(format!("vectors/{}", path.file_stem().unwrap().to_str().unwrap()), rows);
        }
    }
    files
}

#[test]
fn every_row_is_there_and_has_a_test() {
    let list = read(&root().join("tests/behaviour.md"));
    let rows = rows(&list);
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), ROWS.collect::<Vec<_>>());
    for (number, references) in &rows {
        assert!(!references.is_empty(), "row {number} has no test");
    }
}

#[test]
fn every_test_named_exists_and_names_its_row() {
    let list = read(&root().join("tests/behaviour.md"));
    let vectors = vector_files();
    // In the decisions too, where they need not name a row.
    let (decisions, table) = list.split_once("## Part 2").unwrap();
    let in_decisions = references(decisions).into_iter().filter(|r| !matches!(*r, "request::x" | "vectors/lines"));
    let all = in_decisions
        .map(|r| (None, r))
        .chain(rows(table).into_iter().flat_map(|(n, refs)| refs.into_iter().map(move |r| (Some(n), r))));
    for (row, reference) in all {
        if let Some((place, name)) = reference.rsplit_once("::") {
            let tests = tests(&file_of(place));
            let named = tests.get(name).unwrap_or_else(|| panic!("there is no test {reference}"));
            let tells = row.is_none_or(|row| named.contains(&row)) || place.starts_with("src/");
            assert!(tells, "{reference} does not say that it is about row {row:?}");
        } else if reference.starts_with("bindings/") {
            // A binding that is not in this tree has nothing to show; one that is has to.
            let binding: PathBuf = root().join(reference.split('/').take(2).collect::<PathBuf>());
            if binding.join("package.json").exists() {
                let named: Vec<_> = read(&root().join(reference)).lines().flat_map(numbers).collect();
                assert!(row.is_none_or(|row| named.contains(&row)), "{reference} does not name row {row:?}");
            } else {
                println!("{reference}: not in this tree");
            }
        } else {
            let named = vectors.get(reference).unwrap_or_else(|| panic!("there is no {reference}"));
            assert!(row.is_none_or(|row| named.contains(&row)), "{reference} has no vector for row {row:?}");
        }
    }
}

#[test]
fn every_test_that_names_a_row_is_in_the_list() {
    let list = read(&root().join("tests/behaviour.md"));
    let rows = rows(&list);
    let mut named = vector_files();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        // This file talks of rows without being about one.
        if path.extension().is_some_and(|e| e == "rs") && !path.ends_with(file!()) {
            let place = path.file_stem().unwrap().to_str().unwrap();
            named.extend(tests(&path).into_iter().map(|(name, rows)| (format!("{place}::{name}"), rows)));
        }
    }
    assert!(named.len() > 100, "tests are not found: {}", named.len());
    for (reference, its_rows) in named {
        for row in its_rows {
            let listed = rows.get(&row).unwrap_or_else(|| panic!("{reference} names a row {row}, which there is not"));
            assert!(listed.contains(&reference.as_str()), "{reference} is missing in row {row}");
        }
    }
}
