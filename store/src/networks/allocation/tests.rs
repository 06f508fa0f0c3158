//! The arithmetic of pools, also by trial of many subnets.

use std::collections::HashSet;

use super::*;

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn pool(start: &str, end: &str) -> Pool {
    Pool {
        start: ip(start),
        end: ip(end),
    }
}

#[test]
fn the_gateway_is_never_given_out() {
    let first = default_pools(net("10.1.0.0/23"), ip("10.1.0.1")).unwrap();
    assert_eq!(first, vec![pool("10.1.0.2", "10.1.1.254")]);
    let last = default_pools(net("10.1.0.0/24"), ip("10.1.0.254")).unwrap();
    assert_eq!(last, vec![pool("10.1.0.1", "10.1.0.253")]);
    let middle = default_pools(net("10.1.0.0/29"), ip("10.1.0.3")).unwrap();
    assert_eq!(
        middle,
        vec![pool("10.1.0.1", "10.1.0.2"), pool("10.1.0.4", "10.1.0.6")]
    );
}

#[test]
fn every_address_is_given_out_once_and_then_there_is_none() {
    for cidr in ["10.0.0.0/30", "10.0.0.0/29", "192.168.7.0/24"] {
        let gateway = u32::from(net(cidr).network()) + 1;
        let pools = default_pools(net(cidr), gateway.into()).unwrap();
        let mut taken: Vec<Ipv4Addr> = Vec::new();
        let mut cursor = pools[0].start;
        while let Some(address) = first_free(&pools, cursor, &taken) {
            taken.push(address);
            taken.sort();
            cursor = address;
        }
        let distinct: HashSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), taken.len());
        assert_eq!(
            taken.len() as u64,
            pools.iter().map(Pool::size).sum::<u64>()
        );
    }
}

#[test]
fn a_released_address_rests_before_it_is_given_out_again() {
    let pools = default_pools(net("10.0.0.0/29"), ip("10.0.0.1")).unwrap();
    assert_eq!(
        first_free(&pools, ip("10.0.0.3"), &[]),
        Some(ip("10.0.0.4"))
    );
    assert_eq!(
        first_free(&pools, ip("10.0.0.6"), &[]),
        Some(ip("10.0.0.2"))
    );
    assert_eq!(
        first_free(&pools, ip("10.0.0.3"), &[ip("10.0.0.4")]),
        Some(ip("10.0.0.5"))
    );
}

#[test]
fn the_search_goes_over_the_gap_between_two_pools() {
    let pools = [pool("10.0.0.2", "10.0.0.3"), pool("10.0.0.10", "10.0.0.11")];
    assert_eq!(next(&pools, ip("10.0.0.3")), Some(ip("10.0.0.10")));
    assert_eq!(next(&pools, ip("10.0.0.11")), Some(ip("10.0.0.2")));
    assert_eq!(next(&[], ip("10.0.0.11")), None);
}

#[test]
fn pools_that_do_not_fit_are_refused_with_the_reason() {
    let cidr = net("10.0.0.0/24");
    let gateway = ip("10.0.0.1");
    let check = |pools| checked_pools(cidr, gateway, pools).unwrap_err().to_string();
    assert!(check(vec![pool("10.0.1.2", "10.0.1.9")]).contains("does not lie within"));
    assert!(check(vec![pool("10.0.0.9", "10.0.0.2")]).contains("does not lie within"));
    assert!(check(vec![pool("10.0.0.1", "10.0.0.2")]).contains("gateway"));
    let overlapping = vec![
        pool("10.0.0.20", "10.0.0.30"),
        pool("10.0.0.10", "10.0.0.20"),
    ];
    assert!(check(overlapping).contains("overlap"));
    assert!(usable(net("10.0.0.0/31")).is_err());
    assert!(default_pools(cidr, ip("10.0.0.255")).is_err());
    assert!(default_pools(cidr, ip("10.0.0.0")).is_err());
    assert!(default_pools(net("0.0.0.0/0"), ip("10.0.0.0")).is_ok());
}
