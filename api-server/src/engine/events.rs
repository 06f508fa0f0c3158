//! Recording what agents report. A delivery is acknowledged once what it says is committed, or known.

use skybus_bus::{Delivery, Verdict};
use skybus_model::{
    HostName, Timestamp,
    message::{
        Message,
        event::{ComputeInventory, NetworkInventory, PortReport, ServerReport},
    },
};
use skybus_store::{
    Error,
    lifecycle::{
        inventory,
        reported::{self, Outcome},
    },
    machines, strays,
};

use super::Engine;

/// Records one event.
pub async fn record(engine: &Engine, delivery: Delivery) -> Verdict {
    let Some(sender) = delivery
        .host()
        .and_then(|host| host.parse::<HostName>().ok())
    else {
        return Verdict::Reject("its routing key names no host".to_owned());
    };
    let done = match (delivery.name(), first_word(&delivery.routing_key)) {
        (ServerReport::NAME, "compute") => server(engine, &delivery, &sender).await,
        (PortReport::NAME, "network") => port(engine, &delivery, &sender).await,
        (ComputeInventory::NAME, "compute") => servers_of(engine, &delivery, &sender).await,
        (NetworkInventory::NAME, "network") => ports_of(engine, &delivery, &sender).await,
        _ => return Verdict::Reject(format!("no API server reads {:?} here", delivery.kind)),
    };
    match done {
        Ok(outcome) => {
            if outcome == Outcome::NotTheirs {
                tracing::warn!(%sender, kind = delivery.kind, "reports what is not its own");
            }
            metrics::counter!("skybus_api_events", "outcome" => word(outcome)).increment(1);
            Verdict::Ack
        }
        Err(Refused::Message(verdict)) => verdict,
        Err(Refused::Store(error)) => {
            // Not the message's fault: the database is away or gave this transaction up.
            tracing::warn!(%error, kind = delivery.kind, "an event cannot be recorded now");
            Verdict::Retry
        }
    }
}

enum Refused {
    Message(Verdict),
    Store(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<skybus_bus::DecodeError> for Refused {
    fn from(error: skybus_bus::DecodeError) -> Self {
        Self::Message(error.into())
    }
}

async fn server(
    engine: &Engine,
    delivery: &Delivery,
    sender: &HostName,
) -> Result<Outcome, Refused> {
    let report: ServerReport = delivery.decode()?;
    let mut tx = engine.store.begin().await?;
    let outcome = reported::server(&mut tx, &report, sender, &delivery.context).await?;
    engine.relay.push(tx.commit().await?);
    Ok(outcome)
}

async fn port(engine: &Engine, delivery: &Delivery, sender: &HostName) -> Result<Outcome, Refused> {
    let report: PortReport = delivery.decode()?;
    let mut tx = engine.store.begin().await?;
    let outcome = reported::port(&mut tx, &report, sender, &delivery.context).await?;
    engine.relay.push(tx.commit().await?);
    Ok(outcome)
}

/// Whether the host was removed is looked at last: its machine's row is locked after a host's and a server's, as
/// everywhere; what was done for one that is gone is rolled back.
async fn servers_of(
    engine: &Engine,
    delivery: &Delivery,
    sender: &HostName,
) -> Result<Outcome, Refused> {
    let report: ComputeInventory = delivery.decode()?;
    if report.host != *sender {
        return Ok(Outcome::NotTheirs);
    }
    if !inventory::is_credible(sender, report.order) {
        return Ok(Outcome::Incredible);
    }
    let (mut orphans, mut held) = (0, 0);
    let mut seen = Vec::new();
    for id in inventory::suspects(&engine.store, &report).await? {
        let mut tx = engine.store.begin().await?;
        let with = (&engine.key, &delivery.context);
        let repairs = inventory::server(&mut tx, id, &report, with).await?;
        if !machines::may_speak(&mut tx, sender).await? {
            return Ok(Outcome::NotTheirs);
        }
        engine.relay.push(tx.commit().await?);
        orphans += repairs.orphans;
        held += repairs.held;
        seen.extend(inventory::stray(&report, id, &repairs));
        if repairs.ensured + repairs.removed > 0 {
            tracing::info!(server = %id, host = %sender, ?repairs, "repaired");
        }
    }
    strays::remember(&engine.store, sender, &seen, Timestamp::now()).await?;
    takes_no_more(sender, held);
    if orphans > 0 {
        tracing::warn!(host = %sender, orphans, "has machines that the database does not know");
    }
    #[allow(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!("skybus_orphans", "host" => sender.to_string()).set(orphans as f64);
    Ok(Outcome::Recorded)
}

async fn ports_of(
    engine: &Engine,
    delivery: &Delivery,
    sender: &HostName,
) -> Result<Outcome, Refused> {
    let report: NetworkInventory = delivery.decode()?;
    if report.host != *sender {
        return Ok(Outcome::NotTheirs);
    }
    if !inventory::is_credible(sender, report.order) {
        return Ok(Outcome::Incredible);
    }
    let mut tx = engine.store.begin().await?;
    let repairs = inventory::ports(&mut tx, &report, &delivery.context).await?;
    if !machines::may_speak(&mut tx, sender).await? {
        return Ok(Outcome::NotTheirs);
    }
    engine.relay.push(tx.commit().await?);
    if repairs.ensured + repairs.removed > 0 {
        tracing::info!(host = %sender, ?repairs, "repaired");
    }
    takes_no_more(sender, repairs.held);
    Ok(Outcome::Recorded)
}

fn takes_no_more(host: &HostName, held: usize) {
    if held > 0 {
        tracing::warn!(%host, held, "is told of no more repairs until what waits for it in the outbox has left: \
            look at its queue, and at who has its account");
    }
}

fn first_word(key: &str) -> &str {
    key.split('.').next().unwrap_or_default()
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recorded => "recorded",
        Outcome::Old => "old",
        Outcome::NotTheirs => "not-theirs",
        Outcome::Incredible => "incredible",
    }
}
