//! A whole API server for tests: every route on a throw-away database, without a socket.
//!
//! The bus has the address of nobody: whatever a request sends waits in the outbox, where a test can
//! look at it, and that requests work all the same is part of the promise.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use skybus_bus::{Bus, Settings, relay::Relay};
use skybus_model::{
    Timestamp,
    id::{ProjectId, UserId},
    message::Service,
};
use skybus_store::{
    Store,
    identity::{Project, User, assignments, domains, projects, roles, users},
    signed_path::PathKey,
    testing::{TestStore, wait},
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    app::{App, Parts},
    config::{Bootstrap, Config, FlatSegment},
    http::{
        route::Route,
        router,
        shed::{MOST_REQUESTS, Places},
    },
    identity::{Keys, Logins, bootstrap},
    operator::{
        events::{Feed, Pace},
        hosts::Attempts,
    },
};

/// The password of the user `admin` in tests.
pub(crate) const ADMIN: &str = "admin-password";
/// The password of the user `demo` in tests.
pub(crate) const DEMO: &str = "demo-password";

/// How often streams of events show life in tests.
const ALIVE_EVERY: Duration = Duration::from_millis(200);

/// An API server and what it stands on.
#[derive(Debug)]
pub(crate) struct TestApp {
    /// What handlers share.
    pub(crate) app: App,
    /// Every route.
    pub(crate) router: Router,
    /// The table of them.
    pub(crate) table: Vec<Route>,
    _store: TestStore,
    _directory: TempDir,
    end: CancellationToken,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body as JSON; a string when it is other text, null when it is empty.
    pub(crate) body: Value,
}

impl Answer {
    /// One header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl TestApp {
    /// On SQLite.
    pub(crate) async fn sqlite() -> Self {
        Self::on(TestStore::sqlite().await, MOST_REQUESTS).await
    }

    /// On PostgreSQL.
    pub(crate) async fn postgres() -> Self {
        Self::on(TestStore::postgres().await, MOST_REQUESTS).await
    }

    /// On this database, serving at most so many requests at a time.
    pub(crate) async fn on(database: TestStore, most: usize) -> Self {
        let pace = Pace {
            alive_every: ALIVE_EVERY,
            ..Pace::default()
        };
        Self::paced(database, most, pace).await
    }

    /// The same, with streams of events at this pace.
    pub(crate) async fn paced(database: TestStore, most: usize, pace: Pace) -> Self {
        Self::made(database, (most, pace), |_| {}).await
    }

    /// On SQLite, with what this changes of the configuration.
    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let paced = (MOST_REQUESTS, Pace::default());
        Self::made(TestStore::sqlite().await, paced, change).await
    }

    async fn made(
        database: TestStore,
        (most, pace): (usize, Pace),
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let mut config = Config {
            data_dir: directory.path().to_owned(),
            health: "127.0.0.1:0".parse().unwrap(),
            broker: "amqp://nobody:nothing@127.0.0.1:1/skybus".to_owned(),
            log: "info".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: "http://cloud.test:8774".to_owned(),
            database: database.url.clone(),
            management: None,
            host: None,
            first: false,
            reach: None,
            account_key: None,
            url_secret: "ab".repeat(32),
            metadata_secret: "cd".repeat(32),
            region: "RegionOne".to_owned(),
            token_lifetime: 3600,
            bootstrap: Bootstrap {
                admin_password: ADMIN.to_owned(),
                demo_password: DEMO.to_owned(),
                fixed_range: "10.1.0.0/16".parse().unwrap(),
                flat_segment: FlatSegment::default(),
                network_size: 512,
                floating_range: "172.17.1.0/24".parse().unwrap(),
            },
        };
        change(&mut config);
        let end = CancellationToken::new();
        let settings = Settings {
            url: config.broker.clone(),
            service: Service::Api,
            instance: "test".to_owned(),
        };
        let bus = Bus::connect(settings, end.clone());
        let feed = Feed::new(database.store.clone(), pace);
        let (followed, until) = (feed.clone(), end.clone());
        tokio::spawn(async move { followed.run(until).await });
        let app = App::new(Parts {
            feed,
            store: database.store.clone(),
            relay: Relay::new(bus.clone(), Arc::new(database.store.clone())),
            bus,
            keys: Keys::open(&directory.path().join("keys")).unwrap(),
            paths: PathKey::from_hex(&config.url_secret).unwrap(),
            logins: Logins::new(2),
            attempts: Attempts::default(),
            tasks: TaskTracker::new(),
            config,
        });
        bootstrap::ensure(&app).await.unwrap();
        crate::network::bootstrap::ensure(&app).await.unwrap();
        let served = router::build_with(&app, Places::new(most));
        Self {
            app,
            router: served.router,
            table: served.table,
            _store: database,
            _directory: directory,
            end,
        }
    }

    /// The database.
    pub(crate) fn store(&self) -> &Store {
        &self.app.store
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request with a token (empty for none), more headers, and a JSON body (null for none).
    pub(crate) async fn ask_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("x-auth-token", token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Sends a request with a token (empty for none) and a JSON body (null for none).
    pub(crate) async fn ask(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        self.ask_with(token, method, path, &[], body).await
    }

    /// GET with a token.
    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, Method::GET, path, Value::Null).await
    }

    /// A token of this user for this project.
    pub(crate) async fn login(&self, user: &str, password: &str, project: &str) -> String {
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": {
                "name": user, "domain": { "id": "default" }, "password": password,
            }}},
            "scope": { "project": { "name": project, "domain": { "id": "default" } } },
        }});
        let answer = self
            .ask("", Method::POST, "/identity/v3/auth/tokens", body)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.header("x-subject-token").to_owned()
    }

    /// A token of the user `admin` for the project `admin`.
    pub(crate) async fn admin(&self) -> String {
        self.login("admin", ADMIN, "admin").await
    }

    /// What `request` gives, when `then` is done after it has come to wait for a lock of the database.
    pub(crate) async fn held_up<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
        then: impl AsyncFnOnce(),
    ) -> T {
        let task = [tokio::spawn(request)];
        assert!(wait(self.store(), &task).await, "it waited for nothing");
        then().await;
        let [task] = task;
        task.await.unwrap()
    }

    /// A token of the user `demo` for the project `demo`.
    pub(crate) async fn demo(&self) -> String {
        self.login("demo", DEMO, "demo").await
    }

    /// The user `eve`, with demo's password, a member of a project `eves` of her own; that project.
    pub(crate) async fn another_tenant(&self) -> ProjectId {
        let pool = self.store().pool();
        let demo = users::by_name(pool, domains::DEFAULT, "demo").await;
        let member = roles::by_name(pool, "member").await.unwrap().unwrap();
        let own = Project {
            id: ProjectId::random(),
            domain: domains::DEFAULT.to_owned(),
            name: "eves".into(),
            description: String::new(),
            enabled: true,
            created_at: Timestamp::now(),
        };
        let eve = User {
            id: UserId::random(),
            name: "eve".into(),
            ..demo.unwrap().unwrap()
        };
        let mut tx = self.store().begin().await.unwrap();
        projects::insert(&mut tx, &own).await.unwrap();
        users::insert(&mut tx, &eve).await.unwrap();
        assignments::give(&mut tx, own.id, eve.id, member.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        own.id
    }
}
