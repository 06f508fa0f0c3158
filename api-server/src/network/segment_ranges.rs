//! The ranges that VLANs and VXLANs of projects' networks come out of, for administrators.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};
use skybus_model::{
    id::{ProjectId, SegmentRangeId},
    segment::{NotASegment, PhysicalNetwork, SegmentKind},
};
use skybus_store::networks::segments::{
    self, NewRange, Range,
    ranges::{self, Used},
};

use super::{
    body::{Body, wrong},
    listing::{self, in_words},
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Once, Page, Params, Path},
};

/// So many free numbers of a range are listed; VXLANs have millions.
const MOST_AVAILABLE: usize = 4096;
const NOUN: &str = "network_segment_range";

fn view(range: &Range, used: &[Used]) -> Value {
    let used: BTreeMap<u32, ProjectId> = used
        .iter()
        .filter(|used| used.range == range.id)
        .map(|used| (used.number, used.project))
        .collect();
    let available: Vec<u32> = (range.minimum..=range.maximum)
        .filter(|number| !used.contains_key(number))
        .take(MOST_AVAILABLE)
        .collect();
    json!({
        "id": range.id,
        "name": range.name,
        "description": range.description,
        "default": false,
        "shared": range.project.is_none(),
        "project_id": range.project,
        "tenant_id": range.project,
        "network_type": range.kind,
        "physical_network": range.physical,
        "minimum": range.minimum,
        "maximum": range.maximum,
        "used": used,
        "available": available,
        "tags": [],
        "created_at": range.created_at.iso_seconds(),
        "updated_at": range.updated_at.iso_seconds(),
    })
}

async fn seen(app: &App, id: SegmentRangeId) -> Result<Range, Error> {
    match ranges::get(app.store.pool(), id).await {
        Err(skybus_store::Error::NotFound(_)) => Err(Error::not_found("network segment range", id)),
        other => Ok(other?),
    }
}

async fn shown(app: &App, id: SegmentRangeId) -> Result<Value, Error> {
    let range = seen(app, id).await?;
    Ok(view(
        &range,
        &ranges::used(app.store.pool(), Some(id)).await?,
    ))
}

/// Lists ranges.
pub(super) async fn list(
    State(app): State<App>,
    page: Page,
    params: Params,
) -> Result<Json<Value>, Error> {
    let ranges = ranges::list(app.store.pool()).await?;
    let used = ranges::used(app.store.pool(), None).await?;
    let items = ranges.iter().map(|range| view(range, &used)).collect();
    listing::page(&app, "network_segment_ranges", items, page, &params)
}

/// Shows a range.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<SegmentRangeId>,
    params: Params,
) -> Result<Json<Value>, Error> {
    Ok(listing::one(NOUN, shown(&app, id).await?, &params))
}

/// Makes a range.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let mut body = Body::open(NOUN, body)?;
    let project = project(&mut body, &auth)?;
    let kind = kind(&mut body)?;
    let physical = physical(&mut body, kind)?;
    let (minimum, maximum) = (number(&mut body, "minimum")?, number(&mut body, "maximum")?);
    let missing = |key| Error::bad_request(format!("a {NOUN} needs a {key}"));
    let new = NewRange {
        name: body.text("name")?.unwrap_or_default(),
        description: body.text("description")?.unwrap_or_default(),
        kind,
        physical,
        minimum: minimum.ok_or_else(|| missing("minimum"))?,
        maximum: maximum.ok_or_else(|| missing("maximum"))?,
        project,
    };
    take_default(&mut body)?;
    body.done()?;
    fits(kind, new.minimum, new.maximum)?;
    let mut tx = app.store.begin().await?;
    let range = ranges::create(&mut tx, new)
        .await
        .map_err(|error| in_words(error, "NetworkSegmentRangeOverlaps"))?;
    let used = ranges::used(tx.conn(), Some(range.id)).await?;
    let body = json!({ NOUN: view(&range, &used) });
    let response = once
        .record(&mut tx, StatusCode::CREATED, None, &body)
        .await?;
    tx.commit().await?;
    Ok(response)
}

/// Renames a range, or sets where it begins and ends.
pub(super) async fn update(
    State(app): State<App>,
    Path(id): Path<SegmentRangeId>,
    params: Params,
    Json(body): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let mut range = seen(&app, id).await?;
    let mut body = Body::open(NOUN, body)?;
    let fixed = "a range keeps it; make another range";
    body.only("network_type", &[json!(range.kind)], fixed)?;
    body.only("physical_network", &[json!(range.physical)], fixed)?;
    body.only("shared", &[json!(range.project.is_none())], fixed)?;
    body.only("project_id", &[json!(range.project)], fixed)?;
    body.only("tenant_id", &[json!(range.project)], fixed)?;
    take_default(&mut body)?;
    range.name = body.text("name")?.unwrap_or(range.name);
    range.description = body.text("description")?.unwrap_or(range.description);
    range.minimum = number(&mut body, "minimum")?.unwrap_or(range.minimum);
    range.maximum = number(&mut body, "maximum")?.unwrap_or(range.maximum);
    body.done()?;
    fits(range.kind, range.minimum, range.maximum)?;
    let mut tx = app.store.begin().await?;
    ranges::update(&mut tx, &range)
        .await
        .map_err(|error| in_words(error, "NetworkSegmentRangeReferencedByProject"))?;
    tx.commit().await?;
    Ok(listing::one(NOUN, shown(&app, id).await?, &params))
}

/// Deletes a range of which no network has a number.
pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<SegmentRangeId>,
) -> Result<StatusCode, Error> {
    seen(&app, id).await?;
    let mut tx = app.store.begin().await?;
    ranges::delete(&mut tx, id)
        .await
        .map_err(|error| in_words(error, "NetworkSegmentRangeReferencedByProject"))?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes `shared`, and for a range that is not the project that may use it.
fn project(body: &mut Body, auth: &Auth) -> Result<Option<ProjectId>, Error> {
    if !body.flag("shared")?.unwrap_or(true) {
        return body.project(auth).map(Some);
    }
    for key in ["project_id", "tenant_id"] {
        body.only(key, &[], "a shared range is every project's; leave it out")?;
    }
    Ok(None)
}

fn kind(body: &mut Body) -> Result<SegmentKind, Error> {
    let value = body.value("network_type").unwrap_or(Value::Null);
    match value.as_str() {
        Some("vlan") => Ok(SegmentKind::Vlan),
        Some("vxlan") => Ok(SegmentKind::Vxlan),
        _ => Err(wrong("network_type", &value, "it must be vlan or vxlan")),
    }
}

fn physical(body: &mut Body, kind: SegmentKind) -> Result<Option<PhysicalNetwork>, Error> {
    let physical = body.word::<PhysicalNetwork>("physical_network")?;
    match (kind, &physical) {
        (SegmentKind::Vlan, None) => Err(Error::bad_request(
            "a range of VLANs needs the physical_network that they are of",
        )),
        (SegmentKind::Vxlan, Some(_)) => Err(Error::bad_request(
            "VXLANs are of no physical network; leave physical_network out",
        )),
        _ => Ok(physical),
    }
}

fn number(body: &mut Body, key: &'static str) -> Result<Option<u32>, Error> {
    let Some(number) = body.number(key)? else {
        return Ok(None);
    };
    let small = u32::try_from(number).map(Some);
    small.map_err(|_| wrong(key, &json!(number), "no segment has this number"))
}

/// Takes what only ranges of a configuration file could be.
fn take_default(body: &mut Body) -> Result<(), Error> {
    let no = [json!(false), json!("False"), json!("false")];
    body.only("default", &no, "all ranges are made by administrators")
}

/// Whether both ends are numbers of this kind, in order.
fn fits(kind: SegmentKind, minimum: u32, maximum: u32) -> Result<(), Error> {
    for (key, number) in [("minimum", minimum), ("maximum", maximum)] {
        let segment = segments::of_parts(kind, "any", i64::from(number));
        segment.map_err(|why: NotASegment| wrong(key, &json!(number), why))?;
    }
    if minimum > maximum {
        let why = format!("the range would begin after its end, {maximum}");
        return Err(wrong("minimum", &json!(minimum), why));
    }
    Ok(())
}
