//! From the greetings to traffic: the steps of the mechanism, and whether we speak with such a peer at all.

use super::link::PeerInfo;
use super::phase::{Phase, Side};
use super::{Connection, Peer};
use crate::connection::error::ConnectionError;
use crate::message::Frame;
use crate::security::{
    AuthIdentity, HandshakeOutcome, Mechanism, MechanismConfig, MechanismError, Progress, ReadyPending,
};
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{Command, DecodeError, IDENTITY, Metadata, SOCKET_TYPE, Version};
#[cfg(feature = "curve")]
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

impl Connection {
    /// Both have greeted: the mechanism begins.
    pub(super) fn begin_handshake(&mut self, deadline: Option<Instant>, side: Side) -> Result<(), ConnectionError> {
        let ours = (side == Side::Socket).then(|| self.config.metadata());
        let fresh = core::mem::take(&mut self.fresh);
        let config = MechanismConfig { security: &self.config.security, authenticates_null: self.config.asks() };
        let progress = Mechanism::start(config, ours, fresh, self.outbox.ahead())?;
        self.proceed(progress, deadline, side, self.now)
    }

    /// Moves the handshake on by one step.
    pub(super) fn handshake(
        &mut self,
        step: impl FnOnce(Mechanism, &mut Vec<u8>) -> Result<Progress, MechanismError>,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        if !matches!(self.phase, Phase::Handshake { .. }) {
            return Ok(());
        }
        let Phase::Handshake { mechanism, deadline, side } = core::mem::replace(&mut self.phase, Phase::Closed) else {
            return Ok(());
        };
        let progress = step(mechanism, self.outbox.ahead())?;
        self.proceed(progress, deadline, side, now)
    }

    /// Goes where a step of the handshake has led.
    fn proceed(
        &mut self,
        progress: Progress,
        deadline: Option<Instant>,
        side: Side,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        match progress {
            Progress::More(mechanism) => self.phase = Phase::Handshake { mechanism, deadline, side },
            Progress::Ask(credentials, mechanism) => {
                self.phase = Phase::Handshake { mechanism, deadline, side };
                if let Some(reply) = self.ask(credentials, now) {
                    self.pending_auth = None;
                    return self.handshake(|mechanism, out| mechanism.answer(reply, out), now);
                }
            }
            Progress::MetadataReceived(theirs, ready_pending) => match side {
                Side::Socket => self.send_ready(theirs, ready_pending, now)?,
                Side::AwaitingSocket => self.wait_for_socket(theirs, ready_pending, deadline)?,
            },
            Progress::Done(theirs, established) => {
                let info = self.examine(theirs)?;
                self.establish(info, established, now);
            }
        }
        Ok(())
    }

    /// The peer has said who it is: so do we, if we speak with such a one.
    pub(super) fn send_ready(
        &mut self,
        theirs: Metadata,
        ready_pending: ReadyPending,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let info = self.examine(theirs)?;
        let established = ready_pending.send_ready(&self.config.metadata(), self.outbox.ahead());
        self.establish(info, established, now);
        Ok(())
    }

    /// Whether we speak with a peer that says this of itself.
    fn examine(&mut self, metadata: Metadata) -> Result<PeerInfo, ConnectionError> {
        let name = metadata.get(SOCKET_TYPE).ok_or(ConnectionError::MissingSocketType)?;
        let socket_type = SocketType::from_name(name).ok_or(ConnectionError::UnknownSocketType)?;
        self.compare(socket_type).inspect_err(|_| {
            // RFC 37 asks for an ERROR here, which tells the other side's owner what libzmq's silence would not.
            self.outbox.push_command(&Command::Error(Bytes::from_static(b"incompatible socket type")));
        })?;
        let routing_id = metadata.get(IDENTITY).map(|id| Frame::copy_from_slice(id)).unwrap_or_default();
        if routing_id.len() > 255 {
            return Err(DecodeError::RoutingId.into());
        }
        Ok(PeerInfo { socket_type, routing_id, metadata })
    }

    /// Whether we speak with sockets of such a type.
    pub(super) fn compare(&self, theirs: SocketType) -> Result<(), ConnectionError> {
        let ours = self.config.socket_type;
        if ours.peers().contains(&theirs) { Ok(()) } else { Err(ConnectionError::Incompatible { ours, theirs }) }
    }

    pub(super) fn establish(&mut self, info: PeerInfo, established: HandshakeOutcome, now: Instant) {
        let PeerInfo { socket_type, routing_id, metadata } = info;
        let AuthIdentity { user_id, properties } = established.identity;
        let (version, credentials) = (self.version, self.credentials);
        let peer = Peer { socket_type, routing_id, version, metadata, user_id, properties, credentials };
        // RFC 23 (3.0) has no PING, so a strict 3.0 peer would take one for a fault; and to a DISH only groups and bodies are
        // sent (RFC 48).
        if self.version >= Version::V3_1 && socket_type != SocketType::Dish {
            self.heartbeat.start(now);
        }
        // What only the handshake needed.
        self.origin = None;
        self.waker = None;
        #[cfg(feature = "curve")]
        if let Some((sealer, opener)) = established.cipher {
            self.outbox.open_sealed(self.version, sealer);
            self.phase = Phase::Sealed(Arc::new(peer), Box::new(opener));
            return;
        }
        self.outbox.open(self.version);
        self.phase = Phase::Traffic(Arc::new(peer));
    }
}
