//! A boot whose API process dies before it answers is sent again with the same `Idempotency-Key`: it makes
//! one server, wherever the process died.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use skybus_fault::{Armed, Point};
use skybus_tests::{
    api::Answer,
    campaign::{Operation, Server, stage::Stage},
    wait,
};

/// A first request that left no answer is taken for dead after a minute.
const LIMIT: Duration = Duration::from_secs(120);
const ACCEPTED: &str = "oslo.notification/2+server.place/1";
/// Where the first request ends. The one that leaves nothing but its key behind comes first: its
/// repetition has to wait.
const ENDS: [(&str, Point, &str); 4] = [
    ("nothing-done", Point::StoreBeforeCommit, ACCEPTED),
    ("all-done", Point::StoreAfterCommit, ACCEPTED),
    ("unanswered", Point::ApiBeforeAnswer, "create"),
    ("unsent", Point::RelayBeforePublish, "server.place/1"),
];

#[test]
fn a_boot_that_is_repeated_with_its_key_makes_one_server() -> Result<()> {
    let stage = Stage::with_fake_hosts(1)?;
    for (name, point, what) in ENDS {
        stage.faults.arm("api", &Armed::at(point, what))?;
        let first = stage.client.ask_for(name, Some(name));
        wait::until("its death", LIMIT, || stage.faults.death("api"))?;
        // The relay may die of it only after the answer.
        ensure!(
            first.is_err() || point == Point::RelayBeforePublish,
            "{name} was answered by a process that had died: {first:?}"
        );
        stage.all_well()?;
    }
    for (name, ..) in ENDS.into_iter().rev() {
        let answer = repeated(&stage, name)?;
        let server = Server {
            name: name.to_owned(),
            id: id(&answer)?,
        };
        stage.client.end(Operation::Boot, &server)?;
        ensure!(stage.client.row(&server)?.state == "active");
        let again = repeated(&stage, name)?;
        ensure!(
            id(&again)? == server.id,
            "{name}: another answer: {again:?}"
        );
    }
    let servers = stage.client.truth.servers()?;
    ensure!(servers.len() == ENDS.len(), "{servers:#?}");
    let findings = stage.client.truth.settle(LIMIT)?;
    ensure!(findings.is_empty(), "{findings:#?}");
    Ok(())
}

fn repeated(stage: &Stage, name: &str) -> Result<Answer> {
    wait::until("an answer to the repetition", LIMIT, || {
        let answer = stage.client.ask_for(name, Some(name))?;
        if answer.status == 409 {
            let says = answer.message();
            ensure!(says.contains("still being worked on"), "{answer:?}");
            return Ok(None);
        }
        ensure!(answer.status == 202, "{answer:?}");
        Ok(Some(answer))
    })
}

fn id(answer: &Answer) -> Result<String> {
    let id = answer.body["server"]["id"].as_str();
    id.map(str::to_owned)
        .with_context(|| format!("the id in {}", Value::from(answer.message())))
}
