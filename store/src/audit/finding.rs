//! What an audit finds: the kind, the thing, and the words that explain it.

use std::fmt;

use skybus_model::{
    HostName, Timestamp,
    id::{FloatingIpId, ImageId, OperationId, PortId, ServerId},
};

use crate::compute::quotas;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $why:literal;)*) => {
        /// What kind of thing does not fit. `docs/audit.md` explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, in the order in which they are looked for.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its word, which stays the same.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// How it most likely came about.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why,)* }
            }
        }
    };
}

kinds! {
    /// What a host's row says is claimed differs from its servers.
    ClaimDrift = "claim-drift",
        "rows were changed by hand, or by a defect: a claim and its server change in one transaction";
    /// What a project or user is said to use differs from what it has.
    QuotaDrift = "quota-drift",
        "rows were changed by hand, or by a defect: use and the thing itself change in one transaction";
    /// A port holds an address for a server that is gone.
    PortWithoutServer = "port-without-server",
        "the delete ended before the server's host had let go of the port, or the server's row was removed by hand";
    /// A port is served by another host than its server.
    PortElsewhere = "port-elsewhere",
        "rows were changed by hand, or by a defect: a server and its ports move in one transaction";
    /// A floating IP leads to a port that is not there.
    FloatingIpAstray = "floating-ip-astray",
        "the port's row was removed by hand: what leads to a port is taken away in the transaction that removes it";
    /// A server has fewer ports than it was accepted with.
    ServerWithoutPort = "server-without-port",
        "the port's row was removed by hand: the API removes no port that a server uses";
    /// An operation is open although nothing is being done to its server.
    OperationWithoutTask = "operation-without-task",
        "rows were changed by hand, or by a defect: a server settles and its operation ends in one transaction";
    /// Something is being done to a server, and no operation remembers it.
    TaskWithoutOperation = "task-without-operation",
        "rows were changed by hand, or by a defect; nobody looks after this server, so it would stay so for ever";
    /// An operation is long past its deadline.
    OperationOverdue = "operation-overdue",
        "a delete's host is up and does not answer; anything else ends by itself at its deadline, unless no API \
         server's reconciler runs or a clock was far ahead";
    /// A message has waited for very long although the broker is there.
    MessageWaits = "message-waits",
        "its receiver's queue is missing or full, or the row cannot be read";
    /// An image waits for an upload that nobody makes.
    UploadDead = "upload-dead",
        "the API server that took the upload died, and no API server's image sweep runs";
    /// A host runs a machine that has no row.
    GuestUnknown = "guest-unknown",
        "the database was restored from a backup, or the machine is another cloud's; its ports were taken away \
         when the host showed them, so it reaches nothing";
    /// A host does not have a machine that it should have.
    GuestMissing = "guest-missing",
        "its host lost it and, although told with each inventory, neither makes it nor says why not";
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The thing that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A host.
    Host(HostName),
    /// What a project, or a user, uses of something.
    Usage(String, quotas::Resource),
    /// A port.
    Port(PortId),
    /// A floating IP.
    FloatingIp(FloatingIpId),
    /// A server.
    Server(ServerId),
    /// An operation of a server.
    Operation(OperationId, ServerId),
    /// Messages of one routing key.
    Messages(String),
    /// An image.
    Image(ImageId),
    /// A machine on a host.
    Guest(HostName, ServerId),
}

impl Resource {
    /// What sort of thing it is.
    #[must_use]
    pub const fn sort(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Usage(..) => "usage",
            Self::Port(_) => "port",
            Self::FloatingIp(_) => "floating-ip",
            Self::Server(_) => "server",
            Self::Operation(..) => "operation",
            Self::Messages(_) => "messages",
            Self::Image(_) => "image",
            Self::Guest(..) => "guest",
        }
    }

    /// Which one.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Host(host) => host.to_string(),
            Self::Usage(holder, resource) => format!("{resource} of {holder}"),
            Self::Port(id) => id.to_string(),
            Self::FloatingIp(id) => id.to_string(),
            Self::Server(id) => id.to_string(),
            Self::Operation(id, _) => id.to_string(),
            Self::Messages(key) => key.clone(),
            Self::Image(id) => id.to_string(),
            Self::Guest(host, server) => format!("{server} on {host}"),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sort(), self.id())
    }
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: Kind,
    /// Of what.
    pub resource: Resource,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// What a repair would do.
    pub repair: String,
}

/// What a repair led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was mended, or somebody who must do it was told.
    Repaired(String),
    /// When it was looked at under its lock, it was in order.
    Gone,
    /// It is as it was, and why.
    Left(String),
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Repaired(_) => "repaired",
            Self::Gone => "gone",
            Self::Left(_) => "left",
        }
    }

    /// What was done, or why not.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Repaired(text) | Self::Left(text) => text,
            Self::Gone => "it was in order when it was looked at again",
        }
    }
}

/// From where an audit looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub now: Timestamp,
    /// Whether messages have been able to leave for a while. Where they have not, waiting says nothing.
    pub bus_is_well: bool,
}

impl Look {
    /// The moment that was `ago`, as a column has it.
    pub(super) fn before(&self, ago: std::time::Duration) -> i64 {
        let ago = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        self.now.micros().saturating_sub(ago)
    }
}

/// How long ago `then` was, in words.
pub(super) fn age(look: &Look, then: Timestamp) -> String {
    let seconds = look.now.since(then).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
