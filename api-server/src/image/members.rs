//! The projects that an image is shared with: its owner adds and removes them, they accept or reject.

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::{
    id::{ImageId, ProjectId},
    image::Visibility,
};
use skybus_store::images::{
    Image,
    members::{self, Member, STATUSES},
};

use super::show;
use crate::{
    app::App,
    http::{Auth, Error, Json, Path},
};

#[derive(Debug, Deserialize)]
pub(super) struct Added {
    member: ProjectId,
}

#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    status: String,
}

fn view(member: &Member) -> Value {
    json!({
        "image_id": member.image,
        "member_id": member.project,
        "status": member.status,
        "created_at": member.created_at.iso_seconds(),
        "updated_at": member.updated_at.iso_seconds(),
        "schema": "/v2/schemas/member",
    })
}

/// An image that can have members.
async fn shared(app: &App, auth: &Auth, id: ImageId) -> Result<Image, Error> {
    let image = show::seen(app, auth, id).await?;
    if image.visibility == Visibility::Shared {
        return Ok(image);
    }
    Err(Error::forbidden(format!(
        "image {id} has no members: its visibility is {}; set it to shared first",
        image.visibility
    )))
}

/// The members: all for the owner, itself for a member.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
) -> Result<Json<Value>, Error> {
    let image = shared(&app, &auth, id).await?;
    let own = show::check_own(&auth, &image).is_ok();
    let all = members::list(app.store.pool(), id).await?;
    let shown: Vec<Value> = all
        .iter()
        .filter(|member| own || auth.scope == Some(member.project))
        .map(view)
        .collect();
    Ok(Json(
        json!({ "members": shown, "schema": "/v2/schemas/members" }),
    ))
}

/// One member.
pub(super) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path((id, project)): Path<(ImageId, ProjectId)>,
) -> Result<Json<Value>, Error> {
    let image = shared(&app, &auth, id).await?;
    if show::check_own(&auth, &image).is_err() && auth.scope != Some(project) {
        return Err(Error::not_found("member", project));
    }
    Ok(Json(view(
        &members::get(app.store.pool(), id, project).await?,
    )))
}

/// Shares an image with a project.
pub(super) async fn add(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
    Json(added): Json<Added>,
) -> Result<Json<Value>, Error> {
    let image = shared(&app, &auth, id).await?;
    show::check_own(&auth, &image)?;
    let mut tx = app.store.begin().await?;
    let member = members::add(&mut tx, id, added.member).await?;
    tx.commit().await?;
    Ok(Json(view(&member)))
}

/// A member accepts or rejects an image. The owner cannot do that for it.
pub(super) async fn answer(
    State(app): State<App>,
    auth: Auth,
    Path((id, project)): Path<(ImageId, ProjectId)>,
    Json(answered): Json<Answered>,
) -> Result<Json<Value>, Error> {
    shared(&app, &auth, id).await?;
    if !auth.is_admin() && auth.scope != Some(project) {
        return Err(Error::forbidden(
            "only the member itself can accept or reject an image",
        ));
    }
    if !STATUSES.contains(&answered.status.as_str()) {
        return Err(Error::bad_request(format!(
            "invalid status {:?}: use accepted, rejected or pending",
            answered.status
        )));
    }
    let mut tx = app.store.begin().await?;
    let member = members::answer(&mut tx, id, project, &answered.status).await?;
    tx.commit().await?;
    Ok(Json(view(&member)))
}

/// Shares an image with a project no longer.
pub(super) async fn remove(
    State(app): State<App>,
    auth: Auth,
    Path((id, project)): Path<(ImageId, ProjectId)>,
) -> Result<StatusCode, Error> {
    let image = shared(&app, &auth, id).await?;
    show::check_own(&auth, &image)?;
    let mut tx = app.store.begin().await?;
    members::remove(&mut tx, id, project).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
