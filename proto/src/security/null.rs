//! NULL: no security; each side says READY (RFC 37, "The NULL Security Mechanism").

use super::{AuthCredentials, AuthIdentity, AuthReply, HandshakeOutcome, Mechanism, Progress, ReadyPending, refuse};
use crate::security::error::MechanismError;
use crate::wire::{Command, Metadata, handshake};
use alloc::vec::Vec;

/// ```text
///          Asking ◄──┐                peer's READY
///     ┌──►   │  └────┘                is kept
///     │      │ answer
///   start ───┴──► Greeted ── peer's READY ──► done
///     │
///     └──(we have not said who we are)──► Listening ── peer's READY ──► introduced
/// ```
#[derive(Debug)]
pub(crate) enum Null {
    /// It waits for the answer to a question. `ours`, if known, is said after it; `theirs` may be here already.
    Asking { ours: Option<Metadata>, theirs: Option<Metadata> },
    /// Our READY is out.
    Greeted(AuthIdentity),
    /// Ours waits for theirs.
    Listening(AuthIdentity),
}

impl Null {
    pub(super) fn start(ask: bool, ours: Option<Metadata>, out: &mut Vec<u8>) -> Progress {
        if ask {
            return Progress::Ask(AuthCredentials::Null, Self::Asking { ours, theirs: None }.into());
        }
        Self::admitted(AuthIdentity::default(), ours, None, out)
    }

    /// The peer may come in.
    fn admitted(
        identity: AuthIdentity,
        ours: Option<Metadata>,
        theirs: Option<Metadata>,
        out: &mut Vec<u8>,
    ) -> Progress {
        let is_said = ours.is_some();
        if let Some(ours) = ours {
            Command::Ready(ours).encode(out);
        }
        match theirs {
            Some(theirs) if is_said => Progress::Done(theirs, HandshakeOutcome::new(identity)),
            Some(theirs) => Progress::MetadataReceived(theirs, ReadyPending::Ready(identity)),
            None if is_said => Progress::More(Self::Greeted(identity).into()),
            None => Progress::More(Self::Listening(identity).into()),
        }
    }

    pub(super) fn step(self, body: &[u8]) -> Result<Progress, MechanismError> {
        let theirs = match handshake::split(body)? {
            (b"READY", properties) => Metadata::decode(properties)?,
            (b"ERROR", rest) => return Err(MechanismError::Refused(handshake::reason(rest)?)),
            _ => return Err(MechanismError::Unexpected("a command other than READY came before READY")),
        };
        match self {
            Self::Greeted(identity) => Ok(Progress::Done(theirs, HandshakeOutcome::new(identity))),
            Self::Listening(identity) => Ok(Progress::MetadataReceived(theirs, ReadyPending::Ready(identity))),
            Self::Asking { ours, theirs: None } => {
                Ok(Progress::More(Self::Asking { ours, theirs: Some(theirs) }.into()))
            }
            Self::Asking { theirs: Some(_), .. } => Err(MechanismError::Unexpected("READY came twice")),
        }
    }

    pub(super) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match (self, reply) {
            (Self::Asking { ours, theirs }, AuthReply::Accept { user_id, properties }) => {
                Ok(Self::admitted(AuthIdentity { user_id, properties }, ours, theirs, out))
            }
            (Self::Asking { .. }, AuthReply::Refuse(denial)) => Err(refuse(denial, out)),
            (other, _) => Ok(Progress::More(other.into())),
        }
    }
}

impl From<Null> for Mechanism {
    fn from(state: Null) -> Self {
        Self::Null(state)
    }
}
