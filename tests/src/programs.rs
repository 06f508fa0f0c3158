//! Where the built programs are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The project's root.
#[must_use]
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The directory of the programs that belong to this build: tests lie in a directory beside them, programs
/// among them.
///
/// # Errors
/// When this test is not run from a build directory.
pub fn directory() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this test's own file")?;
    let here = own.parent().context("finding the build directory")?;
    let build = match here.parent() {
        Some(build) if here.ends_with("deps") => build,
        _ => here,
    };
    Ok(build.to_owned())
}

/// One of the programs.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = directory()?.join(name);
    ensure!(
        path.is_file(),
        "{} has not been built; run `cargo build --workspace` first",
        path.display()
    );
    Ok(path)
}
