//! `docs/bus.md` says what the code does: every table in it is made from the code and compared.
//!
//! With `SKYBUS_WRITE_DOCS=1` the tables are written instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should say where"
)]

mod archive;
mod samples;
mod source;
mod tables;

use std::{collections::BTreeSet, path::PathBuf};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/bus.md")
}

/// The page with each table replaced by what the code says.
fn as_it_should_be(page: &str) -> String {
    let mut written = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- made from the code: ") {
        let (name, after) = after.split_once(" -->\n").expect("an unfinished mark");
        let (_, after) = after
            .split_once("<!-- end -->")
            .expect("a mark without an end");
        written.push_str(before);
        let table = tables::named(name);
        written.push_str(&format!(
            "<!-- made from the code: {name} -->\n{table}<!-- end -->"
        ));
        rest = after;
    }
    written + rest
}

#[test]
fn the_page_is_what_the_code_says() {
    let is = std::fs::read_to_string(page()).unwrap();
    let should_be = as_it_should_be(&is);
    if std::env::var_os("SKYBUS_WRITE_DOCS").is_some() {
        std::fs::write(page(), should_be).unwrap();
        return;
    }
    for (n, (is, should_be)) in is.lines().zip(should_be.lines()).enumerate() {
        assert_eq!(
            is,
            should_be,
            "docs/bus.md line {}; run with SKYBUS_WRITE_DOCS=1",
            n + 1
        );
    }
    assert_eq!(
        is.len(),
        should_be.len(),
        "docs/bus.md; run with SKYBUS_WRITE_DOCS=1"
    );
}

#[test]
fn no_table_and_no_message_is_left_out() {
    let page = std::fs::read_to_string(page()).unwrap();
    for name in tables::ALL {
        assert!(
            page.contains(&format!("<!-- made from the code: {name} -->")),
            "{name}"
        );
    }
    let in_code: BTreeSet<String> = source::Source::read().messages();
    let listed: BTreeSet<String> = samples::all()
        .into_iter()
        .map(|sample| sample.type_name.to_owned())
        .collect();
    assert_eq!(in_code, listed);
}

#[test]
fn the_fields_that_are_listed_are_the_fields_that_travel() {
    let source = source::Source::read();
    for sample in samples::all() {
        let listed: BTreeSet<&str> = source
            .fields(sample.type_name)
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        let travel: BTreeSet<&str> = sample
            .json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(listed, travel, "{}", sample.type_name);
    }
}
