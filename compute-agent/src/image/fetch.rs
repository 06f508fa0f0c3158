//! Fetching one image: streamed to a file beside its place while its checksum is worked out, taken up
//! again where it broke off, and moved to its place only when it is proved right.

use std::{
    fs::Permissions,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use futures::StreamExt;
use rand::RngExt;
use reqwest::{Client, StatusCode, header::RANGE};
use sha2::{Digest, Sha512};
use skybus_model::server::ImageSource;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
};

/// How often a transfer that broke off is taken up again.
const ATTEMPTS: u32 = 6;

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not the ones that the catalogue describes.
    #[error("the bytes that arrived are not the image: {0}")]
    Wrong(String),
    /// The server will not hand it out.
    #[error("the image service answered {0}")]
    Refused(StatusCode),
    /// The transfer kept breaking off.
    #[error("the transfer broke off {ATTEMPTS} times")]
    Broken(#[source] reqwest::Error),
    /// The answer ended early, again and again.
    #[error("the transfer kept ending early")]
    Short,
    /// The host cannot keep it.
    #[error("it cannot be written")]
    Disk(#[from] io::Error),
}

/// A partial file and the checksum of what it holds.
struct Partial {
    file: File,
    sum: Sha512,
    length: u64,
}

impl Partial {
    /// Opens what an earlier attempt left, if anything, and sums it up.
    async fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .await?;
        let (mut sum, mut length) = (Sha512::new(), 0);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                return Ok(Self { file, sum, length });
            }
            sum.update(&buffer[..read]);
            length += read as u64;
        }
    }

    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    async fn begin_again(&mut self) -> io::Result<()> {
        self.file.set_len(0).await?;
        tokio::io::AsyncSeekExt::rewind(&mut self.file).await?;
        (self.sum, self.length) = (Sha512::new(), 0);
        Ok(())
    }
}

/// Fetches `image` from `url` to `to`, by way of `partial`.
///
/// # Errors
/// When it does not arrive, is not what it should be, or cannot be kept. A partial file of the right
/// bytes stays, so that the next attempt goes on from there.
pub async fn fetch(
    client: &Client,
    url: &str,
    image: &ImageSource,
    partial: &Path,
    to: &Path,
) -> Result<(), Error> {
    let size = u64::try_from(image.size).unwrap_or(0);
    let mut kept = Partial::open(partial).await?;
    if kept.length > size {
        kept.begin_again().await?;
    }
    let mut attempt = 1;
    while kept.length < size {
        let broken = match transfer(client, url, size, &mut kept).await {
            Ok(()) if kept.length == size => break,
            Ok(()) => Error::Short,
            Err(Error::Broken(error)) => Error::Broken(error),
            Err(Error::Refused(status)) if status.is_server_error() => Error::Refused(status),
            Err(error) => return Err(error),
        };
        if attempt == ATTEMPTS {
            return Err(broken);
        }
        tracing::warn!(image = %image.id, attempt, have = kept.length, size, error = %broken, "an image's transfer broke off; going on");
        tokio::time::sleep(pause(attempt)).await;
        attempt += 1;
    }
    let sum = hex::encode(std::mem::take(&mut kept.sum).finalize());
    if !sum.eq_ignore_ascii_case(&image.sha512) {
        tokio::fs::remove_file(partial).await?;
        return Err(Error::Wrong(format!(
            "its SHA-512 is {sum}, not {}",
            image.sha512
        )));
    }
    // Whatever the worker's umask: guests' users must be able to read it.
    kept.file
        .set_permissions(Permissions::from_mode(0o644))
        .await?;
    kept.file.sync_all().await?;
    tokio::fs::rename(partial, to).await?;
    if let Some(directory) = to.parent() {
        File::open(directory).await?.sync_all().await?;
    }
    Ok(())
}

/// One request's worth of the image.
async fn transfer(client: &Client, url: &str, size: u64, kept: &mut Partial) -> Result<(), Error> {
    let mut request = client.get(url);
    if kept.length > 0 {
        request = request.header(RANGE, format!("bytes={}-", kept.length));
    }
    let response = request.send().await.map_err(broken)?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        // A server that knows no ranges sends everything; what we have is then of no use.
        StatusCode::OK => kept.begin_again().await?,
        status => return Err(Error::Refused(status)),
    }
    let mut body = response.bytes_stream();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(broken)?;
        if kept.length + bytes.len() as u64 > size {
            kept.begin_again().await?;
            return Err(Error::Wrong(format!("it is longer than {size} bytes")));
        }
        kept.append(&bytes).await?;
    }
    kept.file.flush().await?;
    Ok(())
}

/// The address carries a signature, which belongs in no log.
fn broken(error: reqwest::Error) -> Error {
    Error::Broken(error.without_url())
}

/// Between a half and the whole of 100 ms, 200 ms, 400 ms …: hosts that lost the same server at the
/// same moment do not come back at the same moment.
fn pause(attempt: u32) -> Duration {
    let whole = 100_u64 << attempt.min(6);
    Duration::from_millis(rand::rng().random_range(whole / 2..=whole))
}

impl Error {
    /// Whether the host's disk is what is in the way.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Disk(error) if error.kind() == ErrorKind::StorageFull)
    }
}
