//! PUSH (RFC 30, "The PUSH Socket Type") and SCATTER (RFC 49): sends messages to its peers in turn and receives
//! nothing.

use super::halves::Halves;
use crate::socket::options::Settings;
use crate::socket::routing::load_balancer::LoadBalancer;

/// Creates the behaviour of a PUSH. A SCATTER uses it inside a `SingleFrame`, which allows only messages of one frame.
pub(super) fn new(settings: &Settings) -> Halves {
    Halves {
        socket_type: settings.connection.socket_type,
        outgoing: Some(LoadBalancer::default()),
        incoming: None,
        // A probe is meant for a ROUTER, which cannot be a peer of a PUSH.
        probe: false,
    }
}
