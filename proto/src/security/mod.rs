//! Security handshakes, which follow the greeting: one state machine per mechanism and role.
//!
//! A step consumes the state and returns the next state, so an outdated state cannot be used. A handshake may stop until
//! the application has authenticated the peer; the reply may arrive at any later time.

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

/// Random values for a handshake. Drawn when the connection is created, because later no source of randomness is available.
#[derive(Debug, Default)]
pub(crate) struct HandshakeEntropy {
    #[cfg(feature = "curve")]
    ephemeral_keys: Option<Box<EphemeralKeys>>,
}

/// The settings of a connection that the security mechanism needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MechanismConfig<'a> {
    pub(crate) security: &'a Security,
    /// True if a NULL peer must be authenticated.
    pub(crate) authenticates_null: bool,
}

/// State of a security handshake.
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

/// Result of a step of the handshake.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The handshake waits for a command of the peer.
    Continue(Mechanism),
    /// The handshake waits for the authentication of these credentials.
    Authenticate(AuthCredentials, Mechanism),
    /// The metadata of the peer has arrived, and our READY must be sent.
    MetadataReceived(Metadata, ReadyPending),
    /// The handshake is complete. Carries the metadata of the peer.
    Done(Metadata, HandshakeOutcome),
}

/// A handshake in which only our READY is missing.
#[derive(Debug)]
pub(crate) enum ReadyPending {
    /// READY in clear text.
    Ready(AuthIdentity),
    /// Encrypted READY.
    #[cfg(feature = "curve")]
    Curve(Traffic, AuthIdentity),
}

/// Result of a complete handshake.
#[derive(Debug)]
pub(crate) struct HandshakeOutcome {
    pub(crate) identity: AuthIdentity,
    /// Encryption and decryption of the traffic; `None` without CURVE.
    #[cfg(feature = "curve")]
    pub(crate) cipher: Option<(Sealer, Opener)>,
}

/// Identity of a peer according to the authentication, not to the peer itself.
#[derive(Debug, Default)]
pub(crate) struct AuthIdentity {
    pub(crate) user_id: Option<Bytes>,
    pub(crate) properties: Metadata,
}

impl HandshakeEntropy {
    /// Draws the values that the mechanism needs.
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
    /// Returns the values for CURVE, which [`draw`](Self::draw) has drawn if the mechanism is CURVE.
    fn ephemeral_keys(self) -> EphemeralKeys {
        *self.ephemeral_keys.expect("random values were drawn for the CURVE mechanism")
    }
}

#[cfg_attr(
    not(feature = "curve"),
    allow(
        unused_variables,
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        clippy::ptr_arg,
        reason = "only CURVE needs randomness and time, and can fail at its start; a step of NULL sends no command"
    )
)]
impl Mechanism {
    /// Begins the handshake. Appends the first command to `out` if this side sends it.
    ///
    /// `ours` is the metadata of this side. `None` makes a server wait for the metadata of the peer first; a client needs
    /// `ours`.
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
                Progress::Continue(PlainClient::start(login, ours.unwrap_or_default(), out).into())
            }
            #[cfg(feature = "plain")]
            Security::PlainServer => Progress::Continue(PlainServer::Waiting.into()),
            #[cfg(feature = "curve")]
            Security::CurveClient(keys) => {
                CurveClient::start(keys, entropy.ephemeral_keys(), ours.unwrap_or_default(), out)?
            }
            #[cfg(feature = "curve")]
            Security::CurveServer(keys) => CurveServer::start(keys, entropy.ephemeral_keys()),
        })
    }

    /// Processes a received command. `body` is the body of the command frame.
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

    /// Processes the reply of the authentication.
    pub(crate) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match self {
            Self::Null(state) => state.answer(reply, out),
            #[cfg(feature = "plain")]
            Self::PlainClient(state) => Ok(Progress::Continue(state.into())),
            #[cfg(feature = "plain")]
            Self::PlainServer(state) => state.answer(reply, out),
            #[cfg(feature = "curve")]
            Self::CurveClient(state) => Ok(Progress::Continue(state.into())),
            #[cfg(feature = "curve")]
            Self::CurveServer(state) => state.answer(reply, out),
        }
    }
}

impl ReadyPending {
    /// Appends our READY to `out` and completes the handshake.
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

/// Appends an ERROR with the status code to `out` (RFC 37, "ERROR"). libzmq sends nothing for 300, and leaves the peer
/// waiting.
fn refuse(denial: AuthStatus, out: &mut Vec<u8>) -> MechanismError {
    Command::Error(Bytes::from(alloc::format!("{}", denial.status()))).encode(out);
    MechanismError::Denied(denial)
}
