//! Connections of STREAM sockets: octets as they are.

use super::*;
use crate::connection::config::HeartbeatConfig;
use core::time::Duration;

fn stream() -> ConnectionConfig {
    config(SocketType::Stream)
}

fn raw(config: &ConnectionConfig) -> Connection {
    Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW)
}

fn taken(connection: &mut Connection) -> Vec<Message> {
    let items = core::iter::from_fn(|| connection.take());
    let messages = items.map(|item| match item {
        Inbound::Message(message) => message,
        Inbound::Subscription(_) => panic!("{item:?} is no message"),
    });
    messages.collect()
}

#[test]
fn nothing_is_said_first_and_messages_flow_at_once() {
    let mut connection = raw(&stream());
    assert!(connection.poll_transmit().is_none());
    let peer = connection.peer().expect("there is nothing to wait for");
    assert_eq!((peer.socket_type, peer.version), (SocketType::Stream, Version::NONE));
}

#[test]
fn what_is_read_at_once_is_one_message_of_one_frame_whatever_it_is() {
    let zmtp = after_ready("DEALER", &[frame(0, b"hi"), frame(0x80, b"no frame"), body(3000)].concat());
    for octets in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), zmtp, vec![0; 300]] {
        for piece in [1, 7, 64, octets.len()] {
            let mut connection = raw(&stream());
            let mut pieces = Vec::new();
            for piece in octets.chunks(piece) {
                say(&mut connection, piece);
                pieces.push(Message::from(piece));
            }
            assert_eq!(taken(&mut connection), pieces, "in pieces of {piece}");
            assert!(connection.poll_transmit().is_none(), "nothing is answered");
        }
    }
}

#[test]
fn no_octets_are_no_message() {
    let mut connection = raw(&stream());
    say(&mut connection, b"");
    assert_eq!(connection.take(), None);
}

#[test]
fn bodies_leave_as_they_are_in_partial_writes_of_every_size() {
    let bodies = [body(5), body(3000), body(2047), body(2048), body(70_000), body(1)];
    for step in [1, 2, 100, 2048, 10_000, usize::MAX] {
        let mut connection = raw(&stream());
        for body in &bodies {
            connection.give(Message::from(body.clone()).into());
        }
        let mut written = Vec::new();
        while let Some(out) = connection.poll_transmit() {
            let count = out.chunk().len().min(step);
            written.extend_from_slice(&out.chunk()[..count]);
            out.advance(count);
        }
        assert!(written == bodies.concat(), "writes of {step} octets");
        assert_eq!(connection.unsent(), 0);
    }
}

#[test]
fn no_limit_of_a_message_and_no_clock_of_zmtp_applies() {
    let second = Duration::from_secs(1);
    let mut config = stream();
    config.max_message_size = 10;
    config.handshake_timeout = Some(second);
    config.heartbeat = Some(HeartbeatConfig { interval: second, timeout: second, ttl: 10 });
    let mut connection = raw(&config);
    assert_eq!(connection.poll_timeout(), None);
    say(&mut connection, &body(1000));
    connection.handle_timeout(NOW + 1000 * second).expect("silence is no fault");
    assert_eq!(connection.poll_timeout(), None);
    assert!(connection.poll_transmit().is_none());
    assert_eq!(taken(&mut connection), [Message::from(body(1000))]);
}

#[test]
fn reading_ahead_ends_at_64_kib_be_they_many_octets_or_many_messages() {
    for (piece, most) in [(1000, 66), (1, 1000)] {
        let mut connection = raw(&stream());
        let mut count = 0;
        while connection.wants_input() {
            say(&mut connection, &vec![1; piece]);
            count += 1;
            assert!(count <= most, "{count} pieces of {piece} are read ahead");
        }
        taken(&mut connection);
        assert!(connection.wants_input());
    }
}

#[test]
fn what_is_lost_on_the_way_is_counted_and_never_read_as_frames() {
    let mut connection = raw(&stream());
    for _ in 0..3 {
        connection.give(Message::from(frame(0, b"looks like a frame")).into());
    }
    let out = connection.poll_transmit().expect("there is something to write");
    out.advance(20);
    assert_eq!(connection.unsent(), 2);
    assert_eq!(connection.reclaim(), []);
    assert_eq!(connection.unsent(), 2);
}

#[test]
fn what_waits_is_written_before_the_end() {
    let mut connection = raw(&stream());
    connection.give(Message::from("bye").into());
    connection.finish();
    assert!(!connection.is_finished());
    assert_eq!(drain(&mut connection), b"bye");
    assert!(connection.is_finished());
}

#[test]
fn the_peer_is_told_apart_by_what_the_operating_system_says() {
    let mut connection = raw(&stream());
    let credentials = Some(Credentials { pid: Some(1), uid: 2, gid: 3 });
    connection.set_peer_credentials(credentials);
    assert_eq!(connection.peer().and_then(|peer| peer.credentials), credentials);
}
