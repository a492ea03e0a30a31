//! What a socket tells of itself in numbers.

use super::Socket;
use crate::socket::stats::{PeerStats, SocketStats};

impl Socket {
    /// What the socket has done so far and what waits in it, in numbers. The work grows with the number of peers; counting
    /// itself goes on whether or not anybody asks, and costs next to nothing.
    pub fn stats(&self) -> SocketStats {
        self.pipes.stats()
    }

    /// The same for each of its peers.
    pub fn peer_stats(&self) -> impl Iterator<Item = PeerStats> {
        self.pipes.peer_stats()
    }
}
