//! All APIs on one port, below their prefixes.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use http::{HeaderValue, StatusCode, Uri};

use super::{
    Api, Error, Route, Routes, microversion, request_id,
    shape::{self, Dress},
    shed::{self, Places},
    versions,
};
use crate::{app::App, compute, identity, image, metadata, network, operator};

/// What an API says that it serves.
type Says = fn(Routes) -> Routes;

/// What is served, and the table of it.
#[derive(Debug)]
pub struct Served {
    /// The service itself.
    pub router: Router,
    /// Every route of every API.
    pub table: Vec<Route>,
}

/// Puts everything together.
#[must_use]
pub fn build(app: &App) -> Served {
    build_with(app, Places::new(shed::MOST_REQUESTS))
}

/// The same with another bound on how many requests run.
#[must_use]
pub fn build_with(app: &App, places: Places) -> Served {
    let mut table = Vec::new();
    let mut all = dressed(app, Api::Operator, versions::router());
    let apis: [(Api, Says); 5] = [
        (Api::Identity, identity::routes),
        (Api::Compute, compute::routes),
        (Api::Image, image::routes),
        (Api::Network, network::routes),
        (Api::Metadata, metadata::routes),
    ];
    for (api, routes) in apis {
        let (router, lines) = routes(Routes::new(app, api)).done();
        table.extend(lines);
        let router = match api {
            Api::Compute => fallbacks(router).layer(from_fn(microversion::negotiate)),
            _ => fallbacks(router),
        };
        all = all.nest(api.prefix(), dressed(app, api, router));
    }
    let own = metadata::internal(image::internal(Routes::new(app, Api::Operator)));
    let (router, lines) = operator::routes(own).done();
    table.extend(lines);
    let own = fallbacks(all.merge(dressed(app, Api::Operator, router)));
    let own = dressed(app, Api::Operator, own)
        .layer(from_fn_with_state(places, shed::shed))
        .with_state(app.clone());
    // The trailing slash is taken away before routing, hence a router around the router.
    let router = Router::new()
        .fallback_service(own)
        .layer(from_fn(without_trailing_slash))
        .layer(from_fn(request_id::name));
    Served { router, table }
}

fn fallbacks(router: Router<App>) -> Router<App> {
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
}

fn dressed(app: &App, api: Api, router: Router<App>) -> Router<App> {
    let challenge = format!("Keystone uri=\"{}\"", app.public("/identity"));
    let challenge =
        HeaderValue::from_str(&challenge).unwrap_or_else(|_| HeaderValue::from_static("Keystone"));
    router.layer(from_fn_with_state(Dress { api, challenge }, shape::dress))
}

async fn nothing_here(uri: Uri) -> Error {
    let path: String = uri.path().chars().take(120).collect();
    Error::new(StatusCode::NOT_FOUND, format!("there is nothing at {path}"))
}

async fn wrong_method(request: Request) -> Error {
    let text = format!("{} cannot be used here", request.method());
    Error::new(StatusCode::METHOD_NOT_ALLOWED, text)
}

/// Clients write `/v2.1/` and `/v2.1` alike. Only guests' metadata paths are left as they are.
async fn without_trailing_slash(mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.len() > 1 && path.ends_with('/') && !path.starts_with(Api::Metadata.prefix()) {
        let bare = path.trim_end_matches('/');
        let bare = if bare.is_empty() { "/" } else { bare };
        let whole = match request.uri().query() {
            Some(query) => format!("{bare}?{query}"),
            None => bare.to_owned(),
        };
        if let Ok(uri) = whole.parse() {
            *request.uri_mut() = uri;
        }
    }
    next.run(request).await
}
