//! How connections, listeners and sockets come, go and come again, over years of a clock that only the test moves.

#![expect(clippy::unwrap_used, clippy::similar_names, reason = "a surprise is a test that fails")]

mod admission;
mod audience;
mod brokers;
mod chaos;
mod choices;
mod ending;
mod handover;
mod network;
mod notices;
mod reconnect;
mod silence;
mod slow_sinks;
mod small_worlds;
mod socks;
mod storms;
mod weather;
mod workers;

use core::time::Duration;
use sansmq_proto::kind::{Kind, Pull, Push};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Options};
use sansmq_tests::events;

const PLACE: &str = "tcp://place:1";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn push() -> Options<Push> {
    Options::new()
}

fn pull() -> Options<Pull> {
    Options::new()
}

/// A socket bound at [`PLACE`].
fn bound<T: Kind>(net: &mut Net, options: Options<T>) -> NodeId {
    let node = net.socket(options);
    net.bind(node, PLACE);
    node
}

/// A socket that connects to [`PLACE`].
fn connected<T: Kind>(net: &mut Net, options: Options<T>) -> NodeId {
    let node = net.socket(options);
    net.connect(node, PLACE);
    node
}

fn close(net: &mut Net, node: NodeId) {
    let now = net.now();
    net[node].close(now);
}

/// The waits for another dial that a socket's events announce; none where it does not dial again.
fn waits(net: &mut Net, node: NodeId) -> Vec<Option<Duration>> {
    let waits = events(net, node).into_iter().filter_map(|event| match event {
        Event::DialFailed { retry, .. } | Event::HandshakeFailed { retry, .. } | Event::Disconnected { retry, .. } => {
            Some(retry)
        }
        _ => None,
    });
    waits.collect()
}
