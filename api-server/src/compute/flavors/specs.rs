//! A flavor's extra specs.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_store::compute::flavors;

use super::missing;
use crate::{
    app::App,
    compute::fields::{Fields, Invalid, checked_length},
    http::{Auth, Error, Json, Path},
};

/// All of them.
pub(crate) async fn index(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let flavor = super::find(&app, &auth, &id).await?;
    Ok(Json(json!({ "extra_specs": flavor.extra_specs })).into_response())
}

/// One of them.
pub(crate) async fn show(
    State(app): State<App>,
    auth: Auth,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Error> {
    let flavor = super::find(&app, &auth, &id).await?;
    match flavor.extra_specs.get(&key) {
        Some(value) => Ok(Json(json!({ key: value })).into_response()),
        None => Err(Error::not_found("extra spec", key)),
    }
}

/// Adds some, keeps the others.
pub(crate) async fn merge(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let items = read(&Fields::of(&body, "extra_specs")?)?;
    let mut flavor = super::find(&app, &auth, &id).await?;
    flavor.extra_specs.extend(items.iter().cloned());
    save(&app, &id, &flavor.extra_specs).await?;
    let shown: serde_json::Map<_, _> = items.into_iter().map(|(k, v)| (k, json!(v))).collect();
    Ok(Json(json!({ "extra_specs": shown })).into_response())
}

/// Sets one.
pub(crate) async fn set(
    State(app): State<App>,
    auth: Auth,
    Path((id, key)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let items = read(&Fields::whole(&body)?)?;
    match items.as_slice() {
        [(given, _)] if *given == key => {}
        _ => {
            let why = format!("it must have exactly one field, the one of the address ({key:?})");
            return Err(Invalid::new("body", why).into());
        }
    }
    let mut flavor = super::find(&app, &auth, &id).await?;
    flavor.extra_specs.extend(items);
    save(&app, &id, &flavor.extra_specs).await?;
    Ok(Json(body).into_response())
}

/// Removes one.
pub(crate) async fn delete(
    State(app): State<App>,
    auth: Auth,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let mut flavor = super::find(&app, &auth, &id).await?;
    if flavor.extra_specs.remove(&key).is_none() {
        return Err(Error::not_found("extra spec", key));
    }
    save(&app, &id, &flavor.extra_specs).await?;
    Ok(StatusCode::OK)
}

async fn save(
    app: &App,
    id: &str,
    specs: &std::collections::BTreeMap<String, String>,
) -> Result<(), Error> {
    let mut tx = app.store.begin().await?;
    flavors::set_extra_specs(&mut tx, id, specs)
        .await
        .map_err(|e| missing(e, id))?;
    tx.commit().await?;
    Ok(())
}

fn read(fields: &Fields<'_>) -> Result<Vec<(String, String)>, Invalid> {
    let mut items = Vec::new();
    for (key, value) in fields.entries() {
        let field = fields.at(&key.chars().take(80).collect::<String>());
        checked_length(&field, key, 1..=255)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | ' ');
        if !key.chars().all(fits) {
            let why = "a key may have letters, digits, blanks, '-', '_', ':' and '.'";
            return Err(Invalid::new(field, why));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(Invalid::new(field, "a value must be a text or a number")),
        };
        checked_length(&field, &text, 0..=255)?;
        items.push((key.clone(), text));
    }
    Ok(items)
}
