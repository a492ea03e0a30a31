//! Recorded sessions of libzmq, as `data/README.md` describes them.

use crate::recorded::decode;
use sansmq_proto::connection::Subscription;
use sansmq_proto::socket::SocketOption;
use sansmq_proto::{Message, Options, SocketType};
use std::collections::BTreeMap;
use std::fs;

/// Recorded session: the content of one file in `data`.
pub(crate) struct Session {
    pub(crate) socket_type: SocketType,
    pub(crate) connects: bool,
    /// Options of libzmq's socket, by their names. The values are in the form of the file.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) steps: Vec<RecordedStep>,
    /// Expected differences of our socket from libzmq.
    pub(crate) differences: Vec<String>,
}

/// Line of a recorded session: the number of the connection to which the line belongs, its first word, and the other
/// words.
pub(crate) struct RecordedStep {
    pub(crate) conn: u32,
    pub(crate) verb: String,
    pub(crate) words: Vec<String>,
}

pub(crate) fn sessions() -> impl Iterator<Item = (String, Session)> {
    sessions_in("", 50)
}

/// Returns the recorded sessions that are replayed only with our socket in place of libzmq's. In those of the folder `old`,
/// the peer uses ZMTP 2.0 or 1.0. If our connection replaced the peer, libzmq would send other bytes, because our
/// connection uses ZMTP 3.1. Those of the folder `other` have several connections, no complete handshake, or results that
/// differ from ours.
pub(crate) fn other_sessions() -> impl Iterator<Item = (String, Session)> {
    sessions_in("/old", 15).chain(sessions_in("/other", 50))
}

fn sessions_in(folder: &str, at_least: usize) -> impl Iterator<Item = (String, Session)> {
    let folder = format!("{}/tests/data{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    assert!(paths.len() >= at_least, "recorded sessions are missing");
    paths.sort();
    paths.into_iter().map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, Session::parse(&fs::read_to_string(path).unwrap()))
    })
}

impl Session {
    fn parse(text: &str) -> Self {
        let mut session = Self {
            socket_type: SocketType::Pair,
            connects: false,
            options: BTreeMap::new(),
            steps: Vec::new(),
            differences: text.lines().filter_map(|line| line.strip_prefix("# here: ").map(str::to_owned)).collect(),
        };
        let mut conn = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ').map(str::to_owned);
            let verb = words.next().expect("`split` yields at least one word");
            let words: Vec<_> = words.collect();
            match verb.as_str() {
                "socket" => {
                    session.socket_type = words[0].parse().unwrap();
                    session.connects = words[1] == "connect";
                }
                "option" => _ = session.options.insert(words[0].clone(), words[1].clone()),
                "conn" => conn = words[0].parse().unwrap(),
                _ => session.steps.push(RecordedStep { conn, verb, words }),
            }
        }
        session
    }

    /// Returns the bytes of each connection, by its number: first all bytes that libzmq sent, then all that its peer
    /// sent.
    pub(crate) fn streams(&self) -> BTreeMap<u32, [Vec<u8>; 2]> {
        let mut streams = BTreeMap::<_, [Vec<u8>; 2]>::new();
        for step in &self.steps {
            let side = match step.verb.as_str() {
                ">" => 0,
                "<" => 1,
                _ => continue,
            };
            streams.entry(step.conn).or_default()[side].extend(decode(&step.words[0]));
        }
        streams
    }

    /// Returns the numbers of the connections that libzmq closes.
    pub(crate) fn closed(&self) -> Vec<u32> {
        let closes = |step: &&RecordedStep| step.verb == "close" && step.words[0] == "libzmq";
        self.steps.iter().filter(closes).map(|step| step.conn).collect()
    }

    /// Returns true if the socket of libzmq is a PUB, XPUB or RADIO. These send to a peer only the messages that match
    /// a subscription or a group of the peer.
    pub(crate) fn publishes(&self) -> bool {
        matches!(self.socket_type, SocketType::Pub | SocketType::XPub | SocketType::Radio)
    }

    /// Returns the subscription changes that libzmq must send to the peer in this session. Each `subscribe` is sent; an
    /// `unsubscribe` is sent only if no other subscription to the same topic is left.
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let mut counts = BTreeMap::<_, u32>::new();
        let mut changes = Vec::new();
        for step in &self.steps {
            let change = match step.verb.as_str() {
                "subscribe" => Subscription::Subscribe,
                "unsubscribe" => Subscription::Cancel,
                "join" => Subscription::Join,
                "leave" => Subscription::Leave,
                _ => continue,
            };
            let change = change(decode(&step.words[0]).into());
            let count = counts.entry(change.subject().clone()).or_default();
            if matches!(change, Subscription::Subscribe(_) | Subscription::Join(_)) {
                *count += 1;
                changes.push(change);
            } else if *count > 0 {
                *count -= 1;
                changes.extend((*count == 0).then_some(change));
            }
        }
        changes
    }

    /// Returns the options of libzmq's socket for ours. An option that our socket type does not have has no effect in libzmq
    /// either, or the replay shows a difference.
    pub(crate) fn options(&self) -> Options {
        // libzmq does not send this property.
        let options = Options::of(self.socket_type).close_reasons(false);
        let (mut options, mut heartbeat) = (options, [None; 3]);
        for (name, value) in &self.options {
            let part = match name.as_str() {
                "CONNECT_ROUTING_ID" => continue,
                "HEARTBEAT_IVL" => 0,
                "HEARTBEAT_TIMEOUT" => 1,
                "HEARTBEAT_TTL" => 2,
                "ROUTER_NOTIFY" => {
                    for option in [SocketOption::NotifyConnect(true), SocketOption::NotifyDisconnect(true)] {
                        options = options.set(option).unwrap();
                    }
                    continue;
                }
                _ => {
                    options = set(options, name, value);
                    continue;
                }
            };
            heartbeat[part] = Some(core::time::Duration::from_millis(value.parse().unwrap()));
        }
        match heartbeat {
            [None, ..] => options,
            [Some(interval), timeout, ttl] => {
                options.heartbeat_with(interval, timeout.unwrap_or(interval), ttl.unwrap_or_default()).unwrap()
            }
        }
    }
}

/// Sets an option by its name in libzmq.
fn set(options: Options, name: &str, value: &str) -> Options {
    let option = match name {
        "ROUTING_ID" => SocketOption::RoutingId(decode(value).into()),
        "HELLO_MSG" => SocketOption::HelloMessage(decode(value).into()),
        "DISCONNECT_MSG" => SocketOption::DisconnectMessage(decode(value).into()),
        "XPUB_WELCOME_MSG" => SocketOption::WelcomeMessage(decode(value).into()),
        "ZAP_DOMAIN" => SocketOption::ZapDomain(String::from_utf8(decode(value)).unwrap()),
        _ => SocketOption::parse(name, value).unwrap(),
    };
    if option.exists_for(options.socket_type()) { options.set(option).unwrap() } else { options }
}

impl RecordedStep {
    /// Returns the message of this step if the step begins with `verb` (`send` or `recv`). Returns `None` for other steps,
    /// and if libzmq returned an error for this step.
    pub(crate) fn message(&self, verb: &str) -> Option<Message> {
        if self.verb != verb || matches!(self.words[0].as_str(), "EAGAIN" | "EFSM") {
            return None;
        }
        Message::from_frames(self.words.iter().map(|word| decode(word)))
    }
}
