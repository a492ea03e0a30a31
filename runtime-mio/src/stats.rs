//! What a blocking socket tells of itself in numbers.

use crate::socket::Socket;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{PeerStats, SocketStats};

impl<T: Kind> Socket<T> {
    /// What the socket has done so far and what waits in it, in numbers; see
    /// [`Handle::stats`](sansmq_runtime::Handle::stats).
    pub fn stats(&self) -> SocketStats {
        self.handle().stats()
    }

    /// The same for each of its peers.
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.handle().peer_stats()
    }
}
