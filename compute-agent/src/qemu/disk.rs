//! A guest's disks: the root disk, a copy-on-write child of the image grown to the flavor's size, and
//! the config drive. Each is made beside its place and moved there when it is whole, so what is in its
//! place is always whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Stdio,
};

use skybus_model::{Fault, FaultCode, server::ServerSpec};
use tokio::process::Command;

use super::{command_line, config_drive, files, files::Files, user::GuestUser};
use crate::image::content;

/// Makes the root disk over `image`, unless it is there.
///
/// # Errors
/// `image-unusable` when the image does not fit the flavor's disk, `disk-full` when the host has no room.
pub async fn root(
    files: &Files,
    user: GuestUser,
    image: &Path,
    spec: &ServerSpec,
) -> Result<(), Fault> {
    if files.disk().exists() {
        return Ok(());
    }
    let size = size(image, spec)?;
    let new = files.disk().with_extension("new");
    let output = Command::new("qemu-img")
        .args(command_line::make_disk(
            image,
            spec.image.format,
            &new,
            size,
        ))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed("qemu-img cannot be run", &error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(if said.contains("No space left") {
            full(&said)
        } else {
            failed("the disk could not be made", &said)
        });
    }
    keep(&new, &files.disk(), user).map_err(|error| disk_fault(&error))
}

/// How large the root disk is to be: the flavor's size, or the image's if the flavor names none.
fn size(image: &Path, spec: &ServerSpec) -> Result<u64, Fault> {
    let unusable = |why: String| {
        let message = format!("The image {} cannot be used: {why}", spec.image.id);
        Fault::new(FaultCode::ImageUnusable, message)
    };
    let needed = content::disk_size(image, spec.image.format)
        .map_err(|wrong| unusable(wrong.to_string()))?;
    match u64::try_from(spec.resources.disk_gib).unwrap_or(0) << 30 {
        // QEMU counts in sectors.
        0 => Ok(needed.next_multiple_of(512)),
        size if size >= needed => Ok(size),
        _ => Err(unusable(format!(
            "its disk has {} MiB and the flavor {} only {} GiB; choose a larger flavor",
            needed.div_ceil(1 << 20),
            spec.flavor,
            spec.resources.disk_gib
        ))),
    }
}

/// Makes the config drive, unless it is there.
///
/// # Errors
/// `disk-full`, or `internal` when the content is unusable.
pub fn config(files: &Files, user: GuestUser, tree: &config_drive::Tree) -> Result<(), Fault> {
    let disk = config_drive::disk(tree)
        .map_err(|error| failed("the config drive could not be made", &error.to_string()))?;
    let new = files.config_drive().with_extension("new");
    let write = || -> io::Result<()> {
        write_private(&new, &disk)?;
        keep(&new, &files.config_drive(), user)
    };
    write().map_err(|error| disk_fault(&error))
}

/// Writes a file that only the worker can read from its first byte on: a config drive holds passwords.
fn write_private(new: &Path, content: &[u8]) -> io::Result<()> {
    // What a worker that died left here may be open to others.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(new)?
        .write_all(content)
}

fn keep(new: &Path, place: &Path, user: GuestUser) -> io::Result<()> {
    files::give(new, user.uid, user.gid)?;
    File::open(new)?.sync_all()?;
    fs::rename(new, place)
}

/// The fault for a file that could not be written.
#[must_use]
pub fn disk_fault(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::StorageFull {
        full(&error.to_string())
    } else {
        failed("the server's files could not be made", &error.to_string())
    }
}

fn full(details: &str) -> Fault {
    Fault::new(
        FaultCode::DiskFull,
        "The host's disk is full; try again on another host",
    )
    .with_details(details.trim())
}

fn failed(what: &str, details: &str) -> Fault {
    Fault::new(
        FaultCode::Internal,
        format!("On the host {what}; an operator has to look at it"),
    )
    .with_details(details.trim())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_secret_is_never_open_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("config.new");
        fs::write(&new, "half of an older one, and open").unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&new, b"whole").unwrap();
        let mode = fs::metadata(&new).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{mode:o}");
        assert_eq!(fs::read(&new).unwrap(), b"whole");
    }
}
