//! Making and changing servers.

use skybus_model::id::ServerId;

use super::{Server, row::read};
use crate::{Engine, Error, Result, Tx, row::to_json};

/// Writes a new server.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn insert(tx: &mut Tx, server: &Server) -> Result<()> {
    sqlx::query(
        "INSERT INTO servers (id, project, owner, name, description, hostname, vm_state, task_state, \
         power, desired, generation, host, zone, vcpus, ram_mib, disk_gib, flavor, image, \
         image_source, key_name, key_public, user_data, admin_pass, config_drive, metadata, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
         $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)",
    )
    .bind(server.id.to_string())
    .bind(server.project.to_string())
    .bind(server.owner.to_string())
    .bind(server.name.clone())
    .bind(server.description.clone())
    .bind(server.hostname.clone())
    .bind(server.state.vm.as_str())
    .bind(server.state.task.map(|task| task.as_str()))
    .bind(server.power.as_str())
    .bind(to_json(&server.desired))
    .bind(server.generation.0)
    .bind(server.host.as_ref().map(ToString::to_string))
    .bind(server.zone.clone())
    .bind(server.resources.vcpus)
    .bind(server.resources.ram_mib)
    .bind(server.resources.disk_gib)
    .bind(to_json(&server.flavor))
    .bind(server.image.to_string())
    .bind(to_json(&server.image_bytes))
    .bind(server.key_name.clone())
    .bind(server.key_public.clone())
    .bind(server.user_data.clone())
    .bind(server.admin_pass.clone())
    .bind(i64::from(server.config_drive))
    .bind(to_json(&server.metadata))
    .bind(server.created_at.micros())
    .bind(server.updated_at.micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A server that is about to be changed: nobody else changes it until the transaction ends.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn load(tx: &mut Tx, id: ServerId) -> Result<Server> {
    let sql = match tx.engine() {
        Engine::Sqlite => "SELECT * FROM servers WHERE id = $1",
        Engine::Postgres => "SELECT * FROM servers WHERE id = $1 FOR UPDATE",
    };
    let row = sqlx::query(sql)
        .bind(id.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref()
        .map(read)
        .transpose()?
        .ok_or_else(|| Error::NotFound(format!("server {id}")))
}

/// Writes what may change of a server that was [`load`]ed.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn save(tx: &mut Tx, server: &Server) -> Result<()> {
    sqlx::query(
        "UPDATE servers SET name = $2, description = $3, vm_state = $4, task_state = $5, power = $6, \
         desired = $7, generation = $8, epoch = $9, seq = $10, host = $11, metadata = $12, \
         fault = $13, fault_at = $14, updated_at = $15, launched_at = $16, deleted_at = $17 \
         WHERE id = $1",
    )
    .bind(server.id.to_string())
    .bind(server.name.clone())
    .bind(server.description.clone())
    .bind(server.state.vm.as_str())
    .bind(server.state.task.map(|task| task.as_str()))
    .bind(server.power.as_str())
    .bind(to_json(&server.desired))
    .bind(server.generation.0)
    .bind(server.recorded.epoch)
    .bind(server.recorded.seq)
    .bind(server.host.as_ref().map(ToString::to_string))
    .bind(to_json(&server.metadata))
    .bind(server.fault.as_ref().map(to_json))
    .bind(server.fault_at.map(|at| at.micros()))
    .bind(server.updated_at.micros())
    .bind(server.launched_at.map(|at| at.micros()))
    .bind(server.deleted_at.map(|at| at.micros()))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes down how many ports a server has: at its boot, once all of them are made, and with each that comes
/// or goes. The audit compares it.
///
/// # Errors
/// [`Error::Broken`] when the database fails.
pub async fn count_interfaces(tx: &mut Tx, id: ServerId) -> Result<()> {
    sqlx::query(
        "UPDATE servers SET interfaces = (SELECT COUNT(*) FROM ports WHERE server = $1 AND plug <> 2) \
         WHERE id = $1",
    )
    .bind(id.to_string())
    .execute(tx.conn())
    .await?;
    Ok(())
}
