//! A whole connection, fed anything in any pieces.

use sansmq_proto::connection::{ConnectionConfig, HeartbeatConfig, Inbound, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{Buf, Connection, Instant, Message, SocketType};
use std::sync::Arc;
use std::time::Duration;

/// What is held for a peer may be a little more than it has sent, but not much.
const OVERHEAD: usize = 1 << 20;

const MAX_MESSAGE: usize = 1 << 16;

/// Commands have a limit of their own.
const MAX_COMMAND: usize = 128 << 10;

/// A socket type and octets, fed in pieces and at once: both ways the connection finds the same, and neither panics, asks for
/// more memory than it was sent, or says anything without end.
pub fn connection(data: &[u8]) {
    let Some((&kind, octets)) = data.split_first() else { return };
    let Some((&step, octets)) = octets.split_first() else { return };
    let config = config(kind);
    let [whole, pieces] = [octets.len(), usize::from(step)].map(|step| hear(&config, octets, step.max(1)));
    if config.socket_type == SocketType::Stream {
        // What it receives is cut as it came.
        let all =
            |(taken, end): (Vec<Inbound>, Option<String>)| (taken.iter().flat_map(octets_of).collect::<Vec<_>>(), end);
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

/// What came of it: what was taken, and how it ended.
fn hear(config: &Arc<ConnectionConfig>, octets: &[u8], step: usize) -> (Vec<Inbound>, Option<String>) {
    let now = Instant::ORIGIN;
    let mut connection = Connection::new(config, &mut SeededEntropy::new(1), now);
    let mut taken = Vec::new();
    for piece in octets.chunks(step) {
        let heard = connection.handle_input(piece, now);
        while let Some(item) = connection.take() {
            taken.push(item);
        }
        let mut said = 0;
        while let Some(out) = connection.poll_transmit() {
            let len = out.remaining();
            assert!(len > 0, "there is something to write");
            said += len;
            out.advance(len);
        }
        assert!(said <= octets.len() + OVERHEAD, "{said} octets were said to {}", octets.len());
        if let Some(space) = connection.body_space() {
            assert!(space.len() <= MAX_COMMAND.max(MAX_MESSAGE));
        }
        if let Err(error) = heard {
            return (taken, Some(format!("{error:?}")));
        }
    }
    (taken, None)
}

fn octets_of(item: &Inbound) -> Vec<u8> {
    match item {
        Inbound::Message(message) => message.body().to_vec(),
        wish @ Inbound::Subscription(_) => panic!("{wish:?} was heard in what means nothing"),
    }
}

/// Messages made of the octets come out at the other end as they were, whatever the pieces.
pub fn round_trip(data: &[u8]) {
    let Some((&step, octets)) = data.split_first() else { return };
    let messages: Vec<Message> = octets
        .split(|&octet| octet == b'\n')
        .filter_map(|line| {
            Message::from_frames(line.split(|&octet| octet == b'/').map(|frame| frame.repeat(1 + line.len() % 60)))
        })
        .collect();
    let now = Instant::ORIGIN;
    let ends = [1, 2].map(|seed| {
        Connection::new(&ConnectionConfig::new(SocketType::Dealer).into(), &mut SeededEntropy::new(seed), now)
    });
    let [mut near, mut far] = ends;
    let mut sent = messages.iter();
    let mut received = Vec::new();
    let mut idle = 0;
    while idle < 3 {
        idle += 1;
        while near.has_room() {
            let Some(message) = sent.next() else { break };
            near.give(message.clone().into());
        }
        for turn in [true, false] {
            let (from, to) = if turn { (&mut near, &mut far) } else { (&mut far, &mut near) };
            while let Some(out) = from.poll_transmit() {
                let octets = out.copy_to_bytes(out.remaining().min(usize::from(step) + 1));
                to.handle_input(&octets, now).expect("what we say we understand");
                idle = 0;
            }
        }
        while let Some(item) = far.take() {
            received.push(item);
        }
    }
    let expected: Vec<Inbound> = messages.into_iter().map(Into::into).collect();
    assert_eq!(received, expected);
}
