//! Options of the queues: linger, high-water marks, and the routing id.

use super::{Options, or_no_limit};
use crate::kind::{Conflate, HasRoutingId, Kind, Receives, Sends};
use crate::message::Frame;
use crate::socket::error::OptionsError;
use core::time::Duration;

/// # Queues, closing and routing id
impl<T: Kind> Options<T> {
    /// Sets the time during which queued messages are still sent after `close` or `disconnect`. `None`: no limit; zero:
    /// queued messages are dropped.
    ///
    /// libzmq has no limit, so a program with libzmq does not exit while a peer is unreachable.
    ///
    /// Default: 30 s; zero for SUB, XSUB and DISH. libzmq: `ZMQ_LINGER` in milliseconds, default -1 (no limit); zero for
    /// SUB, XSUB and DISH.
    #[doc(alias("ZMQ_LINGER", "ZMQ_BLOCKY", "BLOCKY"))]
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.settings.linger = linger.into();
        self
    }

    /// Sets the maximum number of messages that wait to be sent to each peer, the send high-water mark. 0: no limit.
    ///
    /// In addition, the connection can hold one batch of messages on the way to the network: about 64 KiB, or 256 KiB
    /// if the bodies have 2 KiB or more.
    ///
    /// Default: 1000. libzmq: `ZMQ_SNDHWM` in messages, default 1000.
    #[doc(alias("ZMQ_SNDHWM", "SNDHWM", "ZMQ_HWM", "HWM", "set_hwm"))]
    #[must_use]
    pub const fn send_hwm(mut self, messages: usize) -> Self
    where
        T: Sends,
    {
        self.settings.send_hwm = or_no_limit(messages);
        self
    }

    /// Sets the maximum number of messages received from each peer that wait for `recv`, the receive high-water mark. 0:
    /// no limit.
    ///
    /// When this number is reached, the connection reads about 64 KiB more from the peer, so that heartbeats are still
    /// received. Then the connection stops reading, and TCP flow control stops the peer.
    ///
    /// Default: 1000. libzmq: `ZMQ_RCVHWM` in messages, default 1000.
    #[doc(alias("ZMQ_RCVHWM", "RCVHWM", "ZMQ_HWM", "HWM", "set_hwm"))]
    #[must_use]
    pub const fn recv_hwm(mut self, messages: usize) -> Self
    where
        T: Receives,
    {
        self.settings.recv_hwm = or_no_limit(messages);
        self
    }

    /// Sets the routing id by which ROUTER peers address this socket: 1 to 255 bytes. Without this option, each ROUTER
    /// generates a routing id for this socket.
    ///
    /// Default: none. libzmq: `ZMQ_ROUTING_ID`, formerly `ZMQ_IDENTITY`, default none.
    ///
    /// # Errors
    /// [`OptionsError::RoutingId`] unless the routing id has 1 to 255 bytes.
    #[doc(alias("ZMQ_ROUTING_ID", "ZMQ_IDENTITY", "IDENTITY", "set_identity"))]
    pub fn routing_id(mut self, id: impl Into<Frame>) -> Result<Self, OptionsError>
    where
        T: HasRoutingId,
    {
        let id = id.into();
        if id.is_empty() || id.len() > 255 {
            return Err(OptionsError::RoutingId(id.len()));
        }
        self.settings.connection.routing_id = id;
        Ok(self)
    }

    /// Queues messages only for peers that have finished their handshake. If off, messages can be queued as soon as
    /// `connect` is called.
    ///
    /// With or without this option, messages that are queued when a connection is lost are sent on the next connection.
    /// libzmq drops them if its option is on.
    ///
    /// Default: off. libzmq: `ZMQ_IMMEDIATE`, default off.
    #[doc(alias("ZMQ_IMMEDIATE", "ZMQ_DELAY_ATTACH_ON_CONNECT", "DELAY_ATTACH_ON_CONNECT"))]
    #[must_use]
    pub const fn immediate(mut self, immediate: bool) -> Self {
        self.settings.immediate = immediate;
        self
    }

    /// Stores only the latest message in each of the two queues of a peer, outgoing and incoming, and ignores the
    /// high-water marks. A new message replaces the message in the queue, but not a message that the connection has
    /// already taken from the queue. All frames of the latest message are stored; libzmq stores only the last frame.
    ///
    /// Default: off. libzmq: `ZMQ_CONFLATE`, default off.
    #[doc(alias = "ZMQ_CONFLATE")]
    #[must_use]
    pub const fn conflate(mut self, conflate: bool) -> Self
    where
        T: Conflate,
    {
        self.settings.conflate = conflate;
        self
    }

    /// Makes `send` and `recv` return an error at once while no peer can be reached: no peer is connected, and the latest
    /// attempt of each `connect` failed. The errors are [`SendError::Unreachable`](crate::SendError::Unreachable) and
    /// [`RecvError::Unreachable`](crate::RecvError::Unreachable), which name the reason of each failure. The socket
    /// continues to dial, and messages that are already queued are still sent. Messages that have arrived are received
    /// before the error.
    ///
    /// If off, messages are queued, and `send` and `recv` wait until a peer is connected. A socket without `connect` is
    /// not affected, and neither is a dial during its first attempt. The option is on as soon as a dial fails with
    /// [`NetworkError::NoIoDriver`](crate::NetworkError::NoIoDriver), which time does not cure.
    ///
    /// Default: off. libzmq: no such option; it behaves as with off.
    #[must_use]
    pub const fn fail_unreachable(mut self, fail: bool) -> Self {
        self.settings.fail_unreachable = fail;
        self
    }

    /// Sets the maximum memory in bytes that the messages which wait to be sent to each peer hold, in addition to
    /// [`send_hwm`](Self::send_hwm). Each frame counts 72 bytes, and a body of more than 64 bytes its size in addition
    /// ([`Message::held_bytes`](crate::Message::held_bytes)). The outgoing queue of a peer is full when the first of the
    /// two limits is reached. It has room again when it has fallen to half of both limits. 0: no limit.
    ///
    /// The message that reaches the limit is queued even if it exceeds the limit, and an empty queue accepts a message
    /// of any size.
    ///
    /// Default: 256 MiB. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn send_hwm_bytes(mut self, bytes: usize) -> Self
    where
        T: Sends,
    {
        self.settings.send_hwm_bytes = bytes;
        self
    }

    /// Sets the maximum memory in bytes that the messages received from each peer hold while they wait for `recv`, in
    /// addition to [`recv_hwm`](Self::recv_hwm). Each frame counts 72 bytes, and a body of more than 64 bytes its size in
    /// addition ([`Message::held_bytes`](crate::Message::held_bytes)). The socket stops reading from the peer when the
    /// first of the two limits is reached. It continues when the incoming queue of the peer has fallen to half of both
    /// limits. 0: no limit.
    ///
    /// The message that reaches the limit is queued even if it exceeds the limit. In addition, the connection reads
    /// about 64 KiB more, or one larger message: see [`max_message_size`](Self::max_message_size).
    ///
    /// Default: 64 MiB. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn recv_hwm_bytes(mut self, bytes: usize) -> Self
    where
        T: Receives,
    {
        self.settings.recv_hwm_bytes = bytes;
        self
    }
}
