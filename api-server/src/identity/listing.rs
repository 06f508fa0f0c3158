//! Lists of the Identity API: filters, pages, links.

use serde_json::{Map, Value, json};

use crate::{
    app::App,
    http::{Error, Json, Page, Params, Way},
};

/// The list as an answer: what passes the query's filters, cut to the page, under its plural name.
///
/// The items are as they are shown. A key of the query that is the name of a text or flag of theirs is
/// a filter; `name__contains` and its like are Keystone's inexact ones.
pub(super) fn answer(
    app: &App,
    page: &Page,
    params: &Params,
    plural: &str,
    items: Vec<Value>,
) -> Result<Json<Value>, Error> {
    let mut kept = items;
    for (key, wanted) in params.iter() {
        match key {
            "limit" | "marker" | "sort_key" | "sort_dir" | "sort" => {}
            "enabled" | "is_domain" => {
                let wanted = params.flag(key)?.unwrap_or(true);
                kept.retain(|item| item.get(key).is_none_or(|is| *is == Value::Bool(wanted)));
            }
            _ => {
                let (field, how) = key.split_once("__").unwrap_or((key, "exact"));
                let passes = test(how, wanted)
                    .ok_or_else(|| Error::bad_request(format!("there is no filter {key:?}")))?;
                kept.retain(|item| match item.get(field) {
                    Some(Value::String(text)) => passes(text),
                    Some(Value::Null) => false,
                    // What the items do not have is no filter, as with Keystone.
                    _ => true,
                });
            }
        }
    }
    let page = page.clone().sorted_by(&["name", "id"], ("name", Way::Up))?;
    let text = |item: &Value, key: &str| item.get(key).cloned().unwrap_or_default();
    let cut = page.cut(
        kept,
        |item| item["id"].as_str().unwrap_or_default().to_owned(),
        |item, key| text(item, key),
    )?;
    let links = page.identity_links(&app.public(""), &cut);
    let mut body = Map::new();
    body.insert("links".to_owned(), links);
    if cut.next.is_some() {
        body.insert("truncated".to_owned(), json!(true));
    }
    body.insert(plural.to_owned(), Value::Array(cut.items));
    Ok(Json(Value::Object(body)))
}

type Test = Box<dyn Fn(&str) -> bool>;

fn test(how: &str, wanted: &str) -> Option<Test> {
    let exact = wanted.to_owned();
    let lower = wanted.to_lowercase();
    Some(match how {
        "exact" => Box::new(move |text| text == exact),
        "contains" => Box::new(move |text| text.contains(&exact)),
        "startswith" => Box::new(move |text| text.starts_with(&exact)),
        "endswith" => Box::new(move |text| text.ends_with(&exact)),
        "icontains" => Box::new(move |text| text.to_lowercase().contains(&lower)),
        "istartswith" => Box::new(move |text| text.to_lowercase().starts_with(&lower)),
        "iendswith" => Box::new(move |text| text.to_lowercase().ends_with(&lower)),
        _ => return None,
    })
}
