//! Handshake timeout and heartbeats, on a clock that only the test moves.

use super::*;
use crate::connection::config::HeartbeatConfig;
use crate::security::AuthSource;
use core::time::Duration;

const fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// PINGs every 100 ms, ends after 250 ms of silence, asks for a time to live of 0.7 s.
fn beating() -> ConnectionConfig {
    let heartbeat =
        HeartbeatConfig { interval: Duration::from_millis(100), timeout: Duration::from_millis(250), ttl: 7 };
    ConnectionConfig { heartbeat: Some(heartbeat), ..config(SocketType::Pull) }
}

fn timed_out(connection: &mut Connection, at: u64) -> Option<Timeout> {
    match connection.handle_timeout(ms(at)) {
        Ok(()) => None,
        Err(ConnectionError::TimedOut(timer)) => Some(timer),
        Err(other) => panic!("{other} is no timeout"),
    }
}

#[test]
fn greeting_and_ready_have_one_time_together() {
    for said in [&b""[..], &greeting(3, 1)[..30], &greeting(3, 1), &after_ready("PUSH", b"")[..70]] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, ms(5));
        connection.handle_input(said, ms(29_000)).unwrap();
        assert_eq!(connection.poll_timeout(), Some(ms(30_005)));
        assert_eq!(timed_out(&mut connection, 30_004), None);
        assert_eq!(timed_out(&mut connection, 30_005), Some(Timeout::Handshake));
        assert_eq!(connection.poll_timeout(), None);
    }
}

#[test]
fn an_answer_of_the_outside_is_waited_for_no_longer() {
    let config = ConnectionConfig { auth_source: AuthSource::Driver, ..config(SocketType::Pull) };
    let mut connection = Connection::new(&Arc::new(config), &mut SystemEntropy, NOW);
    say(&mut connection, &after_ready("PUSH", b""));
    assert_eq!(timed_out(&mut connection, 30_000), Some(Timeout::Handshake));
}

#[test]
fn the_handshake_may_take_for_ever_and_ends_when_it_is_done() {
    let patient = ConnectionConfig { handshake_timeout: None, ..config(SocketType::Pull) };
    let mut connection = Connection::new(&Arc::new(patient), &mut SystemEntropy, NOW);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 1_000_000), None);
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 1_000_000), None);
}

#[test]
fn a_ping_goes_out_every_interval_as_libzmq_sends_it() {
    let mut connection = ready_connection(&beating(), "PUSH");
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
fn silence_counts_from_the_first_ping_that_was_not_answered() {
    let mut connection = ready_connection(&beating(), "PUSH");
    for at in [100, 200, 300] {
        assert_eq!(timed_out(&mut connection, at), None);
    }
    assert_eq!(connection.poll_timeout(), Some(ms(350)));
    assert_eq!(timed_out(&mut connection, 349), None);
    assert_eq!(timed_out(&mut connection, 350), Some(Timeout::Heartbeat));
    assert!(ConnectionError::TimedOut(Timeout::Heartbeat).may_reconnect());
}

#[test]
fn any_octet_ends_the_silence() {
    let whole = frame(0, &body(20_000));
    for heard in [&command("PONG", b"")[..], &frame(0, b"m"), &command("OTHER", b""), &whole[..1], &whole[..500]] {
        let mut connection = ready_connection(&beating(), "PUSH");
        assert_eq!(timed_out(&mut connection, 100), None);
        connection.handle_input(heard, ms(349)).unwrap();
        connection.take();
        assert_eq!(timed_out(&mut connection, 350), None);
        assert_eq!(timed_out(&mut connection, 599), None);
        assert_eq!(timed_out(&mut connection, 600), Some(Timeout::Heartbeat), "the PING of 350 was not answered");
    }
    let mut connection = ready_connection(&beating(), "PUSH");
    say(&mut connection, &whole[..9]);
    assert_eq!(timed_out(&mut connection, 100), None);
    connection.body_space().expect("the body is large")[0] = body(1)[0];
    connection.handle_filled(1, ms(349)).unwrap();
    assert_eq!(timed_out(&mut connection, 350), None, "also octets read into place");
}

#[test]
fn silence_is_excused_while_we_do_not_read() {
    let mut connection = ready_connection(&beating(), "PUSH");
    assert_eq!(timed_out(&mut connection, 100), None);
    let said = [command("PING", b"\0\x03"), frame(0, &body(70_000))].concat();
    connection.handle_input(&said, ms(101)).unwrap();
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
    assert!((5150..5400).contains(&at), "both clocks have started anew; it ended at {at}");
}

#[test]
fn a_peer_is_held_to_its_own_time_to_live() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&command("PING", b"\0\x03"), ms(1000)).unwrap();
    assert_eq!(connection.poll_timeout(), Some(ms(1300)));
    assert_eq!(timed_out(&mut connection, 1299), None);
    assert_eq!(timed_out(&mut connection, 1300), Some(Timeout::TimeToLive));
}

#[test]
fn a_time_to_live_begins_anew_with_every_octet_and_zero_means_none() {
    for heard in [&command("PONG", b"")[..], &frame(0, b"x"), b"\x04"] {
        let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
        connection.handle_input(&command("PING", b"\0\x03"), ms(1000)).unwrap();
        connection.handle_input(heard, ms(1299)).unwrap();
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
fn peers_of_3_0_are_not_pinged_but_may_ping() {
    let mut connection = ready_with_version(&beating(), "PUSH", 0);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(timed_out(&mut connection, 100_000), None);
    assert_eq!(drain(&mut connection), b"");
    say(&mut connection, &command("PING", b"\0\0a"));
    assert_eq!(drain(&mut connection), command("PONG", b"a"));
}

#[test]
fn time_does_not_run_backwards() {
    let mut connection = ready_connection(&beating(), "PUSH");
    assert_eq!(timed_out(&mut connection, 100), None);
    drain(&mut connection);
    assert_eq!(timed_out(&mut connection, 50), None);
    assert_eq!(drain(&mut connection), b"");
    assert_eq!(connection.poll_timeout(), Some(ms(200)));
}
