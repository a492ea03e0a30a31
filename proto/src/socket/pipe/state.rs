//! [`Life`]: the origin of a pipe and the state of its connection.

use crate::address::Endpoint;
use crate::socket::id::ListenerId;
use crate::time::Instant;
use core::time::Duration;

/// Where a pipe comes from and how its connection fares.
#[derive(Debug)]
pub(crate) enum Life {
    /// The peer came to us.
    Accepted { listener: ListenerId, from: Endpoint },
    /// We go to the peer, again and again.
    Dialled { endpoint: Endpoint, dial: Dial, failures: u32, last_delay: Duration },
    /// Nothing is connected any more; messages wait to be received.
    Gone,
}

#[derive(Debug)]
pub(crate) enum Dial {
    /// Until the back-off is over.
    Waiting,
    /// The world has been asked for a connection.
    Dialling,
    /// The world holds a connection.
    Connected { since: Instant },
}

impl Life {
    pub(crate) const fn dialled(endpoint: Endpoint) -> Self {
        Self::Dialled { endpoint, dial: Dial::Waiting, failures: 0, last_delay: Duration::ZERO }
    }

    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    pub(crate) fn is_accepted_by(&self, id: ListenerId) -> bool {
        matches!(self, Self::Accepted { listener, .. } if *listener == id)
    }

    pub(crate) fn is_dialled_to(&self, to: &Endpoint) -> bool {
        matches!(self, Self::Dialled { endpoint, .. } if endpoint == to)
    }

    /// The peer's side of the connection.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Accepted { from: endpoint, .. } | Self::Dialled { endpoint, .. } => endpoint,
            Self::Gone => unreachable!("nobody asks where a pipe leads that leads nowhere"),
        }
    }

    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Dialled { dial: Dial::Connected { .. }, .. })
    }

    pub(crate) const fn is_dialling(&self) -> bool {
        matches!(self, Self::Dialled { dial: Dial::Dialling, .. })
    }
}
