//! Which images a list shows: the query's keys, each a condition.

use serde_json::Value;
use skybus_store::images::Image;

use super::view;
use crate::http::{Error, Params};

/// What the list takes for itself.
const NOT_FILTERS: &[&str] = &[
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "visibility",
    "member_status",
    "page_reverse",
];

/// One condition.
#[derive(Debug)]
enum Condition {
    /// The key's text is one of these.
    OneOf(String, Vec<String>),
    /// The key is this flag.
    Flag(&'static str, bool),
    /// So many bytes at least.
    SizeFrom(i64),
    /// So many bytes at most.
    SizeTo(i64),
    /// Has this tag.
    Tag(String),
    /// A time and how it must compare.
    Time(String, fn(&str, &str) -> bool, String),
}

/// All conditions of a query.
#[derive(Debug)]
pub(super) struct Filters(Vec<Condition>);

impl Filters {
    /// Reads them.
    pub(super) fn read(params: &Params) -> Result<Self, Error> {
        let mut conditions = Vec::new();
        for (key, value) in params.iter().filter(|(key, _)| !NOT_FILTERS.contains(key)) {
            conditions.push(match key {
                "protected" => Condition::Flag("protected", flag(params, key)?),
                "os_hidden" | "hidden" => Condition::Flag("os_hidden", flag(params, key)?),
                "size_min" => Condition::SizeFrom(size(params, key)?),
                "size_max" => Condition::SizeTo(size(params, key)?),
                "tag" => Condition::Tag(value.to_owned()),
                "created_at" | "updated_at" => time(key, value)?,
                "id" | "name" | "status" | "disk_format" | "container_format" => {
                    Condition::OneOf(key.to_owned(), one_of(value))
                }
                other => Condition::OneOf(other.to_owned(), vec![value.to_owned()]),
            });
        }
        // Hidden images are shown only to whoever asks for them.
        if !params.has("os_hidden") && !params.has("hidden") {
            conditions.push(Condition::Flag("os_hidden", false));
        }
        Ok(Self(conditions))
    }

    /// Whether the list shows this image.
    pub(super) fn show(&self, image: &Image) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::OneOf(key, words) => match view::field(image, key) {
                Value::String(text) => words.contains(&text),
                Value::Null => false,
                other => words.contains(&other.to_string()),
            },
            Condition::Flag(key, wanted) => view::field(image, key) == Value::Bool(*wanted),
            Condition::SizeFrom(least) => image.size.is_some_and(|size| size >= *least),
            Condition::SizeTo(most) => image.size.is_some_and(|size| size <= *most),
            Condition::Tag(tag) => image.tags.contains(tag),
            Condition::Time(key, compare, than) => view::field(image, key)
                .as_str()
                .is_some_and(|time| compare(time, than)),
        })
    }
}

fn flag(params: &Params, key: &str) -> Result<bool, Error> {
    Ok(params.flag(key)?.unwrap_or(false))
}

fn size(params: &Params, key: &str) -> Result<i64, Error> {
    Ok(params
        .parse::<u64>(key)?
        .and_then(|size| i64::try_from(size).ok())
        .unwrap_or(i64::MAX))
}

/// `in:a,b,"c,d"` or one plain value.
fn one_of(value: &str) -> Vec<String> {
    let Some(list) = value.strip_prefix("in:") else {
        return vec![value.to_owned()];
    };
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in list.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => words.push(String::new()),
            other => {
                if let Some(word) = words.last_mut() {
                    word.push(other);
                }
            }
        }
    }
    words
}

/// `gt:2026-01-01T00:00:00Z` and its like. Times of this form compare as text.
fn time(key: &str, value: &str) -> Result<Condition, Error> {
    let known = value.split_once(':').and_then(|(word, rest)| {
        let compare: fn(&str, &str) -> bool = match word {
            "gt" => |a, b| a > b,
            "gte" => |a, b| a >= b,
            "lt" => |a, b| a < b,
            "lte" => |a, b| a <= b,
            "eq" => |a, b| a == b,
            "neq" => |a, b| a != b,
            _ => return None,
        };
        Some((compare, rest))
    });
    let (compare, than) = known.unwrap_or((|a, b| a == b, value));
    let digits = than.get(..19).filter(|text| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T'))
    });
    let Some(digits) = digits else {
        return Err(Error::bad_request(format!(
            "invalid value {value:?} for {key}: write gt:2026-01-31T12:00:00Z or the like"
        )));
    };
    Ok(Condition::Time(
        key.to_owned(),
        compare,
        format!("{digits}Z"),
    ))
}
