//! Looking after operations that have been silent for too long. It takes no input but the database, so
//! "after a crash" is no special case.

use std::time::Duration;

use skybus_model::{Timestamp, clock::Moment};
use skybus_store::{
    lifecycle::{
        absence::{self, Forgiven},
        overdue::{self, Caretaker, Done},
    },
    operations::{self, Operation},
};
use tokio_util::sync::CancellationToken;

use super::{
    Engine,
    absence::{Absence, Turn},
};

const EVERY: Duration = Duration::from_secs(1);
/// How many operations are looked after in one round.
const MOST: i64 = 200;

/// Looks after operations until the token is cancelled.
///
/// # Errors
/// None so far: a database that is away is tried again.
pub async fn run(engine: &Engine, token: CancellationToken) -> anyhow::Result<()> {
    let mut absent = Absence::new(Moment::now());
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = turn(engine, &mut absent).await {
            tracing::warn!(%error, "operations cannot be looked after now");
        }
    }
}

async fn turn(engine: &Engine, absent: &mut Absence) -> skybus_store::Result<()> {
    let now = Moment::now();
    match absent.turn(engine.bus.is_well(), now) {
        // Nobody can be told anything, and nobody is to blame: what was said waits in the outbox.
        Turn::Wait(since) => absence::note(&engine.store, since, now.wall).await,
        Turn::Forgive(ahead) => {
            let forgiven = absence::clock_was_set(&engine.store, ahead, now.wall).await?;
            absent.forgiven();
            tracing::info!(?ahead, forgiven, "the clock was set; deadlines are moved");
            Ok(())
        }
        Turn::LookAfter(witness) => {
            let over = absence::over(&engine.store, witness, now.wall).await?;
            absent.ended();
            let Some(Forgiven { away, operations }) = over else {
                return round(engine).await;
            };
            // What waits in the outbox leaves first; only then does silence mean anything again.
            tracing::info!(
                ?away,
                operations,
                "messages come and go again; deadlines are moved"
            );
            Ok(())
        }
    }
}

async fn round(engine: &Engine) -> skybus_store::Result<()> {
    for operation in operations::due(&engine.store, Timestamp::now(), MOST).await? {
        match look_after(engine, &operation).await {
            Ok(Done::Nothing) => {}
            Ok(done) => {
                tracing::info!(operation = %operation.id, server = %operation.server,
                    request = operation.context.request_id, ?done, "was silent for too long");
            }
            // One that cannot be looked after holds up no other.
            Err(error) => {
                tracing::warn!(operation = %operation.id, server = %operation.server, %error,
                    "an operation cannot be looked after now");
            }
        }
    }
    Ok(())
}

async fn look_after(engine: &Engine, operation: &Operation) -> skybus_store::Result<Done> {
    let mut tx = engine.store.begin().await?;
    let caretaker = Caretaker {
        who: &engine.who,
        key: &engine.key,
    };
    let done = overdue::look_after(&mut tx, operation, caretaker).await?;
    engine.relay.push(tx.commit().await?);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use skybus_bus::testing::Broker;
    use skybus_model::server::VmState;
    use skybus_store::servers;
    use tokio::time::timeout;

    use super::*;
    use crate::engine::testing::{SOON, Stage, eventually};

    /// The host is silent because its heartbeats are held up as well.
    #[tokio::test]
    async fn under_an_alarm_of_the_brokers_no_host_is_given_up_and_afterwards_it_gets_its_time() {
        let broker = Broker::start().await.unwrap();
        let stage = Stage::begin(&broker, "reconciler").await;
        let (server, operation) = stage.building("vm").await;
        stage.test_cloud.silence(&stage.host).await;
        let mut absence = Absence::new(Moment::now());

        let little = ["set_vm_memory_high_watermark", "0.00001"];
        broker.control(&little).await.unwrap();
        // Not merely that it is not well: for a moment, a connection that is made anew is not either.
        eventually(|| stage.engine.bus.blocked()).await;
        stage.overdue(operation).await;
        // It has been away for a minute, as another API server knows.
        let now = Timestamp::now();
        let a_minute_ago = Timestamp(now.micros() - 60_000_000);
        absence::note(stage.store(), a_minute_ago, now)
            .await
            .unwrap();
        stage.test_cloud.listens(&stage.host).await;
        for _ in 0..3 {
            turn(&stage.engine, &mut absence).await.unwrap();
        }
        let held = servers::get(stage.store(), server).await.unwrap();
        assert_eq!(held.host, Some(stage.host.clone()), "it was taken away");

        let enough = ["set_vm_memory_high_watermark", "0.4"];
        broker.control(&enough).await.unwrap();
        eventually(|| stage.engine.bus.is_well()).await;
        let now = Timestamp::now();
        let forgiven = async {
            loop {
                turn(&stage.engine, &mut absence).await.unwrap();
                let wakes = stage.operation(server).await.wake_at;
                if wakes > Timestamp(0) {
                    return wakes;
                }
            }
        };
        let wakes = timeout(SOON, forgiven).await.expect("it gets its time");
        assert!(wakes.since(now) >= skybus_model::message::heartbeat::DOWN_AFTER);
        stage.test_cloud.listens(&stage.host).await;
        turn(&stage.engine, &mut absence).await.unwrap();
        let held = servers::get(stage.store(), server).await.unwrap();
        assert_eq!(held.host, Some(stage.host.clone()));

        // It had its time, and is silent still, though somebody listens.
        let given_up = async {
            loop {
                stage.overdue(operation).await;
                stage.test_cloud.listens(&stage.host).await;
                turn(&stage.engine, &mut absence).await.unwrap();
                let again = servers::get(stage.store(), server).await.unwrap();
                if again.host.is_none() {
                    return again.state.vm;
                }
            }
        };
        let vm = timeout(SOON, given_up).await.expect("it is given up");
        assert_eq!(vm, VmState::Building);
        stage.end();
    }

    #[tokio::test]
    async fn one_that_cannot_be_looked_after_holds_up_no_other() {
        let broker = Broker::shared().await.unwrap();
        let stage = Stage::begin(broker, "unreadable").await;
        let (unreadable, first) = stage.building("vm-1").await;
        let (server, second) = stage.building("vm-2").await;
        stage.overdue(first).await;
        stage.overdue(second).await;
        let mut tx = stage.store().begin().await.unwrap();
        sqlx::query("UPDATE servers SET vm_state = 'no such state' WHERE id = $1")
            .bind(unreadable.to_string())
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();

        round(&stage.engine).await.unwrap();
        assert!(stage.operation(server).await.wake_at > Timestamp::now());
        assert_eq!(stage.operation(unreadable).await.wake_at, Timestamp(0));
        stage.end();
    }
}
