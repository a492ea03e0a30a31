//! Statistics of a blocking socket and its peers.

use crate::socket::Socket;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SocketStats};

impl<T: Kind> Socket<T> {
    /// Returns the counters and queue lengths of the socket; see [`Handle::stats`](sansmq_runtime::Handle::stats).
    pub fn stats(&self) -> SocketStats {
        self.handle().stats()
    }

    /// Returns the counters and queue lengths of each peer.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.handle().peer_stats()
    }
}
