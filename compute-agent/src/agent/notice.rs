//! What a guest did by itself, or what befell it: noticed, remembered, reported, in that order, and only
//! then acted on. A worker that dies in between finds everything as it was.

use std::time::Duration;

use skybus_bus::journal;
use skybus_fault::{self as fault, Point};
use skybus_model::{
    Fault, FaultCode,
    server::{Power, ServerSpec},
};

use super::{
    ledger::{Ledger, Report},
    record::{Finding, Record, find},
    steps,
};
use crate::driver::{Driver, Hops, Place, Seen};

/// So much must be free before a guest that was held for want of space may go on, GiB.
const ENOUGH: i64 = 1;

/// Looks at a server and tells what is new.
pub(super) async fn notice<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    place: &Place,
) -> Result<(), journal::Error> {
    let Some(record) = ledger
        .record(place)
        .await?
        .filter(|record| !record.is_gone())
    else {
        return Ok(());
    };
    let seen = driver.look(place).await;
    fault::hit(Point::ComputeLooked, "");
    match find(&record, &seen, driver.life()) {
        Finding::Known => {}
        Finding::Became(power, fault) => {
            let fault = match fault {
                Some(fault) if !seen.is_machine() => {
                    Some(fault.with_details(driver.last_words(place).await))
                }
                other => other,
            };
            became(ledger, place, record, power, fault, Hops::on(&place.host)).await?;
        }
        Finding::EndedWithHost => revive(driver, ledger, place, record, &seen).await?,
    }
    match seen {
        // It was kept only to be seen.
        Seen::PoweredOff => {
            let hops = Hops::on(&place.host);
            if let Err(fault) = steps::stop(driver, place, Duration::ZERO, &hops).await {
                tracing::error!(%place, %fault, "a machine that is off cannot be ended");
            }
        }
        Seen::Paused(Some(fault))
            if fault.code == FaultCode::DiskFull && driver.free(&place.host).disk_gib >= ENOUGH =>
        {
            tracing::info!(%place, "there is space again: the guest goes on");
            if let Err(fault) = driver.resume(place).await {
                tracing::error!(%place, %fault, "the guest cannot go on");
            }
        }
        _ => {}
    }
    Ok(())
}

async fn became(
    ledger: &Ledger,
    place: &Place,
    mut record: Record,
    power: Power,
    fault: Option<Fault>,
    hops: Hops,
) -> Result<(), journal::Error> {
    hops.note(&format!("seen {power}"), "by itself");
    record.power = power;
    let report = Report {
        operation: None,
        generation: record.generation,
        power,
        fault,
        hops: hops.noted(),
    };
    ledger.report(place, &record, report).await
}

/// Starts again what ended with its host.
async fn revive<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    place: &Place,
    mut record: Record,
    seen: &Seen,
) -> Result<(), journal::Error> {
    let Some(spec) = record.spec.clone() else {
        return Ok(());
    };
    let hops = Hops::on(&place.host);
    hops.note("host started again", "");
    match start(driver, place, &spec, &record, seen, &hops).await {
        Ok(()) => {
            record.life = driver.life().to_owned();
            became(ledger, place, record, Power::Running, None, hops).await
        }
        Err(fault) => became(ledger, place, record, Power::Crashed, Some(fault), hops).await,
    }
}

async fn start<D: Driver>(
    driver: &D,
    place: &Place,
    spec: &ServerSpec,
    record: &Record,
    seen: &Seen,
    hops: &Hops,
) -> Result<(), Fault> {
    if *seen == Seen::Absent {
        steps::build(driver, place, spec, hops).await?;
    }
    steps::start(driver, place, spec, record.generation, hops).await
}
