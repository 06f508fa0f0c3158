//! Plugging a server that exists into one more network, and unplugging it: each is one transaction. What it means
//! for rows and messages is in `skybus_store::lifecycle::interfaces`.

use std::net::Ipv4Addr;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_fault::{self as fault, Point};
use skybus_model::{
    id::{NetworkId, PortId},
    server::Request,
};
use skybus_store::{
    Error as StoreError, Tx,
    lifecycle::{
        accept::Wish,
        interfaces::{self, Into},
    },
    networks::{NewPort, Scope, groups, network, ports, quotas::Resource, subnets},
    servers::Server,
};

use super::{change::refused, find, interfaces::interface, request::Interface};
use crate::{
    app::App,
    compute::fields::{Fields, Invalid},
    http::{Auth, Error, Json, Microversion, Once, Path, RequestContext},
    network::check_limit,
};

/// Gives a server one more interface.
pub(crate) async fn attach(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    Path(id): Path<String>,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let asked = read(&body, version)?;
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, &auth, &id).await?;
    let into = into(&mut tx, &server, asked).await?;
    let is_chosen = match &into {
        Into::New(new) => new.address.is_some(),
        Into::Port(_) => true,
    };
    let wish = Wish {
        request: Request::AttachInterface,
        actor: auth.user,
        context: &context,
        key: &app.paths,
    };
    let port = match interfaces::attach(&mut tx, &mut server, &wish, into).await {
        Ok(Ok(port)) => port,
        Ok(Err(conflict)) => return Err(refused(&server, Request::AttachInterface, &conflict)),
        // That there is no address left is the request's own fault, in Nova's words; that somebody else has
        // what was chosen is a conflict.
        Err(StoreError::Conflict(why)) if !is_chosen => return Err(Error::bad_request(why)),
        Err(error) => return Err(error.into()),
    };
    let port = ports::get(tx.conn(), port, Scope::Everything).await?;
    let answer = json!({ "interfaceAttachment": interface(&port) });
    let response = once.record(&mut tx, StatusCode::OK, None, &answer).await?;
    app.push(tx.commit().await?);
    fault::hit(Point::ApiBeforeAnswer, "attach");
    Ok(response)
}

/// Takes one of its interfaces from a server.
pub(crate) async fn detach(
    State(app): State<App>,
    auth: Auth,
    RequestContext(context): RequestContext,
    Path((id, port)): Path<(String, String)>,
) -> Result<Response, Error> {
    let mut tx = app.store.begin().await?;
    let mut server = find::locked(&mut tx, &auth, &id).await?;
    let port: PortId = port.parse().map_err(|_| Error::not_found("port", &port))?;
    let wish = Wish {
        request: Request::DetachInterface,
        actor: auth.user,
        context: &context,
        key: &app.paths,
    };
    if let Err(conflict) = interfaces::detach(&mut tx, &mut server, &wish, port).await? {
        return Err(refused(&server, Request::DetachInterface, &conflict));
    }
    app.push(tx.commit().await?);
    fault::hit(Point::ApiBeforeAnswer, "detach");
    Ok(StatusCode::ACCEPTED.into_response())
}

/// What is asked for; none leaves the choice of the network to the cloud.
fn read(body: &Value, version: Microversion) -> Result<Option<Interface>, Invalid> {
    let whole = Fields::whole(body)?;
    whole.only(&["interfaceAttachment"])?;
    let Some(fields) = whole.inner("interfaceAttachment")? else {
        return Ok(None);
    };
    if fields.given("tag") && version.since(49) {
        return Err(Invalid::new(
            fields.at("tag"),
            "tagged interfaces are not built yet in this cloud; leave the tag out",
        ));
    }
    fields.only(&["net_id", "port_id", "fixed_ips"])?;
    let fixed = fixed_ip(&fields)?;
    let (network, port) = (id(&fields, "net_id")?, id(&fields, "port_id")?);
    match (network, port) {
        (Some(_), Some(_)) => Err(Invalid::new(
            fields.at("port_id"),
            "a port is on its network already; give net_id or port_id, not both",
        )),
        (None, Some(_)) if fixed.is_some() => Err(Invalid::new(
            fields.at("fixed_ips"),
            "a port has its address already; leave fixed_ips out",
        )),
        (None, None) if fixed.is_some() => Err(Invalid::new(
            fields.at("fixed_ips"),
            "an address is one of a network; give its net_id, too",
        )),
        (Some(network), None) => Ok(Some(Interface::On(network, fixed))),
        (None, port) => Ok(port.map(Interface::Port)),
    }
}

fn id<T: std::str::FromStr<Err: ToString>>(
    fields: &Fields<'_>,
    key: &str,
) -> Result<Option<T>, Invalid> {
    fields
        .text(key, 1..=64)?
        .map(|text| {
            text.parse()
                .map_err(|error: T::Err| Invalid::new(fields.at(key), error.to_string()))
        })
        .transpose()
}

fn fixed_ip(fields: &Fields<'_>) -> Result<Option<Ipv4Addr>, Invalid> {
    let at = fields.at("fixed_ips");
    match fields.list("fixed_ips", 1)? {
        None => Ok(None),
        Some([one]) => {
            let one = Fields::object(&format!("{at}.0"), one)?;
            one.only(&["ip_address"])?;
            let text = one.required_text("ip_address", 1..=64)?;
            let wrong = |_| {
                Invalid::new(
                    one.at("ip_address"),
                    format!("{text:?} is not an IPv4 address"),
                )
            };
            text.parse().map(Some).map_err(wrong)
        }
        Some(_) => Err(Invalid::new(at, "it must have exactly one element")),
    }
}

/// Looks up what was asked for. The server is locked.
async fn into(tx: &mut Tx, server: &Server, asked: Option<Interface>) -> Result<Into, Error> {
    let scope = Scope::Project(server.project);
    let (on, address) = match asked {
        Some(Interface::Port(id)) => {
            let port = ports::get(tx.conn(), id, scope).await?;
            if port.server.is_some() {
                let text = format!("Port {id} is still in use.");
                return Err(Error::conflict(text).named("PortInUse"));
            }
            return Ok(Into::Port(id));
        }
        Some(Interface::On(network, address)) => (network, address),
        None => (the_network(tx, server).await?, None),
    };
    let network = network::get(tx.conn(), on, scope).await?;
    if network.external {
        return Err(Error::bad_request(format!(
            "network {on} is external: no interface can be on it; attach another network and add a floating IP"
        )));
    }
    match (subnets::of_network(tx.conn(), on).await?, address) {
        (None, _) => {
            return Err(Error::bad_request(format!(
                "network {on} has no subnet; create one first"
            )));
        }
        (Some(subnet), Some(address)) if !subnet.cidr.contains(&address) => {
            return Err(Error::bad_request(format!(
                "Fixed IP {address} is not a valid ip address for network {on}: its subnet is {}.",
                subnet.cidr
            )));
        }
        _ => {}
    }
    check_limit(tx, server.project, Resource::Port).await?;
    let mut new = NewPort::new(on, server.project);
    new.address = address;
    new.groups = vec![groups::ensure_default(tx, server.project).await?.id];
    Ok(Into::New(Box::new(new)))
}

/// The one network that the server's project can use.
async fn the_network(tx: &mut Tx, server: &Server) -> Result<NetworkId, Error> {
    let mut all = network::list(tx.conn(), Scope::Project(server.project)).await?;
    all.retain(|network| !network.external);
    match all.as_slice() {
        [one] => Ok(one.id),
        [] => Err(Error::bad_request(
            "No network was given, and the project has none; create one first.",
        )),
        _ => Err(Error::bad_request(
            "Multiple possible networks found, use a Network ID to be more specific.",
        )),
    }
}
