//! Saying every few seconds that the hosts of this worker are alive, and what they can carry, which is looked
//! at again and again: a cable may be plugged in, and pulled out.

use std::{sync::Arc, time::Duration};

use skybus_bus::Bus;
use skybus_model::{
    HostName, Order, Timestamp,
    host::Resources,
    message::{
        Service,
        heartbeat::{HostBeat, pause_after},
    },
    segment::Carries,
};
use skybus_role::Role;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{config::Config, driver::Driver};

/// How often a host looks at what it can carry.
const LOOK: Duration = Duration::from_secs(20);

/// What each host carries, in the order of the hosts; nothing before the first look.
type All = Option<Vec<Carries>>;

/// Starts to beat, until the role ends.
pub fn start(
    config: &Config,
    role: &Role,
    hosts: &[HostName],
    bus: &Bus,
    epoch: i64,
    driver: Arc<Driver>,
) {
    let (seen, carries) = watch::channel(None);
    let (count, token) = (hosts.len(), role.token());
    role.spawn("cables", async move {
        look(&driver, count, &seen, token).await;
        Ok(())
    });
    let zone = config.zone.clone();
    let beat = move |host: HostName, seq, carries| HostBeat {
        host,
        service: Service::Network.to_string(),
        zone: zone.clone(),
        order: Order { epoch, seq },
        at: Timestamp::now(),
        capacity: Resources::default(),
        free: Resources::default(),
        hypervisor: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        carries,
    };
    let (hosts, bus, token) = (hosts.to_vec(), bus.clone(), role.token());
    role.spawn("heartbeat", async move {
        tokio::select! {
            sent = send(&hosts, &bus, carries, beat) => sent,
            () = token.cancelled() => Ok(()),
        }
    });
}

async fn send(
    hosts: &[HostName],
    bus: &Bus,
    mut carries: watch::Receiver<All>,
    beat: impl Fn(HostName, i64, Carries) -> HostBeat,
) -> anyhow::Result<()> {
    // One that leaves before there is a connection is lost, and the next is seconds away.
    bus.wait_connected().await;
    // Whoever looks ends with the role, perhaps a moment before this.
    if carries.wait_for(Option::is_some).await.is_err() {
        return Ok(());
    }
    let mut connections = bus.on_reconnect();
    // Beats are only ever compared with beats; they count for themselves.
    for seq in 1.. {
        let all = carries.borrow_and_update().clone().unwrap_or_default();
        for (host, carries) in hosts.iter().zip(all) {
            bus.beat(&beat(host.clone(), seq, carries)).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause_after(seq)) => {}
            // Somebody may be waiting to know who is alive, or who can carry a network.
            changed = connections.changed() => changed?,
            changed = carries.changed() => if changed.is_err() { return Ok(()) },
        }
    }
    Ok(())
}

async fn look(
    driver: &Arc<Driver>,
    hosts: usize,
    seen: &watch::Sender<All>,
    token: CancellationToken,
) {
    loop {
        let driver = Arc::clone(driver);
        let looked = tokio::task::spawn_blocking(move || {
            let hosts = 0..u32::try_from(hosts).unwrap_or(u32::MAX);
            hosts.map(|n| driver.carries(n)).collect()
        });
        let now: Vec<Carries> = match looked.await {
            Ok(Ok(now)) => now,
            Ok(Err(error)) => unseen(&error, hosts),
            Err(cut) => unseen(&cut, hosts),
        };
        seen.send_if_modified(|before| {
            let differs = before.as_ref() != Some(&now);
            if differs {
                if let Some(first) = now.first() {
                    tell(first);
                }
                *before = Some(now);
            }
            differs
        });
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = token.cancelled() => return,
        }
    }
}

/// Who cannot be seen through carries nothing until the next look.
fn unseen(why: &dyn std::fmt::Display, hosts: usize) -> Vec<Carries> {
    tracing::warn!("what this host can carry cannot be seen: {why}");
    vec![Carries::default(); hosts]
}

fn tell(carries: &Carries) {
    let names = |of: &std::collections::BTreeSet<_>| {
        let names: Vec<String> = of.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    let tunnel = carries
        .tunnel
        .map(|own| own.to_string())
        .unwrap_or_default();
    tracing::info!(
        flat = names(&carries.flat),
        vlan = names(&carries.vlan),
        tunnel,
        "carries"
    );
    for (kind, why) in &carries.lacks {
        tracing::info!(%kind, "cannot carry: {why}");
    }
}
