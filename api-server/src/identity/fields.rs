//! The texts that people give to identity's things: what they may be.

use serde::{Deserialize, Deserializer};

use crate::http::Error;

/// The longest name of a user or role.
pub(super) const MOST_NAME: usize = 255;
/// The longest name of a project.
pub(super) const MOST_PROJECT_NAME: usize = 64;
const MOST_TEXT: usize = 65_535;
const MOST_PASSWORD: usize = 4096;

/// A name without the blanks around it.
pub(super) fn name(field: &str, text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > most || text.contains('\0') {
        return Err(Error::bad_request(format!(
            "invalid value for {field}: a name has 1 to {most} characters"
        )));
    }
    Ok(text.to_owned())
}

/// A text for people.
pub(super) fn text(field: &str, text: String) -> Result<String, Error> {
    if text.len() > MOST_TEXT || text.contains('\0') {
        return Err(Error::bad_request(format!(
            "invalid value for {field}: at most {MOST_TEXT} bytes and no NUL"
        )));
    }
    Ok(text)
}

/// A new password.
pub(super) fn password(field: &str, text: String) -> Result<String, Error> {
    if text.is_empty() || text.len() > MOST_PASSWORD {
        return Err(Error::bad_request(format!(
            "invalid value for {field}: a password has 1 to {MOST_PASSWORD} bytes"
        )));
    }
    Ok(text)
}

/// There is one domain: what is named must be that.
pub(super) fn domain(field: &str, id: Option<&str>) -> Result<(), Error> {
    match id {
        None | Some(skybus_store::identity::domains::DEFAULT) => Ok(()),
        Some(other) => Err(Error::bad_request(format!(
            "invalid value {other:?} for {field}: the one domain here is \"default\""
        ))),
    }
}

/// Tells a field that is null (`Some(None)`) from one that is not there (`None`).
pub(super) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
