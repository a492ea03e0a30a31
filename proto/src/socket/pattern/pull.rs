//! PULL (RFC 30, "The PULL Socket Type") and GATHER (RFC 49): receives messages from its peers in turn and sends
//! nothing.

use super::halves::Halves;
use crate::socket::options::Settings;
use crate::socket::routing::fair_queue::FairQueue;

/// Creates the behaviour of a PULL. A GATHER uses it inside a `SingleFrame`, which allows only messages of one frame.
pub(super) fn new(settings: &Settings) -> Halves {
    Halves {
        socket_type: settings.connection.socket_type,
        outgoing: None,
        incoming: Some(FairQueue::default()),
        probe: false,
    }
}
