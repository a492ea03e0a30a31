//! Tests with recorded sessions of libzmq. First, a connection must decode the bytes of libzmq, split at every
//! position. Second, our socket replaces the socket of libzmq, and must send the same bytes. `data/README.md` describes
//! the files.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a panic fails the test")]

#[path = "../recorded/mod.rs"]
mod recorded;

use core::time::Duration;
use recorded::{decode, drain, replay};
use sansmq_proto::connection::{ConnectionConfig, Inbound, Subscription};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::wire::FrameHead;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Frame, Instant, ListenerId, Message, Options, PipeId, RecvError, Socket,
    SocketType, kind,
};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

#[test]
fn bytes_of_libzmq_are_decoded_for_every_split() {
    for (name, session) in sessions() {
        let sends = session.steps.iter().filter_map(|step| as_message(step, "send"));
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

#[test]
fn socket_in_place_of_libzmq_sends_the_same_bytes() {
    for (name, session) in sessions().chain(legacy_sessions()) {
        for piece in [usize::MAX, 1] {
            let mut stage = Stage::new(&session);
            for (number, step) in session.steps.iter().enumerate() {
                stage.play(step, piece, &format!("{name}, step {number}"));
            }
            for (conn, [libzmq, _]) in session.streams() {
                let ours = without_close_reason(&stage.ends[&conn].sent);
                assert!(ours == libzmq, "{name}, connection {conn}: the {} bytes that we sent differ", ours.len());
            }
        }
    }
}

/// Returns `sent`, the bytes that our socket sent, without the property `Close-Reason` in READY, which libzmq does not
/// send.
fn without_close_reason(sent: &[u8]) -> Vec<u8> {
    const GREETING: usize = 64;
    const PROPERTY: &[u8] = b"\x0cClose-Reason\0\0\0\x011";
    let Some(at) = sent.windows(PROPERTY.len()).position(|window| window == PROPERTY) else { return sent.to_vec() };
    let (mut bytes, ready) = (sent[..GREETING].to_vec(), &sent[GREETING..]);
    let (head, len) = FrameHead::decode(ready).unwrap().unwrap();
    FrameHead { size: head.size - PROPERTY.len() as u64, ..head }.encode(&mut bytes);
    bytes.extend([&sent[GREETING + len..at], &sent[at + PROPERTY.len()..]].concat());
    bytes
}

/// Recorded session: the content of one file in `data`.
struct Session {
    socket_type: SocketType,
    connects: bool,
    options: BTreeMap<String, String>,
    steps: Vec<RecordedStep>,
}

/// Line of a recorded session: the number of the connection to which the line belongs, its first word, and the other
/// words.
struct RecordedStep {
    conn: u32,
    verb: String,
    words: Vec<String>,
}

fn sessions() -> impl Iterator<Item = (String, Session)> {
    sessions_in(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"), 50)
}

/// Returns the recorded sessions of libzmq with peers of ZMTP 2.0 and 1.0. Only the tests in which our socket replaces
/// libzmq use them. If our connection replaced the peer, libzmq would send other bytes, because our connection uses
/// ZMTP 3.1.
fn legacy_sessions() -> impl Iterator<Item = (String, Session)> {
    sessions_in(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/old"), 15)
}

fn sessions_in(folder: &str, at_least: usize) -> impl Iterator<Item = (String, Session)> {
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
        let mut session =
            Self { socket_type: SocketType::Pair, connects: false, options: BTreeMap::new(), steps: Vec::new() };
        let mut conn = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ').map(str::to_owned);
            let verb = words.next().expect("`split` yields at least one word");
            let words: Vec<_> = words.collect();
            match verb.as_str() {
                "socket" => {
                    session.socket_type = SocketType::from_name(words[0].as_bytes()).unwrap();
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
    fn streams(&self) -> BTreeMap<u32, [Vec<u8>; 2]> {
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

    /// Returns true if the socket of libzmq is a PUB, XPUB or RADIO. These send to a peer only the messages that match
    /// a subscription or a group of the peer.
    fn publishes(&self) -> bool {
        matches!(self.socket_type, SocketType::Pub | SocketType::XPub | SocketType::Radio)
    }

    /// Returns the subscription changes that libzmq must send to the peer in this session. Each `subscribe` is sent; an
    /// `unsubscribe` is sent only if no other subscription to the same topic is left.
    fn subscriptions(&self) -> Vec<Subscription> {
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

    fn millis(&self, option: &str) -> Option<Duration> {
        self.options.get(option).map(|millis| Duration::from_millis(millis.parse().unwrap()))
    }

    fn options(&self) -> Options {
        fn with_routing_id<T: kind::HasRoutingId>(session: &Session, options: Options<T>) -> Options {
            match session.options.get("ROUTING_ID") {
                Some(id) => options.routing_id(decode(id)).unwrap().erase(),
                None => options.erase(),
            }
        }
        let options = match self.socket_type {
            SocketType::Dealer => with_routing_id(self, Options::<kind::Dealer>::new()),
            SocketType::Router => with_routing_id(self, Options::<kind::Router>::new()),
            SocketType::Req => with_routing_id(self, Options::<kind::Req>::new().relaxed(self.has("REQ_RELAXED"))),
            SocketType::Pub => Options::<kind::Pub>::new().invert_matching(self.has("INVERT_MATCHING")).erase(),
            SocketType::XPub => self.xpub().erase(),
            other => Options::of(other),
        };
        let Some(interval) = self.millis("HEARTBEAT_IVL") else {
            return options;
        };
        let timeout = self.millis("HEARTBEAT_TIMEOUT").unwrap_or(interval);
        options.heartbeat_with(interval, timeout, self.millis("HEARTBEAT_TTL").unwrap_or_default()).unwrap()
    }

    fn xpub(&self) -> Options<kind::XPub> {
        let options = Options::<kind::XPub>::new().manual(self.has("XPUB_MANUAL"));
        let options = match self.options.get("XPUB_WELCOME_MSG") {
            Some(text) => options.welcome_message(decode(text)),
            None => options,
        };
        match (self.has("XPUB_VERBOSE"), self.has("XPUB_VERBOSER")) {
            (_, true) => options.verboser(true),
            (verbose, false) => options.verbose(verbose),
        }
    }

    fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }
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

/// State of the replay of a recorded session, with our socket in place of the socket of libzmq.
struct Stage {
    socket: Socket,
    listener: ListenerId,
    dialled: Option<PipeId>,
    ends: BTreeMap<u32, End>,
    /// Routing id that our SERVER socket has assigned to the sender of the last received message; `None` for other
    /// socket types.
    sender: Option<Frame>,
    now: Instant,
}

struct End {
    pipe: PipeId,
    connection: Option<Connection>,
    sent: Vec<u8>,
}

impl Stage {
    fn new(session: &Session) -> Self {
        let mut socket = Socket::new(session.options(), SeededEntropy::new(1));
        let (now, endpoint): (_, Endpoint) = (Instant::ORIGIN, "tcp://peer:1".parse().unwrap());
        let listener = socket.bind(endpoint.clone());
        let dialled = session.connects.then(|| match session.options.get("CONNECT_ROUTING_ID") {
            Some(id) => socket.connect_as(endpoint, decode(id), now).unwrap(),
            None => socket.connect(endpoint, now).unwrap(),
        });
        Self { socket, listener, dialled, ends: BTreeMap::new(), sender: None, now }
    }

    fn play(&mut self, step: &RecordedStep, piece: usize, context: &str) {
        if !self.ends.contains_key(&step.conn) && matches!(step.verb.as_str(), "<" | ">") {
            self.open(step.conn);
        }
        match step.verb.as_str() {
            ">" => {}
            "<" => self.handle_input(step.conn, &decode(&step.words[0]), piece),
            "send" => {
                let mut message = as_message(step, "send").unwrap();
                if let Some(sender) = &self.sender {
                    message.push_front(sender);
                }
                self.socket.send(message).unwrap();
            }
            "recv" => {
                let expected = match step.words[0].as_str() {
                    "EAGAIN" => Err(RecvError::Empty),
                    "EFSM" => Err(RecvError::OutOfTurn),
                    _ => Ok(as_message(step, "recv").unwrap()),
                };
                let mut received = self.socket.recv();
                if let (SocketType::Server, Ok(message)) = (self.socket.socket_type(), &mut received) {
                    self.sender = message.pop_front();
                }
                // After a REQ has lost its peer, libzmq waits for a reply that cannot come, and our socket returns an error.
                if !matches!((&received, &expected), (Err(RecvError::PeerLost { .. }), Err(RecvError::Empty))) {
                    assert_eq!(received, expected, "{context}");
                }
            }
            "subscribe" => self.socket.subscribe(decode(&step.words[0])).unwrap(),
            // For libzmq, unsubscribing from a topic without a subscription is not an error.
            "unsubscribe" => _ = self.socket.unsubscribe(decode(&step.words[0])),
            "join" => self.socket.join(decode(&step.words[0])).unwrap(),
            "leave" => self.socket.leave(decode(&step.words[0])).unwrap(),
            "wait" => self.pass(Duration::from_millis(step.words[0].parse().unwrap())),
            "close" if step.words[0] == "peer" => self.each(|_, _, _| Err(ConnectionError::PeerClosed)),
            "close" => assert!(self.ends[&step.conn].connection.is_none(), "{context}: the connection is closed"),
            other => panic!("{context}: {other}"),
        }
        self.exchange();
    }

    fn open(&mut self, conn: u32) {
        let (pipe, connection) = match self.dialled.take() {
            Some(pipe) => (pipe, self.socket.connected(pipe, self.now).unwrap()),
            None => self.socket.accepted(self.listener, "tcp://peer:2".parse().unwrap(), self.now).unwrap(),
        };
        self.ends.insert(conn, End { pipe, connection: Some(connection), sent: Vec::new() });
    }

    fn handle_input(&mut self, conn: u32, input: &[u8], piece: usize) {
        for chunk in input.chunks(piece) {
            self.each(|at, connection, now| if at == conn { connection.handle_input(chunk, now) } else { Ok(()) });
        }
        self.exchange();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.ends.values().filter_map(|end| end.connection.as_ref()?.poll_timeout()).min();
            self.now = due.filter(|&due| due <= end).unwrap_or(end);
            self.each(|_, connection, now| connection.handle_timeout(now));
            if self.now == end {
                return;
            }
        }
    }

    fn exchange(&mut self) {
        self.each(|_, _, _| Ok(()));
    }

    /// Calls `act` for each open connection, with its number and the current time. Then moves messages between the
    /// connection and the socket, and collects the bytes that the connection sends. Ends each connection for which
    /// `act` or the exchange returns an error.
    fn each(&mut self, mut act: impl FnMut(u32, &mut Connection, Instant) -> Result<(), ConnectionError>) {
        for (&conn, end) in &mut self.ends {
            let Some(connection) = &mut end.connection else {
                continue;
            };
            let outcome = act(conn, connection, self.now).and_then(|()| self.socket.exchange(end.pipe, connection));
            end.sent.extend(drain(connection));
            if let Err(reason) = outcome {
                let connection = end.connection.take().expect("the connection exists");
                self.socket.disconnected(end.pipe, connection, &reason, self.now);
            }
        }
    }
}

/// Returns the message of `step` if the step begins with `verb` (`send` or `recv`). Returns `None` for other steps, and
/// if libzmq returned an error for this step.
fn as_message(step: &RecordedStep, verb: &str) -> Option<Message> {
    if step.verb != verb || matches!(step.words[0].as_str(), "EAGAIN" | "EFSM") {
        return None;
    }
    Message::from_frames(step.words.iter().map(|word| decode(word)))
}
