//! A message that is ready to leave, and the outbox that it waits in.
//!
//! A row of an outbox is an [`Outgoing`]: everything that the relay needs, already encoded, so that
//! relaying never depends on the message's type. It can only be made from a typed payload.

use std::{future::Future, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Command, Context, Event, Message, notification::Notification, routing_key, type_of};
use crate::{
    HostName, Timestamp,
    id::MessageId,
    server::state::{UnknownWord, words},
};
use std::{fmt, str::FromStr};

words! {
    /// The exchanges that messages leave through.
    Exchange {
        /// Commands, to hosts and schedulers.
        Commands = "skybus.cmd",
        /// Events, from agents.
        Events = "skybus.evt",
        /// Notifications for the OpenStack ecosystem.
        Notifications = "nova",
    }
}

/// A message that is ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id; repeated sending keeps it.
    pub id: MessageId,
    /// Where it leaves through.
    pub exchange: Exchange,
    /// `compute.node-1.server.ensure`.
    pub routing_key: String,
    /// `server.ensure/1`.
    pub kind: String,
    /// JSON.
    pub body: Vec<u8>,
    /// The trace that it belongs to.
    pub context: Context,
    /// When it was made.
    pub at: Timestamp,
}

impl Outgoing {
    /// A command to the agent of one host.
    #[must_use]
    pub fn to_host<C: Command>(host: &HostName, command: &C, context: &Context) -> Self {
        Self::new(
            Exchange::Commands,
            routing_key(C::TO, Some(host), C::NAME),
            command,
            context,
        )
    }

    /// A command to whichever process of the service takes it first.
    #[must_use]
    pub fn to_any<C: Command>(command: &C, context: &Context) -> Self {
        Self::new(
            Exchange::Commands,
            routing_key(C::TO, None, C::NAME),
            command,
            context,
        )
    }

    /// An event of a host.
    #[must_use]
    pub fn event<E: Event>(host: &HostName, event: &E, context: &Context) -> Self {
        Self::new(
            Exchange::Events,
            routing_key(E::FROM, Some(host), E::NAME),
            event,
            context,
        )
    }

    /// A notification; nobody needs to be listening.
    #[must_use]
    pub fn notification(notification: &Notification, context: &Context) -> Self {
        let (id, at) = (MessageId::in_order(), Timestamp::now());
        Self {
            id,
            exchange: Exchange::Notifications,
            routing_key: "notifications.info".to_owned(),
            kind: "oslo.notification/2".to_owned(),
            body: notification.body(id, at),
            context: context.hop(),
            at,
        }
    }

    fn new<M: Message>(exchange: Exchange, key: String, message: &M, context: &Context) -> Self {
        Self {
            id: MessageId::in_order(),
            exchange,
            routing_key: key,
            kind: type_of::<M>(),
            body: encode(message),
            context: context.hop(),
            at: Timestamp::now(),
        }
    }

    /// Whether the broker must find a queue for it. Only notifications may go unheard.
    #[must_use]
    pub const fn must_be_routed(&self) -> bool {
        !matches!(self.exchange, Exchange::Notifications)
    }
}

fn encode<M: Message>(message: &M) -> Vec<u8> {
    #[allow(
        clippy::expect_used,
        reason = "messages are plain structs with string keys; serde_json cannot fail on them"
    )]
    serde_json::to_vec(message).expect("a message is plain data")
}

/// A row that was made so long after the moment that is asked for was made by a clock that has been set back
/// since. It is not left until that time has come.
pub const BY_A_WRONG_CLOCK: Duration = Duration::from_secs(60);

/// Rows that wait to be relayed: the control plane's in its database, an agent's in its journal.
pub trait Outbox: Send + Sync + 'static {
    /// Why the rows could not be read or written.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The oldest rows that have not been sent and were made before `before`, or [`BY_A_WRONG_CLOCK`].
    fn unsent(
        &self,
        before: Timestamp,
        most: u32,
    ) -> impl Future<Output = Result<Vec<Outgoing>, Self::Error>> + Send;

    /// Notes that these were routed and confirmed.
    fn sent(&self, ids: &[MessageId]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
