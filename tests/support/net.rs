//! Small topologies on the simulated network [`Net`], and helpers that read messages and events from them.

use core::time::Duration;
use sansmq_proto::kind::{Kind, Pull, Push};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Frame, Message, Options, RecvError};
use std::ops::{Deref, DerefMut};
use std::thread;

/// Endpoint on the simulated network that most tests use.
pub const PLACE: &str = "tcp://place:1";

/// Creates a network that splits sent bytes into chunks of 1 to 9 bytes, so that tests cover every position of a split.
pub fn net_with_small_chunks() -> Net {
    Net::seeded(1).chunks(1..=9)
}

/// Creates one socket bound at [`PLACE`], and other sockets that are connected to it.
pub fn star<T: Kind, U: Kind, const N: usize>(
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

/// Creates one socket that is connected to other sockets, each bound at a separate endpoint.
pub fn fan<T: Kind, U: Kind, const N: usize>(
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

/// Creates a message of several text frames.
pub fn message<const N: usize>(frames: [&str; N]) -> Message {
    Message::from(frames.map(Frame::from))
}

/// Returns a duration of `millis` milliseconds.
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a duration of `seconds` seconds.
pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns default options of a PUSH.
pub fn push() -> Options<Push> {
    Options::new()
}

/// Returns default options of a PULL.
pub fn pull() -> Options<Pull> {
    Options::new()
}

/// Creates a socket bound at [`PLACE`].
pub fn bound<T: Kind>(net: &mut Net, options: Options<T>) -> NodeId {
    let node = net.socket(options);
    net.bind(node, PLACE);
    node
}

/// Creates a socket that connects to [`PLACE`].
pub fn connected<T: Kind>(net: &mut Net, options: Options<T>) -> NodeId {
    let node = net.socket(options);
    net.connect(node, PLACE);
    node
}

/// Closes a socket.
pub fn close(net: &mut Net, node: NodeId) {
    let now = net.now();
    net[node].close(now);
}

/// Takes all queued events of the socket `node`. Returns, for each failed or ended connection, the time until the
/// socket dials again; `None` if the socket does not dial again.
pub fn waits(net: &mut Net, node: NodeId) -> Vec<Option<Duration>> {
    let waits = events(net, node).into_iter().filter_map(|event| match event {
        Event::ConnectFailed { retry, .. }
        | Event::HandshakeFailed { retry, .. }
        | Event::Disconnected { retry, .. } => Some(retry),
        _ => None,
    });
    waits.collect()
}

/// A simulated network that prints its trace if the test fails.
#[derive(Debug)]
pub struct TracedNet(pub Net);

impl Deref for TracedNet {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.0
    }
}

impl DerefMut for TracedNet {
    fn deref_mut(&mut self) -> &mut Net {
        &mut self.0
    }
}

impl Drop for TracedNet {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.trace().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Receives messages at a socket and runs the network until no more messages arrive.
///
/// # Panics
/// If receiving fails with another error than [`RecvError::Empty`].
pub fn recv_all(net: &mut Net, node: NodeId) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        net.settle();
        match net[node].recv() {
            Ok(message) => messages.push(message),
            Err(RecvError::Empty) => return messages,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Returns the last frame of each message as text.
pub fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.body().to_text().into_owned()).collect()
}

/// Takes all queued events of a socket.
pub fn events(net: &mut Net, node: NodeId) -> Vec<Event> {
    core::iter::from_fn(|| net[node].poll_event()).collect()
}

/// Returns the error texts of all ended connections and failed handshakes in `events`, in the order of the events.
pub fn endings(events: &[Event]) -> Vec<String> {
    let endings = events.iter().filter_map(|event| match event {
        Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    endings.collect()
}

/// Returns the number of messages that were dropped with the reason `expected`, according to `events`.
pub fn dropped(events: &[Event], expected: DropReason) -> usize {
    let counts = events.iter().map(|event| match event {
        Event::Dropped { reason, messages } if *reason == expected => *messages,
        _ => 0,
    });
    counts.sum()
}
