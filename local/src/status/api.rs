//! What the API knows of the hosts, asked as the operator.

use reqwest::Client;
use serde_json::{Value, json};

use super::Host;
use crate::cloud::Cloud;

/// The workers on all hosts.
pub(crate) async fn hosts(client: &Client, cloud: &Cloud) -> Result<Vec<Host>, String> {
    let token = token(client, cloud).await?;
    let url = format!("{}/compute/v2.1/os-services", cloud.url());
    let answer = client.get(url).header("X-Auth-Token", token).send().await;
    let answer = answer.map_err(|_| "it does not answer".to_owned())?;
    if !answer.status().is_success() {
        return Err(format!(
            "it answers {} to a list of services",
            answer.status()
        ));
    }
    let body: Value = answer.json().await.map_err(|e| e.to_string())?;
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
