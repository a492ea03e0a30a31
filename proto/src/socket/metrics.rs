//! [`Metrics`]: the statistics of sockets as `OpenMetrics` text.

use crate::connection::RoundTrip;
use crate::message::Frame;
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::stats::{HeldMemory, PeerStats, SocketStats};
use crate::socket_type::SocketType;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;

/// Statistics of several sockets as one text in the format `OpenMetrics` 1.0, which Prometheus reads. The text is that of
/// [`Display`](fmt::Display); this crate has no server.
///
/// The names of the metrics begin with `sansmq_`. Metrics of a socket have the labels `socket`, a name that the program
/// gives, and `type`. Metrics of a peer have a name that begins with `sansmq_peer_`, and also the labels `pipe` (the id of
/// [`PeerStats::pipe`]) and `endpoint`. `sansmq_peer_info` has further properties of a peer: its address, routing id, user
/// id, and the error with which its latest connection ended. A routing id or user id that is not printable text is written
/// as `0x` and hexadecimal digits. Sizes are in bytes, times in seconds.
///
/// Sockets of a runtime have `add_metrics`, as in `socket.add_metrics("jobs", &mut metrics)`. Without a runtime:
///
/// ```
/// use sansmq::proto::socket::Metrics;
/// use sansmq::proto::{Options, Socket, SystemEntropy, kind};
///
/// let socket = Socket::new(Options::<kind::Push>::new(), SystemEntropy);
/// let mut metrics = Metrics::new();
/// metrics.add("jobs", socket.socket_type(), &socket.stats(), socket.peer_stats());
/// let text = metrics.to_string();
/// assert!(text.contains("\nsansmq_accepted_connections_total{socket=\"jobs\",type=\"PUSH\"} 0\n"));
/// assert!(text.ends_with("\n# EOF\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    sockets: Vec<(SocketLabels, SocketStats)>,
    peers: Vec<(PeerLabels, PeerStats)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SocketLabels {
    socket: String,
    socket_type: SocketType,
}

#[derive(Clone, Debug)]
struct PeerLabels {
    socket: SocketLabels,
    pipe: PipeId,
    endpoint: Option<String>,
}

impl Metrics {
    /// Media type of the text, for the HTTP header `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Creates a text without sockets.
    pub const fn new() -> Self {
        Self { sockets: Vec::new(), peers: Vec::new() }
    }

    /// Adds a socket with its peers. `name` is the label `socket`; the name may be any text. `peers` can be empty if the
    /// metrics of single peers are not of interest, for example because a socket has thousands of them.
    ///
    /// Sockets of one type should have different names, because the format allows each set of labels only once. The second
    /// socket with the same name and type is renamed: `-2` is appended to its name, to the next one `-3`.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        socket_type: SocketType,
        stats: &SocketStats,
        peers: impl IntoIterator<Item = PeerStats>,
    ) {
        let name = name.into();
        let mut labels = SocketLabels { socket: name.clone(), socket_type };
        for number in 2.. {
            if self.sockets.iter().all(|(known, _)| *known != labels) {
                break;
            }
            labels.socket = alloc::format!("{name}-{number}");
        }
        self.peers.extend(peers.into_iter().map(|peer| {
            let endpoint = peer.endpoint.as_ref().map(ToString::to_string);
            (PeerLabels { socket: labels.clone(), pipe: peer.pipe, endpoint }, peer)
        }));
        self.sockets.push((labels, stats.clone()));
    }
}

/// Set of labels of a socket or a peer.
trait Labels {
    fn write(&self, label: &mut dyn FnMut(&str, &str) -> fmt::Result) -> fmt::Result;
}

impl Labels for SocketLabels {
    fn write(&self, label: &mut dyn FnMut(&str, &str) -> fmt::Result) -> fmt::Result {
        label("socket", &self.socket)?;
        label("type", self.socket_type.name())
    }
}

impl Labels for PeerLabels {
    fn write(&self, label: &mut dyn FnMut(&str, &str) -> fmt::Result) -> fmt::Result {
        self.socket.write(label)?;
        let PipeId { index, generation } = self.pipe;
        label("pipe", &alloc::format!("{index}.{generation}"))?;
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| label("endpoint", endpoint))
    }
}

/// Family of metrics, one per name. `T` is the type of the statistics.
struct Family<T: 'static> {
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    value: Value<T>,
}

/// Type of a family, and the function that returns the values of its metrics.
enum Value<T: 'static> {
    Gauge(fn(&T) -> u64),
    Seconds(fn(&T) -> Option<Duration>),
    Counter(fn(&T) -> u64),
    /// Gauges, one per value of the label with this name.
    Gauges(&'static str, fn(&T) -> Vec<(&'static str, u64)>),
    /// Counters, one per value of the label with this name.
    Counters(&'static str, fn(&T) -> Vec<(String, u64)>),
    /// Labels without a value.
    Info(fn(&T) -> Vec<(&'static str, String)>),
}

const fn family<T>(name: &'static str, unit: &'static str, help: &'static str, value: Value<T>) -> Family<T> {
    Family { name, unit, help, value }
}

impl<T> Family<T> {
    fn write<L: Labels>(&self, f: &mut fmt::Formatter<'_>, items: &[(L, T)]) -> fmt::Result {
        if items.is_empty() {
            return Ok(());
        }
        let Self { name, unit, help, value } = self;
        let (kind, suffix) = match value {
            Value::Gauge(_) | Value::Seconds(_) | Value::Gauges(..) => ("gauge", ""),
            Value::Counter(_) | Value::Counters(..) => ("counter", "_total"),
            Value::Info(_) => ("info", "_info"),
        };
        writeln!(f, "# TYPE sansmq_{name} {kind}")?;
        if !unit.is_empty() {
            writeln!(f, "# UNIT sansmq_{name} {unit}")?;
        }
        writeln!(f, "# HELP sansmq_{name} {help}")?;
        for (labels, stats) in items {
            let mut sample = |more: &[(&str, &str)], value: &dyn fmt::Display| {
                write!(f, "sansmq_{name}{suffix}")?;
                let mut separator = '{';
                let mut label = |name: &str, value: &str| {
                    write!(f, "{separator}{name}=\"")?;
                    separator = ',';
                    write_escaped(f, value)?;
                    f.write_char('"')
                };
                labels.write(&mut label)?;
                more.iter().try_for_each(|(name, value)| label(name, value))?;
                writeln!(f, "}} {value}")
            };
            match value {
                Value::Gauge(value) | Value::Counter(value) => sample(&[], &value(stats))?,
                Value::Seconds(value) => {
                    value(stats).map_or(Ok(()), |duration| sample(&[], &duration.as_secs_f64()))?;
                }
                Value::Gauges(label, values) => {
                    values(stats).iter().try_for_each(|(name, value)| sample(&[(label, name)], value))?;
                }
                Value::Counters(label, values) => {
                    values(stats).iter().try_for_each(|(name, value)| sample(&[(label, name)], value))?;
                }
                Value::Info(properties) => {
                    let properties = properties(stats);
                    let more: Vec<_> = properties.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    sample(&more, &1)?;
                }
            }
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    value.chars().try_for_each(|character| match character {
        '\\' => f.write_str("\\\\"),
        '"' => f.write_str("\\\""),
        '\n' => f.write_str("\\n"),
        other => f.write_char(other),
    })
}

/// Returns the bytes as text if they are printable, otherwise as hexadecimal digits.
fn printable(bytes: &Frame) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.into(),
        Ok(_) | Err(_) => {
            let mut text = String::from("0x");
            for byte in bytes.iter() {
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
    }
}

fn held(held: &HeldMemory) -> Vec<(&'static str, u64)> {
    let HeldMemory { outgoing, incoming, connections, subscriptions } = *held;
    [("outgoing", outgoing), ("incoming", incoming), ("connections", connections), ("subscriptions", subscriptions)]
        .into()
}

fn limits(stats: &SocketStats) -> Vec<(&'static str, u64)> {
    let limits = &stats.limits;
    let all = [
        ("send_hwm_bytes", limits.send_hwm_bytes),
        ("recv_hwm_bytes", limits.recv_hwm_bytes),
        ("max_handshake_bytes", limits.max_handshake_bytes),
        ("memory_budget", limits.memory_budget),
    ];
    all.into_iter().filter(|&(_, limit)| limit > 0).collect()
}

/// Returns the name of the variant in snake case, as serde writes it.
fn reason_name(reason: DropReason) -> String {
    let mut name = String::new();
    for character in alloc::format!("{reason:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

fn properties(peer: &PeerStats) -> Vec<(&'static str, String)> {
    let of_peer = [
        ("address", peer.address.as_ref().map(ToString::to_string)),
        ("routing_id", Some(&peer.routing_id).filter(|id| !id.is_empty()).map(printable)),
        ("user_id", peer.user_id.as_ref().map(printable)),
        ("last_error", peer.last_error.clone()),
    ];
    of_peer.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Defines the families that a socket and a peer have, as constants in the modules `of_socket` and `of_peer`. Each row has the
/// name for a socket, the unit, the help texts for a socket and for a peer, and the value, which both types of statistics
/// store in a field of the same name.
macro_rules! common_families {
    ($($group:ident: [$($name:literal, $unit:literal, $of_socket:literal, $of_peer:literal, $value:expr;)*])*) => {
        mod of_socket {
            use super::*;
            $(pub(super) const $group: &[Family<SocketStats>] = &[$(family($name, $unit, $of_socket, $value)),*];)*
        }

        mod of_peer {
            use super::*;
            $(pub(super) const $group: &[Family<PeerStats>] =
                &[$(family(concat!("peer_", $name), $unit, $of_peer, $value)),*];)*
        }
    };
}

common_families! {
    QUEUES: [
        "outgoing_messages", "messages",
        "Messages in outgoing queues.",
        "Messages that wait to be sent to the peer.",
        Value::Gauge(|stats| stats.outgoing.messages);

        "outgoing_bytes", "bytes",
        "Size of the messages in outgoing queues.",
        "Size of the messages that wait to be sent to the peer.",
        Value::Gauge(|stats| stats.outgoing.bytes);

        "outgoing_age_seconds", "seconds",
        "Age of the oldest message in outgoing queues, at least.",
        "Age of the oldest message that waits to be sent to the peer, at least.",
        Value::Seconds(|stats| Some(stats.outgoing_age));

        "under_way_messages", "messages",
        "Messages that connections have not completely written yet.",
        "Messages that the connection to the peer has not completely written yet.",
        Value::Gauge(|stats| stats.under_way);

        "incoming_messages", "messages",
        "Messages in incoming queues.",
        "Messages of the peer that wait for the application.",
        Value::Gauge(|stats| stats.incoming.messages);

        "incoming_bytes", "bytes",
        "Size of the messages in incoming queues.",
        "Size of the messages of the peer that wait for the application.",
        Value::Gauge(|stats| stats.incoming.bytes);

        "incoming_age_seconds", "seconds",
        "Age of the oldest message in incoming queues, at least.",
        "Age of the oldest message of the peer that waits for the application, at least.",
        Value::Seconds(|stats| Some(stats.incoming_age));

        "held_bytes", "bytes",
        "Memory that the socket holds, by use.",
        "Memory that the peer holds, by use.",
        Value::Gauges("use", |stats| held(&stats.held));
    ]
    TRAFFIC: [
        "sent_messages", "messages",
        "Messages given to connections; includes returned messages.",
        "Messages given to connections to the peer; includes returned messages.",
        Value::Counter(|stats| stats.sent.messages + stats.returned.messages);

        "sent_bytes", "bytes",
        "Size of the messages given to connections; includes returned messages.",
        "Size of the messages given to connections to the peer; includes returned messages.",
        Value::Counter(|stats| stats.sent.bytes + stats.returned.bytes);

        "returned_messages", "messages",
        "Messages that lost connections had not begun to send.",
        "Messages that lost connections to the peer had not begun to send.",
        Value::Counter(|stats| stats.returned.messages);

        "received_messages", "messages",
        "Received messages.",
        "Messages received from the peer.",
        Value::Counter(|stats| stats.received.messages);

        "received_bytes", "bytes",
        "Size of the received messages.",
        "Size of the messages received from the peer.",
        Value::Counter(|stats| stats.received.bytes);
    ]
    FULL_QUEUES: [
        "send_hwm_hits", "",
        "Times that an outgoing queue became full.",
        "Times that the outgoing queue of the peer became full.",
        Value::Counter(|stats| stats.send_hwm_hits);

        "recv_hwm_hits", "",
        "Times that an incoming queue became full.",
        "Times that the incoming queue of the peer became full.",
        Value::Counter(|stats| stats.recv_hwm_hits);
    ]
    RECONNECTS: [
        "reconnects", "",
        "Connection attempts that succeeded again.",
        "Connection attempts that succeeded again.",
        Value::Counter(|stats| stats.reconnects);
    ]
}

/// Families of a socket, in the order of the text.
const SOCKET_FAMILIES: &[&[Family<SocketStats>]] = &[
    &[
        family("peers", "", "Peers, connected or not.", Value::Gauge(|s| s.peers as u64)),
        family("ready_peers", "", "Peers with a finished handshake.", Value::Gauge(|s| s.ready_peers as u64)),
    ],
    of_socket::QUEUES,
    &[
        family("handshake_bytes", "bytes", "Memory of unfinished handshakes.", Value::Gauge(|s| s.handshake_bytes)),
        family(
            "limit_bytes",
            "bytes",
            "Limits on memory; absent if there is no limit.",
            Value::Gauges("limit", limits),
        ),
    ],
    of_socket::TRAFFIC,
    &[
        family(
            "dropped_messages",
            "messages",
            "Dropped messages, by reason; absent for reasons that have not occurred.",
            Value::Counters("reason", |s| {
                s.dropped.iter().map(|(reason, number)| (reason_name(reason), number)).collect()
            }),
        ),
        family("full_sends", "", "Attempts to send that found no room.", Value::Counter(|s| s.full_sends)),
    ],
    of_socket::FULL_QUEUES,
    &[
        family("accepted_connections", "connections", "Accepted connections.", Value::Counter(|s| s.accepted)),
        family(
            "dialled_connections",
            "connections",
            "Connection attempts that succeeded, including reconnects.",
            Value::Counter(|s| s.dialled),
        ),
    ],
    of_socket::RECONNECTS,
    &[
        family("failed_dials", "", "Connection attempts that failed.", Value::Counter(|s| s.failed_dials)),
        family(
            "failed_handshakes",
            "",
            "Connections that ended before their handshake was finished.",
            Value::Counter(|s| s.failed_handshakes),
        ),
        family("ended_connections", "connections", "Connections that ended.", Value::Counter(|s| s.ended)),
    ],
];

/// Families of a peer, in the order of the text.
const PEER_FAMILIES: &[&[Family<PeerStats>]] = &[
    &[
        family("peer", "", "Properties of the peer.", Value::Info(properties)),
        family("peer_ready", "", "1 if the handshake with the peer is finished.", Value::Gauge(|p| u64::from(p.ready))),
    ],
    of_peer::QUEUES,
    of_peer::TRAFFIC,
    of_peer::FULL_QUEUES,
    of_peer::RECONNECTS,
    &[family(
        "peer_round_trip_seconds",
        "seconds",
        "Latest round trip of a heartbeat; absent before the first.",
        Value::Seconds(|p| p.round_trip.map(|RoundTrip { last, .. }| last)),
    )],
];

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SOCKET_FAMILIES.iter().copied().flatten().try_for_each(|family| family.write(f, &self.sockets))?;
        PEER_FAMILIES.iter().copied().flatten().try_for_each(|family| family.write(f, &self.peers))?;
        f.write_str("# EOF\n")
    }
}

#[cfg(test)]
mod tests;
