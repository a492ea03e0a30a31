//! Statistics of a blocking socket and its peers.

use crate::socket::Socket;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SocketStats};

impl<T: Kind> Socket<T> {
    /// Returns the counters and queue lengths of the socket; see [`Handle::stats`](sansmq_runtime::Handle::stats).
    #[doc(alias("ZMQ_EVENT_PIPES_STATS", "EVENT_PIPES_STATS", "zmq_socket_monitor_pipes_stats"))]
    pub fn stats(&self) -> SocketStats {
        self.handle().stats()
    }

    /// Returns the counters and queue lengths of each peer.
    #[doc(alias("ZMQ_EVENT_PIPES_STATS", "EVENT_PIPES_STATS", "zmq_socket_monitor_pipes_stats"))]
    #[doc(alias = "zmq_socket_get_peer_state")]
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.handle().peer_stats()
    }
}
