//! The store's failures as answers.

use super::Error;

impl From<skybus_store::Error> for Error {
    fn from(error: skybus_store::Error) -> Self {
        use skybus_store::Error as Failure;
        match error {
            Failure::NotFound(what) => {
                Self::new(http::StatusCode::NOT_FOUND, format!("there is no {what}"))
            }
            Failure::Conflict(why) => Self::conflict(why),
            passing if passing.is_passing() => {
                tracing::warn!(error = %chain(&passing), "the database did not answer in time");
                Self::unavailable(
                    1,
                    "the database is busy at this moment; try again in a second",
                )
            }
            full if full.is_disk_full() => {
                tracing::error!(error = %chain(&full), "the database's disk is full");
                Self::unavailable(
                    30,
                    "the disk that holds the cloud's records is full, so nothing was changed; an operator \
                     has to make room on it, then the same request will do",
                )
            }
            broken => Self::internal(chain(&broken)),
        }
    }
}

/// An error's text with those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
