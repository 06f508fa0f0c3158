//! Doors for the targets in `fuzz/`: the readers of foreign bytes that nothing outside their API may call.
//! Each takes bytes or text and says what was understood, in types that a target can compare.

use http::HeaderMap;

use crate::http::{Error, Microversion, microversion};

pub use crate::{
    compute::fuzzing::{Asked, any_fits, boot, fingerprint},
    image::fuzzing::{changes, disk_size, lists, range},
    metadata::fuzzing::{PASSWORD, Sample, vouched},
    network::fuzzing::{rule, subnet},
};

/// The Compute API's version that these headers ask for.
///
/// # Errors
/// As a client would hear it.
pub fn version(headers: &HeaderMap) -> Result<Microversion, Error> {
    microversion::asked(headers)
}
