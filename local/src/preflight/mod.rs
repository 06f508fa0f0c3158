//! Is this host fit? Everything that is missing is named at once, each with its remedy, before anything
//! is started.
//!
//! [`facts`] looks at the host and changes nothing; [`mod@judge`] is a plain function of what it saw.

mod facts;
mod judge;

pub use facts::Facts;
pub use judge::{Missing, judge};

use skybus_model::machine::Role;

use crate::{
    DataDir, Error,
    joined::Host,
    options::{Options, VirtType},
    ports::loopback,
};

/// Looks and judges.
///
/// # Errors
/// [`Error::Unfit`] with a line for each thing that is missing.
pub async fn check(data: &DataDir, options: &Options, left_running: bool) -> Result<(), Error> {
    let facts = Facts::gather(data, options, left_running).await;
    tell(&judge(&facts, data, options))
}

/// The same for a machine that joins a cloud which runs elsewhere.
///
/// # Errors
/// [`Error::Unfit`] with a line for each thing that is missing.
pub async fn check_joining(data: &DataDir, host: &Host, left_running: bool) -> Result<(), Error> {
    let options = Options {
        virt_type: match host.role {
            Role::Compute => host.chosen.virt_type,
            // Nothing of what guests need.
            _ => VirtType::Fake,
        },
        // Any port: only an API server listens, and says itself what is wrong.
        listen: loopback(0),
        ..Options::default()
    };
    let mut facts = Facts::gather(data, &options, left_running).await;
    facts.broker_programs.clear();
    tell(&judge(&facts, data, &options))
}

fn tell(missing: &[Missing]) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = missing.iter().map(Missing::to_string).collect();
    Err(Error::Unfit(lines.join("\n")))
}
