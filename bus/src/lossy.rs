//! What may be lost: heartbeats and notifications leave on a channel of their own, without confirms.
//!
//! An exchange that the ecosystem made and a restart of the broker took away closes that channel only.

use std::sync::Arc;

use lapin::{Channel, options::BasicPublishOptions};
use tokio::sync::Mutex;

use crate::{
    SendError,
    link::{Link, Wire},
    properties::short,
    publisher::Parcel,
};

pub(crate) struct Lossy {
    link: Link,
    open: Mutex<Option<(Arc<Wire>, Channel)>>,
}

impl Lossy {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            open: Mutex::default(),
        }
    }

    /// `Ok` means that it left.
    pub(crate) async fn send(&self, parcel: Parcel) -> Result<(), SendError> {
        // Heartbeats of an hour that is over are of no use to anybody.
        let wire = self.link.ready()?;
        let broken = |reason| SendError::Broken { reason };
        let mut open = self.open.lock().await;
        let (wire, channel) = match open.take() {
            Some((wire, channel)) if !wire.is_broken() && channel.status().connected() => {
                (wire, channel)
            }
            _ => {
                let channel = wire.connection.create_channel();
                let channel = wire.ask("open a channel", channel).await.map_err(broken)?;
                (wire, channel)
            }
        };
        let publish = channel.basic_publish(
            parcel.exchange.into(),
            short(&parcel.routing_key),
            BasicPublishOptions::default(),
            &parcel.body,
            parcel.properties,
        );
        wire.ask("publish", publish).await.map_err(broken)?;
        *open = Some((wire, channel));
        Ok(())
    }
}
