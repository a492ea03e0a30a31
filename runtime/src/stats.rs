//! Methods of [`Handle`] that return statistics of a socket and its peers.

use crate::handle::Handle;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SocketStats};

impl<T: Kind> Handle<T> {
    /// Returns the counters and queue lengths of the socket; see [`Socket::stats`](sansmq_proto::Socket::stats).
    pub fn stats(&self) -> SocketStats {
        self.shared().with(|state| state.socket.stats())
    }

    /// Returns the counters and queue lengths of each peer.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.shared().with(|state| state.socket.peer_stats().collect())
    }
}
