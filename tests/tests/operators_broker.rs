//! A cloud on a broker that an operator runs: accounts of its own come with it, and go with it.

use anyhow::{Context, Result, ensure};
use skybus_bus::testing::Broker;
use skybus_tests::{cloud::Cloud, joiner::Joiner};
use tokio::runtime::Runtime;

#[test]
fn accounts_and_queues_come_with_a_cloud_and_go_with_it() -> Result<()> {
    let runtime = Runtime::new()?;
    let broker = runtime.block_on(Broker::start())?;
    let management = broker.management()?;
    let ours = |prefix: &str| runtime.block_on(management.accounts(prefix));
    ensure!(ours("skybus.")?.is_empty());

    let (address, http) = (broker.admin_url(), broker.management_url());
    let options = [
        "--virt-type",
        "fake",
        "--broker",
        &address,
        "--broker-management",
        &http,
        "--public-address",
        "127.0.0.1",
    ];
    let cloud = Cloud::start(&options)?;
    cloud.add_small_image()?;
    let boot = [
        "boot", "--flavor", "m1.tiny", "--image", "small", "--poll", "vm1",
    ];
    cloud.skybus(&boot)?.ok()?;
    cloud
        .skybus(&["bus", "subscriber", "add", "auditor"])?
        .ok()?;
    let names = ours("skybus.")?;
    ensure!(names.len() == 5, "four roles and a subscriber: {names:?}");
    // A machine that is still there when the cloud goes has accounts and queues as well.
    let joiner = Joiner::new()?;
    let token = cloud.skybus(&["host", "add", "b"])?;
    joiner
        .join(&[token.ok()?.trim(), "--virt-type", "fake"])?
        .ok()?;
    let names = ours("skybus.")?;
    ensure!(names.len() == 7, "two more of the second host: {names:?}");

    cloud.down(&["--purge"])?;
    let names = ours("skybus.")?;
    ensure!(names.is_empty(), "these accounts are left: {names:?}");
    let queues = runtime.block_on(management.queues())?;
    let left = queues
        .iter()
        .find(|queue| queue.name.starts_with("skybus."));
    ensure!(left.is_none(), "this queue is left: {left:?}");
    // Whoever had copied an address finds the door closed.
    let admins = runtime.block_on(management.accounts("admin"))?;
    admins
        .first()
        .context("the operator's own account is gone")?;
    Ok(())
}
