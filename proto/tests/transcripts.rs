//! Recorded sessions of libzmq: we understand what it sent, cut at every octet; and in its place we send the same.
//! `data/README.md` describes the files.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a surprise is a test that fails")]

mod recorded;

use core::time::Duration;
use recorded::{drain, hear, octets};
use sansmq_proto::connection::{ConnectionConfig, Inbound, Subscription};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Frame, Instant, ListenerId, Message, Options, PipeId, RecvError, Socket,
    SocketType, kind,
};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

#[test]
fn what_libzmq_sent_is_understood_wherever_it_is_cut() {
    for (name, session) in sessions() {
        let sends = session.steps.iter().filter_map(|step| as_message(step, "send"));
        let sent: Vec<_> = sends.filter(|message| message.head() != "nobody").collect();
        let (mut got, mut wishes) = (Vec::new(), Vec::new());
        for (conn, [libzmq, peer]) in session.streams() {
            let config = Arc::new(ConnectionConfig::new(socket_type_in(&peer)));
            let whole = hear(&config, &[&libzmq]);
            for cut in cuts(libzmq.len()) {
                let (front, rest) = libzmq.split_at(cut);
                assert!(hear(&config, &[front, rest]) == whole, "{name}, connection {conn}, cut at {cut}");
            }
            assert_eq!(whole.error, None, "{name}, connection {conn}");
            assert!(whole.ready, "{name}, connection {conn}: the handshake is done");
            for item in whole.got {
                match item {
                    Inbound::Message(message) => got.push(message),
                    Inbound::Subscription(wish) => wishes.push(wish),
                }
            }
        }
        assert_eq!(wishes, session.wishes(), "{name}: every wish came");
        if session.publishes() {
            let welcome = session.options.get("XPUB_WELCOME_MSG").map(|text| Message::from(octets(text)));
            assert!(got.iter().all(|message| sent.contains(message) || Some(message) == welcome.as_ref()), "{name}");
            continue;
        }
        assert_eq!(got.len(), sent.len(), "{name}: every message came");
        for message in &sent {
            // A ROUTER takes the first frame off, a REQ adds one.
            let common = message.frames().get(1..).filter(|rest| !rest.is_empty()).unwrap_or_else(|| message.frames());
            assert!(got.iter().any(|got| got.frames().ends_with(common)), "{name}: {message:?} came");
        }
    }
}

#[test]
fn in_libzmqs_place_we_send_the_same_octets_and_messages() {
    for (name, session) in sessions().chain(sessions_with_old_peers()) {
        for piece in [usize::MAX, 1] {
            let mut stage = Stage::new(&session);
            for (number, step) in session.steps.iter().enumerate() {
                stage.play(step, piece, &format!("{name}, step {number}"));
            }
            for (conn, [libzmq, _]) in session.streams() {
                let ours = &stage.ends[&conn].sent;
                assert!(*ours == libzmq, "{name}, connection {conn}: we sent {} octets", ours.len());
            }
        }
    }
}

/// A file of `data`.
struct Session {
    socket_type: SocketType,
    connects: bool,
    options: BTreeMap<String, String>,
    steps: Vec<Step>,
}

/// A line: its connection, its first word and the rest.
struct Step {
    conn: u32,
    verb: String,
    words: Vec<String>,
}

fn sessions() -> impl Iterator<Item = (String, Session)> {
    sessions_in(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"), 50)
}

/// Of peers that spoke ZMTP 2.0 and 1.0. What libzmq said to them we would not be told.
fn sessions_with_old_peers() -> impl Iterator<Item = (String, Session)> {
    sessions_in(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/old"), 15)
}

fn sessions_in(folder: &str, at_least: usize) -> impl Iterator<Item = (String, Session)> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    assert!(paths.len() >= at_least, "the recorded sessions are there");
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
            let verb = words.next().expect("a line has a first word");
            let words: Vec<_> = words.collect();
            match verb.as_str() {
                "socket" => {
                    session.socket_type = SocketType::from_name(words[0].as_bytes()).unwrap();
                    session.connects = words[1] == "connect";
                }
                "option" => _ = session.options.insert(words[0].clone(), words[1].clone()),
                "conn" => conn = words[0].parse().unwrap(),
                _ => session.steps.push(Step { conn, verb, words }),
            }
        }
        session
    }

    /// By connection: all that libzmq and all that the peer sent.
    fn streams(&self) -> BTreeMap<u32, [Vec<u8>; 2]> {
        let mut streams = BTreeMap::<_, [Vec<u8>; 2]>::new();
        for step in &self.steps {
            let side = match step.verb.as_str() {
                ">" => 0,
                "<" => 1,
                _ => continue,
            };
            streams.entry(step.conn).or_default()[side].extend(octets(&step.words[0]));
        }
        streams
    }

    /// Whether it sends what its peer asks for, and nothing else.
    fn publishes(&self) -> bool {
        matches!(self.socket_type, SocketType::Pub | SocketType::XPub | SocketType::Radio)
    }

    /// What the peer should hear of subscriptions and groups: each subscription, and the end of the last one.
    fn wishes(&self) -> Vec<Subscription> {
        let mut counts = BTreeMap::<_, u32>::new();
        let mut wishes = Vec::new();
        for step in &self.steps {
            let wish = match step.verb.as_str() {
                "subscribe" => Subscription::Subscribe,
                "unsubscribe" => Subscription::Cancel,
                "join" => Subscription::Join,
                "leave" => Subscription::Leave,
                _ => continue,
            };
            let wish = wish(octets(&step.words[0]).into());
            let count = counts.entry(wish.subject().clone()).or_default();
            if matches!(wish, Subscription::Subscribe(_) | Subscription::Join(_)) {
                *count += 1;
                wishes.push(wish);
            } else if *count > 0 {
                *count -= 1;
                wishes.extend((*count == 0).then_some(wish));
            }
        }
        wishes
    }

    fn millis(&self, option: &str) -> Option<Duration> {
        self.options.get(option).map(|millis| Duration::from_millis(millis.parse().unwrap()))
    }

    fn options(&self) -> Options {
        fn announce<T: kind::HasRoutingId>(session: &Session, options: Options<T>) -> Options {
            match session.options.get("ROUTING_ID") {
                Some(id) => options.routing_id(octets(id)).unwrap().erase(),
                None => options.erase(),
            }
        }
        let options = match self.socket_type {
            SocketType::Dealer => announce(self, Options::<kind::Dealer>::new()),
            SocketType::Router => announce(self, Options::<kind::Router>::new()),
            SocketType::Req => announce(self, Options::<kind::Req>::new().relaxed(self.has("REQ_RELAXED"))),
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
            Some(text) => options.welcome_message(octets(text)),
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

/// Every place to cut so many octets; of very many, those near the ends and some between.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).filter(move |&cut| cut < 2000 || len - cut < 300 || cut % 65_521 == 0)
}

/// The socket type in the READY of this stream.
fn socket_type_in(stream: &[u8]) -> SocketType {
    let name = b"Socket-Type\0\0\0";
    let at = stream.windows(name.len()).position(|window| window == name).expect("the peer says READY") + name.len();
    let end = at + 1 + usize::from(stream[at]);
    SocketType::from_name(&stream[at + 1..end]).expect("the peer has a socket type")
}

/// Our socket in libzmq's place.
struct Stage {
    socket: Socket,
    listener: ListenerId,
    dialled: Option<PipeId>,
    ends: BTreeMap<u32, End>,
    /// The number that a SERVER gave to whom it heard last.
    asker: Option<Frame>,
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
            Some(id) => socket.connect_as(endpoint, octets(id), now).unwrap(),
            None => socket.connect(endpoint, now).unwrap(),
        });
        Self { socket, listener, dialled, ends: BTreeMap::new(), asker: None, now }
    }

    fn play(&mut self, step: &Step, piece: usize, place: &str) {
        if !self.ends.contains_key(&step.conn) && matches!(step.verb.as_str(), "<" | ">") {
            self.open(step.conn);
        }
        match step.verb.as_str() {
            ">" => {}
            "<" => self.hear(step.conn, &octets(&step.words[0]), piece),
            "send" => {
                let mut message = as_message(step, "send").unwrap();
                if let Some(asker) = &self.asker {
                    message.push_front(asker);
                }
                self.socket.send(message).unwrap();
            }
            "recv" => {
                let expected = match step.words[0].as_str() {
                    "EAGAIN" => Err(RecvError::Empty),
                    "EFSM" => Err(RecvError::OutOfTurn),
                    _ => Ok(as_message(step, "recv").unwrap()),
                };
                let mut got = self.socket.recv();
                if let (SocketType::Server, Ok(message)) = (self.socket.socket_type(), &mut got) {
                    self.asker = message.pop_front();
                }
                // What libzmq waits for in vain, having lost the peer, we know to be lost.
                if (&got, &expected) != (&Err(RecvError::PeerLost), &Err(RecvError::Empty)) {
                    assert_eq!(got, expected, "{place}");
                }
            }
            "subscribe" => self.socket.subscribe(octets(&step.words[0])).unwrap(),
            // To libzmq the end of what is not subscribed to is no error.
            "unsubscribe" => _ = self.socket.unsubscribe(octets(&step.words[0])),
            "join" => self.socket.join(octets(&step.words[0])).unwrap(),
            "leave" => self.socket.leave(octets(&step.words[0])).unwrap(),
            "wait" => self.pass(Duration::from_millis(step.words[0].parse().unwrap())),
            "close" if step.words[0] == "peer" => self.each(|_, _, _| Err(ConnectionError::Eof)),
            "close" => assert!(self.ends[&step.conn].connection.is_none(), "{place}: the connection is closed"),
            other => panic!("{place}: {other}"),
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

    fn hear(&mut self, conn: u32, octets: &[u8], piece: usize) {
        for octets in octets.chunks(piece) {
            self.each(|at, connection, now| if at == conn { connection.handle_input(octets, now) } else { Ok(()) });
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

    /// Does something with each connection, lets it exchange and write, and ends it if anything fails.
    fn each(&mut self, mut act: impl FnMut(u32, &mut Connection, Instant) -> Result<(), ConnectionError>) {
        for (&conn, end) in &mut self.ends {
            let Some(connection) = &mut end.connection else {
                continue;
            };
            let outcome = act(conn, connection, self.now).and_then(|()| self.socket.exchange(end.pipe, connection));
            end.sent.extend(drain(connection));
            if let Err(reason) = outcome {
                let connection = end.connection.take().expect("it has just been there");
                self.socket.disconnected(end.pipe, connection, &reason, self.now);
            }
        }
    }
}

/// The message of a `send` or `recv` that had one.
fn as_message(step: &Step, verb: &str) -> Option<Message> {
    if step.verb != verb || matches!(step.words[0].as_str(), "EAGAIN" | "EFSM") {
        return None;
    }
    Message::from_frames(step.words.iter().map(|word| octets(word)))
}
