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

/// Notes in memory, each with the process that wrote it. They outlive processes, as a database does.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    open: Mutex<Vec<(&'static str, Renewal)>>,
    /// Whoever writes one dies right afterwards.
    deadly: AtomicBool,
}

impl Notes {
    /// As this process sees them, in all of its lives.
    pub(crate) const fn of(&self, who: &'static str) -> Pen<'_> {
        Pen { notes: self, who }
    }

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

/// One process's hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen<'a> {
    notes: &'a Notes,
    who: &'static str,
}

impl Ledger for Pen<'_> {
    type Error = Infallible;

    async fn begin(&self, queue: &str, shape: Shape) -> Result<Option<Renewal>, Infallible> {
        let renewal = Renewal {
            queue: queue.to_owned(),
            shape,
        };
        {
            let mut open = self.notes.open.lock().unwrap();
            if let Some((who, open)) = open.iter().find(|(_, open)| open.queue == queue) {
                return Ok(Some(open.clone()).filter(|_| *who == self.who));
            }
            open.push((self.who, renewal.clone()));
        }
        if self.notes.deadly.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Some(renewal))
    }

    async fn unfinished(&self) -> Result<Vec<Renewal>, Infallible> {
        // Whoever asks comes late enough to take over what others left.
        let mut open = self.notes.open.lock().unwrap();
        open.iter_mut().for_each(|(who, _)| *who = self.who);
        Ok(open.iter().map(|(_, renewal)| renewal.clone()).collect())
    }

    async fn finish(&self, renewal: &Renewal) -> Result<(), Infallible> {
        let mut open = self.notes.open.lock().unwrap();
        open.retain(|(who, open)| *who != self.who || open != renewal);
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
    let pen = notes.of("a");
    tokio::select! {
        done = headless::renew(management, &pen, queue) => panic!("it lived: {done:?}"),
        () = async { while notes.open() == 0 { sleep(Duration::from_millis(10)).await } } => {}
    }
    notes.deadly.store(false, Ordering::Relaxed);
}

/// Whoever comes next goes on with it, and the queue takes commands again.
async fn next_life(broker: &Broker, notes: &Notes, management: &Management, node: &HostName) {
    let (token, pen) = (CancellationToken::new(), notes.of("a"));
    tokio::select! {
        () = headless::mend(management, &pen, token.clone()) => panic!("it ended"),
        () = notes.all_finished() => {}
    }
    takes_commands(broker, node).await;
    token.cancel();
}

async fn takes_commands(broker: &Broker, node: &HostName) {
    let token = CancellationToken::new();
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
    unbind(&management, &node).await;
    next_life(broker, &notes, &management, &node).await;
}

/// As a renewal that stopped half way leaves it.
async fn unbind(management: &Management, node: &HostName) {
    let mut agent = topology::agent(Service::Compute, node, std::slice::from_ref(node));
    management.withdraw(&agent).await.unwrap();
    for queue in &mut agent.queues {
        queue.bindings.clear();
    }
    management.declare(&agent).await.unwrap();
}

/// It is without a leader again before its renewal was ended, so the looks find it.
#[tokio::test]
async fn a_queue_that_was_made_by_half_and_is_lost_again_gets_its_bindings_from_the_note() {
    let broker = Broker::shared().await.unwrap();
    let (node, queue, management) = joined(broker, "renewed-4").await;
    let notes = Notes::default();
    dies(&notes, &management, &queue).await;
    unbind(&management, &node).await;
    let again = headless::renew(&management, &notes.of("a"), &queue).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(notes.open(), 0);
    takes_commands(broker, &node).await;
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
    let (a, b) = (notes.of("a"), notes.of("b"));
    let (one, other) = tokio::join!(
        headless::renew(&management, &a, &queue),
        headless::renew(&management, &b, &queue)
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
