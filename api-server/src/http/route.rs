//! How an API says what it serves: method, path, action, handler.
//!
//! The list is kept beside the router that it becomes, so that tests and documents can walk it.

use axum::{
    Router,
    handler::Handler,
    middleware::from_fn_with_state,
    routing::{MethodFilter, on},
};
use http::Method;

use super::{Action, Api, guard};
use crate::app::App;

/// One line of an API's route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The API.
    pub api: Api,
    /// The method.
    pub method: Method,
    /// The path below the API's prefix, with its parts in braces.
    pub path: &'static str,
    /// What it does; [`super::policy`] says who may.
    pub action: Action,
}

/// What an API serves, as it is being said.
#[derive(Debug)]
pub struct Routes {
    app: App,
    api: Api,
    router: Router<App>,
    table: Vec<Route>,
}

impl Routes {
    /// Nothing yet.
    #[must_use]
    pub fn new(app: &App, api: Api) -> Self {
        Self {
            app: app.clone(),
            api,
            router: Router::new(),
            table: Vec::new(),
        }
    }

    /// GET, and HEAD with it.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::GET, path, action, false, handler)
    }

    /// HEAD alone, where it is not GET without a body.
    #[must_use]
    pub fn head<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::HEAD, path, action, false, handler)
    }

    /// POST.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, path, action, false, handler)
    }

    /// POST whose handler notes its answer with [`super::Once::record`] in the transaction that does
    /// the work. A retry after a crash in the middle then runs it again, knowing that it was not done.
    #[must_use]
    pub fn post_once<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, path, action, true, handler)
    }

    /// PUT.
    #[must_use]
    pub fn put<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::PUT, path, action, false, handler)
    }

    /// PATCH.
    #[must_use]
    pub fn patch<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::PATCH, path, action, false, handler)
    }

    /// DELETE.
    #[must_use]
    pub fn delete<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::DELETE, path, action, false, handler)
    }

    /// The router and the table.
    pub fn done(self) -> (Router<App>, Vec<Route>) {
        (self.router, self.table)
    }

    fn add<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        action: Action,
        once: bool,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let guard = guard::Guard {
            app: self.app.clone(),
            api: self.api,
            action,
            once,
        };
        let handled = on(filter(&method), handler);
        let guarded = handled.route_layer(from_fn_with_state(guard, guard::check));
        self.router = self.router.route(path, guarded);
        self.table.push(Route {
            api: self.api,
            method,
            path,
            action,
        });
        self
    }
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::HEAD => MethodFilter::HEAD,
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}
