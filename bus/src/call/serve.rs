//! The answering side of calls.

use std::time::Duration;

use skybus_model::{HostName, id::MessageId, message::Call};
use tokio::sync::watch;
use tracing::warn;

use crate::{
    Delivery, Failed, Verdict,
    consumer::{self, Ears},
    properties,
    publisher::Parcel,
    subscription::Source,
    topology::names,
};

/// Hears one queue of calls until the process ends.
pub(crate) async fn serve<C, F, Fut>(
    ears: &Ears,
    agent: &HostName,
    hosts: &[HostName],
    handler: F,
) -> Result<(), Failed>
where
    C: Call,
    F: Fn(HostName, C) -> Fut + Send + Sync,
    Fut: Future<Output = C::Answer> + Send,
{
    let source = Source::calls(names::call_queue::<C>(agent));
    let (hears, _) = watch::channel(false);
    let (ears_ref, handler_ref) = (&ears, &handler);
    consumer::run(ears, &source, &hears, |delivery: Delivery| async move {
        let Some(host) = hosts
            .iter()
            .find(|host| delivery.host() == Some(host.as_str()))
        else {
            return Verdict::Reject("it is for a host that is not played here".to_owned());
        };
        let call = match delivery.decode::<C>() {
            Ok(call) => call,
            Err(error) => return error.into(),
        };
        let answer = handler_ref(host.clone(), call).await;
        reply::<C>(ears_ref, host, &delivery, &answer).await;
        Verdict::Ack
    })
    .await
}

async fn reply<C: Call>(ears: &Ears, host: &HostName, question: &Delivery, answer: &C::Answer) {
    let (Some(caller), Some(correlation)) = (&question.reply_to, &question.correlation) else {
        return;
    };
    let Ok(body) = serde_json::to_vec(answer) else {
        return;
    };
    let kind = format!("{}.answer/{}", C::NAME, C::VERSION);
    let envelope = properties::envelope(
        MessageId::in_order(),
        &kind,
        &question.context.hop(),
        &ears.sender,
    );
    let parcel = Parcel {
        exchange: names::REPLIES,
        routing_key: format!("{}.{host}.{caller}", C::TO),
        properties: properties::for_call(envelope, correlation, None, Duration::from_secs(10)),
        body,
    };
    if let Err(error) = ears.publisher.send_one(parcel).await {
        warn!(%error, kind, "an answer was not sent; its caller will give up");
    }
}
