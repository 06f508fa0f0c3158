//! The Network API, version 2.0: networks, subnets, ports, security groups and their rules, floating IPs.
//!
//! [`body`] reads what clients send and refuses what is not known, [`listing`] filters and cuts what
//! they see. A network has one IPv4 subnet; what carries it between hosts is said by [`provider`], and the
//! numbers come out of [`segment_ranges`]. Floating IPs are addresses of the one external network. Routers are not built yet ([`unbuilt`]).

mod agents;
mod body;
pub mod bootstrap;
mod extensions;
mod floating;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod group_rules;
mod groups;
mod limits;
mod listing;
mod networks;
mod ports;
mod provider;
mod quotas;
mod rule_input;
mod segment_ranges;
mod subnet_input;
mod subnets;
#[cfg(test)]
mod tests;
mod unbuilt;

pub(crate) use groups::ensure_default as ensure_default_group;
pub(crate) use limits::check as check_limit;
pub(crate) use listing::TOLD_AT_ONCE;
pub(crate) use rule_input::from_words as rule;
pub(crate) use subnet_input::{MOST_DNS, for_guests};

use crate::http::{Action, Routes};

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    let routes = of_networks(routes);
    let routes = of_groups(routes);
    let routes = of_floating_ips(routes);
    let routes = of_segment_ranges(routes);
    unbuilt::routes(of_everything(routes))
}

fn of_networks(routes: Routes) -> Routes {
    routes
        .get("/networks", Action::NetworksRead, networks::list)
        .post_once("/networks", Action::NetworksWrite, networks::create)
        .get("/networks/{id}", Action::NetworksRead, networks::show)
        .put("/networks/{id}", Action::NetworksWrite, networks::update)
        .delete("/networks/{id}", Action::NetworksWrite, networks::delete)
        .get("/subnets", Action::SubnetsRead, subnets::list)
        .post_once("/subnets", Action::SubnetsWrite, subnets::create)
        .get("/subnets/{id}", Action::SubnetsRead, subnets::show)
        .put("/subnets/{id}", Action::SubnetsWrite, subnets::update)
        .delete("/subnets/{id}", Action::SubnetsWrite, subnets::delete)
        .get("/ports", Action::PortsRead, ports::list)
        .post_once("/ports", Action::PortsWrite, ports::create)
        .get("/ports/{id}", Action::PortsRead, ports::show)
        .put("/ports/{id}", Action::PortsWrite, ports::update)
        .delete("/ports/{id}", Action::PortsWrite, ports::delete)
}

fn of_groups(routes: Routes) -> Routes {
    routes
        .get("/security-groups", Action::SecurityGroupsRead, groups::list)
        .post_once(
            "/security-groups",
            Action::SecurityGroupsWrite,
            groups::create,
        )
        .get(
            "/security-groups/{id}",
            Action::SecurityGroupsRead,
            groups::show,
        )
        .put(
            "/security-groups/{id}",
            Action::SecurityGroupsWrite,
            groups::update,
        )
        .delete(
            "/security-groups/{id}",
            Action::SecurityGroupsWrite,
            groups::delete,
        )
        .get(
            "/security-group-rules",
            Action::SecurityGroupsRead,
            group_rules::list,
        )
        .post_once(
            "/security-group-rules",
            Action::SecurityGroupsWrite,
            group_rules::create,
        )
        .get(
            "/security-group-rules/{id}",
            Action::SecurityGroupsRead,
            group_rules::show,
        )
        .delete(
            "/security-group-rules/{id}",
            Action::SecurityGroupsWrite,
            group_rules::delete,
        )
}

fn of_floating_ips(routes: Routes) -> Routes {
    routes
        .get("/floatingips", Action::FloatingIpsRead, floating::list)
        .post_once("/floatingips", Action::FloatingIpsWrite, floating::create)
        .get("/floatingips/{id}", Action::FloatingIpsRead, floating::show)
        .put(
            "/floatingips/{id}",
            Action::FloatingIpsWrite,
            floating::update,
        )
        .delete(
            "/floatingips/{id}",
            Action::FloatingIpsWrite,
            floating::delete,
        )
}

fn of_segment_ranges(routes: Routes) -> Routes {
    let (all, one) = ("/network_segment_ranges", "/network_segment_ranges/{id}");
    routes
        .get(all, Action::SegmentRangesRead, segment_ranges::list)
        .post_once(all, Action::SegmentRangesWrite, segment_ranges::create)
        .get(one, Action::SegmentRangesRead, segment_ranges::show)
        .put(one, Action::SegmentRangesWrite, segment_ranges::update)
        .delete(one, Action::SegmentRangesWrite, segment_ranges::delete)
}

fn of_everything(routes: Routes) -> Routes {
    routes
        .get("/quotas/{project}", Action::NetworkQuotaRead, quotas::show)
        .get(
            "/quotas/{project}/default",
            Action::NetworkQuotaRead,
            quotas::defaults,
        )
        .get(
            "/quotas/{project}/details.json",
            Action::NetworkQuotaRead,
            quotas::details,
        )
        .get(
            "/quotas/{project}/details",
            Action::NetworkQuotaRead,
            quotas::details,
        )
        .put(
            "/quotas/{project}",
            Action::NetworkQuotaWrite,
            quotas::update,
        )
        .delete(
            "/quotas/{project}",
            Action::NetworkQuotaWrite,
            quotas::reset,
        )
        .get(
            "/extensions",
            Action::NetworkExtensionsRead,
            extensions::list,
        )
        .get(
            "/extensions/{alias}",
            Action::NetworkExtensionsRead,
            extensions::show,
        )
        .get("/agents", Action::NetworkAgents, agents::list)
        .get("/availability_zones", Action::NetworksRead, agents::zones)
}
