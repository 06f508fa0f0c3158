//! Commands to a server's host, made from its row. Whoever changes a server uses these, so that a
//! command says the same whoever sends it.

use std::time::Duration;

use skybus_model::{
    Timestamp,
    id::OperationId,
    message::command::{ServerEnsure, ServerRemove},
    server::{ImageSource, Nic, Restart, ServerSpec},
};

use crate::{servers::Server, signed_path::PathKey};

/// How long a host may fetch what a command points to. A command that is older is sent again by the
/// reconciler with a new signature.
const FETCH_WITHIN: Duration = Duration::from_secs(3600);

/// Make `server` be as its row says.
#[must_use]
pub fn ensure(
    server: &Server,
    nics: Vec<Nic>,
    operation: Option<OperationId>,
    restart: Option<Restart>,
    deadline: Timestamp,
    key: &PathKey,
) -> ServerEnsure {
    ServerEnsure {
        operation,
        generation: server.generation,
        desired: server.desired,
        restart,
        spec: spec(server, nics, key),
        deadline,
    }
}

/// See to it that `server` is not on its host.
#[must_use]
pub fn remove(server: &Server, operation: Option<OperationId>) -> ServerRemove {
    ServerRemove {
        operation,
        server: server.id,
        generation: server.generation,
    }
}

fn spec(server: &Server, nics: Vec<Nic>, key: &PathKey) -> ServerSpec {
    let drive = format!("/internal/config-drive/{}", server.id);
    ServerSpec {
        id: server.id,
        project: server.project,
        user: server.owner,
        name: server.name.clone(),
        flavor: server.flavor.name.clone(),
        resources: server.resources,
        image: ImageSource {
            id: server.image,
            format: server.image_bytes.format,
            size: server.image_bytes.size,
            sha512: server.image_bytes.sha512.clone(),
            path: key.sign(&format!("/internal/images/{}", server.image), FETCH_WITHIN),
        },
        nics,
        config_drive: server.config_drive.then(|| key.sign(&drive, FETCH_WITHIN)),
    }
}
