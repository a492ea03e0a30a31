//! The rules of each socket type, between sockets of a simulated network.

#![expect(clippy::unwrap_used, reason = "a surprise is a test that fails")]

mod byte_marks;
mod drafts;
mod marks;
mod pipeline;
mod pubsub;
mod radio;
mod rep;
mod req;
mod router;
mod senders;
mod stats;
mod stream;
mod wishes;
mod xpub;

use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Message, Options, kind::Kind};

const PLACE: &str = "tcp://place:1";

/// A network whose pieces are small, so that every boundary is met.
fn net() -> Net {
    Net::seeded(1).chunks(1..=9)
}

/// One socket bound at [`PLACE`], and others connected to it.
fn star<T: Kind, U: Kind, const N: usize>(
    net: &mut Net,
    bound: Options<T>,
    others: [Options<U>; N],
) -> (NodeId, [NodeId; N]) {
    let bound = net.socket(bound);
    net.bind(bound, PLACE);
    let others = others.map(|options| {
        let other = net.socket(options);
        net.connect(other, PLACE);
        net.settle();
        other
    });
    (bound, others)
}

/// One socket, connected to others that are bound at places of their own.
fn fan<T: Kind, U: Kind, const N: usize>(
    net: &mut Net,
    one: Options<T>,
    others: [Options<U>; N],
) -> (NodeId, [NodeId; N]) {
    let one = net.socket(one);
    let mut port = 0;
    let others = others.map(|options| {
        let other = net.socket(options);
        port += 1;
        net.bind(other, &format!("tcp://place:{port}"));
        net.connect(one, &format!("tcp://place:{port}"));
        net.settle();
        other
    });
    (one, others)
}

fn message<const N: usize>(frames: [&str; N]) -> Message {
    Message::from(frames.map(Frame::from))
}
