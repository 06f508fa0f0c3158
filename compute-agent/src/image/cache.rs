//! The images of a host, by their checksum. Whoever asks for one that is on its way waits for that same
//! transfer; whoever goes away meanwhile does not end it.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::Client;
use rustix::fs::statvfs;
use skybus_model::{Fault, FaultCode, server::ImageSource};

use super::{content, fetch};

/// What is kept free for the guests that already run.
const SPARE: u64 = 256 * 1024 * 1024;

type Transfer = Shared<BoxFuture<'static, Result<(), Fault>>>;

/// The images of a host.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
    api_url: String,
    client: Client,
    transfers: Arc<Mutex<HashMap<PathBuf, Transfer>>>,
}

impl Cache {
    /// The cache in `directory`, which every guest's user may read and none may write.
    ///
    /// # Errors
    /// When the directory cannot be made, or the HTTP client cannot.
    pub fn open(directory: PathBuf, api_url: &str) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o711))?;
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .map_err(io::Error::other)?;
        let api_url = api_url.trim_end_matches('/').to_owned();
        Ok(Self {
            directory,
            api_url,
            client,
            transfers: Arc::default(),
        })
    }

    /// The file that holds `image`, fetched if it is not here yet, and whether it was here.
    ///
    /// # Errors
    /// `image-unusable` when it cannot be had or is not what it should be, `disk-full` when there is no
    /// room for it.
    pub async fn get(&self, image: &ImageSource) -> Result<(PathBuf, bool), Fault> {
        let path = self.path(image)?;
        let size = u64::try_from(image.size).unwrap_or(0);
        if fs::metadata(&path).is_ok_and(|meta| meta.len() == size) {
            return Ok((path, true));
        }
        self.transfer(image, &path).await?;
        Ok((path, false))
    }

    /// The file that holds `image`, which was fetched before.
    ///
    /// # Errors
    /// `image-unusable` when it is not here.
    pub fn here(&self, image: &ImageSource) -> Result<PathBuf, Fault> {
        let path = self.path(image)?;
        if path.exists() {
            Ok(path)
        } else {
            Err(unusable(image, "it has gone from the host's cache", ""))
        }
    }

    /// Where `image` is, once it is. The checksum is its name: two images of the same bytes are one
    /// file, and an image that was replaced is another.
    fn path(&self, image: &ImageSource) -> Result<PathBuf, Fault> {
        let sum = image.sha512.to_ascii_lowercase();
        if sum.len() != 128 || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(unusable(image, "its checksum is not a SHA-512", ""));
        }
        Ok(self.directory.join(format!("{sum}.{}", image.format)))
    }

    fn transfer(&self, image: &ImageSource, path: &Path) -> Transfer {
        let mut transfers = self
            .transfers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(transfer) = transfers.get(path) {
            return transfer.clone();
        }
        let (this, image, to) = (self.clone(), image.clone(), path.to_owned());
        // A task of its own: the transfer goes on when the server that wanted it first is removed.
        let task = tokio::spawn(async move {
            let result = this.fetch(&image, &to).await;
            this.transfers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&to);
            result
        });
        let transfer = async move {
            task.await.unwrap_or_else(|error| {
                Err(
                    Fault::new(FaultCode::Internal, "Fetching the image failed; try again")
                        .with_details(error.to_string()),
                )
            })
        }
        .boxed()
        .shared();
        transfers.insert(path.to_owned(), transfer.clone());
        transfer
    }

    async fn fetch(&self, image: &ImageSource, to: &Path) -> Result<(), Fault> {
        let size = u64::try_from(image.size).unwrap_or(0);
        let partial = to.with_extension(format!("{}.part", image.format));
        let have = fs::metadata(&partial).map_or(0, |meta| meta.len());
        room_for(&self.directory, size.saturating_sub(have))?;
        let url = format!("{}{}", self.api_url, image.path);
        fetch::fetch(&self.client, &url, image, &partial, to)
            .await
            .map_err(|error| {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                let details = source.unwrap_or_default();
                if error.is_disk_full() {
                    Fault::new(
                        FaultCode::DiskFull,
                        "The host's disk is full; try again on another host",
                    )
                    .with_details(details)
                } else {
                    unusable(image, &error.to_string(), &details)
                }
            })?;
        let (path, format) = (to.to_owned(), image.format);
        content::disk_size(&path, format)
            .map(drop)
            .map_err(|wrong| {
                // Nothing refers to it yet, and the same bytes would be as wrong the next time.
                let _ = fs::remove_file(&path);
                unusable(image, &wrong.to_string(), "")
            })
    }

    /// The client that fetches from the API, for whoever else needs it.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The API's address, without a slash at its end.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }
}

fn unusable(image: &ImageSource, why: &str, details: &str) -> Fault {
    Fault::new(
        FaultCode::ImageUnusable,
        format!("The image {} cannot be used: {why}", image.id),
    )
    .with_details(details)
}

/// Whether `bytes` more fit below `directory`.
///
/// # Errors
/// `disk-full` when they do not.
pub fn room_for(directory: &Path, bytes: u64) -> Result<(), Fault> {
    let Ok(disk) = statvfs(directory) else {
        return Ok(());
    };
    let free = disk.f_bavail * disk.f_frsize;
    if free >= bytes.saturating_add(SPARE) {
        return Ok(());
    }
    Err(Fault::new(
        FaultCode::DiskFull,
        "The host's disk is too full; try again on another host",
    )
    .with_details(format!(
        "{} has {} MiB free, {} MiB are needed and {} MiB kept free",
        directory.display(),
        free >> 20,
        bytes >> 20,
        SPARE >> 20
    )))
}

#[cfg(test)]
mod tests;
