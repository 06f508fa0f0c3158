//! `GET /images/ID/file`: an image's bytes leave, whole or in part; and the same for hosts, by an
//! address that carries its own permission.

use axum::{
    body::Body,
    extract::{OriginalUri, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use skybus_model::{id::ImageId, image::ImageStatus};
use skybus_store::images::{self, Image, Scope};
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

use super::{files::Files, show};
use crate::{
    app::App,
    http::{Auth, Error, Path, Query},
};

/// So much is read from the file at a time.
const CHUNK: usize = 256 * 1024;

/// The signature of a signed address.
#[derive(Debug, Deserialize)]
pub(crate) struct Signature {
    /// Until when it holds, in seconds since 1970.
    pub(crate) expires: u64,
    /// The signature itself.
    pub(crate) signature: String,
}

/// Sends the bytes to a client.
pub(super) async fn download(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let image = show::seen(&app, &auth, id).await?;
    send(&app, &image, &headers).await
}

/// Sends the bytes to whoever has a signed address.
pub(super) async fn signed(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Query(given): Query<Signature>,
    Path(id): Path<ImageId>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    app.paths
        .verify(uri.path(), given.expires, &given.signature)
        .map_err(|refused| Error::forbidden(refused.to_string()))?;
    let image = images::get(app.store.pool(), id, Scope::Everything).await?;
    send(&app, &image, &headers).await
}

async fn send(app: &App, image: &Image, headers: &HeaderMap) -> Result<Response, Error> {
    let Some(size) = image.size.filter(|_| image.status == ImageStatus::Active) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let size = u64::try_from(size).map_err(Error::internal)?;
    let path = Files::below(&app.config.data_dir).of(image.id);
    let mut file = tokio::fs::File::open(&path)
        .await
        .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    let range = match headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok())
    {
        None => Wanted::Whole,
        Some(text) => wanted(text, size),
    };
    let (status, from, length) = match range {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part(from, to) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
        Wanted::Nothing => {
            let error = Error::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("the image has {size} bytes, and none of them in that range"),
            );
            let mut response = error.into_response();
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes */{size}"),
            );
            return Ok(response);
        }
    };
    file.seek(SeekFrom::Start(from))
        .await
        .map_err(Error::internal)?;
    let stream = ReaderStream::with_capacity(file.take(length), CHUNK);
    let mut response = (status, Body::from_stream(stream)).into_response();
    set(
        &mut response,
        header::CONTENT_TYPE,
        "application/octet-stream",
    );
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{size}", from + length - 1);
        set(&mut response, header::CONTENT_RANGE, &range);
    } else if let Some(md5) = &image.md5 {
        set(
            &mut response,
            header::HeaderName::from_static("content-md5"),
            md5,
        );
    }
    Ok(response)
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Which bytes are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(u64, u64),
    Nothing,
}

/// Reads `bytes=from-to` (RFC 9110). What is malformed or names several parts is ignored, as it may be.
pub(super) fn wanted(range: &str, size: u64) -> Wanted {
    let Some((from, to)) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .filter(|_| size > 0)
    else {
        return Wanted::Whole;
    };
    match (from.trim().parse::<u64>(), to.trim().parse::<u64>()) {
        (Ok(from), Ok(to)) if from > to => Wanted::Whole,
        (Ok(from), _) if from >= size && (to.trim().is_empty() || !to.contains(',')) => {
            Wanted::Nothing
        }
        (Ok(from), Ok(to)) => Wanted::Part(from, to.min(size - 1)),
        (Ok(from), Err(_)) if to.trim().is_empty() => Wanted::Part(from, size - 1),
        (Err(_), Ok(0)) if from.trim().is_empty() => Wanted::Nothing,
        (Err(_), Ok(last)) if from.trim().is_empty() => {
            Wanted::Part(size.saturating_sub(last), size - 1)
        }
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_cut_out_of_what_is_empty() {
        for text in ["bytes=-5", "bytes=0-", "bytes=0-0"] {
            assert_eq!(wanted(text, 0), Wanted::Whole, "{text}");
        }
    }

    #[test]
    fn ranges_as_the_standard_has_them() {
        for (text, expected) in [
            ("bytes=0-9", Wanted::Part(0, 9)),
            ("bytes=5-", Wanted::Part(5, 99)),
            ("bytes=-10", Wanted::Part(90, 99)),
            ("bytes=-1000", Wanted::Part(0, 99)),
            ("bytes=90-1000", Wanted::Part(90, 99)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=9-5", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
        ] {
            assert_eq!(wanted(text, 100), expected, "{text}");
        }
    }
}
