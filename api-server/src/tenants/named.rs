//! What belongs to another project, named in bodies and queries.

use http::Method;
use serde_json::json;

use super::things::{self, Things};
use crate::testing::TestApp;

#[tokio::test]
async fn nobody_makes_use_of_what_another_project_has() {
    let test = TestApp::sqlite().await;
    let things = Things::prepared(&test).await;
    let theirs = things.fresh(&test).await;
    let own = json!({ "port": { "network_id": theirs.network } });
    let server = |more: serde_json::Value| {
        let mut server = json!({ "name": "x", "imageRef": theirs.image, "flavorRef": "84" });
        server
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "server": server })
    };
    let rule = |more: serde_json::Value| {
        let mut rule = json!({ "direction": "ingress", "protocol": "tcp" });
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "security_group_rule": rule })
    };
    for (path, body) in [
        ("/compute/v2.1/servers", server(json!({}))),
        (
            "/compute/v2.1/servers",
            server(json!({ "networks": [{ "port": theirs.port }] })),
        ),
        (
            "/compute/v2.1/servers",
            server(json!({ "networks": [{ "uuid": theirs.network }] })),
        ),
        (
            "/compute/v2.1/servers",
            server(json!({ "security_groups": [{ "name": theirs.group }] })),
        ),
        (
            "/compute/v2.1/servers",
            server(json!({ "key_name": theirs.keypair })),
        ),
        ("/network/v2.0/ports", own),
        (
            "/network/v2.0/subnets",
            json!({ "subnet": {
            "network_id": theirs.network, "cidr": "10.78.0.0/24", "ip_version": 4,
        } }),
        ),
        (
            "/network/v2.0/networks",
            json!({ "network": { "project_id": theirs.project } }),
        ),
        (
            "/network/v2.0/floatingips",
            json!({ "floatingip": { "floating_network_id": theirs.outside, "port_id": theirs.port } }),
        ),
        (
            "/network/v2.0/floatingips",
            json!({ "floatingip": {
            "floating_network_id": theirs.outside, "project_id": theirs.project,
        } }),
        ),
        (
            "/compute/v2.1/os-security-group-rules",
            json!({ "security_group_rule": { "parent_group_id": theirs.group, "ip_protocol": "tcp" } }),
        ),
        (
            "/network/v2.0/security-groups",
            json!({ "security_group": {
            "name": "x", "project_id": theirs.project,
        } }),
        ),
        (
            "/network/v2.0/security-group-rules",
            rule(json!({ "security_group_id": theirs.group })),
        ),
        (
            "/image/v2/images",
            json!({ "name": "x", "owner": theirs.project }),
        ),
    ] {
        let before = things::rows(&test).await;
        let answer = test
            .ask(&things.eve, Method::POST, path, body.clone())
            .await;
        assert!(
            [400, 403, 404].contains(&answer.status.as_u16()),
            "{path} {body}: {} {}",
            answer.status,
            answer.body
        );
        assert_eq!(
            before,
            things::rows(&test).await,
            "{path} {body} changed something"
        );
    }
}

#[tokio::test]
async fn no_list_shows_what_another_project_has() {
    let test = TestApp::sqlite().await;
    let things = Things::prepared(&test).await;
    let theirs = things.fresh(&test).await;
    let secrets = [
        &theirs.server,
        &theirs.servers_port,
        &theirs.keypair,
        &theirs.image,
        &theirs.network,
        &theirs.subnet,
        &theirs.port,
        &theirs.group,
        &theirs.rule,
        &theirs.floating,
    ];
    let (project, server, image) = (&theirs.project, &theirs.server, &theirs.image);
    for path in [
        "/compute/v2.1/servers".to_owned(),
        "/compute/v2.1/servers/detail".to_owned(),
        "/compute/v2.1/servers/detail?all_tenants=1".to_owned(),
        format!("/compute/v2.1/servers/detail?project_id={project}"),
        format!("/compute/v2.1/servers/detail?tenant_id={project}&all_tenants=1"),
        format!("/compute/v2.1/servers/detail?image={image}"),
        "/compute/v2.1/servers/detail?status=DELETED".to_owned(),
        format!("/compute/v2.1/servers?marker={server}"),
        "/compute/v2.1/os-keypairs".to_owned(),
        format!("/compute/v2.1/os-keypairs?user_id={}", theirs.user),
        format!("/compute/v2.1/limits?tenant_id={project}"),
        "/image/v2/images".to_owned(),
        format!("/image/v2/images?owner={project}"),
        "/image/v2/images?visibility=shared".to_owned(),
        "/image/v2/images?visibility=all&member_status=all".to_owned(),
        format!("/image/v2/images?marker={image}"),
        "/network/v2.0/networks".to_owned(),
        format!("/network/v2.0/networks?project_id={project}"),
        format!("/network/v2.0/networks?id={}", theirs.network),
        "/network/v2.0/subnets".to_owned(),
        format!("/network/v2.0/subnets?network_id={}", theirs.network),
        "/network/v2.0/ports".to_owned(),
        format!("/network/v2.0/ports?device_id={server}"),
        format!("/network/v2.0/ports?tenant_id={project}"),
        "/network/v2.0/floatingips".to_owned(),
        format!("/network/v2.0/floatingips?project_id={project}"),
        format!("/network/v2.0/floatingips?port_id={}", theirs.servers_port),
        "/compute/v2.1/os-floating-ips".to_owned(),
        "/compute/v2.1/os-security-groups?all_tenants=1".to_owned(),
        "/network/v2.0/security-groups".to_owned(),
        format!("/network/v2.0/security-groups?project_id={project}"),
        "/network/v2.0/security-group-rules".to_owned(),
        format!(
            "/network/v2.0/security-group-rules?security_group_id={}",
            theirs.group
        ),
        format!("/identity/v3/role_assignments?scope.project.id={project}"),
        "/identity/v3/projects".to_owned(),
        "/identity/v3/users".to_owned(),
    ] {
        let answer = test.get(&things.eve, &path).await;
        assert!(
            !answer.status.is_server_error(),
            "{path}: {:?}",
            answer.body
        );
        things.are_not_in(&answer, &path);
        // The owner's own list is not empty: it is the stranger's that lacks something.
        let told = answer.body.to_string();
        for secret in secrets
            .into_iter()
            .filter(|secret| !path.contains(secret.as_str()))
        {
            assert!(
                !told.contains(secret.as_str()),
                "{path} shows {secret}: {told}"
            );
        }
    }
    let mine = test.get(&things.demo, "/compute/v2.1/servers").await;
    assert!(mine.body.to_string().contains(server.as_str()));
}

#[tokio::test]
async fn nobody_is_let_into_another_project() {
    let test = TestApp::sqlite().await;
    let things = Things::prepared(&test).await;
    let theirs = things.fresh(&test).await;
    for method in [
        json!({ "methods": ["token"], "token": { "id": things.eve } }),
        json!({ "methods": ["password"], "password": { "user": {
            "name": "eve", "domain": { "id": "default" }, "password": crate::testing::DEMO,
        } } }),
    ] {
        let body = json!({ "auth": { "identity": method, "scope": { "project": { "id": theirs.project } } } });
        let answer = test
            .ask("", Method::POST, "/identity/v3/auth/tokens", body)
            .await;
        assert_eq!(answer.status, 401, "{:?}", answer.body);
    }
}
