//! The table at the end of a campaign.

use std::fmt::Write;

use super::End;
use crate::truth::{Finding, Wrong};

/// What a series of rounds came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// What was done.
    pub deed: String,
    /// How many pairs of role and point it comes to.
    pub points: usize,
    /// How many processes were killed.
    pub killed: usize,
    /// Points that were not come to a second time.
    pub missed: Vec<String>,
    /// Servers that ended in ERROR with a reason.
    pub errors: Vec<String>,
    /// What should not be.
    pub findings: Vec<Finding>,
}

impl Row {
    /// Nothing yet.
    #[must_use]
    pub fn of(deed: String, points: usize) -> Self {
        Self {
            deed,
            points,
            ..Self::default()
        }
    }

    /// An operation ended.
    pub fn end(&mut self, name: &str, end: End) {
        let (wrong, text) = match end {
            End::AsAsked => return,
            End::Error(why) => return self.errors.push(format!("{name}: {why}")),
            End::Lost(how) => (Wrong::Lost, how),
            End::Stuck(how) => (Wrong::Stuck, how),
        };
        let text = format!("{name}: {text}");
        self.findings.push(Finding { wrong, text });
    }

    /// Adds another cloud's part of the same series.
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.killed += other.killed;
        self.missed.extend(other.missed);
        self.errors.extend(other.errors);
        self.findings.extend(other.findings);
    }

    fn count(&self, wrong: Wrong) -> usize {
        let all = self.findings.iter();
        all.filter(|finding| finding.wrong == wrong).count()
    }
}

/// The table, and below it whatever needs a word.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "operation        | points | killed | missed | ERROR | lost | doubled | leaked | stuck\n",
    );
    let mut all = Row::of("all".to_owned(), 0);
    for row in rows {
        all.add(row.clone());
        line(&mut text, row);
    }
    line(&mut text, &all);
    for missed in &all.missed {
        let _ = writeln!(text, "not come to again: {missed}");
    }
    for error in &all.errors {
        let _ = writeln!(text, "in ERROR: {error}");
    }
    for finding in &all.findings {
        let _ = writeln!(text, "{finding}");
    }
    text
}

fn line(text: &mut String, row: &Row) {
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{:16} | {:6} | {:6} | {:6} | {:5} | {:4} | {:7} | {:6} | {:5}",
        row.deed,
        row.points,
        row.killed,
        row.missed.len(),
        row.errors.len(),
        row.count(Wrong::Lost),
        row.count(Wrong::Doubled),
        row.count(Wrong::Leaked),
        row.count(Wrong::Stuck)
    );
}
