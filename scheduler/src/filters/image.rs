//! The host can be the machine that the image says it needs.

use super::{Ask, Filter};
use crate::fleet::HostView;

/// Refuses hosts that are not what the image's properties ask for.
pub(super) struct ImageProperties;

impl Filter for ImageProperties {
    fn name(&self) -> &'static str {
        "image_properties"
    }

    fn refuse(&self, host: &HostView, ask: &Ask) -> Option<String> {
        // The older names are still in use (Glance, "useful image properties").
        let asked = |names: [&str; 2]| names.iter().find_map(|name| ask.image.get(*name));
        if let Some(machine) = asked(["hw_architecture", "architecture"])
            && machine != "x86_64"
        {
            return Some(format!("the image is for {machine}, it is x86_64"));
        }
        let kind = asked(["img_hv_type", "hypervisor_type"])?;
        let is = if host.hypervisor == "kvm" {
            ["kvm", "qemu"]
        } else {
            ["qemu", "qemu"]
        };
        (host.hypervisor != "fake" && !is.contains(&kind.as_str()))
            .then(|| format!("the image wants {kind}, it runs {}", host.hypervisor))
    }
}
