//! Is this host fit? Everything that is missing is named at once, each with its remedy, before anything
//! is started.
//!
//! [`facts`] looks at the host and changes nothing; [`mod@judge`] is a plain function of what it saw.

mod facts;
mod judge;

pub use facts::Facts;
pub use judge::{Missing, judge};

use crate::{DataDir, Error, options::Options};

/// Looks and judges.
///
/// # Errors
/// [`Error::Unfit`] with a line for each thing that is missing.
pub async fn check(data: &DataDir, options: &Options, left_running: bool) -> Result<(), Error> {
    let facts = Facts::gather(data, options, left_running).await;
    let missing = judge(&facts, data, options);
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = missing.iter().map(Missing::to_string).collect();
    Err(Error::Unfit(lines.join("\n")))
}
