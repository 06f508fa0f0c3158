//! The table: who asks what, and how it must be refused. `{foreign}` is a server of another project,
//! `{queued}` an image without its bytes, `{long}` a text of 256 letters.

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// The operator.
    Admin,
    /// An ordinary user.
    Demo,
    /// Somebody without a token.
    Nobody,
    /// Somebody with a token that was never given.
    Stranger,
}

/// A request that must be refused.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) who: Who,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: &'static str,
    pub(crate) status: u16,
    /// Words of the message, in any case of letters.
    pub(crate) says: &'static str,
}

const fn case(
    who: Who,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    says: &'static str,
) -> Case {
    Case {
        who,
        method,
        path,
        body,
        status,
        says,
    }
}

const fn boot(body: &'static str, status: u16, says: &'static str) -> Case {
    case(
        Who::Demo,
        "POST",
        "/compute/v2.1/servers",
        body,
        status,
        says,
    )
}

const fn get(who: Who, path: &'static str, status: u16, says: &'static str) -> Case {
    case(who, "GET", path, "", status, says)
}

const NO_SUCH: &str = "/compute/v2.1/servers/11111111-2222-4333-8444-555555555555";

/// At the APIs.
pub(crate) const API: &[Case] = &[
    get(Who::Nobody, "/compute/v2.1/servers", 401, ""),
    get(Who::Stranger, "/compute/v2.1/servers", 401, ""),
    get(Who::Nobody, "/image/v2/images", 401, ""),
    get(Who::Stranger, "/network/v2.0/networks", 401, ""),
    get(Who::Stranger, "/identity/v3/users", 401, ""),
    get(Who::Demo, "/identity/v3/users", 403, ""),
    get(Who::Demo, "/compute/v2.1/os-hypervisors", 403, ""),
    get(Who::Demo, "/compute/v2.1/os-services", 403, ""),
    get(
        Who::Demo,
        "/compute/v2.1/servers/{foreign}",
        404,
        "could not be found",
    ),
    get(Who::Demo, NO_SUCH, 404, "could not be found"),
    get(Who::Demo, "/compute/v2.1/servers/not-an-id", 404, ""),
    get(Who::Demo, "/compute/v2.1/nothing-here", 404, ""),
    get(Who::Demo, "/compute/v2.1/servers?limit=-1", 400, "limit"),
    get(Who::Demo, "/compute/v2.1/servers?limit=many", 400, "limit"),
    get(
        Who::Demo,
        "/compute/v2.1/servers?marker=11111111-2222-4333-8444-555555555555",
        400,
        "marker",
    ),
    get(Who::Demo, "/compute/v2.1/flavors/no-such-flavor", 404, ""),
    get(Who::Demo, "/compute/v2.1/os-keypairs/no-such-key", 404, ""),
    get(
        Who::Demo,
        "/image/v2/images/11111111-2222-4333-8444-555555555555",
        404,
        "",
    ),
    get(
        Who::Demo,
        "/network/v2.0/networks/11111111-2222-4333-8444-555555555555",
        404,
        "",
    ),
    case(
        Who::Demo,
        "DELETE",
        "/compute/v2.1/servers/{foreign}",
        "",
        404,
        "",
    ),
    case(
        Who::Demo,
        "POST",
        "/compute/v2.1/servers/{foreign}/action",
        r#"{"os-stop": null}"#,
        404,
        "",
    ),
    case(Who::Demo, "DELETE", "/image/v2/images/{image}", "", 403, ""),
    case(
        Who::Demo,
        "DELETE",
        "/network/v2.0/networks/{network}",
        "",
        403,
        "",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/servers/{foreign}/action",
        r#"{"os-start": null}"#,
        409,
        "active",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/servers/{foreign}/action",
        r#"{"dance": null}"#,
        400,
        "",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/servers/{foreign}/action",
        "{}",
        400,
        "",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/servers/{foreign}/action",
        r#"{"reboot": {"type": "GENTLE"}}"#,
        400,
        "",
    ),
    boot("{", 400, ""),
    boot("[]", 400, ""),
    boot("{}", 400, "server"),
    boot(r#"{"server": 7}"#, 400, "server"),
    boot(
        r#"{"server": {"flavorRef": "{flavor}", "imageRef": "{image}"}}"#,
        400,
        "name",
    ),
    boot(
        r#"{"server": {"name": "", "flavorRef": "{flavor}", "imageRef": "{image}"}}"#,
        400,
        "name",
    ),
    boot(
        r#"{"server": {"name": "{long}", "flavorRef": "{flavor}", "imageRef": "{image}"}}"#,
        400,
        "name",
    ),
    boot(
        r#"{"server": {"name": 5, "flavorRef": "{flavor}", "imageRef": "{image}"}}"#,
        400,
        "name",
    ),
    boot(
        r#"{"server": {"name": "x", "imageRef": "{image}"}}"#,
        400,
        "flavor",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "none", "imageRef": "{image}"}}"#,
        400,
        "flavor",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}"}}"#,
        400,
        "image",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "tiny"}}"#,
        400,
        "image",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{queued}"}}"#,
        400,
        "queued",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "key_name": "nokey"}}"#,
        400,
        "nokey",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "min_count": 0}}"#,
        400,
        "min_count",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "min_count": 3, "max_count": 2}}"#,
        400,
        "min_count",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "min_count": 50}}"#,
        403,
        "quota",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "user_data": "%%%"}}"#,
        400,
        "user_data",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "security_groups": [{"name": "nogroup"}]}}"#,
        400,
        "nogroup",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "networks": [{"uuid": "11111111-2222-4333-8444-555555555555"}]}}"#,
        400,
        "",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "networks": [{"uuid": "{network}", "fixed_ip": "192.0.2.1"}]}}"#,
        400,
        "192.0.2.1",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "metadata": {"k": 5}}}"#,
        400,
        "metadata",
    ),
    boot(
        r#"{"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}", "colour": "red"}}"#,
        400,
        "colour",
    ),
    case(
        Who::Demo,
        "POST",
        "/compute/v2.1/os-keypairs",
        r#"{"keypair": {"name": "k", "public_key": "rubbish"}}"#,
        400,
        "key",
    ),
    case(
        Who::Demo,
        "POST",
        "/compute/v2.1/os-keypairs",
        r#"{"keypair": {"name": "{long}"}}"#,
        400,
        "name",
    ),
    case(
        Who::Demo,
        "POST",
        "/compute/v2.1/flavors",
        r#"{"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 1}}"#,
        403,
        "",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/flavors",
        r#"{"flavor": {"name": "f", "ram": -1, "vcpus": 1, "disk": 1}}"#,
        400,
        "ram",
    ),
    case(
        Who::Admin,
        "POST",
        "/compute/v2.1/flavors",
        r#"{"flavor": {"name": "f", "ram": 1, "vcpus": 0, "disk": 1}}"#,
        400,
        "vcpus",
    ),
    case(
        Who::Admin,
        "PUT",
        "/compute/v2.1/os-quota-sets/{demo}",
        r#"{"quota_set": {"cores": -2}}"#,
        400,
        "cores",
    ),
    case(
        Who::Demo,
        "PUT",
        "/compute/v2.1/os-quota-sets/{demo}",
        r#"{"quota_set": {"cores": 99}}"#,
        403,
        "",
    ),
    case(
        Who::Demo,
        "POST",
        "/image/v2/images",
        r#"{"name": "i", "disk_format": "floppy", "container_format": "bare"}"#,
        400,
        "disk_format",
    ),
    case(
        Who::Demo,
        "POST",
        "/image/v2/images",
        r#"{"name": "i", "visibility": "public"}"#,
        403,
        "",
    ),
    case(
        Who::Demo,
        "POST",
        "/network/v2.0/security-group-rules",
        r#"{"security_group_rule": {}}"#,
        400,
        "",
    ),
    case(
        Who::Demo,
        "POST",
        "/network/v2.0/networks",
        r#"{"network": {"name": 5}}"#,
        400,
        "name",
    ),
    case(
        Who::Nobody,
        "POST",
        "/identity/v3/auth/tokens",
        r#"{"auth": {}}"#,
        400,
        "",
    ),
    case(
        Who::Nobody,
        "POST",
        "/identity/v3/auth/tokens",
        r#"{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "domain": {"id": "default"}, "password": "guess"}}}}}"#,
        401,
        "",
    ),
    case(
        Who::Admin,
        "POST",
        "/identity/v3/users",
        r#"{"user": {"name": "admin", "password": "p"}}"#,
        409,
        "admin",
    ),
    case(
        Who::Admin,
        "POST",
        "/identity/v3/projects",
        r#"{"project": {"name": "{long}"}}"#,
        400,
        "name",
    ),
];

/// At the command line, as an ordinary user: the words, the exit code, what is said.
pub(crate) const COMMANDS: &[(&str, i32, &str)] = &[
    ("lsit", 2, "did you mean `skybus list`?"),
    ("list --limit some", 2, "invalid value"),
    ("list --status DANCING", 1, "DANCING"),
    ("show nothing", 4, "`skybus list` shows what there is"),
    ("show {foreign}", 4, "no server has the name or id"),
    ("delete nothing", 4, "no server has the name or id"),
    (
        "boot --flavor none --image small x",
        4,
        "`skybus flavor-list` shows what there is",
    ),
    (
        "boot --flavor m1.tyni --image small x",
        4,
        "did you mean \"m1.tiny\"?",
    ),
    (
        "boot --flavor m1.tiny --image none x",
        4,
        "`skybus image-list` shows what there is",
    ),
    ("boot --flavor m1.tiny --image queued x", 1, "queued"),
    (
        "boot --flavor m1.tiny --image small --key_name none x",
        4,
        "keypair",
    ),
    (
        "boot --flavor m1.tiny --image small --user-data /nonexistent x",
        1,
        "/nonexistent",
    ),
    (
        "boot --flavor m1.tiny --image small --min-count 50 x",
        1,
        "quota-show",
    ),
    (
        "boot --flavor m1.tiny --image small --nic colour=red x",
        2,
        "net-id=UUID",
    ),
    (
        "boot --flavor m1.tiny --image small --security-groups none x",
        1,
        "none",
    ),
    ("boot --flavor m1.tiny --image small {long}", 1, "name"),
    ("keypair-add --pub_key /nonexistent k", 1, "/nonexistent"),
    ("image-create x --file /nonexistent", 1, "/nonexistent"),
    ("image-create x --file /tmp", 2, "is not a file"),
    ("flavor-create f auto 1 1 1", 1, "another role"),
    ("hypervisor-list", 1, "another role"),
    ("service-disable nohost", 1, "another role"),
    (
        "secgroup-list-rules none",
        4,
        "`skybus secgroup-list` shows what there is",
    ),
    ("secgroup-add-rule default tcp 22 21 0.0.0.0/0", 1, "port"),
    (
        "secgroup-add-rule default tcp 22 22 everywhere",
        1,
        "everywhere",
    ),
    (
        "secgroup-add-rule default tcp 22 99999 0.0.0.0/0",
        2,
        "99999",
    ),
    (
        "secgroup-delete-rule default tcp 9 9 0.0.0.0/0",
        4,
        "no rule",
    ),
    ("meta nothing set novalue", 2, "key=value"),
    ("quota-update demo --cores 99", 1, ""),
    ("user-create eve", 1, "another role"),
    ("--os-cloud other list", 3, "skybus, skybus-demo"),
    ("completion csh", 2, "invalid value"),
];
