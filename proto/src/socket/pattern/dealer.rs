//! DEALER (RFC 28, "The DEALER Socket Type") and CLIENT (RFC 41): sends to its peers in turn, receives from its peers
//! in turn, and neither adds nor removes frames.

use super::halves::{Halves, LoadBalanced};
use crate::socket::options::Settings;
use crate::socket::routing::fair_queue::FairQueue;

/// Returns the rules of a DEALER.
pub(super) fn new(settings: &Settings) -> Halves<LoadBalanced, FairQueue> {
    Halves { outgoing: LoadBalanced::new(settings), incoming: FairQueue::default() }
}
