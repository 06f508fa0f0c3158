//! The Image API as its clients see it.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::{files::Files, sweep};
use crate::testing::{Answer, TestApp};

const IMAGES: &str = "/image/v2/images";
const PATCH: &str = "application/openstack-images-v2.1-json-patch";

async fn queued(app: &TestApp, token: &str, more: Value) -> String {
    let mut body = json!({ "name": "small", "disk_format": "raw", "container_format": "bare" });
    body.as_object_mut()
        .unwrap()
        .append(&mut more.as_object().unwrap().clone());
    let made = app.ask(token, Method::POST, IMAGES, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

async fn put(app: &TestApp, token: &str, id: &str, body: Body) -> Answer {
    let request = Request::put(format!("{IMAGES}/{id}/file"))
        .header("x-auth-token", token)
        .header("content-type", "application/octet-stream");
    app.send(request.body(body).unwrap()).await
}

async fn patch(app: &TestApp, token: &str, id: &str, changes: Value) -> Answer {
    let request = Request::patch(format!("{IMAGES}/{id}"))
        .header("x-auth-token", token)
        .header("content-type", PATCH);
    app.send(request.body(Body::from(changes.to_string())).unwrap())
        .await
}

async fn status(app: &TestApp, token: &str, id: &str) -> Value {
    app.get(token, &format!("{IMAGES}/{id}")).await.body["status"].clone()
}

fn files(app: &TestApp) -> (usize, usize) {
    let files = Files::below(&app.app.config.data_dir);
    let count = |path: &std::path::Path| {
        let Ok(list) = std::fs::read_dir(path) else {
            return 0;
        };
        list.filter(|entry| entry.as_ref().unwrap().path().is_file())
            .count()
    };
    (
        count(files.whole_directory()),
        count(files.arriving_directory()),
    )
}

#[tokio::test]
async fn bytes_go_in_and_come_out_the_same() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let id = queued(&app, &token, json!({})).await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = put(&app, &token, &id, Body::from(bytes.clone())).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "{:?}", sent.body);
    let shown = app.get(&token, &format!("{IMAGES}/{id}")).await.body;
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["size"], 700_000);
    assert_eq!(shown["os_hash_algo"], "sha512");
    assert_eq!(shown["os_hash_value"], hex::encode(Sha512::digest(&bytes)));
    let path = format!("{IMAGES}/{id}/file");
    let part = app
        .ask_with(
            &token,
            Method::GET,
            &path,
            &[("range", "bytes=5-8")],
            Value::Null,
        )
        .await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), "bytes 5-8/700000");
    let beyond = app
        .ask_with(
            &token,
            Method::GET,
            &path,
            &[("range", "bytes=700000-")],
            Value::Null,
        )
        .await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    let whole = app.get(&token, &path).await;
    assert_eq!(whole.header("content-length"), "700000");
    assert_eq!(
        whole.header("content-md5"),
        shown["checksum"].as_str().unwrap()
    );
    let again = put(&app, &token, &id, Body::from("x")).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let signed = app.app.paths.sign(
        &format!("/internal/images/{id}"),
        std::time::Duration::from_secs(60),
    );
    assert_eq!(app.get("", &signed).await.status, StatusCode::OK);
    let forged = signed.replace("signature=", "signature=00");
    assert_eq!(app.get("", &forged).await.status, StatusCode::FORBIDDEN);
    let gone = app
        .ask(
            &token,
            Method::DELETE,
            &format!("{IMAGES}/{id}"),
            Value::Null,
        )
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(files(&app), (0, 0));
    assert_eq!(app.get("", &signed).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refused_or_broken_upload_leaves_nothing_and_can_be_sent_again() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let id = queued(&app, &token, json!({})).await;
    let lie = put(&app, &token, &id, Body::from(b"QFI\xfb\0\0\0\x03".to_vec())).await;
    assert_eq!(lie.status, StatusCode::BAD_REQUEST);
    assert!(
        lie.body["message"].as_str().unwrap().contains("qcow2"),
        "{:?}",
        lie.body
    );
    let chunks = vec![
        Ok("some bytes"),
        Err(std::io::Error::other("the line broke")),
    ];
    let broken = put(
        &app,
        &token,
        &id,
        Body::from_stream(futures::stream::iter(chunks)),
    )
    .await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        put(&app, &token, &id, Body::empty()).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(status(&app, &token, &id).await, "queued");
    assert_eq!(files(&app), (0, 0));
    let empty = app.get(&token, &format!("{IMAGES}/{id}/file")).await;
    assert_eq!(empty.status, StatusCode::NO_CONTENT);
    assert_eq!(
        put(&app, &token, &id, Body::from("bytes")).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(status(&app, &token, &id).await, "active");
}

#[tokio::test]
async fn what_a_dead_process_left_is_swept() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    let id = queued(&app, &token, json!({})).await;
    let mut tx = app.store().begin().await.unwrap();
    let begun = skybus_store::images::upload::begin(&mut tx, id.parse().unwrap(), "dead").await;
    begun.unwrap();
    tx.commit().await.unwrap();
    let files_of = Files::below(&app.app.config.data_dir);
    files_of.room().unwrap();
    std::fs::write(files_of.arriving("dead"), "half").unwrap();
    let stray = skybus_model::id::ImageId::random();
    std::fs::write(files_of.of(stray), "nobody's").unwrap();
    sweep::once(&app.app, std::time::Duration::from_secs(3600))
        .await
        .unwrap();
    assert_eq!(
        (status(&app, &token, &id).await, files(&app)),
        (json!("saving"), (1, 1))
    );
    sweep::once(&app.app, std::time::Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        (status(&app, &token, &id).await, files(&app)),
        (json!("queued"), (0, 0))
    );
}

#[tokio::test]
async fn changes_are_a_patch_in_the_image_services_dialect() {
    let app = TestApp::sqlite().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let id = queued(&app, &token, json!({ "os_distro": "debian" })).await;
    let changes = json!([
        { "op": "replace", "path": "/name", "value": "other" },
        { "op": "add", "path": "/a~1b", "value": "c" },
        { "op": "remove", "path": "/os_distro" },
        { "op": "replace", "path": "/min_ram", "value": 64 },
        { "op": "add", "path": "/tags", "value": ["b", "a", "b"] },
    ]);
    let changed = patch(&app, &token, &id, changes).await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.body);
    assert_eq!(changed.body["name"], "other");
    assert_eq!(
        (&changed.body["a/b"], &changed.body["min_ram"]),
        (&json!("c"), &json!(64))
    );
    assert_eq!(changed.body["tags"], json!(["a", "b"]));
    assert!(changed.body.get("os_distro").is_none());
    for (change, expected) in [
        (
            json!({ "op": "replace", "path": "/nothing", "value": "x" }),
            409,
        ),
        (json!({ "op": "remove", "path": "/nothing" }), 409),
        (json!({ "op": "remove", "path": "/name" }), 403),
        (
            json!({ "op": "replace", "path": "/status", "value": "active" }),
            403,
        ),
        (
            json!({ "op": "replace", "path": "/visibility", "value": "public" }),
            403,
        ),
        (
            json!({ "op": "replace", "path": "/visibility", "value": "blue" }),
            400,
        ),
        (
            json!({ "op": "replace", "path": "/min_disk", "value": -1 }),
            400,
        ),
        (
            json!({ "op": "replace", "path": "/disk_format", "value": "iso" }),
            400,
        ),
        (json!({ "op": "add", "path": "/a/b", "value": "x" }), 400),
        (json!({ "op": "add", "path": "/p", "value": 5 }), 400),
        (json!({ "op": "move", "path": "/p" }), 400),
        (json!({ "op": "add", "path": "/p" }), 400),
    ] {
        let mixed = json!([{ "op": "replace", "path": "/name", "value": "half" }, change]);
        let refused = patch(&app, &token, &id, mixed).await;
        assert_eq!(
            refused.status.as_u16(),
            expected,
            "{change} {:?}",
            refused.body
        );
    }
    let path = format!("{IMAGES}/{id}");
    let plain = app.ask(&token, Method::PATCH, &path, json!([])).await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        app.get(&token, &path).await.body["name"],
        "other",
        "nothing half done"
    );
    let public = json!([{ "op": "replace", "path": "/visibility", "value": "public" }]);
    assert_eq!(
        patch(&app, &admin, &id, public).await.status,
        StatusCode::OK
    );
    let protect = json!([{ "op": "replace", "path": "/protected", "value": true }]);
    assert_eq!(
        patch(&app, &token, &id, protect).await.status,
        StatusCode::OK
    );
    let kept = app.ask(&token, Method::DELETE, &path, Value::Null).await;
    assert_eq!(kept.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_cut() {
    let app = TestApp::postgres().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    for name in ["a", "b", "c"] {
        queued(
            &app,
            &token,
            json!({ "name": name, "tags": [name], "os_hidden": name == "c" }),
        )
        .await;
    }
    let foreign = queued(&app, &admin, json!({ "name": "foreign" })).await;
    let names = |answer: Answer| {
        let images = answer.body["images"].as_array().unwrap().clone();
        images
            .iter()
            .map(|i| i["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("sort=name:asc", vec!["a", "b"]),
        ("sort_key=name&sort_dir=desc", vec!["b", "a"]),
        ("name=a", vec!["a"]),
        ("name=in:a,b&sort=name:asc", vec!["a", "b"]),
        ("tag=b", vec!["b"]),
        ("os_hidden=true", vec!["c"]),
        ("status=active", vec![]),
        ("visibility=public", vec![]),
        ("created_at=gt:2020-01-01T00:00:00Z&name=a", vec!["a"]),
        ("disk_format=qcow2", vec![]),
    ] {
        let found = names(app.get(&token, &format!("{IMAGES}?{query}")).await);
        assert_eq!(found, expected, "{query}");
    }
    let first = app
        .get(&token, &format!("{IMAGES}?limit=1&sort=name:asc"))
        .await
        .body;
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with("/v2/images?"), "{next}");
    assert_eq!(
        names(app.get(&token, &format!("/image{next}")).await),
        ["b"]
    );
    for query in [
        "limit=x",
        "sort=colour:asc",
        "marker=x",
        "member_status=y",
        "size_min=-1",
    ] {
        let refused = app.get(&token, &format!("{IMAGES}?{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let hidden = app.get(&token, &format!("{IMAGES}/{foreign}")).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    let stolen = put(&app, &token, &foreign, Body::from("x")).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_bad_description_is_refused_with_a_reason() {
    let app = TestApp::sqlite().await;
    let token = app.demo().await;
    for (body, expected) in [
        (json!({ "disk_format": "vmdk" }), 400),
        (json!({ "container_format": "docker" }), 400),
        (json!({ "name": "x".repeat(256) }), 400),
        (json!({ "name": 5 }), 400),
        (json!({ "id": "five" }), 400),
        (json!({ "status": "active" }), 403),
        (json!({ "visibility": "public" }), 403),
        (json!({ "owner": "0".repeat(32) }), 403),
        (json!({ "tags": "a" }), 400),
        (json!({ "os_glance_x": "a" }), 403),
        (json!([]), 400),
    ] {
        let refused = app.ask(&token, Method::POST, IMAGES, body.clone()).await;
        assert_eq!(
            refused.status.as_u16(),
            expected,
            "{body} {:?}",
            refused.body
        );
        assert!(refused.body["message"].is_string(), "{:?}", refused.body);
    }
    let none = app.get(&token, IMAGES).await;
    assert_eq!(none.body["images"], json!([]));
    for schema in ["image", "images", "member", "members"] {
        let schema = app
            .get(&token, &format!("/image/v2/schemas/{schema}"))
            .await;
        assert_eq!(schema.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_image_is_shared_with_those_who_accept_it() {
    let app = TestApp::sqlite().await;
    let (token, admin) = (app.demo().await, app.admin().await);
    let id = queued(&app, &admin, json!({ "visibility": "shared" })).await;
    let projects = app.get(&token, "/identity/v3/auth/projects").await.body;
    let demo = projects["projects"][0]["id"].as_str().unwrap().to_owned();
    let members = format!("{IMAGES}/{id}/members");
    let added = app
        .ask(&admin, Method::POST, &members, json!({ "member": demo }))
        .await;
    assert_eq!(added.body["status"], "pending", "{:?}", added.body);
    assert_eq!(app.get(&token, IMAGES).await.body["images"], json!([]));
    let own = format!("{members}/{demo}");
    let accepted = app
        .ask(&token, Method::PUT, &own, json!({ "status": "accepted" }))
        .await;
    assert_eq!(accepted.status, StatusCode::OK, "{:?}", accepted.body);
    assert_eq!(
        app.get(&token, IMAGES).await.body["images"][0]["id"],
        json!(id)
    );
    let change = json!([{ "op": "replace", "path": "/name", "value": "mine" }]);
    assert_eq!(
        patch(&app, &token, &id, change).await.status,
        StatusCode::FORBIDDEN
    );
    let removed = app.ask(&admin, Method::DELETE, &own, Value::Null).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let gone = app.get(&token, &format!("{IMAGES}/{id}")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}
