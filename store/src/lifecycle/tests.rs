//! The life of a server, step by step, with what goes wrong on the way; on both engines.

mod absent;
mod ends;
mod failing;
mod flood;
mod forged;
mod happy;
mod late;
mod restored;
mod stuck;
mod trouble;

use skybus_model::{
    Fault, FaultCode, Generation, HostName, Order,
    host::Resources,
    id::{FloatingIpId, OperationId, ServerId},
    message::{
        Context, Outgoing,
        command::ServerPlace,
        event::{PortReport, PortState, ServerReport},
    },
    operation::Hop,
    server::{Power, Request},
};

use super::{
    accept::{self, Wish},
    placed,
    reported::{self, Outcome},
};
use crate::{
    hosts::{self, Ratios},
    networks::{
        Scope,
        bootstrap::{PublicNetwork, ensure_public},
        floating::{self, NewFloatingIp},
        ports::{self, Port},
    },
    operations::{self, Operation},
    servers::{self, Server},
    testing::{SMALL, TestCloud, TestStore},
};

/// Runs a story on both engines.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn on_sqlite() {
                let test = crate::testing::TestStore::sqlite().await;
                super::$name($crate::lifecycle::tests::Story::begin(&test).await).await;
            }
            #[tokio::test]
            async fn on_postgresql() {
                let test = crate::testing::TestStore::postgres().await;
                super::$name($crate::lifecycle::tests::Story::begin(&test).await).await;
            }
        }
    )*};
}
pub(crate) use on_both;

const ROOMY: Resources = Resources {
    vcpus: 8,
    ram_mib: 4096,
    disk_gib: 40,
};
const RATIOS: Ratios = Ratios {
    vcpus: 1000,
    ram: 1000,
    disk: 1000,
};

/// A cloud with hosts `a` and `b`, and the sequence numbers of their agents.
pub(crate) struct Story {
    pub(crate) cloud: TestCloud,
    pub(crate) a: HostName,
    pub(crate) b: HostName,
    seq: i64,
}

impl Story {
    pub(crate) async fn begin(test: &TestStore) -> Self {
        let cloud = TestCloud::new(test.store.clone()).await;
        let (a, b) = (cloud.host("a", ROOMY).await, cloud.host("b", ROOMY).await);
        Self {
            cloud,
            a,
            b,
            seq: 0,
        }
    }

    /// A scheduler chooses `host`; what left with its decision.
    pub(crate) async fn place(
        &self,
        server: ServerId,
        operation: OperationId,
        host: &HostName,
    ) -> Vec<Outgoing> {
        let mut tx = self.cloud.store.begin().await.unwrap();
        let command = ServerPlace { operation, server };
        let (mut server, mut operation) = placed::waiting(&mut tx, &command)
            .await
            .unwrap()
            .expect("it waits for a host");
        assert!(hosts::claim(&mut tx, host, SMALL, RATIOS).await.unwrap());
        let how = (&self.cloud.key, String::new());
        placed::on(
            &mut tx,
            &mut server,
            &mut operation,
            (host.clone(), vec![]),
            how,
        )
        .await
        .unwrap();
        tx.commit().await.unwrap()
    }

    /// The compute agent of `host` reports.
    pub(crate) async fn report(
        &mut self,
        server: ServerId,
        host: &HostName,
        power: Power,
    ) -> Outcome {
        let report = self.server_report(server, host, power).await;
        self.send(&report).await
    }

    pub(crate) async fn server_report(
        &mut self,
        id: ServerId,
        host: &HostName,
        power: Power,
    ) -> ServerReport {
        let server = self.server(id).await;
        self.seq += 1;
        ServerReport {
            server: id,
            operation: None,
            generation: server.generation,
            order: Order {
                epoch: 1,
                seq: self.seq,
            },
            host: host.clone(),
            power,
            fault: None,
            hops: vec![Hop::now(format!("compute@{host}"), "qemu started", "")],
        }
    }

    pub(crate) async fn fail(
        &mut self,
        server: ServerId,
        host: &HostName,
        code: FaultCode,
    ) -> Outcome {
        let mut report = self.server_report(server, host, Power::Absent).await;
        report.fault = Some(Fault::new(code, "It did not work."));
        self.send(&report).await
    }

    pub(crate) async fn send(&self, report: &ServerReport) -> Outcome {
        let mut tx = self.cloud.store.begin().await.unwrap();
        let context = Context::begin();
        let outcome = reported::server(&mut tx, report, &report.host, &context)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    /// The network agent of `host` reports on the server's only port, as it is wished by now.
    pub(crate) async fn report_port(
        &mut self,
        port: &Port,
        host: &HostName,
        state: PortState,
    ) -> Outcome {
        let now = ports::get(self.cloud.store.pool(), port.id, Scope::Everything).await;
        let generation = now.unwrap().generation;
        let report = self.port_report(port, host, state, generation);
        self.send_port(&report).await
    }

    fn port_report(
        &mut self,
        port: &Port,
        host: &HostName,
        state: PortState,
        generation: Generation,
    ) -> PortReport {
        self.seq += 1;
        PortReport {
            port: port.id,
            operation: None,
            generation,
            order: Order {
                epoch: 1,
                seq: self.seq,
            },
            host: host.clone(),
            state,
            fault: None,
            hops: Vec::new(),
        }
    }

    async fn send_port(&self, report: &PortReport) -> Outcome {
        let mut tx = self.cloud.store.begin().await.unwrap();
        let context = Context::begin();
        let outcome = reported::port(&mut tx, report, &report.host, &context)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    /// The newest message of this kind that a host was sent, or is to be.
    pub(crate) async fn last_told(&self, kind: &str) -> serde_json::Value {
        let sql = "SELECT body FROM outbox WHERE kind = $1 ORDER BY made_at DESC, id DESC LIMIT 1";
        let body: String = sqlx::query_scalar(sql)
            .bind(kind.to_owned())
            .fetch_one(self.cloud.store.pool())
            .await
            .unwrap();
        serde_json::from_str(&body).unwrap()
    }

    /// The API accepts a request; what left with it, or why it was refused.
    pub(crate) async fn ask(
        &self,
        server: ServerId,
        request: Request,
    ) -> Result<Vec<Outgoing>, String> {
        let mut tx = self.cloud.store.begin().await.unwrap();
        let mut row = servers::load(&mut tx, server).await.unwrap();
        let context = Context::begin();
        let wish = Wish {
            request,
            actor: self.cloud.user,
            context: &context,
            key: &self.cloud.key,
        };
        match accept::accept(&mut tx, &mut row, &wish).await.unwrap() {
            Ok(_) => Ok(tx.commit().await.unwrap()),
            Err(conflict) => Err(conflict.to_string()),
        }
    }

    /// A server that runs on host `a`.
    pub(crate) async fn running(&mut self, name: &str) -> ServerId {
        let (server, operation) = self.cloud.boot(name).await;
        let host = self.a.clone();
        self.place(server, operation, &host).await;
        assert_eq!(
            self.report(server, &host, Power::Running).await,
            Outcome::Recorded
        );
        server
    }

    pub(crate) async fn server(&self, id: ServerId) -> Server {
        servers::get(&self.cloud.store, id).await.unwrap()
    }

    pub(crate) async fn operations(&self, id: ServerId) -> Vec<Operation> {
        operations::of_server(&self.cloud.store, id).await.unwrap()
    }

    pub(crate) async fn ports(&self, id: ServerId) -> Vec<Port> {
        ports::of_server(self.cloud.store.pool(), id).await.unwrap()
    }

    /// What is claimed of a host: servers and memory.
    /// Gives the cloud's project a floating IP that leads to the first port of a server.
    pub(crate) async fn floating(&self, server: ServerId) -> FloatingIpId {
        let port = self.ports(server).await.remove(0);
        let mut tx = self.cloud.store.begin().await.unwrap();
        let public = PublicNetwork::of("172.17.1.0/24".parse().unwrap()).unwrap();
        let network = ensure_public(&mut tx, self.cloud.project, &public).await;
        let new = NewFloatingIp {
            project: self.cloud.project,
            network: network.unwrap().id,
            address: None,
            description: String::new(),
        };
        let id = floating::create(&mut tx, new).await.unwrap().unwrap().id;
        floating::lead(&mut tx, id, Some(port.id), &Context::begin())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(crate) async fn claimed(&self, name: &HostName) -> (i64, i64) {
        let hosts = hosts::all(&self.cloud.store).await.unwrap();
        let host = hosts.iter().find(|host| host.name == *name).unwrap();
        (host.servers, host.used.ram_mib)
    }
}

pub(crate) fn keys(messages: &[Outgoing]) -> Vec<&str> {
    let must = messages.iter().filter(|message| message.must_be_routed());
    must.map(|message| message.routing_key.as_str()).collect()
}
