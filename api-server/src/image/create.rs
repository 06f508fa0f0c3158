//! `POST /images`: an image without bytes.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value};
use skybus_model::id::ImageId;
use skybus_store::{
    identity::projects,
    images::{self, Image, NewImage},
};

use super::{describe, view};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once},
};

/// Makes an image.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(mut body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut described = Image::blank(auth.project()?);
    let id = match body.remove("id") {
        None => None,
        Some(value) => Some(wanted_id(&value)?),
    };
    for (key, value) in &body {
        describe::set(&mut described, &auth, key, value)?;
    }
    let mut tx = app.store.begin().await?;
    projects::hold(&mut tx, described.project).await?;
    let image = images::create(&mut tx, NewImage { id, described }).await?;
    let location = app.public(&format!("/image/v2/images/{}", image.id));
    let body = view::image(&image);
    let response = once
        .record(&mut tx, StatusCode::CREATED, Some(location.as_str()), &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

fn wanted_id(value: &Value) -> Result<ImageId, Error> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Error::bad_request(format!("invalid value {value} for id: it must be a UUID"))
        })
}
