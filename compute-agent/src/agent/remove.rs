//! Seeing to it that a server is not there.

use skybus_bus::journal;
use skybus_model::{message::command::ServerRemove, server::Power};

use super::{
    ledger::{Ledger, Report, Work},
    record::Record,
    steps,
};
use crate::driver::{Driver, Hops};

/// Removes a server, whether it is known or not. That it is gone is remembered, so that a command from
/// before its end that arrives late does not bring it back.
pub(super) async fn remove<D: Driver>(
    driver: &D,
    ledger: &Ledger,
    work: &Work<'_>,
    remove: &ServerRemove,
) -> Result<(), journal::Error> {
    let known = ledger.record(work.place).await?;
    let mut report = Report {
        operation: remove.operation,
        generation: remove.generation,
        power: Power::Absent,
        fault: None,
        hops: Vec::new(),
    };
    if let Some(newer) = known.filter(|record| record.generation > remove.generation) {
        report.generation = newer.generation;
        report.power = newer.power;
        return ledger.end(work, None, report).await;
    }
    let hops = Hops::on(&work.place.host);
    let removed = steps::remove(driver, work.place, &hops).await;
    report.hops = hops.noted();
    match removed {
        Ok(()) => {
            let gone = Record::gone(remove.generation);
            ledger.end(work, Some(&gone), report).await
        }
        Err(fault) => {
            // The control plane never gives a removal up: it will be sent again.
            report.power = Power::Unknown;
            report.fault = Some(fault);
            ledger.end(work, None, report).await
        }
    }
}
