//! Tests of the handshake timeout and of heartbeats, with a clock that the test controls.

use super::*;
use crate::connection::config::HeartbeatConfig;
use crate::security::AuthSource;
use core::time::Duration;

const fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// Returns settings with a PING interval of 100 ms, a timeout of 250 ms, and a time to live of 0.7 s.
fn with_heartbeats() -> ConnectionConfig {
    let heartbeat =
        HeartbeatConfig { interval: Duration::from_millis(100), timeout: Duration::from_millis(250), ttl: 7 };
    ConnectionConfig { heartbeat: Some(heartbeat), ..config(SocketType::Pull) }
}

/// Lets the connection handle its expired timers at the time `at`, in milliseconds. Returns the timer that ended the
/// connection; `None` if the connection goes on.
fn timed_out(connection: &mut Connection, at: u64) -> Option<Timeout> {
    match connection.handle_timeout(ms(at)) {
        Ok(()) => None,
        Err(ConnectionError::TimedOut(timer)) => Some(timer),
        Err(other) => panic!("{other} is not a timeout"),
    }
}

#[test]
fn handshake_timeout_covers_greeting_and_ready() {
    for input in [&b""[..], &greeting(3, 1)[..30], &greeting(3, 1), &after_ready("PUSH", b"")[..70]] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, ms(5));
        connection.handle_input(input, ms(29_000)).unwrap();
        assert_eq!(connection.poll_timeout(), Some(ms(30_005)));
        assert_eq!(timed_out(&mut connection, 30_004), None);
        assert_eq!(timed_out(&mut connection, 30_005), Some(Timeout::Handshake));
        assert_eq!(connection.poll_timeout(), None);
    }
}

#[test]
fn handshake_timeout_covers_wait_for_auth_reply() {
    let config = ConnectionConfig { auth_source: AuthSource::Driver, ..config(SocketType::Pull) };
    let mut connection = Connection::new(&Arc::new(config), &mut SystemEntropy, NOW);
    deliver(&mut connection, &after_ready("PUSH", b""));
    assert_eq!(timed_out(&mut connection, 30_000), Some(Timeout::Handshake));
}

#[test]
fn handshake_timeout_is_optional_and_ends_with_handshake() {
    let patient = ConnectionConfig { handshake_timeout: None, ..config(SocketType::Pull) };
    let mut connection = Connection::new(&Arc::new(patient), &mut SystemEntropy, NOW);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 1_000_000), None);
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 1_000_000), None);
}

#[test]
fn ping_is_sent_each_interval_as_by_libzmq() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    for at in [100, 200, 300] {
        assert_eq!(connection.poll_timeout(), Some(ms(at)));
        assert_eq!(timed_out(&mut connection, at - 1), None);
        assert_eq!(drain(&mut connection), b"");
        assert_eq!(timed_out(&mut connection, at), None);
        assert_eq!(drain(&mut connection), b"\x04\x07\x04PING\0\x07");
        connection.handle_input(&command("PONG", b""), ms(at)).unwrap();
    }
}

#[test]
fn heartbeat_timeout_starts_at_first_unanswered_ping() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    for at in [100, 200, 300] {
        assert_eq!(timed_out(&mut connection, at), None);
    }
    assert_eq!(connection.poll_timeout(), Some(ms(350)));
    assert_eq!(timed_out(&mut connection, 349), None);
    assert_eq!(timed_out(&mut connection, 350), Some(Timeout::Heartbeat));
    assert!(ConnectionError::TimedOut(Timeout::Heartbeat).is_temporary());
}

#[test]
fn any_received_byte_stops_heartbeat_timeout() {
    let whole = frame(0, &body(20_000));
    for input in [&command("PONG", b"")[..], &frame(0, b"m"), &command("OTHER", b""), &whole[..1], &whole[..500]] {
        let mut connection = ready_connection(&with_heartbeats(), "PUSH");
        assert_eq!(timed_out(&mut connection, 100), None);
        connection.handle_input(input, ms(349)).unwrap();
        connection.take();
        assert_eq!(timed_out(&mut connection, 350), None);
        assert_eq!(timed_out(&mut connection, 599), None);
        assert_eq!(timed_out(&mut connection, 600), Some(Timeout::Heartbeat), "the PING at 350 ms was not answered");
    }
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    deliver(&mut connection, &whole[..9]);
    assert_eq!(timed_out(&mut connection, 100), None);
    connection.body_space().expect("the body is large")[0] = body(1)[0];
    connection.handle_filled(1, ms(349)).unwrap();
    assert_eq!(timed_out(&mut connection, 350), None, "direct reads count too");
}

/// Writes `count` bytes of the output at the time `at`, in milliseconds, after which the stream refuses to take more.
fn write(connection: &mut Connection, count: usize, at: u64) {
    connection.poll_transmit().expect("there is output").advance(count);
    connection.handle_written(ms(at));
}

/// Returns a connection at 349 ms, of which the stream has taken no byte since 90 ms, although it was writable at 200 ms.
fn full_since_90_ms() -> Connection {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    connection.give(Message::from(body(10_000)).into());
    write(&mut connection, 5000, 90);
    assert_eq!(timed_out(&mut connection, 100), None);
    connection.handle_written(ms(200));
    assert_eq!(timed_out(&mut connection, 349), None);
    connection
}

#[test]
fn room_in_a_full_stream_restarts_heartbeat_timeout() {
    let mut connection = full_since_90_ms();
    write(&mut connection, 1, 349);
    assert_eq!(timed_out(&mut connection, 598), None, "the peer has acknowledged bytes at 349 ms");
    assert_eq!(timed_out(&mut connection, 599), Some(Timeout::Heartbeat));
}

#[test]
fn full_stream_without_progress_ends_after_heartbeat_timeout() {
    let mut connection = full_since_90_ms();
    assert_eq!(timed_out(&mut connection, 350), Some(Timeout::Heartbeat), "the stream took no byte since 90 ms");
}

#[test]
fn accepted_output_does_not_restart_heartbeat_timeout() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    assert_eq!(timed_out(&mut connection, 100), None);
    for at in [150, 250, 349] {
        connection.give(Message::from("trickle").into());
        drain(&mut connection);
        connection.handle_written(ms(at));
    }
    assert_eq!(timed_out(&mut connection, 349), None);
    assert_eq!(timed_out(&mut connection, 350), Some(Timeout::Heartbeat), "the stream was never full");
}

#[test]
fn round_trip_begins_when_ping_is_written() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    connection.give(Message::from(body(10_000)).into());
    write(&mut connection, 5000, 90);
    assert_eq!(timed_out(&mut connection, 100), None);
    write(&mut connection, 5000, 180);
    drain(&mut connection);
    connection.handle_written(ms(230));
    connection.handle_input(&command("PONG", b""), ms(240)).unwrap();
    assert_eq!(connection.round_trip().map(|trip| trip.last), Some(Duration::from_millis(10)));
}

#[test]
fn heartbeat_timeouts_restart_while_reading_is_stopped() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    assert_eq!(timed_out(&mut connection, 100), None);
    let input = [command("PING", b"\0\x03"), frame(0, &body(70_000))].concat();
    connection.handle_input(&input, ms(101)).unwrap();
    assert!(!connection.wants_input());
    for at in (200..5000).step_by(50) {
        assert_eq!(timed_out(&mut connection, at), None, "at {at}");
    }
    connection.take();
    let (mut at, mut ended) = (5000, None);
    while ended.is_none() {
        at += 1;
        ended = timed_out(&mut connection, at);
    }
    assert!((5150..5400).contains(&at), "both timeouts restarted; the connection ended at {at} ms");
}

#[test]
fn time_to_live_of_peer_ping_ends_silent_connection() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&command("PING", b"\0\x03"), ms(1000)).unwrap();
    assert_eq!(connection.poll_timeout(), Some(ms(1300)));
    assert_eq!(timed_out(&mut connection, 1299), None);
    assert_eq!(timed_out(&mut connection, 1300), Some(Timeout::TimeToLive));
}

#[test]
fn time_to_live_restarts_on_input_and_zero_disables_it() {
    for input in [&command("PONG", b"")[..], &frame(0, b"x"), b"\x04"] {
        let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
        connection.handle_input(&command("PING", b"\0\x03"), ms(1000)).unwrap();
        connection.handle_input(input, ms(1299)).unwrap();
        connection.take();
        assert_eq!(timed_out(&mut connection, 1598), None);
        assert_eq!(timed_out(&mut connection, 1599), Some(Timeout::TimeToLive));
    }
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&command("PING", b"\0\x03"), ms(1000)).unwrap();
    connection.handle_input(&command("PING", b"\0\0"), ms(1299)).unwrap();
    assert_eq!(connection.poll_timeout(), None);
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&command("PING", b"\xff\xff"), NOW).unwrap();
    assert_eq!(connection.poll_timeout(), Some(ms(6_553_500)), "65535 tenths do not wrap");
}

#[test]
fn peer_of_3_0_gets_no_ping_but_may_send_ping() {
    let mut connection = ready_with_version(&with_heartbeats(), "PUSH", 0);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 100_000), None);
    assert_eq!(drain(&mut connection), b"");
    deliver(&mut connection, &command("PING", b"\0\0a"));
    assert_eq!(drain(&mut connection), command("PONG", b"a"));
}

#[test]
fn earlier_now_is_ignored() {
    let mut connection = ready_connection(&with_heartbeats(), "PUSH");
    assert_eq!(timed_out(&mut connection, 100), None);
    drain(&mut connection);
    assert_eq!(timed_out(&mut connection, 50), None);
    assert_eq!(drain(&mut connection), b"");
    assert_eq!(connection.poll_timeout(), Some(ms(200)));
}
