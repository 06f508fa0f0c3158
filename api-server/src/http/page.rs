//! Lists in pages: limit, marker and sorting, as the clients of each API ask for them.
//!
//! Compute, image and network spell the question nearly alike (`limit`, `marker`, `sort_key`,
//! `sort_dir`; the image API also `sort=name:asc`), and the link to the next page each in its own way.

use std::cmp::Ordering;

use axum::extract::FromRequestParts;
use http::{Uri, request::Parts};
use serde_json::{Value, json};

use super::{Error, Params, Query};

/// The longest page; who asks for more gets this many and a link to the rest.
pub const MOST: usize = 1000;

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Smallest first.
    Up,
    /// Largest first.
    Down,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub struct Page {
    /// The most items.
    pub limit: usize,
    /// The id of the item that the page begins after.
    pub marker: Option<String>,
    /// By what to sort, most important first. Empty when nothing was asked.
    pub sort: Vec<(String, Way)>,
    /// Whether the page ends before the marker instead (the Network API's `page_reverse`).
    pub reverse: bool,
    uri: Uri,
    params: Params,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Cut<T> {
    /// The items.
    pub items: Vec<T>,
    /// The marker for the next page, when there is one.
    pub next: Option<String>,
    /// The marker for the page before, when this is not the first.
    pub previous: Option<String>,
}

impl<T> Cut<T> {
    /// The same page of other items, each made of the one that stood there.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Cut<U> {
        Cut {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
            previous: self.previous,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let Query(pairs) = Query::from_request_parts(parts, state).await?;
        let params = Params::new(pairs);
        // Below a nested router only this still has the whole path.
        let uri = parts
            .extensions
            .get::<axum::extract::OriginalUri>()
            .map(|uri| uri.0.clone());
        Self::new(uri.unwrap_or_else(|| parts.uri.clone()), params)
    }
}

impl Page {
    /// Reads the question out of a query.
    ///
    /// # Errors
    /// 400 when the limit is not a count or a direction is not one.
    pub fn new(uri: Uri, params: Params) -> Result<Self, Error> {
        let limit = match params.one("limit") {
            None => MOST,
            Some(text) => match text.parse::<usize>() {
                // Nought means "as many as there are".
                Ok(0) => MOST,
                Ok(limit) => limit.min(MOST),
                Err(_) => {
                    return Err(Error::bad_request(format!(
                        "invalid value {text:?} for limit: it must be a whole number, 0 or more"
                    )));
                }
            },
        };
        Ok(Self {
            limit,
            marker: params
                .one("marker")
                .filter(|marker| !marker.is_empty())
                .map(str::to_owned),
            sort: sorting(&params, Way::Down)?,
            reverse: params.flag("page_reverse")?.unwrap_or(false),
            uri,
            params,
        })
    }

    /// A key that was given without a direction is sorted by this way; downwards where this is not called.
    ///
    /// # Errors
    /// None that reading the question did not have.
    pub fn unless_said(mut self, way: Way) -> Result<Self, Error> {
        self.sort = sorting(&self.params, way)?;
        Ok(self)
    }

    /// Refuses keys that the list cannot be sorted by, and sets what holds when nothing was asked.
    ///
    /// # Errors
    /// 400 that names the keys that can be used.
    pub fn sorted_by(mut self, keys: &[&str], default: (&str, Way)) -> Result<Self, Error> {
        for (key, _) in &self.sort {
            if !keys.contains(&key.as_str()) {
                return Err(Error::bad_request(format!(
                    "the list cannot be sorted by {key:?}; use one of {}",
                    keys.join(", ")
                )));
            }
        }
        if self.sort.is_empty() {
            self.sort.push((default.0.to_owned(), default.1));
        }
        Ok(self)
    }

    /// Sorts the whole list and cuts this page out of it. `field` gives what an item has under a sort
    /// key; items that are alike there are ordered by id, so that pages never overlap.
    ///
    /// # Errors
    /// 400 when no item has the marker's id.
    pub fn cut<T>(
        &self,
        mut items: Vec<T>,
        id: impl Fn(&T) -> String,
        field: impl Fn(&T, &str) -> Value,
    ) -> Result<Cut<T>, Error> {
        items.sort_by(|a, b| {
            for (key, way) in &self.sort {
                let order = compare(&field(a, key), &field(b, key));
                let order = if *way == Way::Down {
                    order.reverse()
                } else {
                    order
                };
                if order != Ordering::Equal {
                    return order;
                }
            }
            id(a).cmp(&id(b))
        });
        let at = match &self.marker {
            None => None,
            Some(marker) => {
                let at = items.iter().position(|item| id(item) == *marker);
                Some(at.ok_or_else(|| {
                    Error::bad_request(format!(
                        "no item of this list has the marker's id {marker:?}"
                    ))
                })?)
            }
        };
        let count = items.len();
        let (from, to) = match (at, self.reverse) {
            (Some(at), true) => (at.saturating_sub(self.limit), at),
            (None, true) => (count.saturating_sub(self.limit), count),
            (at, false) => {
                let from = at.map_or(0, |at| at + 1);
                (from, count.min(from + self.limit))
            }
        };
        let items: Vec<T> = items.drain(from..to).collect();
        Ok(Cut {
            next: (to < count).then(|| items.last().map(&id)).flatten(),
            previous: (from > 0).then(|| items.first().map(&id)).flatten(),
            items,
        })
    }

    /// The path and query of the page that begins after `marker`.
    #[must_use]
    pub fn path_after(&self, marker: &str) -> String {
        self.path_with(marker, false)
    }

    /// The links of a Compute or Network list (`servers_links`), below `base`, the public address
    /// without a path. Nothing when the list ends here.
    #[must_use]
    pub fn links<T>(&self, base: &str, cut: &Cut<T>) -> Option<Value> {
        let mut links = Vec::new();
        if let Some(next) = &cut.next {
            links
                .push(json!({ "rel": "next", "href": format!("{base}{}", self.path_after(next)) }));
        }
        if let (true, Some(before)) = (self.params.has("page_reverse"), &cut.previous) {
            let href = format!("{base}{}", self.path_with(before, true));
            links.push(json!({ "rel": "previous", "href": href }));
        }
        (!links.is_empty()).then_some(Value::Array(links))
    }

    /// The `links` of an Identity list.
    #[must_use]
    pub fn identity_links<T>(&self, base: &str, cut: &Cut<T>) -> Value {
        let own = self.uri.path_and_query().map_or("/", |path| path.as_str());
        json!({
            "self": format!("{base}{own}"),
            "previous": null,
            "next": cut.next.as_ref().map(|next| format!("{base}{}", self.path_after(next))),
        })
    }

    /// The path, with query, of the list's first page (the Image API's `first`).
    #[must_use]
    pub fn first_path(&self) -> String {
        self.path_of(self.params.iter().filter(|(key, _)| *key != "marker"))
    }

    fn path_with(&self, marker: &str, reverse: bool) -> String {
        let kept = self
            .params
            .iter()
            .filter(|(k, _)| !matches!(*k, "marker" | "page_reverse"));
        let turn = reverse.then_some(("page_reverse", "True"));
        self.path_of(kept.chain(turn).chain([("marker", marker)]))
    }

    fn path_of<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let query: Vec<String> = pairs
            .map(|(key, value)| format!("{}={}", escape(key), escape(value)))
            .collect();
        match query.is_empty() {
            true => self.uri.path().to_owned(),
            false => format!("{}?{}", self.uri.path(), query.join("&")),
        }
    }
}

fn sorting(params: &Params, unsaid: Way) -> Result<Vec<(String, Way)>, Error> {
    let way = |text: &str| match text {
        "asc" => Ok(Way::Up),
        "desc" => Ok(Way::Down),
        _ => Err(Error::bad_request(format!(
            "invalid value {text:?} for the sort direction: use asc or desc"
        ))),
    };
    if let Some(sort) = params.one("sort") {
        return sort
            .split(',')
            .map(|one| match one.split_once(':') {
                Some((key, direction)) => Ok((key.to_owned(), way(direction)?)),
                None => Ok((one.to_owned(), unsaid)),
            })
            .collect();
    }
    let mut ways = params.all("sort_dir");
    let mut last = None;
    params
        .all("sort_key")
        .map(|key| {
            last = ways.next().map(way).transpose()?.or(last);
            Ok((key.to_owned(), last.unwrap_or(unsaid)))
        })
        .collect()
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Number(a), Value::Number(b)) => a
            .as_f64()
            .unwrap_or_default()
            .total_cmp(&b.as_f64().unwrap_or_default()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

/// Percent-encodes what is not safe in a query.
fn escape(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    out.push(char::from(byte));
                }
                other => out.push_str(&format!("%{other:02X}")),
            }
            out
        })
}

#[cfg(test)]
mod tests;
