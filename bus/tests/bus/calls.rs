//! Calls: answers, silence, and answers that do not come.

use std::time::Duration;

use skybus_bus::{CallError, testing::Broker};
use skybus_model::{
    HostName,
    id::ServerId,
    message::{
        Service,
        call::{ConsoleAnswer, ConsoleTail},
    },
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, host};

const PATIENCE: Duration = Duration::from_secs(20);

fn question() -> ConsoleTail {
    ConsoleTail {
        server: ServerId::random(),
        lines: Some(10),
    }
}

#[tokio::test]
async fn a_host_answers_and_so_does_each_host_that_is_only_played() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "calls", &token).await.unwrap();
    let agent_name = host("played");
    let hosts: Vec<HostName> = (1..=3).map(|n| host(&format!("played-{n}"))).collect();
    let agent = broker
        .join(Service::Compute, &agent_name, &hosts, &token)
        .await
        .unwrap();
    tokio::spawn({
        let hosts = hosts.clone();
        async move {
            agent
                .serve(&hosts, async |host: HostName, tail: ConsoleTail| {
                    ConsoleAnswer::Text(format!("{host}: {}", tail.server))
                })
                .await
        }
    });
    for host in &hosts {
        let question = question();
        let answer = api.call(host, &question, PATIENCE).await.unwrap();
        assert_eq!(
            answer,
            ConsoleAnswer::Text(format!("{host}: {}", question.server))
        );
    }
    token.cancel();
}

#[tokio::test]
async fn an_unknown_host_is_told_apart_from_a_silent_one() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "silent", &token).await.unwrap();
    let unknown = host("unknown");
    let error = api.call(&unknown, &question(), PATIENCE).await.unwrap_err();
    assert_eq!(error, CallError::UnknownHost { host: unknown });

    let silent = host("silent");
    broker
        .join_account(Service::Compute, &silent, std::slice::from_ref(&silent))
        .await
        .unwrap();
    let patience = Duration::from_millis(500);
    let began = Instant::now();
    let error = api.call(&silent, &question(), patience).await.unwrap_err();
    assert_eq!(
        error,
        CallError::Deadline {
            host: silent,
            patience
        }
    );
    assert!(began.elapsed() < Duration::from_secs(3));
    token.cancel();
}

#[tokio::test]
async fn a_lost_answer_costs_one_deadline_and_the_next_call_works() {
    let broker = Broker::shared().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "lost", &token).await.unwrap();
    let node = host("lossy-node");
    let agent = broker
        .join(Service::Compute, &node, std::slice::from_ref(&node), &token)
        .await
        .unwrap();
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let hosts = [node.clone()];
    tokio::spawn(async move {
        agent
            .serve(&hosts, async |_: HostName, tail: ConsoleTail| {
                asked.send(()).ok();
                if tail.lines.is_none() {
                    std::future::pending::<()>().await;
                }
                ConsoleAnswer::NoSuchServer
            })
            .await
    });
    let lost = ConsoleTail {
        server: ServerId::random(),
        lines: None,
    };
    let patience = Duration::from_secs(2);
    let error = api.call(&node, &lost, patience).await.unwrap_err();
    assert!(matches!(error, CallError::Deadline { .. }), "{error:?}");
    timeout(SOON, was_asked.recv())
        .await
        .expect("it was asked")
        .unwrap();
    let answer = api.call(&node, &question(), PATIENCE).await.unwrap();
    assert_eq!(answer, ConsoleAnswer::NoSuchServer);
    token.cancel();
}
