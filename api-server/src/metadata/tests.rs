//! What a guest hears, and that nobody else hears it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use skybus_model::{
    id::{NetworkId, ServerId},
    message::Context,
};
use skybus_store::{
    networks::{
        NewPort, Port, Scope,
        floating::{self, NewFloatingIp},
        network, ports,
    },
    servers,
    testing::TestCloud,
};

use crate::testing::{Answer, TestApp};

const KEY: &str = "ssh-ed25519 AAAA me@here";

/// A server with a key, user data and a password.
async fn a_guest(app: &TestApp) -> Port {
    let cloud = TestCloud::new(app.store().clone()).await;
    let (plain, _) = cloud.boot("plain").await;
    let mut tx = app.store().begin().await.unwrap();
    let mut server = servers::load(&mut tx, plain).await.unwrap();
    server.id = ServerId::random();
    (server.name, server.hostname) = ("My VM".to_owned(), "my-vm".to_owned());
    (server.key_name, server.key_public) = (Some("key1".to_owned()), Some(KEY.to_owned()));
    server.user_data = Some(BASE64_STANDARD.encode("#!/bin/sh\necho hi\n"));
    server.admin_pass = Some("s3cret-admin".to_owned());
    server.metadata.insert("role".to_owned(), "web".to_owned());
    servers::insert(&mut tx, &server).await.unwrap();
    let new = NewPort::new(cloud.network, cloud.project).for_server(server.id, "my-vm", 0);
    let port = ports::create(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    port
}

async fn ask_as(app: &TestApp, network: NetworkId, address: &str, key: &str, path: &str) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{network} {address}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let network = network.to_string();
    let headers = [
        ("x-skybus-network", network.as_str()),
        ("x-skybus-address", address),
        ("x-skybus-signature", signature.as_str()),
    ];
    app.ask_with(
        "",
        Method::GET,
        &format!("/metadata{path}"),
        &headers,
        Value::Null,
    )
    .await
}

async fn ask(app: &TestApp, port: &Port, path: &str) -> Answer {
    let secret = app.app.config.metadata_secret.clone();
    ask_as(app, port.network, &port.address.to_string(), &secret, path).await
}

#[tokio::test]
async fn the_older_dialect_is_a_tree_of_texts() {
    let app = TestApp::sqlite().await;
    let port = a_guest(&app).await;
    for (path, expected) in [
        ("/latest/meta-data/hostname", "my-vm"),
        (
            "/2009-04-04/meta-data/local-ipv4",
            port.address.to_string().as_str(),
        ),
        ("/latest/meta-data/public-keys/", "0=key1"),
        ("/latest/meta-data/public-keys/0/", "openssh-key"),
        (
            "/latest/meta-data/public-keys/0/openssh-key",
            &format!("{KEY}\n"),
        ),
        ("/latest/meta-data/placement/", "availability-zone"),
        ("/latest/user-data", "#!/bin/sh\necho hi\n"),
        ("/latest", "meta-data/\nuser-data"),
    ] {
        let answer = ask(&app, &port, path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.body, Value::String(expected.to_owned()), "{path}");
    }
    let names = ask(&app, &port, "/latest/meta-data/").await.body;
    for name in ["instance-id", "local-ipv4", "placement/", "public-keys/"] {
        assert!(
            names.as_str().unwrap().lines().any(|line| line == name),
            "{name} in {names}"
        );
    }
    for path in ["/", "", "/openstack", "/openstack/latest/"] {
        assert_eq!(
            ask(&app, &port, path).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
    for path in [
        "/latest/meta-data/nothing",
        "/1999-01-01/meta-data/",
        "/openstack/latest/x",
    ] {
        assert_eq!(
            ask(&app, &port, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_guest_learns_the_floating_ip_that_leads_to_it() {
    let app = TestApp::sqlite().await;
    let port = a_guest(&app).await;
    let path = "/latest/meta-data/public-ipv4";
    assert_eq!(ask(&app, &port, path).await.body, Value::Null);
    let all = network::list(app.store().pool(), Scope::Everything).await;
    let outside = all.unwrap().into_iter().find(|one| one.external).unwrap();
    let new = NewFloatingIp {
        project: outside.project,
        network: outside.id,
        address: Some("172.17.1.77".parse().unwrap()),
        description: String::new(),
    };
    let mut tx = app.store().begin().await.unwrap();
    let id = floating::create(&mut tx, new).await.unwrap().unwrap().id;
    floating::lead(&mut tx, id, Some(port.id), &Context::begin())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ask(&app, &port, path).await.body, "172.17.1.77");
}

#[tokio::test]
async fn the_newer_dialect_is_a_few_documents() {
    let app = TestApp::postgres().await;
    let port = a_guest(&app).await;
    let meta = ask(&app, &port, "/openstack/latest/meta_data.json")
        .await
        .body;
    assert_eq!(meta["uuid"], port.device);
    assert_eq!(
        (&meta["name"], &meta["hostname"]),
        (&json!("My VM"), &json!("my-vm"))
    );
    assert_eq!(meta["public_keys"]["key1"], format!("{KEY}\n"));
    assert_eq!(meta["meta"]["role"], "web");
    assert!(
        meta.get("admin_pass").is_none(),
        "anything in the guest can ask for this"
    );
    let network = ask(&app, &port, "/openstack/2018-08-27/network_data.json")
        .await
        .body;
    assert_eq!(network["links"][0]["ethernet_mac_address"], port.mac);
    assert_eq!(network["networks"][0]["link"], network["links"][0]["id"]);
    let vendor = ask(&app, &port, "/openstack/latest/vendor_data.json")
        .await
        .body;
    assert_eq!(vendor, json!({}));
    let user = ask(&app, &port, "/openstack/latest/user_data").await.body;
    assert_eq!(user, "#!/bin/sh\necho hi\n");
}

#[tokio::test]
async fn only_a_guest_hears_it_and_only_about_itself() {
    let app = TestApp::sqlite().await;
    let port = a_guest(&app).await;
    let (secret, path) = (
        app.app.config.metadata_secret.clone(),
        "/latest/meta-data/hostname",
    );
    let address = port.address.to_string();
    let bare = app.get("", &format!("/metadata{path}")).await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    let forged = ask_as(&app, port.network, &address, "guessed", path).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    for (network, address) in [
        (NetworkId::random(), address.as_str()),
        (port.network, "10.1.0.99"),
    ] {
        let nobody = ask_as(&app, network, address, &secret, path).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    }
    let neighbour = ask_as(&app, port.network, "10.1.0.2", &secret, path).await;
    assert_eq!(neighbour.body, "plain");
}

#[tokio::test]
async fn a_config_drive_has_the_same_and_the_password() {
    let app = TestApp::sqlite().await;
    let port = a_guest(&app).await;
    let path = format!("/internal/config-drive/{}", port.device);
    assert_eq!(app.get("", &path).await.status, StatusCode::BAD_REQUEST);
    let tree = app
        .get("", &app.app.paths.sign(&path, Duration::from_secs(60)))
        .await
        .body;
    let meta = tree["openstack/latest/meta_data.json"].as_str().unwrap();
    let meta: Value = serde_json::from_str(meta).unwrap();
    assert_eq!(
        (&meta["admin_pass"], &meta["name"]),
        (&json!("s3cret-admin"), &json!("My VM"))
    );
    assert_eq!(tree["openstack/latest/user_data"], "#!/bin/sh\necho hi\n");
    let other = app
        .app
        .paths
        .sign("/internal/config-drive/other", Duration::from_secs(60));
    let other = other.replace("/internal/config-drive/other", &path);
    assert_eq!(app.get("", &other).await.status, StatusCode::FORBIDDEN);
}
