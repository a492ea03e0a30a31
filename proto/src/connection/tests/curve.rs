//! CURVE between two connections, and what a third party can do to it.

use super::*;
use crate::security::curve::{CurveError, KeyPair, PublicKey};
use crate::security::{AuthCredentials, AuthSource, Authenticator, Security};
use core::time::Duration;

fn keys(seed: u64) -> KeyPair {
    KeyPair::generate(&mut SeededEntropy::new(seed))
}

fn server_config(socket_type: SocketType) -> ConnectionConfig {
    ConnectionConfig { security: Security::curve_server(keys(1)), ..config(socket_type) }
}

fn client_config(socket_type: SocketType) -> ConnectionConfig {
    let security = Security::curve_client(keys(2), *keys(1).public()).unwrap();
    ConnectionConfig { security, ..config(socket_type) }
}

fn new(config: &ConnectionConfig, seed: u64) -> Connection {
    Connection::new(&Arc::new(config.clone()), &mut SeededEntropy::new(seed), NOW)
}

fn couple(client: &ConnectionConfig, server: &ConnectionConfig) -> [Connection; 2] {
    [new(client, 3), new(server, 4)]
}

/// Carries what one says to the other, changed by somebody on the way.
fn carry(
    from: &mut Connection,
    to: &mut Connection,
    on_the_way: impl FnOnce(&mut Vec<u8>),
) -> Result<(), ConnectionError> {
    let mut octets = drain(from);
    on_the_way(&mut octets);
    to.handle_input(&octets, NOW)
}

fn shake_hands(ends: &mut [Connection; 2]) {
    let [client, server] = ends;
    for _ in 0..3 {
        carry(client, server, |_| {}).unwrap();
        carry(server, client, |_| {}).unwrap();
    }
    assert!(client.peer().is_some() && server.peer().is_some());
}

fn ready_couple(client: SocketType, server: SocketType) -> [Connection; 2] {
    let mut ends = couple(&client_config(client), &server_config(server));
    shake_hands(&mut ends);
    ends
}

fn push(connection: &mut Connection, message: impl Into<Message>) {
    connection.give(message.into().into());
}

fn pull(connection: &mut Connection) -> Vec<Message> {
    core::iter::from_fn(|| connection.take())
        .map(|item| match item {
            Inbound::Message(message) => message,
            Inbound::Subscription(wish) => panic!("{wish:?}"),
        })
        .collect()
}

#[test]
fn messages_of_every_size_go_both_ways_and_nothing_of_them_is_seen_on_the_way() {
    let mut ends = ready_couple(SocketType::Dealer, SocketType::Router);
    let sizes = [0, 1, 20, 34, 35, 36, 67, 68, 69, 101, 102, 222, 223, 255, 256, 2048, 70_000, 300_000];
    for (from, to) in [(0, 1), (1, 0)] {
        let messages: Vec<_> = sizes.iter().map(|&size| Message::from([body(size), body(3)])).collect();
        for message in &messages {
            push(&mut ends[from], message.clone());
        }
        let octets = drain(&mut ends[from]);
        let clear = body(48);
        assert!(!octets.windows(8).any(|octets| octets == &clear[40..]), "it is seen");
        for piece in octets.chunks(1009) {
            ends[to].handle_input(piece, NOW).unwrap();
        }
        assert_eq!(pull(&mut ends[to]), messages);
    }
}

#[test]
fn large_bodies_are_read_into_place_and_decrypted_there() {
    let mut ends = ready_couple(SocketType::Push, SocketType::Pull);
    push(&mut ends[0], body(200_000));
    let octets = drain(&mut ends[0]);
    let [_, pull_end] = &mut ends;
    pull_end.handle_input(&octets[..100], NOW).unwrap();
    let mut rest = &octets[100..];
    let mut direct = 0;
    while !rest.is_empty() {
        if let Some(space) = pull_end.body_space() {
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            direct += count;
            pull_end.handle_filled(count, NOW).unwrap();
        } else {
            pull_end.handle_input(rest, NOW).unwrap();
            rest = &[];
        }
    }
    assert!(direct > 150_000);
    assert_eq!(pull(pull_end), [Message::from(body(200_000))]);
}

#[test]
fn subscriptions_and_heartbeats_travel_inside_too() {
    let mut ends = ready_couple(SocketType::Sub, SocketType::XPub);
    ends[0].give(Outbound::Subscription(Subscription::Subscribe(Bytes::from_static(b"weather"))));
    let octets = drain(&mut ends[0]);
    assert!(!octets.windows(7).any(|octets| octets == b"weather"));
    say(&mut ends[1], &octets);
    assert_eq!(ends[1].take(), Some(Inbound::Subscription(Subscription::Subscribe(Bytes::from_static(b"weather")))));

    let heartbeat = HeartbeatConfig { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), ttl: 0 };
    let client = ConnectionConfig { heartbeat: Some(heartbeat), ..client_config(SocketType::Dealer) };
    let mut ends = couple(&client, &server_config(SocketType::Router));
    shake_hands(&mut ends);
    let [client, server] = &mut ends;
    let later = NOW + Duration::from_secs(1);
    client.handle_timeout(later).unwrap();
    carry(client, server, |octets| assert!(!octets.windows(4).any(|octets| octets == b"PING"))).unwrap();
    client.handle_input(&drain(server), later).unwrap();
    assert!(client.round_trip().is_some(), "the PONG came");
}

#[test]
fn who_comes_in_is_asked_with_the_key_that_was_proved() {
    let only = *keys(2).public();
    let authenticator = Authenticator::new(move |request| {
        if request.credentials == AuthCredentials::Curve(only) {
            AuthReply::accept_as("ann")
        } else {
            AuthReply::refuse()
        }
    });
    let auth_source = AuthSource::Authenticator(authenticator);
    let server = ConnectionConfig { auth_source, ..server_config(SocketType::Rep) };
    let mut ends = couple(&client_config(SocketType::Req), &server);
    shake_hands(&mut ends);
    assert_eq!(ends[1].peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));

    let stranger = Security::curve_client(keys(9), *keys(1).public()).unwrap();
    let stranger = ConnectionConfig { security: stranger, ..config(SocketType::Req) };
    let [mut client, mut server] = couple(&stranger, &server);
    for _ in 0..2 {
        carry(&mut client, &mut server, |_| {}).unwrap();
        carry(&mut server, &mut client, |_| {}).unwrap();
    }
    let error = carry(&mut client, &mut server, |_| {}).unwrap_err();
    assert_eq!(error, ConnectionError::Denied(AuthStatus::Denied));
    let error = carry(&mut server, &mut client, |_| {}).unwrap_err();
    assert_eq!(error, ConnectionError::Refused(Bytes::from_static(b"400")));
    assert!(!error.may_reconnect());
}

#[test]
fn a_server_that_asks_nobody_admits_any_key_unless_there_is_a_domain() {
    let domain = ConnectionConfig { domain: "global".into(), ..server_config(SocketType::Rep) };
    let [mut client, mut server] = couple(&client_config(SocketType::Req), &domain);
    for _ in 0..2 {
        carry(&mut client, &mut server, |_| {}).unwrap();
        carry(&mut server, &mut client, |_| {}).unwrap();
    }
    let error = carry(&mut client, &mut server, |_| {}).unwrap_err();
    assert_eq!(error, ConnectionError::Denied(AuthStatus::InternalError));
}

/// The error of whoever hears what was changed on its way: `step` counts the flights, the client's and the server's in turn,
/// of which the first two are greetings.
fn tampered(step: usize, change: impl Fn(&mut Vec<u8>)) -> Option<ConnectionError> {
    let [mut from, mut to] = couple(&client_config(SocketType::Req), &server_config(SocketType::Rep));
    for flight in 0..6 {
        let result = carry(&mut from, &mut to, |octets| {
            if flight == step {
                change(octets);
            }
        });
        if let Err(error) = result {
            assert!(to.peer().is_none());
            return Some(error);
        }
        core::mem::swap(&mut from, &mut to);
    }
    None
}

/// The flights of a handshake after the greetings, and where in each the command begins.
const FLIGHTS: [(usize, &str); 4] = [(2, "HELLO"), (3, "WELCOME"), (4, "INITIATE"), (5, "READY")];

#[test]
fn the_flights_are_what_the_tests_take_them_for() {
    for (flight, name) in FLIGHTS {
        assert_eq!(
            tampered(flight, |octets| assert!(octets.windows(name.len()).any(|at| at == name.as_bytes()))),
            None
        );
    }
}

#[test]
fn one_bit_changed_anywhere_in_a_handshake_ends_it() {
    for (flight, name) in FLIGHTS {
        let mut len = 0;
        let [mut client, mut server] = couple(&client_config(SocketType::Req), &server_config(SocketType::Rep));
        for step in 0..=flight {
            let (from, to) = if step % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
            carry(from, to, |octets| len = octets.len()).unwrap();
        }
        // The padding of a HELLO is not looked at, and libzmq does not either. A frame's head that grew waits for more.
        let padding = 2 + 6 + 2..2 + 6 + 2 + 72;
        for at in (0..len).filter(|at| !(name == "HELLO" && padding.contains(at))) {
            for bit in 0..8 {
                let outcome = tampered(flight, |octets| octets[at] ^= 1 << bit);
                let Some(error) = outcome else {
                    assert!(at < 10, "{name}: octet {at}, bit {bit} went unnoticed");
                    continue;
                };
                let expected = matches!(
                    error,
                    ConnectionError::Curve(_)
                        | ConnectionError::Malformed(_)
                        | ConnectionError::Unexpected(_)
                        | ConnectionError::TooLarge { .. }
                        | ConnectionError::Refused(_)
                );
                assert!(expected, "{name}: octet {at}, bit {bit}: {error:?}");
            }
        }
    }
}

#[test]
fn a_command_cut_or_lengthened_ends_the_handshake_before_anything_is_computed() {
    for (flight, name) in FLIGHTS {
        for change in [-1_i32, 1] {
            let error = tampered(flight, |octets| {
                let long = octets[0] & 2 != 0;
                let head = if long { 9 } else { 2 };
                let len = octets.len() - head;
                let len = if change < 0 { len - 1 } else { len + 1 };
                octets.resize(head + len, 0);
                if long {
                    octets[1..9].copy_from_slice(&(len as u64).to_be_bytes());
                } else {
                    octets[1] = u8::try_from(len).unwrap();
                }
            });
            let error = error.expect("it was noticed");
            let fixed = matches!(name, "HELLO" | "WELCOME");
            let length = ConnectionError::Curve(CurveError::Length(name));
            assert!(
                if fixed { error == length } else { matches!(error, ConnectionError::Curve(_)) },
                "{name}: {error:?}"
            );
        }
    }
}

#[test]
fn a_flight_that_comes_twice_or_again_ends_the_handshake() {
    for (flight, name) in FLIGHTS {
        let outcome = tampered(flight, |octets| {
            let again = octets.clone();
            octets.extend(again);
        });
        let error = outcome.unwrap_or_else(|| panic!("{name} twice"));
        let expected = matches!(error, ConnectionError::Unexpected(_) | ConnectionError::Curve(CurveError::Clear));
        assert!(expected || name == "INITIATE" || name == "READY", "{name}: {error:?}");
    }
}

#[test]
fn what_another_handshake_said_is_worth_nothing_in_this_one() {
    let flight_of = |seed: u64, wanted: usize| {
        let mut ends = [new(&client_config(SocketType::Req), seed), new(&server_config(SocketType::Rep), seed + 100)];
        let mut said = Vec::new();
        for step in 0..=wanted {
            let [client, server] = &mut ends;
            let (from, to) = if step % 2 == 0 { (client, server) } else { (server, client) };
            carry(from, to, |octets| said.clone_from(octets)).unwrap();
        }
        said
    };
    let expected = [(3, CurveError::Box("WELCOME")), (4, CurveError::Cookie), (5, CurveError::Box("READY"))];
    for (flight, error) in expected {
        let replayed = flight_of(7, flight);
        assert_eq!(tampered(flight, |octets| octets.clone_from(&replayed)), Some(error.into()));
    }
}

#[test]
fn a_cookie_is_stale_after_a_minute() {
    let patient = ConnectionConfig { handshake_timeout: None, ..server_config(SocketType::Rep) };
    for (after, fresh) in [(59, true), (60, false)] {
        let [mut client, mut server] = couple(&client_config(SocketType::Req), &patient);
        for _ in 0..2 {
            carry(&mut client, &mut server, |_| {}).unwrap();
            carry(&mut server, &mut client, |_| {}).unwrap();
        }
        let outcome = server.handle_input(&drain(&mut client), NOW + Duration::from_secs(after));
        assert_eq!(outcome, if fresh { Ok(()) } else { Err(CurveError::StaleCookie.into()) });
    }
}

#[test]
fn keys_that_do_not_fit_are_noticed_by_the_server_and_nothing_is_said() {
    let wrong = Security::curve_client(keys(2), *keys(5).public()).unwrap();
    let wrong = ConnectionConfig { security: wrong, ..config(SocketType::Req) };
    let [mut client, mut server] = couple(&wrong, &server_config(SocketType::Rep));
    carry(&mut client, &mut server, |_| {}).unwrap();
    carry(&mut server, &mut client, |_| {}).unwrap();
    assert_eq!(carry(&mut client, &mut server, |_| {}), Err(CurveError::Box("HELLO").into()));
    assert!(drain(&mut server).is_empty());
}

#[test]
fn two_of_the_same_role_are_told_so() {
    let [mut one, mut other] = couple(&server_config(SocketType::Rep), &server_config(SocketType::Req));
    assert_eq!(carry(&mut one, &mut other, |_| {}), Err(ConnectionError::SameRole { server: true }));
    let [mut one, mut other] = couple(&client_config(SocketType::Rep), &client_config(SocketType::Req));
    carry(&mut one, &mut other, |_| {}).unwrap();
    carry(&mut other, &mut one, |_| {}).unwrap_err();
}

#[test]
fn a_key_with_which_everybody_arrives_at_the_same_secret_is_refused() {
    for weak in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        assert_eq!(
            Security::curve_client(keys(2), PublicKey::from_octets(weak)),
            Err(crate::security::SecurityError::ServerKey)
        );
        let error = tampered(2, |octets| octets[2 + 6 + 2 + 72..][..32].copy_from_slice(&weak));
        assert_eq!(error, Some(CurveError::WeakKey.into()));
    }
}

#[test]
fn in_the_traffic_nothing_is_believed_that_is_not_encrypted() {
    let clear = |octets: &[u8]| {
        let mut ends = ready_couple(SocketType::Push, SocketType::Pull);
        ends[1].handle_input(octets, NOW).unwrap_err()
    };
    for octets in [
        frame(0, b"clear"),
        frame(0, &body(100)),
        command("PING", b"\0\0"),
        command("ERROR", b"\x03400"),
        ready("PUSH"),
    ] {
        assert_eq!(clear(&octets), CurveError::Clear.into());
    }
    let ours = frame(0, &[&b"\x07MESSAGE"[..], &[0; 25]].concat());
    assert_eq!(clear(&ours), CurveError::Sequence.into());
    let ours = frame(0, &[&b"\x07MESSAGE"[..], &[0xff; 25]].concat());
    assert_eq!(clear(&ours), CurveError::Message.into());
    let short = frame(0, &[&b"\x07MESSAGE"[..], &[0xff; 24]].concat());
    assert_eq!(clear(&short), CurveError::Clear.into());
}

#[test]
fn a_message_that_comes_again_or_in_another_order_ends_the_connection() {
    let sealed = |count: usize| {
        let mut ends = ready_couple(SocketType::Push, SocketType::Pull);
        let messages: Vec<_> = (0..count)
            .map(|number| {
                push(&mut ends[0], alloc::format!("{number}"));
                drain(&mut ends[0])
            })
            .collect();
        (ends, messages)
    };
    let ([_, mut to], messages) = sealed(1);
    say(&mut to, &messages[0]);
    assert_eq!(to.handle_input(&messages[0], NOW), Err(CurveError::Sequence.into()));

    let ([_, mut to], messages) = sealed(2);
    say(&mut to, &messages[1]);
    assert_eq!(pull(&mut to), [Message::from("1")], "libzmq allows gaps");
    assert_eq!(to.handle_input(&messages[0], NOW), Err(CurveError::Sequence.into()));

    let ([mut from, _], messages) = sealed(1);
    assert_eq!(from.handle_input(&messages[0], NOW), Err(CurveError::Message.into()), "one's own words come back");
}

#[test]
fn what_the_outside_of_a_message_says_is_not_believed() {
    // MORE outside is nobody's word; COMMAND outside is what the RFC asks for, and means nothing.
    for (flags, outcome) in [(1, Err(CurveError::OuterMore.into())), (4, Ok(()))] {
        let mut ends = ready_couple(SocketType::Push, SocketType::Pull);
        push(&mut ends[0], "hello");
        let mut octets = drain(&mut ends[0]);
        octets[0] |= flags;
        assert_eq!(ends[1].handle_input(&octets, NOW), outcome);
        assert_eq!(pull(&mut ends[1]).len(), usize::from(outcome.is_ok()));
    }
}

#[test]
fn limits_hold_for_what_is_inside() {
    let limited = ConnectionConfig { max_message_size: 200_000, max_frames: 2, ..server_config(SocketType::Pull) };
    let after = |message: Message| {
        let mut ends = couple(&client_config(SocketType::Push), &limited);
        shake_hands(&mut ends);
        push(&mut ends[0], message);
        let octets = drain(&mut ends[0]);
        ends[1].handle_input(&octets, NOW)
    };
    assert_eq!(after(body(200_000).into()), Ok(()));
    assert_eq!(after(body(200_001).into()), Err(ConnectionError::TooLarge { size: 200_001, limit: 200_000 }));
    let two = [body(150_000), body(50_001)];
    assert_eq!(after(two.into()), Err(ConnectionError::TooLarge { size: 200_001, limit: 200_000 }));
    assert_eq!(after([body(1), body(1), body(1)].into()), Err(ConnectionError::TooManyFrames { limit: 2 }));
    // What is announced beyond everything is refused before it comes.
    let mut ends = couple(&client_config(SocketType::Push), &limited);
    shake_hands(&mut ends);
    let head = [&[2][..], &(200_034_u64).to_be_bytes()].concat();
    assert_eq!(ends[1].handle_input(&head, NOW), Err(ConnectionError::TooLarge { size: 200_001, limit: 200_000 }));
}

#[test]
fn messages_that_were_encrypted_and_not_sent_are_taken_back() {
    let mut ends = ready_couple(SocketType::Push, SocketType::Pull);
    let messages = [Message::from([body(3), body(5000)]), Message::from("two"), Message::from(body(70_000))];
    for message in &messages {
        push(&mut ends[0], message.clone());
    }
    let out = ends[0].poll_transmit().unwrap();
    out.advance(1);
    assert_eq!(ends[0].reclaim(), messages[1..]);
}

#[test]
fn nothing_shows_a_secret() {
    let secret = alloc::format!("{:?}", keys(1).secret().as_octets());
    let shown =
        alloc::format!("{:?} {:?}", server_config(SocketType::Rep), ready_couple(SocketType::Req, SocketType::Rep));
    assert!(!shown.contains(&secret) && !shown.contains(&**keys(1).secret().to_z85()));
}
