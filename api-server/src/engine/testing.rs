//! An engine on a real broker, for the tests of its parts.

use std::{sync::Arc, time::Duration};

use skybus_bus::{relay::Relay, testing::Broker};
use skybus_model::{
    HostName,
    host::Resources,
    id::{OperationId, ServerId},
    message::{Service, command::ServerPlace},
};
use skybus_store::{
    Store,
    hosts::{self, Ratios},
    lifecycle::placed,
    operations::{self, Operation},
    testing::{SMALL, TestCloud, TestStore},
};
use tokio_util::sync::CancellationToken;

use super::Engine;

/// Much longer than anything takes, so that a busy machine fails no test.
pub(super) const SOON: Duration = Duration::from_secs(120);

/// A cloud's rows with one host, whose workers' queues are on the broker.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) test_cloud: TestCloud,
    pub(super) host: HostName,
    token: CancellationToken,
    _database: TestStore,
}

impl Stage {
    pub(super) async fn begin(broker: &Broker, name: &str) -> Self {
        let database = TestStore::sqlite().await;
        let test_cloud = TestCloud::new(database.store.clone()).await;
        let size = Resources {
            vcpus: 4,
            ram_mib: 4096,
            disk_gib: 40,
        };
        let host = test_cloud.host("a", size).await;
        for service in [Service::Compute, Service::Network] {
            let hosts = std::slice::from_ref(&host);
            broker.join_account(service, &host, hosts).await.unwrap();
        }
        let token = CancellationToken::new();
        let bus = broker.bus(Service::Api, name, &token).await.unwrap();
        let engine = Engine {
            store: database.store.clone(),
            relay: Relay::new(bus.clone(), Arc::new(database.store.clone())),
            bus,
            key: test_cloud.key.clone(),
            who: "api@test".to_owned(),
        };
        Self {
            engine,
            test_cloud,
            host,
            token,
            _database: database,
        }
    }

    pub(super) const fn store(&self) -> &Store {
        &self.engine.store
    }

    /// A server that its host was told to build.
    pub(super) async fn building(&self, name: &str) -> (ServerId, OperationId) {
        let (server, operation) = self.test_cloud.boot(name).await;
        let ratios = Ratios {
            vcpus: 1000,
            ram: 1000,
            disk: 1000,
        };
        let mut tx = self.store().begin().await.unwrap();
        let command = ServerPlace { operation, server };
        let waiting = placed::waiting(&mut tx, &command).await.unwrap();
        let (mut row, mut boot) = waiting.expect("it waits for a host");
        let claimed = hosts::claim(&mut tx, &self.host, SMALL, ratios).await;
        assert!(claimed.unwrap());
        let chosen = (self.host.clone(), vec![]);
        let how = (&self.test_cloud.key, String::new());
        placed::on(&mut tx, &mut row, &mut boot, chosen, how)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (server, operation)
    }

    /// Nothing has happened to it for too long.
    pub(super) async fn overdue(&self, operation: OperationId) {
        let mut tx = self.store().begin().await.unwrap();
        let mut row = operations::load(&mut tx, operation).await.unwrap();
        row.wake_at = skybus_model::Timestamp(0);
        operations::save(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn operation(&self, server: ServerId) -> Operation {
        let all = operations::of_server(self.store(), server).await.unwrap();
        all.into_iter().next().unwrap()
    }

    pub(super) fn end(&self) {
        self.token.cancel();
    }
}

pub(super) async fn eventually(wanted: impl Fn() -> bool) {
    eventually_async(async || wanted()).await;
}

pub(super) async fn eventually_async(wanted: impl AsyncFn() -> bool) {
    let reached = async {
        while !wanted().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, reached)
        .await
        .expect("it comes about");
}
