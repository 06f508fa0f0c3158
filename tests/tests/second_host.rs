//! A second machine joins a cloud by one command, works, is drained and removed; whatever dies on the way.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use skybus_bus::accounts::Management;
use skybus_fault::{Armed, Point};
use skybus_tests::{
    api::Api,
    cloud::{Cloud, free_port},
    database,
    faults::Faults,
    joiner::Joiner,
    ran::Ran,
    wait,
};
use tokio::runtime::Runtime;

/// For what a busy machine may take its time.
const LIMIT: Duration = Duration::from_secs(120);
const CLOUD: [&str; 4] = ["--virt-type", "fake", "--public-address", "127.0.0.1"];
/// A zone of its own, so that a server can be sent there.
const JOIN: [&str; 4] = ["--driver", "fake", "--zone", "second"];

#[test]
fn a_second_host_joins_works_and_leaves_whatever_dies_on_the_way() -> Result<()> {
    let (cloud, faults) = Cloud::with_fault_points(&CLOUD)?;
    cloud.add_small_image()?;
    let first = add(&cloud, "b", &[])?;
    let token = add(&cloud, "b", &[])?;
    let joiner = Joiner::new()?;
    let old = joiner.join(&words(&first))?;
    refused(&old, "replaced by a newer one")?;
    refused(
        &joiner.join(&words(&token[..token.len() - 2]))?,
        "wrong or missing",
    )?;

    for point in [Point::JoinKeyKept, Point::JoinGranted, Point::JoinKept] {
        die_at(&faults, "join", point)?;
        let killed = joiner.join_with(&faults, &words(&token))?;
        ensure!(killed.code == -1, "it was to die at {point}: {killed:?}");
        died(&faults, "join", point)?;
    }
    joiner.join(&words(&token))?.ok()?;
    works(&cloud, "b")?;
    // Once more is harmless, and another machine finds the token used.
    joiner.join(&words(&token))?.ok()?;
    let other = Joiner::new()?;
    refused(
        &other.join(&words(&token))?,
        "another machine has used this token",
    )?;
    let again = cloud.skybus(&["host", "add", "b"])?;
    refused(&again, "has joined already")?;
    no_secret_is_seen(&cloud, &joiner, &token)?;

    what_the_broker_forgets_is_made_again(&cloud, &joiner)?;
    after_a_reboot(&cloud, &joiner)?;
    boot(&cloud, "vm1", "second")?;
    let row = host(&cloud, "b")?.context("b is listed")?;
    ensure!(row["servers"] == 1 && row["zones"][0] == "second", "{row}");
    drain(&cloud)?;

    remove(&cloud, &faults, &joiner)
}

/// Nothing new goes there, and what is there keeps it from being removed.
fn drain(cloud: &Cloud) -> Result<()> {
    let said = cloud.skybus(&["host", "drain", "b"])?;
    ensure!(said.ok()?.contains("1 is left there"), "{said:?}");
    let row = host(cloud, "b")?.context("b is listed")?;
    ensure!(row["drained"] == true, "{row}");
    let elsewhere = [
        "boot",
        "--flavor",
        "m1.tiny",
        "--image",
        "small",
        "--availability-zone",
        "second",
        "--poll",
        "vm2",
    ];
    let nowhere = cloud.skybus(&elsewhere)?;
    ensure!(
        nowhere.code == 6,
        "a server went to a drained host: {nowhere:?}"
    );
    refused(
        &cloud.skybus(&["host", "remove", "b"])?,
        "host b has 1 server",
    )?;
    refused(
        &cloud.skybus(&["host", "remove", &first_name(cloud)?])?,
        "skybus down",
    )
}

/// The API server dies between the steps; another life of it goes on.
fn remove(cloud: &Cloud, faults: &Faults, joiner: &Joiner) -> Result<()> {
    for server in ["vm1", "vm2"] {
        cloud.skybus(&["delete", server])?.ok()?;
    }
    let accounts = worker_addresses(joiner)?;
    die_at(faults, "api", Point::HostLeaving)?;
    // Whatever else it answers meanwhile, servers being deleted or a busy machine: it is asked again.
    wait::until("dead while it removed the host", LIMIT, || {
        let _cut_off = cloud.skybus(&["host", "remove", "b"])?;
        faults.death("api")
    })?;
    gone(cloud, "b")?;
    doors_are_closed(cloud, &accounts)?;
    ends_by_itself(joiner)?;
    refused(&joiner.join(&[])?, "was removed")?;
    joiner.run("skybus-down", &["--purge"])?.ok()?;
    ensure!(!joiner.data_dir().exists());

    // The same name again is another machine: what the former one knew is of no use.
    let token = add(cloud, "b", &[])?;
    joiner.join(&words(&token))?.ok()?;
    works(cloud, "b")?;
    doors_are_closed_to(&accounts)?;
    cloud.skybus(&["host", "drain", "b"])?.ok()?;
    let accounts = worker_addresses(joiner)?;
    joiner.run("skybus-down", &[])?.ok()?;
    die_at(faults, "api", Point::HostDismissed)?;
    let _cut_off = cloud.skybus(&["host", "remove", "b"])?;
    died(faults, "api", Point::HostDismissed)?;
    gone(cloud, "b")?;
    doors_are_closed(cloud, &accounts)?;
    // It was off all the while.
    refused(&joiner.join(&[])?, "was removed")
}

#[test]
fn one_more_scheduler_and_api_server_join_and_leave_where_the_database_can_be_shared() -> Result<()>
{
    let url = database::new_postgres()?;
    let options = [&CLOUD[..], &["--database", &url]].concat();
    let cloud = Cloud::start(&options)?;
    cloud.add_small_image()?;
    let token = add(&cloud, "s", &["--role", "scheduler"])?;
    let joiner = Joiner::new()?;
    joiner.join(&[token.as_str()])?.ok()?;
    let row = host(&cloud, "s")?.context("s is listed")?;
    ensure!(
        row["role"] == "scheduler" && row["state"] == "joined",
        "{row}"
    );
    wait::until("a scheduler that is well", LIMIT, || {
        let status = joiner.run("skybus-status", &["--format", "json"])?;
        let status: Value = serde_json::from_str(&status.out)?;
        let role = &status["roles"][0];
        let is_well = role["name"] == "scheduler" && role["health"] == "ok";
        Ok(is_well.then_some(()))
    })?;

    // The first one's broker account and process stay: only its own are taken from the second.
    both_are_asked(&cloud)?;
    boot(&cloud, "vm1", "nova")?;
    one_more_api_server(&cloud)?;
    let accounts = worker_addresses(&joiner)?;
    cloud.skybus(&["host", "remove", "s"])?.ok()?;
    gone(&cloud, "s")?;
    doors_are_closed(&cloud, &accounts)?;
    boot(&cloud, "vm2", "nova")?;
    ends_by_itself(&joiner)
}

/// It answers as the first one does, with the same images and to the same tokens.
fn one_more_api_server(cloud: &Cloud) -> Result<()> {
    let token = add(cloud, "t", &["--role", "api"])?;
    let joiner = Joiner::new()?;
    refused(&joiner.join(&[token.as_str()])?, "--shared DIR")?;
    let (port, shared) = (free_port()?, cloud.data_dir().join("api"));
    let (listen, shared) = (format!("127.0.0.1:{port}"), shared.display().to_string());
    let words = [token.as_str(), "--shared", &shared, "--listen", &listen];
    joiner.join(&words)?.ok()?;
    let first = Api::sign_in(cloud, "admin", &cloud.password("admin")?)?;
    let before = first.get("/compute/v2.1/servers")?;
    let after = first
        .at(&format!("http://{listen}"))
        .get("/compute/v2.1/servers")?;
    let own: toml::Table = fs::read_to_string(cloud.data_dir().join("etc/api.toml"))?.parse()?;
    let key = own["account_key"].as_str().context("the accounts' key")?;
    for file in ["host.toml", "etc/api.toml"] {
        let told = fs::read_to_string(joiner.data_dir().join(file))?;
        ensure!(!told.contains(key), "{file} has the key of all accounts");
    }
    let names = |answer: &Value| answer["servers"].as_array().map(Vec::len);
    ensure!(names(&before) == names(&after), "{before} {after}");
    let accounts = worker_addresses(&joiner)?;
    cloud.skybus(&["host", "remove", "t"])?.ok()?;
    gone(cloud, "t")?;
    doors_are_closed_to(&accounts)?;
    ends_by_itself(&joiner)
}

/// Whatever is to be placed goes to either of the two schedulers.
fn both_are_asked(cloud: &Cloud) -> Result<()> {
    let (management, runtime) = (management(cloud)?, Runtime::new()?);
    wait::until("read by two schedulers", LIMIT, || {
        let queues = runtime.block_on(management.queues())?;
        let shared = queues.iter().find(|q| q.name == "skybus.scheduler.v1");
        Ok(shared.is_some_and(|q| q.consumers == 2).then_some(()))
    })
}

#[test]
fn a_cloud_on_loopback_or_on_sqlite_says_what_it_lacks() -> Result<()> {
    let cloud = Cloud::start(&["--virt-type", "fake"])?;
    refused(&cloud.skybus(&["host", "add", "b"])?, "--public-address")?;
    cloud.down(&[])?;
    cloud.up(&["--public-address", "127.0.0.1"])?;
    add(&cloud, "b", &[])?;
    for role in ["scheduler", "api"] {
        refused(
            &cloud.skybus(&["host", "add", "c", "--role", role])?,
            "SQLite",
        )?;
    }
    let rows = hosts(&cloud)?;
    let states: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["state"].as_str())
        .collect();
    ensure!(
        states == ["invited", "joined"] || states == ["joined", "invited"],
        "{rows:?}"
    );
    cloud.skybus(&["host", "remove", "b"])?.ok()?;
    gone(&cloud, "b")
}

fn words(token: &str) -> Vec<&str> {
    [&[token][..], &JOIN].concat()
}

/// Invites a machine; its token.
fn add(cloud: &Cloud, name: &str, more: &[&str]) -> Result<String> {
    let said = cloud.skybus(&[&["host", "add", name], more].concat())?;
    let token = said.ok()?.trim().to_owned();
    ensure!(token.starts_with("sb1_") && !token.contains(char::is_whitespace));
    Ok(token)
}

fn refused(ran: &Ran, says: &str) -> Result<()> {
    ensure!(ran.code != 0 && ran.err.contains(says), "{says:?}: {ran:?}");
    Ok(())
}

fn hosts(cloud: &Cloud) -> Result<Vec<Value>> {
    let all = cloud.skybus(&["-f", "json", "host", "list"])?.json()?;
    Ok(all.as_array().cloned().unwrap_or_default())
}

fn host(cloud: &Cloud, name: &str) -> Result<Option<Value>> {
    Ok(hosts(cloud)?.into_iter().find(|row| row["name"] == name))
}

fn first_name(cloud: &Cloud) -> Result<String> {
    let all = hosts(cloud)?;
    let first = all.iter().find(|row| row["role"] == "all");
    let name = first.and_then(|row| row["name"].as_str());
    name.map(str::to_owned)
        .context("the first machine is listed")
}

/// Both workers are heard.
fn works(cloud: &Cloud, name: &str) -> Result<()> {
    wait::until("heard of both workers", LIMIT, || {
        let row = host(cloud, name)?.context("it is listed")?;
        let services = row["services"].as_array().cloned().unwrap_or_default();
        let up = services.iter().filter(|one| one["state"] == "up").count();
        Ok((row["state"] == "joined" && up == 2).then_some(()))
    })
}

fn boot(cloud: &Cloud, name: &str, zone: &str) -> Result<()> {
    let words = [
        "boot",
        "--flavor",
        "m1.tiny",
        "--image",
        "small",
        "--availability-zone",
        zone,
        "--poll",
        name,
    ];
    cloud.skybus(&words)?.ok().map(drop)
}

fn die_at(faults: &Faults, role: &str, point: Point) -> Result<()> {
    let at = Armed {
        point,
        what: None,
        hit: 1,
    };
    faults.arm(role, &at)
}

fn died(faults: &Faults, role: &str, point: Point) -> Result<()> {
    wait::until("dead", LIMIT, || faults.death(role))
        .map(drop)
        .with_context(|| format!("{role} at {point}"))
}

/// Neither arguments nor logs show what lets anybody in. The token is one that was used up.
fn no_secret_is_seen(cloud: &Cloud, joiner: &Joiner, token: &str) -> Result<()> {
    let text = fs::read_to_string(joiner.data_dir().join("host.toml"))?;
    let known: toml::Table = text.parse()?;
    let mut secrets = vec![token.to_owned()];
    for key in ["key", "secret"] {
        secrets.push(known[key].as_str().context("a secret")?.to_owned());
    }
    for address in worker_addresses(joiner)? {
        let password = address.split(['@', ':']).nth(2).context("a password")?;
        secrets.push(password.to_owned());
    }
    let mut places = vec![("arguments".to_owned(), arguments_of_all())];
    for directory in [cloud.data_dir(), joiner.data_dir()] {
        for file in fs::read_dir(directory.join("log"))? {
            let path = file?.path();
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            places.push((path.display().to_string(), text));
        }
    }
    for (place, text) in places {
        ensure!(
            !secrets.iter().any(|secret| text.contains(secret.as_str())),
            "{place} shows a secret"
        );
    }
    Ok(())
}

fn arguments_of_all() -> String {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

/// With the same password: the machine itself need not do anything.
fn what_the_broker_forgets_is_made_again(cloud: &Cloud, joiner: &Joiner) -> Result<()> {
    let (management, runtime) = (management(cloud)?, Runtime::new()?);
    let forgotten = "skybus.compute.b";
    runtime.block_on(management.remove_account(forgotten))?;
    wait::until("an account again", LIMIT, || {
        let found = runtime.block_on(management.accounts(forgotten))?;
        Ok((!found.is_empty()).then_some(()))
    })?;
    is_well(joiner)
}

fn is_well(joiner: &Joiner) -> Result<()> {
    wait::until("well", LIMIT, || {
        Ok((joiner.run("skybus-status", &[])?.code == 0).then_some(()))
    })
}

/// What ran is started again by the command without a token.
fn after_a_reboot(cloud: &Cloud, joiner: &Joiner) -> Result<()> {
    joiner.run("skybus-down", &[])?.ok()?;
    let stopped = joiner.run("skybus-status", &[])?;
    ensure!(
        stopped.code == 3 && stopped.out.contains("skybus join"),
        "{stopped:?}"
    );
    joiner.join(&[])?.ok()?;
    is_well(joiner)?;
    works(cloud, "b")
}

/// The broker's addresses that the machine's processes have, with their accounts.
fn worker_addresses(joiner: &Joiner) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in fs::read_dir(joiner.data_dir().join("etc"))? {
        let table: toml::Table = fs::read_to_string(file?.path())?.parse()?;
        found.push(table["broker"].as_str().context("an address")?.to_owned());
    }
    ensure!(!found.is_empty(), "nothing is configured");
    Ok(found)
}

fn gone(cloud: &Cloud, name: &str) -> Result<()> {
    wait::until("gone from the list", LIMIT, || {
        // The API server may just be starting again.
        let listed = cloud.skybus(&["-f", "json", "host", "list"])?;
        let rows = listed.json().ok().and_then(|all| all.as_array().cloned());
        Ok(rows.and_then(|rows| rows.iter().all(|row| row["name"] != name).then_some(())))
    })?;
    let services = cloud.skybus(&["-f", "json", "service-list"])?.json()?;
    let left = services.as_array().into_iter().flatten();
    let left: Vec<_> = left.filter(|one| one["host"] == name).collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

fn management(cloud: &Cloud) -> Result<Management> {
    let text = fs::read_to_string(cloud.data_dir().join("etc/api.toml"))?;
    let config: toml::Table = text.parse()?;
    let url = config["management"]
        .as_str()
        .context("the management's address")?;
    Ok(Management::new(url, "skybus")?)
}

/// Accounts and queues are gone, and whoever still has an address is not let in with it.
fn doors_are_closed(cloud: &Cloud, addresses: &[String]) -> Result<()> {
    let (management, runtime) = (management(cloud)?, Runtime::new()?);
    for service in ["api", "scheduler", "compute", "network"] {
        for name in ["b", "s"] {
            let account = format!("skybus.{service}.{name}");
            let left = runtime.block_on(management.accounts(&account))?;
            ensure!(!left.contains(&account), "{account} is still there");
        }
    }
    let queues = runtime.block_on(management.queues())?;
    let left: Vec<_> = queues
        .iter()
        .filter(|queue| queue.name.contains(".b."))
        .collect();
    ensure!(left.is_empty(), "{left:?}");
    doors_are_closed_to(addresses)
}

fn doors_are_closed_to(addresses: &[String]) -> Result<()> {
    let runtime = Runtime::new()?;
    for address in addresses {
        let found = runtime.block_on(skybus_bus::testing::is_let_in(address))?;
        ensure!(!found, "the broker lets a removed machine in");
    }
    Ok(())
}

/// The machine hears that it was removed, and nothing of it runs any more.
fn ends_by_itself(joiner: &Joiner) -> Result<()> {
    wait::until("ended by itself", LIMIT, || {
        let status = joiner.run("skybus-status", &["--format", "json"])?;
        let status: Value = serde_json::from_str(&status.out)?;
        let roles = status["roles"].as_array().context("its processes")?;
        let still = roles.iter().any(|role| !role["pid"].is_null());
        let said = status["problems"].to_string().contains("was removed");
        Ok((!still && said && status["supervisor"].is_null()).then_some(()))
    })
}
