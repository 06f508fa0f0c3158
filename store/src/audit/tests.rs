//! What is damaged is found, explained and mended, and found no more; a healthy cloud has no findings, and
//! what is in flight is never touched. On both engines.

mod damage;
mod guests;
mod healthy;
mod in_flight;

use skybus_model::Timestamp;

use super::{Finding, Kind, Look, Outcome, find, note, repair, take_turn};
use crate::lifecycle::tests::Story;

/// A moment from now, with the bus as it should be.
fn look() -> Look {
    after(0)
}

/// So many seconds from now.
fn after(seconds: u64) -> Look {
    Look {
        now: Timestamp::now().after(std::time::Duration::from_secs(seconds)),
        bus_is_well: true,
    }
}

impl Story {
    async fn findings(&self) -> Vec<Finding> {
        find(&self.cloud.store, &look()).await.unwrap()
    }

    /// Changes rows by hand, which the audit is there for.
    async fn by_hand(&self, sql: &'static str) {
        let mut tx = self.cloud.store.begin().await.unwrap();
        sqlx::query(sql).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// There is one finding, of this kind, whose words hold these pieces. It is repaired with this outcome.
    async fn one(&self, look: &Look, kind: Kind, pieces: &[&str]) -> Outcome {
        let findings = find(&self.cloud.store, look).await.unwrap();
        let [finding] = findings.as_slice() else {
            panic!("not one finding: {findings:#?}");
        };
        assert_eq!(finding.kind, kind, "{finding:#?}");
        let told = format!(
            "{} {} {} {}",
            finding.resource, finding.found, finding.expected, finding.repair
        );
        for piece in pieces {
            assert!(told.contains(piece), "{piece:?} is missing in {told:?}");
        }
        self.mend(finding, look).await
    }

    async fn mend(&self, finding: &Finding, look: &Look) -> Outcome {
        repair(&self.cloud.store, finding, look, &self.cloud.key)
            .await
            .unwrap()
            .0
    }

    async fn is_in_order(&self) {
        let findings = self.findings().await;
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

fn repaired(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Repaired(_)), "{outcome:?}");
}

mod turns {
    use super::*;

    async fn one_api_server_takes_the_turn(story: Story) {
        let store = &story.cloud.store;
        let day = std::time::Duration::from_secs(86_400);
        let now = Timestamp::now();
        let both = tokio::join!(take_turn(store, now, day), take_turn(store, now, day));
        let taken = [both.0.unwrap(), both.1.unwrap()];
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
        assert!(!take_turn(store, now.after(day / 2), day).await.unwrap());
        assert!(take_turn(store, now.after(day), day).await.unwrap());
        note(store, now, 3).await.unwrap();
        let last = crate::audit::last(store).await.unwrap().unwrap();
        assert_eq!((last.at, last.findings), (now, 3));
    }

    crate::lifecycle::tests::on_both! { one_api_server_takes_the_turn }
}

/// Every word, and only those, has its row in the operators' page.
#[test]
fn the_page_explains_every_kind() {
    let page = include_str!("../../../docs/audit.md");
    let explained: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(explained, words);
}
