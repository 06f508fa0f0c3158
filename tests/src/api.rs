//! Speaking to the APIs directly, as a client would that makes mistakes.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use ureq::{Agent, http::Request};

use crate::cloud::Cloud;

/// A client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    url: String,
    /// The token; empty for nobody.
    pub token: String,
    /// The id of the token's project.
    pub project: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; text when it is no JSON.
    pub body: Value,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Answer {
    /// The message of an error, in whichever API's form.
    #[must_use]
    pub fn message(&self) -> &str {
        let nested = || {
            self.body
                .as_object()?
                .values()
                .find_map(|inner| inner["message"].as_str())
        };
        self.body["message"]
            .as_str()
            .or_else(nested)
            .unwrap_or_default()
    }
}

impl Api {
    /// Nobody.
    #[must_use]
    pub fn anonymous(cloud: &Cloud) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        let (token, project) = (String::new(), String::new());
        Self {
            agent: config.new_agent(),
            url: cloud.url(),
            token,
            project,
        }
    }

    /// The same person at another API server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// Someone, signed in to the project of the same name.
    ///
    /// # Errors
    /// When they are refused.
    pub fn sign_in(cloud: &Cloud, user: &str, password: &str) -> Result<Self> {
        let mut api = Self::anonymous(cloud);
        let domain = json!({"id": "default"});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user":
                {"name": user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": user, "domain": domain}},
        }});
        let request = Request::post(format!("{}/identity/v3/auth/tokens", api.url));
        let response = api.agent.run(
            request
                .header("content-type", "application/json")
                .body(body.to_string())?,
        )?;
        let header = response
            .headers()
            .get("x-subject-token")
            .context("no token was given")?;
        api.token = header.to_str()?.to_owned();
        let answer = read(response)?;
        api.project = answer.body["token"]["project"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(api)
    }

    /// Sends a request with a body as it is, well formed or not.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.send_with_key(method, path, body, None)
    }

    /// The same with an `Idempotency-Key`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send_with_key(
        &self,
        method: &str,
        path: &str,
        body: &str,
        key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("x-auth-token", &self.token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = if body.is_empty() {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(
                request
                    .header("content-type", "application/json")
                    .body(body.to_owned())?,
            )
        };
        read(response.with_context(|| format!("{method} {path}"))?)
    }

    /// Reads.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(self.send("GET", path, "")?.body)
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer> {
    let id = response.headers().get("x-openstack-request-id");
    let request_id = id.and_then(|v| v.to_str().ok()).map(str::to_owned);
    let text = response.body_mut().read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer {
        status: response.status().as_u16(),
        body,
        request_id,
    })
}
