//! Messages as released versions wrote them, one file each: `tests/archive/VERSION/ServerEnsure-1.json`.
//!
//! A process of this version may get them from one that is not upgraded yet, or find them in a queue after
//! the upgrade. Files are never changed; a new version of a message gets a new file. With
//! `SKYBUS_WRITE_ARCHIVE=1` those that are missing for this version are written.

use std::{fs, path::PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use skybus_model::message::{
    Message,
    call::{ConsoleTail, NetworkPlan},
    command::{PortEnsure, PortRemove, ServerEnsure, ServerPlace, ServerRemove},
    event::{ComputeInventory, NetworkInventory, PortReport, ServerReport},
    heartbeat::HostBeat,
};

use crate::samples;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/archive")
}

/// Reads `text` as this version's `M`, and says whether that knows everything that was written.
fn read<M: Message + DeserializeOwned>(text: &str) -> Result<Value, String> {
    let message: M = serde_json::from_str(text).map_err(|error| error.to_string())?;
    serde_json::to_value(&message).map_err(|error| error.to_string())
}

fn read_named(name: &str, text: &str) -> Result<Value, String> {
    match name {
        "ServerPlace" => read::<ServerPlace>(text),
        "ServerEnsure" => read::<ServerEnsure>(text),
        "ServerRemove" => read::<ServerRemove>(text),
        "PortEnsure" => read::<PortEnsure>(text),
        "PortRemove" => read::<PortRemove>(text),
        "ServerReport" => read::<ServerReport>(text),
        "PortReport" => read::<PortReport>(text),
        "ComputeInventory" => read::<ComputeInventory>(text),
        "NetworkInventory" => read::<NetworkInventory>(text),
        "HostBeat" => read::<HostBeat>(text),
        "ConsoleTail" => read::<ConsoleTail>(text),
        "NetworkPlan" => read::<NetworkPlan>(text),
        other => Err(format!("no message is called {other}")),
    }
}

/// Everything that stands in `older` and is not said again, or otherwise, in `now`.
fn lost(path: &str, older: &Value, now: &Value) -> Vec<String> {
    match (older, now) {
        (Value::Object(older), Value::Object(now)) => older
            .iter()
            .flat_map(|(key, value)| {
                let path = format!("{path}.{key}");
                now.get(key)
                    .map_or_else(|| vec![path.clone()], |now| lost(&path, value, now))
            })
            .collect(),
        (older, now) if older == now => Vec::new(),
        _ => vec![path.to_owned()],
    }
}

#[test]
fn what_released_versions_wrote_is_still_read() {
    let mut files = 0;
    for version in fs::read_dir(directory()).unwrap().flatten() {
        for file in fs::read_dir(version.path()).unwrap().flatten() {
            let path = file.path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (name, _) = stem.rsplit_once('-').unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let now = read_named(name, &text);
            let now = now.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let older: Value = serde_json::from_str(&text).unwrap();
            let lost = lost("", &older, &now);
            assert!(lost.is_empty(), "{}: {lost:?} are lost", path.display());
            files += 1;
        }
    }
    assert!(
        files >= samples::all().len(),
        "the archive has {files} files"
    );
}

#[test]
fn every_message_of_this_version_is_in_the_archive() {
    let here = directory().join(env!("CARGO_PKG_VERSION"));
    for sample in samples::all() {
        let (_, version) = sample.kind.split_once('/').unwrap();
        let file = here.join(format!("{}-{version}.json", sample.type_name));
        if std::env::var_os("SKYBUS_WRITE_ARCHIVE").is_some() && !file.exists() {
            fs::create_dir_all(&here).unwrap();
            fs::write(&file, format!("{:#}\n", sample.json)).unwrap();
        }
        assert!(
            file.exists(),
            "{} is missing; run with SKYBUS_WRITE_ARCHIVE=1",
            file.display()
        );
    }
}
