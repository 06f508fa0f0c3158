//! 169.254.169.254 as guests see it: each question is forwarded to the API with the guest's network and
//! address, which the filter vouches for, and a signature, which proves that a network worker asks.

mod connections;

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Url, redirect::Policy};
use sha2::Sha256;
use skybus_model::{id::NetworkId, server::spec};
use skybus_sys::socket;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::connections::Limits;
use crate::links::METADATA;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What one network's guests may take of the worker. A guest that boots asks one thing after another.
const LIMITS: Limits = Limits {
    at_once: 64,
    of_a_guest: 8,
    to_ask: Duration::from_secs(10),
    in_all: Duration::from_secs(30),
};

/// Where questions are forwarded to.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
    base: Url,
    secret: String,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// The metadata service of the API at `api_url`.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn new(api_url: &str, secret: &str) -> anyhow::Result<Self> {
        let base = Url::parse(&format!("{}/metadata/", api_url.trim_end_matches('/')))?;
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            base,
            secret: secret.to_owned(),
        })
    }

    /// The address to ask for a guest's path. A path that climbs out of the metadata is none.
    pub(crate) fn address(&self, path_and_query: &str) -> Option<Url> {
        let path = path_and_query.trim_start_matches('/');
        let url = Url::parse(&format!("{}{path}", self.base)).ok()?;
        (url.origin() == self.base.origin() && url.path().starts_with(self.base.path()))
            .then_some(url)
    }

    fn signature(&self, network: NetworkId, address: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).ok()?;
        mac.update(format!("{network} {address}").as_bytes());
        Some(hex::encode(mac.finalize().into_bytes()))
    }
}

/// A network's listener; dropping it closes it.
#[derive(Debug)]
pub struct Proxy {
    token: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens in the network's namespace.
    ///
    /// # Errors
    /// When the namespace or the address is not there.
    pub async fn start(network: NetworkId, upstream: Upstream) -> std::io::Result<Self> {
        let listener = tokio::task::spawn_blocking(move || {
            let listener =
                socket::listen(&spec::namespace(network), SocketAddr::from((METADATA, 80)))?;
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(listener)
        })
        .await??;
        let listener = TcpListener::from_std(listener)?;
        let token = CancellationToken::new();
        let pages = move |guest| {
            Router::new().fallback(forward).with_state(Asked {
                network,
                guest,
                upstream: upstream.clone(),
            })
        };
        let end = token.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = connections::serve(listener, LIMITS, pages) => {}
                () = end.cancelled() => {}
            }
        });
        Ok(Self { token, task })
    }

    /// Whether it still listens.
    #[must_use]
    pub fn listens(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

#[derive(Debug, Clone)]
struct Asked {
    network: NetworkId,
    guest: SocketAddr,
    upstream: Upstream,
}

async fn forward(State(asked): State<Asked>, request: Request) -> Response {
    if request.method() != Method::GET {
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            "metadata can only be read\n",
        )
            .into_response();
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let Some(url) = asked.upstream.address(path) else {
        return (StatusCode::BAD_REQUEST, "there is no such path\n").into_response();
    };
    let address = asked.guest.ip().to_string();
    let Some(signature) = asked.upstream.signature(asked.network, &address) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = asked
        .upstream
        .client
        .get(url)
        .header("x-skybus-network", asked.network.to_string())
        .header("x-skybus-address", address)
        .header("x-skybus-signature", signature)
        .send()
        .await;
    match answer {
        Ok(answer) => passed_on(answer),
        Err(error) => {
            metrics::counter!("skybus_metadata_failures_total").increment(1);
            tracing::warn!(network = %asked.network, guest = %asked.guest, "metadata: {:#}", error.without_url());
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "metadata is not available now; ask again\n",
            )
                .into_response()
        }
    }
}

fn passed_on(answer: reqwest::Response) -> Response {
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_a_guest_s_leaves_the_metadata() {
        let upstream = Upstream::new("http://127.0.0.1:8774/", "s").unwrap();
        let to = |path| upstream.address(path).map(String::from);
        let base = "http://127.0.0.1:8774/metadata/";
        assert_eq!(to("/"), Some(base.to_owned()));
        assert_eq!(
            to("/latest/meta-data/?x=1"),
            Some(format!("{base}latest/meta-data/?x=1"))
        );
        assert_eq!(to("//example.org/x"), Some(format!("{base}example.org/x")));
        for bad in [
            "/../internal/x",
            "/a/../../internal",
            "/%2e%2e/internal",
            "/.%2E/x",
            "/..\\x",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_signature_is_over_network_and_address() {
        let upstream = Upstream::new("http://127.0.0.1:1", "secret").unwrap();
        let network: NetworkId = "0c0c0c0c-0c0c-4c0c-8c0c-0c0c0c0c0c0c".parse().unwrap();
        let one = upstream.signature(network, "10.0.0.2").unwrap();
        assert_eq!(one.len(), 64);
        assert_ne!(Some(one), upstream.signature(network, "10.0.0.3"));
    }
}
