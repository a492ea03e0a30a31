//! Tests of connections of STREAM sockets, which send and receive raw bytes without ZMTP.

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
        Inbound::Subscription(_) => panic!("{item:?} is not a message"),
    });
    messages.collect()
}

#[test]
fn raw_connection_sends_no_greeting_and_is_ready_at_once() {
    let mut connection = raw(&stream());
    assert!(connection.poll_transmit().is_none());
    let peer = connection.peer().expect("the connection is ready at once");
    assert_eq!((peer.socket_type, peer.version), (SocketType::Stream, Version::NONE));
}

#[test]
fn each_raw_read_becomes_one_message_of_one_frame() {
    let zmtp = after_ready("DEALER", &[frame(0, b"hi"), frame(0x80, b"no frame"), body(3000)].concat());
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), zmtp, vec![0; 300]] {
        for piece in [1, 7, 64, bytes.len()] {
            let mut connection = raw(&stream());
            let mut pieces = Vec::new();
            for piece in bytes.chunks(piece) {
                deliver(&mut connection, piece);
                pieces.push(Message::from(piece));
            }
            assert_eq!(taken(&mut connection), pieces, "in pieces of {piece}");
            assert!(connection.poll_transmit().is_none(), "no reply is sent");
        }
    }
}

#[test]
fn empty_raw_input_creates_no_message() {
    let mut connection = raw(&stream());
    deliver(&mut connection, b"");
    assert_eq!(connection.take(), None);
}

#[test]
fn raw_bodies_are_written_unchanged_in_partial_writes() {
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
        assert!(written == bodies.concat(), "writes of {step} bytes");
        assert_eq!(connection.unsent(), 0);
    }
}

#[test]
fn raw_connection_ignores_message_limits_and_zmtp_timeouts() {
    let second = Duration::from_secs(1);
    let mut config = stream();
    config.max_message_size = 10;
    config.handshake_timeout = Some(second);
    config.heartbeat = Some(HeartbeatConfig { interval: second, timeout: second, ttl: 10 });
    let mut connection = raw(&config);
    assert_eq!(connection.poll_timeout(), None);
    deliver(&mut connection, &body(1000));
    connection.handle_timeout(NOW + 1000 * second).expect("there is no timeout");
    assert_eq!(connection.poll_timeout(), None);
    assert!(connection.poll_transmit().is_none());
    assert_eq!(taken(&mut connection), [Message::from(body(1000))]);
}

#[test]
fn raw_read_ahead_stops_at_64_kib_of_memory() {
    for (piece, most) in [(1000, 66), (1, 1000)] {
        let mut connection = raw(&stream());
        let mut count = 0;
        while connection.wants_input() {
            deliver(&mut connection, &vec![1; piece]);
            count += 1;
            assert!(count <= most, "{count} pieces of {piece} bytes are read ahead");
        }
        taken(&mut connection);
        assert!(connection.wants_input());
    }
}

#[test]
fn raw_output_is_counted_unsent_and_not_reclaimed() {
    let mut connection = raw(&stream());
    for _ in 0..3 {
        connection.give(Message::from(frame(0, b"looks like a frame")).into());
    }
    let out = connection.poll_transmit().expect("there is output");
    out.advance(20);
    assert_eq!(connection.unsent(), 2);
    assert_eq!(connection.reclaim(), []);
    assert_eq!(connection.unsent(), 2);
}

#[test]
fn raw_connection_finishes_after_queued_output() {
    let mut connection = raw(&stream());
    connection.give(Message::from("bye").into());
    connection.finish();
    assert!(!connection.is_finished());
    assert_eq!(drain(&mut connection), b"bye");
    assert!(connection.is_finished());
}

#[test]
fn raw_peer_has_credentials_of_operating_system() {
    let mut connection = raw(&stream());
    let credentials = Some(Credentials { pid: Some(1), uid: 2, gid: 3 });
    connection.set_peer_credentials(credentials);
    assert_eq!(connection.peer().and_then(|peer| peer.credentials), credentials);
}
