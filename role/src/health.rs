//! `/healthz` and `/metrics`, on an address of their own.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;

type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What has to be well for the role to be well. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<Vec<(&'static str, Check)>>>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Health")
    }
}

impl Health {
    /// Adds a check; its error says what is wrong and goes into the answer.
    pub fn check(
        &self,
        name: &'static str,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        if let Ok(mut checks) = self.checks.lock() {
            checks.push((name, Box::new(check)));
        }
    }

    /// What is wrong now, as `(name, reason)`.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let Ok(checks) = self.checks.lock() else {
            return vec![("health", "a check panicked".to_owned())];
        };
        if checks.is_empty() {
            // Its page is the first thing that a process has; nothing else of it has begun.
            return vec![("start", "it is just starting".to_owned())];
        }
        checks
            .iter()
            .filter_map(|(name, check)| Some((*name, check().err()?)))
            .collect()
    }
}

#[derive(Clone)]
struct Page {
    role: &'static str,
    health: Health,
    metrics: Option<PrometheusHandle>,
}

/// The two pages. The metrics recorder is installed once per process.
pub(crate) fn pages(role: &'static str, health: Health) -> Router {
    let metrics = PrometheusBuilder::new().install_recorder().ok();
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_text))
        .with_state(Page {
            role,
            health,
            metrics,
        })
}

async fn healthz(State(page): State<Page>) -> impl IntoResponse {
    let problems = page.health.problems();
    let status = if problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let problems: Vec<_> = problems
        .iter()
        .map(|(what, why)| json!({ "what": what, "why": why }))
        .collect();
    let word = if status == StatusCode::OK {
        "ok"
    } else {
        "unwell"
    };
    (
        status,
        Json(json!({ "role": page.role, "status": word, "problems": problems })),
    )
}

async fn metrics_text(State(page): State<Page>) -> String {
    page.metrics
        .map(|handle| handle.render())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_until_it_is_right() {
        let health = Health::default();
        assert_eq!(health.problems()[0].0, "start");
        health.check("broker", || Err("no connection since 12 s".to_owned()));
        health.check("database", || Ok(()));
        assert_eq!(
            health.problems(),
            [("broker", "no connection since 12 s".to_owned())]
        );
    }
}
