//! A small cloud to try things in: two networks' worth of addresses, images in several states, three
//! users in three projects, and a host that is only rows.

use http::Method;
use serde_json::{Value, json};
use skybus_model::{
    HostName, Order, Timestamp,
    host::Resources,
    id::{ImageId, NetworkId, PortId, ProjectId, ServerId, UserId},
    image::{DiskFormat, Visibility},
    message::heartbeat::HostBeat,
    operation::Step,
    segment::Carries,
    server::{Power, ServerState, VmState},
};
use skybus_store::{
    Store,
    hosts::{self, Host},
    identity::{User, assignments, domains, projects, roles, users},
    images::{
        self, Image, NewImage,
        upload::{self, Arrived},
    },
    networks::{
        NewPort,
        bootstrap::{FlatNetwork, ensure_flat},
        ports,
    },
    operations, servers, services,
};

use crate::testing::{ADMIN, Answer, DEMO, TestApp};

/// The cloud.
pub(super) struct Cloud {
    pub(super) test: TestApp,
    pub(super) admin: String,
    pub(super) demo: String,
    /// A member of a third project.
    pub(super) eve: String,
    pub(super) demo_project: ProjectId,
    pub(super) eve_project: ProjectId,
    pub(super) image: ImageId,
    pub(super) queued_image: ImageId,
    pub(super) large_image: ImageId,
    pub(super) eves_image: ImageId,
    pub(super) network: NetworkId,
    pub(super) eves_port: PortId,
}

impl Cloud {
    pub(super) async fn on(test: TestApp) -> Self {
        let store = test.store().clone();
        let demo_project = project(&store, "demo").await;
        let eve_project = test.another_tenant().await;
        let image = an_image(&store, demo_project, Visibility::Public, Some(1 << 20)).await;
        let queued_image = an_image(&store, demo_project, Visibility::Private, None).await;
        let large_image = an_image(&store, demo_project, Visibility::Private, Some(9 << 30)).await;
        let eves_image = an_image(&store, eve_project, Visibility::Private, Some(1 << 20)).await;
        let mut tx = store.begin().await.unwrap();
        let flat = FlatNetwork::first_of("10.1.0.0/16".parse().unwrap(), 512, Vec::new()).unwrap();
        let network = ensure_flat(&mut tx, project(&store, "admin").await, &flat);
        let network = network.await.unwrap().id;
        let eves_port = ports::create(&mut tx, NewPort::new(network, eve_project))
            .await
            .unwrap()
            .id;
        tx.commit().await.unwrap();
        Self {
            admin: test.login("admin", ADMIN, "admin").await,
            demo: test.login("demo", DEMO, "demo").await,
            eve: test.login("eve", DEMO, "eves").await,
            test,
            demo_project,
            eve_project,
            image,
            queued_image,
            large_image,
            eves_image,
            network,
            eves_port,
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.test.store()
    }

    /// Asks the Compute API in a microversion.
    pub(super) async fn ask(
        &self,
        token: &str,
        version: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let path = format!("/compute/v2.1{path}");
        let header = format!("compute {version}");
        let headers = [("openstack-api-version", header.as_str())];
        self.test
            .ask_with(token, method, &path, &headers, body)
            .await
    }

    /// GET as `demo` in 2.1.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(&self.demo, "2.1", Method::GET, path, Value::Null)
            .await
    }

    /// The body of a boot, with more fields over the usual ones.
    pub(super) fn boot_body(&self, more: Value) -> Value {
        let mut server = json!({ "name": "vm1", "imageRef": self.image, "flavorRef": "84" });
        if let (Value::Object(server), Value::Object(more)) = (&mut server, more) {
            server.extend(more);
        }
        json!({ "server": server })
    }

    /// Boots a server and gives its id.
    pub(super) async fn boot(&self, token: &str, more: Value) -> String {
        let body = self.boot_body(more);
        let answer = self.ask(token, "2.1", Method::POST, "/servers", body).await;
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        answer.body["server"]["id"].as_str().unwrap().to_owned()
    }

    /// The token of a user who may only look, in eve's project.
    pub(super) async fn a_reader_of_eves_project(&self) -> String {
        let pool = self.store().pool();
        let demo = users::by_name(pool, domains::DEFAULT, "demo")
            .await
            .unwrap()
            .unwrap();
        let reader = roles::by_name(pool, "reader").await.unwrap().unwrap();
        let user = User {
            id: UserId::random(),
            name: "rita".into(),
            ..demo
        };
        let mut tx = self.store().begin().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        assignments::give(&mut tx, self.eve_project, user.id, reader.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.test.login("rita", DEMO, "eves").await
    }

    /// Does an action and gives the answer.
    pub(super) async fn act(&self, token: &str, id: &str, action: Value) -> Answer {
        self.ask(
            token,
            "2.1",
            Method::POST,
            &format!("/servers/{id}/action"),
            action,
        )
        .await
    }

    /// A host `node-1` that has beaten just now.
    pub(super) async fn a_host(&self) {
        let name: HostName = "node-1".parse().unwrap();
        let capacity = Resources {
            vcpus: 8,
            ram_mib: 16_384,
            disk_gib: 100,
        };
        let host = Host {
            name: name.clone(),
            zone: "nova".into(),
            hypervisor: "tcg".into(),
            version: "1".into(),
            capacity,
            used: Resources::default(),
            servers: 0,
        };
        let mut tx = self.store().begin().await.unwrap();
        hosts::register(&mut tx, &host).await.unwrap();
        for service in ["compute", "network"] {
            let beat = HostBeat {
                host: name.clone(),
                service: service.into(),
                zone: "nova".into(),
                order: Order { epoch: 1, seq: 1 },
                at: Timestamp::now(),
                capacity,
                free: capacity,
                hypervisor: "tcg".into(),
                version: "1".into(),
                carries: Carries::default(),
            };
            services::heard(&mut tx, &beat, Timestamp::now())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Makes a booted server be as if `node-1` ran it.
    pub(super) async fn settle(&self, id: &str, vm: VmState) {
        let id: ServerId = id.parse().unwrap();
        let mut tx = self.store().begin().await.unwrap();
        let mut server = servers::load(&mut tx, id).await.unwrap();
        server.host = Some("node-1".parse().unwrap());
        server.state = ServerState::settled(vm);
        server.power = if vm == VmState::Active {
            Power::Running
        } else {
            Power::Shutdown
        };
        servers::save(&mut tx, &server).await.unwrap();
        for mut operation in operations::open_of(&mut tx, id).await.unwrap() {
            operation.step = Step::OnHost;
            operation.end(Step::Done, None);
            operations::save(&mut tx, &operation).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// How many rows each table has that a request may fill.
    pub(super) async fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        for (table, sql) in [
            ("servers", "SELECT COUNT(*) FROM servers"),
            ("ports", "SELECT COUNT(*) FROM ports"),
            ("floating", "SELECT COUNT(*) FROM floating_ips"),
            ("operations", "SELECT COUNT(*) FROM operations"),
            ("outbox", "SELECT COUNT(*) FROM outbox"),
            ("events", "SELECT COUNT(*) FROM events"),
            ("flavors", "SELECT COUNT(*) FROM flavors"),
            ("keypairs", "SELECT COUNT(*) FROM keypairs"),
            ("limits", "SELECT COUNT(*) FROM quota_limits"),
            (
                "used",
                "SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM quota_usage",
            ),
        ] {
            let count: i64 = sqlx::query_scalar(sql)
                .fetch_one(self.store().pool())
                .await
                .unwrap();
            rows.push((table, count));
        }
        rows
    }
}

async fn project(store: &Store, name: &str) -> ProjectId {
    projects::by_name(store.pool(), domains::DEFAULT, name)
        .await
        .unwrap()
        .unwrap()
        .id
}

async fn an_image(
    store: &Store,
    project: ProjectId,
    visibility: Visibility,
    size: Option<i64>,
) -> ImageId {
    let mut described = Image::blank(project);
    described.visibility = visibility;
    described.name = Some("debian".into());
    described.disk_format = Some(DiskFormat::Qcow2);
    described.container_format = Some("bare".into());
    let mut tx = store.begin().await.unwrap();
    let id = images::create(
        &mut tx,
        NewImage {
            id: None,
            described,
        },
    )
    .await
    .unwrap()
    .id;
    if let Some(size) = size {
        upload::begin(&mut tx, id, "u").await.unwrap();
        let arrived = Arrived {
            size,
            virtual_size: size,
            md5: "m".into(),
            sha512: "s".repeat(128),
        };
        assert!(upload::finish(&mut tx, id, "u", &arrived).await.unwrap());
    }
    tx.commit().await.unwrap();
    id
}
