//! DEALER (RFC 28, "The DEALER Socket Type") and CLIENT (RFC 41): sends messages to its peers in turn, receives
//! messages from its peers in turn, and neither adds nor removes frames.

use super::halves::Halves;
use crate::socket::options::Settings;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::load_balancer::LoadBalancer;

/// Creates the behaviour of a DEALER. A CLIENT uses it inside a `SingleFrame`, which allows only messages of one frame.
pub(super) fn new(settings: &Settings) -> Halves {
    Halves {
        socket_type: settings.connection.socket_type,
        outgoing: Some(LoadBalancer::default()),
        incoming: Some(FairQueue::default()),
        probe: settings.probe,
    }
}
