//! The commands, one file per family.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod boot;
pub(crate) mod bus;
pub(crate) mod completion;
pub(crate) mod console;
pub(crate) mod flavors;
pub(crate) mod floating;
pub(crate) mod hosts;
pub(crate) mod identity;
pub(crate) mod images;
pub(crate) mod interfaces;
pub(crate) mod keypairs;
pub(crate) mod machines;
pub(crate) mod metadata;
pub(crate) mod networks;
pub(crate) mod power;
pub(crate) mod quotas;
pub(crate) mod rules;
pub(crate) mod secgroups;
pub(crate) mod servers;
pub(crate) mod ssh;
pub(crate) mod trace;
pub(crate) mod watch;
pub(crate) mod word;

use serde_json::Value;

use crate::{failure::Failure, output::cell::text};

/// `key=value`, as several options take it.
pub(crate) fn pair(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{word:?} should look like key=value")),
    }
}

/// The fields of an object for people, links left out, in the order of their names.
pub(crate) fn fields(object: &Value) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "links" | "self" | "schema" | "file"))
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    fields.sort();
    fields
}

/// Does the same to several things; every one is tried, and every failure is said.
pub(crate) fn each(
    names: &[String],
    mut act: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let [only] = names {
        return act(only);
    }
    let mut codes = Vec::new();
    for name in names {
        if let Err(failure) = act(name) {
            failure.say();
            codes.push(failure.code());
        }
    }
    match codes.first() {
        None => Ok(()),
        Some(code) => Err(Failure::Several {
            failed: codes.len(),
            all: names.len(),
            code: *code,
        }),
    }
}
