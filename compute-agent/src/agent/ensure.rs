//! Making a server be as it is wanted.

use std::time::Duration;

use skybus_bus::journal;
use skybus_model::{
    Fault, FaultCode, Timestamp,
    message::command::ServerEnsure,
    server::{Desired, Power, Restart},
};
use tokio::time::timeout;

use super::{
    GRACE,
    ledger::{Ledger, Report, Work},
    record::{Ended, Finding, Record, Standing, find, standing},
    steps,
};
use crate::driver::{Driver, Hops, Place, Seen};

/// Fulfils a wish, or says what became of it.
pub(super) async fn ensure<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    work: &Work<'_>,
    ensure: &ServerEnsure,
) -> Result<(), journal::Error> {
    let known = ledger.record(work.place).await?;
    let now = Timestamp::now();
    match (standing(known.as_ref(), ensure, now), known) {
        (Standing::Overtaken | Standing::Answered, Some(record)) => {
            ledger.end(work, None, again(&record, ensure)).await
        }
        (Standing::Late, known) => late(driver, ledger, work, ensure, known).await,
        (_, known) => {
            let hops = Hops::on(&work.place.host);
            if known.as_ref().is_some_and(|known| known.is_begun(ensure)) {
                hops.note("taken up again", "the worker was stopped or died meanwhile");
            }
            let record = match known {
                Some(known) if !known.is_gone() => known.begin(ensure),
                // The journal was lost, but not the server: it must not be taken for half built.
                _ => Record {
                    built: driver.look(work.place).await != Seen::Absent,
                    ..Record::of(ensure)
                },
            };
            ledger.keep(work.place, &record).await?;
            fulfil(driver, ledger, work, ensure, (record, hops)).await
        }
    }
}

/// What a wish that needs no work is answered with.
fn again(record: &Record, ensure: &ServerEnsure) -> Report {
    let ended = record
        .ended
        .clone()
        .filter(|_| record.generation == ensure.generation);
    let (operation, fault, hops) = match ended {
        Some(ended) => (
            ended.operation.or(ensure.operation),
            ended.fault,
            ended.hops,
        ),
        None => (ensure.operation, None, Vec::new()),
    };
    Report {
        operation,
        generation: record.generation,
        power: record.power,
        fault,
        hops,
    }
}

async fn fulfil<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    work: &Work<'_>,
    ensure: &ServerEnsure,
    (mut record, hops): (Record, Hops),
) -> Result<(), journal::Error> {
    let patience = ensure.deadline.since(Timestamp::now());
    let result = timeout(
        patience,
        apply(driver, work.place, ensure, record.built, &hops),
    )
    .await;
    let fault = match result {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault),
        Err(_) => Some(too_late()),
    };
    match &fault {
        None => {
            record.built = true;
            record.applied = ensure.generation;
            record.power = match ensure.desired {
                Desired::Running => Power::Running,
                Desired::Stopped => Power::Shutdown,
            };
            record.life = driver.life().to_owned();
        }
        Some(_) => record.power = clean_up(driver, work.place, &record, &hops).await,
    }
    finish(ledger, work, ensure, record, fault, hops).await
}

async fn finish(
    ledger: &Ledger,
    work: &Work<'_>,
    ensure: &ServerEnsure,
    mut record: Record,
    fault: Option<Fault>,
    hops: Hops,
) -> Result<(), journal::Error> {
    let report = Report {
        operation: ensure.operation,
        generation: ensure.generation,
        power: record.power,
        fault: fault.clone(),
        hops: hops.noted(),
    };
    // What merely came too late may be sent again with more time.
    if fault
        .as_ref()
        .is_none_or(|fault| fault.code != FaultCode::DeadlinePassed)
    {
        record.ended = Some(Ended {
            operation: ensure.operation,
            fault,
            hops: hops.noted(),
        });
    }
    ledger.end(work, Some(&record), report).await
}

/// Does what is needed, from whatever there is.
async fn apply<D: Driver>(
    driver: &D,
    place: &Place,
    ensure: &ServerEnsure,
    built: bool,
    hops: &Hops,
) -> Result<(), Fault> {
    let mut seen = driver.look(place).await;
    if !built || seen == Seen::Absent {
        steps::build(driver, place, &ensure.spec, hops).await?;
        seen = driver.look(place).await;
    }
    match ensure.desired {
        Desired::Stopped if seen.is_machine() => steps::stop(driver, place, GRACE, hops).await,
        Desired::Stopped => Ok(()),
        Desired::Running => run(driver, place, ensure, seen, hops).await,
    }
}

/// Makes it run. A restart is the end of the old machine and the start of a new one that carries the
/// generation of the wish, so a worker that died in between knows whether it was done.
async fn run<D: Driver>(
    driver: &D,
    place: &Place,
    ensure: &ServerEnsure,
    seen: Seen,
    hops: &Hops,
) -> Result<(), Fault> {
    match (seen, ensure.restart) {
        (Seen::Running(since), Some(_)) if since >= ensure.generation => return Ok(()),
        (Seen::Running(_), None) => return interfaces(driver, place, ensure, hops).await,
        (Seen::Paused(_), None) => {
            interfaces(driver, place, ensure, hops).await?;
            return driver.resume(place).await;
        }
        (Seen::Running(_), Some(Restart::Soft)) => steps::stop(driver, place, GRACE, hops).await?,
        (Seen::Off | Seen::Absent, _) => {}
        (Seen::Running(_) | Seen::Paused(_), Some(_))
        | (Seen::PoweredOff | Seen::Broken(_) | Seen::Mute, _) => {
            steps::stop(driver, place, Duration::ZERO, hops).await?;
        }
    }
    steps::start(driver, place, &ensure.spec, ensure.generation, hops).await
}

/// Gives a machine that runs the interfaces that it should have, and takes away the others. What it has is
/// asked of the machine itself, so whatever was done before by a worker that died is done once.
async fn interfaces<D: Driver>(
    driver: &D,
    place: &Place,
    ensure: &ServerEnsure,
    hops: &Hops,
) -> Result<(), Fault> {
    let plugs = driver.plugs(place, &ensure.spec).await?;
    for device in &plugs.spare {
        steps::unplug(driver, place, device, hops).await?;
    }
    for nic in &plugs.missing {
        steps::plug(driver, place, nic, hops).await?;
    }
    Ok(())
}

/// Leaves nothing of a server that was never complete, and says what is there.
async fn clean_up<D: Driver>(driver: &D, place: &Place, record: &Record, hops: &Hops) -> Power {
    if !record.built {
        return match steps::remove(driver, place, hops).await {
            Ok(()) => Power::Absent,
            Err(fault) => {
                tracing::error!(%place, %fault, details = fault.details, "what a failed boot left cannot be removed");
                Power::Unknown
            }
        };
    }
    match find(record, &driver.look(place).await, driver.life()) {
        Finding::Became(power, _) => power,
        Finding::EndedWithHost => Power::Shutdown,
        Finding::Known => record.power,
    }
}

/// Answers a wish whose time was over before it was begun. A server that an earlier attempt at the same
/// wish has begun to make is not left half made.
async fn late<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    work: &Work<'_>,
    ensure: &ServerEnsure,
    known: Option<Record>,
) -> Result<(), journal::Error> {
    let hops = Hops::on(&work.place.host);
    let begun = known.filter(|record| !record.is_gone());
    if let Some(mut record) = begun.clone()
        && !record.built
        && record.ended.is_none()
    {
        record.power = clean_up(driver, work.place, &record, &hops).await;
        return finish(ledger, work, ensure, record, Some(too_late()), hops).await;
    }
    let report = Report {
        operation: ensure.operation,
        generation: ensure.generation,
        power: begun.map_or(Power::Absent, |record| record.power),
        fault: Some(too_late()),
        hops: Vec::new(),
    };
    ledger.end(work, None, report).await
}

fn too_late() -> Fault {
    Fault::new(
        FaultCode::DeadlinePassed,
        "The host did not get to it in time; try again",
    )
}
