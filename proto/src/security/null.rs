//! NULL: no security; each side says READY (RFC 37, "The NULL Security Mechanism").

use super::{AuthReply, AuthRequest, Established, Mechanism, Progress};
use crate::config::ConnectionConfig;
use crate::error::ConnectionError;
use crate::wire::{Command, MechanismName, Metadata};
use bytes::Bytes;

/// ```text
///            start                 peer's READY
///   ────────────────────► Greeted ─────────────► done
///     │ (asks)                      answer
///     └─► Asking ◄──┐ ──────────────────────────► Greeted, or done if the peer's READY is here already
///            └──────┘ peer's READY is kept
/// ```
#[derive(Debug)]
pub(crate) enum Null {
    /// Our READY is out.
    Greeted { user_id: Option<Bytes> },
    /// Our READY waits for the answer to a question.
    Asking { ours: Metadata, theirs: Option<Metadata> },
}

impl Null {
    pub(super) fn start(config: &ConnectionConfig, out: &mut dyn FnMut(Command)) -> Progress {
        if config.authenticate {
            let state = Self::Asking { ours: config.metadata(), theirs: None };
            return Progress::Ask(AuthRequest { mechanism: MechanismName::NULL }, Mechanism::Null(state));
        }
        out(Command::Ready(config.metadata()));
        Progress::More(Mechanism::Null(Self::Greeted { user_id: None }))
    }

    pub(super) fn step(self, command: Command, _: &mut dyn FnMut(Command)) -> Result<Progress, ConnectionError> {
        let Command::Ready(metadata) = command else {
            return Err(ConnectionError::Unexpected("a command other than READY came before READY"));
        };
        match self {
            Self::Greeted { user_id } => Ok(Progress::Done(Established { metadata, user_id })),
            Self::Asking { ours, theirs: None } => {
                Ok(Progress::More(Mechanism::Null(Self::Asking { ours, theirs: Some(metadata) })))
            }
            Self::Asking { theirs: Some(_), .. } => Err(ConnectionError::Unexpected("READY came twice")),
        }
    }

    pub(super) fn answer(self, reply: AuthReply, out: &mut dyn FnMut(Command)) -> Result<Progress, ConnectionError> {
        let Self::Asking { ours, theirs } = self else {
            return Ok(Progress::More(Mechanism::Null(self)));
        };
        match reply {
            AuthReply::Accept { user_id } => {
                out(Command::Ready(ours));
                Ok(match theirs {
                    Some(metadata) => Progress::Done(Established { metadata, user_id }),
                    None => Progress::More(Mechanism::Null(Self::Greeted { user_id })),
                })
            }
            AuthReply::Refuse(status) => {
                out(Command::Error(alloc::format!("{status:03}").into()));
                Err(ConnectionError::Denied(status))
            }
        }
    }
}
