//! ZAP (RFC 27): the question whether a peer may come in, and its answer, as messages between two sockets of one process.
//! Knows no socket.
//!
//! A *handler* is a REP or ROUTER socket that an application binds to [`ENDPOINT`]. The runtimes' sockets of the same context
//! that have a [domain](crate::Options::zap_domain), or are the server of PLAIN or CURVE, and have no
//! [authenticator](crate::Options::authenticator), ask it about each of their peers. A function given to the socket needs no
//! messages, and is the shorter way; handlers that were written for libzmq go on working.
//!
//! A REP receives a request, and sends the reply that this function returns:
//!
//! ```
//! use sansmq_proto::Message;
//! use sansmq_proto::security::{AuthReply, zap};
//!
//! fn answer(message: &Message) -> Message {
//!     match zap::Request::read(message) {
//!         Ok(request) if request.auth.address == "127.0.0.1" => request.reply(&AuthReply::accept_as("this machine")),
//!         Ok(request) => request.reply(&AuthReply::refuse()),
//!         // A REP must reply; any message that is no ZAP reply rejects the peer.
//!         Err(error) => error.to_string().into(),
//!     }
//! }
//!
//! let question = Message::from(["1.0", "17", "global", "127.0.0.1", "", "NULL"]);
//! assert_eq!(answer(&question), Message::from(["1.0", "17", "200", "OK", "this machine", ""]));
//! ```
//!
//! What a ROUTER receives begins with an envelope, which has to be taken off, and put before the reply:
//!
//! ```
//! use sansmq_proto::security::{AuthReply, zap};
//! use sansmq_proto::message::Envelope;
//! use sansmq_proto::Message;
//!
//! let message = Message::from(["the way back", "", "1.0", "17", "global", "127.0.0.1", "", "NULL"]);
//! let (envelope, question) = Envelope::parse(message).expect("there is a delimiter");
//! let reply = envelope.seal(zap::Request::read(&question)?.reply(&AuthReply::refuse()));
//! assert_eq!(reply.frames()[..5], ["the way back", "", "1.0", "17", "400"]);
//! # Ok::<(), zap::ZapError>(())
//! ```

#[cfg(feature = "curve")]
use super::curve::PublicKey;
use super::{AuthCredentials, AuthReply, AuthRequest, AuthStatus};
use crate::message::{Frame, Message};
use crate::wire::{DecodeError, Metadata};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use thiserror::Error;

/// Where a handler is bound.
pub const ENDPOINT: &str = "inproc://zeromq.zap.01";

const VERSION: &str = "1.0";

/// A request of RFC 27. As a message:
///
/// ```text
/// "1.0" | id | domain | address | routing id | mechanism | credentials…
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What its sender calls it. The reply says it again.
    pub id: Frame,
    /// What is asked.
    pub auth: AuthRequest,
}

/// Why a message is no request, or no reply to one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ZapError {
    /// It has too few frames, or too many.
    #[error("a ZAP request has 6 frames and its credentials, a reply has 6, and this message {0}")]
    FrameCount(usize),
    /// It is of another version, or no message of ZAP at all.
    #[error("the first frame has to be 1.0, ZAP's version; an envelope has to be taken off before")]
    Version,
    /// It answers another request.
    #[error("the reply is to another request: it has to repeat the request's id")]
    RequestId,
    /// The domain or the address is no text.
    #[error("the {0} is not UTF-8")]
    Text(&'static str),
    /// The mechanism is not known here, be it that this program was built without it.
    #[error("the mechanism {0:?} is not known; NULL is, and PLAIN and CURVE with the features of those names")]
    Mechanism(Frame),
    /// The credentials are not what this mechanism has.
    #[error("the credentials of {0} are {1}")]
    Credentials(&'static str, &'static str),
    /// The status is none of RFC 27's.
    #[error("the status has to be 200, 300, 400 or 500")]
    Status,
    /// The properties of the peer cannot be read.
    #[error("the reply's metadata cannot be read: {0}")]
    Metadata(#[from] DecodeError),
}

impl Request {
    /// Reads a request, as a REP receives it.
    ///
    /// # Errors
    /// [`ZapError`]: it is none.
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

    /// The request as a REQ sends it. A DEALER sends an empty frame before it.
    pub fn to_message(&self) -> Message {
        let AuthRequest { domain, address, routing_id, credentials } = &self.auth;
        let head =
            [VERSION.into(), self.id.clone(), domain.as_str().into(), address.as_str().into(), routing_id.clone()];
        Message::from_vec(head.into_iter().chain(credentials.to_frames()).collect())
    }

    /// The reply to this request, as a REP sends it.
    pub fn reply(&self, reply: &AuthReply) -> Message {
        let (status, status_text, user_id, metadata) = match reply {
            AuthReply::Accept { user_id, properties } => {
                let mut metadata = Vec::new();
                properties.encode(&mut metadata);
                let user_id = user_id.clone().map(Frame::from).unwrap_or_default();
                ("200".into(), "OK".into(), user_id, Frame::from(metadata))
            }
            AuthReply::Refuse(denial) => {
                (denial.status().to_string().into(), denial.meaning().into(), Frame::EMPTY, Frame::EMPTY)
            }
        };
        Message::from([VERSION.into(), self.id.clone(), status, status_text, user_id, metadata])
    }

    /// Reads the reply to this request, as a REQ receives it. What a reply that refuses says of the peer is left out.
    ///
    /// # Errors
    /// [`ZapError`]: it is none.
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
        AuthStatus::said_by(status).map(AuthReply::Refuse).ok_or(ZapError::Status)
    }
}

impl AuthCredentials {
    fn read(mechanism: &Frame, credentials: &[Frame]) -> Result<Self, ZapError> {
        match (&mechanism[..], credentials) {
            (b"NULL", []) => Ok(Self::Null),
            (b"NULL", _) => Err(ZapError::Credentials("NULL", "none")),
            #[cfg(feature = "plain")]
            (b"PLAIN", [username, password]) if username.len().max(password.len()) <= 255 => {
                Ok(Self::Plain { username: username.clone().into_bytes(), password: password.clone().into_bytes() })
            }
            #[cfg(feature = "plain")]
            (b"PLAIN", _) => Err(ZapError::Credentials("PLAIN", "a user and a password, of at most 255 octets each")),
            #[cfg(feature = "curve")]
            (b"CURVE", credentials) => {
                let key = if let [key] = credentials { key.first_chunk().filter(|_| key.len() == 32) } else { None };
                let key = key.ok_or(ZapError::Credentials("CURVE", "a public key of 32 octets"))?;
                Ok(Self::Curve(PublicKey::from_octets(*key)))
            }
            _ => Err(ZapError::Mechanism(mechanism.clone())),
        }
    }

    /// The mechanism and what it has to show.
    fn to_frames(&self) -> Vec<Frame> {
        match self {
            Self::Null => ["NULL".into()].into(),
            #[cfg(feature = "plain")]
            Self::Plain { username, password } => {
                ["PLAIN".into(), username.clone().into(), password.clone().into()].into()
            }
            #[cfg(feature = "curve")]
            Self::Curve(key) => ["CURVE".into(), key.as_octets().into()].into(),
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
    fn requests_of_every_mechanism_are_as_rfc_27_has_them() {
        let key = [7; 32];
        let head: [&[u8]; 5] = [b"1.0", b"0001", b"global", b"192.0.2.1", b"me"];
        let cases: [(Request, &[&[u8]]); 3] = [
            (request(AuthCredentials::Null), &[b"NULL"]),
            (plain(), &[b"PLAIN", b"admin", b"secret"]),
            (request(AuthCredentials::Curve(PublicKey::from_octets(key))), &[b"CURVE", &key]),
        ];
        for (request, credentials) in cases {
            let frames = message(&[&head, credentials].concat());
            assert_eq!(request.to_message(), frames);
            assert_eq!(Request::read(&frames), Ok(request));
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        let refused = |frames: &[&[u8]], error| assert_eq!(Request::read(&message(frames)), Err(error));
        refused(&[b"1.0", b"1", b"", b"", b""], ZapError::FrameCount(5));
        refused(&[b"", b"1.0", b"1", b"", b"", b"", b"NULL"], ZapError::Version);
        refused(&[b"2.0", b"1", b"", b"", b"", b"NULL"], ZapError::Version);
        refused(&[b"1.0", b"1", b"\xff", b"", b"", b"NULL"], ZapError::Text("domain"));
        refused(&[b"1.0", b"1", b"", b"\xff", b"", b"NULL"], ZapError::Text("address"));
        for mechanism in ["GSSAPI", "null", ""] {
            refused(&[b"1.0", b"1", b"", b"", b"", mechanism.as_bytes()], ZapError::Mechanism(mechanism.into()));
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
    fn replies_come_back_as_they_were_given() {
        let properties = Metadata::new().with("Group", "wheel").unwrap();
        let accepted = AuthReply::Accept { user_id: Some(Bytes::from_static(b"joe")), properties };
        let frames = message(&[b"1.0", b"0001", b"200", b"OK", b"joe", b"\x05Group\0\0\0\x05wheel"]);
        assert_eq!(plain().reply(&accepted), frames);
        let denials =
            [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError].map(AuthReply::Refuse);
        for reply in denials.into_iter().chain([AuthReply::accept(), accepted]) {
            assert_eq!(plain().read_reply(&plain().reply(&reply)), Ok(reply));
        }
    }

    #[test]
    fn what_is_no_reply_to_the_request_is_refused_with_the_reason() {
        let refused = |frames: &[&[u8]], error| assert_eq!(plain().read_reply(&message(frames)), Err(error));
        refused(&[b"1.0", b"0001", b"200", b"OK", b"joe"], ZapError::FrameCount(5));
        refused(&[b"1.0", b"0001", b"200", b"OK", b"joe", b"", b""], ZapError::FrameCount(7));
        refused(&[b"2.0", b"0001", b"200", b"OK", b"joe", b""], ZapError::Version);
        refused(&[b"1.0", b"1", b"200", b"OK", b"joe", b""], ZapError::RequestId);
        for status in ["", "100", "201", "600", "200 ", "2000"] {
            refused(&[b"1.0", b"0001", status.as_bytes(), b"OK", b"joe", b""], ZapError::Status);
        }
        let cut = b"\x05Group\0\0\0\x06wheel";
        refused(&[b"1.0", b"0001", b"200", b"OK", b"joe", cut], ZapError::Metadata(DecodeError::Property));
    }

    #[test]
    fn a_reply_that_refuses_says_nothing_of_the_peer() {
        let reply = message(&[b"1.0", b"0001", b"400", b"no", b"joe", b"\x05Group\0\0\0\x05wheel"]);
        assert_eq!(plain().read_reply(&reply), Ok(AuthReply::refuse()));
    }
}
