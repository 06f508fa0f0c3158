//! Looks up what a boot speaks of: flavor, image, keypair, groups, networks, zone. Everything that is
//! wrong with the request is found here, before anything is written.

use skybus_model::{
    host::Resources,
    id::{ProjectId, SecurityGroupId},
    image::ImageStatus,
    server::Desired,
};
use skybus_store::{
    Error as StoreError,
    compute::{
        flavors::{self, Flavor},
        keypairs::{self, Keypair},
    },
    hosts,
    images::{self, Image},
    networks::{Scope, groups, network, ports, subnets},
    servers::{FlavorSnapshot, ImageBytes},
    services,
};

use super::{
    request::{Boot, Interface, Networks},
    unnamed,
};
use crate::{
    app::App,
    http::{Auth, Error},
};

const GIB: i64 = 1 << 30;

/// A boot whose every word has been looked up.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) project: ProjectId,
    pub(super) resources: Resources,
    pub(super) flavor: FlavorSnapshot,
    pub(super) image: Image,
    pub(super) image_bytes: ImageBytes,
    pub(super) key: Option<Keypair>,
    /// Empty means the project's default group.
    pub(super) groups: Vec<SecurityGroupId>,
    pub(super) interfaces: Vec<Interface>,
    /// Whether it goes to a network that waits for its first use, unless another boot takes that first.
    pub(super) waiting: bool,
    /// `zone`, `zone:host`, or nothing.
    pub(super) zone: Option<String>,
    pub(super) desired: Desired,
}

/// Looks everything up.
pub(super) async fn make(app: &App, auth: &Auth, boot: &Boot) -> Result<Plan, Error> {
    let project = auth.project()?;
    let visible = (!auth.is_admin()).then_some(project);
    let flavor = flavors::find(&app.store, &boot.flavor, visible)
        .await
        .map_err(|e| missing(e, format!("Flavor {} could not be found.", boot.flavor)))?;
    let image = images::get(app.store.pool(), boot.image, Scope::Project(project))
        .await
        .map_err(|e| missing(e, format!("Image {} could not be found.", boot.image)))?;
    let image_bytes = usable(&image, &flavor)?;
    let key = match &boot.key_name {
        None => None,
        Some(name) => Some(
            keypairs::find(&app.store, auth.user, name)
                .await
                .map_err(|e| {
                    missing(
                        e,
                        format!(
                            "Invalid key_name provided: there is no key pair {name:?} of yours."
                        ),
                    )
                })?,
        ),
    };
    let (interfaces, waiting) = match &boot.networks {
        Networks::None => (Vec::new(), false),
        Networks::Auto => match unnamed::to(&app.store, project).await? {
            unnamed::To::These(interfaces) => (interfaces, false),
            unnamed::To::Waiting => (Vec::new(), true),
        },
        Networks::These(asked) => (named(app, project, boot, asked).await?, false),
    };
    Ok(Plan {
        project,
        resources: flavor.resources,
        groups: security_groups(app, project, boot).await?,
        interfaces,
        waiting,
        zone: zone(app, auth, boot).await?,
        flavor: snapshot(flavor),
        image,
        image_bytes,
        key,
        desired: Desired::Running,
    })
}

/// What a request's body speaks of and is not there is the body's fault: 400 and not 404.
fn missing(error: StoreError, text: String) -> Error {
    match error {
        StoreError::NotFound(_) => Error::bad_request(text),
        other => other.into(),
    }
}

fn snapshot(flavor: Flavor) -> FlavorSnapshot {
    FlavorSnapshot {
        id: flavor.id,
        name: flavor.name,
        vcpus: flavor.resources.vcpus,
        ram: flavor.resources.ram_mib,
        disk: flavor.resources.disk_gib,
        ephemeral: 0,
        swap: 0,
        extra_specs: flavor.extra_specs,
    }
}

/// Whether a server of this flavor can be made from this image.
fn usable(image: &Image, flavor: &Flavor) -> Result<ImageBytes, Error> {
    if image.status != ImageStatus::Active {
        return Err(Error::bad_request(format!(
            "Image {} is not active (it is {}); upload its bytes and wait until it is.",
            image.id, image.status
        )));
    }
    let (Some(format), Some(size), Some(sha512)) =
        (image.disk_format, image.size, image.sha512.clone())
    else {
        return Err(Error::bad_request(format!(
            "Image {} has no bytes.",
            image.id
        )));
    };
    let (ram, disk) = (flavor.resources.ram_mib, flavor.resources.disk_gib);
    if image.min_ram > ram {
        return Err(Error::bad_request(format!(
            "Flavor's memory is too small for requested image: the flavor {} has {ram} MiB, the image \
             needs {} MiB.",
            flavor.name, image.min_ram
        )));
    }
    // A flavor without disk means that the disk is as large as the image.
    let needs = image.min_disk.max(0) * GIB;
    let needs = needs.max(image.virtual_size.unwrap_or(size));
    if disk > 0 && needs > disk * GIB {
        return Err(Error::bad_request(format!(
            "Flavor's disk is too small for requested image: the flavor {} has {disk} GiB, the image \
             needs {} bytes.",
            flavor.name, needs
        )));
    }
    let properties = image.properties.clone();
    Ok(ImageBytes {
        format,
        size,
        sha512,
        properties,
    })
}

async fn security_groups(
    app: &App,
    project: ProjectId,
    boot: &Boot,
) -> Result<Vec<SecurityGroupId>, Error> {
    let mut ids = Vec::new();
    for name in &boot.groups {
        if name == groups::DEFAULT && boot.groups.len() == 1 {
            continue;
        }
        let found = groups::named(app.store.pool(), project, name).await?;
        match found.as_slice() {
            [one] => ids.push(one.id),
            [] => {
                return Err(Error::bad_request(format!(
                    "Security group {name} not found for project {project}."
                )));
            }
            _ => {
                return Err(Error::conflict(format!(
                    "Multiple security groups found matching '{name}'. Use an ID to be more specific."
                )));
            }
        }
    }
    Ok(ids)
}

/// The interfaces that were named, each of which can be had.
async fn named(
    app: &App,
    project: ProjectId,
    boot: &Boot,
    asked: &[Interface],
) -> Result<Vec<Interface>, Error> {
    let scope = Scope::Project(project);
    for interface in asked {
        match interface {
            Interface::On(id, fixed) => {
                if fixed.is_some() && boot.most > 1 {
                    return Err(Error::bad_request(
                        "a fixed IP cannot be given to several servers; boot them one by one",
                    ));
                }
                let network = network::get(app.store.pool(), *id, scope)
                    .await
                    .map_err(|e| missing(e, format!("Network {id} could not be found.")))?;
                if network.external {
                    return Err(Error::forbidden(format!(
                        "It is not allowed to create an interface on external network {id}; boot on \
                         another network and add a floating IP."
                    )));
                }
                let subnet = subnets::of_network(app.store.pool(), *id).await?;
                if let (Some(fixed), Some(subnet)) = (fixed, subnet)
                    && !subnet.cidr.contains(fixed)
                {
                    return Err(Error::bad_request(format!(
                        "Fixed IP {fixed} is not a valid ip address for network {id}: its subnet is {}.",
                        subnet.cidr
                    )));
                }
            }
            Interface::Port(id) => {
                if boot.most > 1 {
                    return Err(Error::bad_request(
                        "a port cannot be plugged into several servers; boot them one by one",
                    ));
                }
                ports::get(app.store.pool(), *id, scope)
                    .await
                    .map_err(|e| missing(e, format!("Port {id} could not be found.")))?;
            }
        }
    }
    Ok(asked.to_vec())
}

async fn zone(app: &App, auth: &Auth, boot: &Boot) -> Result<Option<String>, Error> {
    if let Some(host) = &boot.host {
        if !auth.is_admin() {
            return Err(Error::forbidden(
                "naming a host needs the role admin; name the availability zone alone",
            ));
        }
        let all = hosts::all(&app.store).await?;
        let known = all.iter().find(|known| known.name == *host);
        let known = known.ok_or_else(|| {
            Error::bad_request(format!(
                "No valid host was found: there is no compute host {host}."
            ))
        })?;
        let zone = boot.zone.as_deref().unwrap_or(&known.zone);
        if zone != known.zone {
            return Err(Error::bad_request(format!(
                "The host {host} is in availability zone {}, not in {zone}.",
                known.zone
            )));
        }
        return Ok(Some(format!("{zone}:{host}")));
    }
    let Some(zone) = &boot.zone else {
        return Ok(None);
    };
    let services = services::all(&app.store).await?;
    if services
        .iter()
        .any(|service| service.service == "compute" && service.zone == *zone)
    {
        Ok(Some(zone.clone()))
    } else {
        Err(Error::bad_request(format!(
            "The requested availability zone {zone} is not available"
        )))
    }
}
