//! A broker that comes back to fifty agents at once.

use std::time::Duration;

use skybus_bus::{Subscription, Timing, Verdict, headless, testing::Broker};
use skybus_model::message::Service;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    renewals::Notes,
    stage::{consume, host, next, remove},
};

const AGENTS: usize = 50;
/// A few tries to connect for most. The queue that was declared last was not yet known to the broker's disk
/// when it died; RabbitMQ 3.10 finds no leader for such a one, and it is made anew after half a minute.
const BACK: Duration = Duration::from_secs(100);

#[tokio::test]
async fn fifty_agents_come_back_to_their_broker_and_hear_what_was_sent_meanwhile() {
    let broker = Broker::start().await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "herd", &token).await.unwrap();
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let node = host(&format!("herd-{number}"));
        let url = broker
            .join_account(Service::Compute, &node, std::slice::from_ref(&node))
            .await
            .unwrap();
        let agent = broker
            .connect(
                url,
                Service::Compute,
                node.as_str(),
                Timing::default(),
                &token,
            )
            .await;
        let queue = Subscription::commands(Service::Compute, &node);
        let hears = consume(&agent, queue, |_| Verdict::Ack);
        agents.push((node, hears));
    }
    for (node, hears) in &mut agents {
        api.send(&[remove(node)]).await.pop().unwrap().unwrap();
        next(hears).await;
    }

    let management = broker.management().unwrap();
    let mending = token.clone();
    tokio::spawn(
        async move { headless::mend(&management, &Notes::default().of("a"), mending).await },
    );

    broker.kill().await.unwrap();
    broker.restart().await.unwrap();
    let began = Instant::now();
    for (node, hears) in &mut agents {
        while let Err(error) = api.send(&[remove(node)]).await.pop().unwrap() {
            assert!(began.elapsed() < BACK, "{node}: {error}");
            sleep(Duration::from_millis(50)).await;
        }
        next(hears).await;
    }
    token.cancel();
}
