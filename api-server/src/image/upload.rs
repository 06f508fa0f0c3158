//! `PUT /images/ID/file`: an image's bytes arrive.
//!
//! The work runs in a task of its own: when the client hangs up, the handler is dropped, but the task
//! still sees the stream break off, removes the file and sets the image back to `queued`. A refused
//! upload is read to its end, because clients look for an answer only after they have sent everything.

use axum::{
    body::BodyDataStream,
    extract::Request,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt;
use http::{StatusCode, header};
use skybus_model::{Timestamp, id::ImageId, image::DiskFormat};
use skybus_store::images::{
    self,
    upload::{self, Arrived, BEAT_EVERY},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::Instrument;
use uuid::Uuid;

use super::{
    files::{Arriving, Failed, Files, MOST_BYTES},
    show,
};
use crate::{
    app::App,
    http::{Auth, Error, Path},
};

/// A client that sends nothing for so long has gone.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// Chunks that may wait for the disk.
const WAITING: usize = 32;

/// Takes the bytes.
pub(super) async fn upload(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
    request: Request,
) -> Result<Response, Error> {
    let headers = request.headers();
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind != Some("application/octet-stream") {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the bytes of an image are sent with Content-Type: application/octet-stream",
        ));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<u64>().ok());
    let files = Files::below(&app.config.data_dir);
    let image = show::own(&app, &auth, id).await?;
    let (Some(format), Some(_)) = (image.disk_format, &image.container_format) else {
        return Err(Error::bad_request(
            "disk_format and container_format must be set before the bytes are sent",
        ));
    };
    if announced.is_some_and(|length| length > MOST_BYTES) {
        return Err(answer(&Failed::TooLarge));
    }
    if announced.unwrap_or(0) > files.room().map_err(Error::internal)? {
        return Err(answer(&Failed::NoSpace));
    }
    let name = Uuid::new_v4().simple().to_string();
    let mut tx = app.store.begin().await?;
    upload::begin(&mut tx, id, &name).await?;
    tx.commit().await?;
    let upload = Upload {
        app: app.clone(),
        files,
        id,
        name,
        format,
    };
    let stream = request.into_body().into_data_stream();
    app.tasks
        .spawn(upload.run(stream).in_current_span())
        .await
        .map_err(Error::internal)??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

struct Upload {
    app: App,
    files: Files,
    id: ImageId,
    name: String,
    format: DiskFormat,
}

impl Upload {
    async fn run(self, stream: BodyDataStream) -> Result<(), Error> {
        let ended = match self.receive(stream).await {
            Ok(arrived) => self.settle(&arrived).await,
            Err(error) => Err(error),
        };
        if ended.is_err() {
            Files::remove(&self.files.arriving(&self.name));
            let mut tx = self.app.store.begin().await?;
            upload::give_up(&mut tx, self.id, &self.name).await?;
            tx.commit().await?;
        }
        ended
    }

    /// Reads the stream to its end, whatever the writer says of it.
    async fn receive(&self, mut stream: BodyDataStream) -> Result<Arrived, Error> {
        let (chunks, writer) = self.writer();
        let mut beaten = Timestamp::now();
        let mut read = 0_u64;
        loop {
            let chunk = match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break,
                Ok(Some(Err(_))) | Err(_) => {
                    // Without its end the writer cannot take what it has for the whole.
                    drop(chunks);
                    let _ = writer.await;
                    return Err(Error::bad_request(
                        "the upload broke off; send the bytes again",
                    ));
                }
            };
            read = read.saturating_add(chunk.len() as u64);
            if read > MOST_BYTES {
                drop(chunks);
                let _ = writer.await;
                return Err(answer(&Failed::TooLarge));
            }
            // The writer is gone when it refused the bytes: then the rest is only read.
            let _ = chunks.send(Some(chunk)).await;
            if Timestamp::now().since(beaten) > BEAT_EVERY {
                beaten = Timestamp::now();
                self.beat().await?;
            }
        }
        let _ = chunks.send(None).await;
        writer
            .await
            .map_err(Error::internal)?
            .map_err(|failed| answer(&failed))
    }

    /// Files and sums block, so they have a thread.
    fn writer(
        &self,
    ) -> (
        mpsc::Sender<Option<Bytes>>,
        JoinHandle<Result<Arrived, Failed>>,
    ) {
        let (sender, mut chunks) = mpsc::channel::<Option<Bytes>>(WAITING);
        let (files, name, format) = (self.files.clone(), self.name.clone(), self.format);
        let writer = tokio::task::spawn_blocking(move || {
            let mut arriving = Arriving::begin(&files, &name, format)?;
            loop {
                match chunks.blocking_recv() {
                    Some(Some(chunk)) => arriving.take(&chunk)?,
                    Some(None) => return arriving.end(),
                    None => {
                        let gone = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                        return Err(Failed::Disk(gone));
                    }
                }
            }
        });
        (sender, writer)
    }

    async fn beat(&self) -> Result<(), Error> {
        let mut tx = self.app.store.begin().await?;
        let wanted = upload::beat(&mut tx, self.id, &self.name).await?;
        tx.commit().await?;
        if wanted { Ok(()) } else { Err(gone(self.id)) }
    }

    /// First the file, then the row: a row that says `active` has its bytes.
    async fn settle(&self, arrived: &Arrived) -> Result<(), Error> {
        let (files, name, id) = (self.files.clone(), self.name.clone(), self.id);
        tokio::task::spawn_blocking(move || files.settle(&name, id))
            .await
            .map_err(Error::internal)?
            .map_err(|error| answer(&error.into()))?;
        let mut tx = self.app.store.begin().await?;
        let wanted = upload::finish(&mut tx, self.id, &self.name, arrived).await?;
        tx.commit().await?;
        if wanted {
            tracing::info!(image = %self.id, bytes = arrived.size, "an image's bytes arrived");
            return Ok(());
        }
        if !images::find::has_bytes(self.app.store.pool(), self.id).await? {
            Files::remove(&self.files.of(self.id));
        }
        Err(gone(self.id))
    }
}

fn gone(id: ImageId) -> Error {
    Error::new(
        StatusCode::GONE,
        format!("image {id} was deleted while its bytes arrived"),
    )
}

fn answer(failed: &Failed) -> Error {
    match failed {
        Failed::Refused(refused) => Error::bad_request(refused.to_string()),
        Failed::TooLarge => Error::too_large(failed.to_string()),
        Failed::NoSpace => Error::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "there is not enough space for the image on the cloud's side; tell its operator",
        ),
        Failed::Disk(error) => Error::internal(format!("{failed}: {error}")),
    }
}
