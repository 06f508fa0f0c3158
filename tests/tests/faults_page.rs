//! The page of faults names tests that are there.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use skybus_tests::programs;

/// Failures that control planes of this kind are known for, whatever else the page tells.
const KNOWN: usize = 24;

#[test]
fn each_known_failure_has_a_test_that_is_there() -> Result<()> {
    let root = programs::root();
    let page = fs::read_to_string(root.join("docs/faults.md"))?;
    let mut numbers = BTreeSet::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, _, _, tests, _] = cells[..] else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        numbers.insert(number);
        // What stands between backticks, file and function by turns.
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        ensure!(
            !named.is_empty() && named.len().is_multiple_of(2),
            "failure {number} names no tests: {tests}"
        );
        for pair in named.chunks(2) {
            let (file, function) = (pair[0], pair[1]);
            let text = fs::read_to_string(root.join(file))
                .with_context(|| format!("failure {number} names {file}"))?;
            ensure!(
                text.contains(&format!("fn {function}(")),
                "failure {number} names {function}, which is not in {file}"
            );
        }
    }
    let all: BTreeSet<usize> = (1..=KNOWN).collect();
    ensure!(numbers.is_superset(&all), "the page has only {numbers:?}");
    Ok(())
}
