//! `POST /skybus/v1/networks`: cuts a range of addresses into networks, which wait for their first use.

use std::net::Ipv4Addr;

use axum::{extract::State, response::Response};
use http::StatusCode;
use ipnet::Ipv4Net;
use serde::Deserialize;
use serde_json::{Value, json};
use skybus_model::segment::{PhysicalNetwork, SegmentKind};
use skybus_store::networks::cut::{self, Cut, Kind, Made};

use crate::{
    app::App,
    http::{Auth, Error, Json, Once},
    network::{MOST_DNS, for_guests},
};

/// The longest beginning of a name.
const MOST_NAME: usize = 200;

/// The body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    networks: Networks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Networks {
    name: String,
    fixed_range: Ipv4Net,
    count: u32,
    size: u32,
    kind: SegmentKind,
    #[serde(default)]
    physical: Option<PhysicalNetwork>,
    #[serde(default)]
    first: Option<u32>,
    #[serde(default)]
    dns: Vec<Ipv4Addr>,
}

/// Makes the networks, all or none. They belong to the operator's project until they are used.
pub(super) async fn create(
    State(app): State<App>,
    auth: Auth,
    once: Once,
    Json(asked): Json<Asked>,
) -> Result<Response, Error> {
    let project = auth.project()?;
    let cut = read(asked.networks)?;
    let pieces = cut
        .pieces()
        .map_err(|bad| Error::bad_request(bad.to_string()))?;
    let mut tx = app.store.begin().await?;
    let made = cut::make(&mut tx, project, &pieces, &cut.dns).await?;
    let shown: Vec<Value> = made.iter().map(view).collect();
    let response = once
        .record(
            &mut tx,
            StatusCode::CREATED,
            None,
            &json!({ "networks": shown }),
        )
        .await?;
    tx.commit().await?;
    tracing::info!(count = made.len(), range = %cut.range, operator = %auth.user, "cut into networks");
    Ok(response)
}

fn view(made: &Made) -> Value {
    let piece = &made.piece;
    json!({
        "id": made.id,
        "name": piece.name,
        "cidr": piece.cidr,
        "kind": piece.segment.kind(),
        "physical": piece.segment.physical(),
        "number": piece.segment.number(),
    })
}

fn read(asked: Networks) -> Result<Cut, Error> {
    let letters = asked.name.chars().count();
    if letters == 0 || letters > MOST_NAME {
        return Err(Error::bad_request(format!(
            "name must have between 1 and {MOST_NAME} characters; the networks' numbers follow it"
        )));
    }
    for_guests(asked.fixed_range)
        .map_err(|why| Error::bad_request(format!("fixed_range {}: {why}", asked.fixed_range)))?;
    if asked.dns.len() > MOST_DNS {
        return Err(Error::bad_request(format!(
            "dns: a subnet has at most {MOST_DNS} name servers"
        )));
    }
    Ok(Cut {
        name: asked.name,
        range: asked.fixed_range,
        count: asked.count,
        size: asked.size,
        kind: kind(asked.kind, asked.physical, asked.first)?,
        dns: asked.dns,
    })
}

fn kind(
    kind: SegmentKind,
    physical: Option<PhysicalNetwork>,
    first: Option<u32>,
) -> Result<Kind, Error> {
    let bad = |why: &str| Err(Error::bad_request(why));
    match (kind, physical, first) {
        (SegmentKind::Local, None, None) => Ok(Kind::Local),
        (SegmentKind::Local, ..) => {
            bad("local networks have neither physical nor first; leave them out")
        }
        (SegmentKind::Vlan, Some(physical), Some(first)) => Ok(Kind::Vlan(physical, first)),
        (SegmentKind::Vlan, None, _) => {
            bad("VLANs need physical, the name of the physical network that they are of")
        }
        (SegmentKind::Vxlan, None, Some(first)) => Ok(Kind::Vxlan(first)),
        (SegmentKind::Vxlan, Some(_), _) => {
            bad("VXLANs are of no physical network; leave physical out")
        }
        (SegmentKind::Vlan | SegmentKind::Vxlan, _, None) => {
            bad("first is needed: the number of the first network; the others follow it")
        }
        (SegmentKind::Flat, ..) => bad(
            "kind must be vlan, vxlan or local: a flat network has the whole of a physical network, so \
             there is only one of it; make it with the Network API",
        ),
    }
}
