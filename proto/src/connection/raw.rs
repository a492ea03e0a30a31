//! Conversations in octets that are no ZMTP: no greeting, no handshake, no heartbeats, no frames (`ZMQ_STREAM`).

use super::{Connection, Inbound, Outbox, Peer, Phase};
use crate::connection::config::ConnectionConfig;
use crate::message::{Frame, Message};
use crate::security::HandshakeEntropy;
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{Metadata, Version};
use alloc::sync::Arc;

impl Connection {
    /// A conversation in which messages flow at once.
    pub(super) fn raw(config: &Arc<ConnectionConfig>, fresh: HandshakeEntropy, now: Instant) -> Self {
        let peer = Peer {
            socket_type: SocketType::Stream,
            routing_id: Frame::EMPTY,
            version: Version::NONE,
            metadata: Metadata::new(),
            user_id: None,
            properties: Metadata::new(),
            credentials: None,
        };
        let mut outbox = Outbox::new();
        outbox.open_raw();
        Self::in_phase(Phase::Raw(Arc::new(peer)), outbox, config, fresh, now)
    }

    /// Octets came in: a message, as they were read. No octets say nothing, and would be taken for a notice.
    pub(super) fn handle_raw(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.inbox.push_back(Inbound::Message(Message::from(octets)));
        }
    }
}
