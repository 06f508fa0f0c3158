//! A server's row comes back as it was written, on both engines.

use std::collections::BTreeMap;

use skybus_model::{
    Fault, FaultCode, Generation, Order, Timestamp,
    host::Resources,
    id::{ImageId, ProjectId, ServerId, UserId},
    image::DiskFormat,
    server::{Desired, Power, ServerState, VmState},
};

use super::{FlavorSnapshot, ImageBytes, Server, get, insert, load, save};
use crate::{Error, testing::TestStore};

fn server() -> Server {
    Server {
        id: ServerId::random(),
        project: ProjectId::random(),
        owner: UserId::random(),
        name: "vm1".into(),
        description: None,
        hostname: "vm1".into(),
        state: ServerState::ACCEPTED,
        power: Power::Unknown,
        desired: Desired::Running,
        generation: Generation(1),
        recorded: Order::default(),
        host: None,
        zone: None,
        resources: Resources {
            vcpus: 1,
            ram_mib: 64,
            disk_gib: 1,
        },
        flavor: FlavorSnapshot {
            id: "1".into(),
            name: "m1.tiny".into(),
            vcpus: 1,
            ram: 64,
            disk: 1,
            ephemeral: 0,
            swap: 0,
            extra_specs: BTreeMap::new(),
        },
        image: ImageId::random(),
        image_bytes: ImageBytes {
            format: DiskFormat::Qcow2,
            size: 7,
            sha512: "ab".into(),
            properties: BTreeMap::from([("hw_architecture".into(), "x86_64".into())]),
        },
        key_name: Some("key1".into()),
        key_public: Some("ssh-ed25519 AAAA".into()),
        user_data: None,
        admin_pass: Some("secret".into()),
        config_drive: true,
        metadata: BTreeMap::from([("k".into(), "v".into())]),
        fault: None,
        fault_at: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        launched_at: None,
        deleted_at: None,
    }
}

async fn comes_back_as_written(test: TestStore) {
    let mut written = server();
    let mut tx = test.store.begin().await.unwrap();
    insert(&mut tx, &written).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&test.store, written.id).await.unwrap(), written);

    let mut tx = test.store.begin().await.unwrap();
    written = load(&mut tx, written.id).await.unwrap();
    written.state = ServerState::settled(VmState::Error);
    written.fault = Some(Fault::new(FaultCode::DiskFull, "no room"));
    written.fault_at = Some(Timestamp(9));
    written.recorded = Order { epoch: 2, seq: 3 };
    save(&mut tx, &written).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&test.store, written.id).await.unwrap(), written);

    let missing = get(&test.store, ServerId::random()).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
}

#[tokio::test]
async fn on_sqlite() {
    comes_back_as_written(TestStore::sqlite().await).await;
}

#[tokio::test]
async fn on_postgresql() {
    comes_back_as_written(TestStore::postgres().await).await;
}
