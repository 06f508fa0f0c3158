//! The events as a list: what a subscriber missed.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skybus_store::events::{self, Event};

use super::{Wanted, gone, view};
use crate::{
    app::App,
    http::{Error, Json, Params},
};

/// The most events of one answer.
const MOST: i64 = 1000;

/// `?after=SEQ&limit=N`: oldest first. The next question is about what comes after `last`. Without `after`, or
/// with 0, it begins with the oldest that there is; after another number that is gone, it is refused.
pub(super) async fn list(
    app: &App,
    wanted: &Wanted,
    after: Option<i64>,
    params: &Params,
) -> Result<Response, Error> {
    let limit: i64 = params.parse("limit")?.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::bad_request(format!(
            "limit must be from 1 to {MOST}"
        )));
    }
    let after = after.unwrap_or(0);
    let found = events::after(&app.store, after, wanted.project, limit).await?;
    // Asked after the rows, so that nothing can have been removed between the two.
    let oldest = events::removed(&app.store).await? + 1;
    if after > 0 && after + 1 < oldest {
        return Err(gone(after, oldest));
    }
    // The numbers go on with what was looked at, so that a quiet server's list does not stand still.
    let last = found.last().map_or(after, |event| event.seq);
    let shown: Vec<Value> = found
        .iter()
        .filter(|event: &&Event| wanted.takes(event))
        .map(|event| view::event(event, wanted.operator))
        .collect();
    Ok(Json(json!({ "events": shown, "last": last, "oldest": oldest })).into_response())
}
