//! ZAP (RFC 27): encoding of authentication requests and replies as messages between two sockets of one process.
//!
//! A ZAP *handler* is a REP or ROUTER socket that an application binds to [`ENDPOINT`]. The other sockets of the same
//! context send a request to the handler for each connecting peer. A socket does so only if it has no
//! [authenticator](crate::Options::authenticator), and if it has a [domain](crate::Options::zap_domain) or is the
//! server of PLAIN or CURVE. Handlers that were written for libzmq work unchanged. In new code an authenticator is
//! simpler, because it needs no messages.
//!
//! A REP socket receives a request and sends the reply that this function returns:
//!
//! ```
//! use sansmq::{AuthReply, Message, zap};
//!
//! fn answer(message: &Message) -> Message {
//!     match zap::Request::read(message) {
//!         Ok(request) if request.auth.address == "127.0.0.1" => request.reply(&AuthReply::accept_as("this machine")),
//!         Ok(request) => request.reply(&AuthReply::reject()),
//!         // A REP must reply. A message that is not a ZAP reply rejects the peer.
//!         Err(error) => error.to_string().into(),
//!     }
//! }
//!
//! let request = Message::from(["1.0", "17", "global", "127.0.0.1", "", "NULL"]);
//! assert_eq!(answer(&request), Message::from(["1.0", "17", "200", "OK", "this machine", ""]));
//! ```
//!
//! A ROUTER socket receives requests with an envelope. Remove the envelope, and prepend it to the reply:
//!
//! ```
//! use sansmq::{AuthReply, Envelope, Message, zap};
//!
//! let message = Message::from(["routing id", "", "1.0", "17", "global", "127.0.0.1", "", "NULL"]);
//! let (envelope, request) = Envelope::parse(message).expect("the message has a delimiter");
//! let reply = envelope.seal(zap::Request::read(&request)?.reply(&AuthReply::reject()));
//! assert_eq!(reply.frames()[..5], ["routing id", "", "1.0", "17", "400"]);
//! # Ok::<(), zap::ZapError>(())
//! ```

#[cfg(feature = "curve")]
use super::curve::PublicKey;
use super::{AuthCredentials, AuthReply, AuthRequest, AuthStatus};
use crate::message::{Frame, Message};
use crate::wire::{DecodeError, Metadata};
use alloc::string::String;
use alloc::vec::Vec;
use thiserror::Error;

/// Endpoint that a ZAP handler binds. Other sockets of the same context send their authentication requests to this
/// endpoint.
pub const ENDPOINT: &str = "inproc://zeromq.zap.01";

const VERSION: &str = "1.0";

/// A request of RFC 27. Its message has these frames:
///
/// ```text
/// "1.0" | id | domain | address | routing id | mechanism | credentials…
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Id of this request. The handler repeats the id in its reply.
    pub id: Frame,
    /// Address and credentials of the peer to authenticate.
    pub auth: AuthRequest,
}

/// Error of a message that is not a valid ZAP request, or not a valid reply to a request.
#[doc(alias("ZMQ_PROTOCOL_ERROR_ZAP_MALFORMED_REPLY", "ZMQ_PROTOCOL_ERROR_ZAP_BAD_REQUEST_ID"))]
#[doc(alias("ZMQ_PROTOCOL_ERROR_ZAP_BAD_VERSION", "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_STATUS_CODE"))]
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZAP_INVALID_METADATA")]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ZapError {
    /// The message has the wrong number of frames. Carries the number of frames in the message.
    #[error("a ZAP request must have 6 frames and the credentials, a reply 6 frames; the message has {0}")]
    FrameCount(usize),
    /// The first frame is not the ZAP version `1.0`.
    #[error("the first frame must be the ZAP version 1.0; remove an envelope first")]
    Version,
    /// The reply carries the id of another request.
    #[error("the reply belongs to another request; it must repeat the id of the request")]
    RequestId,
    /// The domain or the address is not UTF-8. Carries the name of the invalid field: `domain` or `address`.
    #[error("the {0} is not UTF-8")]
    Text(&'static str),
    /// The mechanism of the request is unknown, or needs a cargo feature which is disabled. Carries the name of the
    /// mechanism.
    #[error("unknown mechanism {0:?}; known are NULL, and PLAIN and CURVE with the features `plain` and `curve`")]
    Mechanism(Frame),
    /// The credentials in the request are invalid for its mechanism. Carries the name of the mechanism, and a
    /// description of valid credentials.
    #[error("invalid credentials: {0} has {1}")]
    Credentials(&'static str, &'static str),
    /// The reply has a status code other than 200, 300, 400 and 500.
    #[error("the status must be 200, 300, 400 or 500")]
    Status,
    /// The metadata in the reply is malformed. Carries the error of decoding it.
    #[error("the metadata of the reply is malformed: {0}")]
    Metadata(#[from] DecodeError),
}

impl Request {
    /// Decodes a request, in the form that a REP socket receives: without an envelope.
    ///
    /// # Errors
    /// [`ZapError`] if the message is not a valid request.
    pub fn read(message: &Message) -> Result<Self, ZapError> {
        let [version, id, domain, address, routing_id, mechanism, credentials @ ..] = message.frames() else {
            return Err(ZapError::FrameCount(message.len()));
        };
        check_version(version)?;
        let auth = AuthRequest {
            domain: text(domain, "domain")?,
            address: text(address, "address")?,
            routing_id: routing_id.clone(),
            credentials: AuthCredentials::read(mechanism, credentials)?,
        };
        Ok(Self { id: id.clone(), auth })
    }

    /// Encodes the request, in the form that a REQ socket sends. A DEALER must prepend an empty frame.
    pub fn to_message(&self) -> Message {
        let AuthRequest { domain, address, routing_id, credentials } = &self.auth;
        let head =
            [VERSION.into(), self.id.clone(), domain.as_str().into(), address.as_str().into(), routing_id.clone()];
        Message::from_vec(head.into_iter().chain(credentials.to_frames()).collect())
    }

    /// Encodes the reply to this request, in the form that a REP socket sends.
    pub fn reply(&self, reply: &AuthReply) -> Message {
        let (status, status_text, user_id, metadata) = match reply {
            AuthReply::Accept { user_id, properties } => {
                let mut metadata = Vec::new();
                properties.encode(&mut metadata);
                let user_id = user_id.clone().map(Frame::from).unwrap_or_default();
                ("200".into(), "OK".into(), user_id, Frame::from(metadata))
            }
            AuthReply::Reject(denial) => (denial.code().into(), denial.meaning().into(), Frame::EMPTY, Frame::EMPTY),
        };
        Message::from([VERSION.into(), self.id.clone(), status, status_text, user_id, metadata])
    }

    /// Decodes a reply to this request, in the form that a REQ socket receives: without an envelope. If the reply
    /// rejects the peer, ignores the user id and the metadata of the reply.
    ///
    /// # Errors
    /// [`ZapError`] if the message is not a valid reply to this request.
    pub fn read_reply(&self, message: &Message) -> Result<AuthReply, ZapError> {
        let [version, id, status, _, user_id, metadata] = message.frames() else {
            return Err(ZapError::FrameCount(message.len()));
        };
        check_version(version)?;
        if *id != self.id {
            return Err(ZapError::RequestId);
        }
        if status == "200" {
            let user_id = (!user_id.is_empty()).then(|| user_id.clone().into_bytes());
            return Ok(AuthReply::Accept { user_id, properties: Metadata::decode(metadata)? });
        }
        AuthStatus::said_by(status).map(AuthReply::Reject).ok_or(ZapError::Status)
    }
}

impl AuthCredentials {
    fn read(mechanism: &Frame, credentials: &[Frame]) -> Result<Self, ZapError> {
        match (&mechanism[..], credentials) {
            (b"NULL", []) => Ok(Self::Null),
            (b"NULL", _) => Err(ZapError::Credentials("NULL", "no credentials")),
            #[cfg(feature = "plain")]
            (b"PLAIN", [username, password]) if username.len().max(password.len()) <= 255 => {
                Ok(Self::Plain { username: username.clone().into_bytes(), password: password.clone().into_bytes() })
            }
            #[cfg(feature = "plain")]
            (b"PLAIN", _) => {
                Err(ZapError::Credentials("PLAIN", "a user name and a password of at most 255 bytes each"))
            }
            #[cfg(feature = "curve")]
            (b"CURVE", credentials) => {
                let key = if let [key] = credentials { key.first_chunk().filter(|_| key.len() == 32) } else { None };
                let key = key.ok_or(ZapError::Credentials("CURVE", "a public key of 32 bytes"))?;
                Ok(Self::Curve(PublicKey::from_bytes(*key)))
            }
            _ => Err(ZapError::Mechanism(mechanism.clone())),
        }
    }

    /// Returns the frame with the name of the mechanism, and after it the frames of the credentials.
    fn to_frames(&self) -> Vec<Frame> {
        match self {
            Self::Null => ["NULL".into()].into(),
            #[cfg(feature = "plain")]
            Self::Plain { username, password } => {
                ["PLAIN".into(), username.clone().into(), password.clone().into()].into()
            }
            #[cfg(feature = "curve")]
            Self::Curve(key) => ["CURVE".into(), key.as_bytes().into()].into(),
        }
    }
}

fn check_version(frame: &Frame) -> Result<(), ZapError> {
    if frame == VERSION { Ok(()) } else { Err(ZapError::Version) }
}

fn text(frame: &Frame, what: &'static str) -> Result<String, ZapError> {
    String::from_utf8(frame.to_vec()).map_err(|_| ZapError::Text(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Bytes;

    fn request(credentials: AuthCredentials) -> Request {
        let auth =
            AuthRequest { domain: "global".into(), address: "192.0.2.1".into(), routing_id: "me".into(), credentials };
        Request { id: "0001".into(), auth }
    }

    fn plain() -> Request {
        request(AuthCredentials::Plain { username: "admin".into(), password: "secret".into() })
    }

    fn message(frames: &[&[u8]]) -> Message {
        Message::from_frames(frames.iter().copied()).unwrap()
    }

    #[test]
    fn requests_of_every_mechanism_have_the_form_of_rfc_27() {
        let key = [7; 32];
        let head: [&[u8]; 5] = [b"1.0", b"0001", b"global", b"192.0.2.1", b"me"];
        let cases: [(Request, &[&[u8]]); 3] = [
            (request(AuthCredentials::Null), &[b"NULL"]),
            (plain(), &[b"PLAIN", b"admin", b"secret"]),
            (request(AuthCredentials::Curve(PublicKey::from_bytes(key))), &[b"CURVE", &key]),
        ];
        for (request, credentials) in cases {
            let frames = message(&[&head, credentials].concat());
            assert_eq!(request.to_message(), frames);
            assert_eq!(Request::read(&frames), Ok(request));
        }
    }

    #[test]
    fn read_rejects_malformed_requests() {
        let assert_rejected = |frames: &[&[u8]], error| assert_eq!(Request::read(&message(frames)), Err(error));
        assert_rejected(&[b"1.0", b"1", b"", b"", b""], ZapError::FrameCount(5));
        assert_rejected(&[b"", b"1.0", b"1", b"", b"", b"", b"NULL"], ZapError::Version);
        assert_rejected(&[b"2.0", b"1", b"", b"", b"", b"NULL"], ZapError::Version);
        assert_rejected(&[b"1.0", b"1", b"\xff", b"", b"", b"NULL"], ZapError::Text("domain"));
        assert_rejected(&[b"1.0", b"1", b"", b"\xff", b"", b"NULL"], ZapError::Text("address"));
        for mechanism in ["GSSAPI", "null", ""] {
            assert_rejected(
                &[b"1.0", b"1", b"", b"", b"", mechanism.as_bytes()],
                ZapError::Mechanism(mechanism.into()),
            );
        }
        let long = vec![b'x'; 256];
        let wrong: [(&[u8], &[&[u8]]); 6] = [
            (b"NULL", &[b"x"]),
            (b"PLAIN", &[b"user"]),
            (b"PLAIN", &[b"user", b"password", b"x"]),
            (b"PLAIN", &[b"user", &long]),
            (b"CURVE", &[]),
            (b"CURVE", &[&[7; 31]]),
        ];
        for (mechanism, credentials) in wrong {
            let frames = [&[&b"1.0"[..], b"1", b"", b"", b"", mechanism], credentials].concat();
            assert!(matches!(Request::read(&message(&frames)), Err(ZapError::Credentials(..))), "{frames:?}");
        }
    }

    #[test]
    fn replies_round_trip() {
        let properties = Metadata::new().with("Group", "wheel").unwrap();
        let accepted = AuthReply::Accept { user_id: Some(Bytes::from_static(b"joe")), properties };
        let frames = message(&[b"1.0", b"0001", b"200", b"OK", b"joe", b"\x05Group\0\0\0\x05wheel"]);
        assert_eq!(plain().reply(&accepted), frames);
        let denials =
            [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError].map(AuthReply::Reject);
        for reply in denials.into_iter().chain([AuthReply::accept(), accepted]) {
            assert_eq!(plain().read_reply(&plain().reply(&reply)), Ok(reply));
        }
    }

    #[test]
    fn read_reply_rejects_malformed_replies() {
        let assert_rejected = |frames: &[&[u8]], error| assert_eq!(plain().read_reply(&message(frames)), Err(error));
        assert_rejected(&[b"1.0", b"0001", b"200", b"OK", b"joe"], ZapError::FrameCount(5));
        assert_rejected(&[b"1.0", b"0001", b"200", b"OK", b"joe", b"", b""], ZapError::FrameCount(7));
        assert_rejected(&[b"2.0", b"0001", b"200", b"OK", b"joe", b""], ZapError::Version);
        assert_rejected(&[b"1.0", b"1", b"200", b"OK", b"joe", b""], ZapError::RequestId);
        for status in ["", "100", "201", "600", "200 ", "2000"] {
            assert_rejected(&[b"1.0", b"0001", status.as_bytes(), b"OK", b"joe", b""], ZapError::Status);
        }
        let cut = b"\x05Group\0\0\0\x06wheel";
        assert_rejected(&[b"1.0", b"0001", b"200", b"OK", b"joe", cut], ZapError::Metadata(DecodeError::Property));
    }

    #[test]
    fn rejecting_reply_drops_user_id_and_metadata() {
        let reply = message(&[b"1.0", b"0001", b"400", b"no", b"joe", b"\x05Group\0\0\0\x05wheel"]);
        assert_eq!(plain().read_reply(&reply), Ok(AuthReply::reject()));
    }
}
