//! Statistics and options of a blocking socket, and what it can do now.

use crate::socket::Socket;
use sansmq_proto::Options;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::socket::{Metrics, PeerStats, SetOptionsError, SocketOption, SocketStats};

impl<T: Kind> Socket<T> {
    /// Returns the options of the socket, as they are now; see [`Handle::options`](sansmq_runtime::Handle::options).
    pub fn options(&self) -> Options<T> {
        self.handle().options()
    }

    /// Changes the options of the socket, all or none of them. The table at
    /// [`Handle::set_options`](sansmq_runtime::Handle::set_options) has the moment from which each option counts.
    ///
    /// # Errors
    /// [`SetOptionsError`].
    pub fn set_options(&self, options: Options<T>) -> Result<(), SetOptionsError> {
        self.handle().set_options(options)
    }

    /// Changes one option of the socket, and no other; see [`Handle::set_option`](sansmq_runtime::Handle::set_option).
    ///
    /// # Errors
    /// [`SetOptionsError`].
    pub fn set_option(&self, option: SocketOption) -> Result<(), SetOptionsError> {
        self.handle().set_option(option)
    }

    /// Returns true if the socket can send without blocking (`ZMQ_EVENTS` with `ZMQ_POLLOUT`). Another thread may send first.
    pub fn can_send(&self) -> bool
    where
        T: Sends,
    {
        self.handle().can_send()
    }

    /// Returns true if the socket can receive without blocking (`ZMQ_EVENTS` with `ZMQ_POLLIN`). Another thread may receive
    /// the message first.
    pub fn can_recv(&self) -> bool
    where
        T: Receives,
    {
        self.handle().can_recv()
    }

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

    /// Adds the statistics of the socket and of its peers to a text for Prometheus and other systems; see
    /// [`Handle::add_metrics`](sansmq_runtime::Handle::add_metrics).
    pub fn add_metrics(&self, name: impl Into<String>, metrics: &mut Metrics) {
        self.handle().add_metrics(name, metrics);
    }
}
