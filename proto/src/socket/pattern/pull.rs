//! PULL (RFC 30, "The PULL Socket Type") and GATHER (RFC 49): receives messages from its peers in turn and sends
//! nothing.

use super::halves::Halves;
use crate::socket::options::Settings;
use crate::socket::routing::fair_queue::FairQueue;

/// Creates the pattern of a PULL. GATHER uses it inside a `SingleFrame`.
pub(super) fn new(settings: &Settings) -> Halves {
    Halves {
        socket_type: settings.connection.socket_type,
        outgoing: None,
        incoming: Some(FairQueue::default()),
        probe: false,
    }
}
