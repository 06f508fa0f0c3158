//! Making, describing and removing flavors.

use std::collections::BTreeMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::{Timestamp, host::Resources};
use skybus_store::compute::flavors::{self, Flavor};
use uuid::Uuid;

use super::{missing, view};
use crate::{
    app::App,
    compute::{
        fields::{Fields, Invalid, checked_name},
        servers::Lens,
    },
    http::{Auth, Error, Json, Microversion, Once, Path},
};

/// The largest number that Nova's database takes, and more than any machine has.
const MOST: i64 = 0x7fff_ffff;

/// Makes a flavor.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let flavor = read(&body, version)?;
    let mut tx = app.store.begin().await?;
    flavors::insert(&mut tx, &flavor).await?;
    let lens = Lens::new(&app, &auth, version);
    let shown = json!({ "flavor": view::full(&lens, &flavor) });
    let response = once.record(&mut tx, StatusCode::OK, None, &shown).await?;
    app.push(tx.commit().await?);
    Ok(response)
}

fn read(body: &Value, version: Microversion) -> Result<Flavor, Invalid> {
    let fields = Fields::of(body, "flavor")?;
    fields.only(&[
        "name",
        "id",
        "flavorid",
        "ram",
        "vcpus",
        "disk",
        "swap",
        "rxtx_factor",
        "description",
        "OS-FLV-EXT-DATA:ephemeral",
        "os-flavor-access:is_public",
    ])?;
    if fields.given("description") && !version.since(55) {
        let why = format!("it is understood since microversion 2.55; the request is in {version}");
        return Err(Invalid::new("flavor.description", why));
    }
    for key in ["swap", "OS-FLV-EXT-DATA:ephemeral"] {
        let empty = fields
            .value(key)
            .is_some_and(|value| value.as_str() == Some(""));
        if !empty && fields.integer(key, 0..=MOST)?.unwrap_or(0) != 0 {
            return Err(Invalid::new(
                fields.at(key),
                "further disks are not built yet; use 0",
            ));
        }
    }
    let factor = fields
        .value("rxtx_factor")
        .and_then(Value::as_f64)
        .unwrap_or(1.0);
    if (factor - 1.0).abs() > f64::EPSILON {
        return Err(Invalid::new(
            "flavor.rxtx_factor",
            "bandwidth factors are not built; use 1.0",
        ));
    }
    let required = |key: &str, range| {
        fields
            .integer(key, range)?
            .ok_or_else(|| fields.missing(key))
    };
    let name = checked_name("flavor.name", fields.required_text("name", 1..=255)?)?.to_owned();
    Ok(Flavor {
        id: id(&fields)?,
        name,
        resources: Resources {
            vcpus: required("vcpus", 1..=MOST)?,
            ram_mib: required("ram", 1..=MOST)?,
            disk_gib: required("disk", 0..=MOST)?,
        },
        is_public: fields.flag("os-flavor-access:is_public")?.unwrap_or(true),
        description: fields.text("description", 0..=65_535)?.map(str::to_owned),
        extra_specs: BTreeMap::new(),
        created_at: Timestamp::now(),
    })
}

/// The id may be a number; without one, or with `auto`, it is a UUID.
fn id(fields: &Fields<'_>) -> Result<String, Invalid> {
    let key = if fields.value("id").is_some() {
        "id"
    } else {
        "flavorid"
    };
    let text = match fields.value(key) {
        None => return Ok(Uuid::new_v4().to_string()),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => fields.required_text(key, 1..=255)?.to_owned(),
    };
    if text == "auto" {
        return Ok(Uuid::new_v4().to_string());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    if text.trim() == text && text.chars().all(fits) {
        Ok(text)
    } else {
        Err(Invalid::new(
            fields.at(key),
            "an id may have letters, digits, '.', '-', '_' and blanks, and no blank at its ends",
        ))
    }
}

/// Changes a flavor's description (since 2.55).
pub(crate) async fn update(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    if !version.since(55) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "flavors can be changed since microversion 2.55",
        ));
    }
    let fields = Fields::of(&body, "flavor")?;
    fields.only(&["description"])?;
    if !fields.given("description") {
        return Err(fields.missing("description").into());
    }
    let description = fields.text("description", 0..=65_535)?;
    let mut tx = app.store.begin().await?;
    flavors::describe(&mut tx, &id, description)
        .await
        .map_err(|e| missing(e, &id))?;
    tx.commit().await?;
    let flavor = super::find(&app, &auth, &id).await?;
    let lens = Lens::new(&app, &auth, version);
    Ok(Json(json!({ "flavor": view::full(&lens, &flavor) })).into_response())
}

/// Removes a flavor.
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let mut tx = app.store.begin().await?;
    flavors::delete(&mut tx, &id)
        .await
        .map_err(|e| missing(e, &id))?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}
