//! `POST /servers`: one transaction that writes the servers, their ports with addresses, the quota use,
//! the operations and the messages to the scheduler; then 202.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};
use skybus_fault::{self as fault, Point};
use skybus_model::{
    Generation, Order, Timestamp,
    id::{SecurityGroupId, ServerId},
    message::Context,
    server::{Power, ServerState},
};
use skybus_store::{
    Tx,
    compute::quotas::{self, OverQuota, Resource},
    identity::projects,
    lifecycle::accept::boot as begin_boot,
    networks::{NewPort, Scope, groups, ports},
    outbox,
    servers::{self, Server},
};

use super::{
    hostname,
    plan::{self, Plan},
    request::{self, Boot, Interface},
    unnamed,
    view::Lens,
};
use crate::{
    app::App,
    http::{Auth, Error, Json, Microversion, Once, RequestContext},
};

/// More messages than this waiting for the broker means that accepting more only makes it worse.
const MOST_WAITING: i64 = 20_000;
/// Letters and digits that people do not confuse.
const PASSWORD_LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Makes servers.
pub(crate) async fn create(
    State(app): State<App>,
    auth: Auth,
    version: Microversion,
    RequestContext(context): RequestContext,
    once: Once,
    Json(body): Json<Value>,
) -> Result<Response, Error> {
    let boot = request::read(&body, version)?;
    let (waiting, _) = outbox::waiting(&app.store).await?;
    if waiting > MOST_WAITING {
        return Err(Error::unavailable(
            30,
            "too many messages wait for the broker; try again later",
        ));
    }
    let mut plan = plan::make(&app, &auth, &boot).await?;
    let mut tx = app.store.begin().await?;
    projects::hold(&mut tx, plan.project).await?;
    let count = take_quota(&mut tx, &plan, &boot).await?;
    if plan.waiting {
        plan.interfaces = unnamed::take(&mut tx, plan.project).await?;
    }
    let groups = match plan.groups.as_slice() {
        [] => vec![groups::ensure_default(&mut tx, plan.project).await?.id],
        some => some.to_vec(),
    };
    let password = boot.admin_pass.clone().unwrap_or_else(made_up_password);
    let mut ids = Vec::new();
    for number in 1..=count {
        let server = row(&auth, &plan, &boot, number, &password);
        accept(&mut tx, &plan, &server, &groups, &context).await?;
        ids.push(server.id);
    }
    let lens = Lens::new(&app, &auth, version);
    let (location, answer) = answer(&lens, &boot, &ids, &password);
    let response = once
        .record(&mut tx, StatusCode::ACCEPTED, location.as_deref(), &answer)
        .await?;
    app.push(tx.commit().await?);
    fault::hit(Point::ApiBeforeAnswer, "create");
    Ok(response)
}

/// Takes quota for as many servers as are wanted and fit; refuses when the least do not fit.
async fn take_quota(tx: &mut Tx, plan: &Plan, boot: &Boot) -> Result<i64, Error> {
    let items = i64::try_from(boot.metadata.len()).unwrap_or(i64::MAX);
    metadata_fits(tx, plan.project, items).await?;
    if let Err(over) = quotas::take_servers(tx, plan.project, boot.least, plan.resources).await? {
        return Err(over_quota(&over));
    }
    let mut count = boot.least;
    while count < boot.most
        && quotas::take_servers(tx, plan.project, 1, plan.resources)
            .await?
            .is_ok()
    {
        count += 1;
    }
    Ok(count)
}

/// Whether a server may have so many metadata items.
pub(crate) async fn metadata_fits(
    tx: &mut Tx,
    project: skybus_model::id::ProjectId,
    items: i64,
) -> Result<(), Error> {
    let limit = quotas::limit(tx, project, Resource::MetadataItems).await?;
    if limit >= 0 && items > limit {
        let over = OverQuota {
            resource: Resource::MetadataItems,
            asked: items,
            used: 0,
            limit,
        };
        return Err(over_quota(&over));
    }
    Ok(())
}

/// Nova's words for it: what is short, what was asked, used and allowed.
pub(crate) fn over_quota(over: &OverQuota) -> Error {
    Error::over_quota(format!(
        "{over}; delete something or ask an administrator for more"
    ))
}

fn row(auth: &Auth, plan: &Plan, boot: &Boot, number: i64, password: &str) -> Server {
    let id = ServerId::random();
    let name = match boot.most {
        1 => boot.name.clone(),
        _ => format!("{}-{number}", boot.name),
    };
    let fallback = format!("server-{id}");
    let hostname = match (&boot.hostname, boot.most) {
        (Some(own), 1) => own.clone(),
        (Some(own), _) => hostname::from_name(&format!("{own}-{number}"), &fallback),
        (None, _) => hostname::from_name(&name, &fallback),
    };
    let now = Timestamp::now();
    Server {
        id,
        project: plan.project,
        owner: auth.user,
        name,
        description: boot.description.clone(),
        hostname,
        state: ServerState::ACCEPTED,
        power: Power::Unknown,
        desired: plan.desired,
        generation: Generation(1),
        recorded: Order::default(),
        host: None,
        zone: plan.zone.clone(),
        resources: plan.resources,
        flavor: plan.flavor.clone(),
        image: plan.image.id,
        image_bytes: plan.image_bytes.clone(),
        key_name: plan.key.as_ref().map(|key| key.name.clone()),
        key_public: plan.key.as_ref().map(|key| key.public_key.clone()),
        user_data: boot.user_data.clone(),
        admin_pass: Some(password.to_owned()),
        config_drive: boot.config_drive,
        metadata: boot.metadata.clone(),
        fault: None,
        fault_at: None,
        created_at: now,
        updated_at: now,
        launched_at: None,
        deleted_at: None,
    }
}

/// Writes one server and its ports, and begins its boot.
async fn accept(
    tx: &mut Tx,
    plan: &Plan,
    server: &Server,
    groups: &[SecurityGroupId],
    context: &Context,
) -> Result<(), Error> {
    servers::insert(tx, server).await?;
    for (position, interface) in (0..).zip(&plan.interfaces) {
        plug(tx, server, interface, groups, position).await?;
    }
    begin_boot(tx, server, context).await?;
    Ok(())
}

async fn plug(
    tx: &mut Tx,
    server: &Server,
    interface: &Interface,
    groups: &[SecurityGroupId],
    position: i64,
) -> Result<(), Error> {
    match interface {
        Interface::On(network, address) => {
            let mut new = NewPort::new(*network, server.project).for_server(
                server.id,
                &server.hostname,
                position,
            );
            new.address = *address;
            new.groups = groups.to_vec();
            ports::create(tx, new).await?;
        }
        Interface::Port(id) => {
            let port = ports::get(tx.conn(), *id, Scope::Project(server.project)).await?;
            ports::attach(tx, &port, server.id, &server.hostname, position).await?;
        }
    }
    Ok(())
}

fn answer(lens: &Lens, boot: &Boot, ids: &[ServerId], password: &str) -> (Option<String>, Value) {
    let Some(first) = ids.first().map(ToString::to_string) else {
        return (None, json!({}));
    };
    if boot.reservation {
        let short = first.get(..8).unwrap_or_default();
        return (None, json!({ "reservation_id": format!("r-{short}") }));
    }
    let named = if boot.groups.is_empty() {
        vec!["default".to_owned()]
    } else {
        boot.groups.clone()
    };
    let groups: Vec<_> = named.iter().map(|name| json!({ "name": name })).collect();
    let location = format!("{}/compute/v2.1/servers/{first}", lens.base);
    let server = json!({
        "id": first,
        "links": lens.links("servers", &first),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": groups,
        "adminPass": password,
    });
    (Some(location), json!({ "server": server }))
}

fn made_up_password() -> String {
    (0..16)
        .map(|_| {
            let at = usize::try_from(rand::random::<u32>()).unwrap_or(0) % PASSWORD_LETTERS.len();
            PASSWORD_LETTERS.get(at).copied().map_or('x', char::from)
        })
        .collect()
}
