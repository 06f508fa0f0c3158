//! Keypairs: the public keys that new servers let in.
//!
//! A private key is made here and never travels: the cloud gets the public half only.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use serde_json::{Value, json};
use ssh_key::{Algorithm, LineEnding, PrivateKey, rand_core::OsRng};

use super::fields;
use crate::{
    arguments::Context,
    failure::Failure,
    http::url::encode,
    output::{
        cell::{plain, word},
        table::Column,
        talk,
    },
    resolve,
    session::{Service, Session},
};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a public key, or make a new pair
    #[command(name = "keypair-add")]
    Add {
        /// The public key's file; without it a new pair is made and the private key is printed
        #[arg(long, alias = "pub_key", value_name = "FILE", conflicts_with = "save")]
        pub_key: Option<PathBuf>,
        /// Save the new private key here (mode 0600) instead of printing it
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// What it is to be called
        name: String,
    },
    /// List the keypairs
    #[command(name = "keypair-list")]
    List,
    /// Show one keypair
    #[command(name = "keypair-show")]
    Show {
        /// Its name
        name: String,
    },
    /// Delete keypairs
    #[command(name = "keypair-delete")]
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

const COLUMNS: [Column; 3] = [
    Column::new("Name", |k| word(k, "name")),
    Column::new("Type", |k| k["type"].as_str().unwrap_or("ssh").to_owned()),
    Column::new("Fingerprint", |k| word(k, "fingerprint")),
];

impl Command {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Add {
                pub_key: Some(file),
                name,
                ..
            } => {
                let key = read_public(&file)?;
                add(&context.session()?, &name, &key)
            }
            Self::Add {
                pub_key: None,
                save,
                name,
            } => make(context, &name, save.as_deref()),
            Self::List => {
                let mut answer = context.session()?.get(Service::Compute, "/os-keypairs")?;
                let keys = answer["keypairs"]
                    .as_array_mut()
                    .map(std::mem::take)
                    .unwrap_or_default();
                let keys: Vec<Value> = keys.into_iter().map(|mut k| k["keypair"].take()).collect();
                context.output.list(&COLUMNS, &keys)
            }
            Self::Show { name } => {
                let session = context.session()?;
                let answer = session
                    .get(Service::Compute, &path(&name))
                    .map_err(named(&name))?;
                context
                    .output
                    .show(&fields(&answer["keypair"]), &answer["keypair"])
            }
            Self::Delete { names } => {
                let session = context.session()?;
                super::each(&names, |name| {
                    session
                        .delete(Service::Compute, &path(name))
                        .map_err(named(name))
                })
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("/os-keypairs/{}", encode(name))
}

fn named(name: &str) -> impl FnOnce(Failure) -> Failure {
    move |failure| match failure.is_not_found() {
        true => Failure::NotFound {
            kind: "keypair",
            wanted: name.to_owned(),
            near: String::new(),
            list: "keypair-list",
        },
        false => failure,
    }
}

fn add(session: &Session, name: &str, public: &str) -> Result<(), Failure> {
    let body = json!({"keypair": {"name": name, "public_key": public}});
    session.post(Service::Compute, "/os-keypairs", &body)?;
    Ok(())
}

fn read_public(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::local(format!(
        "cannot read the public key {}",
        file.display()
    )))?;
    if text.contains("PRIVATE KEY") {
        return Err(Failure::usage(
            format!(
                "{} is a private key; it stays on this machine",
                file.display()
            ),
            format!("give the public one, usually {}.pub", file.display()),
        ));
    }
    Ok(text.trim().to_owned())
}

fn make(context: &Context, name: &str, save: Option<&Path>) -> Result<(), Failure> {
    let session = context.session()?;
    let broken = |e: ssh_key::Error| Failure::Nonsense(format!("no key could be made: {e}"));
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(broken)?;
    key.set_comment(name);
    let public = key.public_key().to_openssh().map_err(broken)?;
    let private = key.to_openssh(LineEnding::LF).map_err(broken)?;
    // The file comes first: a key that the cloud knows and nobody has would be of no use.
    if let Some(file) = save {
        write_private(file, &private)?;
    }
    if let Err(failure) = add(&session, name, &public) {
        if let Some(file) = save {
            let _ = std::fs::remove_file(file);
        }
        return Err(failure);
    }
    match save {
        Some(file) => {
            talk::say(&format!("the private key is in {}", file.display()));
            Ok(())
        }
        None => context.output.text(&private),
    }
}

fn write_private(file: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(file)
        .and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()))
        .map_err(Failure::local(format!(
            "cannot save the private key in {}",
            file.display()
        )))
}

/// Fails unless the keypair exists, so that a boot is refused before anything is sent.
pub(crate) fn must_exist(session: &Session, name: &str) -> Result<(), Failure> {
    let failure = match session.get(Service::Compute, &path(name)) {
        Ok(_) => return Ok(()),
        Err(failure) if failure.is_not_found() => failure,
        Err(failure) => return Err(failure),
    };
    let answer = session.get(Service::Compute, "/os-keypairs")?;
    let known = answer["keypairs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|k| plain(&k["keypair"], "name"));
    match named(name)(failure) {
        Failure::NotFound {
            kind, wanted, list, ..
        } => {
            let near = resolve::nearest(&wanted, known)
                .map_or_else(String::new, |n| format!("; did you mean {n:?}?"));
            Err(Failure::NotFound {
                kind,
                wanted,
                near,
                list,
            })
        }
        other => Err(other),
    }
}
