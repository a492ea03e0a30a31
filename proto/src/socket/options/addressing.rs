//! Options of the socket types that address peers or alternate, and messages that notify of connects and disconnects.

use super::Options;
use crate::kind::{DisconnectMessage, HasRoutingId, HelloMessage, HiccupMessage, Kind, Req, Router, Stream};
use crate::message::{Frame, Message};

/// Options for messages that notify of connects and disconnects. The socket sends the message `hello` to its peers, and
/// delivers the other messages to its own application.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    pub(crate) hello: Option<Message>,
    pub(crate) disconnect: Option<Message>,
    pub(crate) hiccup: Option<Message>,
    pub(crate) connects: bool,
    pub(crate) disconnects: bool,
}

impl Notices {
    pub(super) const NONE: Self =
        Self { hello: None, disconnect: None, hiccup: None, connects: false, disconnects: false };
}

/// # ROUTER
impl Options<Router> {
    /// Makes `send` return an error if no peer has the routing id of the message, or if the outgoing queue of the peer
    /// with this routing id is full. If the queue is full, an asynchronous `send` waits for room instead. If off, the
    /// message is dropped in both cases, with [`Event::Dropped`](crate::Event::Dropped).
    ///
    /// Default: off. libzmq: `ZMQ_ROUTER_MANDATORY`, default off.
    #[doc(alias("ZMQ_ROUTER_MANDATORY", "ROUTER_MANDATORY", "ZMQ_FAIL_UNROUTABLE", "FAIL_UNROUTABLE"))]
    #[doc(alias("ZMQ_ROUTER_BEHAVIOR", "ROUTER_BEHAVIOR"))]
    #[must_use]
    pub const fn mandatory(mut self, mandatory: bool) -> Self {
        self.settings.mandatory = mandatory;
        self
    }

    /// Allows a new peer to take over the routing id of a connected peer. The connection of the peer that had the routing
    /// id before is then closed. If off, the new peer is rejected. If on, any peer that knows a routing id can take it
    /// over, so routing ids must not be trusted.
    ///
    /// Default: off. libzmq: `ZMQ_ROUTER_HANDOVER`, default off.
    #[doc(alias("ZMQ_ROUTER_HANDOVER", "ROUTER_HANDOVER"))]
    #[must_use]
    pub const fn handover(mut self, handover: bool) -> Self {
        self.settings.handover = handover;
        self
    }

    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has connected.
    ///
    /// Default: off. libzmq: `ZMQ_ROUTER_NOTIFY` with `ZMQ_NOTIFY_CONNECT`, default off.
    #[doc(alias("ZMQ_ROUTER_NOTIFY", "ROUTER_NOTIFY", "ZMQ_NOTIFY_CONNECT"))]
    #[must_use]
    pub const fn notify_connect(mut self, notify: bool) -> Self {
        self.settings.notices.connects = notify;
        self
    }

    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has disconnected. The
    /// message is not delivered after a local `disconnect`, `unbind` or `close`.
    ///
    /// Default: off. libzmq: `ZMQ_ROUTER_NOTIFY` with `ZMQ_NOTIFY_DISCONNECT`, default off.
    #[doc(alias("ZMQ_ROUTER_NOTIFY", "ROUTER_NOTIFY", "ZMQ_NOTIFY_DISCONNECT"))]
    #[must_use]
    pub const fn notify_disconnect(mut self, notify: bool) -> Self {
        self.settings.notices.disconnects = notify;
        self
    }
}

/// # REQ
impl Options<Req> {
    /// Allows a new request before the reply to the previous request has arrived, and abandons the previous request. Set
    /// [`correlate`](Self::correlate) too; otherwise a late reply to the previous request is taken for the reply to the
    /// new request.
    ///
    /// Default: off. libzmq: `ZMQ_REQ_RELAXED`, default off.
    #[doc(alias("ZMQ_REQ_RELAXED", "REQ_RELAXED"))]
    #[must_use]
    pub const fn relaxed(mut self, relaxed: bool) -> Self {
        self.settings.relaxed = relaxed;
        self
    }

    /// Sends a request id before the delimiter of each request, and ignores replies without this id. REP and ROUTER peers
    /// return the id as part of the envelope.
    ///
    /// Default: off. libzmq: `ZMQ_REQ_CORRELATE`, default off.
    #[doc(alias("ZMQ_REQ_CORRELATE", "REQ_CORRELATE"))]
    #[must_use]
    pub const fn correlate(mut self, correlate: bool) -> Self {
        self.settings.correlate = correlate;
        self
    }

    /// Makes `recv` return [`PeerLost`](crate::RecvError::PeerLost) when the connection to the peer ends to which the request was
    /// sent, after which a new request is allowed. If off, the REQ waits for a reply that cannot arrive, as in libzmq, until its
    /// application gives up: for bindings that must behave as libzmq does.
    ///
    /// Default: on. libzmq: no such option; it behaves as with off.
    #[must_use]
    pub const fn report_lost_peer(mut self, on: bool) -> Self {
        self.settings.report_lost_peer = on;
        self
    }
}

/// # STREAM
impl Options<Stream> {
    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has connected or
    /// disconnected.
    ///
    /// No such message is delivered after a local disconnect. These messages are delivered in the order of the connects
    /// and disconnects, even if `recv_hwm` is reached.
    ///
    /// Default: on. libzmq: `ZMQ_STREAM_NOTIFY`, default on.
    #[doc(alias("ZMQ_STREAM_NOTIFY", "STREAM_NOTIFY"))]
    #[must_use]
    pub const fn notify(mut self, notify: bool) -> Self {
        self.settings.notify = notify;
        self
    }
}

/// # Messages at a connect or disconnect
impl<T: Kind> Options<T> {
    /// Sends an empty message first on each new connection. A ROUTER thus learns the routing id of this socket before any
    /// other message; other peers receive an empty message.
    ///
    /// Default: off. libzmq: `ZMQ_PROBE_ROUTER`, default off.
    #[doc(alias = "ZMQ_PROBE_ROUTER")]
    #[must_use]
    pub const fn probe_router(mut self, probe: bool) -> Self
    where
        T: HasRoutingId,
    {
        self.settings.probe = probe;
        self
    }

    /// Sends this message to the peer of each new connection before any other message.
    ///
    /// Default: none. libzmq: `ZMQ_HELLO_MSG`, default none.
    #[doc(alias("ZMQ_HELLO_MSG", "HELLO_MSG"))]
    #[must_use]
    pub fn hello_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: HelloMessage,
    {
        self.settings.notices.hello = Some(message.into().into());
        self
    }

    /// Delivers this message to the application of this socket, as if the peer had sent it, when a peer that this
    /// socket accepted disconnects. The message is not delivered after a local `disconnect`, `unbind` or `close`.
    ///
    /// Default: none. libzmq: `ZMQ_DISCONNECT_MSG`, default none.
    #[doc(alias("ZMQ_DISCONNECT_MSG", "DISCONNECT_MSG"))]
    #[must_use]
    pub fn disconnect_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: DisconnectMessage,
    {
        self.settings.notices.disconnect = Some(message.into().into());
        self
    }

    /// Delivers this message to the application of this socket, as if the peer had sent it, when the connection to a
    /// dialled endpoint is lost and the socket will dial this endpoint again.
    ///
    /// Default: none. libzmq: `ZMQ_HICCUP_MSG`, default none.
    #[doc(alias("ZMQ_HICCUP_MSG", "HICCUP_MSG"))]
    #[must_use]
    pub fn hiccup_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: HiccupMessage,
    {
        self.settings.notices.hiccup = Some(message.into().into());
        self
    }
}
