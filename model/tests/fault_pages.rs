//! Every fault code has its page in `docs/errors/`, every page has its code, and the overview links
//! them all in the order of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use skybus_model::fault::FaultCode;

/// What every page answers.
const SECTIONS: [&str; 4] = [
    "## What happened",
    "## How it looks",
    "## Likely causes",
    "## Next steps",
];

fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/errors")
}

#[test]
fn every_fault_code_has_its_page_and_every_page_its_code() {
    let wanted: BTreeSet<String> = FaultCode::ALL.iter().map(|c| format!("{c}.md")).collect();
    let found: BTreeSet<String> = fs::read_dir(pages())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(found, wanted, "docs/errors has one page for each code");
}

#[test]
fn every_page_has_its_code_as_title_and_answers_the_four_questions() {
    for code in FaultCode::ALL {
        let page = fs::read_to_string(pages().join(format!("{code}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {code}\n")), "title of {code}");
        let headings: Vec<&str> = page.lines().filter(|l| l.starts_with("## ")).collect();
        assert_eq!(headings, SECTIONS, "sections of {code}");
    }
}

#[test]
fn the_overview_links_every_page_in_the_order_of_the_codes() {
    let overview = fs::read_to_string(pages().join("README.md")).unwrap();
    let linked: Vec<&str> = overview
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split(']').next())
        .collect();
    let codes: Vec<&str> = FaultCode::ALL.iter().map(|c| c.as_str()).collect();
    assert_eq!(linked, codes);
    for code in codes {
        assert!(
            overview.contains(&format!("| [{code}]({code}.md) |")),
            "link of {code}"
        );
    }
}
