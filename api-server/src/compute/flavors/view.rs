//! How a flavor is shown.

use serde_json::{Value, json};
use skybus_store::compute::flavors::Flavor;

use crate::compute::servers::Lens;

/// In short.
pub(super) fn brief(lens: &Lens, flavor: &Flavor) -> Value {
    let mut shown = json!({
        "id": flavor.id,
        "name": flavor.name,
        "links": lens.links("flavors", &flavor.id),
    });
    if lens.version.since(55) {
        shown["description"] = json!(flavor.description);
    }
    shown
}

/// In full.
pub(super) fn full(lens: &Lens, flavor: &Flavor) -> Value {
    let mut shown = brief(lens, flavor);
    // Before 2.75 "no swap" was written as an empty text.
    let no_swap = if lens.version.since(75) {
        json!(0)
    } else {
        json!("")
    };
    let more = json!({
        "vcpus": flavor.resources.vcpus,
        "ram": flavor.resources.ram_mib,
        "disk": flavor.resources.disk_gib,
        "swap": no_swap,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": false,
        "os-flavor-access:is_public": flavor.is_public,
        "rxtx_factor": 1.0,
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    if lens.version.since(61) {
        shown["extra_specs"] = json!(flavor.extra_specs);
    }
    shown
}
