//! A real guest: from its request to its running machine, with the image on the host already.

use anyhow::{Context, Result};
use skybus_tests::{cloud::Cloud, guest};

use crate::client::Client;

/// Milliseconds from the request's acceptance to the start of QEMU's process, boot by boot; the first,
/// which fetches the image, is not counted.
pub(crate) async fn starts(count: usize) -> Result<Vec<f64>> {
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
    let mut seen = Vec::new();
    for n in 0..=count {
        let id = client.boot(&format!("guest-{n}")).await?;
        let pause = std::time::Duration::from_millis(20);
        client.until_active(&id, pause).await?;
        let took = started(&client, &id).await?;
        if n > 0 {
            seen.push(took);
        }
        client.delete_many(&[id], 1).await?;
        client.until_gone(pause).await?;
    }
    Ok(seen)
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
