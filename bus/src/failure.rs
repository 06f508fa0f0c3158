//! The end of a bus: what no reconnecting can repair.

/// The bus cannot go on; the process ends with this error and its supervisor starts it anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Connections were rebuilt and still nothing comes through the process's own queue.
    #[error(
        "queue {queue} stays silent although the broker answers; does another process consume it?"
    )]
    Deaf {
        /// The queue.
        queue: String,
    },
    /// A part of the bus ended that never should: a defect.
    #[error("the {part} of the bus ended by itself; this is a defect in skybus")]
    Stopped {
        /// Which part.
        part: &'static str,
    },
    /// The broker's address cannot be read.
    #[error(
        "the broker's address is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST: {reason}"
    )]
    Address {
        /// What the parser says; never the address, which holds a password.
        reason: String,
    },
}
