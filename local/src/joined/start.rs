//! The start of a machine that has joined: its processes, and waiting until they are well.

use std::time::Instant;

use futures::future::try_join_all;

use super::{Host, config};
use crate::{
    DataDir, Error, roles,
    supervisor::{Keepers, ROLE_LIMIT, ROLES_END, client, health_of_role, tell, until_well},
};

/// Starts or adopts what the machine runs.
///
/// # Errors
/// When something does not come up, with its own last words.
pub async fn everything(data: &DataDir, host: &Host, keepers: &mut Keepers) -> Result<(), Error> {
    let begun = Instant::now();
    for role in host.roles() {
        config::write(data, host, role)?;
        keepers.keep(roles::spec(data, role)?, ROLES_END).await?;
    }
    let client = client()?;
    let board = keepers.board();
    try_join_all(host.roles().into_iter().map(|role| {
        let client = &client;
        let ask = move || health_of_role(client, &host.ports, role);
        until_well(data, board, role, ROLE_LIMIT, ask)
    }))
    .await?;
    tell("all processes are well", begun);
    Ok(())
}
