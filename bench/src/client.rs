//! The load: an HTTP client that knows the few calls which are measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use skybus_tests::cloud::Cloud;

/// A signed-in client. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    password: String,
    image: String,
}

/// How long a server may take to get where it should.
const PATIENCE: Duration = Duration::from_secs(600);

impl Client {
    /// Signs in, lifts the quotas and takes note of the image `small`.
    pub(crate) async fn of(cloud: &Cloud) -> Result<Self> {
        let password = cloud.password("admin")?;
        let mut client = Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(60))
                .build()?,
            url: cloud.url(),
            token: String::new(),
            password,
            image: String::new(),
        };
        client.token = client.token().await?;
        let images = client.get("/image/v2/images?name=small").await?;
        if let Some(id) = images["images"][0]["id"].as_str() {
            id.clone_into(&mut client.image);
        }
        let all = ["instances", "cores", "ram"].map(|name| (name.to_owned(), json!(-1)));
        let limits: serde_json::Map<String, Value> = all.into_iter().collect();
        let project = client.project().await?;
        client
            .send(
                reqwest::Method::PUT,
                &format!("/compute/v2.1/os-quota-sets/{project}"),
                Some(json!({ "quota_set": limits })),
            )
            .await?;
        client
            .send(
                reqwest::Method::PUT,
                &format!("/network/v2.0/quotas/{project}"),
                Some(json!({ "quota": { "port": -1 } })),
            )
            .await?;
        Ok(client)
    }

    /// The same caller at another API server.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// Asks for a new token with the password.
    pub(crate) async fn token(&self) -> Result<String> {
        let domain = json!({ "id": "default" });
        let user = json!({ "name": "admin", "domain": domain, "password": self.password });
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": { "name": "admin", "domain": domain } },
        }});
        let url = format!("{}/identity/v3/auth/tokens", self.url);
        let answer = self.http.post(url).json(&body).send().await?;
        let header = answer.headers().get("x-subject-token");
        let token = header.context("no token was given")?.to_str()?.to_owned();
        Ok(token)
    }

    /// Has the own token looked at, as a service does with its callers'.
    pub(crate) async fn validate(&self) -> Result<()> {
        let url = format!("{}/identity/v3/auth/tokens", self.url);
        let asked = self.http.get(url).header("x-auth-token", &self.token);
        let answer = asked.header("x-subject-token", &self.token).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn project(&self) -> Result<String> {
        let url = format!("{}/identity/v3/auth/tokens", self.url);
        let asked = self.http.get(url).header("x-auth-token", &self.token);
        let answer = asked.header("x-subject-token", &self.token).send().await?;
        let token: Value = answer.error_for_status()?.json().await?;
        let id = token["token"]["project"]["id"].as_str();
        Ok(id.context("the token is for no project")?.to_owned())
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(reqwest::Method::GET, path, None).await
    }

    /// Reads and throws away, without taking the answer apart.
    pub(crate) async fn read(&self, path: &str) -> Result<()> {
        let url = format!("{}{path}", self.url);
        let asked = self.http.get(url).header("x-auth-token", &self.token);
        asked.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method.clone(), url);
        request = request.header("x-auth-token", &self.token);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{method} {path}: {status}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Asks for a server; its id.
    pub(crate) async fn boot(&self, name: &str) -> Result<String> {
        let body = json!({ "server": { "name": name, "flavorRef": "1", "imageRef": self.image } });
        let path = "/compute/v2.1/servers";
        let answer = self.send(reqwest::Method::POST, path, Some(body)).await?;
        let id = answer["server"]["id"].as_str();
        Ok(id.context("no id was given")?.to_owned())
    }

    /// Asks for `count` servers, `at_once` requests at a time.
    pub(crate) async fn boot_many(&self, count: usize, at_once: usize) -> Result<Vec<String>> {
        let boots = (0..count).map(|n| async move { self.boot(&format!("vm-{n}")).await });
        stream::iter(boots)
            .buffer_unordered(at_once)
            .try_collect()
            .await
    }

    /// Asks for the end of these servers, `at_once` requests at a time.
    pub(crate) async fn delete_many(&self, ids: &[String], at_once: usize) -> Result<()> {
        let deletes = ids.iter().map(|id| async move {
            let path = format!("/compute/v2.1/servers/{id}");
            self.send(reqwest::Method::DELETE, &path, None).await
        });
        stream::iter(deletes)
            .buffer_unordered(at_once)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    /// Waits until a server is ACTIVE, asking every `pause`.
    pub(crate) async fn until_active(&self, id: &str, pause: Duration) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answer = self.get(&format!("/compute/v2.1/servers/{id}")).await?;
            match answer["server"]["status"].as_str() {
                Some("ACTIVE") => return Ok(()),
                Some("ERROR") => bail!("server {id}: {}", answer["server"]["fault"]),
                _ => tokio::time::sleep(pause).await,
            }
        }
        bail!("server {id} is not ACTIVE after {PATIENCE:?}")
    }

    /// Waits until no server is in BUILD any more, asking every `pause`; none may be in ERROR.
    pub(crate) async fn until_built(&self, pause: Duration) -> Result<()> {
        let failed = "/compute/v2.1/servers?status=ERROR&limit=1";
        self.until_none("/compute/v2.1/servers?status=BUILD&limit=1", pause)
            .await?;
        let answer = self.get(failed).await?;
        if let Some(first) = answer["servers"].get(0) {
            bail!("a server is in ERROR: {first}");
        }
        Ok(())
    }

    /// Waits until no server is left, asking every `pause`.
    pub(crate) async fn until_gone(&self, pause: Duration) -> Result<()> {
        self.until_none("/compute/v2.1/servers?limit=1", pause)
            .await
    }

    /// Waits until none of these servers is left, looking at one after the other.
    pub(crate) async fn until_none_of(&self, ids: &[String]) -> Result<()> {
        for id in ids {
            let path = format!("{}/compute/v2.1/servers/{id}", self.url);
            let end = Instant::now() + PATIENCE;
            loop {
                let asked = self.http.get(&path).header("x-auth-token", &self.token);
                if asked.send().await?.status() == reqwest::StatusCode::NOT_FOUND {
                    break;
                }
                ensure!(
                    Instant::now() < end,
                    "server {id} is not gone after {PATIENCE:?}"
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    async fn until_none(&self, path: &str, pause: Duration) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answer = self.get(path).await?;
            if answer["servers"].as_array().is_none_or(Vec::is_empty) {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
        bail!("{path} is not empty after {PATIENCE:?}")
    }
}
