//! Reading typed values out of text columns.

use std::{ops::RangeInclusive, str::FromStr};

use serde::de::DeserializeOwned;
use skybus_model::Timestamp;
use sqlx::{Row, any::AnyRow};

use crate::{Error, Result};

/// Typed reading of a row's columns.
pub trait Columns {
    /// A text column.
    ///
    /// # Errors
    /// [`Error::Broken`] when there is no such column or it is of another type.
    fn text(&self, column: &'static str) -> Result<String>;
    /// A text column that may be NULL.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>>;
    /// A whole number.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn number(&self, column: &'static str) -> Result<i64>;
    /// A whole number that may be NULL.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn maybe_number(&self, column: &'static str) -> Result<Option<i64>>;

    /// A flag kept as 0 or 1.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn flag(&self, column: &'static str) -> Result<bool> {
        Ok(self.number(column)? != 0)
    }

    /// A moment.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn time(&self, column: &'static str) -> Result<Timestamp> {
        Ok(Timestamp(self.number(column)?))
    }

    /// A moment that may be NULL.
    ///
    /// # Errors
    /// As [`Columns::text`].
    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_number(column)?.map(Timestamp))
    }

    /// A value kept as its word: an id, a state, a name.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when the word is unknown.
    fn word<T: FromStr>(&self, column: &'static str) -> Result<T> {
        let text = self.text(column)?;
        text.parse().map_err(|_| unreadable(column, &text))
    }

    /// A value kept as its word, that may be NULL.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when the word is unknown.
    fn maybe_word<T: FromStr>(&self, column: &'static str) -> Result<Option<T>> {
        self.maybe_text(column)?
            .map(|text| text.parse().map_err(|_| unreadable(column, &text)))
            .transpose()
    }

    /// A value kept as JSON.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is not of that shape.
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|_| unreadable(column, &text))
    }

    /// A value kept as JSON, that may be NULL.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is not of that shape.
    fn maybe_json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        self.maybe_text(column)?
            .map(|text| serde_json::from_str(&text).map_err(|_| unreadable(column, &text)))
            .transpose()
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }
    fn maybe_text(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }
    fn number(&self, column: &'static str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }
    fn maybe_number(&self, column: &'static str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }
}

fn unreadable(column: &'static str, value: &str) -> Error {
    Error::Unreadable {
        column,
        value: value.chars().take(80).collect(),
    }
}

/// The places of values in a list: `$1, $2, $3`. Numbered by hand: sqlx's own builder writes `?`, which
/// PostgreSQL does not read.
pub(crate) fn places(numbers: RangeInclusive<usize>) -> String {
    let places: Vec<String> = numbers.map(|n| format!("${n}")).collect();
    places.join(", ")
}

/// A value as JSON text, for a column.
#[must_use]
pub fn to_json<T: serde::Serialize>(value: &T) -> String {
    #[allow(
        clippy::expect_used,
        reason = "what is kept are plain structs with string keys; serde_json cannot fail on them"
    )]
    serde_json::to_string(value).expect("a kept value is plain data")
}
