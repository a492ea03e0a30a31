//! Tests of accepted connections of a ROUTER, PAIR or CHANNEL, which send READY only after the socket has admitted the
//! peer, and of the command CLOSE, with which the socket refuses a peer.

use super::*;
use crate::address::NetworkError;
use crate::connection::config::HeartbeatConfig;
use crate::security::AuthSource;
use crate::wire::DecodeError;
use alloc::vec;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn accepted(config: &ConnectionConfig) -> Connection {
    Connection::accepted(&Arc::new(config.clone()), &mut SystemEntropy, NOW)
}

/// Passes the pending output of each connection to the other until there is no more. Returns the number of flights: in
/// each flight, one side sends all its pending output.
fn join(sides: &mut [Connection; 2], mut after_input: impl FnMut(&mut Connection)) -> usize {
    let (mut flights, mut idle) = (0, 0);
    for at in (0..2).cycle() {
        let bytes = drain(&mut sides[at]);
        idle = if bytes.is_empty() { idle + 1 } else { 0 };
        if idle == 2 {
            return flights;
        }
        flights += usize::from(!bytes.is_empty());
        deliver(&mut sides[1 - at], &bytes);
        after_input(&mut sides[1 - at]);
    }
    flights
}

#[test]
fn ready_is_sent_after_the_socket_admits_the_peer() {
    for (ours, theirs) in [(SocketType::Router, "DEALER"), (SocketType::Pair, "PAIR"), (SocketType::Channel, "CHANNEL")]
    {
        let mut connection = accepted(&config(ours));
        let input = after_ready(theirs, b"\0\x05hello");
        for byte in &input {
            deliver(&mut connection, &[*byte]);
        }
        assert_eq!(drain(&mut connection), greeting(3, 1), "READY is not sent yet");
        assert_eq!(connection.peer().unwrap().socket_type.name(), theirs);
        assert_eq!(connection.take(), None);
        connection.admit();
        assert!(drain(&mut connection).starts_with(b"\x04"), "READY is sent");
        assert!(connection.has_stored_input());
        connection.handle_input(&[], NOW).unwrap();
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
        assert!(!connection.has_stored_input());
    }
}

#[test]
fn stored_input_of_a_peer_is_bounded() {
    let mut connection = accepted(&config(SocketType::Router));
    deliver(&mut connection, &after_ready("DEALER", b""));
    for _ in 0..15 {
        deliver(&mut connection, &frame(0, &[0; 5000]));
        assert_eq!(connection.wants_input(), connection.stored_input.len() < READ_AHEAD);
    }
    assert!(!connection.wants_input());
    connection.admit();
    connection.handle_input(&[], NOW).unwrap();
    assert_eq!(core::iter::from_fn(|| connection.take()).count(), 15);
    assert!(connection.wants_input());
}

#[test]
fn heartbeats_begin_after_admission() {
    let heartbeat = HeartbeatConfig { interval: SECOND, timeout: SECOND, ttl: 0 };
    let mut connection = accepted(&ConnectionConfig { heartbeat: Some(heartbeat), ..config(SocketType::Router) });
    deliver(&mut connection, &after_ready("DEALER", b""));
    assert_eq!(connection.poll_timeout(), Some(NOW + SECOND * 30));
    connection.admit();
    assert_eq!(connection.poll_timeout(), Some(NOW + SECOND));
}

#[test]
fn only_types_that_reject_peers_delay_ready() {
    for (ours, theirs) in [
        (SocketType::Rep, "REQ"),
        (SocketType::Dealer, "ROUTER"),
        (SocketType::Pull, "PUSH"),
        (SocketType::XPub, "SUB"),
        (SocketType::Sub, "PUB"),
        (SocketType::Server, "CLIENT"),
    ] {
        let mut connection = accepted(&config(ours));
        deliver(&mut connection, &greeting(3, 1));
        assert!(drain(&mut connection).len() > 64, "{ours}: READY follows the greeting");
        deliver(&mut connection, &ready(theirs));
        assert!(connection.peer().is_some());
    }
}

/// Number of flights (all pending bytes of one side, without an answer) until both sides are ready: the types that reject
/// no peer connect in as many as before. The others need one more, the READY that answers a READY.
#[test]
fn types_that_reject_no_peer_need_no_further_round_trip() {
    for (accepting, dialling, expected) in [
        (SocketType::Rep, SocketType::Req, 5),
        (SocketType::Pull, SocketType::Push, 5),
        (SocketType::XPub, SocketType::Sub, 5),
        (SocketType::Dealer, SocketType::Dealer, 5),
        (SocketType::Router, SocketType::Dealer, 6),
        (SocketType::Pair, SocketType::Pair, 6),
    ] {
        let dialler = Connection::new(&Arc::new(config(dialling)), &mut SystemEntropy, NOW);
        let mut sides = [dialler, accepted(&config(accepting))];
        let flights = join(&mut sides, Connection::admit);
        assert!(sides.iter().all(|side| side.peer().is_some()));
        assert_eq!(flights, expected, "{accepting} and {dialling}");
    }
}

/// A relay connects to two listeners and copies bytes between them, so both sides have accepted.
#[test]
fn two_accepting_sides_connect_after_the_delay() {
    for timeout in [None, Some(SECOND * 30), Some(SECOND * 2)] {
        let config = ConnectionConfig { handshake_timeout: timeout, ..config(SocketType::Pair) };
        let mut sides = [(); 2].map(|()| accepted(&config));
        join(&mut sides, Connection::admit);
        assert!(sides.iter().all(|side| side.peer().is_none()), "each side waits for the READY of the other");
        let due = NOW + timeout.map_or(SECOND * 3, |timeout| (SECOND * 3).min(timeout / 2));
        for side in &mut sides {
            assert_eq!(side.poll_timeout(), Some(due));
            side.handle_timeout(due).unwrap();
        }
        join(&mut sides, Connection::admit);
        let [one, other] = &mut sides;
        assert!(one.peer().is_some() && other.peer().is_some());
        one.give(Message::from("hello").into());
        deliver(other, &drain(one));
        assert_eq!(other.take(), Some(Message::from("hello").into()));
        assert_eq!(other.poll_timeout(), None, "READY is sent once");
    }
}

#[test]
fn delay_of_ready_includes_no_undecided_authentication() {
    for ready_first in [false, true] {
        let mut connection =
            accepted(&ConnectionConfig { auth_source: AuthSource::Driver, ..config(SocketType::Router) });
        deliver(&mut connection, &if ready_first { after_ready("DEALER", b"") } else { greeting(3, 1) });
        assert!(connection.poll_auth_request().is_some());
        drain(&mut connection);
        let due = NOW + SECOND * 3;
        assert_eq!(connection.poll_timeout(), Some(due));
        connection.handle_timeout(due).unwrap();
        assert_eq!(drain(&mut connection), b"", "the peer is not authenticated yet");
        connection.handle_auth_reply(AuthReply::accept(), due).unwrap();
        let is_ready_sent = !drain(&mut connection).is_empty();
        assert_eq!(is_ready_sent, !ready_first, "READY is delayed until the peer's READY is here");
        if !ready_first {
            deliver(&mut connection, &ready("DEALER"));
        }
        assert!(connection.peer().is_some());
    }
}

/// Returns the error of a new connection with these settings that receives `before`, and then CLOSE with this reason.
fn error_of_close(config: &ConnectionConfig, before: &[u8], reason: &[u8]) -> ConnectionError {
    let body = [&[u8::try_from(reason.len()).unwrap()], reason].concat();
    feed(config, &[before, &command("CLOSE", &body)].concat()).error()
}

#[test]
fn close_command_ends_connection_with_its_reason() {
    let config = config(SocketType::Dealer);
    for before in [greeting(3, 1), after_ready("ROUTER", b"")] {
        for (text, reason) in [
            (&b"routing-id-taken"[..], CloseReason::RoutingIdTaken),
            (b"pair-in-use", CloseReason::PairInUse),
            (b"message-too-large 10 5", CloseReason::MessageTooLarge { size: 10, limit: 5 }),
            (b"restart", CloseReason::Other("restart".into())),
        ] {
            let error = error_of_close(&config, &before, text);
            assert!(error.is_temporary());
            assert_eq!(error, ConnectionError::ClosedWithReason(reason));
        }
    }
    let cut = [greeting(3, 1), command("CLOSE", b"\x09no")].concat();
    assert_eq!(feed(&config, &cut).error(), ConnectionError::Malformed(DecodeError::CommandBody("CLOSE")));
}

#[test]
fn refused_peer_receives_reason_only_if_it_announced_support() {
    for (value, is_told) in [(Some(&b"1"[..]), true), (Some(b"2"), false), (None, false)] {
        let mut connection = accepted(&config(SocketType::Router));
        let mut properties = vec![("Socket-Type", &b"DEALER"[..])];
        properties.extend(value.map(|value| ("Close-Reason", value)));
        deliver(&mut connection, &[greeting(3, 1), ready_with(&properties)].concat());
        drain(&mut connection);
        connection.fail(&ConnectionError::RoutingIdTaken);
        let expected = if is_told { command("CLOSE", b"\x10routing-id-taken") } else { vec![] };
        assert_eq!(drain(&mut connection), expected);
        assert_eq!((connection.sends_close_reason(), connection.peer()), (is_told, None));
        connection.admit();
        assert_eq!(drain(&mut connection), b"", "a refused peer is not admitted later");
    }
}

#[test]
fn closed_stream_is_explained_by_the_phase_of_the_handshake() {
    let named = ConnectionConfig { routing_id: "name".into(), ..config(SocketType::Dealer) };
    let at_resource = ConnectionConfig { resource: Some("names".parse().unwrap()), ..named.clone() };
    for (config, likely) in [
        (at_resource, LikelyReason::UnknownResource),
        (named, LikelyReason::RoutingIdTaken),
        (config(SocketType::Dealer), LikelyReason::SocketType),
        (config(SocketType::Channel), LikelyReason::PairInUse),
    ] {
        let mut connection = Connection::new(&Arc::new(config), &mut SystemEntropy, NOW);
        deliver(&mut connection, &greeting(3, 1));
        for end in [ConnectionError::PeerClosed, NetworkError::Reset.into()] {
            let explained = connection.end_reason(end);
            assert!(explained.is_temporary());
            assert_eq!(explained, ConnectionError::ClosedBeforeReady(likely));
        }
        let timeout = ConnectionError::TimedOut(Timeout::Handshake);
        assert_eq!(connection.end_reason(timeout.clone()), timeout);
    }
}

/// Returns the error of a connection that the peer closes while `message` is partly written.
fn end_while_sending(message: Message) -> ConnectionError {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    connection.give(Message::from("before").into());
    connection.give(message.into());
    connection.poll_transmit().unwrap().advance(20);
    connection.end_reason(NetworkError::Reset.into())
}

#[test]
fn stream_closed_within_a_large_message_names_its_size() {
    let error = end_while_sending(body(1 << 20).into());
    assert_eq!(error, ConnectionError::ClosedDuringMessage { size: (1 << 20) + 9 });
    assert!(error.is_temporary() && error.to_string().contains("while a message of 1048585 bytes was being sent"));
    // Short messages are partly written at the end of any busy connection.
    assert_eq!(end_while_sending(body(10_000).into()), NetworkError::Reset.into());

    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    connection.give(Message::from(body(1 << 20)).into());
    let reset = ConnectionError::from(NetworkError::Reset);
    connection.poll_transmit().unwrap();
    assert_eq!(connection.end_reason(reset.clone()), reset, "nothing is written");
    drain(&mut connection);
    assert_eq!(connection.end_reason(reset.clone()), reset, "everything is written");
}

#[cfg(feature = "plain")]
#[test]
fn plain_client_refused_without_reason_suspects_its_password() {
    let plain = crate::security::Security::plain_client("ann", "secret").unwrap();
    let config = ConnectionConfig { security: plain, ..config(SocketType::Dealer) };
    let mut connection = Connection::new(&Arc::new(config), &mut SystemEntropy, NOW);
    deliver(&mut connection, &greeting_with(3, 1, b"PLAIN"));
    let explained = connection.end_reason(ConnectionError::PeerClosed);
    assert_eq!(explained, ConnectionError::ClosedBeforeReady(LikelyReason::Credentials));
}
