//! The network interfaces of a machine that runs: which it has, one more, one less.
//!
//! What a machine has is asked of QEMU itself, never remembered. An interface is known by its port's id; those
//! of a machine that was started before interfaces had names, by their hardware address.

use std::{os::fd::OwnedFd, time::Duration};

use serde_json::{Value, json};
use skybus_fault::{self as fault, Point};
use skybus_model::{
    Fault, FaultCode,
    id::PortId,
    server::{MOST_INTERFACES, Nic},
};
use tokio::time::{Instant, timeout_at};

use super::{machine::Machine, qmp};
use crate::driver::{Device, Plugs};

/// How long a guest may take to let go of an interface: it may be booting.
pub const TO_LET_GO: Duration = Duration::from_secs(60);
/// How often it is asked: a guest that still boots does not hear the first time.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// The first of the slots that are set aside for interfaces; disks and the like are below.
const FIRST_SLOT: u8 = 0x10;
const CONTAINERS: [&str; 2] = ["/machine/peripheral", "/machine/peripheral-anon"];

/// The name of a port's interface in its machine.
#[must_use]
pub fn device(port: PortId) -> String {
    format!("nic-{port}")
}

/// The name of what connects that interface to the port's tap.
#[must_use]
pub fn cable(port: PortId) -> String {
    format!("net-{port}")
}

/// Where on its bus the guest finds an interface: after every start in the same slot.
#[must_use]
pub fn slot(nic: &Nic) -> Option<String> {
    let place = nic.place.filter(|place| *place < MOST_INTERFACES)?;
    Some(format!("{:#x}", FIRST_SLOT + place))
}

/// What the machine has more and less than `wanted`.
///
/// # Errors
/// When QEMU does not answer.
pub async fn compare(machine: &Machine, wanted: &[Nic]) -> Result<Plugs, Fault> {
    let has = of(machine).await.map_err(refused)?;
    Ok(difference(has, wanted))
}

fn difference(has: Vec<Device>, wanted: &[Nic]) -> Plugs {
    let (missing, spare) = (
        |nic: &&Nic| !has.iter().any(|one| is_of(one, nic)),
        |one: &&Device| !wanted.iter().any(|nic| is_of(one, nic)),
    );
    Plugs {
        missing: wanted.iter().filter(missing).cloned().collect(),
        spare: has.iter().filter(spare).cloned().collect(),
    }
}

fn is_of(one: &Device, nic: &Nic) -> bool {
    match one.path.strip_prefix("/machine/peripheral/nic-") {
        Some(port) => port == nic.port.to_string(),
        None => one.mac.eq_ignore_ascii_case(&nic.mac),
    }
}

/// The interfaces that a machine has.
async fn of(machine: &Machine) -> Result<Vec<Device>, qmp::Error> {
    let monitor = machine.monitor();
    let mut all = Vec::new();
    for container in CONTAINERS {
        let listed = monitor.execute("qom-list", json!({ "path": container }));
        for one in listed.await?.as_array().into_iter().flatten() {
            if one["type"] != "child<virtio-net-pci>" {
                continue;
            }
            let path = format!("{container}/{}", one["name"].as_str().unwrap_or_default());
            let ask = async |property: &str| {
                let which = json!({ "path": path, "property": property });
                monitor.execute("qom-get", which).await
            };
            match (ask("mac").await, ask("netdev").await) {
                (Ok(mac), Ok(cable)) => all.push(Device {
                    mac: text(&mac),
                    cable: text(&cable),
                    path,
                }),
                // It went between the two questions.
                (Err(qmp::Error::Refused { .. }), _) | (_, Err(qmp::Error::Refused { .. })) => {}
                (Err(error), _) | (_, Err(error)) => return Err(error),
            }
        }
    }
    Ok(all)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Takes away what a worker that died has left of an interface that the machine does not have.
///
/// # Errors
/// When QEMU does not answer.
pub async fn prepare(machine: &Machine, nic: &Nic) -> Result<(), Fault> {
    let cable = cable(nic.port);
    disconnect(machine, &cable).await?;
    close(machine, &cable).await
}

/// Has QEMU close an end of a cable that it was given and has not used. There being none is fine.
async fn close(machine: &Machine, cable: &str) -> Result<(), Fault> {
    let end = json!({ "fdname": cable });
    match machine.monitor().execute("closefd", end).await {
        Ok(_) | Err(qmp::Error::Refused { .. }) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

/// Gives the machine an interface whose cable ends in `tap`.
///
/// # Errors
/// When QEMU does not answer, or has no room for it.
pub async fn plug(machine: &Machine, nic: &Nic, tap: OwnedFd) -> Result<(), Fault> {
    let (monitor, cable) = (machine.monitor(), cable(nic.port));
    monitor.give(&cable, tap).await.map_err(refused)?;
    let network = json!({ "type": "tap", "id": cable, "fd": cable });
    if let Err(error) = monitor.execute("netdev_add", network).await {
        close(machine, &cable).await?;
        return Err(refused(error));
    }
    fault::hit(Point::ComputeCabled, "");
    let mut new = json!({ "driver": "virtio-net-pci", "id": device(nic.port), "netdev": cable,
        "mac": nic.mac, "romfile": "" });
    if let Some(slot) = slot(nic) {
        new["addr"] = json!(slot);
    }
    if let Err(error) = monitor.execute("device_add", new).await {
        disconnect(machine, &cable).await?;
        return Err(refused(error));
    }
    Ok(())
}

/// Has the guest let go of an interface within `patience`, and takes it away.
///
/// # Errors
/// When the guest does not: then it keeps it.
pub async fn unplug(machine: &Machine, device: &Device, patience: Duration) -> Result<(), Fault> {
    let end = Instant::now() + patience;
    let mut doings = machine.doings();
    loop {
        let asked = machine
            .monitor()
            .execute("device_del", json!({ "id": device.path }))
            .await;
        // That it was asked before is refused, and it may be gone already: what counts is whether it is there.
        match asked {
            Ok(_) | Err(qmp::Error::Refused { .. }) => {}
            Err(error) => return Err(refused(error)),
        }
        let ask_again = end.min(Instant::now() + ASK_EVERY);
        loop {
            if !of(machine).await.map_err(refused)?.contains(device) {
                return disconnect(machine, &device.cable).await;
            }
            match timeout_at(ask_again, doings.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(no_answer()),
                Err(_) => break,
            }
        }
        if Instant::now() >= end {
            return Err(clings(device, patience));
        }
    }
}

/// Cuts a cable that leads to no interface. There being none is fine.
async fn disconnect(machine: &Machine, cable: &str) -> Result<(), Fault> {
    let cut = machine
        .monitor()
        .execute("netdev_del", json!({ "id": cable }))
        .await;
    match cut {
        Ok(_) | Err(qmp::Error::Refused { .. }) => Ok(()),
        Err(error) => Err(refused(error)),
    }
}

fn clings(device: &Device, patience: Duration) -> Fault {
    let message = format!(
        "The guest did not let go of the interface {} within {} s, and keeps it. A guest without ACPI, or \
         one that hangs, cannot: stop the server, then detach the interface",
        device.mac,
        patience.as_secs()
    );
    Fault::new(FaultCode::Internal, message)
}

/// The fault for a machine that cannot be spoken to.
#[must_use]
pub fn no_answer() -> Fault {
    Fault::new(
        FaultCode::Internal,
        "The server's machine does not answer, so its interfaces stay as they are; reboot it hard",
    )
}

fn refused(error: qmp::Error) -> Fault {
    match error {
        qmp::Error::Refused { .. } => Fault::new(
            FaultCode::Internal,
            "The server's machine does not take the interface; stop the server and try again",
        )
        .with_details(error.to_string()),
        other => no_answer().with_details(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use skybus_model::id::NetworkId;

    use super::*;

    fn nic(mac: &str) -> Nic {
        Nic {
            port: PortId::random(),
            network: NetworkId::random(),
            mac: mac.to_owned(),
            address: [10, 1, 0, 2].into(),
            place: Some(3),
        }
    }

    fn has(path: String, mac: &str) -> Device {
        Device {
            path,
            cable: String::new(),
            mac: mac.to_owned(),
        }
    }

    #[test]
    fn an_interface_is_known_by_its_port_and_an_old_one_by_its_address() {
        let (named, old, new) = (nic("fa:00:00:00:00:01"), nic("fa:00:00:00:00:02"), nic("x"));
        let path = format!("/machine/peripheral/{}", device(named.port));
        let spare = has(
            format!("/machine/peripheral/{}", device(PortId::random())),
            &new.mac,
        );
        let there = vec![
            has(path, "changed"),
            has(
                "/machine/peripheral-anon/device[1]".to_owned(),
                "FA:00:00:00:00:02",
            ),
            spare.clone(),
        ];
        let plugs = difference(there, &[named, old, new.clone()]);
        assert_eq!(
            plugs.missing,
            [new],
            "its address alone does not make it another's"
        );
        assert_eq!(plugs.spare, [spare]);
    }

    #[test]
    fn slots_are_kept_and_none_is_given_twice() {
        let mut one = nic("x");
        assert_eq!(slot(&one).as_deref(), Some("0x13"));
        one.place = Some(15);
        assert_eq!(slot(&one).as_deref(), Some("0x1f"));
        one.place = Some(16);
        assert_eq!(slot(&one), None);
        one.place = None;
        assert_eq!(slot(&one), None);
    }
}
