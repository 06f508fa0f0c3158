//! The driver's steps that change the host, each with a fault point on either side.

use std::time::Duration;

use skybus_fault::{self as fault, Point};
use skybus_model::{
    Fault, Generation,
    server::{Nic, ServerSpec},
};

use crate::driver::{Device, Driver, Hops, Place};

/// See [`Driver::build`].
pub(super) async fn build<D: Driver>(
    driver: &D,
    place: &Place,
    spec: &ServerSpec,
    hops: &Hops,
) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforeBuild, "");
    driver.build(place, spec, hops).await?;
    fault::hit(Point::ComputeAfterBuild, "");
    Ok(())
}

/// See [`Driver::start`].
pub(super) async fn start<D: Driver>(
    driver: &D,
    place: &Place,
    spec: &ServerSpec,
    generation: Generation,
    hops: &Hops,
) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforeStart, "");
    driver.start(place, spec, generation, hops).await?;
    fault::hit(Point::ComputeAfterStart, "");
    Ok(())
}

/// See [`Driver::stop`].
pub(super) async fn stop<D: Driver>(
    driver: &D,
    place: &Place,
    grace: Duration,
    hops: &Hops,
) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforeStop, "");
    driver.stop(place, grace, hops).await?;
    fault::hit(Point::ComputeAfterStop, "");
    Ok(())
}

/// See [`Driver::plug`].
pub(super) async fn plug<D: Driver>(
    driver: &D,
    place: &Place,
    nic: &Nic,
    hops: &Hops,
) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforePlug, "");
    driver.plug(place, nic, hops).await?;
    fault::hit(Point::ComputeAfterPlug, "");
    Ok(())
}

/// See [`Driver::unplug`].
pub(super) async fn unplug<D: Driver>(
    driver: &D,
    place: &Place,
    device: &Device,
    hops: &Hops,
) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforeUnplug, "");
    driver.unplug(place, device, hops).await?;
    fault::hit(Point::ComputeAfterUnplug, "");
    Ok(())
}

/// See [`Driver::remove`].
pub(super) async fn remove<D: Driver>(driver: &D, place: &Place, hops: &Hops) -> Result<(), Fault> {
    fault::hit(Point::ComputeBeforeRemove, "");
    driver.remove(place, hops).await?;
    fault::hit(Point::ComputeAfterRemove, "");
    Ok(())
}
