//! Two projects, each with a network of its own on two hosts: a VLAN for each. Both have chosen the same
//! addresses, and neither notices the other.
//!
//! The hosts are emulated machines on Debian's kernel, which has 802.1Q. Nobody runs guests in them; somebody
//! sits at each port with the guest's hardware address and speaks from there.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use skybus_tests::{
    api::Api,
    cloud::Cloud,
    debian_host::{DebianHost, Image, Member, Wire},
    ran::Ran,
    wait,
};

const LIMIT: Duration = Duration::from_secs(240);
const FIRST_VLAN: u64 = 100;
const PROJECTS: [&str; 2] = ["admin", "demo"];
const HOSTS: [&str; 2] = ["a", "b"];

#[test]
fn two_projects_on_two_vlans_share_two_hosts_and_all_addresses() -> Result<()> {
    let (image, wire) = (Image::build()?, Wire::new()?);
    let a = DebianHost::start(&image, HOSTS[0], &wire, 0)?;
    let b = DebianHost::start(&image, HOSTS[1], &wire, 1)?;
    let cloud = Cloud::start(&["--virt-type", "fake", "--public-address", "127.0.0.1"])?;
    cloud.add_small_image()?;
    the_operator_gives_vlans(&cloud)?;
    let physical = "[physical]\ntrunk = \"eth1\"".parse()?;
    let mut a = Member::join(&cloud, a, HOSTS[0], &physical)?;
    let mut b = Member::join(&cloud, b, HOSTS[1], &physical)?;

    the_operator_sees_what_hosts_carry(&cloud)?;

    let mut stories = Vec::new();
    for project in PROJECTS {
        stories.push(Project::begin(&cloud, project)?);
    }
    let [admin, demo] = stories.as_slice() else {
        anyhow::bail!("two projects");
    };
    ensure!(
        admin.addresses() == demo.addresses() && admin.vlan != demo.vlan,
        "{admin:?} {demo:?}"
    );
    for project in [admin, demo] {
        a.plug(project.name, &project.ports[0])?;
        b.plug(project.name, &project.ports[1])?;
    }
    for project in [admin, demo] {
        project.reaches_itself(&mut a, &mut b)?;
    }
    the_wire_keeps_them_apart(&wire, &[admin, demo])?;
    nobody_stands_in_for_another(&mut a, &mut b, admin, demo)?;
    nothing_is_left(&cloud, [&mut a, &mut b])
}

/// A range out of which the networks of projects get theirs; and two networks for projects that bring none, on
/// VLANs beside it.
fn the_operator_gives_vlans(cloud: &Cloud) -> Result<()> {
    let (minimum, maximum) = (FIRST_VLAN.to_string(), (FIRST_VLAN + 9).to_string());
    let range = format!(
        "admin segment-range create campus --type vlan --physical trunk --minimum {minimum} \
         --maximum {maximum}"
    );
    cloud.skybus(&words(&range))?.ok()?;
    let networks = "-f json admin network create --fixed-range 10.8.0.0/16 --num-networks 2 \
                    --network-size 256 --vlan 200 --physical trunk --name spare";
    let made = cloud.skybus(&words(networks))?.json()?;
    ensure!(
        made[0]["number"] == 200 && made[1]["number"] == 201 && made[1]["physical"] == "trunk",
        "{made}"
    );
    Ok(())
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The hosts have said that they are on the wire, and can tag.
fn the_operator_sees_what_hosts_carry(cloud: &Cloud) -> Result<()> {
    let all = cloud.skybus(&["-f", "json", "service-list"])?.json()?;
    let all = all.as_array().context("a list of services")?;
    for host in HOSTS {
        let is_its = |one: &&Value| one["host"] == host && one["binary"] == "nova-network";
        let its = all.iter().find(is_its).context(host)?;
        let carries = &its["carries"];
        ensure!(
            carries["vlan"] == json!(["trunk"]) && carries["lacks"]["vlan"].is_null(),
            "{its}"
        );
    }
    Ok(())
}

/// A project with a network, and a server on each host.
#[derive(Debug)]
struct Project {
    name: &'static str,
    vlan: u16,
    /// Of its servers, by host.
    ports: Vec<Value>,
}

impl Project {
    fn begin(cloud: &Cloud, name: &'static str) -> Result<Self> {
        let api = Api::sign_in(cloud, name, &cloud.password(name)?)?;
        let network = made(&api, "network", json!({"name": name}))?;
        let id = text(&network, "id")?;
        let subnet = json!({"network_id": id, "cidr": "10.0.0.0/24", "ip_version": 4});
        made(&api, "subnet", subnet)?;
        let shown = cloud.skybus(&["-f", "json", "network-show", &id])?.json()?;
        ensure!(
            shown["provider:network_type"] == "vlan"
                && shown["provider:physical_network"] == "trunk",
            "{shown}"
        );
        let vlan = shown["provider:segmentation_id"].as_u64().unwrap_or(0);
        ensure!((FIRST_VLAN..FIRST_VLAN + 10).contains(&vlan), "{shown}");
        let mut ports = Vec::new();
        for host in HOSTS {
            ports.push(boot(cloud, name, &id, host)?);
        }
        Ok(Self {
            name,
            vlan: u16::try_from(vlan)?,
            ports,
        })
    }

    fn addresses(&self) -> Vec<&Value> {
        let ports = self.ports.iter();
        ports
            .map(|port| &port["fixed_ips"][0]["ip_address"])
            .collect()
    }

    fn address(&self, host: usize) -> Result<String> {
        text(&self.ports[host]["fixed_ips"][0], "ip_address")
    }

    fn mac(&self, host: usize) -> Result<String> {
        text(&self.ports[host], "mac_address")
    }

    /// Its guest on one host reaches its guest on the other, and it is that one that answers.
    fn reaches_itself(&self, a: &mut Member, b: &mut Member) -> Result<()> {
        for (from, to, other) in [(a, 1, "b"), (b, 0, "a")] {
            let (address, name) = (self.address(to)?, self.name);
            let what = format!("an answer for {name} from {other}");
            let answered = wait::until(&what, LIMIT, || {
                let ran = from.ping(name, &address)?;
                Ok((ran.code == 0).then_some(()))
            });
            answered.with_context(|| from.log().unwrap_or_default())?;
            let known = from
                .host
                .must(&format!("ip -n {name} neigh show {address}"))?;
            ensure!(
                known.contains(&self.mac(to)?),
                "{name} met another: {known}"
            );
        }
        Ok(())
    }
}

fn made(api: &Api, kind: &str, what: Value) -> Result<Value> {
    let path = format!("/network/v2.0/{kind}s");
    let answer = api.send("POST", &path, &json!({ kind: what }).to_string())?;
    ensure!(answer.status == 201, "{kind}: {answer:?}");
    Ok(answer.body[kind].clone())
}

fn text(value: &Value, key: &str) -> Result<String> {
    let text = value[key].as_str().map(str::to_owned);
    text.with_context(|| format!("{key} in {value}"))
}

fn as_whom(cloud: &Cloud, name: &str, words: &[&str]) -> Result<Ran> {
    if name == "demo" {
        cloud.skybus_as_demo(words)
    } else {
        cloud.skybus(words)
    }
}

/// Boots a server on a host; its port.
fn boot(cloud: &Cloud, name: &str, network: &str, host: &str) -> Result<Value> {
    let (server, nic) = (format!("{name}-{host}"), format!("net-id={network}"));
    let boot = ["boot", "--flavor", "m1.tiny", "--image", "small", "--poll"];
    let there = ["--availability-zone", host, "--nic", &nic, &server];
    let booted = as_whom(cloud, name, &[&boot[..], &there].concat())?;
    if booted.code != 0 {
        let trace = cloud.skybus(&["trace", &server])?;
        anyhow::bail!("{booted:?}\n{}\n{}", trace.out, cloud.logs());
    }
    // A server that is played does not wait for its port.
    let list = ["-f", "json", "port-list", "--server", &server];
    wait::until("a port that its host has made", LIMIT, || {
        let ports = as_whom(cloud, name, &list)?.json()?;
        Ok((ports[0]["status"] == "ACTIVE").then(|| ports[0].clone()))
    })
}

/// What either says has its own number on it, and nothing of it is seen without.
fn the_wire_keeps_them_apart(wire: &Wire, projects: &[&Project]) -> Result<()> {
    for project in projects {
        let (one, other) = (project.mac(0)?, project.mac(1)?);
        let vlans = wire.vlans_of(&[&one, &other])?;
        ensure!(
            vlans == BTreeSet::from([Some(project.vlan)]),
            "{} is seen in {vlans:?}",
            project.name
        );
    }
    Ok(())
}

/// When one project's guest is unplugged, the other's of the same address is not taken for it.
fn nobody_stands_in_for_another(
    a: &mut Member,
    b: &mut Member,
    stays: &Project,
    leaves: &Project,
) -> Result<()> {
    b.host
        .must(&format!("ip -n {} link delete eth0", leaves.name))?;
    a.host
        .must(&format!("ip -n {} neigh flush all", leaves.name))?;
    for _ in 0..3 {
        let alone = a.ping(leaves.name, &leaves.address(1)?)?;
        ensure!(alone.code != 0, "{} was answered: {alone:?}", leaves.name);
        stays.reaches_itself(a, b)?;
    }
    Ok(())
}

/// With their last server the networks go from both hosts.
fn nothing_is_left(cloud: &Cloud, hosts: [&mut Member; 2]) -> Result<()> {
    for project in PROJECTS {
        for host in HOSTS {
            let server = format!("{project}-{host}");
            as_whom(cloud, project, &["delete", "--poll", &server])?.ok()?;
        }
    }
    for member in hosts {
        wait::until("no network on a host", LIMIT, || {
            let left = member
                .host
                .must("ip netns list; ip -o link show type vlan")?;
            Ok((!left.contains("skybus-") && !left.contains("vlan")).then_some(()))
        })
        .with_context(|| member.log().unwrap_or_default())?;
    }
    Ok(())
}
