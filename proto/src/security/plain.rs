//! PLAIN: the client sends a user name and a password in clear text; the server accepts or rejects them (RFC 24).

use super::{
    AuthCredentials, AuthIdentity, AuthReply, AuthStatus, HandshakeOutcome, Mechanism, Progress, ReadyPending,
};
use crate::security::error::MechanismError;
use crate::security::settings::PlainCredentials;
use crate::wire::{DecodeError, FrameHead, Metadata, handshake};
use alloc::vec::Vec;
use bytes::Bytes;

/// States of the client in the PLAIN handshake.
///
/// ```text
/// start ── HELLO sent ──► Hello ── WELCOME received, INITIATE sent ──► Initiate ── READY received ──► done
/// ```
#[derive(Debug)]
pub(crate) enum PlainClient {
    /// HELLO with user name and password is sent; waits for WELCOME. `ours` is the metadata of this side, which is sent
    /// in INITIATE.
    Hello { ours: Metadata },
    /// INITIATE with our metadata is sent; waits for READY.
    Initiate,
}

/// States of the server in the PLAIN handshake. `MetadataReceived` is a variant of [`Progress`].
///
/// ```text
/// start ──► Waiting ── HELLO received ──► Authenticating ── AuthReply accepts the client, WELCOME sent ──►
///           Welcome ── INITIATE received ──► MetadataReceived
/// ```
#[derive(Debug)]
pub(crate) enum PlainServer {
    /// Waits for HELLO, which contains the user name and the password of the client.
    Waiting,
    /// Waits for the reply of the authenticator. A command of the client in this state is an error.
    Authenticating,
    /// WELCOME is sent; waits for INITIATE. Carries the identity that the authenticator assigned to the client.
    Welcome(AuthIdentity),
}

impl PlainClient {
    pub(super) fn start(login: &PlainCredentials, ours: Metadata, out: &mut Vec<u8>) -> Self {
        let length = |text: &Bytes| [u8::try_from(text.len()).expect("`plain_client` limits both to 255 bytes")];
        let (username, password) = (&login.username, &login.password);
        handshake::encode(b"HELLO", &[&length(username), username, &length(password), password], out);
        Self::Hello { ours }
    }

    pub(super) fn step(self, body: &[u8], out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        if let Some(reason) = body.strip_prefix(GARBLED_ERROR) {
            return Err(MechanismError::Refused(Bytes::copy_from_slice(reason)));
        }
        match (self, handshake::split(body)?) {
            (_, (b"ERROR", rest)) => Err(MechanismError::Refused(handshake::reason(rest, "ERROR")?)),
            (_, (b"CLOSE", rest)) => Err(MechanismError::Closed(handshake::reason(rest, "CLOSE")?)),
            (_, (b"HELLO", _)) => Err(MechanismError::SameRole { server: false }),
            (Self::Hello { ours }, (b"WELCOME", b"")) => {
                let mut properties = Vec::new();
                ours.encode(&mut properties);
                handshake::encode(b"INITIATE", &[&properties], out);
                Ok(Progress::Continue(Self::Initiate.into()))
            }
            (Self::Hello { .. }, (b"WELCOME", _)) => Err(DecodeError::CommandBody("WELCOME").into()),
            (Self::Hello { .. }, _) => Err(MechanismError::Unexpected("a command other than WELCOME answered HELLO")),
            (Self::Initiate, (b"READY", properties)) => {
                Ok(Progress::Done(Metadata::decode(properties)?, HandshakeOutcome::new(AuthIdentity::default())))
            }
            (Self::Initiate, _) => Err(MechanismError::Unexpected("a command other than READY answered INITIATE")),
        }
    }
}

impl PlainServer {
    pub(super) fn step(self, body: &[u8]) -> Result<Progress, MechanismError> {
        match (self, handshake::split(body)?) {
            (_, (b"ERROR", rest)) => Err(MechanismError::Refused(handshake::reason(rest, "ERROR")?)),
            (Self::Waiting, (b"HELLO", login)) => {
                let (username, password) = read_login(login).ok_or(DecodeError::CommandBody("HELLO"))?;
                Ok(Progress::Authenticate(AuthCredentials::Plain { username, password }, Self::Authenticating.into()))
            }
            (Self::Waiting, _) => Err(MechanismError::Unexpected("a command other than HELLO came first")),
            (Self::Authenticating, _) => Err(MechanismError::Unexpected("a command came before WELCOME")),
            (Self::Welcome(identity), (b"INITIATE", properties)) => {
                Ok(Progress::MetadataReceived(Metadata::decode(properties)?, ReadyPending::Ready(identity)))
            }
            (Self::Welcome(_), _) => Err(MechanismError::Unexpected("a command other than INITIATE answered WELCOME")),
        }
    }

    pub(super) fn answer(self, reply: AuthReply, out: &mut Vec<u8>) -> Result<Progress, MechanismError> {
        match (self, reply) {
            (Self::Authenticating, AuthReply::Accept { user_id, properties }) => {
                handshake::encode(b"WELCOME", &[], out);
                Ok(Progress::Continue(Self::Welcome(AuthIdentity { user_id, properties }).into()))
            }
            (Self::Authenticating, AuthReply::Reject(denial)) => Err(refuse(denial, out)),
            (other, _) => Ok(Progress::Continue(other.into())),
        }
    }
}

/// Start of the malformed ERROR command of PLAIN in libzmq. Its source contains `"\x05ERROR"`, where `\x05` was meant as
/// the length of the name. C++ reads `\x05E` as one escape, so the command begins with the byte 0x5E and then `RROR`.
/// The last byte is the length of the reason, which always has three bytes.
const GARBLED_ERROR: &[u8] = b"\x5eRROR\x03";

/// Sends ERROR with the status in the form of libzmq, except for a temporary refusal, after which the connection is only
/// closed. Returns the error with which the handshake ends.
// The form of RFC 24 is an unexpected command to every client of libzmq, so that a wrong password is reported as a
// protocol error. The form of libzmq is malformed to the few clients that implement RFC 24 alone: they end the connection
// too, without the reason. The client of this crate reads both forms. Nothing in the client's greeting or HELLO shows to
// which of the two kinds the client belongs.
fn refuse(status: AuthStatus, out: &mut Vec<u8>) -> MechanismError {
    // RFC 37: ERROR is fatal, and libzmq never dials again after it.
    if status == AuthStatus::TemporaryError {
        return MechanismError::Denied(status);
    }
    let reason = status.code();
    let size = (GARBLED_ERROR.len() + reason.len()) as u64;
    FrameHead { command: true, more: false, size }.encode(out);
    out.extend_from_slice(GARBLED_ERROR);
    out.extend_from_slice(reason.as_bytes());
    MechanismError::Denied(status)
}

/// Decodes user name and password from the body of a HELLO. Returns `None` if the body is too short or too long.
fn read_login(mut body: &[u8]) -> Option<(Bytes, Bytes)> {
    let mut next = || {
        let (&len, rest) = body.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(len))?;
        body = rest;
        Some(Bytes::copy_from_slice(text))
    };
    let login = (next()?, next()?);
    body.is_empty().then_some(login)
}

impl From<PlainClient> for Mechanism {
    fn from(state: PlainClient) -> Self {
        Self::PlainClient(state)
    }
}

impl From<PlainServer> for Mechanism {
    fn from(state: PlainServer) -> Self {
        Self::PlainServer(state)
    }
}
