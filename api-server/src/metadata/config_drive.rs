//! What is on a server's config drive: the same documents, as a tree of paths and texts for the host
//! that makes the drive.

use std::collections::BTreeMap;

use axum::extract::{OriginalUri, State};
use serde::Deserialize;
use skybus_model::id::ServerId;

use super::{facts, facts::Facts, openstack};
use crate::{
    app::App,
    http::{Error, Json, Path, Query},
};

/// The signature of the address.
#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    expires: u64,
    signature: String,
}

/// Shows the tree to whoever has a signed address.
pub(super) async fn show(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
    Query(given): Query<Signature>,
    Path(server): Path<ServerId>,
) -> Result<Json<BTreeMap<String, String>>, Error> {
    app.paths
        .verify(uri.path(), given.expires, &given.signature)
        .map_err(|refused| Error::forbidden(refused.to_string()))?;
    Ok(Json(tree(&facts::of(&app, server).await?)))
}

fn tree(facts: &Facts) -> BTreeMap<String, String> {
    let meta_data = openstack::meta_data(facts, true).to_string();
    let network_data = openstack::network_data(facts).to_string();
    let mut tree = BTreeMap::new();
    // Guests look for the newest date that they know, and for `latest`.
    for version in openstack::VERSIONS.iter().chain(&["latest"]) {
        let mut put = |name: &str, text: String| {
            tree.insert(format!("openstack/{version}/{name}"), text);
        };
        put("meta_data.json", meta_data.clone());
        put("network_data.json", network_data.clone());
        put("vendor_data.json", "{}".to_owned());
        put("vendor_data2.json", "{}".to_owned());
        if let Some(bytes) = &facts.user_data {
            put("user_data", String::from_utf8_lossy(bytes).into_owned());
        }
    }
    tree
}
