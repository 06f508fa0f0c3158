//! A worker whose broker is the test and whose hosts are fakes.

use std::path::Path;

use skybus_bus::journal::Accepted;
use skybus_model::{
    Generation,
    host::Resources,
    id::{ImageId, OperationId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    message::{
        Context,
        event::{ComputeInventory, ServerReport},
    },
    server::{Desired, ImageSource, Restart, ServerSpec},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::super::*;
use crate::driver::fake::Fake;

pub(super) struct Bench {
    pub(super) journal: Journal,
    pub(super) driver: Arc<Fake>,
    pub(super) agent: Agent<Fake>,
    pub(super) changes: UnboundedReceiver<Place>,
    pub(super) events: UnboundedReceiver<Vec<Outgoing>>,
}

pub(super) fn host() -> HostName {
    "node-1".parse().unwrap()
}

pub(super) fn fake() -> (Arc<Fake>, UnboundedReceiver<Place>) {
    let (to_agent, changes) = unbounded_channel();
    (Arc::new(Fake::new(to_agent, Duration::ZERO)), changes)
}

impl Bench {
    pub(super) async fn new(dir: &Path) -> Self {
        let (driver, changes) = fake();
        Self::with(dir, driver, changes).await
    }

    /// A worker that begins its life with this driver and the journal of earlier lives.
    pub(super) async fn with(
        dir: &Path,
        driver: Arc<Fake>,
        changes: UnboundedReceiver<Place>,
    ) -> Self {
        let journal = Journal::open(dir.join("journal.db")).await.unwrap();
        let (to_relay, events) = unbounded_channel();
        let push = Box::new(move |rows| to_relay.send(rows).unwrap());
        let agent = Agent::new(driver.clone(), journal.clone(), push, 64);
        agent.begin().await.unwrap();
        Self {
            journal,
            driver,
            agent,
            changes,
            events,
        }
    }

    pub(super) async fn give(&self, message: &Outgoing) {
        let delivery = Delivery::of(message);
        let (place, wish) = read(&delivery).unwrap();
        if self.journal.accept(&delivery).await.unwrap() == Accepted::New {
            self.agent.wish(place, wish);
        }
    }

    pub(super) async fn ensure(&self, ensure: &ServerEnsure) {
        self.give(&Outgoing::to_host(&host(), ensure, &Context::begin()))
            .await;
    }

    pub(super) async fn remove(&self, server: ServerId, generation: i64) {
        let generation = Generation(generation);
        let remove = ServerRemove {
            operation: Some(OperationId::random()),
            server,
            generation,
        };
        self.give(&Outgoing::to_host(&host(), &remove, &Context::begin()))
            .await;
    }

    /// Lets everything that is to be done be done, and what machines do by themselves be noticed.
    pub(super) async fn settle(&mut self) -> Vec<ServerReport> {
        self.agent.idle().await;
        while let Ok(place) = self.changes.try_recv() {
            self.agent.look(place);
            self.agent.idle().await;
        }
        assert!(
            self.journal.unfinished().await.unwrap().is_empty(),
            "a command was not finished"
        );
        let mut reports = Vec::new();
        while let Ok(rows) = self.events.try_recv() {
            reports.extend(rows.iter().map(|row| Delivery::of(row).decode().unwrap()));
        }
        reports
    }

    /// Returns when a server is being worked on.
    pub(super) async fn until_busy(&self) {
        while !self.inventory().await.servers.iter().any(|fact| fact.busy) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn inventory(&self) -> ComputeInventory {
        let rows = self.agent.inventories(&[host()]).await.unwrap();
        Delivery::of(&rows[0]).decode().unwrap()
    }

    pub(super) async fn starts(&self, place: &Place) -> usize {
        match self.driver.console(place, None).await {
            ConsoleAnswer::Text(text) => text.matches("is up").count(),
            ConsoleAnswer::NoSuchServer => 0,
        }
    }
}

pub(super) fn wish(name: &str, generation: i64, desired: Desired) -> ServerEnsure {
    ServerEnsure {
        operation: Some(OperationId::random()),
        generation: Generation(generation),
        desired,
        restart: None,
        spec: ServerSpec {
            id: ServerId::random(),
            project: ProjectId::random(),
            user: UserId::random(),
            name: name.to_owned(),
            flavor: "tiny".to_owned(),
            resources: Resources {
                vcpus: 1,
                ram_mib: 64,
                disk_gib: 1,
            },
            image: ImageSource {
                id: ImageId::random(),
                format: DiskFormat::Raw,
                size: 1,
                sha512: String::new(),
                path: String::new(),
            },
            nics: Vec::new(),
            config_drive: None,
        },
        deadline: Timestamp::now().after(Duration::from_secs(60)),
    }
}

pub(super) fn next(
    ensure: &ServerEnsure,
    desired: Desired,
    restart: Option<Restart>,
) -> ServerEnsure {
    let generation = ensure.generation.next();
    let operation = Some(OperationId::random());
    ServerEnsure {
        operation,
        generation,
        desired,
        restart,
        ..ensure.clone()
    }
}

pub(super) fn place(ensure: &ServerEnsure) -> Place {
    Place {
        host: host(),
        server: ensure.spec.id,
    }
}

pub(super) fn words(report: &ServerReport) -> Vec<&str> {
    report.hops.iter().map(|hop| hop.what.as_str()).collect()
}
