//! Interfaces of machines that run: what is there is asked, and only the difference is made.

use skybus_model::{
    id::{NetworkId, PortId},
    server::Nic,
};

use super::*;

fn nic(place: u8) -> Nic {
    Nic {
        port: PortId::random(),
        network: NetworkId::random(),
        mac: format!("fa:16:3e:00:00:{place:02x}"),
        address: [10, 1, 0, place].into(),
        place: Some(place),
    }
}

#[tokio::test]
async fn an_interface_comes_and_goes_once_while_the_machine_runs_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let (first, second) = (nic(0), nic(1));
    let mut boot = wish("vm", 1, Desired::Running);
    boot.spec.nics.push(first.clone());
    bench.ensure(&boot).await;
    bench.settle().await;

    let mut more = next(&boot, Desired::Running, None);
    more.spec.nics.push(second.clone());
    for _ in 0..2 {
        bench.ensure(&more).await;
        let report = bench.settle().await.remove(0);
        assert_eq!((report.power, report.fault.clone()), (Power::Running, None));
        assert_eq!(words(&report), ["interface plugged"]);
    }
    let at = place(&boot);
    assert_eq!(bench.driver.interfaces(&at), [first.port, second.port]);

    let mut less = next(&more, Desired::Running, None);
    less.spec.nics.remove(0);
    bench.ensure(&less).await;
    assert_eq!(words(&bench.settle().await[0]), ["interface unplugged"]);
    assert_eq!(bench.driver.interfaces(&at), [second.port]);
    assert_eq!(bench.starts(&at).await, 1, "it was not started again");
}

#[tokio::test]
async fn a_worker_that_died_in_between_does_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let boot = wish("vm", 1, Desired::Running);
    bench.ensure(&boot).await;
    bench.settle().await;
    let (first, second) = (nic(0), nic(1));
    let mut more = next(&boot, Desired::Running, None);
    more.spec.nics = vec![first.clone(), second.clone()];
    let at = place(&boot);
    // It had done the first, and nobody knows.
    let hops = Hops::on(&host());
    bench.driver.plug(&at, &first, &hops).await.unwrap();
    bench.ensure(&more).await;
    assert_eq!(words(&bench.settle().await[0]), ["interface plugged"]);
    assert_eq!(bench.driver.interfaces(&at), [first.port, second.port]);
}

#[tokio::test]
async fn what_the_guest_keeps_is_said_and_hurts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(dir.path()).await;
    let mut boot = wish("vm", 1, Desired::Running);
    boot.spec.nics.push(nic(0));
    bench.ensure(&boot).await;
    bench.settle().await;
    bench.driver.cling(true);
    let mut less = next(&boot, Desired::Running, None);
    less.spec.nics.clear();
    bench.ensure(&less).await;
    let report = bench.settle().await.remove(0);
    assert!(report.fault.is_some());
    assert_eq!(report.power, Power::Running);
    let at = place(&boot);
    assert_eq!(bench.driver.interfaces(&at).len(), 1);

    // Off and on, it is without.
    let off = next(&less, Desired::Stopped, None);
    bench.ensure(&off).await;
    bench.settle().await;
    bench.ensure(&next(&off, Desired::Running, None)).await;
    assert_eq!(bench.settle().await[0].power, Power::Running);
    assert!(bench.driver.interfaces(&at).is_empty());
}
