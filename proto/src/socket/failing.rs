//! [`FailingDials`]: the dials of a socket that are failing, each with the reason of its latest failure.

use crate::address::Endpoint;
use crate::connection::ConnectionError;
use crate::socket::id::PipeId;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// Dial (one `connect`) without a connection, after its latest attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailingDial {
    /// Id of the pipe, which holds the message queues of this peer.
    pub pipe: PipeId,
    /// Endpoint that was given to `connect`.
    pub endpoint: Endpoint,
    /// Reason why the latest attempt failed. If the network failed before the connection was made, the reason is
    /// [`ConnectionError::Network`].
    pub reason: Arc<ConnectionError>,
    /// Number of attempts that failed since the last finished handshake, or since `connect`.
    pub attempts: u32,
}

/// List of the failing dials of a socket at one instant; cheap to clone. Its text names the endpoint and the reason of
/// each dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailingDials(Arc<[FailingDial]>);

impl FailingDials {
    /// Returns true if time can cure the failure of at least one of these dials, or if the list is empty; see
    /// [`ConnectionError::is_temporary`].
    pub fn is_temporary(&self) -> bool {
        self.is_empty() || self.iter().any(|dial| dial.reason.is_temporary())
    }
}

impl Deref for FailingDials {
    type Target = [FailingDial];

    fn deref(&self) -> &[FailingDial] {
        &self.0
    }
}

impl From<Vec<FailingDial>> for FailingDials {
    fn from(dials: Vec<FailingDial>) -> Self {
        Self(dials.into())
    }
}

impl fmt::Display for FailingDials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A socket may dial thousands of endpoints.
        const SHOWN: usize = 4;
        if self.is_empty() {
            return f.write_str("no attempt to connect has failed");
        }
        for (number, FailingDial { endpoint, reason, attempts, .. }) in self.iter().take(SHOWN).enumerate() {
            f.write_str(if number == 0 { "" } else { "; " })?;
            write_failure(f, endpoint, reason, *attempts)?;
        }
        match self.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Writes the text of a dial that failed `attempts` times.
pub(super) fn write_failure(
    f: &mut fmt::Formatter<'_>,
    endpoint: &Endpoint,
    reason: &dyn fmt::Display,
    attempts: u32,
) -> fmt::Result {
    let plural = if attempts == 1 { "" } else { "s" };
    write!(f, "cannot connect to {endpoint}: {reason} ({attempts} failed attempt{plural})")
}
