//! The command `skybus join`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use skybus_fault::{self as fault, Point};
use skybus_model::{join::Token, machine::Role, segment::PhysicalNetwork};

use super::{Host, exchange, host::Chosen, standing::was_removed};
use crate::{
    DataDir, Error, data_dir,
    options::{VirtType, cables, interface, physical, tunnel},
    preflight,
    state::State,
    terminal::say,
    up::{Supervisor, is_supervised},
};

/// Make this machine part of a cloud that runs elsewhere, and start what it is to run.
///
/// TOKEN comes from `skybus host add NAME` there. Without it, what has joined already is started again: after a
/// reboot, or after `skybus down`. Whatever interrupts the command, repeating it ends in a machine that has joined.
#[derive(Debug, Clone, Parser)]
#[command(name = "skybus join", version)]
pub struct Join {
    /// What `skybus host add` printed; `-` reads it from standard input
    pub token: Option<String>,
    /// How guests are run
    #[arg(long, alias = "driver", value_enum)]
    pub virt_type: Option<VirtType>,
    /// The availability zone of this host
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub zone: Option<String>,
    /// The interface on whose wire this machine answers for floating IPs, e.g. eth0; without, only this
    /// machine and its guests reach those of its servers
    #[arg(long, value_name = "NAME", value_parser = interface)]
    pub public_interface: Option<String>,
    /// This machine is on the physical network NAME by INTERFACE, e.g. trunk=eth1: it can carry VLANs of it, or
    /// the whole; may be given several times
    #[arg(long, value_name = "NAME=INTERFACE", value_parser = physical)]
    pub physical: Vec<(PhysicalNetwork, String)>,
    /// The address of this machine under which other hosts send it what is on VXLANs
    #[arg(long, value_name = "ADDRESS", value_parser = tunnel)]
    pub tunnel_address: Option<Ipv4Addr>,
    /// Where the APIs listen, on a machine that was added with --role api
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// The directory of images and token keys that all API servers share, for one that was added with --role api
    #[arg(long, value_name = "DIR")]
    pub shared: Option<PathBuf>,
    /// Stay with it until Ctrl-C, which stops it
    #[arg(long)]
    pub foreground: bool,
    /// Where everything of this machine lies
    #[arg(long, value_name = "DIR", env = "SKYBUS_DATA_DIR", default_value = data_dir::DEFAULT)]
    pub data_dir: PathBuf,
}

fn zone(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && !text.contains([':', ',']) && text.trim() == text;
    if fits {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 255 characters without ':' and ','".to_owned())
    }
}

/// The command.
///
/// # Errors
/// When the cloud does not let this machine in, or something does not start; the same command goes on later.
pub async fn run(arguments: Join) -> Result<ExitCode, Error> {
    let data = DataDir::at(&arguments.data_dir)?;
    if data.has_cloud() {
        return Err(Error::Join(format!(
            "a cloud of its own lives in {}; name another directory with --data-dir, or remove it with `skybus down \
             --purge`",
            data.path().display()
        )));
    }
    let token = token(&arguments)?;
    let mut host = known(&data, token.as_ref())?;
    if is_supervised(&data).await {
        say(format!(
            "skybus: {} runs already; see `skybus status`",
            host.name
        ));
        return Ok(ExitCode::SUCCESS);
    }
    choose(&mut host.chosen, &arguments)?;
    check_shared(&host)?;
    preflight::check_joining(&data, &host, runs_already(&data)).await?;
    data.create()?;
    let Some(_turn) = data.turn()? else {
        return Err(Error::Join(
            "another `skybus join` is at work in this directory; wait for it".to_owned(),
        ));
    };
    // That one may have got further in the meantime.
    host = known(&data, token.as_ref())?;
    choose(&mut host.chosen, &arguments)?;
    // Ports that its own processes have are not taken by others; that one may have started some as well.
    if !runs_already(&data) {
        host.ports.replace_taken()?;
    }
    host.save(&data)?;
    fault::hit(Point::JoinKeyKept, "");
    if host.grant.is_none() {
        let grant = exchange::join(&host).await?;
        fault::hit(Point::JoinGranted, "");
        host.grant = Some(grant);
        host.save(&data)?;
        fault::hit(Point::JoinKept, "");
        say(format!("skybus: {} has joined {}", host.name, host.api));
    } else if was_removed(&data, &mut host).await {
        // While it was off.
        return Err(removed(&host));
    }
    follow(&data, &host, arguments.foreground).await
}

/// Whether processes of this machine run, with a supervisor or without.
fn runs_already(data: &DataDir) -> bool {
    State::load(data).alive().next().is_some()
}

async fn follow(data: &DataDir, host: &Host, foreground: bool) -> Result<ExitCode, Error> {
    say(format!("skybus: starting {}", host.roles().join(" and ")));
    let mut supervisor = Supervisor::start(data)?;
    if !supervisor.follow_start(data).await? {
        say("skybus: it is being started already; see `skybus status`");
        return Ok(ExitCode::SUCCESS);
    }
    let option = match data.path() == std::path::Path::new(data_dir::DEFAULT) {
        true => String::new(),
        false => format!(" --data-dir {}", data.path().display()),
    };
    say(format!(
        "skybus: {} runs; what runs: skybus status{option}",
        host.name
    ));
    say(format!("  after a reboot  skybus join{option}"));
    say(format!("  to end it       skybus down{option}"));
    if foreground {
        return supervisor.follow(data).await;
    }
    Ok(ExitCode::SUCCESS)
}

fn token(arguments: &Join) -> Result<Option<Token>, Error> {
    let text = match arguments.token.as_deref() {
        Some("-") => {
            let mut line = String::new();
            std::io::stdin()
                .read_line(&mut line)
                .map_err(Error::system("reading the token"))?;
            line
        }
        Some(text) => text.to_owned(),
        None => return Ok(None),
    };
    text.parse()
        .map(Some)
        .map_err(|error: skybus_model::join::NotAToken| Error::Join(error.to_string()))
}

/// The machine as it is remembered here, or a new one with this token.
fn known(data: &DataDir, token: Option<&Token>) -> Result<Host, Error> {
    let remembered = match Host::load(data) {
        Ok(host) => Some(host),
        Err(Error::NoCloud(_)) => None,
        Err(error) => return Err(error),
    };
    match (remembered, token) {
        (Some(host), _) if host.removed => Err(removed(&host)),
        (None, None) => Err(Error::Join(
            "this machine has not joined any cloud; `skybus host add NAME`, there where one runs, prints a token, and \
             `skybus join TOKEN` here does the rest"
                .to_owned(),
        )),
        (None, Some(token)) => Host::new(token),
        (Some(host), Some(token)) if host.grant.is_some() && !host.has(token) => {
            Err(Error::Join(format!(
                "this machine has joined {} as {} already; `skybus down --purge` makes it free for another token",
                host.api, host.name
            )))
        }
        (Some(mut host), Some(token)) => {
            host.take(token);
            Ok(host)
        }
        (Some(host), None) => Ok(host),
    }
}

/// What a machine is told that was removed.
pub(crate) fn removed(host: &Host) -> Error {
    Error::Join(format!(
        "{} was removed from its cloud; `skybus down --purge` clears what is left of it; then it can join anew",
        host.name
    ))
}

fn choose(chosen: &mut Chosen, arguments: &Join) -> Result<(), Error> {
    if let Some(kind) = arguments.virt_type {
        chosen.virt_type = kind;
    }
    if let Some(zone) = &arguments.zone {
        chosen.zone.clone_from(zone);
    }
    if let Some(name) = &arguments.public_interface {
        chosen.public_interface = Some(name.clone());
    }
    if let Some(physical) = cables::named(&arguments.physical)? {
        chosen.physical = physical;
    }
    if let Some(own) = arguments.tunnel_address {
        chosen.tunnel_address = Some(own);
    }
    if let Some(listen) = arguments.listen {
        chosen.listen = listen;
    }
    if let Some(shared) = &arguments.shared {
        chosen.shared = Some(shared.clone());
    }
    Ok(())
}

/// Images and token keys are files: an API server that has others refuses everybody's tokens.
fn check_shared(host: &Host) -> Result<(), Error> {
    let is_api = host.role == Role::Api;
    let fits = host
        .chosen
        .shared
        .as_ref()
        .is_some_and(|shared| shared.is_absolute() && shared.join("token-keys").is_dir());
    if !is_api || fits {
        return Ok(());
    }
    Err(Error::Join(
        "an API server needs the images and token keys of the first one, which are files: give the directory `api` \
         of its data directory, mounted here, with --shared DIR"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str) -> Token {
        Token {
            api: "http://192.0.2.1:8774".to_owned(),
            name: "b".parse().unwrap(),
            role: Role::Compute,
            secret: secret.to_owned(),
        }
    }

    #[test]
    fn a_machine_keeps_its_key_until_it_is_let_in_and_takes_no_other_token_then() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::at(directory.path()).unwrap();
        assert!(known(&data, None).is_err());
        let host = known(&data, Some(&token("one"))).unwrap();
        host.save(&data).unwrap();
        let again = known(&data, Some(&token("two"))).unwrap();
        assert_eq!(again.asks().key, host.asks().key);
        assert!(again.has(&token("two")));

        let mut host = again;
        host.grant = Some(skybus_model::join::Grant {
            role: Role::Compute,
            broker: std::collections::BTreeMap::default(),
            api_url: String::new(),
            metadata_secret: None,
            url_secret: None,
            database: None,
            public_url: None,
            region: None,
        });
        host.save(&data).unwrap();
        assert!(known(&data, Some(&token("two"))).is_ok() && known(&data, None).is_ok());
        let refused = known(&data, Some(&token("three"))).unwrap_err().to_string();
        assert!(refused.contains("joined"), "{refused}");
        host.removed = true;
        host.save(&data).unwrap();
        assert!(known(&data, Some(&token("two"))).is_err());
    }
}
