//! Boot: a new server, or several of a kind.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::{Args, builder::BoolishValueParser};
use serde_json::{Map, Value, json};

use super::{images::at_interrupt, keypairs, pair, servers};
use crate::{
    arguments::Context,
    failure::Failure,
    output::cell::plain,
    resolve::{self, FLAVOR, IMAGE, NETWORK},
    session::{Service, Session},
    wait::{self, Goal},
};

/// The options.
#[derive(Debug, Args)]
pub(crate) struct Boot {
    /// How large it is to be: a flavor's name or id
    #[arg(long)]
    flavor: String,
    /// What it boots from: an image's name or id
    #[arg(long)]
    image: String,
    /// The keypair that may log in
    #[arg(long, alias = "key_name", value_name = "KEYPAIR")]
    key_name: Option<String>,
    /// A file that the guest reads at its first boot (cloud-init, or a script)
    #[arg(long, alias = "user_data", value_name = "FILE")]
    user_data: Option<PathBuf>,
    /// Security groups, separated by commas
    #[arg(
        long,
        alias = "security_groups",
        value_delimiter = ',',
        value_name = "GROUPS"
    )]
    security_groups: Vec<String>,
    /// Give it a disk with its metadata
    #[arg(long, alias = "config_drive", value_parser = BoolishValueParser::new(), value_name = "true|false")]
    config_drive: Option<bool>,
    /// Metadata
    #[arg(long, value_parser = pair, value_name = "KEY=VALUE")]
    meta: Vec<(String, String)>,
    /// An interface: net-id=UUID, net-name=NAME or port-id=UUID, with v4-fixed-ip=ADDRESS if wanted
    #[arg(long, value_name = "net-id=UUID")]
    nic: Vec<String>,
    /// How many servers
    #[arg(long, alias = "min_count", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    min_count: Option<u32>,
    /// How many servers at most, if there is room
    #[arg(long, alias = "max_count", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_count: Option<u32>,
    /// Where
    #[arg(long, alias = "availability_zone", value_name = "ZONE")]
    availability_zone: Option<String>,
    /// Wait until it runs, and fail if it does not come up
    #[arg(long)]
    poll: bool,
    /// What it is to be called
    name: String,
}

impl Boot {
    /// Does it.
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let user_data = self.read_user_data()?;
        let session = context.session()?;
        let body = self.body(&session, user_data)?;
        let answer = session.post(Service::Compute, "/servers", &body)?;
        let first = plain(&answer["server"], "id");
        let ids = match self.most() {
            1 => vec![first.to_owned()],
            most => self.siblings(&session, first, most)?,
        };
        if self.poll {
            at_interrupt("interrupted; the boot goes on: `skybus list` shows it".to_owned())?;
            super::each(&ids, |id| wait::until(&session, id, Goal::Active).map(drop))?;
        }
        match ids.as_slice() {
            [id] => {
                let mut server = servers::read(&session, id)?;
                // The password is shown once, in the answer to the request that made it.
                if let Some(password) = answer["server"].get("adminPass") {
                    server["adminPass"] = password.clone();
                }
                servers::show(context, &session, &server)
            }
            _ => {
                let all = ids.iter().map(|id| servers::read(&session, id));
                let all = all.collect::<Result<Vec<Value>, Failure>>()?;
                context.output.list(&servers::COLUMNS, &all)
            }
        }
    }

    fn most(&self) -> u32 {
        self.max_count.max(self.min_count).unwrap_or(1)
    }

    /// The servers of this request: the cloud numbers their names, and made none of them before the
    /// first.
    fn siblings(&self, session: &Session, first: &str, most: u32) -> Result<Vec<String>, Failure> {
        let first = servers::read(session, first)?;
        let names: Vec<String> = (1..=most).map(|n| format!("{}-{n}", self.name)).collect();
        let all = session.list(Service::Compute, "/servers/detail", "servers", None)?;
        let mut ours: Vec<&Value> = all
            .iter()
            .filter(|s| plain(s, "created") >= plain(&first, "created"))
            .filter(|s| names.iter().any(|name| name == plain(s, "name")))
            .collect();
        ours.sort_by_key(|s| names.iter().position(|name| name == plain(s, "name")));
        Ok(ours
            .into_iter()
            .map(|s| plain(s, "id").to_owned())
            .collect())
    }

    fn read_user_data(&self) -> Result<Option<String>, Failure> {
        let Some(file) = &self.user_data else {
            return Ok(None);
        };
        let bytes = std::fs::read(file).map_err(Failure::local(format!(
            "cannot read the user data {}",
            file.display()
        )))?;
        Ok(Some(BASE64_STANDARD.encode(bytes)))
    }

    fn body(&self, session: &Session, user_data: Option<String>) -> Result<Value, Failure> {
        if let Some(key) = &self.key_name {
            keypairs::must_exist(session, key)?;
        }
        let mut server = Map::new();
        let mut set = |name: &str, value: Value| {
            if !value.is_null() {
                server.insert(name.to_owned(), value);
            }
        };
        set("name", json!(self.name));
        set(
            "flavorRef",
            json!(resolve::id(session, FLAVOR, &self.flavor)?),
        );
        set("imageRef", json!(resolve::id(session, IMAGE, &self.image)?));
        set("key_name", json!(self.key_name));
        set("user_data", json!(user_data));
        set("config_drive", json!(self.config_drive));
        set("availability_zone", json!(self.availability_zone));
        if !self.security_groups.is_empty() {
            let groups = self
                .security_groups
                .iter()
                .map(|name| json!({"name": name}));
            set("security_groups", groups.collect());
        }
        if !self.meta.is_empty() {
            let meta: Map<String, Value> = self
                .meta
                .iter()
                .map(|(k, v)| (k.clone(), json!(v)))
                .collect();
            set("metadata", Value::Object(meta));
        }
        if !self.nic.is_empty() {
            let nics = self.nic.iter().map(|nic| interface(session, nic));
            set("networks", Value::Array(nics.collect::<Result<_, _>>()?));
        }
        if self.min_count.is_some() || self.max_count.is_some() {
            set("min_count", json!(self.min_count.unwrap_or(1)));
            set("max_count", json!(self.max_count.or(self.min_count)));
        }
        Ok(json!({ "server": server }))
    }
}

fn interface(session: &Session, words: &str) -> Result<Value, Failure> {
    let mut nic = Map::new();
    for word in words.split(',') {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let (name, value) = match key {
            "net-id" => ("uuid", value.to_owned()),
            "net-name" => ("uuid", resolve::id(session, NETWORK, value)?),
            "port-id" => ("port", value.to_owned()),
            "v4-fixed-ip" => ("fixed_ip", value.to_owned()),
            _ => {
                return Err(Failure::usage(
                    format!("--nic does not know {key:?}"),
                    "it takes net-id=UUID, net-name=NAME, port-id=UUID and v4-fixed-ip=ADDRESS",
                ));
            }
        };
        nic.insert(name.to_owned(), json!(value));
    }
    Ok(Value::Object(nic))
}
