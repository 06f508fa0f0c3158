//! How a network is made, in the words of Neutron's provider extension: administrators see it, and may choose it
//! when they make one. It is never changed.

use http::StatusCode;
use serde_json::{Value, json};
use skybus_model::segment::{PhysicalNetwork, Segment, SegmentKind};
use skybus_store::{
    Tx,
    networks::{
        Network,
        network::{self, NewNetwork, default_mtu},
        segments::{
            self,
            take::{self, From, Full},
        },
    },
};

use super::{
    body::{Body, wrong},
    listing::in_words,
};
use crate::http::{Auth, Error};

const TYPE: &str = "provider:network_type";
const PHYSICAL: &str = "provider:physical_network";
const NUMBER: &str = "provider:segmentation_id";

/// What carries a new network.
#[derive(Debug)]
pub(super) enum Wish {
    /// This very segment.
    This(Segment),
    /// A free one of a range.
    Free(From),
}

/// The three attributes of a network. To the outside the host's own wire is given; so it is flat.
pub(super) fn view(network: &Network) -> [(&'static str, Value); 3] {
    let kind = match network.external {
        true => SegmentKind::Flat,
        false => network.segment.kind(),
    };
    [
        (TYPE, json!(kind)),
        (PHYSICAL, json!(network.segment.physical())),
        (NUMBER, json!(network.segment.number())),
    ]
}

/// Takes the three attributes of a new network.
pub(super) fn wish(body: &mut Body, auth: &Auth) -> Result<Wish, Error> {
    let given = [TYPE, PHYSICAL, NUMBER].map(|key| body.is_given(key));
    if given.contains(&true) && !auth.is_admin() {
        return Err(Error::forbidden(format!(
            "only an administrator can choose what carries a network; leave {TYPE}, {PHYSICAL} and \
             {NUMBER} out"
        )));
    }
    let (kind, physical, number) = (
        body.value(TYPE).filter(|value| !value.is_null()),
        body.word::<PhysicalNetwork>(PHYSICAL)?,
        body.number(NUMBER)?,
    );
    let Some(kind) = kind else {
        return match given {
            [false, false, false] => Ok(Wish::Free(From::default())),
            _ => Err(invalid(format!("{TYPE} is needed beside the others"))),
        };
    };
    let word = kind.as_str().and_then(|word| word.parse().ok());
    let word = word.ok_or_else(|| wrong(TYPE, &kind, "it must be local, flat, vlan or vxlan"))?;
    fitting(word, physical, number)
}

/// What is asked for, if it fits the kind.
fn fitting(
    kind: SegmentKind,
    physical: Option<PhysicalNetwork>,
    number: Option<i64>,
) -> Result<Wish, Error> {
    let has_physical = matches!(kind, SegmentKind::Flat | SegmentKind::Vlan);
    let has_number = matches!(kind, SegmentKind::Vlan | SegmentKind::Vxlan);
    if physical.is_some() && !has_physical {
        return Err(invalid(format!(
            "{PHYSICAL} cannot be given for a {kind} network"
        )));
    }
    if number.is_some() && !has_number {
        return Err(invalid(format!(
            "{NUMBER} cannot be given for a {kind} network"
        )));
    }
    let needs = |what| invalid(format!("{what} is needed for a {kind} network"));
    match (number, &physical) {
        (None, _) if has_number => Ok(Wish::Free(From {
            kind: Some(kind),
            physical,
        })),
        (_, None) if has_physical => Err(needs(PHYSICAL)),
        _ => {
            let name = physical.as_ref().map_or("", PhysicalNetwork::as_str);
            let segment = segments::of_parts(kind, name, number.unwrap_or_default());
            segment.map(Wish::This).map_err(invalid)
        }
    }
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::bad_request(format!("Invalid input for operation: {why}.")).named("InvalidInput")
}

/// Makes the network on the segment that was wished for.
pub(super) async fn make(
    tx: &mut Tx,
    auth: &Auth,
    new: NewNetwork,
    wish: Wish,
) -> Result<Network, Error> {
    let asked = new.mtu;
    let network = match wish {
        Wish::This(segment) => {
            let word = match segment.kind() {
                SegmentKind::Local | SegmentKind::Flat => "FlatNetworkInUse",
                SegmentKind::Vlan => "VlanIdInUse",
                SegmentKind::Vxlan => "TunnelIdInUse",
            };
            network::create(tx, NewNetwork { segment, ..new })
                .await
                .map_err(|error| in_words(error, word))?
        }
        Wish::Free(from) => take::create(tx, new, &from)
            .await?
            .map_err(|full| none_free(auth, &full))?,
    };
    let most = default_mtu(&network.segment);
    if network.segment.overhead() > 0 && asked.is_some_and(|mtu| mtu > most) {
        let why = format!(
            "a {} network carries at most {most}",
            network.segment.kind()
        );
        return Err(wrong("mtu", &json!(asked), why));
    }
    Ok(network)
}

/// Which ranges there are is the operators' business.
fn none_free(auth: &Auth, full: &Full) -> Error {
    tracing::warn!("no network can be made: {full}");
    let why = if auth.is_admin() {
        format!("{full}; widen a range, or make another one")
    } else {
        "an administrator can make room for more; until then, delete networks or use others"
            .to_owned()
    };
    let text = format!(
        "Unable to create the network. No tenant network is available for allocation: {why}."
    );
    Error::new(StatusCode::SERVICE_UNAVAILABLE, text).named("NoNetworkAvailable")
}

/// Takes the three attributes of a network that is there, which it keeps.
pub(super) fn keep(body: &mut Body, auth: &Auth, network: &Network) -> Result<(), Error> {
    for (key, is) in view(network) {
        let Some(wanted) = body.value(key).filter(|value| !value.is_null()) else {
            continue;
        };
        if !auth.is_admin() || wanted != is {
            return Err(invalid(format!(
                "{key} cannot be changed, a network keeps what carries it; make another network"
            )));
        }
    }
    Ok(())
}
