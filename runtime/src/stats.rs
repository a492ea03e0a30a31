//! Methods of [`Handle`] that return statistics of a socket and its peers.

use crate::handle::Handle;
use crate::inproc::End;
use crate::state::State;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::{Metrics, PeerStats, SocketStats};

impl<T: Kind> Handle<T> {
    /// Returns the counters and queue lengths of the socket; see [`Socket::stats`](sansmq_proto::Socket::stats). Also
    /// samples the queues for the age of the messages in them, as [`peer_stats`](Self::peer_stats) does; see
    /// [`Socket::sample_queues`](sansmq_proto::Socket::sample_queues).
    #[doc(alias("ZMQ_EVENT_PIPES_STATS", "EVENT_PIPES_STATS", "zmq_socket_monitor_pipes_stats"))]
    pub fn stats(&self) -> SocketStats {
        self.sampled(stats)
    }

    /// Returns the counters and queue lengths of each peer.
    #[doc(alias("ZMQ_EVENT_PIPES_STATS", "EVENT_PIPES_STATS", "zmq_socket_monitor_pipes_stats"))]
    #[doc(alias = "zmq_socket_get_peer_state")]
    pub fn peer_stats(&self) -> Vec<PeerStats> {
        self.sampled(peer_stats)
    }

    /// Adds the statistics of the socket and of its peers to a text for Prometheus and other systems; see [`Metrics`].
    /// `name` is the label `socket`. All numbers are of the same instant.
    pub fn add_metrics(&self, name: impl Into<String>, metrics: &mut Metrics) {
        let (socket_type, stats, peers) =
            self.sampled(|state| (state.socket.socket_type(), stats(state), peer_stats(state)));
        metrics.add(name, socket_type, &stats, peers);
    }

    /// Samples the queues, and then calls `read` with the locked state.
    fn sampled<R>(&self, read: impl FnOnce(&mut State) -> R) -> R {
        let now = self.shared().now();
        self.shared().with(|state| {
            state.socket.sample_queues(now);
            #[cfg(feature = "meter")]
            state.socket.assert_held();
            read(state)
        })
    }
}

fn stats(state: &mut State) -> SocketStats {
    let mut whole = state.socket.stats();
    whole.held.connections += state.held_inproc();
    whole
}

fn peer_stats(state: &mut State) -> Vec<PeerStats> {
    let mut peers: Vec<PeerStats> = state.socket.peer_stats().collect();
    for peer in &mut peers {
        let end = state.end(peer.pipe).and_then(|end| end.as_ref());
        peer.held.connections += end.map_or(0, End::held_bytes);
    }
    peers
}
