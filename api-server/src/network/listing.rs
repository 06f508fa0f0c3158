//! Lists: every attribute that is shown can be filtered by, `fields` picks what is shown.
//!
//! Filters are applied to what is shown, so that none can tell more than the list itself does.

use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{Auth, Error, Json, Page, Params, Way},
};
use skybus_store::networks::Scope;

/// What a list takes for itself.
const NOT_FILTERS: &[&str] = &[
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "page_reverse",
    "fields",
];

/// So many hosts' ports are told of a change in its own transaction; the rest follows in a moment.
pub(crate) const TOLD_AT_ONCE: i64 = 200;

/// A failure of the store; a conflict under the Network API's own word for it.
pub(super) fn in_words(error: skybus_store::Error, word: &'static str) -> Error {
    match error {
        skybus_store::Error::Conflict(why) => Error::conflict(why).named(word),
        other => other.into(),
    }
}

/// Whose things the caller may see.
pub(super) fn scope(auth: &Auth) -> Result<Scope, Error> {
    if auth.is_admin() {
        Ok(Scope::Everything)
    } else {
        Ok(Scope::Project(auth.project()?))
    }
}

/// One thing under its noun.
pub(super) fn one(noun: &str, item: Value, params: &Params) -> Json<Value> {
    Json(json!({ noun: picked(item, params) }))
}

/// The page of `items` that was asked for, under the plural of their noun.
pub(super) fn page(
    app: &App,
    nouns: &str,
    items: Vec<Value>,
    page: Page,
    params: &Params,
) -> Result<Json<Value>, Error> {
    let known = items
        .first()
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in params.iter().filter(|(key, _)| !NOT_FILTERS.contains(key)) {
        if !items.is_empty() && !known.contains_key(key) && !is_special(key) {
            return Err(Error::bad_request(format!(
                "the list cannot be filtered by {key:?}: its items have no such attribute"
            )));
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let shown: Vec<Value> = items
        .into_iter()
        .filter(|item| keys.iter().all(|key| fits(item, key, params)))
        .collect();
    let sortable: Vec<&str> = known.keys().map(String::as_str).collect();
    let unsorted = shown.is_empty();
    let page = if unsorted {
        page
    } else {
        page.unless_said(Way::Up)?
            .sorted_by(&sortable, ("id", Way::Up))?
    };
    // An unknown marker of a list that is empty anyway is no mistake worth a refusal.
    if unsorted {
        return Ok(Json(json!({ nouns: [] })));
    }
    let cut = page.cut(
        shown,
        |item| item["id"].as_str().unwrap_or_default().to_owned(),
        |item, key| item.get(key).cloned().unwrap_or(Value::Null),
    )?;
    let links = page.links(&app.public(""), &cut);
    let mut body = Map::new();
    let items: Vec<Value> = cut
        .items
        .into_iter()
        .map(|item| picked(item, params))
        .collect();
    body.insert(nouns.to_owned(), Value::Array(items));
    if let Some(links) = links {
        body.insert(format!("{nouns}_links"), links);
    }
    Ok(Json(Value::Object(body)))
}

fn picked(item: Value, params: &Params) -> Value {
    if !params.has("fields") {
        return item;
    }
    let Value::Object(all) = item else {
        return item;
    };
    let wanted: Vec<&str> = params
        .all("fields")
        .flat_map(|fields| fields.split(','))
        .collect();
    Value::Object(
        all.into_iter()
            .filter(|(key, _)| wanted.contains(&key.as_str()))
            .collect(),
    )
}

/// Filters by tags other than `tags` itself.
fn is_special(key: &str) -> bool {
    matches!(
        key,
        "tags-any" | "not-tags" | "not-tags-any" | "changed_since"
    )
}

/// Whether an item has, under this key, one of the values that were asked for.
fn fits(item: &Value, key: &str, params: &Params) -> bool {
    let mut values = params.all(key);
    match key {
        // Nothing here has tags.
        "tags-any" => false,
        "not-tags" | "not-tags-any" => true,
        "changed_since" => {
            let changed = item["updated_at"].as_str().unwrap_or_default();
            values.all(|since| changed >= since)
        }
        "fixed_ips" => {
            let fixed = item[key].as_array().cloned().unwrap_or_default();
            values.all(|wanted| match wanted.split_once('=') {
                Some(("ip_address_substr", part)) => fixed.iter().any(|ip| {
                    ip["ip_address"]
                        .as_str()
                        .is_some_and(|text| text.contains(part))
                }),
                Some((inner, value)) => fixed.iter().any(|ip| ip[inner] == *value),
                None => false,
            })
        }
        _ => values.any(|wanted| equal(&item[key], wanted)),
    }
}

fn equal(own: &Value, wanted: &str) -> bool {
    match own {
        Value::Null => wanted.is_empty() || wanted == "null" || wanted == "None",
        Value::Bool(own) => match wanted.to_ascii_lowercase().as_str() {
            "true" | "1" => *own,
            "false" | "0" => !*own,
            _ => false,
        },
        Value::String(own) => own == wanted,
        Value::Array(list) => list.iter().any(|one| equal(one, wanted)),
        Value::Number(own) => wanted
            .parse()
            .is_ok_and(|wanted| own.as_i64() == Some(wanted)),
        Value::Object(_) => false,
    }
}
