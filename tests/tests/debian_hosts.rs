//! What the tests of networks on several hosts stand on: two machines on Debian's kernel boot, a wire between
//! them carries tagged frames as they are, and their network workers take part in a cloud.

use anyhow::{Result, ensure};
use skybus_tests::{
    cloud::Cloud,
    debian_host::{DebianHost, Image, Member, Wire},
};
use toml::Table;

#[test]
fn two_hosts_on_debians_kernel_share_a_wire_and_a_cloud() -> Result<()> {
    let (image, wire) = (Image::build()?, Wire::new()?);
    let a = DebianHost::start(&image, "a", &wire, 0)?;
    let b = DebianHost::start(&image, "b", &wire, 1)?;
    let cloud = Cloud::start(&["--virt-type", "fake", "--public-address", "127.0.0.1"])?;
    let mut a = Member::join(&cloud, a, "a", &Table::new())?;
    let mut b = Member::join(&cloud, b, "b", &Table::new())?;
    vlans_made_by_hand_meet(&mut a.host, &mut b.host, &wire)
}

/// The same number is the same wire, another number another one.
fn vlans_made_by_hand_meet(a: &mut DebianHost, b: &mut DebianHost, wire: &Wire) -> Result<()> {
    for (host, end, vlans) in [(&mut *a, 1, [100, 101]), (&mut *b, 2, [100, 102])] {
        for (net, vlan) in vlans.into_iter().enumerate() {
            host.must(&format!(
                "ip link add link eth1 name v{vlan} type vlan id {vlan} && \
                 ip address add 192.0.2.{}/30 dev v{vlan} && ip link set v{vlan} up",
                4 * net + end
            ))?;
        }
    }
    a.must("ping -c 3 -W 10 192.0.2.2")?;
    let strange = a.run("ping -c 2 -W 2 192.0.2.6")?;
    ensure!(strange.code != 0, "VLANs 101 and 102 meet: {strange:?}");
    let mac = b.must("cat /sys/class/net/eth1/address")?;
    let frames = wire.frames()?;
    let seen = |vlan, kind| frames.iter().any(|f| f.vlan == vlan && f.kind == kind);
    ensure!(seen(Some(100), 0x0800), "no tagged ping: {frames:?}");
    ensure!(seen(Some(101), 0x0806), "nobody was asked for: {frames:?}");
    ensure!(
        frames.iter().any(|f| f.vlan == Some(100) && f.from == mac),
        "no answer: {frames:?}"
    );
    Ok(())
}
