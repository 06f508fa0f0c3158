//! One of everything that a project can have, and a stranger to it.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use skybus_model::id::UserId;
use skybus_store::identity::{domains, projects, roles, users};
use sqlx::Row;

use crate::testing::{ADMIN, Answer, DEMO, TestApp};

/// Who is in the play.
pub(super) struct Things {
    pub(super) admin: String,
    /// The owner.
    pub(super) demo: String,
    /// A member of another project.
    pub(super) eve: String,
    user: String,
    project: String,
    admin_project: String,
    stranger_project: String,
    role: String,
}

/// What the owner has.
pub(super) struct Owned {
    pub(super) server: String,
    pub(super) servers_port: String,
    pub(super) request: String,
    pub(super) keypair: String,
    pub(super) image: String,
    pub(super) member: String,
    pub(super) network: String,
    pub(super) network_name: String,
    pub(super) subnet: String,
    pub(super) port: String,
    pub(super) group: String,
    pub(super) rule: String,
    pub(super) floating: String,
    /// Everybody's.
    pub(super) outside: String,
    pub(super) user: String,
    pub(super) project: String,
    pub(super) stranger_project: String,
    pub(super) role: String,
}

/// No body.
pub(super) const fn nothing() -> Value {
    Value::Null
}

impl Things {
    /// The people, and no limits for the owner.
    pub(super) async fn prepared(test: &TestApp) -> Self {
        let stranger_project = test.another_tenant().await;
        let pool = test.store().pool();
        let demo = users::by_name(pool, domains::DEFAULT, "demo").await;
        let role = roles::by_name(pool, "reader").await;
        let project = async |name| {
            let found = projects::by_name(pool, domains::DEFAULT, name).await;
            found.unwrap().unwrap().id.to_string()
        };
        let things = Self {
            admin: test.login("admin", ADMIN, "admin").await,
            demo: test.login("demo", DEMO, "demo").await,
            eve: test.login("eve", DEMO, "eves").await,
            user: demo.unwrap().unwrap().id.to_string(),
            project: project("demo").await,
            admin_project: project("admin").await,
            stranger_project: stranger_project.to_string(),
            role: role.unwrap().unwrap().id.to_string(),
        };
        things.lift_limits(test).await;
        things
    }

    async fn lift_limits(&self, test: &TestApp) {
        let compute = ["instances", "cores", "ram", "key_pairs"];
        let network = [
            "network",
            "subnet",
            "port",
            "security_group",
            "security_group_rule",
            "floatingip",
        ];
        let none = |names: &[&str]| -> Value {
            names
                .iter()
                .map(|name| ((*name).to_owned(), json!(-1)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        for (path, body) in [
            (
                format!("/compute/v2.1/os-quota-sets/{}", self.project),
                json!({ "quota_set": none(&compute) }),
            ),
            (
                format!("/network/v2.0/quotas/{}", self.project),
                json!({ "quota": none(&network) }),
            ),
        ] {
            let answer = test.ask(&self.admin, Method::PUT, &path, body).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
        }
    }

    /// One of everything, new.
    pub(super) async fn fresh(&self, test: &TestApp) -> Owned {
        let make = async |path: &str, kind: &str, body: Value| {
            let answer = test
                .ask(&self.demo, Method::POST, path, json!({ kind: body }))
                .await;
            assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
            let id = answer.body[kind]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (id, answer.header("x-openstack-request-id").to_owned())
        };
        let network_name = format!("net-{}", UserId::random());
        let (network, _) = make(
            "/network/v2.0/networks",
            "network",
            json!({ "name": network_name }),
        )
        .await;
        let subnet = json!({ "network_id": network, "cidr": "10.77.0.0/24", "ip_version": 4 });
        let (subnet, _) = make("/network/v2.0/subnets", "subnet", subnet).await;
        let (port, _) = make(
            "/network/v2.0/ports",
            "port",
            json!({ "network_id": network }),
        )
        .await;
        let (group, _) = make(
            "/network/v2.0/security-groups",
            "security_group",
            json!({ "name": "own" }),
        )
        .await;
        let rule = json!({ "security_group_id": group, "direction": "ingress", "protocol": "tcp" });
        let (rule, _) = make(
            "/network/v2.0/security-group-rules",
            "security_group_rule",
            rule,
        )
        .await;
        let (servers_port, _) = make(
            "/network/v2.0/ports",
            "port",
            json!({ "network_id": network }),
        )
        .await;
        let outside = "/network/v2.0/networks?router:external=true";
        let outside = test.get(&self.demo, outside).await.body["networks"][0]["id"].clone();
        let outside = outside.as_str().unwrap_or_default().to_owned();
        let floating = json!({ "floating_network_id": outside, "port_id": servers_port });
        let (floating, _) = make("/network/v2.0/floatingips", "floatingip", floating).await;
        let keypair = format!("key-{}", UserId::random());
        make(
            "/compute/v2.1/os-keypairs",
            "keypair",
            json!({ "name": keypair }),
        )
        .await;
        let image = self.image(test).await;
        let server = json!({
            "name": "own", "imageRef": image, "flavorRef": "84", "metadata": { "key": "value" },
            "networks": [{ "port": servers_port }], "key_name": keypair,
        });
        let (server, request) = make("/compute/v2.1/servers", "server", server).await;
        Owned {
            server,
            servers_port,
            request,
            keypair,
            image,
            member: self.admin_project.clone(),
            network,
            network_name,
            subnet,
            port,
            group,
            rule,
            floating,
            outside,
            user: self.user.clone(),
            project: self.project.clone(),
            stranger_project: self.stranger_project.clone(),
            role: self.role.clone(),
        }
    }

    /// A shared image with content and a tag, whose one member is the administrator's project.
    async fn image(&self, test: &TestApp) -> String {
        let body = json!({
            "name": "own", "disk_format": "raw", "container_format": "bare", "visibility": "shared",
            "tags": ["tag"],
        });
        let answer = test
            .ask(&self.demo, Method::POST, "/image/v2/images", body)
            .await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let id = answer.body["id"].as_str().unwrap().to_owned();
        let content = Request::put(format!("/image/v2/images/{id}/file"))
            .header("x-auth-token", &self.demo)
            .header("content-type", "application/octet-stream")
            .body(Body::from(vec![0x55; 1024]));
        let answer = test.send(content.unwrap()).await;
        assert_eq!(answer.status, 204, "{:?}", answer.body);
        let member = json!({ "member": self.admin_project });
        let path = format!("/image/v2/images/{id}/members");
        let answer = test.ask(&self.demo, Method::POST, &path, member).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        id
    }

    /// An answer to a stranger does not speak of the owner.
    pub(super) fn are_not_in(&self, answer: &Answer, path: &str) {
        let mut told = answer.body.to_string();
        // What the stranger said may be repeated.
        for part in path
            .split(['/', '?', '=', '&'])
            .filter(|part| part.len() > 8)
        {
            told = told.replace(part, "");
        }
        for secret in [&self.project, &self.user] {
            assert!(!told.contains(secret.as_str()), "{path}: {told}");
        }
    }
}

/// Everything that stands in the database (SQLite), a text for each table.
pub(super) async fn rows(test: &TestApp) -> Vec<(String, String)> {
    let pool = test.store().pool();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
                  AND name NOT LIKE '_sqlx%' ORDER BY name";
    let mut all = Vec::new();
    for table in sqlx::query(tables).fetch_all(pool).await.unwrap() {
        let table: String = table.get(0);
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = sqlx::query(sqlx::AssertSqlSafe(columns))
            .fetch_all(pool)
            .await
            .unwrap();
        let quoted: Vec<String> = columns
            .iter()
            .map(|column| format!("quote({})", column.get::<String, _>(0)))
            .collect();
        let content = format!(
            "SELECT COALESCE(group_concat(line, char(10)), '') FROM (SELECT {} AS line FROM {table} ORDER BY 1)",
            quoted.join(" || ',' || ")
        );
        let content: String = sqlx::query_scalar(sqlx::AssertSqlSafe(content))
            .fetch_one(pool)
            .await
            .unwrap();
        all.push((table, content));
    }
    all
}
