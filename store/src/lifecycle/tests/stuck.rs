//! Stuck never: every state that passes ends, whoever fell silent.
//!
//! Each case puts a server into one state that passes, with the operation that can be in it. Then what should
//! answer is cut, and time goes by, ten seconds at a time, with nobody acting but the reconciler (and, where the
//! cut leaves one, a scheduler). What must come of it is said by [`cases::expected`]. The cases are made by `match`
//! over the states, kinds and steps: a new one that has no case here does not compile.

mod cases;

use std::time::Duration;

use skybus_model::{
    Timestamp,
    id::{OperationId, ServerId},
    operation::{OperationKind, Step},
    server::{Power, Restart, ServerState, Task, VmState},
};

use super::{Story, on_both};
use crate::{
    compute::quotas,
    hosts,
    lifecycle::overdue,
    operations,
    servers::{self, Server},
    testing::SMALL,
};
use cases::{Case, Cut, End, cases, expected};

on_both! {
    a_host_that_never_answers
    a_host_that_is_down
    a_host_that_an_operator_declared_down
    a_cloud_without_schedulers
    a_cloud_whose_hosts_are_all_down
    a_host_whose_network_worker_is_down
    the_cases_are_all_there_are
}

const STEP: Duration = Duration::from_secs(10);

impl Story {
    /// A server in this state, on host `a` where the step says so.
    async fn put(&mut self, case: Case, number: usize) -> (ServerId, OperationId) {
        let (server, mut open) = self.cloud.boot(&format!("vm{number}")).await;
        let host = self.a.clone();
        if case.step == Step::OnHost {
            self.place(server, open, &host).await;
        }
        let mut tx = self.cloud.store.begin().await.unwrap();
        let mut row = servers::load(&mut tx, server).await.unwrap();
        row.state = case.state;
        if case.state.vm == VmState::Deleted {
            hosts::release(&mut tx, &host, SMALL).await.unwrap();
            quotas::give_back_server(&mut tx, row.project, SMALL)
                .await
                .unwrap();
            row.deleted_at = Some(Timestamp::now());
        }
        servers::save(&mut tx, &row).await.unwrap();
        if case.kind != OperationKind::Boot {
            let mut boot = operations::load(&mut tx, open).await.unwrap();
            boot.end(Step::Done, None);
            operations::save(&mut tx, &boot).await.unwrap();
            open = other(&mut tx, &row, case).await;
        }
        tx.commit().await.unwrap();
        (server, open)
    }

    /// Time goes by: everything that was written is so much longer ago.
    async fn later(&self, cut: Cut) {
        let by = i64::try_from(STEP.as_micros()).unwrap();
        let mut tx = self.cloud.store.begin().await.unwrap();
        for sql in [
            "UPDATE operations SET wake_at = wake_at - $1, deadline = deadline - $1 \
             WHERE ended_at IS NULL",
            "UPDATE services SET last_seen = last_seen - $1",
        ] {
            sqlx::query(sql).bind(by).execute(tx.conn()).await.unwrap();
        }
        let beats = match cut {
            Cut::Answers | Cut::Declared => "UPDATE services SET last_seen = $1",
            Cut::AllHosts => "UPDATE services SET last_seen = $1 WHERE service = 'scheduler'",
            Cut::Network => {
                "UPDATE services SET last_seen = $1 WHERE host <> 'a' OR service <> 'network'"
            }
            Cut::Host => {
                "UPDATE services SET last_seen = $1 WHERE host <> 'a' OR service = 'scheduler'"
            }
            Cut::Schedulers => {
                "UPDATE services SET last_seen = $1 WHERE service <> 'scheduler' AND host = 'none'"
            }
        };
        let now = Timestamp::now().micros();
        sqlx::query(beats)
            .bind(now)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// What the reconciler of an API server does, once.
    async fn reconcile(&self) {
        let store = &self.cloud.store;
        for due in operations::due(store, Timestamp::now(), 1000)
            .await
            .unwrap()
        {
            let mut tx = store.begin().await.unwrap();
            overdue::look_after(&mut tx, &due, self.cloud.caretaker())
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Schedulers and host `b` do what they are asked for.
    async fn others_work(&mut self, servers: &[(ServerId, OperationId)]) {
        for (server, operation) in servers {
            let row = self.server(*server).await;
            let host = self.b.clone();
            if row.state.task == Some(Task::Scheduling) {
                self.place(*server, *operation, &host).await;
            } else if row.host.as_ref() == Some(&host) && row.state.task.is_some() {
                self.report(*server, &host, Power::Running).await;
            }
        }
    }

    /// The compute worker of host `a` removes what is to be removed.
    async fn compute_removes(&mut self, servers: &[(ServerId, OperationId)]) {
        for (server, _) in servers {
            if self.server(*server).await.state.task == Some(Task::Deleting) {
                let host = self.a.clone();
                self.report(*server, &host, Power::Absent).await;
            }
        }
    }

    /// Cuts what should answer, and lets time go by until the last deadline has passed and a little more.
    async fn cut(mut self, cut: Cut) {
        self.make_room().await;
        let mut cases = Vec::new();
        for (number, case) in self::cases::cases().into_iter().enumerate() {
            cases.push((case, self.put(case, number).await));
        }
        if cut == Cut::Declared {
            self.by_operator("UPDATE services SET forced_down = 1 WHERE host = 'a'")
                .await;
        }
        let servers: Vec<_> = cases.iter().map(|(_, ids)| *ids).collect();
        let longest = OperationKind::ALL
            .iter()
            .map(|kind| kind.deadline())
            .max()
            .unwrap();
        let mut gone_by = Duration::ZERO;
        while gone_by <= longest + allowance(OperationKind::Boot) {
            self.later(cut).await;
            gone_by += STEP;
            self.reconcile().await;
            if matches!(cut, Cut::Host | Cut::Declared) {
                self.others_work(&servers).await;
            }
            if cut == Cut::Network {
                self.compute_removes(&servers).await;
            }
            for (case, (server, operation)) in &cases {
                if gone_by > case.kind.deadline() + allowance(case.kind) {
                    self.has_ended(*case, cut, (*server, *operation)).await;
                }
            }
        }
        self.deletes_end_when_their_host_is_down(&cases, cut).await;
    }

    async fn has_ended(&self, case: Case, cut: Cut, (id, operation): (ServerId, OperationId)) {
        let row = self.server(id).await;
        let open = self.operations(id).await;
        let open = open.iter().find(|one| one.id == operation).unwrap();
        let told = format!("{case:?} with {cut:?} cut: {row:#?} {open:#?}");
        let end = expected(case, cut);
        assert_eq!(open.step.ended(), end != End::StillAsked, "{told}");
        match end {
            End::Fault(code) => {
                assert_eq!(row.state, ServerState::settled(VmState::Error), "{told}");
                let fault = row.fault.as_ref().unwrap();
                assert_eq!(fault.code, code, "{told}");
                assert!(fault.message.len() > 40, "it says what to do: {told}");
            }
            End::AsBefore(code) => {
                assert_eq!(row.state, ServerState::settled(case.state.vm), "{told}");
                let fault = open.fault.as_ref().unwrap();
                assert_eq!(fault.code, code, "{told}");
                assert!(fault.message.len() > 40, "it says what to do: {told}");
            }
            End::Elsewhere => {
                assert_eq!(row.state, ServerState::settled(VmState::Active), "{told}");
                assert_eq!(row.host.as_ref(), Some(&self.b), "{told}");
            }
            End::Gone => self.is_gone(&row, &told).await,
            End::StillAsked => {
                let patience = case.kind.patience().mul_f64(1.5) + STEP;
                assert!(open.wake_at <= Timestamp::now().after(patience), "{told}");
                let deleting = row.state.task == Some(Task::Deleting);
                assert!(deleting || row.state.vm == VmState::Deleted, "{told}");
            }
        }
    }

    async fn is_gone(&self, row: &Server, told: &str) {
        assert_eq!(row.state, ServerState::settled(VmState::Deleted), "{told}");
        assert!(
            self.ports(row.id).await.is_empty(),
            "an address is held: {told}"
        );
        for operation in self.operations(row.id).await {
            assert!(operation.step.ended(), "{operation:#?}");
        }
    }

    /// A delete that could not end does as soon as its host is known to be down.
    async fn deletes_end_when_their_host_is_down(
        &self,
        cases: &[(Case, (ServerId, OperationId))],
        cut: Cut,
    ) {
        for _ in 0..6 {
            self.later(Cut::Host).await;
            self.by_operator(
                "UPDATE services SET last_seen = 0 WHERE host = 'a' AND service <> 'scheduler'",
            )
            .await;
            self.reconcile().await;
        }
        for (case, (server, _)) in cases {
            if case.kind == OperationKind::Delete {
                let row = self.server(*server).await;
                self.is_gone(&row, &format!("{case:?} after {cut:?} was cut"))
                    .await;
            }
        }
        let findings = crate::audit::find(&self.cloud.store, &here())
            .await
            .unwrap();
        assert!(findings.is_empty(), "all is released: {findings:#?}");
    }

    async fn make_room(&self) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        for resource in [
            quotas::Resource::Instances,
            quotas::Resource::Cores,
            quotas::Resource::Ram,
        ] {
            quotas::set_limit(&mut tx, self.cloud.project, resource, quotas::UNLIMITED)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        self.by_operator("UPDATE hosts SET vcpus = 1000, ram_mib = 1000000, disk_gib = 10000")
            .await;
    }

    async fn by_operator(&self, sql: &'static str) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        sqlx::query(sql).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn here() -> crate::audit::Look {
    crate::audit::Look {
        now: Timestamp::now(),
        bus_is_well: true,
    }
}

/// How long after its deadline an operation is looked after at the latest.
fn allowance(kind: OperationKind) -> Duration {
    kind.patience().mul_f64(1.5) + STEP
}

async fn other(tx: &mut crate::Tx, server: &Server, case: Case) -> OperationId {
    let whose = (server.id, server.project, server.owner);
    let context = skybus_model::message::Context::begin();
    let mut operation =
        operations::Operation::begin(case.kind, case.step, whose, server.generation, context);
    operation.restart = match case.state.task {
        Some(Task::Rebooting) => Some(Restart::Soft),
        Some(Task::RebootingHard) => Some(Restart::Hard),
        _ => None,
    };
    operation.host.clone_from(&server.host);
    operations::insert(tx, &operation).await.unwrap();
    operation.id
}

async fn a_host_that_never_answers(story: Story) {
    story.cut(Cut::Answers).await;
}

async fn a_host_that_is_down(story: Story) {
    story.cut(Cut::Host).await;
}

async fn a_host_that_an_operator_declared_down(story: Story) {
    story.cut(Cut::Declared).await;
}

async fn a_cloud_without_schedulers(story: Story) {
    story.cut(Cut::Schedulers).await;
}

async fn a_cloud_whose_hosts_are_all_down(story: Story) {
    story.cut(Cut::AllHosts).await;
}

async fn a_host_whose_network_worker_is_down(story: Story) {
    story.cut(Cut::Network).await;
}

/// No kind, no step that is open, no task and no accepted wish is without a case.
async fn the_cases_are_all_there_are(_: Story) {
    use skybus_model::server::{Request, transition};
    let cases = cases();
    for kind in OperationKind::ALL {
        assert!(cases.iter().any(|case| case.kind == *kind), "{kind}");
    }
    for step in Step::ALL {
        let covered = cases.iter().any(|case| case.step == *step);
        assert_eq!(covered, !step.ended(), "{step}");
    }
    for vm in VmState::ALL {
        let tasks = Task::ALL.iter().map(|task| Some(*task));
        for task in tasks.chain([None]) {
            for request in Request::ALL {
                let state = ServerState { vm: *vm, task };
                let reachable = task.is_none() || cases.iter().any(|case| case.state == state);
                if let (true, Ok(accepted)) = (reachable, transition::accept(state, request)) {
                    let covered = cases.iter().any(|case| case.state == accepted);
                    assert!(covered, "{request:?} from {state:?} leads to {accepted:?}");
                }
            }
        }
    }
    for task in Task::ALL {
        assert!(cases.iter().any(|case| case.state.task == Some(*task)));
    }
}
