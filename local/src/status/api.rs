//! What the API knows of the hosts, asked as the operator.

use reqwest::Client;
use serde_json::{Value, json};

use super::Host;
use crate::cloud::Cloud;

/// What the API says.
#[derive(Debug)]
pub(crate) struct Known {
    /// The workers on all hosts.
    pub(crate) hosts: Vec<Host>,
    /// What the last audit found, or left; zero where there was none yet.
    pub(crate) findings: u64,
}

/// The workers on all hosts, and what the last audit found.
pub(crate) async fn known(client: &Client, cloud: &Cloud) -> Result<Known, String> {
    let token = token(client, cloud).await?;
    let (hosts, status) = tokio::join!(
        services(client, cloud, &token),
        get(client, cloud, &token, "/skybus/v1/status"),
    );
    Ok(Known {
        hosts: hosts?,
        // Whether all fits is worth a line; that it could not be asked is not, where all else is known.
        findings: status.map_or(0, |status| {
            status["audit"]["findings"].as_u64().unwrap_or(0)
        }),
    })
}

/// The workers on all hosts.
pub(crate) async fn hosts(client: &Client, cloud: &Cloud) -> Result<Vec<Host>, String> {
    let token = token(client, cloud).await?;
    services(client, cloud, &token).await
}

async fn services(client: &Client, cloud: &Cloud, token: &str) -> Result<Vec<Host>, String> {
    let body = get(client, cloud, token, "/compute/v2.1/os-services").await?;
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let services = body["services"].as_array().cloned().unwrap_or_default();
    Ok(services
        .iter()
        .map(|service| Host {
            host: word(service, "host"),
            binary: word(service, "binary"),
            status: word(service, "status"),
            state: word(service, "state"),
        })
        .collect())
}

async fn get(client: &Client, cloud: &Cloud, token: &str, path: &str) -> Result<Value, String> {
    let url = format!("{}{path}", cloud.url());
    let answer = client.get(url).header("X-Auth-Token", token).send().await;
    let answer = answer.map_err(|_| "it does not answer".to_owned())?;
    if !answer.status().is_success() {
        return Err(format!("it answers {} to {path}", answer.status()));
    }
    answer.json().await.map_err(|error| error.to_string())
}

async fn token(client: &Client, cloud: &Cloud) -> Result<String, String> {
    let domain = json!({ "id": "default" });
    let body = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": {
            "name": "admin", "domain": domain, "password": cloud.secrets.admin_password,
        } } },
        "scope": { "project": { "name": "admin", "domain": domain } },
    } });
    let url = format!("{}/auth/tokens", cloud.auth_url());
    let answer = client.post(url).json(&body).send().await;
    let answer = answer.map_err(|_| "it does not answer".to_owned())?;
    let status = answer.status();
    let token = answer
        .headers()
        .get("X-Subject-Token")
        .and_then(|t| t.to_str().ok());
    token
        .map(str::to_owned)
        .ok_or_else(|| match status.as_u16() {
            401 => "it refuses the admin's password, which was probably changed since".to_owned(),
            _ => format!("it answers {status} to a login"),
        })
}
