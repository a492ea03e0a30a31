//! Tests of a CURVE server with a client that builds its commands by hand, so that it can send correctly encrypted but
//! invalid commands.

use super::*;
use crate::security::curve::{
    BoxKey, CurveError, KeyPair, PublicKey, Role, Sealer, SecretKey, long_nonce, short_nonce,
};
use crate::security::{AuthSource, Security};

/// Content of the INITIATE command that a test sends.
struct Initiate {
    /// Counter that the nonce of the command contains.
    count: u64,
    /// Long-term public key of the client, as sent in the command.
    own: PublicKey,
    /// Secret key with which the vouch is encrypted. In a valid INITIATE, this is the long-term key of the client.
    voucher: SecretKey,
    /// The two keys in the vouch. In a valid INITIATE, these are the transient key of the client and the long-term key
    /// of the server.
    vouched: [PublicKey; 2],
    metadata: Vec<u8>,
}

/// Simulated CURVE client that has received WELCOME, together with the server connection under test.
struct Client {
    server: Connection,
    key: BoxKey,
    /// Transient public key of the server, from its WELCOME.
    theirs: PublicKey,
    cookie: Vec<u8>,
}

fn secret(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

fn long_term() -> SecretKey {
    secret(2)
}

fn transient() -> SecretKey {
    secret(3)
}

fn server_key() -> PublicKey {
    secret(1).public_key()
}

fn metadata(socket_type: &str) -> Vec<u8> {
    // The part of READY after the frame head and the command name.
    ready(socket_type)[8..].to_vec()
}

impl Initiate {
    /// Creates the content of a valid INITIATE. The client has the socket type `socket_type`.
    fn good(socket_type: &str) -> Self {
        let vouched = [transient().public_key(), server_key()];
        let metadata = metadata(socket_type);
        Self { count: 2, own: long_term().public_key(), voucher: long_term(), vouched, metadata }
    }
}

impl Client {
    fn welcome(server: SocketType, auth_source: AuthSource) -> Self {
        let security = Security::curve_server(KeyPair::from(secret(1)));
        let config = ConnectionConfig { security, auth_source, ..config(server) };
        let mut server = Connection::new(&config.into(), &mut SystemEntropy, NOW);
        let to_server = BoxKey::agreed(&server_key(), &transient()).unwrap();
        let signature = to_server.seal(&short_nonce(*b"CurveZMQHELLO---", 1), &[0; 64]);
        let public = transient().public_key();
        let hello = [&[1, 0][..], &[0; 72], public.as_bytes(), &1_u64.to_be_bytes(), &signature].concat();
        deliver(&mut server, &[greeting_with(3, 1, b"CURVE"), command("HELLO", &hello)].concat());

        let welcome = drain(&mut server).split_off(64 + 2 + 8);
        let nonce = long_nonce(*b"WELCOME-", welcome[..16].try_into().unwrap());
        let plain = to_server.open(&nonce, &welcome[16..]).expect("the WELCOME can be decrypted");
        let theirs = PublicKey::try_from(&plain[..32]).unwrap();
        let key = BoxKey::agreed(&theirs, &transient()).unwrap();
        Self { server, key, theirs, cookie: plain[32..].to_vec() }
    }

    /// Sends an INITIATE with this content to the server. The reply stays in the output of the server connection, from
    /// which the test can take it.
    fn initiate(&mut self, initiate: &Initiate) -> Result<(), ConnectionError> {
        let vouch_key = BoxKey::agreed(&self.theirs, &initiate.voucher).unwrap();
        let vouched = initiate.vouched.map(|key| *key.as_bytes()).concat();
        let vouch = vouch_key.seal(&long_nonce(*b"VOUCH---", *b"0123456789abcdef"), &vouched);
        let plain = [initiate.own.as_bytes(), &b"0123456789abcdef"[..], &vouch, &initiate.metadata].concat();
        let boxed = self.key.seal(&short_nonce(*b"CurveZMQINITIATE", initiate.count), &plain);
        let command = command("INITIATE", &[&self.cookie, &initiate.count.to_be_bytes()[..], &boxed].concat());
        self.server.handle_input(&command, NOW)
    }

    /// Creates a client that has finished its handshake with a server of the socket type `server`.
    fn ready(initiate: &Initiate, server: SocketType) -> Self {
        let mut client = Self::welcome(server, AuthSource::AnyKey);
        client.initiate(initiate).unwrap();
        assert!(client.server.peer().is_some());
        client
    }

    /// Sends a MESSAGE to the server. `count` is the counter in the nonce, `flags` are the flags inside the encrypted
    /// part.
    fn message(&mut self, count: u64, flags: u8, body: &[u8]) -> Result<(), ConnectionError> {
        let mut message = vec![];
        Sealer::new(&self.key, Role::Client, count).seal(&mut message, flags, body).unwrap();
        self.server.handle_input(&frame(0, &message), NOW)
    }
}

#[test]
fn vouch_must_match_client_key_connection_and_server() {
    let outcome = |initiate: &Initiate| {
        let mut client = Client::welcome(SocketType::Rep, AuthSource::AnyKey);
        let outcome = client.initiate(initiate);
        assert_eq!(drain(&mut client.server).is_empty(), outcome.is_err(), "an invalid vouch gets no reply");
        outcome
    };
    let good = || Initiate::good("REQ");
    let (other, ours) = (secret(9).public_key(), transient().public_key());
    assert_eq!(outcome(&good()), Ok(()));
    for forged in [
        Initiate { voucher: secret(9), ..good() },
        Initiate { own: other, ..good() },
        Initiate { vouched: [other, server_key()], ..good() },
        Initiate { vouched: [ours, other], ..good() },
    ] {
        assert_eq!(outcome(&forged), Err(CurveError::Vouch.into()));
    }
}

#[test]
fn initiate_nonce_may_skip_and_messages_continue_after_it() {
    let jumps = Initiate { count: 1000, ..Initiate::good("PUSH") };
    for (count, outcome) in
        [(1000, Err(CurveError::Sequence.into())), (1001, Ok(())), (5, Err(CurveError::Sequence.into()))]
    {
        let mut client = Client::ready(&jumps, SocketType::Pull);
        assert_eq!(client.message(count, 0, b"hello"), outcome, "{count}");
        assert_eq!(client.server.take().is_some(), outcome.is_ok(), "{count}");
    }
}

#[test]
fn incompatible_client_gets_error_instead_of_ready() {
    let mut client = Client::welcome(SocketType::Rep, AuthSource::AnyKey);
    let error = client.initiate(&Initiate::good("PUB"));
    assert_eq!(error, Err(ConnectionError::Incompatible { ours: SocketType::Rep, theirs: SocketType::Pub }));
    assert_eq!(drain(&mut client.server), command("ERROR", b"\x18incompatible socket type"));
}

/// RFC 37 makes ERROR fatal, so a temporary refusal sends nothing before the connection is closed.
#[test]
fn only_final_auth_denial_is_sent_as_error() {
    let error = |status: &[u8]| command("ERROR", &[b"\x03", status].concat());
    for (denial, status, sent) in [
        (AuthStatus::TemporaryError, "300", vec![]),
        (AuthStatus::Denied, "400", error(b"400")),
        (AuthStatus::InternalError, "500", error(b"500")),
    ] {
        let mut client = Client::welcome(SocketType::Rep, AuthSource::Driver);
        client.initiate(&Initiate::good("REQ")).unwrap();
        client.server.poll_auth_request().expect("there is a request");
        let refused = client.server.handle_auth_reply(AuthReply::Reject(denial), NOW);
        assert_eq!(refused, Err(ConnectionError::Denied(denial)));
        assert_eq!(drain(&mut client.server), sent);
        // RFC 27: 300 is a temporary error, and an internal error (500) may be temporary too.
        let client_error = ConnectionError::Refused(status.into());
        assert_eq!(client_error.is_temporary(), denial != AuthStatus::Denied);
    }
}

#[test]
fn unknown_inner_flags_end_the_connection() {
    for flags in 0..=0xff {
        let mut client = Client::ready(&Initiate::good("PUSH"), SocketType::Pull);
        // As a command, the body has a name that is unknown after the handshake.
        let outcome = client.message(3, flags, b"\x05HELLO");
        let exists = flags <= 2;
        assert_eq!(outcome, if exists { Ok(()) } else { Err(CurveError::Flags(flags).into()) }, "{flags:#x}");
        assert_eq!(client.server.take().is_some(), flags == 0, "{flags:#x}");
    }
}

#[test]
fn message_with_one_changed_bit_ends_connection() {
    let mut message = vec![];
    let length = 2 + 33 + 5;
    for at in 2..length {
        let mut client = Client::ready(&Initiate::good("PUSH"), SocketType::Pull);
        message.clear();
        Sealer::new(&client.key, Role::Client, 3).seal(&mut message, 0, b"hello").unwrap();
        let mut bytes = frame(0, &message);
        bytes[at] ^= 1;
        let outcome = client.server.handle_input(&bytes, NOW).unwrap_err();
        // Command name, nonce, and encrypted part.
        let expected = match at {
            2..10 => &[CurveError::Clear][..],
            10..18 => &[CurveError::Sequence, CurveError::Message],
            _ => &[CurveError::Message],
        };
        assert!(expected.iter().any(|error| outcome == (*error).into()), "byte {at}: {outcome}");
        assert_eq!(client.server.take(), None);
    }
}

#[test]
fn metadata_is_counted_while_the_client_waits_for_authentication() {
    let mut client = Client::welcome(SocketType::Rep, AuthSource::Driver);
    let ready = ready_with(&[("Socket-Type", b"REQ"), ("X-Long", &[0; 10_000])]);
    // Nine bytes of the frame head, and the name.
    client.initiate(&Initiate { metadata: ready[9 + 6..].to_vec(), ..Initiate::good("REQ") }).unwrap();
    assert!(client.server.poll_auth_request().is_some());
    let held = client.server.outbox.written_messages().held();
    assert!((10_000..12_000).contains(&held), "{held} bytes");
}
