//! What a client sends: one object, taken apart key by key, so that what is left over is refused.
//!
//! Silently leaving out what somebody asked for (no port security, another gateway) would be worse than
//! a refusal.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value};
use skybus_model::id::ProjectId;

use crate::http::{Auth, Error};

/// The longest name or description.
const MOST_TEXT: usize = 255;

/// The object of a request, of which keys are taken.
#[derive(Debug)]
pub(super) struct Body {
    noun: &'static str,
    rest: Map<String, Value>,
}

impl Body {
    /// The object under `noun` in a request's body.
    pub(super) fn open(noun: &'static str, mut whole: Map<String, Value>) -> Result<Self, Error> {
        match whole.remove(noun) {
            Some(Value::Object(rest)) => Ok(Self { noun, rest }),
            _ => Err(Error::bad_request(format!(
                "the body must be an object {{\"{noun}\": {{…}}}}; requests for several at once are \
                 not built yet"
            ))),
        }
    }

    /// The value of a key, if it was sent.
    pub(super) fn value(&mut self, key: &str) -> Option<Value> {
        self.rest.remove(key)
    }

    /// Whether a key was sent with a value.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.rest.get(key).is_some_and(|value| !value.is_null())
    }

    /// A text of at most 255 characters.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.rest.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= MOST_TEXT => Ok(Some(text)),
            Some(other) => Err(wrong(
                key,
                &other,
                format!("it must be a string of at most {MOST_TEXT} characters"),
            )),
        }
    }

    /// A yes or no.
    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, Error> {
        match self.rest.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(other) => Err(wrong(key, &other, "it must be true or false")),
        }
    }

    /// A whole number, also written as a string.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<i64>, Error> {
        match self.rest.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value
                    .as_i64()
                    .or_else(|| value.as_str()?.trim().parse().ok());
                number
                    .map(Some)
                    .ok_or_else(|| wrong(key, &value, "it must be a whole number"))
            }
        }
    }

    /// A value that is written as a string: an id, an address.
    pub(super) fn word<T>(&mut self, key: &str) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match self.rest.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read_word(key, &value).map(Some),
        }
    }

    /// A list of values that are written as strings.
    pub(super) fn words<T>(&mut self, key: &str) -> Result<Option<Vec<T>>, Error>
    where
        T: FromStr<Err: fmt::Display>,
    {
        match self.rest.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) => list
                .iter()
                .map(|value| read_word(key, value))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(other) => Err(wrong(key, &other, "it must be a list")),
        }
    }

    /// The project that the new thing will belong to: the caller's, or any for an administrator.
    pub(super) fn project(&mut self, auth: &Auth) -> Result<ProjectId, Error> {
        let own = auth.project()?;
        let tenant = self.word::<ProjectId>("tenant_id")?;
        let wanted = self
            .word::<ProjectId>("project_id")?
            .or(tenant)
            .unwrap_or(own);
        if wanted != own && !auth.is_admin() {
            return Err(Error::forbidden(
                "only an administrator can make things for another project",
            ));
        }
        Ok(wanted)
    }

    /// Takes a key that may only have this value here.
    pub(super) fn only(&mut self, key: &str, allowed: &[Value], why: &str) -> Result<(), Error> {
        match self.rest.remove(key) {
            Some(value) if !value.is_null() && !allowed.contains(&value) => {
                Err(wrong(key, &value, why))
            }
            _ => Ok(()),
        }
    }

    /// The end: nothing may be left over.
    pub(super) fn done(self) -> Result<(), Error> {
        let left: Vec<&str> = self.rest.keys().map(String::as_str).take(10).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(Error::bad_request(format!(
            "a {} has no attribute that can be set here by the name of {}",
            self.noun,
            left.join(", ")
        )))
    }
}

fn read_word<T: FromStr<Err: fmt::Display>>(key: &str, value: &Value) -> Result<T, Error> {
    let text = value
        .as_str()
        .ok_or_else(|| wrong(key, value, "it must be a string"))?;
    text.parse().map_err(|error| wrong(key, value, error))
}

/// 400: this value does not fit this key.
pub(super) fn wrong(key: &str, value: &Value, why: impl fmt::Display) -> Error {
    let shown: String = value.to_string().chars().take(120).collect();
    Error::bad_request(format!("Invalid input for {key}: {shown}: {why}"))
}
