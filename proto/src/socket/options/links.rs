//! The options of connections: who may come, when they are used, and what is said when they come and go.

use super::Options;
use crate::kind::{Conflate, DisconnectMessage, HelloMessage, HiccupMessage, Kind, Router};
use crate::message::{Frame, Message};
use crate::socket::error::OptionsError;
use crate::wire::is_name_char;
use alloc::borrow::ToOwned;
use bytes::Bytes;

/// When a lost or failed connection is not dialled again: `RECONNECT_STOP`. By default it always is, but for faults that
/// dialling again cannot mend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconnectStop {
    /// Nobody listens there: `ZMQ_RECONNECT_STOP_CONN_REFUSED`.
    pub refused: bool,
    /// The connection ended before its handshake did: `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`.
    pub handshake_failed: bool,
    /// `disconnect` was called while there was no connection, though messages wait that `linger` would have sent:
    /// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`.
    pub disconnected: bool,
}

/// How many peers may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) peers: usize,
    pub(crate) handshakes: usize,
    pub(crate) handshakes_per_address: usize,
    /// That may begin in a second, with each address. `None`: as many as the mechanism makes advisable.
    pub(crate) handshake_rate: Option<usize>,
}

/// What is said when peers come and go.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    pub(crate) hello: Option<Message>,
    pub(crate) missed: Option<Message>,
    pub(crate) hiccup: Option<Message>,
    pub(crate) connects: bool,
    pub(crate) disconnects: bool,
}

impl Crowd {
    pub(super) const DEFAULT: Self =
        Self { peers: 65_536, handshakes: 4096, handshakes_per_address: 1024, handshake_rate: None };
}

impl Notices {
    pub(super) const NONE: Self = Self { hello: None, missed: None, hiccup: None, connects: false, disconnects: false };
}

impl ReconnectStop {
    pub(super) const NEVER: Self = Self { refused: false, handshake_failed: false, disconnected: false };
}

impl<T: Kind> Options<T> {
    /// Peers at a time, those counted whose last messages wait to be received. Who comes when there are so many is turned
    /// away, which [`Event::Rejected`](crate::Event::Rejected) tells; what this socket dials is not limited. Default
    /// 65 536; libzmq has no limit.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_peers(mut self, peers: usize) -> Result<Self, OptionsError> {
        self.settings.crowd.peers = at_least_one(peers, "max_peers")?;
        Ok(self)
    }

    /// Handshakes under way at a time: in all, and with each address, which for IPv6 is its first 64 bits. When there are so
    /// many, a newcomer takes the place of the one that has lasted longest, if that is over a second; else it is turned
    /// away. Default 4096 and 1024; libzmq has no limit. At a port that several sockets share, 1024 connections may wait
    /// beside them to be somebody's.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_handshakes(mut self, in_all: usize, per_address: usize) -> Result<Self, OptionsError> {
        self.settings.crowd.handshakes = at_least_one(in_all, "max_handshakes")?;
        self.settings.crowd.handshakes_per_address = at_least_one(per_address, "max_handshakes")?;
        Ok(self)
    }

    /// Handshakes that may begin in a second with each address, which for IPv6 is its first 64 bits; after a second of rest
    /// so many may begin at once. Who comes earlier is turned away. Default: 1000 for a server of CURVE, whose time every
    /// HELLO costs, be it a bogus one, and no limit for others; libzmq has none. At a port that several sockets share, the
    /// rate of the one that opened it holds.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_handshake_rate(mut self, per_second: usize) -> Result<Self, OptionsError> {
        self.settings.crowd.handshake_rate = Some(at_least_one(per_second, "max_handshake_rate")?);
        Ok(self)
    }

    /// Messages are queued for peers only while these are connected: `IMMEDIATE`, which in libzmq says when a pipe is made.
    /// Default off: a `connect` takes messages at once, and those stay with it while it is dialled again.
    #[must_use]
    pub const fn immediate(mut self, immediate: bool) -> Self {
        self.settings.immediate = immediate;
        self
    }

    /// When not to dial again: `RECONNECT_STOP`. Default: never.
    #[must_use]
    pub const fn reconnect_stop(mut self, stop: ReconnectStop) -> Self {
        self.settings.reconnect_stop = stop;
        self
    }

    /// A property of one's own that peers are told in the handshake: `METADATA`. They find it in
    /// [`Peer::metadata`](crate::connection::Peer). Set again, it has the new value.
    ///
    /// # Errors
    /// [`OptionsError::PropertyName`] unless the name begins with `X-` and has at most 255 octets, all of them letters,
    /// digits or one of `-_.+` (RFC 37); [`OptionsError::Properties`] for more than 32 of them, or a value of more than 1024
    /// octets, so that every peer's limits have room for all.
    pub fn metadata(mut self, name: &str, value: impl Into<Bytes>) -> Result<Self, OptionsError> {
        if !name.starts_with("X-") || name.len() > 255 || !name.bytes().all(is_name_char) {
            return Err(OptionsError::PropertyName(name.to_owned()));
        }
        let value = value.into();
        let properties = &mut self.settings.connection.properties;
        if value.len() > 1024 || (properties.get(name).is_none() && properties.iter().count() == 32) {
            return Err(OptionsError::Properties);
        }
        properties.set(name, value);
        Ok(self)
    }
}

fn at_least_one(count: usize, name: &'static str) -> Result<usize, OptionsError> {
    if count == 0 { Err(OptionsError::Zero(name)) } else { Ok(count) }
}

impl<T: Conflate> Options<T> {
    /// Only the latest message waits, for each peer and direction; marks mean nothing then: `CONFLATE`. Messages of several
    /// frames are kept whole, of which libzmq keeps the last frame. What is on its way to the network is not called back.
    /// Default off.
    #[must_use]
    pub const fn conflate(mut self, conflate: bool) -> Self {
        self.settings.conflate = conflate;
        self
    }
}

impl<T: HelloMessage> Options<T> {
    /// Sent on every new connection before anything else: `HELLO_MSG`. Default none.
    #[must_use]
    pub fn hello_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.notices.hello = Some(message.into().into());
        self
    }
}

impl<T: DisconnectMessage> Options<T> {
    /// Received, as if from the peer, when one that had come to us is gone: `DISCONNECT_MSG`. Default none.
    #[must_use]
    pub fn disconnect_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.notices.missed = Some(message.into().into());
        self
    }
}

impl<T: HiccupMessage> Options<T> {
    /// Received, as if from the peer, when the connection to it is lost and will be dialled again: `HICCUP_MSG`. Default
    /// none.
    #[must_use]
    pub fn hiccup_message(mut self, message: impl Into<Frame>) -> Self {
        self.settings.notices.hiccup = Some(message.into().into());
        self
    }
}

impl Options<Router> {
    /// Receives `[routing id, ""]` when a peer has connected: `ROUTER_NOTIFY` with `ZMQ_NOTIFY_CONNECT`. Default off.
    #[must_use]
    pub const fn notify_connect(mut self, notify: bool) -> Self {
        self.settings.notices.connects = notify;
        self
    }

    /// Receives `[routing id, ""]` when a peer is gone: `ROUTER_NOTIFY` with `ZMQ_NOTIFY_DISCONNECT`. Default off.
    #[must_use]
    pub const fn notify_disconnect(mut self, notify: bool) -> Self {
        self.settings.notices.disconnects = notify;
        self
    }
}
