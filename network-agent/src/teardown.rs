//! Taking away everything that a cloud made on its host, also when its records are lost.

use std::{collections::BTreeSet, fs, net::Ipv4Addr};

use crate::{
    changes::Changes, desired::TRANSIT_PREFIX, failure::Error, links, linux::Linux,
    observed::Links, program::Place,
};

/// What a journal knows of a cloud's host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// The networks' namespaces.
    pub namespaces: Vec<String>,
    /// The floating IPs of their ports.
    pub floating: BTreeSet<Ipv4Addr>,
}

/// Removes the networks that are `recorded`, every other one that bears the cloud's mark, and the host's own
/// part.
///
/// # Errors
/// The first thing that could not be removed; all others were tried.
pub fn teardown(linux: &Linux, recorded: &Recorded, changes: &mut Changes) -> Result<(), Error> {
    let mut first = Ok(());
    for namespace in everything(linux, &recorded.namespaces)? {
        let done = linux.remove(&namespace, changes);
        first = first.and(done);
    }
    let host = linux.clear_host(&recorded.floating, changes);
    let files = remove_files(linux, changes);
    first.and(host).and(files)
}

/// A network can be left as a namespace, as a link on the host, as files, or as any of them.
fn everything(linux: &Linux, recorded: &[String]) -> Result<BTreeSet<String>, Error> {
    let mut all: BTreeSet<String> = linux.made()?.into_keys().collect();
    all.extend(recorded.iter().cloned());
    let mark = links::mark(linux.cloud());
    for (name, link) in Links::read(Place::Host)?.links {
        if let Some(digits) = name.strip_prefix(TRANSIT_PREFIX)
            && link.ifalias.as_ref() == Some(&mark)
        {
            all.insert(format!("skybus-{digits}"));
        }
    }
    if let Ok(entries) = fs::read_dir(linux.run_directory()) {
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        all.extend(names.filter(|name| name.starts_with("skybus-")));
    }
    Ok(all)
}

fn remove_files(linux: &Linux, changes: &mut Changes) -> Result<(), Error> {
    let directory = linux.run_directory();
    if !directory.exists() {
        return Ok(());
    }
    changes.make(format!("host: remove {}", directory.display()), || {
        Ok(fs::remove_dir_all(directory)?)
    })
}
