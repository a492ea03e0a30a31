//! Connections of STREAM sockets (`ZMQ_STREAM`): raw bytes without greeting, handshake, heartbeats and frames.

use super::{Connection, Outbox, Peer, Phase};
use crate::connection::config::ConnectionConfig;
use crate::cost;
use crate::message::{Frame, Message};
use crate::security::HandshakeEntropy;
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{Metadata, Version};
use alloc::sync::Arc;

impl Connection {
    /// Creates a connection of a STREAM socket. It has no handshake, so bytes can be exchanged at once.
    pub(super) fn raw(config: &Arc<ConnectionConfig>, fresh: HandshakeEntropy, now: Instant) -> Self {
        let peer = Peer {
            socket_type: SocketType::Stream,
            routing_id: Frame::EMPTY,
            version: Version::NONE,
            metadata: Metadata::new(),
            user_id: None,
            properties: Metadata::new(),
            credentials: None,
            address: None,
        };
        let mut outbox = Outbox::new();
        outbox.open_raw();
        Self::in_phase(Phase::Raw(Arc::new(peer)), outbox, config, fresh, now)
    }

    /// Queues received bytes as one message.
    pub(super) fn handle_raw(&mut self, input: &[u8]) {
        // An empty message would be mistaken for the notice that a peer has connected or disconnected.
        if !input.is_empty() {
            cost::frames(1);
            self.inbox.push(Message::from(input).into());
        }
    }
}
