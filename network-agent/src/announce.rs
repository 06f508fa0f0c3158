//! Says on the wire of the public interface that floating IPs are here: at once when one arrives, twice
//! more within seconds because such a word can be lost, and then each minute. And asks whether another
//! machine answers for one as well, which is told as trouble; who has an address is for the control plane to
//! say, so it is served nevertheless.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use skybus_sys::arp::{Mac, Wire};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    observed::Link,
    program::{self, Place},
};

/// How long others have to answer. They are asked twice in that time, and a host that answers on behalf of a
/// guest takes up to 0.8 s.
const PATIENCE: Duration = Duration::from_secs(2);
/// With how many of its first announcements others are asked for an address.
const ASKED: u32 = 3;

/// What keeps floating IPs from being reached, by address; other keys are other people's.
type Troubles = watch::Sender<BTreeMap<String, String>>;

/// When an address is announced next, and how often it was.
#[derive(Debug, Clone, Copy)]
struct Turn {
    next: Instant,
    count: u32,
}

/// Announces what is `here` on the wire of `interface`, until `token` is cancelled.
pub async fn run(
    interface: String,
    mut here: watch::Receiver<BTreeSet<Ipv4Addr>>,
    troubles: Troubles,
    token: CancellationToken,
) {
    let mut turns: BTreeMap<Ipv4Addr, Turn> = BTreeMap::new();
    loop {
        let wanted = here.borrow_and_update().clone();
        let next = Instant::now();
        turns.retain(|ip, _| wanted.contains(ip));
        for ip in wanted {
            turns.entry(ip).or_insert(Turn { next, count: 0 });
        }
        troubles.send_if_modified(|all| forget(all, &turns));
        tokio::select! {
            () = token.cancelled() => return,
            () = speak(&interface, &mut turns, &troubles) => {}
        }
        let next = turns.values().map(|turn| turn.next).min();
        let later = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            () = token.cancelled() => return,
            changed = here.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(later) => {}
        }
    }
}

/// Announces those whose turn has come, and asks for those that are new or in trouble.
async fn speak(interface: &str, turns: &mut BTreeMap<Ipv4Addr, Turn>, troubles: &Troubles) {
    let now = Instant::now();
    let (mut due, mut ask) = (Vec::new(), Vec::new());
    for (ip, turn) in turns.iter_mut().filter(|(_, turn)| turn.next <= now) {
        due.push(*ip);
        if turn.count < ASKED || troubles.borrow().contains_key(&key(*ip)) {
            ask.push(*ip);
        }
        turn.next = now + pause(turn.count);
        turn.count += 1;
    }
    if due.is_empty() {
        return;
    }
    let name = interface.to_owned();
    let said = tokio::task::spawn_blocking(move || (on_wire(&name, &due, &ask), ask)).await;
    match said {
        Ok((Ok(others), asked)) => note(interface, troubles, &asked, &others),
        Ok((Err(why), _)) => tracing::warn!(interface, "floating IPs not announced: {why}"),
        Err(cut) => tracing::warn!(interface, "an announcement was cut off: {cut}"),
    }
}

/// How long to wait after an address was announced so often.
const fn pause(count: u32) -> Duration {
    Duration::from_secs(match count {
        0 => 1,
        1 => 3,
        _ => 60,
    })
}

fn key(ip: Ipv4Addr) -> String {
    ip.to_string()
}

/// What is not here any more troubles nobody.
fn forget(troubles: &mut BTreeMap<String, String>, turns: &BTreeMap<Ipv4Addr, Turn>) -> bool {
    let before = troubles.len();
    troubles.retain(|key, _| {
        key.parse::<Ipv4Addr>()
            .map_or(true, |ip| turns.contains_key(&ip))
    });
    troubles.len() != before
}

fn note(
    interface: &str,
    troubles: &Troubles,
    asked: &[Ipv4Addr],
    others: &BTreeMap<Ipv4Addr, Mac>,
) {
    troubles.send_if_modified(|all| {
        let before = all.clone();
        for ip in asked {
            match others.get(ip) {
                Some(mac) => {
                    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
                    let why = format!("{mac} on the wire of {interface} answers for {ip} as well");
                    tracing::warn!("{why}");
                    all.insert(key(*ip), why);
                }
                None => drop(all.remove(&key(*ip))),
            }
        }
        *all != before
    });
}

/// Announces `due` and asks who else answers for those in `ask`.
fn on_wire(
    interface: &str,
    due: &[Ipv4Addr],
    ask: &[Ipv4Addr],
) -> Result<BTreeMap<Ipv4Addr, Mac>, crate::failure::Error> {
    let shown: Vec<Link> = program::ip_show(Place::Host, &["address", "show", "dev", interface])?;
    let link = shown.into_iter().find(|link| link.ifname == interface);
    let link = link.unwrap_or_default();
    let Some(mac) = link.address.as_deref().and_then(hardware) else {
        let text = format!("{interface} has no hardware address");
        return Err(std::io::Error::other(text).into());
    };
    let wire = Wire::open(interface, mac)?;
    for ip in due {
        wire.announce(*ip)?;
    }
    if ask.is_empty() {
        return Ok(BTreeMap::new());
    }
    let from = link.addresses().next().map(|net| net.addr());
    Ok(wire.others(from, ask, PATIENCE)?)
}

fn hardware(text: &str) -> Option<Mac> {
    let mut bytes = text.split(':').map(|part| u8::from_str_radix(part, 16));
    let mut mac = Mac::default();
    for byte in &mut mac {
        *byte = bytes.next()?.ok()?;
    }
    bytes.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_s_answer_is_trouble_until_it_is_silent_or_the_address_gone() {
        let (troubles, seen) = watch::channel(BTreeMap::from([("host".to_owned(), String::new())]));
        let ip: Ipv4Addr = [203, 0, 113, 7].into();
        let others = BTreeMap::from([(ip, [2, 0, 0, 0, 0, 9])]);
        note("eth0", &troubles, &[ip], &others);
        let why = seen.borrow()["203.0.113.7"].clone();
        assert!(
            why.starts_with("02:00:00:00:00:09 on the wire of eth0"),
            "{why}"
        );
        note("eth0", &troubles, &[ip], &BTreeMap::new());
        assert_eq!(seen.borrow().len(), 1);
        note("eth0", &troubles, &[ip], &others);
        troubles.send_if_modified(|all| forget(all, &BTreeMap::new()));
        assert!(seen.borrow().contains_key("host") && seen.borrow().len() == 1);
    }

    #[test]
    fn hardware_addresses_are_read() {
        assert_eq!(hardware("02:00:00:00:00:ff"), Some([2, 0, 0, 0, 0, 255]));
        for bad in ["", "02:00", "02:00:00:00:00:00:00", "x2:00:00:00:00:00"] {
            assert_eq!(hardware(bad), None, "{bad}");
        }
    }
}
