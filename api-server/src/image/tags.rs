//! Tags of an image, one by one.

use axum::extract::State;
use http::StatusCode;
use skybus_model::id::ImageId;
use skybus_store::images::{self, Scope};

use super::{describe, show};
use crate::{
    app::App,
    http::{Auth, Error, Path},
};

/// Puts a tag on an image; it may be there already.
pub(super) async fn add(
    State(app): State<App>,
    auth: Auth,
    Path((id, tag)): Path<(ImageId, String)>,
) -> Result<StatusCode, Error> {
    show::own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    let mut image = images::get(tx.conn(), id, Scope::Everything).await?;
    image.tags.push(tag);
    image.tags = describe::checked_tags(image.tags)?;
    images::update(&mut tx, &image).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a tag off an image.
pub(super) async fn remove(
    State(app): State<App>,
    auth: Auth,
    Path((id, tag)): Path<(ImageId, String)>,
) -> Result<StatusCode, Error> {
    show::own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    let mut image = images::get(tx.conn(), id, Scope::Everything).await?;
    let before = image.tags.len();
    image.tags.retain(|own| *own != tag);
    if image.tags.len() == before {
        return Err(Error::not_found("tag", tag));
    }
    images::update(&mut tx, &image).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
