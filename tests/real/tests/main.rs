//! Runs the programs against real programs of other projects, as child processes. `.ci/real` installs these and sets the
//! variables `SANSMQ_REAL_PYTHON`, `SANSMQ_REAL_ZEROMQ` and `SANSMQ_REAL_JEROMQ`; a test without its variable fails.

mod children;
mod families;
mod jupyter;
mod locust;
mod notifications;

use std::time::Duration;
use tokio::time::timeout;

type Outcome = Result<(), sansmq_real_programs::Error>;

/// Waits at most 30 seconds.
async fn soon<T>(future: impl Future<Output = T>) -> Result<T, sansmq_real_programs::Error> {
    timeout(Duration::from_secs(30), future).await.map_err(|_| "nothing happened within 30 seconds".into())
}
