//! `PATCH /images/ID`: changes as a JSON patch, in the image service's own dialect.
//!
//! A path names one key and nothing below it. `add` and `replace` of what every image has are the same;
//! of a property, `replace` and `remove` need it to be there. All changes of one request hold, or none.

use axum::extract::{Request, State};
use http::{StatusCode, header};
use serde_json::Value;
use skybus_model::id::ImageId;
use skybus_store::images::{self, Image, Scope};

use super::{describe, show, view};
use crate::{
    app::App,
    http::{Auth, Error, Json, Path, body, json},
};

const MEDIA: [&str; 2] = [
    "application/openstack-images-v2.1-json-patch",
    "application/openstack-images-v2.0-json-patch",
];

#[derive(Debug)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// One change.
#[derive(Debug)]
pub(super) struct Change {
    verb: Verb,
    pub(super) key: String,
    value: Value,
}

/// Changes an image.
pub(super) async fn patch(
    State(app): State<App>,
    auth: Auth,
    Path(id): Path<ImageId>,
    request: Request,
) -> Result<Json<Value>, Error> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let Some(media) = MEDIA.iter().position(|media| kind == Some(*media)) else {
        return Err(Error::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "changes of an image are sent with Content-Type: {}",
                MEDIA[0]
            ),
        ));
    };
    let body = body::read(request, json::MOST_BYTES).await?;
    let changes = read(&json::read(&body)?, media == 1)?;
    show::own(&app, &auth, id).await?;
    let mut tx = app.store.begin().await?;
    let mut image = images::get(tx.conn(), id, Scope::Everything).await?;
    for change in &changes {
        apply(&mut image, &auth, change)?;
    }
    let image = images::update(&mut tx, &image).await?;
    tx.commit().await?;
    Ok(Json(view::image(&image)))
}

pub(super) fn read(body: &Value, old_dialect: bool) -> Result<Vec<Change>, Error> {
    let list = body
        .as_array()
        .ok_or_else(|| Error::bad_request("the body must be a list of changes"))?;
    list.iter()
        .map(|change| {
            if old_dialect {
                read_old(change)
            } else {
                read_one(change)
            }
        })
        .collect()
}

fn read_one(change: &Value) -> Result<Change, Error> {
    let verb = match change.get("op").and_then(Value::as_str) {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => {
            return Err(Error::bad_request(
                "each change needs an \"op\" that is \"add\", \"replace\" or \"remove\"",
            ));
        }
    };
    finish(verb, change.get("path"), change)
}

/// The dialect of version 2.0 names the operation by its key: `{"replace": "/name", "value": …}`.
fn read_old(change: &Value) -> Result<Change, Error> {
    for (word, verb) in [
        ("add", Verb::Add),
        ("replace", Verb::Replace),
        ("remove", Verb::Remove),
    ] {
        if let Some(path) = change.get(word) {
            return finish(verb, Some(path), change);
        }
    }
    Err(Error::bad_request(
        "each change needs one of \"add\", \"replace\" and \"remove\"",
    ))
}

fn finish(verb: Verb, path: Option<&Value>, change: &Value) -> Result<Change, Error> {
    let path = path
        .and_then(Value::as_str)
        .ok_or_else(|| Error::bad_request("each change needs a path, such as \"/name\""))?;
    let key = key_of(path)?;
    let value = match (&verb, change.get("value")) {
        (Verb::Remove, _) => Value::Null,
        (_, Some(value)) => value.clone(),
        (_, None) => {
            return Err(Error::bad_request(format!(
                "the change of {path} needs a value"
            )));
        }
    };
    Ok(Change { verb, key, value })
}

/// The key that a JSON pointer names.
fn key_of(path: &str) -> Result<String, Error> {
    let wrong = || {
        Error::bad_request(format!(
            "invalid path {path:?}: it must be \"/\" and one name, with ~0 for ~ and ~1 for /"
        ))
    };
    let name = path
        .strip_prefix('/')
        .filter(|name| !name.is_empty())
        .ok_or_else(wrong)?;
    let stray = name
        .split('~')
        .skip(1)
        .any(|rest| !rest.starts_with(['0', '1']));
    if name.contains('/') || stray {
        return Err(wrong());
    }
    Ok(name.replace("~1", "/").replace("~0", "~"))
}

fn apply(image: &mut Image, auth: &Auth, change: &Change) -> Result<(), Error> {
    let key = change.key.as_str();
    let missing = !describe::is_base(key) && !image.properties.contains_key(key);
    match change.verb {
        Verb::Remove if describe::is_base(key) => Err(Error::forbidden(format!(
            "Property {key} may not be removed."
        ))),
        Verb::Remove | Verb::Replace if missing => {
            Err(Error::conflict(format!("Property {key} does not exist.")))
        }
        Verb::Remove => {
            image.properties.remove(key);
            Ok(())
        }
        Verb::Add | Verb::Replace => describe::set(image, auth, key, &change.value),
    }
}
