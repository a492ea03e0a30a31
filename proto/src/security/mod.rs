//! The handshake after the greeting: one consuming state machine per mechanism and role.
//!
//! A step takes the state and gives the next one, so a stale state cannot be used. A mechanism may stop to ask the
//! outside a question (who is this, may it come in?); the answer arrives whenever it arrives.

mod allow_list;
mod auth;
#[cfg(feature = "curve")]
pub mod curve;
mod error;
mod null;
#[cfg(feature = "plain")]
mod plain;
mod settings;
pub mod zap;

use crate::entropy::Entropy;
use crate::time::Instant;
#[cfg(feature = "curve")]
use crate::wire::MechanismName;
use crate::wire::{Command, Metadata};
#[cfg(feature = "curve")]
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

pub use allow_list::AllowList;
pub use auth::{
    AuthCredentials, AuthOutcome, AuthReply, AuthRequest, AuthSource, AuthStatus, Authenticator, ZapHandler,
};
#[cfg(feature = "curve")]
use curve::{CurveClient, CurveServer, EphemeralKeys, Opener, Sealer, Traffic};
pub(crate) use error::MechanismError;
use null::Null;
#[cfg(feature = "plain")]
use plain::{PlainClient, PlainServer};
#[cfg(feature = "plain")]
pub use settings::PlainCredentials;
pub use settings::{Security, SecurityError};

/// The randomness that a handshake will need, drawn when its connection is made: by then it is not known yet whether it
/// comes so far, but who has randomness is at hand.
#[derive(Debug, Default)]
pub(crate) struct HandshakeEntropy {
    #[cfg(feature = "curve")]
    ephemeral_keys: Option<Box<EphemeralKeys>>,
}

/// The part of a connection's settings that its mechanism needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MechanismConfig<'a> {
    pub(crate) security: &'a Security,
    /// A peer of NULL is admitted only after authentication.
    pub(crate) authenticates_null: bool,
}

/// A handshake on its way.
#[derive(Debug)]
pub(crate) enum Mechanism {
    Null(Null),
    #[cfg(feature = "plain")]
    PlainClient(PlainClient),
    #[cfg(feature = "plain")]
    PlainServer(PlainServer),
    #[cfg(feature = "curve")]
    CurveClient(CurveClient),
    #[cfg(feature = "curve")]
    CurveServer(CurveServer),
}

/// Where a step has led.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The peer is to speak next.
    More(Mechanism),
    /// The outside is to decide.
    Ask(AuthCredentials, Mechanism),
    /// The peer has said who it is, and we are to say who we are.
    MetadataReceived(Metadata, ReadyPending),
    /// Both sides have said who they are: so did the peer.
    Done(Metadata, HandshakeOutcome),
}

/// A handshake that ends with our READY.
#[derive(Debug)]
pub(crate) enum ReadyPending {
    /// In clear.
    Ready(AuthIdentity),
    /// Encrypted.
    #[cfg(feature = "curve")]
    Curve(Traffic, AuthIdentity),
}

/// What a finished handshake leaves behind.
#[derive(Debug)]
pub(crate) struct HandshakeOutcome {
    pub(crate) identity: AuthIdentity,
    /// What encrypts and decrypts the traffic, if it is to be.
    #[cfg(feature = "curve")]
    pub(crate) cipher: Option<(Sealer, Opener)>,
}

/// What is known of a peer from others than itself.
#[derive(Debug, Default)]
pub(crate) struct AuthIdentity {
    pub(crate) user_id: Option<Bytes>,
    pub(crate) properties: Metadata,
}

impl HandshakeEntropy {
    /// As much as the mechanism needs.
    #[cfg_attr(not(feature = "curve"), expect(unused_variables, reason = "only CURVE needs randomness"))]
    pub(crate) fn draw(security: &Security, entropy: &mut dyn Entropy) -> Self {
        Self {
            #[cfg(feature = "curve")]
            ephemeral_keys: (security.mechanism() == MechanismName::CURVE)
                .then(|| Box::new(EphemeralKeys::draw(entropy))),
        }
    }
}

#[cfg(feature = "curve")]
impl HandshakeEntropy {
    /// What CURVE needs, which is there if [`draw`](Self::draw) knew that it would be CURVE.
    fn ephemeral_keys(self) -> EphemeralKeys {
        *self.ephemeral_keys.expect("it was drawn for the mechanism that is used")
    }
}

#[cfg_attr(
    not(feature = "curve"),
    allow(
        unused_variables,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::ptr_arg,
        reason = "only CURVE needs randomness and time, and can fail at its start; NULL has no second word"
    )
)]
impl Mechanism {
    /// Begins the handshake of `config` and appends the first command to `out`, if this side sends it.
    ///
    /// Without `ours` the peer must send its metadata first. A client cannot wait for that.
    pub(crate) fn start(
        config: MechanismConfig<'_>,
        ours: Option<Metadata>,
        entropy: HandshakeEntropy,
        out: &mut Vec<u8>,
    ) -> Result<Progress, MechanismError> {
        Ok(match config.security {
            Security::Null => Null::start(config.authenticates_null, ours, out),
            #[cfg(feature = "plain")]
            Security::PlainClient(login) => {
                Progress::More(PlainClient::start(login, ours.unwrap_or_default(), out).into())
            }
            #[cfg(feature = "plain")]
            Security::PlainServer => Progress::More(PlainServer::Waiting.into()),
            #[cfg(feature = "curve")]
            Security::CurveClient(keys) => {
                CurveClient::start(keys, entropy.ephemeral_keys(), ours.unwrap_or_default(), out)?
            }
            #[cfg(feature = "curve")]
            Security::CurveServer(keys) => CurveServer::start(keys, entropy.ephemeral_keys()),
        })
    }

    /// The peer spoke: the body of a command.
    pub(crate) fn step(self, body: &[u8], out: &mut Vec<u8>, now: Instant) -> Result<Progress, MechanismError> {
        match self {
            Self::Null(state) => state.step(body),
            #[cfg(feature = "plain")]
            Self::PlainClient(state) => state.step(body, out),
            #[cfg(feature = "plain")]
            Self::PlainServer(state) => state.step(body),
            #[cfg(feature = "curve")]
            Self::CurveClient(state) => state.step(body, out),
            #[cfg(feature = "curve")]
            Self::CurveServer(state) => state.step(body, out, now),
        }
    }

    /// The outside answered.
    pub(crate) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match self {
            Self::Null(state) => state.answer(reply, out),
            #[cfg(feature = "plain")]
            Self::PlainClient(state) => Ok(Progress::More(state.into())),
            #[cfg(feature = "plain")]
            Self::PlainServer(state) => state.answer(reply, out),
            #[cfg(feature = "curve")]
            Self::CurveClient(state) => Ok(Progress::More(state.into())),
            #[cfg(feature = "curve")]
            Self::CurveServer(state) => state.answer(reply, out),
        }
    }
}

impl ReadyPending {
    /// Says who we are.
    pub(crate) fn send_ready(self, ours: &Metadata, out: &mut Vec<u8>) -> HandshakeOutcome {
        match self {
            Self::Ready(identity) => {
                Command::Ready(ours.clone()).encode(out);
                HandshakeOutcome::new(identity)
            }
            #[cfg(feature = "curve")]
            Self::Curve(traffic, identity) => traffic.ready(ours, identity, out),
        }
    }
}

impl HandshakeOutcome {
    const fn new(identity: AuthIdentity) -> Self {
        Self {
            identity,
            #[cfg(feature = "curve")]
            cipher: None,
        }
    }

    #[cfg(feature = "curve")]
    const fn sealed(identity: AuthIdentity, cipher: (Sealer, Opener)) -> Self {
        Self { identity, cipher: Some(cipher) }
    }
}

/// Tells the peer that it may not come in (RFC 37, "ERROR"). libzmq says nothing for 300, and leaves the peer waiting.
fn refuse(denial: AuthStatus, out: &mut Vec<u8>) -> MechanismError {
    Command::Error(Bytes::from(alloc::format!("{}", denial.status()))).encode(out);
    MechanismError::Denied(denial)
}
