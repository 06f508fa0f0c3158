//! `GET /images`.
//!
//! What a project may see is read whole and cut here: images are counted in hundreds.

use axum::extract::State;
use serde_json::{Value, json};
use skybus_model::image::Visibility;
use skybus_store::images;

use super::{filters::Filters, show, view};
use crate::{
    app::App,
    http::{Api, Auth, Error, Json, Page, Params, Way},
};

const SORTABLE: &[&str] = &[
    "id",
    "name",
    "status",
    "disk_format",
    "container_format",
    "size",
    "min_disk",
    "min_ram",
    "visibility",
    "owner",
    "created_at",
    "updated_at",
];

/// Lists images.
pub(super) async fn list(
    State(app): State<App>,
    auth: Auth,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let page = page.sorted_by(SORTABLE, ("created_at", Way::Down))?;
    let filters = Filters::read(&params)?;
    let visibility = match params.one("visibility") {
        None | Some("all") => None,
        Some(_) => params.parse::<Visibility>("visibility")?,
    };
    let member_status = params.one("member_status").unwrap_or("accepted");
    if member_status != "all" && !images::members::STATUSES.contains(&member_status) {
        return Err(Error::bad_request(format!(
            "invalid value {member_status:?} for member_status: use accepted, pending, rejected or all"
        )));
    }
    let scope = show::scope(&auth)?;
    let seen = images::list(app.store.pool(), scope, visibility, member_status).await?;
    let shown = seen
        .into_iter()
        .filter(|image| filters.show(image))
        .collect();
    let cut = page.cut(
        shown,
        |image| image.id.to_string(),
        |image, key| match key {
            // The shown form has only seconds.
            "created_at" => json!(image.created_at),
            "updated_at" => json!(image.updated_at),
            other => view::field(image, other),
        },
    )?;
    let mut body = json!({
        "images": cut.items.iter().map(view::image).collect::<Vec<_>>(),
        "schema": "/v2/schemas/images",
        "first": below_the_service(&page.first_path()),
    });
    if let (Some(marker), Some(body)) = (&cut.next, body.as_object_mut()) {
        let next = below_the_service(&page.path_after(marker));
        body.insert("next".to_owned(), Value::String(next));
    }
    Ok(Json(body))
}

/// Clients join these paths to the service's address, which ends before the version.
fn below_the_service(path: &str) -> String {
    let service = Api::Image.prefix().trim_end_matches("/v2");
    path.strip_prefix(service).unwrap_or(path).to_owned()
}
