//! The Compute API v2.1, in the microversions 2.1 to 2.96.
//!
//! [`servers`] is the heart of it; [`flavors`], [`keypairs`] and [`quotas`] are what servers are made
//! within, [`hosts`] where they run. Bodies are read with [`fields`], so that every refusal names the
//! field. [`older`] is what it once said of networks. [`unbuilt`] answers what is not there. What is *not*
//! here: what a wish does to rows and messages (`skybus_store::lifecycle`).

mod fields;
mod flavors;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hosts;
mod keypairs;
mod older;
mod quotas;
mod servers;
#[cfg(test)]
mod tests;
mod unbuilt;

use crate::http::{Action, Routes};

/// What it serves.
pub fn routes(routes: Routes) -> Routes {
    let routes = of_servers(routes);
    let routes = below_servers(routes);
    let routes = of_flavors(routes);
    let routes = of_projects(routes);
    let routes = of_networks(routes);
    of_hosts(routes)
}

fn of_servers(routes: Routes) -> Routes {
    use servers::{actions, create, list, metadata, show};
    let (item, meta, one_meta) = (
        "/servers/{id}",
        "/servers/{id}/metadata",
        "/servers/{id}/metadata/{key}",
    );
    routes
        .get("/servers", Action::ServersRead, list::index)
        .get("/servers/detail", Action::ServersRead, list::detail)
        .post_once("/servers", Action::ServersCreate, create::create)
        .get(item, Action::ServersRead, show::show)
        .put(item, Action::ServersUpdate, show::update)
        .delete(item, Action::ServersDelete, show::delete)
        .post("/servers/{id}/action", Action::ServersAction, actions::act)
        .get(meta, Action::ServersRead, metadata::index)
        .post(meta, Action::ServersMetadata, metadata::merge)
        .put(meta, Action::ServersMetadata, metadata::replace)
        .get(one_meta, Action::ServersRead, metadata::show)
        .put(one_meta, Action::ServersMetadata, metadata::set)
        .delete(one_meta, Action::ServersMetadata, metadata::delete)
}

fn below_servers(routes: Routes) -> Routes {
    use servers::{groups, history, interfaces, plug};
    let (plugs, one_plug) = (
        "/servers/{id}/os-interface",
        "/servers/{id}/os-interface/{port}",
    );
    let volumes = "/servers/{id}/os-volume_attachments";
    routes
        .get(
            "/servers/{id}/os-security-groups",
            Action::ServersRead,
            groups::index,
        )
        .get(
            "/servers/{id}/ips",
            Action::ServersRead,
            interfaces::addresses,
        )
        .get(
            "/servers/{id}/ips/{network}",
            Action::ServersRead,
            interfaces::addresses_on,
        )
        .get(plugs, Action::ServersRead, interfaces::index)
        .post_once(plugs, Action::ServerInterfaces, plug::attach)
        .get(one_plug, Action::ServersRead, interfaces::show)
        .delete(one_plug, Action::ServerInterfaces, plug::detach)
        .get(
            "/servers/{id}/os-instance-actions",
            Action::ServerActionsRead,
            history::index,
        )
        .get(
            "/servers/{id}/os-instance-actions/{request}",
            Action::ServerActionsRead,
            history::show,
        )
        .get(
            "/servers/{id}/diagnostics",
            Action::ServersRead,
            unbuilt::diagnostics,
        )
        .get(volumes, Action::ServersRead, unbuilt::no_volumes)
        .post(volumes, Action::ServerVolumes, unbuilt::volumes)
        .get("/servers/{id}/tags", Action::ServersRead, unbuilt::no_tags)
        .put("/servers/{id}/tags", Action::ServersUpdate, unbuilt::tags)
        .put(
            "/servers/{id}/tags/{tag}",
            Action::ServersUpdate,
            unbuilt::tags,
        )
        .get(
            "/servers/{id}/migrations",
            Action::ServersRead,
            unbuilt::no_migrations,
        )
        .get(
            "/servers/{id}/os-server-password",
            Action::ServersRead,
            unbuilt::no_password,
        )
}

fn of_flavors(routes: Routes) -> Routes {
    use flavors::{access, manage, specs};
    let item = "/flavors/{id}";
    let (all_specs, one_spec) = (
        "/flavors/{id}/os-extra_specs",
        "/flavors/{id}/os-extra_specs/{key}",
    );
    routes
        .get("/flavors", Action::FlavorsRead, flavors::index)
        .get("/flavors/detail", Action::FlavorsRead, flavors::detail)
        .post_once("/flavors", Action::FlavorsWrite, manage::create)
        .get(item, Action::FlavorsRead, flavors::show)
        .put(item, Action::FlavorsWrite, manage::update)
        .delete(item, Action::FlavorsWrite, manage::delete)
        .post("/flavors/{id}/action", Action::FlavorsWrite, access::act)
        .get(
            "/flavors/{id}/os-flavor-access",
            Action::FlavorsWrite,
            access::index,
        )
        .get(all_specs, Action::FlavorsRead, specs::index)
        .post(all_specs, Action::FlavorsWrite, specs::merge)
        .get(one_spec, Action::FlavorsRead, specs::show)
        .put(one_spec, Action::FlavorsWrite, specs::set)
        .delete(one_spec, Action::FlavorsWrite, specs::delete)
}

fn of_projects(routes: Routes) -> Routes {
    let quota = "/os-quota-sets/{project}";
    routes
        .get("/os-keypairs", Action::KeypairsRead, keypairs::index)
        .post_once("/os-keypairs", Action::KeypairsWrite, keypairs::create)
        .get("/os-keypairs/{name}", Action::KeypairsRead, keypairs::show)
        .delete(
            "/os-keypairs/{name}",
            Action::KeypairsWrite,
            keypairs::delete,
        )
        .get("/limits", Action::LimitsRead, quotas::limits)
        .get(quota, Action::QuotaRead, quotas::show)
        .put(quota, Action::QuotaWrite, quotas::update)
        .delete(quota, Action::QuotaWrite, quotas::delete)
        .get(
            "/os-quota-sets/{project}/defaults",
            Action::QuotaRead,
            quotas::defaults,
        )
        .get(
            "/os-quota-sets/{project}/detail",
            Action::QuotaRead,
            quotas::detail,
        )
        .get(
            "/os-server-groups",
            Action::ServerGroupsRead,
            unbuilt::no_server_groups,
        )
        .post(
            "/os-server-groups",
            Action::ServersCreate,
            unbuilt::server_groups,
        )
        .get("/os-simple-tenant-usage", Action::UsageRead, unbuilt::usage)
        .get(
            "/os-simple-tenant-usage/{project}",
            Action::UsageRead,
            unbuilt::usage,
        )
        .get("/extensions", Action::ExtensionsRead, unbuilt::extensions)
        .get(
            "/extensions/{alias}",
            Action::ExtensionsRead,
            unbuilt::one_extension,
        )
}

fn of_networks(routes: Routes) -> Routes {
    use older::{floating, groups, rules};
    let (floats, one_float) = ("/os-floating-ips", "/os-floating-ips/{id}");
    let (all, one) = ("/os-security-groups", "/os-security-groups/{id}");
    routes
        .get(
            "/os-floating-ip-pools",
            Action::OlderFloatingIpsRead,
            floating::pools,
        )
        .get(floats, Action::OlderFloatingIpsRead, floating::index)
        .post_once(floats, Action::OlderFloatingIpsWrite, floating::create)
        .get(one_float, Action::OlderFloatingIpsRead, floating::show)
        .delete(one_float, Action::OlderFloatingIpsWrite, floating::delete)
        .get(all, Action::OlderGroupsRead, groups::index)
        .post_once(all, Action::OlderGroupsWrite, groups::create)
        .get(one, Action::OlderGroupsRead, groups::show)
        .put(one, Action::OlderGroupsWrite, groups::update)
        .delete(one, Action::OlderGroupsWrite, groups::delete)
        .post_once(
            "/os-security-group-rules",
            Action::OlderGroupsWrite,
            rules::create,
        )
        .delete(
            "/os-security-group-rules/{id}",
            Action::OlderGroupsWrite,
            rules::delete,
        )
}

fn of_hosts(routes: Routes) -> Routes {
    use hosts::{hypervisors, service_update, services, zones};
    routes
        .get("/os-availability-zone", Action::ZonesRead, zones::index)
        .get(
            "/os-availability-zone/detail",
            Action::ZonesRead,
            zones::detail,
        )
        .get(
            "/os-hypervisors",
            Action::HypervisorsRead,
            hypervisors::index,
        )
        .get(
            "/os-hypervisors/detail",
            Action::HypervisorsRead,
            hypervisors::detail,
        )
        .get(
            "/os-hypervisors/statistics",
            Action::HypervisorsRead,
            hypervisors::statistics,
        )
        .get(
            "/os-hypervisors/{id}",
            Action::HypervisorsRead,
            hypervisors::show,
        )
        .get(
            "/os-hypervisors/{id}/search",
            Action::HypervisorsRead,
            hypervisors::search,
        )
        .get(
            "/os-hypervisors/{id}/servers",
            Action::HypervisorsRead,
            hypervisors::search_servers,
        )
        .get("/os-services", Action::ServicesRead, services::index)
        .put(
            "/os-services/enable",
            Action::ServicesWrite,
            service_update::enable,
        )
        .put(
            "/os-services/disable",
            Action::ServicesWrite,
            service_update::disable,
        )
        .put(
            "/os-services/disable-log-reason",
            Action::ServicesWrite,
            service_update::disable_with_reason,
        )
        .put(
            "/os-services/force-down",
            Action::ServicesWrite,
            service_update::force_down,
        )
        .put(
            "/os-services/{id}",
            Action::ServicesWrite,
            service_update::update,
        )
        .get(
            "/os-aggregates",
            Action::AggregatesRead,
            unbuilt::no_aggregates,
        )
        .post(
            "/os-aggregates",
            Action::AggregatesRead,
            unbuilt::aggregates,
        )
}
