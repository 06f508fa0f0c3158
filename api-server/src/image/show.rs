//! One image: shown, or deleted.

use axum::extract::State;
use http::StatusCode;
use serde_json::Value;
use skybus_model::id::ImageId;
use skybus_store::images::{self, Image, Scope};

use super::{files::Files, view};
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

/// Whose images the caller may see.
pub(super) fn scope(auth: &Auth) -> Result<Scope, Error> {
    if auth.is_admin() {
        Ok(Scope::Everything)
    } else {
        Ok(Scope::Project(auth.project()?))
    }
}

/// An image that the caller may see.
pub(super) async fn seen(app: &App, auth: &Auth, id: ImageId) -> Result<Image, Error> {
    match images::get(app.store.pool(), id, scope(auth)?).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("image", id)),
        other => Ok(other?),
    }
}

/// An image that the caller may change: what others own may be seen, but not touched.
pub(super) async fn own(app: &App, auth: &Auth, id: ImageId) -> Result<Image, Error> {
    let image = seen(app, auth, id).await?;
    check_own(auth, &image)?;
    Ok(image)
}

/// Refuses what belongs to another project.
pub(super) fn check_own(auth: &Auth, image: &Image) -> Result<(), Error> {
    if auth.is_admin() || auth.scope == Some(image.project) {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "image {} belongs to another project",
        image.id
    )))
}

/// Shows an image.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
) -> Result<Json<Value>, Error> {
    Ok(Json(view::image(&seen(&app, &auth, id).await?)))
}

/// Deletes an image: first the row, then the file, which nothing names any more.
pub(super) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
) -> Result<StatusCode, Error> {
    own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    let image = images::get(tx.conn(), id, Scope::Everything).await?;
    if image.protected {
        return Err(Error::forbidden(format!(
            "image {id} is protected and cannot be deleted; set protected to false first"
        )));
    }
    images::delete(&mut tx, id).await?;
    tx.commit().await?;
    Files::remove(&Files::below(&app.config.data_dir).of(id));
    Ok(StatusCode::NO_CONTENT)
}
