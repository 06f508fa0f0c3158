//! What old clients say of networks: floating IPs, security groups, rules; and that it ends where it did.

use http::Method;
use serde_json::{Value, json};

use super::{cloud::Cloud, on_both};
use crate::testing::Answer;

on_both! {
    a_floating_ip_is_had_led_to_a_server_and_given_back
    floating_ips_are_refused_in_words
    security_groups_and_their_rules
    calls_end_with_the_microversion_that_was_their_last
    nobody_boots_on_the_outside
}

async fn ask(cloud: &Cloud, method: Method, path: &str, body: Value) -> Answer {
    cloud.ask(&cloud.demo, "2.1", method, path, body).await
}

async fn a_floating_ip(cloud: &Cloud) -> Value {
    let pool = json!({ "pool": "public" });
    let made = ask(cloud, Method::POST, "/os-floating-ips", pool).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    made.body["floating_ip"].clone()
}

/// The addresses of a server, with their types.
async fn addresses(cloud: &Cloud, id: &str) -> Vec<(String, String)> {
    let shown = cloud.get(&format!("/servers/{id}")).await.body["server"].clone();
    let all = shown["addresses"]["flat"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.iter()
        .map(|one| (text(&one["addr"]), text(&one["OS-EXT-IPS:type"])))
        .collect()
}

async fn a_floating_ip_is_had_led_to_a_server_and_given_back(cloud: &Cloud) {
    let pools = cloud.get("/os-floating-ip-pools").await;
    assert_eq!(
        pools.body,
        json!({ "floating_ip_pools": [{ "name": "public" }] })
    );
    let (first, second) = (
        cloud.boot(&cloud.demo, json!({})).await,
        cloud.boot(&cloud.demo, json!({ "name": "vm2" })).await,
    );
    let floating = a_floating_ip(cloud).await;
    assert_eq!(floating["pool"], "public");
    let ip = floating["ip"].as_str().unwrap();
    let own = addresses(cloud, &first).await;
    for id in [&first, &second] {
        let add = json!({ "addFloatingIp": { "address": ip } });
        let added = cloud.act(&cloud.demo, id, add).await;
        assert_eq!(added.status, 202, "{:?}", added.body);
    }
    assert_eq!(
        addresses(cloud, &first).await,
        own,
        "it leads elsewhere now"
    );
    let now = addresses(cloud, &second).await;
    assert_eq!(now[0].1, "fixed");
    assert_eq!(now[1], (ip.to_owned(), "floating".to_owned()));
    let shown = cloud.get("/os-floating-ips").await.body["floating_ips"][0].clone();
    assert_eq!(
        (&shown["instance_id"], &shown["fixed_ip"], &shown["ip"]),
        (&json!(second), &json!(now[0].0), &json!(ip))
    );
    let ips = cloud.get(&format!("/servers/{second}/ips/flat")).await;
    assert_eq!(ips.body["flat"][1], json!({ "version": 4, "addr": ip }));
    let remove = json!({ "removeFloatingIp": { "address": ip } });
    let wrong = cloud.act(&cloud.demo, &first, remove.clone()).await;
    assert_eq!(wrong.status, 409, "{:?}", wrong.body);
    assert_eq!(cloud.act(&cloud.demo, &second, remove).await.status, 202);
    assert_eq!(addresses(cloud, &second).await.len(), 1);
    let limits = async || cloud.get("/limits").await.body["limits"]["absolute"].clone();
    assert_eq!(limits().await["totalFloatingIpsUsed"], 1);
    // The name of a server's own address chooses it; a server that goes lets go of what leads to it.
    let add = json!({ "addFloatingIp": { "address": ip, "fixed_address": now[0].0 } });
    assert_eq!(cloud.act(&cloud.demo, &second, add).await.status, 202);
    let path = format!("/servers/{second}");
    assert_eq!(
        ask(cloud, Method::DELETE, &path, Value::Null).await.status,
        204
    );
    let path = format!("/os-floating-ips/{}", floating["id"].as_str().unwrap());
    assert_eq!(
        cloud.get(&path).await.body["floating_ip"]["instance_id"],
        Value::Null
    );
    let gone = ask(cloud, Method::DELETE, &path, Value::Null).await;
    assert_eq!(gone.status, 202, "{:?}", gone.body);
    assert_eq!(cloud.get(&path).await.status, 404);
    assert_eq!(limits().await["totalFloatingIpsUsed"], 0);
}

async fn floating_ips_are_refused_in_words(cloud: &Cloud) {
    let id = cloud.boot(&cloud.demo, json!({})).await;
    let alone = cloud.boot(&cloud.demo, json!({ "name": "alone" })).await;
    let floating = a_floating_ip(cloud).await;
    let ip = floating["ip"].as_str().unwrap();
    let mut tx = cloud.store().begin().await.unwrap();
    sqlx::query("UPDATE ports SET server = NULL WHERE server = $1")
        .bind(alone.clone())
        .execute(tx.conn())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for (server, action, status, says) in [
        (
            &id,
            json!({ "addFloatingIp": {} }),
            400,
            "addFloatingIp.address: it is required",
        ),
        (
            &id,
            json!({ "addFloatingIp": { "address": "x" } }),
            400,
            "IPv4",
        ),
        (
            &id,
            json!({ "addFloatingIp": { "address": "192.0.2.1" } }),
            404,
            "192.0.2.1",
        ),
        (
            &id,
            json!({ "addFloatingIp": { "address": ip, "fixed_address": "10.1.1.99" } }),
            400,
            "fixed address not assigned",
        ),
        (
            &alone,
            json!({ "addFloatingIp": { "address": ip } }),
            400,
            "No fixed IPs",
        ),
        (
            &id,
            json!({ "removeFloatingIp": { "address": ip } }),
            409,
            "not associated",
        ),
    ] {
        let refused = cloud.act(&cloud.demo, server, action.clone()).await;
        assert_eq!(refused.status, status, "{action} {:?}", refused.body);
        assert!(
            refused.body.to_string().contains(says),
            "{action} {:?}",
            refused.body
        );
    }
    let nowhere = json!({ "pool": "nova" });
    let refused = ask(cloud, Method::POST, "/os-floating-ips", nowhere).await;
    assert_eq!(refused.status, 404, "{:?}", refused.body);
    assert!(
        refused.body.to_string().contains("public"),
        "{:?}",
        refused.body
    );
    // Another project's is not there.
    let add = json!({ "addFloatingIp": { "address": ip } });
    let eves = cloud.boot(&cloud.admin, json!({})).await;
    assert_eq!(cloud.act(&cloud.eve, &eves, add).await.status, 404);
    let path = format!("/os-floating-ips/{}", floating["id"].as_str().unwrap());
    for method in [Method::GET, Method::DELETE] {
        let hidden = cloud
            .ask(&cloud.eve, "2.1", method, &path, Value::Null)
            .await;
        assert_eq!(hidden.status, 404);
    }
    let mut tx = cloud.store().begin().await.unwrap();
    let resource = skybus_store::networks::quotas::Resource::FloatingIp;
    skybus_store::networks::quotas::set(&mut tx, cloud.demo_project, resource, 1)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let over = ask(cloud, Method::POST, "/os-floating-ips", json!({})).await;
    assert_eq!(over.status, 403, "{:?}", over.body);
}

async fn security_groups_and_their_rules(cloud: &Cloud) {
    let body = json!({ "security_group": { "name": "web", "description": "80" } });
    let made = ask(cloud, Method::POST, "/os-security-groups", body).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    let group = made.body["security_group"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(made.body["security_group"]["rules"], json!([]));
    let all = cloud.get("/os-security-groups").await.body;
    let names = all["security_groups"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["default", "web"]);
    let rule = json!({ "parent_group_id": group, "ip_protocol": "tcp", "from_port": 80,
        "to_port": 80, "cidr": "192.0.2.0/24" });
    let add = async |rule: Value| {
        let body = json!({ "security_group_rule": rule });
        ask(cloud, Method::POST, "/os-security-group-rules", body).await
    };
    let made = add(rule.clone()).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    let shown = &made.body["security_group_rule"];
    assert_eq!(shown["ip_range"], json!({ "cidr": "192.0.2.0/24" }));
    assert_eq!(add(rule).await.status, 400, "it is there already");
    let from = json!({ "parent_group_id": group, "ip_protocol": "icmp", "from_port": -1,
        "to_port": -1, "group_id": group });
    let from = add(from).await.body["security_group_rule"].clone();
    assert_eq!(
        from["group"],
        json!({ "name": "web", "tenant_id": cloud.demo_project })
    );
    assert_eq!(
        (&from["from_port"], &from["ip_range"]),
        (&json!(-1), &json!({}))
    );
    for bad in [
        json!({ "parent_group_id": group, "ip_protocol": "tcp", "from_port": 81, "to_port": 80 }),
        json!({ "parent_group_id": group, "ip_protocol": "tcp", "cidr": "x" }),
        json!({ "parent_group_id": group, "ip_protocol": "tcp", "cidr": "10.0.0.0/8", "group_id": group }),
        json!({ "parent_group_id": group, "ip_protocol": "tcp", "colour": "blue" }),
        json!({ "ip_protocol": "tcp" }),
    ] {
        let refused = add(bad.clone()).await;
        assert_eq!(refused.status, 400, "{bad} {:?}", refused.body);
    }
    let path = format!("/os-security-groups/{group}");
    let rules = cloud.get(&path).await.body["security_group"]["rules"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 2, "{rules}");
    let one = format!("/os-security-group-rules/{}", from["id"].as_str().unwrap());
    assert_eq!(
        ask(cloud, Method::DELETE, &one, Value::Null).await.status,
        202
    );
    assert_eq!(
        ask(cloud, Method::DELETE, &one, Value::Null).await.status,
        404
    );
    let renamed = json!({ "security_group": { "name": "www", "description": "" } });
    let renamed = ask(cloud, Method::PUT, &path, renamed).await;
    assert_eq!(renamed.body["security_group"]["name"], "www");
    let id = cloud
        .boot(
            &cloud.demo,
            json!({ "security_groups": [{ "name": "www" }] }),
        )
        .await;
    let used = ask(cloud, Method::DELETE, &path, Value::Null).await;
    assert_eq!(used.status, 400, "{:?}", used.body);
    let server = format!("/servers/{id}");
    ask(cloud, Method::DELETE, &server, Value::Null).await;
    assert_eq!(
        ask(cloud, Method::DELETE, &path, Value::Null).await.status,
        202
    );
    assert_eq!(cloud.get(&path).await.status, 404);
}

async fn calls_end_with_the_microversion_that_was_their_last(cloud: &Cloud) {
    let floating = a_floating_ip(cloud).await;
    let id = cloud.boot(&cloud.demo, json!({})).await;
    for path in [
        "/os-floating-ip-pools",
        "/os-floating-ips",
        "/os-security-groups",
    ] {
        for (version, status) in [("2.35", 200), ("2.36", 404), ("2.96", 404)] {
            let answer = cloud
                .ask(&cloud.demo, version, Method::GET, path, Value::Null)
                .await;
            assert_eq!(answer.status, status, "{path} {version}");
        }
    }
    let path = format!("/servers/{id}/action");
    for kind in ["addFloatingIp", "removeFloatingIp"] {
        let action = json!({ kind: { "address": floating["ip"] } });
        for (version, status) in [("2.44", 404), ("2.43", 202)] {
            let answer = cloud
                .ask(&cloud.demo, version, Method::POST, &path, action.clone())
                .await;
            assert_eq!(answer.status, status, "{kind} {version} {:?}", answer.body);
        }
    }
    let path = format!("/servers/{id}/os-security-groups");
    let answer = cloud.ask(&cloud.demo, "2.96", Method::GET, &path, Value::Null);
    assert_eq!(answer.await.status, 200, "this one stays");
}

async fn nobody_boots_on_the_outside(cloud: &Cloud) {
    let path = "/network/v2.0/networks?router:external=true";
    let outside = cloud.test.get(&cloud.demo, path).await.body["networks"][0]["id"].clone();
    let body = cloud.boot_body(json!({ "networks": [{ "uuid": outside }] }));
    for token in [&cloud.demo, &cloud.admin] {
        let refused = cloud
            .ask(token, "2.1", Method::POST, "/servers", body.clone())
            .await;
        assert_eq!(refused.status, 403, "{:?}", refused.body);
    }
    let auto = json!({ "networks": "auto", "name": "auto" });
    let mut body = cloud.boot_body(auto);
    body["server"]["networks"] = json!("auto");
    let booted = cloud
        .ask(&cloud.demo, "2.37", Method::POST, "/servers", body)
        .await;
    assert_eq!(booted.status, 202, "{:?}", booted.body);
}
