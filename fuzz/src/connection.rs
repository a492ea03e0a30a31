//! Fuzz targets for a connection: arbitrary input, and the output of another connection, in pieces of any length.

use super::bounded;
use super::memory::Allocated;
use sansmq_proto::connection::{ConnectionConfig, HeartbeatConfig, Inbound, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{Buf, Connection, Instant, Message, SocketType};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of bytes that a connection may send in response to one piece of input, in addition to the length of
/// the whole input.
const OVERHEAD: usize = 1 << 20;

const MAX_MESSAGE: usize = 1 << 16;

/// Maximum memory in bytes of a connection without input, and maximum memory for each byte of input: an empty message of two
/// bytes has 80 bytes in the connection and in the list of received items, and their capacity may be twice as large.
const CONSTANT_MEMORY: usize = 32 << 10;
const MEMORY_PER_BYTE: usize = 200;

/// Maximum size of a command, in bytes.
const MAX_COMMAND: usize = 128 << 10;

/// Checks that a connection returns the same result for the whole input at once and for the input in pieces, does not
/// panic, and limits its memory and output: memory is in proportion to the input, not to announced sizes. The first byte of `data` selects the socket type, and the second byte the
/// length of the pieces. The other bytes are the input.
pub fn connection(data: &[u8]) {
    let _bounded = bounded(data);
    let Some((&kind, bytes)) = data.split_first() else { return };
    let Some((&step, bytes)) = bytes.split_first() else { return };
    let config = config(kind);
    let [whole, pieces] = [bytes.len(), usize::from(step)].map(|step| {
        let allocated = Allocated::default();
        let (received, connection) = allocated.during(|| receive(&config, bytes, step.max(1)));
        allocated.assert_at_most(CONSTANT_MEMORY + MEMORY_PER_BYTE * bytes.len());
        drop(connection);
        received
    });
    if config.socket_type == SocketType::Stream {
        // A STREAM receives the bytes in the pieces in which they arrive.
        let all = |(received, end): (Vec<Inbound>, Option<String>)| {
            (received.iter().flat_map(body_of).collect::<Vec<_>>(), end)
        };
        assert_eq!(all(whole), all(pieces));
    } else {
        assert_eq!(whole, pieces);
    }
}

fn config(kind: u8) -> Arc<ConnectionConfig> {
    const KINDS: [SocketType; 8] = [
        SocketType::Pull,
        SocketType::Router,
        SocketType::Rep,
        SocketType::XPub,
        SocketType::Sub,
        SocketType::Pair,
        SocketType::Server,
        SocketType::Stream,
    ];
    let mut config = ConnectionConfig::new(KINDS[usize::from(kind) % KINDS.len()]);
    config.max_message_size = MAX_MESSAGE;
    if kind & 0x80 != 0 {
        let interval = Duration::from_secs(1);
        config.heartbeat = Some(HeartbeatConfig { interval, timeout: interval, ttl: 0 });
    }
    config.into()
}

/// Received items, and the error that ended the connection, if any.
type Received = (Vec<Inbound>, Option<String>);

/// Passes `bytes` to a new connection in pieces of `step` bytes.
fn receive(config: &Arc<ConnectionConfig>, bytes: &[u8], step: usize) -> (Received, Connection) {
    let now = Instant::ORIGIN;
    let mut connection = Connection::new(config, &mut SeededEntropy::new(1), now);
    let mut received = Vec::new();
    for piece in bytes.chunks(step) {
        let result = connection.handle_input(piece, now);
        while let Some(item) = connection.take() {
            received.push(item);
        }
        let mut sent = 0;
        while let Some(out) = connection.poll_transmit() {
            let len = out.remaining();
            assert!(len > 0, "a transmit must not be empty");
            sent += len;
            out.advance(len);
        }
        assert!(sent <= bytes.len() + OVERHEAD, "{sent} bytes were sent in response to {}", bytes.len());
        if let Some(space) = connection.body_space() {
            assert!(space.len() <= MAX_COMMAND.max(MAX_MESSAGE));
        }
        if let Err(error) = result {
            return ((received, Some(format!("{error:?}"))), connection);
        }
    }
    ((received, None), connection)
}

fn body_of(item: &Inbound) -> Vec<u8> {
    match item {
        Inbound::Message(message) => message.body().to_vec(),
        other @ Inbound::Subscription(_) => panic!("a STREAM must not receive {other:?}"),
    }
}

/// Checks that messages arrive unchanged when their encoded bytes arrive in pieces. The first byte of `data` selects
/// the length of the pieces.
pub fn round_trip(data: &[u8]) {
    let _bounded = bounded(data);
    let Some((&step, bytes)) = data.split_first() else { return };
    let messages: Vec<Message> = bytes
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            Message::from_frames(line.split(|&byte| byte == b'/').map(|frame| frame.repeat(1 + line.len() % 60)))
        })
        .collect();
    let now = Instant::ORIGIN;
    let ends = [1, 2].map(|seed| {
        Connection::new(&ConnectionConfig::new(SocketType::Dealer).into(), &mut SeededEntropy::new(seed), now)
    });
    let [mut client, mut server] = ends;
    let mut sent = messages.iter();
    let mut received = Vec::new();
    let mut idle = 0;
    while idle < 3 {
        idle += 1;
        while client.has_room() {
            let Some(message) = sent.next() else { break };
            client.give(message.clone().into());
        }
        for forward in [true, false] {
            let (from, to) = if forward { (&mut client, &mut server) } else { (&mut server, &mut client) };
            while let Some(out) = from.poll_transmit() {
                let bytes = out.copy_to_bytes(out.remaining().min(usize::from(step) + 1));
                to.handle_input(&bytes, now).expect("own output is valid input");
                idle = 0;
            }
        }
        while let Some(item) = server.take() {
            received.push(item);
        }
    }
    let expected: Vec<Inbound> = messages.into_iter().map(Into::into).collect();
    assert_eq!(received, expected);
}
