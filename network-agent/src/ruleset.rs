//! Whether the rules in the kernel are the ones that should be there.
//!
//! nft lists rules in a form of its own, so text cannot be compared with what was loaded. Instead the
//! wanted rules are loaded into an empty scratch namespace and listed there: equal listings mean equal
//! rules. This keeps no memory of what was loaded last, so it also finds what somebody else changed, and
//! works for a dry run.

use std::io;

use skybus_sys::namespace;

use crate::program::{self, Error, Place};

/// A family and the name of a table in it.
pub type Table<'a> = (&'a str, &'a str);

/// How nft would list these tables, had it loaded `rules` on an empty host.
///
/// # Errors
/// When nft refuses the rules.
pub fn listing_of(rules: &str, tables: &[Table<'_>]) -> Result<String, Error> {
    let mut outcome = Ok(String::new());
    namespace::scratch(|| {
        outcome = program::nft(Place::Host, rules)
            .and_then(|()| listing(Place::Host, tables))
            .map(Option::unwrap_or_default);
        io::Result::Ok(())
    })
    .map_err(|reason| Error::Start {
        program: "nft",
        package: "nftables",
        reason,
    })?;
    outcome
}

/// A table's listing with what is in it sorted: nft lists chains in the order in which they were made, which
/// says nothing.
fn in_order(listing: &str) -> String {
    let Some((head, body)) = listing.trim_end().split_once('\n') else {
        return listing.to_owned();
    };
    let body = body.strip_suffix('}').unwrap_or(body);
    let mut blocks: Vec<&str> = body.split("\n\n").map(str::trim_end).collect();
    blocks.sort_unstable();
    format!("{head}\n{}\n}}\n", blocks.join("\n\n"))
}

/// How nft lists these tables; nothing when one is not there.
///
/// # Errors
/// When nft cannot be asked.
pub fn listing(place: Place<'_>, tables: &[Table<'_>]) -> Result<Option<String>, Error> {
    let mut all = String::new();
    for (family, table) in tables {
        match program::nft_table(place, family, table)? {
            Some(text) => all.push_str(&in_order(&text)),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}
