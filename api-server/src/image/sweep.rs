//! Undoing what dead processes left: uploads that will never end, and files that no row names.

use std::{io, path::Path, time::Duration};

use skybus_model::{Timestamp, id::ImageId};
use skybus_store::images::{find, upload};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::files::Files;
use crate::app::App;

const EVERY: Duration = Duration::from_secs(30);

/// Sweeps until the process ends.
///
/// # Errors
/// None: what could not be swept is swept the next time.
pub async fn run(app: App, end: CancellationToken) -> anyhow::Result<()> {
    let mut turns = interval(EVERY);
    loop {
        tokio::select! {
            () = end.cancelled() => return Ok(()),
            _ = turns.tick() => {
                if let Err(error) = once(&app, upload::DEAD_AFTER).await {
                    tracing::warn!(%error, "images were not swept; trying again later");
                }
            }
        }
    }
}

/// One sweep: what showed no life for `silence` is dead.
///
/// # Errors
/// When the database or the directory cannot be read; the next sweep tries again.
pub async fn once(app: &App, silence: Duration) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let silent = i64::try_from(silence.as_micros()).unwrap_or(i64::MAX);
    let mut tx = app.store.begin().await?;
    let given_up = upload::give_up_dead(&mut tx, Timestamp(now.micros() - silent)).await?;
    tx.commit().await?;
    if given_up > 0 {
        tracing::warn!(
            given_up,
            "uploads whose process died were given up; the images are queued"
        );
    }
    let files = Files::below(&app.config.data_dir);
    for (name, age) in entries(files.arriving_directory())? {
        // An upload that lives writes to its file, or at least beats; both are younger than this.
        if age > silence {
            Files::remove(&files.arriving(&name));
        }
    }
    for (name, age) in entries(files.whole_directory())? {
        let Ok(id) = name.parse::<ImageId>() else {
            continue;
        };
        if age > silence && !find::has_bytes(app.store.pool(), id).await? {
            tracing::info!(image = %id, "the file of an image that is gone was removed");
            Files::remove(&files.of(id));
        }
    }
    Ok(())
}

/// The files of a directory and how long ago each was written.
fn entries(directory: &Path) -> io::Result<Vec<(String, Duration)>> {
    let list = match std::fs::read_dir(directory) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in list {
        let entry = entry?;
        // Gone meanwhile is as good as removed.
        let Ok(data) = entry.metadata() else { continue };
        if data.is_file() {
            let age = data.modified()?.elapsed().unwrap_or_default();
            found.push((entry.file_name().to_string_lossy().into_owned(), age));
        }
    }
    Ok(found)
}
