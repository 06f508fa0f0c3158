//! `skybus down`: end the cloud and take back everything that it made on the host.
//!
//! It needs no help from what it ends: it works as well when the supervisor was killed, when a role
//! hangs, and when nothing runs at all.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use tokio::time::timeout;

use crate::{
    DataDir, Error,
    broker::setup,
    cloud::Cloud,
    data_dir,
    joined::Host,
    options::VirtType,
    process::Watched,
    state::{Process, State},
    terminal::say,
    up::teardown,
};

/// The supervisor ends roles, then the broker; each within its own grace.
const SUPERVISOR_GRACE: Duration = Duration::from_secs(60);
/// A guest may take its time to shut down; then it is powered off.
const TEARDOWN_LIMIT: Duration = Duration::from_secs(180);

/// Stop the cloud of this data directory: its processes, its guests, its networks.
#[derive(Debug, Clone, Parser)]
#[command(name = "skybus down", version)]
pub struct Down {
    /// Remove the data as well: database, images, disks of guests, logs
    #[arg(long)]
    pub purge: bool,
    /// Where everything of this cloud lies
    #[arg(long, value_name = "DIR", env = "SKYBUS_DATA_DIR", default_value = data_dir::DEFAULT)]
    pub data_dir: PathBuf,
}

/// The command.
///
/// # Errors
/// When there is no cloud, or something could not be ended or removed.
pub async fn run(arguments: Down) -> Result<ExitCode, Error> {
    let data = DataDir::at(&arguments.data_dir)?;
    if !data.has_cloud() && !data.has_host() {
        if arguments.purge && data.path().exists() {
            return Err(Error::NotOurs(data.path().to_owned()));
        }
        return Err(Error::NoCloud(data.path().to_owned()));
    }
    stop_processes(&data).await?;
    let clean = take_back(&data).await?;
    if !clean {
        say("skybus: not everything could be taken back; see the messages above, and run it again");
        return Ok(ExitCode::FAILURE);
    }
    if arguments.purge {
        if data.has_cloud() {
            leave_broker(&data).await?;
        } else {
            tell_of_cloud(&data);
        }
        data.purge()?;
        say(format!(
            "skybus: stopped; {} is removed",
            data.path().display()
        ));
    } else {
        say(format!(
            "skybus: stopped; the data stay in {}",
            data.path().display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Only the cloud's operator can take a machine's accounts away.
fn tell_of_cloud(data: &DataDir) {
    if let Ok(host) = Host::load(data)
        && !host.removed
    {
        say(format!(
            "skybus: the cloud at {} still knows this machine; `skybus host remove {}` there forgets it",
            host.api, host.name
        ));
    }
}

/// Takes accounts and queues back from an operator's broker; one of our own goes with the data. A broker that
/// is away for good must not keep anybody from purging.
async fn leave_broker(data: &DataDir) -> Result<(), Error> {
    let cloud = Cloud::load(data)?;
    if cloud.options.broker.is_none() {
        return Ok(());
    }
    say("skybus: taking back accounts and queues on the broker");
    if let Err(error) = setup::leave(&cloud).await {
        say(format!(
            "skybus: {error}; accounts and queues that begin with `skybus.` are still there, remove them by hand"
        ));
    }
    Ok(())
}

/// Ends the supervisor, and by hand what it leaves or has left.
async fn stop_processes(data: &DataDir) -> Result<(), Error> {
    // A purge that died may have taken any of the directories away; the mark says that they are ours.
    data.create()?;
    if let Some(supervisor) = State::load(data).supervisor
        && let Some(watched) = Watched::hold(supervisor)?
    {
        say("skybus: stopping roles and broker");
        watched.stop(SUPERVISOR_GRACE).await;
    }
    let state = State::load(data);
    let mut left: Vec<(&String, &Process, Watched)> = Vec::new();
    for (name, process, id) in state.alive() {
        if let Some(watched) = Watched::hold(id)? {
            left.push((name, process, watched));
        }
    }
    left.sort_by_key(|(_, process, _)| process.stop_order);
    for (name, process, watched) in left {
        say(format!("skybus: stopping {name}"));
        watched
            .stop(Duration::from_secs(process.grace_seconds))
            .await;
    }
    State::default().save(data)
}

/// Ends guests, then networks. Returns whether both went well.
async fn take_back(data: &DataDir) -> Result<bool, Error> {
    let virt_type = if data.has_cloud() {
        Cloud::load(data)?.options.virt_type
    } else {
        Host::load(data)?.chosen.virt_type
    };
    if virt_type == VirtType::Fake {
        // Fake guests and networks went with the processes that played them.
        return Ok(true);
    }
    let mut clean = true;
    for (role, what) in [("compute", "guests"), ("network", "networks")] {
        let Some(spec) = teardown(data, role) else {
            continue;
        };
        say(format!("skybus: taking back {what}"));
        let child = spec.start()?;
        let log = spec.log.display();
        match timeout(TEARDOWN_LIMIT, end_of(child)).await {
            Ok(true) => {}
            Ok(false) => {
                clean = false;
                say(format!(
                    "skybus: some {what} could not be taken back; see {log}"
                ));
            }
            Err(_) => {
                clean = false;
                say(format!(
                    "skybus: taking back {what} takes more than {TEARDOWN_LIMIT:?}; see {log}"
                ));
            }
        }
    }
    Ok(clean)
}

async fn end_of(mut child: std::process::Child) -> bool {
    let id = crate::process::ProcessId::of(rustix::process::Pid::from_child(&child));
    if let Some(id) = id
        && let Ok(Some(watched)) = Watched::hold(id)
    {
        watched.ended().await;
    }
    child.wait().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use skybus_model::{join::Token, machine::Role};

    use super::*;

    #[tokio::test]
    async fn a_purge_that_died_is_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(&directory.path().join("b")).unwrap();
        data.create().unwrap();
        let mut host = Host::new(&Token {
            api: "http://192.0.2.1:8774".to_owned(),
            name: "b".parse().unwrap(),
            role: Role::Compute,
            secret: "s".to_owned(),
        })
        .unwrap();
        host.chosen.virt_type = VirtType::Fake;
        host.removed = true;
        host.save(&data).unwrap();
        for entry in std::fs::read_dir(data.path()).unwrap() {
            let path = entry.unwrap().path();
            if path != data.host_file() {
                std::fs::remove_dir(path).unwrap();
            }
        }
        let arguments = Down {
            purge: true,
            data_dir: data.path().to_owned(),
        };
        run(arguments).await.unwrap();
        assert!(!data.path().exists());
    }
}
