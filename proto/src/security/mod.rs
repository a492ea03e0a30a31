//! Security handshakes, which follow the greeting: one state machine per mechanism and role.
//!
//! A step consumes the state and returns the next state, so an outdated state cannot be used. A handshake can wait for
//! the authentication of the peer by the application; the reply of the application can arrive at any later time.

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
pub(crate) use auth::{AuthAddress, AuthFacts, Handler};
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

/// Random values for a handshake. They are drawn when the connection is created, because no source of randomness is
/// available later.
#[derive(Debug, Default)]
pub(crate) struct HandshakeEntropy {
    #[cfg(feature = "curve")]
    ephemeral_keys: Option<Box<EphemeralKeys>>,
}

/// The settings of a connection that the security mechanism needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MechanismConfig<'a> {
    pub(crate) security: &'a Security,
    /// True if the authenticator must decide about peers of the NULL mechanism too, although these send no credentials.
    pub(crate) authenticates_null: bool,
}

/// State of the security handshake of one connection.
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

/// Part of the handshake that the peer has not answered yet, and because of which it may close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer checks the credentials of this side: a user name and a password, or a public key.
    #[cfg(any(feature = "plain", feature = "curve"))]
    Credentials,
    /// The peer checks that this side has its public key.
    #[cfg(feature = "curve")]
    ServerKey,
    /// The peer checks the metadata of this side, such as the socket type and the routing id.
    Metadata,
}

/// Result of a step of the security handshake.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The handshake waits for a command of the peer. Carries the new state of the handshake.
    Continue(Mechanism),
    /// The handshake waits until the authenticator has accepted or rejected the peer. Carries the credentials of the
    /// peer, and the new state of the handshake.
    Authenticate(AuthCredentials, Mechanism),
    /// The metadata of the peer has arrived. Next, this side must send its READY with [`ReadyPending::send_ready`].
    /// Carries the metadata of the peer.
    MetadataReceived(Metadata, ReadyPending),
    /// The handshake is complete. Carries the metadata of the peer, and the outcome: the identity that the
    /// authenticator assigned to the peer and, for CURVE, the state that encrypts and decrypts later frames.
    Done(Metadata, HandshakeOutcome),
}

/// A handshake that is complete as soon as this side has sent its READY.
#[derive(Debug)]
pub(crate) enum ReadyPending {
    /// READY will be sent in clear text, for NULL and PLAIN. Carries the identity that the authenticator assigned to
    /// the peer.
    Ready(AuthIdentity),
    /// READY will be sent encrypted, for CURVE. Carries the keys of the connection, and the identity that the
    /// authenticator assigned to the peer.
    #[cfg(feature = "curve")]
    Curve(Traffic, AuthIdentity),
}

/// Result of a complete security handshake: the identity that the authenticator assigned to the peer, and the
/// encryption of later frames.
#[derive(Debug)]
pub(crate) struct HandshakeOutcome {
    pub(crate) identity: AuthIdentity,
    /// Encryption of sent frames and decryption of received frames after the handshake. `None` for NULL and PLAIN.
    #[cfg(feature = "curve")]
    pub(crate) cipher: Option<(Sealer, Opener)>,
}

/// User id and properties that the authentication assigned to a peer. The peer cannot choose them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthIdentity {
    pub(crate) user_id: Option<Bytes>,
    pub(crate) properties: Metadata,
}

impl HandshakeEntropy {
    /// Draws the random values that the mechanism needs: for CURVE transient keys and nonces, otherwise nothing.
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
    /// Returns the random values for CURVE. The mechanism of the connection must be CURVE.
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
    /// Begins the handshake. If this side sends the first command, appends this command to `out`.
    ///
    /// `ours` is the metadata that this side sends. A PLAIN or CURVE client needs it. With the NULL mechanism, `None`
    /// delays the READY of this side until the metadata of the peer has arrived
    /// ([`stop_holding_ready`](Self::stop_holding_ready) ends the delay). A PLAIN or CURVE server ignores
    /// `ours`, because it always sends READY after it has received the metadata of the client.
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

    /// Processes a received command, and appends the next command of this side to `out`, if there is one. `body` is the
    /// body of the received command frame.
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

    /// Ends the delay of our READY until the READY of the peer arrives. `ours` is the metadata of this side. Only NULL has
    /// such a delay: the server of another mechanism always sends READY after the metadata of the peer has arrived.
    pub(crate) fn stop_holding_ready(&mut self, ours: Metadata, out: &mut Vec<u8>) {
        match self {
            Self::Null(state) => state.stop_holding_ready(ours, out),
            #[cfg(feature = "plain")]
            Self::PlainClient(_) | Self::PlainServer(_) => {}
            #[cfg(feature = "curve")]
            Self::CurveClient(_) | Self::CurveServer(_) => {}
        }
    }

    /// Returns the part of the handshake that this side has sent and the peer has not answered yet; `None` if there is
    /// none.
    pub(crate) const fn awaited_verdict(&self) -> Option<Verdict> {
        match self {
            Self::Null(Null::Greeted(_)) => Some(Verdict::Metadata),
            Self::Null(_) => None,
            #[cfg(feature = "plain")]
            Self::PlainClient(PlainClient::Hello { .. }) => Some(Verdict::Credentials),
            #[cfg(feature = "plain")]
            Self::PlainClient(PlainClient::Initiate) => Some(Verdict::Metadata),
            #[cfg(feature = "plain")]
            Self::PlainServer(_) => None,
            #[cfg(feature = "curve")]
            Self::CurveClient(CurveClient::Initiate(_)) => Some(Verdict::Credentials),
            #[cfg(feature = "curve")]
            Self::CurveClient(CurveClient::Hello(_)) => Some(Verdict::ServerKey),
            #[cfg(feature = "curve")]
            Self::CurveServer(_) => None,
        }
    }

    /// Returns the memory in bytes that the metadata of the peer holds, while the peer waits for authentication.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Null(Null::Authenticating { theirs, .. }) => theirs.as_ref().map_or(0, Metadata::held_bytes),
            Self::Null(_) => 0,
            #[cfg(feature = "plain")]
            Self::PlainClient(_) | Self::PlainServer(_) => 0,
            #[cfg(feature = "curve")]
            Self::CurveServer(state) => state.held_bytes(),
            #[cfg(feature = "curve")]
            Self::CurveClient(_) => 0,
        }
    }

    /// Continues the handshake with the `reply` of the authenticator, and appends the next command of this side to
    /// `out`. Called after [`step`](Self::step) or [`start`](Self::start) has returned [`Progress::Authenticate`].
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
    /// Returns the identity that the authenticator assigned to the peer.
    pub(crate) const fn identity(&self) -> &AuthIdentity {
        match self {
            Self::Ready(identity) => identity,
            #[cfg(feature = "curve")]
            Self::Curve(_, identity) => identity,
        }
    }

    /// Appends the READY of this side, with the metadata `ours`, to `out` and completes the handshake.
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

/// Rejects the peer: appends an ERROR command with the status code of `denial` to `out` (RFC 37, "ERROR"). For a
/// temporary error, appends a CLOSE command if the metadata of the peer, `theirs`, is known and announces that the peer
/// accepts CLOSE; otherwise appends nothing. Returns the error that ends the connection.
fn refuse(denial: AuthStatus, theirs: Option<&Metadata>, out: &mut Vec<u8>) -> MechanismError {
    // RFC 37: ERROR is fatal, and libzmq never dials again after it. A temporary refusal is a closed connection.
    if denial != AuthStatus::TemporaryError {
        Command::Error(Bytes::from_static(denial.code().as_bytes())).encode(out);
    } else if theirs.is_some_and(Metadata::accepts_close_reason) {
        Command::Close(Bytes::from_static(AUTH_TEMPORARY_ERROR.as_bytes())).encode(out);
    }
    MechanismError::Denied(denial)
}

/// Reason in the CLOSE command after [`AuthStatus::TemporaryError`].
pub(crate) const AUTH_TEMPORARY_ERROR: &str = "auth-temporary-error";
