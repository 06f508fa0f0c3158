//! A small cloud in a test's database: hosts that are alive, a network, and servers to boot.

use std::collections::BTreeMap;

use skybus_model::{
    Generation, HostName, Order, Timestamp,
    host::Resources,
    id::{ImageId, OperationId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    message::{Context, heartbeat::HostBeat},
    segment::{Carries, Segment},
    server::{Desired, Power, ServerState},
};

use crate::{
    Store, Tx,
    compute::quotas,
    hosts::{self, Host},
    lifecycle::{accept, overdue::Caretaker},
    networks::{
        allocation::default_pools,
        network::{self, NewNetwork},
        ports::{self, NewPort},
        subnets::{self, NewSubnet},
    },
    servers::{self, FlavorSnapshot, ImageBytes, Server},
    services,
    signed_path::PathKey,
};

/// A cloud without processes.
#[derive(Debug)]
pub struct TestCloud {
    /// Its database.
    pub store: Store,
    /// The project that everything belongs to.
    pub project: ProjectId,
    /// Its user.
    pub user: UserId,
    /// Its network.
    pub network: skybus_model::id::NetworkId,
    /// Signs addresses.
    pub key: PathKey,
}

/// What a server of these tests uses.
pub const SMALL: Resources = Resources {
    vcpus: 1,
    ram_mib: 256,
    disk_gib: 1,
};

#[allow(clippy::expect_used, clippy::unwrap_used, reason = "test support")]
impl TestCloud {
    /// Who looks after its operations.
    #[must_use]
    pub const fn caretaker(&self) -> Caretaker<'_> {
        Caretaker {
            who: "api@test",
            key: &self.key,
        }
    }

    /// A cloud with a network and no host.
    ///
    /// # Panics
    /// When the database fails; a test cannot go on then.
    pub async fn new(store: Store) -> Self {
        let project = ProjectId::random();
        let mut tx = store.begin().await.expect("a transaction");
        let new = NewNetwork {
            project,
            name: "flat".to_owned(),
            description: String::new(),
            shared: false,
            external: false,
            mtu: None,
            segment: Segment::Local,
            waits: None,
        };
        let network = network::create(&mut tx, new).await.expect("a network").id;
        let cidr = ipnet::Ipv4Net::new_assert([10, 1, 0, 0].into(), 24);
        let gateway = [10, 1, 0, 1].into();
        let new = NewSubnet {
            network,
            project,
            name: String::new(),
            description: String::new(),
            cidr,
            gateway,
            dns: Vec::new(),
            pools: default_pools(cidr, gateway).expect("pools"),
        };
        subnets::create(&mut tx, new).await.expect("a subnet");
        tx.commit().await.expect("a commit");
        let key = PathKey::from_hex(&"ab".repeat(32)).expect("a key");
        Self {
            store,
            project,
            user: UserId::random(),
            network,
            key,
        }
    }

    /// Carries the network of this cloud by a VLAN of the physical network `trunk`.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn on_vlan(&self, id: u32) {
        let mut tx = self.store.begin().await.expect("a transaction");
        let text = "UPDATE networks SET segment = 'vlan', physical = 'trunk', number = $1";
        sqlx::query(text)
            .bind(i64::from(id))
            .execute(tx.conn())
            .await
            .expect("an update");
        tx.commit().await.expect("a commit");
    }

    /// A host of this size, both of its workers alive.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn host(&self, name: &str, capacity: Resources) -> HostName {
        let host: HostName = name.parse().expect("a host's name");
        let mut tx = self.store.begin().await.expect("a transaction");
        let row = Host {
            name: host.clone(),
            zone: "nova".to_owned(),
            hypervisor: "fake".to_owned(),
            version: "0".to_owned(),
            capacity,
            used: Resources::default(),
            servers: 0,
        };
        hosts::register(&mut tx, &row).await.expect("a host");
        // Somebody listens, so a silent host is a dead one.
        for service in ["compute", "network", services::SCHEDULER] {
            let beat = self.beat(&host, service, capacity);
            services::heard(&mut tx, &beat, Timestamp::now())
                .await
                .expect("a service");
        }
        tx.commit().await.expect("a commit");
        host
    }

    /// A heartbeat of a host.
    #[must_use]
    pub fn beat(&self, host: &HostName, service: &str, capacity: Resources) -> HostBeat {
        HostBeat {
            host: host.clone(),
            service: service.to_owned(),
            zone: "nova".to_owned(),
            order: Order { epoch: 1, seq: 1 },
            at: Timestamp::now(),
            capacity,
            free: capacity,
            hypervisor: if service == "compute" {
                "fake".to_owned()
            } else {
                String::new()
            },
            version: "0".to_owned(),
            carries: Carries::default(),
        }
    }

    /// A scheduler says that it listens: what it said before counts for half a minute, which a test that waits
    /// for more than rows may need.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn listens(&self, host: &HostName) {
        let mut tx = self.store.begin().await.expect("a transaction");
        let beat = self.beat(host, services::SCHEDULER, Resources::default());
        services::heard(&mut tx, &beat, Timestamp::now())
            .await
            .expect("a service");
        tx.commit().await.expect("a commit");
    }

    /// Lets a service fall silent.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn silence(&self, host: &HostName) {
        let mut tx = self.store.begin().await.expect("a transaction");
        sqlx::query("UPDATE services SET last_seen = 0 WHERE host = $1 AND service <> 'scheduler'")
            .bind(host.as_str().to_owned())
            .execute(tx.conn())
            .await
            .expect("an update");
        tx.commit().await.expect("a commit");
    }

    /// Accepts a boot, as the API does, and returns the server and its operation.
    ///
    /// # Panics
    /// When the database fails.
    pub async fn boot(&self, name: &str) -> (ServerId, OperationId) {
        let mut tx = self.store.begin().await.expect("a transaction");
        let ids = self.boot_in(&mut tx, name).await;
        tx.commit().await.expect("a commit");
        ids
    }

    async fn boot_in(&self, tx: &mut Tx, name: &str) -> (ServerId, OperationId) {
        let server = self.server(name);
        quotas::take_servers(tx, self.project, 1, SMALL)
            .await
            .expect("quota")
            .expect("room");
        servers::insert(tx, &server).await.expect("a server");
        let port = NewPort::new(self.network, self.project).for_server(server.id, name, 0);
        ports::create(tx, port).await.expect("a port");
        let operation = accept::boot(tx, &server, &Context::begin())
            .await
            .expect("a boot");
        (server.id, operation)
    }

    fn server(&self, name: &str) -> Server {
        Server {
            id: ServerId::random(),
            project: self.project,
            owner: self.user,
            name: name.to_owned(),
            description: None,
            hostname: name.to_owned(),
            state: ServerState::ACCEPTED,
            power: Power::Unknown,
            desired: Desired::Running,
            generation: Generation(1),
            recorded: Order::default(),
            host: None,
            zone: None,
            resources: SMALL,
            flavor: FlavorSnapshot {
                id: "1".to_owned(),
                name: "small".to_owned(),
                vcpus: SMALL.vcpus,
                ram: SMALL.ram_mib,
                disk: SMALL.disk_gib,
                ephemeral: 0,
                swap: 0,
                extra_specs: BTreeMap::new(),
            },
            image: ImageId::random(),
            image_bytes: ImageBytes {
                format: DiskFormat::Qcow2,
                size: 7,
                sha512: "ab".to_owned(),
                properties: BTreeMap::new(),
            },
            key_name: None,
            key_public: None,
            user_data: None,
            admin_pass: None,
            config_drive: false,
            metadata: BTreeMap::new(),
            fault: None,
            fault_at: None,
            created_at: Timestamp::now(),
            updated_at: Timestamp::now(),
            launched_at: None,
            deleted_at: None,
        }
    }
}
