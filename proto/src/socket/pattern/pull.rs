//! PULL (RFC 30, "The PULL Socket Type") and GATHER (RFC 49): receives from its peers in turn and sends nothing.

use super::halves::{Halves, Unsupported};
use crate::socket::options::Settings;
use crate::socket::routing::fair_queue::FairQueue;

/// Returns the rules of a PULL.
pub(super) fn new(settings: &Settings) -> Halves<Unsupported, FairQueue> {
    Halves { outgoing: Unsupported(settings.connection.socket_type), incoming: FairQueue::default() }
}
