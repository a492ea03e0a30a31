//! Tests with recorded sessions of libzmq. First, a connection must decode the bytes of libzmq, split at every
//! position. Second, our socket replaces the socket of libzmq, and must send the same bytes. `data/README.md` describes
//! the files.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "../recorded/mod.rs"]
mod recorded;
mod session;
mod stage;

use recorded::{decode, replay};
use sansmq_proto::connection::{ConnectionConfig, Inbound};
use sansmq_proto::{Message, SocketType};
use session::{other_sessions, sessions};
use stage::differences;
use std::sync::Arc;

#[test]
fn bytes_of_libzmq_are_decoded_for_every_split() {
    for (name, session) in sessions() {
        let sends = session.steps.iter().filter_map(|step| step.message("send"));
        // "nobody" is the routing id of a message that libzmq's ROUTER drops, because it has no such peer.
        let sent: Vec<_> = sends.filter(|message| message.head() != "nobody").collect();
        let (mut received, mut subscriptions) = (Vec::new(), Vec::new());
        for (conn, [libzmq, peer]) in session.streams() {
            let config = Arc::new(ConnectionConfig::new(socket_type_in(&peer)));
            let whole = replay(&config, &[&libzmq]);
            for cut in cuts(libzmq.len()) {
                let (front, rest) = libzmq.split_at(cut);
                assert!(replay(&config, &[front, rest]) == whole, "{name}, connection {conn}, split at {cut}");
            }
            assert_eq!(whole.error, None, "{name}, connection {conn}");
            assert!(whole.ready, "{name}, connection {conn}: the handshake is done");
            for item in whole.received {
                match item {
                    Inbound::Message(message) => received.push(message),
                    Inbound::Subscription(change) => subscriptions.push(change),
                }
            }
        }
        assert_eq!(subscriptions, session.subscriptions(), "{name}: every subscription change is received");
        if session.publishes() {
            let welcome = session.options.get("XPUB_WELCOME_MSG").map(|text| Message::from(decode(text)));
            assert!(
                received.iter().all(|message| sent.contains(message) || Some(message) == welcome.as_ref()),
                "{name}"
            );
            continue;
        }
        assert_eq!(received.len(), sent.len(), "{name}: every message is received");
        for message in &sent {
            // A ROUTER removes the first frame, and a REQ adds a frame.
            let common = message.frames().get(1..).filter(|rest| !rest.is_empty()).unwrap_or_else(|| message.frames());
            assert!(
                received.iter().any(|received| received.frames().ends_with(common)),
                "{name}: {message:?} is received"
            );
        }
    }
}

/// Each line `# here: …` of a session is a difference of our socket from libzmq's. Of these, documentation.rs of the
/// package `tests` checks that the guide for users of libzmq lists them.
#[test]
fn socket_in_place_of_libzmq_differs_only_as_listed() {
    let mut wrong = Vec::new();
    for (name, session) in sessions().chain(other_sessions()) {
        // A STREAM receives what one read returns as a message.
        let pieces: &[_] = if session.socket_type == SocketType::Stream { &[usize::MAX] } else { &[usize::MAX, 1] };
        for &piece in pieces {
            let found = differences(&session, piece);
            let not_listed = found.iter().filter(|difference| !session.differences.contains(difference));
            wrong.extend(not_listed.map(|difference| format!("{name}: not listed: {difference}")));
            let past = session.differences.iter().filter(|difference| !found.contains(difference));
            wrong.extend(past.map(|difference| format!("{name}: no difference any more: {difference}")));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} differences in the recorded sessions:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn accepted_socket_types_match_libzmq() {
    const GREETING: [u8; 64] = {
        let mut greeting = [0; 64];
        (greeting[0], greeting[9], greeting[10], greeting[11]) = (0xff, 0x7f, 3, 1);
        (greeting[12], greeting[13], greeting[14], greeting[15]) = (b'N', b'U', b'L', b'L');
        greeting
    };
    let names: Vec<_> = SocketType::ALL.into_iter().map(|socket_type| socket_type.to_string()).collect();
    let mut lines = 0;
    for line in include_str!("../data/compatible.list").lines().filter(|line| !line.starts_with('#')) {
        let (socket, accepted) = line.split_once(' ').unwrap();
        let config = Arc::new(ConnectionConfig::new(socket.parse().unwrap()));
        for peer in names.iter().map(String::as_str).chain([""]) {
            let property =
                [&b"\x05READY\x0bSocket-Type\0\0\0"[..], &[u8::try_from(peer.len()).unwrap()], peer.as_bytes()]
                    .concat();
            let ready = [&[4, u8::try_from(property.len()).unwrap()], &property[..]].concat();
            let is_accepted = replay(&config, &[&GREETING, &ready]).error.is_none();
            assert_eq!(is_accepted, accepted.split(' ').any(|name| name == peer), "{socket} with {peer:?}");
        }
        lines += 1;
    }
    assert!(lines == 12 && names.len() == 20);
}

/// Returns the positions at which an input of `len` bytes is split: all positions, or for a long input the positions
/// near both ends and some between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).filter(move |&cut| cut < 2000 || len - cut < 300 || cut % 65_521 == 0)
}

/// Returns the socket type in the READY command of `stream`, the bytes that one side of a recorded connection sent.
fn socket_type_in(stream: &[u8]) -> SocketType {
    let name = b"Socket-Type\0\0\0";
    let at = stream.windows(name.len()).position(|window| window == name).expect("the stream must have a READY")
        + name.len();
    let end = at + 1 + usize::from(stream[at]);
    SocketType::from_name(&stream[at + 1..end]).expect("the socket type must be known")
}
