//! Calls with which the Compute API once spoke of networks: floating IPs, security groups and their rules.
//!
//! They are there for old clients, in the microversions that had them, and do what the Network API does in
//! their own words. After that they are not found, as in Nova.

pub(crate) mod floating;
pub(crate) mod groups;
pub(crate) mod rules;

use http::StatusCode;

use crate::http::{Error, Microversion};

/// The last microversion that had these calls.
pub(crate) const LAST: u16 = 35;

/// Refuses a call that had ended before this microversion.
pub(crate) fn until(version: Microversion, last: u16) -> Result<(), Error> {
    if version.since(last + 1) {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            format!(
                "The resource could not be found: microversion 2.{last} was the last that had it, and this \
                 is {version}. Use the Network API."
            ),
        ));
    }
    Ok(())
}
