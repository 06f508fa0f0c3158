//! Reads request bodies field by field, so that a refusal names the field and says what is allowed.
//!
//! Deriving the bodies with serde would be shorter, but its messages speak of Rust types and stop at
//! offsets; the callers of these APIs are people with a client that shows them one line.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::http::Error;

/// A field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid input for field {field}: {why}")]
pub(crate) struct Invalid {
    /// The path of the field: `server.metadata.k`.
    pub(crate) field: String,
    /// What was wrong and what is allowed.
    pub(crate) why: String,
}

impl Invalid {
    /// The refusal of one field.
    pub(crate) fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            why: why.into(),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

/// A JSON object and the path at which it stands in the body.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The object below the one key `name` of a body, as in `{"server": {…}}`.
    pub(crate) fn of(body: &'a Value, name: &str) -> Result<Self, Invalid> {
        let map = body
            .as_object()
            .ok_or_else(|| Invalid::new("body", format!("it must be an object with {name:?}")))?;
        let inner = map
            .get(name)
            .ok_or_else(|| Invalid::new(name, "it is required and was not given"))?;
        Self::object(name, inner)
    }

    /// The whole body as an object.
    pub(crate) fn whole(body: &'a Value) -> Result<Self, Invalid> {
        Self::object("", body)
    }

    /// `value` as an object that stands at `path`.
    pub(crate) fn object(path: &str, value: &'a Value) -> Result<Self, Invalid> {
        match value.as_object() {
            Some(map) => Ok(Self {
                path: path.to_owned(),
                map,
            }),
            None => Err(Invalid::new(
                if path.is_empty() { "body" } else { path },
                format!("it must be an object, not {}", kind(value)),
            )),
        }
    }

    /// The path of one of its fields.
    pub(crate) fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Refuses every field that is not in `allowed`.
    pub(crate) fn only(&self, allowed: &[&str]) -> Result<(), Invalid> {
        match self.map.keys().find(|key| !allowed.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let key: String = key.chars().take(80).collect();
                Err(Invalid::new(
                    self.at(&key),
                    format!(
                        "no such field is known here; known are {}",
                        allowed.join(", ")
                    ),
                ))
            }
        }
    }

    /// Every field.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    /// The bare value; `None` when absent or null.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether the field was given, if only as null.
    pub(crate) fn given(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// A text of so many characters; `None` when absent or null.
    pub(crate) fn text(
        &self,
        key: &str,
        length: RangeInclusive<usize>,
    ) -> Result<Option<&'a str>, Invalid> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or_else(|| {
            Invalid::new(
                self.at(key),
                format!("it must be a text, not {}", kind(value)),
            )
        })?;
        checked_length(&self.at(key), text, length).map(Some)
    }

    /// A text that must be there.
    pub(crate) fn required_text(
        &self,
        key: &str,
        length: RangeInclusive<usize>,
    ) -> Result<&'a str, Invalid> {
        self.text(key, length)?.ok_or_else(|| self.missing(key))
    }

    /// The refusal of a body in which `key` is missing.
    pub(crate) fn missing(&self, key: &str) -> Invalid {
        Invalid::new(self.at(key), "it is required and was not given")
    }

    /// A whole number within `range`, also as a text, as OpenStack's clients send them.
    pub(crate) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Invalid> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = value
            .as_i64()
            .or_else(|| value.as_str().and_then(|t| t.trim().parse().ok()));
        match number {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(Invalid::new(
                self.at(key),
                format!(
                    "{} was given; it must be a whole number from {} to {}",
                    shown(value),
                    range.start(),
                    range.end()
                ),
            )),
        }
    }

    /// A yes or no: a JSON boolean or one of the words that OpenStack's clients send.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Invalid> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let word = match value {
            Value::Bool(flag) => return Ok(Some(*flag)),
            Value::String(word) => word.to_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        match flag_word(&word) {
            Some(flag) => Ok(Some(flag)),
            None => Err(Invalid::new(
                self.at(key),
                format!("{} was given; it must be true or false", shown(value)),
            )),
        }
    }

    /// One of `words`, exactly.
    pub(crate) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, Invalid> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.as_str().filter(|word| words.contains(word)) {
            Some(word) => Ok(Some(word)),
            None => Err(Invalid::new(
                self.at(key),
                format!(
                    "{} was given; it must be one of {}",
                    shown(value),
                    words.join(", ")
                ),
            )),
        }
    }

    /// A list of at most `most` elements; `None` when absent or null.
    pub(crate) fn list(&self, key: &str, most: usize) -> Result<Option<&'a [Value]>, Invalid> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match value.as_array() {
            Some(list) if list.len() <= most => Ok(Some(list)),
            Some(list) => Err(Invalid::new(
                self.at(key),
                format!("it has {} elements; at most {most} are allowed", list.len()),
            )),
            None => Err(Invalid::new(
                self.at(key),
                format!("it must be a list, not {}", kind(value)),
            )),
        }
    }

    /// An object below this one; `None` when absent or null.
    pub(crate) fn inner(&self, key: &str) -> Result<Option<Self>, Invalid> {
        self.value(key)
            .map(|value| Self::object(&self.at(key), value))
            .transpose()
    }
}

/// `text` when it has so many characters.
pub(crate) fn checked_length<'a>(
    field: &str,
    text: &'a str,
    length: RangeInclusive<usize>,
) -> Result<&'a str, Invalid> {
    let count = text.chars().count();
    if length.contains(&count) {
        return Ok(text);
    }
    let (least, most) = (length.start(), length.end());
    Err(Invalid::new(
        field,
        format!("it has {count} characters; {least} to {most} are allowed"),
    ))
}

/// A name for people: no blanks at its ends, nothing that cannot be printed.
pub(crate) fn checked_name<'a>(field: &str, name: &'a str) -> Result<&'a str, Invalid> {
    if name.trim().is_empty() {
        return Err(Invalid::new(field, "a name of blanks alone is not allowed"));
    }
    if name.trim() != name {
        return Err(Invalid::new(
            field,
            "a name must not begin or end with a blank",
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Invalid::new(
            field,
            "a name must not have control characters",
        ));
    }
    Ok(name)
}

/// The words that OpenStack's clients send for yes and no.
pub(crate) fn flag_word(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// What kind of JSON a value is, in words.
pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The value itself, short enough for a message.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_names_the_field_and_what_is_allowed() {
        let body = json!({"server": {"name": 7, "min_count": "x", "config_drive": "maybe"}});
        let fields = Fields::of(&body, "server").unwrap();
        let name = fields.text("name", 1..=255).unwrap_err().to_string();
        assert_eq!(
            name,
            "Invalid input for field server.name: it must be a text, not a number"
        );
        let count = fields.integer("min_count", 1..=9).unwrap_err().to_string();
        assert!(
            count.contains("server.min_count") && count.contains("from 1 to 9"),
            "{count}"
        );
        assert!(fields.flag("config_drive").is_err());
        assert!(
            fields
                .only(&["name"])
                .unwrap_err()
                .to_string()
                .contains("known are name")
        );
    }

    #[test]
    fn numbers_and_flags_may_come_as_texts() {
        let body = json!({"count": "3", "drive": "True", "none": null});
        let fields = Fields::whole(&body).unwrap();
        assert_eq!(fields.integer("count", 1..=5), Ok(Some(3)));
        assert_eq!(fields.flag("drive"), Ok(Some(true)));
        assert_eq!(fields.text("none", 0..=1), Ok(None));
    }

    #[test]
    fn names_are_for_people() {
        for bad in ["", " ", " a", "a ", "a\nb", "a\u{0}b"] {
            assert!(checked_name("name", bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(checked_name("name", "web 1 ä"), Ok("web 1 ä"));
    }
}
