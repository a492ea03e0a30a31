//! The handshake after the greeting: one consuming state machine per mechanism.
//!
//! A step takes the state and gives the next one, so a stale state cannot be used. A mechanism may stop to ask the
//! outside a question (who is this, may it come in?); the answer arrives whenever it arrives.

mod null;

use crate::config::ConnectionConfig;
use crate::error::ConnectionError;
use crate::wire::{Command, MechanismName, Metadata};
use bytes::Bytes;

pub(crate) use null::Null;

/// A handshake on its way.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(Null),
}

/// Where a step has led.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The peer is to speak next.
    More(Mechanism),
    /// The outside is to decide; the peer may speak meanwhile.
    Ask(AuthRequest, Mechanism),
    /// Both sides are ready.
    Done(Established),
}

/// What a finished handshake leaves behind.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) metadata: Metadata,
    pub(crate) user_id: Option<Bytes>,
}

/// A peer asks to come in: decide, and answer with [`Connection::handle_auth_reply`](crate::Connection::handle_auth_reply).
///
/// The question of RFC 27 (ZAP), as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The mechanism in use.
    pub mechanism: MechanismName,
}

/// The answer to an [`AuthRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthReply {
    /// The peer may come in, as this user if it is known which.
    Accept {
        /// Ends up in [`Peer::user_id`](crate::Peer::user_id); a peer cannot choose it itself.
        user_id: Option<Bytes>,
    },
    /// The peer may not; RFC 27 knows the status 300 (try later), 400 (refused) and 500 (our own failure).
    Refuse(u16),
}

impl Mechanism {
    /// Begins the handshake this side is configured for; what it has to say goes to `out`.
    pub(crate) fn start(config: &ConnectionConfig, out: &mut dyn FnMut(Command)) -> Progress {
        Null::start(config, out)
    }

    /// The peer spoke.
    pub(crate) fn step(self, command: Command, out: &mut dyn FnMut(Command)) -> Result<Progress, ConnectionError> {
        match (self, command) {
            (_, Command::Error(reason)) => Err(ConnectionError::Refused(reason)),
            (Self::Null(state), command) => state.step(command, out),
        }
    }

    /// The outside answered.
    pub(crate) fn answer(self, reply: AuthReply, out: &mut dyn FnMut(Command)) -> Result<Progress, ConnectionError> {
        match self {
            Self::Null(state) => state.answer(reply, out),
        }
    }
}
