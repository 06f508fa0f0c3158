//! Telling the world that a server changed: the event row and the notification, in the transaction of
//! the change itself.

use serde_json::{Value, json};
use skybus_model::{
    Timestamp,
    message::{Context, Outgoing, notification::Notification},
};

use crate::{Result, Tx, events, servers::Server};

/// Announces that `server` is now as its row says. `event_type` is Nova's word for what happened, e.g.
/// `compute.instance.create.end` (<https://docs.openstack.org/nova/latest/reference/notifications.html>).
///
/// # Errors
/// [`crate::Error::Broken`] when the database fails.
pub async fn server(
    tx: &mut Tx,
    server: &Server,
    event_type: &str,
    context: &Context,
) -> Result<()> {
    let payload = payload(server);
    let event = events::Event {
        seq: 0,
        at: Timestamp::now(),
        project: server.project,
        kind: event_type.to_owned(),
        server: server.id,
        request_id: context.request_id.clone(),
        payload: payload.clone(),
    };
    tx.announce(event);
    let publisher = server
        .host
        .as_ref()
        .map_or_else(|| "api.skybus".to_owned(), |h| format!("compute.{h}"));
    let notification = Notification {
        publisher_id: publisher,
        event_type: event_type.to_owned(),
        payload,
        request_id: context.request_id.clone(),
        project_id: server.project.to_string(),
    };
    tx.send(Outgoing::notification(&notification, context))
        .await
}

fn payload(server: &Server) -> Value {
    json!({
        "tenant_id": server.project.to_string(),
        "user_id": server.owner.to_string(),
        "instance_id": server.id.to_string(),
        "display_name": server.name,
        "hostname": server.hostname,
        "host": server.host.as_ref().map(ToString::to_string),
        "state": server.state.vm.as_str(),
        "new_task_state": server.state.task.map(|task| task.as_str()),
        "status": server.state.status(),
        "power_state": server.power.as_str(),
        "instance_type": server.flavor.name,
        "memory_mb": server.resources.ram_mib,
        "vcpus": server.resources.vcpus,
        "disk_gb": server.resources.disk_gib,
        "image_ref_url": server.image.to_string(),
        "metadata": server.metadata,
        "fault": server.fault.as_ref().map(|fault| json!({
            "code": fault.code.as_str(), "message": fault.message,
        })),
        "created_at": server.created_at.iso_seconds(),
        "launched_at": server.launched_at.map(Timestamp::iso_seconds),
        "deleted_at": server.deleted_at.map(Timestamp::iso_seconds),
    })
}
