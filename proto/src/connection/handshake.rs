//! The handshake after the greeting: the commands of the security mechanism, and the check of the peer's properties.

use super::link::PeerInfo;
use super::phase::{Candidate, HandshakeOwner, Phase};
use super::{Connection, Peer};
use crate::connection::error::ConnectionError;
use crate::message::Frame;
use crate::security::{
    AuthIdentity, AuthReply, AuthStatus, HandshakeOutcome, Mechanism, MechanismConfig, MechanismError, Progress,
    ReadyPending,
};
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{Command, DecodeError, IDENTITY, MechanismName, Metadata, SOCKET_TYPE, Version};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// Maximum time for which our READY is delayed until the READY of the peer arrives, at most half of the handshake
/// timeout.
// If a relay joins two listeners, both sides accept, and each would wait for the READY of the other side without end. A
// connecting peer sends READY at once, so it needs this time only if READY is lost several times in the network.
const MAX_READY_DELAY: Duration = Duration::from_secs(3);

impl Connection {
    /// Starts the handshake of the security mechanism, after the greeting of the peer is received. The handshake must
    /// be done at the time `deadline`, if any.
    pub(super) fn begin_handshake(
        &mut self,
        deadline: Option<Instant>,
        side: HandshakeOwner,
    ) -> Result<(), ConnectionError> {
        let holds_ready = match side {
            HandshakeOwner::Socket => false,
            HandshakeOwner::AcceptingSocket { .. } => self.config.socket_type.rejects_peers(),
            HandshakeOwner::SharedListener => true,
        };
        let is_null = self.config.security.mechanism() == MechanismName::NULL;
        let side = match side {
            HandshakeOwner::AcceptingSocket { .. } if holds_ready && is_null => {
                HandshakeOwner::AcceptingSocket { ready_at: Some(self.now + self.max_ready_delay()) }
            }
            HandshakeOwner::AcceptingSocket { .. } | HandshakeOwner::Socket | HandshakeOwner::SharedListener => side,
        };
        let ours = (!holds_ready || !is_null).then(|| self.config.metadata());
        let fresh = core::mem::take(&mut self.fresh);
        let config =
            MechanismConfig { security: &self.config.security, authenticates_null: self.config.authenticates_null() };
        let progress = Mechanism::start(config, ours, fresh, self.outbox.ahead())?;
        self.proceed(progress, deadline, side, self.now)
    }

    /// Calls `step` with the state of the security mechanism and the output buffer, and applies the result to the
    /// connection. Does nothing if no handshake of a security mechanism is in progress.
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

    /// Applies `progress`, the result of one step of the handshake. Depending on the result, the connection waits for
    /// the next command, authenticates the peer, waits to be attached to a socket, or checks the properties of the
    /// peer.
    fn proceed(
        &mut self,
        progress: Progress,
        deadline: Option<Instant>,
        side: HandshakeOwner,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        match progress {
            Progress::Continue(mechanism) => self.phase = Phase::Handshake { mechanism, deadline, side },
            Progress::Authenticate(credentials, mechanism) => {
                self.phase = Phase::Handshake { mechanism, deadline, side };
                match self.authenticate(credentials, now) {
                    Ok(None) => {}
                    Ok(Some(reply)) => {
                        self.pending_auth = None;
                        return self.handshake(|mechanism, out| mechanism.answer(reply, out), now);
                    }
                    Err(error) => {
                        // A ZAP handler may be bound at any time (RFC 27), so the refusal is temporary: no ERROR is sent.
                        let later = AuthReply::Reject(AuthStatus::TemporaryError);
                        let _ = self.handshake(|mechanism, out| mechanism.answer(later, out), now);
                        return Err(error);
                    }
                }
            }
            Progress::MetadataReceived(theirs, ready_pending) => match side {
                HandshakeOwner::AcceptingSocket { .. } if self.config.socket_type.rejects_peers() => {
                    self.await_admission(theirs, ready_pending, deadline)?;
                }
                HandshakeOwner::Socket | HandshakeOwner::AcceptingSocket { .. } => {
                    self.finish_handshake(theirs, ready_pending, now)?;
                }
                HandshakeOwner::SharedListener => self.wait_for_socket(theirs, ready_pending, deadline)?,
            },
            Progress::Done(theirs, established) => {
                let info = self.check_properties(theirs)?;
                self.establish(info, established, now);
            }
        }
        Ok(())
    }

    /// Returns the maximum time for which our READY is delayed until the READY of the peer arrives.
    fn max_ready_delay(&self) -> Duration {
        let half = self.config.handshake_timeout.map(|timeout| timeout / 2);
        half.map_or(MAX_READY_DELAY, |half| half.min(MAX_READY_DELAY))
    }

    /// Sends our READY, although the READY of the peer has not arrived.
    pub(super) fn stop_holding_ready(&mut self) {
        if let Phase::Handshake { mechanism, side: HandshakeOwner::AcceptingSocket { ready_at }, .. } = &mut self.phase
        {
            *ready_at = None;
            mechanism.stop_holding_ready(self.config.metadata(), self.outbox.ahead());
        }
    }

    /// Checks the properties of the peer, and makes the connection wait until its socket has admitted the peer.
    pub(super) fn await_admission(
        &mut self,
        theirs: Metadata,
        ready_pending: ReadyPending,
        deadline: Option<Instant>,
    ) -> Result<(), ConnectionError> {
        let info = self.check_properties(theirs)?;
        let peer = Arc::new(self.peer_of(info, ready_pending.identity().clone()));
        self.phase = Phase::AwaitingAdmission(Box::new(Candidate { peer, ready_pending, deadline }));
        Ok(())
    }

    /// Sends our READY, because the socket has admitted the peer, and ends the handshake. Does nothing if the peer does
    /// not wait to be admitted.
    pub(super) fn finish_admission(&mut self) {
        if !matches!(self.phase, Phase::AwaitingAdmission(_)) {
            return;
        }
        let Phase::AwaitingAdmission(candidate) = core::mem::replace(&mut self.phase, Phase::Closed) else { return };
        let outcome = candidate.ready_pending.send_ready(&self.config.metadata(), self.outbox.ahead());
        self.begin_traffic(candidate.peer, outcome, self.now);
    }

    /// Checks the properties of the peer, sends our READY, and ends the handshake.
    pub(super) fn finish_handshake(
        &mut self,
        theirs: Metadata,
        ready_pending: ReadyPending,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let info = self.check_properties(theirs)?;
        let established = ready_pending.send_ready(&self.config.metadata(), self.outbox.ahead());
        self.establish(info, established, now);
        Ok(())
    }

    /// Checks the properties that the peer sent in READY or INITIATE, and returns them. If the socket type of the peer
    /// is incompatible with this side, also queues an ERROR command for the peer before the error is returned.
    fn check_properties(&mut self, metadata: Metadata) -> Result<PeerInfo, ConnectionError> {
        let name = metadata.get(SOCKET_TYPE).ok_or(ConnectionError::MissingSocketType)?;
        let socket_type = SocketType::from_name(name).ok_or(ConnectionError::UnknownSocketType)?;
        self.check_socket_type(socket_type).inspect_err(|_| {
            // RFC 37 requires an ERROR here. libzmq closes the connection without one, so that its peer cannot log a
            // reason.
            self.outbox.push_command(&Command::Error(Bytes::from_static(b"incompatible socket type")));
        })?;
        let routing_id = metadata.get(IDENTITY).map(|id| Frame::copy_from_slice(id)).unwrap_or_default();
        if routing_id.len() > 255 {
            return Err(DecodeError::RoutingId.into());
        }
        Ok(PeerInfo { socket_type, routing_id, metadata })
    }

    /// Returns an error if this side is not compatible with the peer's socket type.
    pub(super) fn check_socket_type(&self, theirs: SocketType) -> Result<(), ConnectionError> {
        let ours = self.config.socket_type;
        if ours.peers().contains(&theirs) { Ok(()) } else { Err(ConnectionError::Incompatible { ours, theirs }) }
    }

    /// Ends the handshake, so that messages can be exchanged. The properties of the peer in `info` are already
    /// checked. `established` is the result of the security mechanism.
    pub(super) fn establish(&mut self, info: PeerInfo, mut established: HandshakeOutcome, now: Instant) {
        let identity = core::mem::take(&mut established.identity);
        let peer = Arc::new(self.peer_of(info, identity));
        self.begin_traffic(peer, established, now);
    }

    /// Returns the properties of the peer: `info`, which the peer sent, and `identity`, which authentication assigned.
    fn peer_of(&mut self, info: PeerInfo, identity: AuthIdentity) -> Peer {
        let PeerInfo { socket_type, routing_id, metadata } = info;
        let AuthIdentity { user_id, properties } = identity;
        let (version, credentials) = (self.version, self.credentials);
        let address = self.origin.take().map(|origin| *origin);
        Peer { socket_type, routing_id, version, metadata, user_id, properties, credentials, address }
    }

    /// Ends the handshake with `peer`. `established` is the result of the security mechanism; its identity is already in
    /// `peer`.
    #[cfg_attr(
        not(feature = "curve"),
        expect(unused_variables, clippy::needless_pass_by_value, reason = "only CURVE has a cipher")
    )]
    fn begin_traffic(&mut self, peer: Arc<Peer>, established: HandshakeOutcome, now: Instant) {
        // RFC 23 (ZMTP 3.0) has no PING, so a strict peer would treat PING as a protocol error; and RFC 48 allows only
        // messages with a group to be sent to a DISH.
        if self.version >= Version::V3_1 && peer.socket_type != SocketType::Dish {
            self.heartbeat.start(now);
        }
        // These values are needed in the handshake only.
        self.origin = None;
        self.waker = None;
        self.properties = peer.metadata.held_bytes();
        #[cfg(feature = "curve")]
        if let Some((sealer, opener)) = established.cipher {
            self.outbox.open_sealed(self.version, sealer);
            self.phase = Phase::Sealed(peer, Box::new(opener));
            return;
        }
        self.outbox.open(self.version);
        self.phase = Phase::Traffic(peer);
    }
}
