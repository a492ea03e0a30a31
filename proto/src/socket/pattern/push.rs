//! PUSH (RFC 30, "The PUSH Socket Type") and SCATTER (RFC 49): sends to its peers in turn and receives nothing.

use super::halves::{Halves, LoadBalanced, Unsupported};
use crate::socket::options::Settings;

/// Returns the rules of a PUSH.
pub(super) fn new(settings: &Settings) -> Halves<LoadBalanced, Unsupported> {
    // A probe is meant for a ROUTER, which cannot be a peer of a PUSH.
    Halves { outgoing: LoadBalanced::default(), incoming: Unsupported(settings.connection.socket_type) }
}
