//! A queue is made anew, and whoever does it dies in between.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use skybus_bus::{
    SendError,
    accounts::Management,
    headless::{self, Ledger, Renewal, Shape},
    testing::Broker,
    topology,
};
use skybus_model::{HostName, message::Service};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::stage::{SOON, host, remove};

/// Notes in memory. They outlive the processes that write them, as a database does.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    open: Mutex<Vec<Renewal>>,
    /// Whoever writes one dies right afterwards.
    deadly: AtomicBool,
}

impl Notes {
    fn open(&self) -> usize {
        self.open.lock().unwrap().len()
    }

    async fn all_finished(&self) {
        let done = async {
            while self.open() > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, done).await.expect("nobody goes on with it");
    }
}

impl Ledger for Notes {
    type Error = Infallible;

    async fn begin(&self, queue: &str, shape: Shape) -> Result<Option<Renewal>, Infallible> {
        let renewal = Renewal {
            queue: queue.to_owned(),
            shape,
        };
        {
            let mut open = self.open.lock().unwrap();
            if open.iter().any(|open| open.queue == queue) {
                return Ok(None);
            }
            open.push(renewal.clone());
        }
        if self.deadly.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Some(renewal))
    }

    async fn unfinished(&self) -> Result<Vec<Renewal>, Infallible> {
        Ok(self.open.lock().unwrap().clone())
    }

    async fn finish(&self, renewal: &Renewal) -> Result<(), Infallible> {
        self.open.lock().unwrap().retain(|open| open != renewal);
        Ok(())
    }
}

/// A host that has joined, and its queue.
async fn joined(broker: &Broker, name: &str) -> (HostName, String, Management) {
    let node = host(name);
    broker
        .join_account(Service::Compute, &node, std::slice::from_ref(&node))
        .await
        .unwrap();
    let queue = topology::names::command_queue(Service::Compute, &node);
    (node, queue, broker.management().unwrap())
}

/// Dies after it has written down that it is about to remove the queue.
async fn dies(notes: &Notes, management: &Management, queue: &str) {
    notes.deadly.store(true, Ordering::Relaxed);
    tokio::select! {
        done = headless::renew(management, notes, queue) => panic!("it lived: {done:?}"),
        () = async { while notes.open() == 0 { sleep(Duration::from_millis(10)).await } } => {}
    }
    notes.deadly.store(false, Ordering::Relaxed);
}

/// Whoever comes next goes on with it, and the queue takes commands again.
async fn next_life(broker: &Broker, notes: &Notes, management: &Management, node: &HostName) {
    let token = CancellationToken::new();
    tokio::select! {
        () = headless::mend(management, notes, token.clone()) => panic!("it ended"),
        () = notes.all_finished() => {}
    }
    let api = broker
        .bus(Service::Api, node.as_str(), &token)
        .await
        .unwrap();
    assert_eq!(api.send(&[remove(node)]).await, [Ok(())]);
    token.cancel();
}

#[tokio::test]
async fn a_queue_that_was_removed_and_not_made_again_is_made_by_the_next_process() {
    let broker = Broker::shared().await.unwrap();
    let (node, queue, management) = joined(broker, "renewed-1").await;
    let notes = Notes::default();
    dies(&notes, &management, &queue).await;
    let agent = topology::agent(Service::Compute, &node, std::slice::from_ref(&node));
    management.withdraw(&agent).await.unwrap();
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "renewed", &token).await.unwrap();
    let sent = api.send(&[remove(&node)]).await.pop().unwrap();
    assert!(
        matches!(sent, Err(SendError::Unroutable { .. })),
        "{sent:?}"
    );
    token.cancel();
    next_life(broker, &notes, &management, &node).await;
}

#[tokio::test]
async fn a_queue_that_was_made_again_and_not_bound_is_bound_by_the_next_process() {
    let broker = Broker::shared().await.unwrap();
    let (node, queue, management) = joined(broker, "renewed-2").await;
    let notes = Notes::default();
    dies(&notes, &management, &queue).await;
    let mut agent = topology::agent(Service::Compute, &node, std::slice::from_ref(&node));
    management.withdraw(&agent).await.unwrap();
    for queue in &mut agent.queues {
        queue.bindings.clear();
    }
    management.declare(&agent).await.unwrap();
    next_life(broker, &notes, &management, &node).await;
}

#[tokio::test]
async fn a_queue_is_removed_only_after_that_was_written_down_and_is_as_it_was_afterwards() {
    let broker = Broker::shared().await.unwrap();
    let (node, queue, management) = joined(broker, "renewed-3").await;
    let token = CancellationToken::new();
    let api = broker.bus(Service::Api, "renewed-3", &token).await.unwrap();
    let notes = Notes::default();
    dies(&notes, &management, &queue).await;
    assert_eq!(
        api.send(&[remove(&node)]).await,
        [Ok(())],
        "it is there still"
    );
    notes.open.lock().unwrap().clear();

    // Two at once: one of them does it.
    let (one, other) = tokio::join!(
        headless::renew(&management, &notes, &queue),
        headless::renew(&management, &notes, &queue)
    );
    // The other may have found the queue removed: then it has written nothing down.
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    next_life(broker, &notes, &management, &node).await;
    // The same arguments: declaring it as ever is no conflict.
    let again = topology::agent(Service::Compute, &node, std::slice::from_ref(&node));
    topology::declare(&broker.admin_url(), &again)
        .await
        .unwrap();
    token.cancel();
}
