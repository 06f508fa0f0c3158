//! Reading a role's configuration file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

/// Reads a TOML file.
///
/// # Errors
/// When the file cannot be read, or holds what the role does not know; the text names file and place.
pub fn load<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| {
        format!(
            "the configuration {} is not as it should be",
            path.display()
        )
    })
}

/// The path after `--config` among a program's arguments, and what else was given.
///
/// # Errors
/// When there is none; the text says how the program is used.
pub fn from_arguments(program: &str) -> anyhow::Result<(PathBuf, Vec<String>)> {
    split(program, std::env::args().skip(1))
}

fn split(
    program: &str,
    arguments: impl Iterator<Item = String>,
) -> anyhow::Result<(PathBuf, Vec<String>)> {
    let mut rest = Vec::new();
    let mut config = None;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--config" => config = arguments.next(),
            "--version" => rest.insert(0, argument),
            _ => rest.push(argument),
        }
    }
    match config {
        Some(path) => Ok((PathBuf::from(path), rest)),
        None => bail!(
            "usage: {program} --config FILE; `skybus up` writes such files and runs the roles"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code, reason = "only its presence is of interest")]
        host: String,
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.toml");
        std::fs::write(&file, "hots = \"a\"").unwrap();
        let text = format!("{:#}", load::<Sample>(&file).unwrap_err());
        assert!(text.contains("x.toml") && text.contains("hots"), "{text}");
    }

    #[test]
    fn the_file_and_the_other_words_are_told_apart() {
        let given = ["teardown", "--config", "f.toml", "--dry-run"].map(str::to_owned);
        let (path, rest) = split("skybus-network", given.into_iter()).unwrap();
        assert_eq!(path, PathBuf::from("f.toml"));
        assert_eq!(rest, ["teardown", "--dry-run"]);
        assert!(split("skybus-network", std::iter::empty()).is_err());
    }
}
