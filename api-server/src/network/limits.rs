//! Refusing what would go over a project's quota.

use skybus_model::id::ProjectId;
use skybus_store::{
    Tx,
    networks::quotas::{self, Resource},
};

use crate::http::Error;

/// Refuses one more of `resource` when the project has as many as it may.
pub(crate) async fn check(
    tx: &mut Tx,
    project: ProjectId,
    resource: Resource,
) -> Result<(), Error> {
    match quotas::exceeded(tx.conn(), project, resource).await? {
        None => Ok(()),
        Some((limit, used)) => Err(over(resource, limit, used)),
    }
}

/// The refusal of one more of `resource`.
pub(super) fn over(resource: Resource, limit: i64, used: i64) -> Error {
    Error::over_quota(format!(
        "Quota exceeded for resources: ['{}']. The project may have {limit} and has {used}; \
         delete some, or ask an administrator for more.",
        resource.as_str()
    ))
}
