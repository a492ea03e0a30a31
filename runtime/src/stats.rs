//! What a socket tells of itself in numbers.

use crate::handle::Handle;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SocketStats};

impl<T: Kind> Handle<T> {
    /// What the socket has done so far and what waits in it, in numbers; see [`Socket::stats`](sansmq_proto::Socket::stats).
    pub fn stats(&self) -> SocketStats {
        self.shared().with(|state| state.socket.stats())
    }

    /// The same for each of its peers.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.shared().with(|state| state.socket.peer_stats().collect())
    }
}
