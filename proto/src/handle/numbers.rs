//! What a socket tells of itself in numbers.

use super::Handle;
use crate::kind::Kind;
use crate::stats::{PeerStats, SocketStats};

impl<T: Kind> Handle<T> {
    /// What the socket has done so far and what waits in it, in numbers; see [`Socket::stats`](crate::Socket::stats).
    pub fn stats(&self) -> SocketStats {
        self.shared().with(|state| state.socket.stats())
    }

    /// The same for each of its peers.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.shared().with(|state| state.socket.peer_stats().collect())
    }
}
