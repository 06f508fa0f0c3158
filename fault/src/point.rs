//! The points, by name.

use std::{fmt, str::FromStr};

/// Makes the enum, its words, and the list of all of them.
macro_rules! points {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A place at which a process can be killed: `where.when`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Point {
            $($(#[$doc])* $name,)*
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word, as it stands in files.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

points! {
    /// The API has committed what was asked for and has not answered yet.
    ApiBeforeAnswer = "api.before-answer",
    /// A host's rows are gone, its accounts on the broker are still there.
    HostLeaving = "host.leaving",
    /// Its accounts are gone, and its row does not say so.
    HostDismissed = "host.dismissed",
    /// A machine that joins has written its key down, and has asked nobody.
    JoinKeyKept = "join.key-kept",
    /// It has been let in, and has not written down what it was told.
    JoinGranted = "join.granted",
    /// It has written it down, and nothing runs yet.
    JoinKept = "join.kept",
    /// A scheduler has claimed room on a host, in a transaction that is still open.
    SchedulerClaimed = "scheduler.claimed",
    /// A transaction of the database is about to be committed.
    StoreBeforeCommit = "store.before-commit",
    /// It has been committed; nothing of it has left yet.
    StoreAfterCommit = "store.after-commit",
    /// A message of an outbox is about to be sent.
    RelayBeforePublish = "relay.before-publish",
    /// The broker has it; its row is still there.
    RelayConfirmed = "relay.confirmed",
    /// Its row is gone.
    RelayMarked = "relay.marked",
    /// A message has been delivered and nothing was done about it.
    ConsumerDelivered = "consumer.delivered",
    /// It has been handled, and the broker does not know.
    ConsumerBeforeAck = "consumer.before-ack",
    /// The broker has been told.
    ConsumerAfterAck = "consumer.after-ack",
    /// A command is about to be written to the journal.
    JournalBeforeAccept = "journal.before-accept",
    /// It is in the journal.
    JournalAfterAccept = "journal.after-accept",
    /// A transaction of the journal is about to be committed.
    JournalBeforeCommit = "journal.before-commit",
    /// It has been committed.
    JournalAfterCommit = "journal.after-commit",
    /// A compute worker has started and has taken nothing up yet.
    ComputeStarting = "compute.starting",
    /// It has looked at a machine that may have changed by itself, and has told nobody.
    ComputeLooked = "compute.looked",
    /// A server's disk is about to be made.
    ComputeBeforeBuild = "compute.before-build",
    /// It has been made.
    ComputeAfterBuild = "compute.after-build",
    /// A machine is about to be started.
    ComputeBeforeStart = "compute.before-start",
    /// It has been started.
    ComputeAfterStart = "compute.after-start",
    /// A machine is about to be ended.
    ComputeBeforeStop = "compute.before-stop",
    /// It has been ended.
    ComputeAfterStop = "compute.after-stop",
    /// A machine that runs is about to get an interface.
    ComputeBeforePlug = "compute.before-plug",
    /// QEMU has the end of its cable, and the guest does not see the interface yet.
    ComputeCabled = "compute.cabled",
    /// The guest sees it.
    ComputeAfterPlug = "compute.after-plug",
    /// A machine that runs is about to lose an interface.
    ComputeBeforeUnplug = "compute.before-unplug",
    /// It has lost it.
    ComputeAfterUnplug = "compute.after-unplug",
    /// All of a server is about to be removed from its host.
    ComputeBeforeRemove = "compute.before-remove",
    /// It has been removed.
    ComputeAfterRemove = "compute.after-remove",
    /// A network worker has started and has taken nothing up yet.
    NetworkStarting = "network.starting",
    /// A network is about to be brought where it should be.
    NetworkBeforeConverge = "network.before-converge",
    /// Its namespace has been made, and does not bear the cloud's mark yet.
    NetworkNamespaceMade = "network.namespace-made",
    /// Its packet filter is there, its links are not.
    NetworkFiltered = "network.filtered",
    /// Its links are there, its DHCP is not.
    NetworkLinked = "network.linked",
    /// It is where it should be; the host's own part is not.
    NetworkAfterConverge = "network.after-converge",
    /// The last port has left: the network is about to be taken off the host.
    NetworkBeforeTeardown = "network.before-teardown",
    /// It is off the host; the host's own part knows it still.
    NetworkAfterTeardown = "network.after-teardown",
    /// The host is as it should be, and the journal does not know.
    NetworkConverged = "network.converged",
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPoint(String);

impl fmt::Display for UnknownPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no fault point {:?}", self.0)
    }
}

impl std::error::Error for UnknownPoint {}

impl FromStr for Point {
    type Err = UnknownPoint;

    fn from_str(word: &str) -> Result<Self, UnknownPoint> {
        let found = Self::ALL.iter().find(|point| point.as_str() == word);
        found.copied().ok_or_else(|| UnknownPoint(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_points_share_a_word() {
        for point in Point::ALL {
            assert_eq!(point.as_str().parse(), Ok(*point));
        }
        assert!("store.never".parse::<Point>().is_err());
    }
}
