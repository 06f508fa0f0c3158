//! Any other word: a program `skybus-WORD`, beside this one or on the path.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::CommandFactory;

use crate::{arguments::Arguments, failure::Failure, resolve};

/// Becomes the program that `words` begins with.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Failure> {
    let (word, rest) = match words.split_first() {
        Some((word, rest)) => (word.to_string_lossy().into_owned(), rest),
        None => return Err(unknown("")),
    };
    // A word with a slash would name a program anywhere.
    let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let program = plain.then(|| find(&format!("skybus-{word}"))).flatten();
    match program {
        Some(program) => become_program(Command::new(program).args(rest), &word),
        None => Err(unknown(&word)),
    }
}

/// A program beside this one, or else on the path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let own = env::current_exe().ok();
    let beside = own
        .as_deref()
        .and_then(Path::parent)
        .map(|dir| dir.join(&name));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|dir| dir.join(&name));
    beside
        .into_iter()
        .chain(on_path)
        .find(|candidate| is_program(candidate))
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata()
            .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// Runs a program in place of this one, so that signals and the exit code are its own.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command, what: &str) -> Result<ExitCode, Failure> {
    let source = std::os::unix::process::CommandExt::exec(command);
    Err(Failure::Local {
        what: format!("cannot run {what}"),
        source,
    })
}

/// Runs a program and ends with its exit code.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command, what: &str) -> Result<ExitCode, Failure> {
    let status = command
        .status()
        .map_err(Failure::local(format!("cannot run {what}")))?;
    let code = status
        .code()
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Words that are programs of the whole system rather than commands of this one.
const SYSTEM: [&str; 5] = ["up", "join", "down", "status", "env"];

fn unknown(word: &str) -> Failure {
    if SYSTEM.contains(&word) {
        return Failure::usage(
            format!("`skybus {word}` is the program skybus-{word}, which is not installed here"),
            "put it beside this program or on the PATH; `make build` makes both",
        );
    }
    let known = Arguments::command();
    let names: Vec<&str> = known
        .get_subcommands()
        .map(clap::Command::get_name)
        .chain(SYSTEM)
        .collect();
    let next = match resolve::nearest(word, names.into_iter()) {
        Some(near) => format!("did you mean `skybus {near}`?"),
        None => "`skybus --help` shows the commands".to_owned(),
    };
    Failure::usage(format!("there is no command {word:?}"), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_nearly_a_command_is_corrected() {
        assert_eq!(
            unknown("lsit").lines()[1],
            "  next: did you mean `skybus list`?"
        );
        assert_eq!(
            unknown("stauts").lines()[1],
            "  next: did you mean `skybus status`?"
        );
        assert_eq!(
            unknown("zzz").lines()[1],
            "  next: `skybus --help` shows the commands"
        );
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        assert!(unknown("up").to_string().contains("skybus-up"));
    }

    #[test]
    fn a_path_is_not_a_word() {
        let failure = run(&[OsString::from("../bin/sh")]).unwrap_err();
        assert_eq!(failure.code(), 2);
    }
}
