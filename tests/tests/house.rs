//! The house rules that a compiler does not know: how long files and functions are, that every file
//! says what it is for, where `unsafe` may stand, and what must not be left lying about.

#![allow(clippy::expect_used, reason = "the rules are tests in all but name")]

#[path = "house/source.rs"]
mod source;

use source::Source;

/// Of files: which percentile may have how many lines.
const FILES: [(usize, usize); 3] = [(50, 150), (95, 400), (100, 700)];
/// Of functions.
const FUNCTIONS: [(usize, usize); 2] = [(95, 40), (100, 100)];

type Size = (usize, String);

/// Fails unless the given percentiles of the sizes keep to the budget.
fn keep_to(budget: &[(usize, usize)], mut sizes: Vec<Size>) {
    sizes.sort();
    let last = sizes.len().checked_sub(1).expect("there are sources");
    for (percent, allowed) in budget {
        let found = sizes[last * percent / 100].0;
        let longest = sizes
            .iter()
            .rev()
            .take(12)
            .map(|(lines, what)| format!("{lines:>5}  {what}"));
        assert!(
            found <= *allowed,
            "the {percent}th percentile has {found} lines, {allowed} are allowed; the longest:\n{}",
            longest.collect::<Vec<_>>().join("\n")
        );
    }
}

fn sizes(of: impl Fn(&Source) -> Vec<Size>) -> Vec<Size> {
    source::all()
        .iter()
        .filter(|s| !s.is_test)
        .flat_map(of)
        .collect()
}

#[test]
fn files_keep_to_their_budget() {
    keep_to(&FILES, sizes(|s| vec![(s.lines, s.name.clone())]));
}

#[test]
fn functions_keep_to_their_budget() {
    let described = |s: &Source| -> Vec<Size> {
        let each = s.functions.iter();
        each.map(|f| (f.lines, format!("{} in {}", f.name, s.name)))
            .collect()
    };
    keep_to(&FUNCTIONS, sizes(described));
}

/// The names of the sources for which `wrong` holds.
fn offenders(wrong: impl Fn(&Source) -> bool) -> Vec<String> {
    source::all()
        .iter()
        .filter(|s| wrong(s))
        .map(|s| s.name.clone())
        .collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent =
        offenders(|s| !s.text.starts_with("//! ") || s.text.starts_with("//! (in the making)"));
    assert!(
        silent.is_empty(),
        "these do not open with a `//!` paragraph: {silent:#?}"
    );
}

#[test]
fn unsafe_code_is_in_one_crate_alone() {
    let outside = offenders(|s| !s.name.starts_with("sys/") && s.words.contains("unsafe"));
    assert!(
        outside.is_empty(),
        "`unsafe` may stand in sys/ only: {outside:#?}"
    );
}

#[test]
fn nothing_is_left_undone() {
    let undone = offenders(|s| s.macros.contains("todo") || s.macros.contains("unimplemented"));
    assert!(undone.is_empty(), "these have stubs: {undone:#?}");
    let ignored = offenders(|s| s.attributes.contains("ignore"));
    assert!(
        ignored.is_empty(),
        "these have tests that are ignored: {ignored:#?}"
    );
}

#[test]
fn no_file_names_a_machine_on_which_it_was_written() {
    let needle = ["/wo", "rk/"].concat();
    let homes = source::texts()
        .into_iter()
        .filter(|(_, text)| text.contains(&needle));
    let named: Vec<String> = homes.map(|(name, _)| name).collect();
    assert!(
        named.is_empty(),
        "these name a path of one machine: {named:#?}"
    );
}

#[test]
fn dependencies_point_one_way() {
    // Beside each crate: what it must not depend on. Services meet on the bus, agents never touch the
    // database, and the command line builds where there is no Linux.
    let services = [
        "skybus-api",
        "skybus-scheduler",
        "skybus-compute",
        "skybus-network",
    ];
    let rules: [(&str, &[&str]); 10] = [
        (
            "fault",
            &["skybus-model", "skybus-bus", "skybus-store", "skybus-sys"],
        ),
        (
            "model",
            &[
                "skybus-bus",
                "skybus-store",
                "skybus-sys",
                "skybus-role",
                "sqlx",
                "lapin",
                "tokio",
            ],
        ),
        ("bus", &["skybus-store", "skybus-sys"]),
        ("store", &["skybus-bus", "skybus-sys", "lapin"]),
        ("sys", &["skybus-bus", "skybus-store", "skybus-model"]),
        ("compute-agent", &["skybus-store"]),
        ("network-agent", &["skybus-store"]),
        ("local", &["skybus-store"]),
        (
            "cli",
            &[
                "skybus-store",
                "skybus-bus",
                "skybus-sys",
                "skybus-role",
                "tokio",
                "rustix",
                "nix",
            ],
        ),
        ("api-server", &["skybus-sys"]),
    ];
    let mut wrong = Vec::new();
    for (directory, refused) in rules {
        let all = source::dependencies(directory);
        let refused = refused.iter().chain(&services);
        wrong.extend(
            refused
                .filter(|r| all.iter().any(|d| d == *r))
                .map(|r| format!("{directory} -> {r}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
