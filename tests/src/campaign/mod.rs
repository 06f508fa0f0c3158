//! Servers that live through the deaths of a cloud's processes: what is asked of them, and how it ends.

mod operation;
pub mod stage;
pub mod tally;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

pub use operation::Operation;

use crate::{
    api::{Answer, Api},
    cloud::Cloud,
    truth::{ServerRow, Truth},
    wait,
};

/// How long an API may be away: its start, and the longest pause before that.
const AWAY: Duration = Duration::from_secs(60);
/// How long an operation may take: a few silences, a few restarts.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A client that does not give up when the API dies under it.
#[derive(Debug, Clone)]
pub struct Client {
    api: Api,
    /// The databases, to see what became of a request that was never answered.
    pub truth: Truth,
    image: String,
    flavor: String,
}

/// A server of the campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, which no other has.
    pub name: String,
    /// Its id.
    pub id: String,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As asked.
    AsAsked,
    /// In ERROR, with this reason.
    Error(String),
    /// It ended, but neither as asked nor with a reason.
    Lost(String),
    /// It has not ended.
    Stuck(String),
}

impl Client {
    /// The administrator of a cloud, with the image `small` and the smallest flavor.
    ///
    /// # Errors
    /// When the cloud refuses.
    pub fn of(cloud: &Cloud, database: Option<&str>) -> Result<Self> {
        Self::booting(cloud, database, "small", "m1.tiny")
    }

    /// The administrator of a cloud, with this image and flavor.
    ///
    /// # Errors
    /// When the cloud refuses.
    pub fn booting(
        cloud: &Cloud,
        database: Option<&str>,
        image: &str,
        flavor: &str,
    ) -> Result<Self> {
        let api = Api::sign_in(cloud, "admin", &cloud.password("admin")?)?;
        let named = |path: &str, key: &str, name: &str| -> Result<String> {
            let answer = api.get(path)?;
            let all = answer[key].as_array().into_iter().flatten();
            let found = all.filter(|one| one["name"] == name).find_map(id);
            found.with_context(|| format!("{name} in {answer}"))
        };
        let image = named("/image/v2/images", "images", image)?;
        let flavor = named("/compute/v2.1/flavors", "flavors", flavor)?;
        let truth = Truth::of(cloud, database)?;
        Ok(Self {
            api,
            truth,
            image,
            flavor,
        })
    }

    /// The same client at another API server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            api: self.api.at(url),
            ..self.clone()
        }
    }

    /// Asks for a server and does not rest until it is known that the request was accepted.
    ///
    /// # Errors
    /// When it is refused, or the API stays away.
    pub fn boot(&self, name: &str) -> Result<Server> {
        wait::until("an answer to a boot", AWAY, || {
            if let Ok(answer) = self.ask_for(name, None)
                && answer.status < 500
            {
                let id = id(&answer.body["server"]);
                let id = id.with_context(|| format!("booting {name}: {answer:?}"))?;
                return Ok(Some(Server {
                    name: name.to_owned(),
                    id,
                }));
            }
            // It may have been done all the same; once the API answers again, that will not change.
            self.wait_for_api()?;
            Ok(self.row_named(name)?.map(|row| Server {
                name: row.name,
                id: row.id,
            }))
        })
    }

    /// One request for a server.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask_for(&self, name: &str, key: Option<&str>) -> Result<Answer> {
        let body = json!({"server": {"name": name, "imageRef": self.image,
            "flavorRef": self.flavor}});
        let path = "/compute/v2.1/servers";
        self.api.send_with_key("POST", path, &body.to_string(), key)
    }

    /// One request for an operation on a server.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask_once(&self, operation: Operation, server: &Server) -> Result<Answer> {
        let (method, path, body) = operation.request(&server.id);
        self.api.send(method, &path, &body)
    }

    /// Asks for an operation on a server and does not rest until it is known that it was accepted.
    ///
    /// # Errors
    /// When it is refused, or the API stays away.
    pub fn ask(&self, operation: Operation, server: &Server) -> Result<()> {
        let before = self.row(server)?.generation;
        let what = format!("an answer to {operation:?} of {}", server.name);
        wait::until(&what, AWAY, || {
            if let Ok(answer) = self.ask_once(operation, server)
                && answer.status < 500
            {
                if answer.status < 300 {
                    return Ok(Some(()));
                }
                bail!("{operation:?} of {}: {answer:?}", server.name);
            }
            self.wait_for_api()?;
            let accepted = self.row(server)?.generation > before;
            Ok(accepted.then_some(()))
        })
    }

    /// Reads.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.api.get(path)
    }

    /// Changes something that is none of the campaign's operations.
    ///
    /// # Errors
    /// When it is refused.
    pub fn put(&self, path: &str, body: &str) -> Result<()> {
        let answer = self.api.send("PUT", path, body)?;
        ensure!(answer.status < 300, "PUT {path}: {answer:?}");
        Ok(())
    }

    /// The id of the client's project.
    #[must_use]
    pub fn project(&self) -> &str {
        &self.api.project
    }

    /// Waits until the API answers.
    ///
    /// # Errors
    /// When it stays away.
    pub fn wait_for_api(&self) -> Result<()> {
        wait::until("an API that answers", AWAY, || {
            let answer = self.api.send("GET", "/compute/v2.1/limits", "");
            Ok(answer
                .is_ok_and(|answer| answer.status == 200)
                .then_some(()))
        })
    }

    /// Waits until nothing is going on with a server, and says how that ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn end(&self, operation: Operation, server: &Server) -> Result<End> {
        let mut last = String::new();
        let ended = wait::until("an end", PATIENCE, || {
            let row = self.row(server)?;
            let at_rest = row.open == 0 && row.task.is_empty() && row.state != "building";
            last = format!("{row:?}");
            Ok(at_rest.then_some(row))
        });
        let Ok(row) = ended else {
            return Ok(End::Stuck(last));
        };
        Ok(match row.state.as_str() {
            state if state == operation.goal() => End::AsAsked,
            "error" if !row.fault.is_empty() => End::Error(row.fault),
            _ => End::Lost(last),
        })
    }

    /// A server's row.
    ///
    /// # Errors
    /// When there is none.
    pub fn row(&self, server: &Server) -> Result<ServerRow> {
        let rows = self.truth.servers()?;
        let row = rows.into_iter().find(|row| row.id == server.id);
        row.with_context(|| format!("{} has no row", server.name))
    }

    fn row_named(&self, name: &str) -> Result<Option<ServerRow>> {
        let rows = self.truth.servers()?;
        Ok(rows.into_iter().find(|row| row.name == name))
    }
}

fn id(thing: &Value) -> Option<String> {
    thing["id"].as_str().map(str::to_owned)
}
