//! The files of a broker of our own: configuration, plugins, cookie.

use std::{
    fs,
    io::Write as _,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{ADMIN, VHOST};
use crate::{DataDir, Error, cloud::Cloud, secret};

/// Writes them and returns the configuration's path.
pub(super) fn write(data: &DataDir, cloud: &Cloud) -> Result<PathBuf, Error> {
    let directory = data.broker();
    secret::write(&directory.join("plugins"), "[rabbitmq_management].\n")?;
    write_cookie(
        &directory.join(".erlang.cookie"),
        &cloud.secrets.broker_cookie,
    )?;
    let configuration = directory.join("rabbitmq.conf");
    secret::write(&configuration, &configuration_text(cloud))?;
    Ok(configuration)
}

fn configuration_text(cloud: &Cloud) -> String {
    let ports = &cloud.ports;
    // The management API, which makes accounts, stays on loopback.
    let public = cloud
        .options
        .public_address
        .filter(|address| *address != Ipv4Addr::LOCALHOST)
        .map(|address| format!("listeners.tcp.2 = {address}:{}\n", ports.amqp))
        .unwrap_or_default();
    format!(
        "# Written by skybus at every start.\n\
         listeners.tcp.1 = 127.0.0.1:{amqp}\n\
         {public}\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management}\n\
         default_user = {ADMIN}\n\
         default_pass = {password}\n\
         default_vhost = {VHOST}\n\
         # Small: a broker for one machine, which it shares with guests.\n\
         vm_memory_high_watermark.absolute = 512MB\n\
         disk_free_limit.absolute = 50MB\n\
         raft.wal_max_size_bytes = 16777216\n\
         management.rates_mode = none\n\
         # Its own log, renewed before it grows large; standard output only carries a failed start.\n\
         log.file = broker.log\n\
         log.file.level = info\n\
         log.file.rotation.size = 10485760\n\
         log.file.rotation.count = 2\n",
        amqp = ports.amqp,
        management = ports.management,
        password = cloud.secrets.broker_password,
    )
}

/// Erlang insists that nobody but the owner may read the cookie, and leaves it write-protected itself.
fn write_cookie(path: &Path, cookie: &str) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|there| there == cookie) {
        return Ok(());
    }
    let _ = fs::remove_file(path);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path)
        .and_then(|mut file| file.write_all(cookie.as_bytes()))
        .map_err(Error::file("writing", path))
}
