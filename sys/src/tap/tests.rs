//! Root is needed, as for everything with namespaces.

use std::io::ErrorKind;

use super::*;
use crate::namespace::tests::{Temporary, root};

#[test]
fn a_tap_is_opened_where_it_is_and_nowhere_else() {
    if !root() {
        return;
    }
    let (ns, other) = (Temporary::new("tap"), Temporary::new("tap2"));
    assert_eq!(
        open(&ns.0, "tap-a").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    make(&ns.0, "tap-a", None).unwrap();
    let first = open(&ns.0, "tap-a").unwrap();
    assert_eq!(
        open(&ns.0, "tap-a").unwrap_err().kind(),
        ErrorKind::ResourceBusy
    );
    assert_eq!(
        open(&other.0, "tap-a").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    drop(first);
    open(&ns.0, "tap-a").unwrap();
    make(&ns.0, "tap-a", Some(65534)).unwrap();
}

#[test]
fn impossible_names_are_refused() {
    for bad in ["", "a/b", "sixteen-letters-", "a b"] {
        assert_eq!(
            open("any", bad).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}
