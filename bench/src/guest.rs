//! Real guests: from a request to its running machine, with the image on the host already.

use std::time::Duration;

use anyhow::{Context, Result};
use skybus_tests::{cloud::Cloud, guest};

use crate::client::Client;

/// Milliseconds from the requests' acceptance to the start of QEMU's process.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    /// Of guests on a network that others on this host have made.
    pub(crate) further: Vec<f64>,
    /// Of guests for which their network is made.
    pub(crate) first: Vec<f64>,
}

/// Boots two guests after each other, deletes both, and that again and again; those of the first round, for
/// which the image is fetched, are not counted.
pub(crate) async fn starts(count: usize) -> Result<Starts> {
    let image = guest::image()?.display().to_string();
    let cloud = Cloud::with_real_guests()?;
    let create = [
        "image-create",
        "small",
        "--file",
        &image,
        "--disk-format",
        "qcow2",
    ];
    cloud.skybus(&create)?.ok()?;
    cloud.skybus(&["flavor-create", "tiny", "1", "128", "0", "1"])?;
    let client = Client::of(&cloud).await?;
    let mut starts = Starts::default();
    for round in 0..=count {
        let (one, first) = start(&client).await?;
        let (other, further) = start(&client).await?;
        if round > 0 {
            starts.first.push(first);
            starts.further.push(further);
        }
        client.delete_many(&[one, other], 2).await?;
        client.until_gone(PAUSE).await?;
    }
    Ok(starts)
}

const PAUSE: Duration = Duration::from_millis(20);

/// Boots a guest; its id, and how long its machine took.
async fn start(client: &Client) -> Result<(String, f64)> {
    let id = client.boot("guest").await?;
    client.until_active(&id, PAUSE).await?;
    let took = started(client, &id).await?;
    Ok((id, took))
}

async fn started(client: &Client, id: &str) -> Result<f64> {
    let trace = client
        .get(&format!("/skybus/v1/servers/{id}/trace"))
        .await?;
    let hops = trace["trace"]["operations"][0]["hops"].as_array();
    let hops = hops.context("the boot left no trace")?;
    let at = |what: &str| {
        hops.iter()
            .find(|hop| hop["what"] == what)
            .and_then(|hop| hop["at_us"].as_f64())
            .with_context(|| format!("the trace lacks {what:?}"))
    };
    Ok((at("qemu started")? - at("accepted")?) / 1000.0)
}
