//! CURVE with a client whose commands are put together by hand, so that it can say what no connection of ours does: with
//! keys, and wrong all the same.

use super::*;
use crate::security::curve::{
    BoxKey, CurveError, KeyPair, PublicKey, Role, Sealer, SecretKey, long_nonce, short_nonce,
};
use crate::security::{AuthSource, Security};

/// What a client says in its INITIATE.
struct Initiate {
    count: u64,
    own: PublicKey,
    /// The secret that makes the vouch, and what is vouched for.
    voucher: SecretKey,
    vouched: [PublicKey; 2],
    metadata: Vec<u8>,
}

/// A client past WELCOME, with the server it speaks to.
struct Client {
    server: Connection,
    key: BoxKey,
    /// The server's transient key.
    theirs: PublicKey,
    cookie: Vec<u8>,
}

fn secret(octet: u8) -> SecretKey {
    SecretKey::from_octets([octet; 32])
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
    // What follows the head and the name in a READY.
    ready(socket_type)[8..].to_vec()
}

impl Initiate {
    /// As it should be.
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
        let hello = [&[1, 0][..], &[0; 72], public.as_octets(), &1_u64.to_be_bytes(), &signature].concat();
        say(&mut server, &[greeting_with(3, 1, b"CURVE"), command("HELLO", &hello)].concat());

        let welcome = drain(&mut server).split_off(64 + 2 + 8);
        let nonce = long_nonce(*b"WELCOME-", welcome[..16].try_into().unwrap());
        let plain = to_server.open(&nonce, &welcome[16..]).expect("the WELCOME is for us");
        let theirs = PublicKey::try_from(&plain[..32]).unwrap();
        let key = BoxKey::agreed(&theirs, &transient()).unwrap();
        Self { server, key, theirs, cookie: plain[32..].to_vec() }
    }

    /// The server hears it; what it answers waits to be drained.
    fn initiate(&mut self, initiate: &Initiate) -> Result<(), ConnectionError> {
        let vouch_key = BoxKey::agreed(&self.theirs, &initiate.voucher).unwrap();
        let vouched = initiate.vouched.map(|key| *key.as_octets()).concat();
        let vouch = vouch_key.seal(&long_nonce(*b"VOUCH---", *b"0123456789abcdef"), &vouched);
        let plain = [initiate.own.as_octets(), &b"0123456789abcdef"[..], &vouch, &initiate.metadata].concat();
        let boxed = self.key.seal(&short_nonce(*b"CurveZMQINITIATE", initiate.count), &plain);
        let command = command("INITIATE", &[&self.cookie, &initiate.count.to_be_bytes()[..], &boxed].concat());
        self.server.handle_input(&command, NOW)
    }

    /// A client that was let in.
    fn ready(initiate: &Initiate, server: SocketType) -> Self {
        let mut client = Self::welcome(server, AuthSource::Default);
        client.initiate(initiate).unwrap();
        assert!(client.server.peer().is_some());
        client
    }

    /// The server hears a MESSAGE of this nonce, with these flags inside.
    fn message(&mut self, count: u64, flags: u8, body: &[u8]) -> Result<(), ConnectionError> {
        let mut message = vec![];
        Sealer::new(&self.key, Role::Client, count).seal(&mut message, flags, body).unwrap();
        self.server.handle_input(&frame(0, &message), NOW)
    }
}

#[test]
fn a_vouch_has_to_be_of_the_key_that_is_shown_for_this_connection_and_this_server() {
    let outcome = |initiate: &Initiate| {
        let mut client = Client::welcome(SocketType::Rep, AuthSource::Default);
        let outcome = client.initiate(initiate);
        assert_eq!(drain(&mut client.server).is_empty(), outcome.is_err(), "nothing is said to a forger");
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
fn the_nonce_of_an_initiate_may_jump_and_messages_go_on_from_there() {
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
fn a_client_of_a_type_that_does_not_fit_hears_an_error_in_place_of_ready() {
    let mut client = Client::welcome(SocketType::Rep, AuthSource::Default);
    let error = client.initiate(&Initiate::good("PUB"));
    assert_eq!(error, Err(ConnectionError::Incompatible { ours: SocketType::Rep, theirs: SocketType::Pub }));
    assert_eq!(drain(&mut client.server), command("ERROR", b"\x18incompatible socket type"));
}

#[test]
fn every_refusal_is_told() {
    for (denial, status) in
        [(AuthStatus::TemporaryError, "300"), (AuthStatus::Denied, "400"), (AuthStatus::InternalError, "500")]
    {
        let mut client = Client::welcome(SocketType::Rep, AuthSource::Driver);
        client.initiate(&Initiate::good("REQ")).unwrap();
        client.server.poll_auth_request().expect("somebody wants to come in");
        let refused = client.server.handle_auth_reply(AuthReply::Refuse(denial), NOW);
        assert_eq!(refused, Err(ConnectionError::Denied(denial)));
        assert_eq!(drain(&mut client.server), command("ERROR", &[b"\x03", status.as_bytes()].concat()));
        // RFC 27: 300 is for now only; and whoever could not decide may be able to another time. libzmq gives up.
        let heard = ConnectionError::Refused(status.into());
        assert_eq!(heard.may_reconnect(), denial != AuthStatus::Denied);
    }
}

#[test]
fn flags_inside_that_do_not_exist_end_the_connection() {
    for flags in 0..=0xff {
        let mut client = Client::ready(&Initiate::good("PUSH"), SocketType::Pull);
        // As a command, one of no meaning to us.
        let outcome = client.message(3, flags, b"\x05HELLO");
        let exists = flags <= 2;
        assert_eq!(outcome, if exists { Ok(()) } else { Err(CurveError::Flags(flags).into()) }, "{flags:#x}");
        assert_eq!(client.server.take().is_some(), flags == 0, "{flags:#x}");
    }
}

#[test]
fn one_bit_changed_in_a_message_ends_the_connection() {
    let mut message = vec![];
    let length = 2 + 33 + 5;
    for at in 2..length {
        let mut client = Client::ready(&Initiate::good("PUSH"), SocketType::Pull);
        message.clear();
        Sealer::new(&client.key, Role::Client, 3).seal(&mut message, 0, b"hello").unwrap();
        let mut octets = frame(0, &message);
        octets[at] ^= 1;
        let outcome = client.server.handle_input(&octets, NOW).unwrap_err();
        // The name, the nonce, and what is encrypted.
        let expected = match at {
            2..10 => &[CurveError::Clear][..],
            10..18 => &[CurveError::Sequence, CurveError::Message],
            _ => &[CurveError::Message],
        };
        assert!(expected.iter().any(|error| outcome == (*error).into()), "octet {at}: {outcome}");
        assert_eq!(client.server.take(), None);
    }
}
