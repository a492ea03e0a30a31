//! NULL: no security; each side sends READY (RFC 37, "The NULL Security Mechanism").

use super::{AuthCredentials, AuthIdentity, AuthReply, HandshakeOutcome, Mechanism, Progress, ReadyPending, refuse};
use crate::security::error::MechanismError;
use crate::wire::{Command, Metadata, handshake};
use alloc::vec::Vec;

/// States of the NULL handshake. `Done` and `MetadataReceived` are variants of [`Progress`].
///
/// ```text
/// start          ── the peer must be authenticated ─────────► Authenticating
/// start          ── no authentication, our READY sent ──────► Greeted
/// start          ── no authentication, our READY delayed ───► Listening
/// Authenticating ── peer accepted, our READY sent ──────────► Greeted
/// Authenticating ── peer accepted, our READY delayed ───────► Listening
/// Greeted        ── the peer's READY received ──────────────► Done
/// Listening      ── the peer's READY received ──────────────► MetadataReceived
/// ```
///
/// Our READY is delayed if our metadata is not known yet, or if the socket may reject the peer. If the READY of the peer arrives during `Authenticating`, it
/// is stored, and processed when the peer is accepted.
#[derive(Debug)]
pub(crate) enum Null {
    /// Waits for the reply of the authenticator. `ours` is the metadata for the READY of this side, or `None` if it is
    /// not known yet. `theirs` is the metadata of the peer, or `None` until the READY of the peer arrives.
    Authenticating { ours: Option<Metadata>, theirs: Option<Metadata> },
    /// Waits for the READY of the peer, after our READY was sent. Carries the identity that the authenticator assigned
    /// to the peer.
    Greeted(AuthIdentity),
    /// Waits for the READY of the peer before our READY is sent, because several sockets share the port, or because the
    /// socket may reject the peer. At a shared port the READY of the peer selects one of the sockets, so the metadata for
    /// our READY is not known earlier. Carries the identity that the authenticator assigned to the peer.
    Listening(AuthIdentity),
}

impl Null {
    pub(super) fn start(ask: bool, ours: Option<Metadata>, out: &mut Vec<u8>) -> Progress {
        if ask {
            return Progress::Authenticate(AuthCredentials::Null, Self::Authenticating { ours, theirs: None }.into());
        }
        Self::admitted(AuthIdentity::default(), ours, None, out)
    }

    /// Sends READY although the READY of the peer has not arrived, if the peer is accepted; otherwise sends it as soon as
    /// the peer is accepted. `ours` is the metadata of this side. Does nothing if the READY of the peer has arrived.
    pub(super) fn stop_holding_ready(&mut self, metadata: Metadata, out: &mut Vec<u8>) {
        match self {
            Self::Listening(identity) => {
                let identity = core::mem::take(identity);
                Command::Ready(metadata).encode(out);
                *self = Self::Greeted(identity);
            }
            Self::Authenticating { ours: ours @ None, theirs: None } => *ours = Some(metadata),
            Self::Authenticating { .. } | Self::Greeted(_) => {}
        }
    }

    /// Continues the NULL handshake after the authenticator has accepted the peer. `ours` is the metadata of this side,
    /// or `None` if this metadata is not known yet. If it is known, appends the READY of this side to `out`. `theirs`
    /// is the metadata of the peer, or `None` if the READY of the peer has not arrived.
    fn admitted(
        identity: AuthIdentity,
        ours: Option<Metadata>,
        theirs: Option<Metadata>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let ready_sent = ours.is_some();
        if let Some(ours) = ours {
            Command::Ready(ours).encode(out);
        }
        match theirs {
            Some(theirs) if ready_sent => Progress::Done(theirs, HandshakeOutcome::new(identity)),
            Some(theirs) => Progress::MetadataReceived(theirs, ReadyPending::Ready(identity)),
            None if ready_sent => Progress::Continue(Self::Greeted(identity).into()),
            None => Progress::Continue(Self::Listening(identity).into()),
        }
    }

    pub(super) fn step(self, body: &[u8]) -> Result<Progress, MechanismError> {
        let theirs = match handshake::split(body)? {
            (b"READY", properties) => Metadata::decode(properties)?,
            (b"ERROR", rest) => return Err(MechanismError::Refused(handshake::reason(rest, "ERROR")?)),
            (b"CLOSE", rest) => return Err(MechanismError::Closed(handshake::reason(rest, "CLOSE")?)),
            _ => return Err(MechanismError::Unexpected("a command other than READY came before READY")),
        };
        match self {
            Self::Greeted(identity) => Ok(Progress::Done(theirs, HandshakeOutcome::new(identity))),
            Self::Listening(identity) => Ok(Progress::MetadataReceived(theirs, ReadyPending::Ready(identity))),
            Self::Authenticating { ours, theirs: None } => {
                Ok(Progress::Continue(Self::Authenticating { ours, theirs: Some(theirs) }.into()))
            }
            Self::Authenticating { theirs: Some(_), .. } => Err(MechanismError::Unexpected("READY came twice")),
        }
    }

    pub(super) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match (self, reply) {
            (Self::Authenticating { ours, theirs }, AuthReply::Accept { user_id, properties }) => {
                Ok(Self::admitted(AuthIdentity { user_id, properties }, ours, theirs, out))
            }
            (Self::Authenticating { theirs, .. }, AuthReply::Reject(denial)) => {
                Err(refuse(denial, theirs.as_ref(), out))
            }
            (other, _) => Ok(Progress::Continue(other.into())),
        }
    }
}

impl From<Null> for Mechanism {
    fn from(state: Null) -> Self {
        Self::Null(state)
    }
}
