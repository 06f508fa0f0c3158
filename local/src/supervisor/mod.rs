//! The supervisor: starts the broker and the roles in their order, keeps them running, ends them.
//!
//! It holds the data directory's lock as long as it lives. Killed, it leaves everything running; the next
//! one adopts what was started from the same program and files, and replaces the rest. What it adopts it
//! can watch and end, but not ask how it ended: only a parent is told that.

mod backoff;
mod board;
mod health;
mod keeper;
mod start;

use tokio::{
    select,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

pub use board::Board;
pub use health::of_role as health_of_role;
pub(crate) use health::until_well;
pub use keeper::{Keeper, Keepers};
pub(crate) use start::{ROLE_LIMIT, ROLES_END, client, tell};

use crate::{
    DataDir, Error,
    cloud::Cloud,
    joined::{self, Host},
    progress::Progress,
    state::{Phase, State},
};

/// Whose directory it is.
enum Kept {
    Cloud(Box<Cloud>),
    Host(Box<Host>),
}

impl Kept {
    fn load(data: &DataDir) -> Result<Self, Error> {
        if data.has_cloud() {
            return Cloud::load(data).map(|cloud| Self::Cloud(Box::new(cloud)));
        }
        Host::load(data).map(|host| Self::Host(Box::new(host)))
    }

    async fn start(&self, data: &DataDir, keepers: &mut Keepers) -> Result<(), Error> {
        match self {
            Self::Cloud(cloud) => start::everything(data, cloud, keepers).await,
            Self::Host(host) => joined::start::everything(data, host, keepers).await,
        }
    }

    /// Returns when there is nothing to be kept any more, whatever anybody here wants.
    async fn until_over(&self, data: &DataDir) -> Error {
        match self {
            Self::Cloud(_) => std::future::pending().await,
            Self::Host(host) => {
                joined::standing::removed(data, host.as_ref().clone()).await;
                joined::join::removed(host)
            }
        }
    }
}

/// Runs the cloud, or the machine of another cloud, in this directory until SIGTERM or SIGINT.
///
/// # Errors
/// When it could not be started; what had been started is ended again by then.
pub async fn run(data: &DataDir) -> Result<(), Error> {
    let Some(_lock) = data.lock()? else {
        Progress::Already.tell();
        return Ok(());
    };
    // Away from the terminal's session. It fails only for one who leads a session already.
    let _ = rustix::process::setsid();
    let end = end_signal()?;
    let kept = Kept::load(data)?;
    let board = Board::new(data, State::load(data));
    let mut keepers = Keepers::new(board.clone());
    board.phase(Phase::Starting);
    let mut over = std::pin::pin!(kept.until_over(data));
    let outcome = select! {
        outcome = kept.start(data, &mut keepers) => outcome,
        () = end.cancelled() => Ok(()),
        // Or it would wait for processes that nobody lets in.
        error = &mut over => Err(error),
    };
    match &outcome {
        Ok(()) if !end.is_cancelled() => {
            board.phase(Phase::Running);
            Progress::Ready.tell();
            select! {
                () = end.cancelled() => {}
                _ = over => {}
            }
        }
        Ok(()) => {}
        Err(error) => {
            tracing::error!("the cloud could not be started: {error}");
            Progress::Failed(error.to_string()).tell();
        }
    }
    board.phase(Phase::Stopping);
    keepers.stop().await;
    board.ended();
    outcome
}

fn end_signal() -> Result<CancellationToken, Error> {
    let token = CancellationToken::new();
    let mut terminate =
        signal(SignalKind::terminate()).map_err(Error::system("listening for signals"))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(Error::system("listening for signals"))?;
    let ended = token.clone();
    tokio::spawn(async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ended.cancel();
    });
    Ok(token)
}
