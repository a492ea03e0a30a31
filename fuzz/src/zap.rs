//! Fuzz target for the messages of ZAP (RFC 27).

use super::bounded;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::Message;
use sansmq_proto::security::curve::PublicKey;
use sansmq_proto::security::zap::Request;
use sansmq_proto::security::{AuthCredentials, AuthReply, AuthRequest, AuthStatus};

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    id: &'a [u8],
    domain: &'a str,
    address: &'a str,
    login: Login<'a>,
    user_id: Option<&'a [u8]>,
    denial: Option<u8>,
    /// Frames of a request or reply that another program sends.
    frames: Vec<&'a [u8]>,
}

#[derive(Arbitrary, Debug)]
enum Login<'a> {
    Null,
    Plain(&'a [u8], &'a [u8]),
    Curve([u8; 32]),
}

/// Checks that requests and replies are unchanged after encoding and decoding, and that a valid message of another program has
/// one meaning.
pub fn zap(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let credentials = match scenario.login {
        Login::Null => AuthCredentials::Null,
        Login::Curve(key) => AuthCredentials::Curve(PublicKey::from_bytes(key)),
        Login::Plain(username, password) => {
            let cut = |text: &[u8]| text[..text.len().min(255)].to_vec().into();
            AuthCredentials::Plain { username: cut(username), password: cut(password) }
        }
    };
    let mut auth = AuthRequest::new(credentials);
    (auth.domain, auth.address) = (scenario.domain.into(), scenario.address.into());
    let request = Request { id: scenario.id.into(), auth };
    assert_eq!(Request::read(&request.to_message()).as_ref(), Ok(&request));
    let reply = match scenario.denial {
        None => match scenario.user_id {
            None => AuthReply::accept(),
            Some(user_id) => AuthReply::accept_as(user_id.to_vec()),
        },
        Some(status) => AuthReply::Reject(
            [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError][usize::from(status % 3)],
        ),
    };
    let read = request.read_reply(&request.reply(&reply)).expect("own output is valid input");
    // An empty user id is no user id.
    let is_empty = scenario.user_id.is_some_and(<[u8]>::is_empty);
    assert!(read == reply || is_empty, "{reply:?} is decoded as {read:?}");
    let Some(message) = Message::from_frames(scenario.frames.iter().copied()) else { return };
    if let Ok(other) = Request::read(&message) {
        assert_eq!(Request::read(&other.to_message()), Ok(other));
    }
    if let Ok(reply) = request.read_reply(&message) {
        assert_eq!(request.read_reply(&request.reply(&reply)).ok(), Some(reply));
    }
}
