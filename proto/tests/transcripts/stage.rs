//! Replay of a recorded session with our socket in place of libzmq's.

use crate::recorded::{decode, drain};
use crate::session::{RecordedStep, Session};
use core::fmt::Write;
use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::security::zap::Request;
use sansmq_proto::security::{AuthOutcome, AuthReply, AuthRequest, AuthStatus, ZapHandler};
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Frame, Instant, ListenerId, Message, PipeId, RecvError, Socket, SocketType,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Replays `session` with our socket in place of libzmq's, in which each input is split into pieces of at most `piece`
/// bytes. Returns the differences from libzmq, as sentences.
pub(crate) fn differences(session: &Session, piece: usize) -> Vec<String> {
    let mut stage = Stage::new(session);
    for step in &session.steps {
        stage.play(step, piece);
        stage.exchange();
        // What follows depends on the connection.
        if stage.has_lost_only_connection(session) {
            break;
        }
    }
    for (conn, [libzmq, _]) in session.streams() {
        let Some(end) = stage.ends.get(&conn) else { continue };
        let (libzmq, ours) = (stage.translated(&libzmq), end.sent.clone());
        // A peer that closes its connection leaves bytes unread.
        let is_same = match end.closed_by {
            Some(Side::Peer) => ours.starts_with(&libzmq),
            Some(Side::Ours) => ours == libzmq || !stage.closed.contains(&conn) && libzmq.starts_with(&ours),
            None => ours == libzmq,
        };
        if !is_same {
            let (ours, libzmq) = shown_difference(&ours, &libzmq);
            stage.differs(format!("connection {conn}: {ours} is sent, and not {libzmq}"));
        }
    }
    stage.differences
}

/// State of the replay.
struct Stage {
    socket: Socket,
    listener: ListenerId,
    dialled: Option<PipeId>,
    ends: BTreeMap<u32, End>,
    /// Routing id that our SERVER socket has assigned to the sender of the last received message; `None` for other
    /// socket types.
    sender: Option<Frame>,
    /// Random bytes of libzmq, and those of our socket in their place.
    random: Vec<(Vec<u8>, Vec<u8>)>,
    /// Number of bytes that libzmq has sent on each connection.
    offsets: BTreeMap<u32, usize>,
    /// Connections that libzmq closes.
    closed: Vec<u32>,
    differences: Vec<String>,
    now: Instant,
}

struct End {
    pipe: PipeId,
    connection: Option<Connection>,
    closed_by: Option<Side>,
    sent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
}

impl Stage {
    fn new(session: &Session) -> Self {
        let mut options = session.options();
        if let Some(handler) = Handler::new(session) {
            options = options.zap_handler(Arc::new(handler));
        }
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let (now, endpoint): (_, Endpoint) = (Instant::ORIGIN, "tcp://peer:1".parse().unwrap());
        let listener = socket.bind(endpoint.clone());
        let dialled = session.connects.then(|| match session.options.get("CONNECT_ROUTING_ID") {
            Some(id) => socket.connect_as(endpoint, decode(id), now).unwrap(),
            None => socket.connect(endpoint, now).unwrap(),
        });
        Self {
            socket,
            listener,
            dialled,
            ends: BTreeMap::new(),
            sender: None,
            random: Vec::new(),
            offsets: BTreeMap::new(),
            closed: session.closed(),
            differences: Vec::new(),
            now,
        }
    }

    fn play(&mut self, step: &RecordedStep, piece: usize) {
        if !self.ends.contains_key(&step.conn) && matches!(step.verb.as_str(), "<" | ">" | "open") {
            self.open(step.conn);
        }
        match step.verb.as_str() {
            "open" | "zap-request" | "zap-reply" => {}
            ">" => *self.offsets.entry(step.conn).or_default() += decode(&step.words[0]).len(),
            "<" => self.handle_input(step.conn, &self.translated(&decode(&step.words[0])), piece),
            // The next bytes that libzmq sends contain these.
            "random" => self.find_random(step.conn, &decode(&step.words[0])),
            "send" => self.send(&step.message("send").unwrap()),
            "recv" => self.receive(step),
            "subscribe" => self.socket.subscribe(decode(&step.words[0])).unwrap(),
            // For libzmq, unsubscribing from a topic without a subscription is not an error.
            "unsubscribe" => _ = self.socket.unsubscribe(decode(&step.words[0])),
            "join" => self.socket.join(decode(&step.words[0])).unwrap(),
            "leave" => self.socket.leave(decode(&step.words[0])).unwrap(),
            "wait" => self.pass(Duration::from_millis(step.words[0].parse().unwrap())),
            "redial" => self.redial(step.conn + 1, step.words[0] == "yes"),
            "close" => self.close(step.conn, &step.words[0]),
            other => panic!("unknown step: {other}"),
        }
    }

    fn has_lost_only_connection(&self, session: &Session) -> bool {
        let lost = |end: &End| end.closed_by == Some(Side::Ours);
        session.streams().len() == 1 && self.ends.iter().any(|(conn, end)| lost(end) && !self.closed.contains(conn))
    }

    fn differs(&mut self, difference: String) {
        self.differences.push(difference);
    }

    fn open(&mut self, conn: u32) {
        let from = "tcp://127.0.0.1:2".parse().unwrap();
        let (pipe, connection) = match self.dialled {
            Some(pipe) => {
                let is_dialling = self.wait_for_dial(pipe);
                assert!(is_dialling, "connection {conn} must be dialled");
                (pipe, self.socket.connected(pipe, self.now).unwrap())
            }
            None => self.socket.accepted(self.listener, from, self.now).unwrap(),
        };
        self.ends.insert(conn, End { pipe, connection: Some(connection), closed_by: None, sent: Vec::new() });
    }

    /// Lets time pass until the socket dials again. Returns false if it does not dial within an hour.
    fn wait_for_dial(&mut self, pipe: PipeId) -> bool {
        let end = self.now + Duration::from_secs(3600);
        while !self.socket.is_dialling(pipe) {
            match self.socket.poll_timeout().filter(|&due| due <= end) {
                Some(due) => self.now = due.max(self.now),
                None => return false,
            }
            self.socket.handle_timeout(self.now);
        }
        true
    }

    fn redial(&mut self, conn: u32, libzmq: bool) {
        match (self.wait_for_dial(self.dialled.expect("the socket of libzmq connects")), libzmq) {
            (true, false) => self.differs(format!("connection {conn} is dialled, and not by libzmq")),
            (false, true) => self.differs(format!("connection {conn} is not dialled, but by libzmq")),
            (true, true) | (false, false) => {}
        }
    }

    fn handle_input(&mut self, conn: u32, input: &[u8], piece: usize) {
        for chunk in input.chunks(piece) {
            self.each(|at, connection, now| if at == conn { connection.handle_input(chunk, now) } else { Ok(()) });
        }
        self.exchange();
    }

    fn send(&mut self, message: &Message) {
        let mut message =
            Message::from_frames(message.frames().iter().map(|frame| self.translated(frame))).expect("a frame");
        if let Some(sender) = &self.sender {
            message.push_front(sender);
        }
        if let Err(error) = self.socket.send(message) {
            self.differs(format!("`send` fails: {error}"));
        }
    }

    fn receive(&mut self, step: &RecordedStep) {
        let expected = match step.words[0].as_str() {
            "EAGAIN" => Err(RecvError::Empty),
            "EFSM" => Err(RecvError::OutOfTurn),
            _ => Ok(step.message("recv").unwrap()),
        };
        let mut received = self.socket.recv();
        if let (SocketType::Server, Ok(message)) = (self.socket.socket_type(), &mut received) {
            self.sender = message.pop_front();
        }
        let has_id = matches!(self.socket.socket_type(), SocketType::Router | SocketType::Stream);
        match (received, expected) {
            (Ok(ours), Ok(libzmq)) if has_id && ours.frames()[1..] == libzmq.frames()[1..] => {
                let ids = (libzmq.head().to_vec(), ours.head().to_vec());
                if ids.0 != ids.1 && !self.random.contains(&ids) {
                    if ids.0.len() != ids.1.len() {
                        self.differs(format!("a routing id of {} bytes, and not {}", ids.1.len(), ids.0.len()));
                    }
                    self.random.push(ids);
                }
            }
            (received, expected) if received != expected => {
                let [ours, libzmq] = [received, expected].map(|result| match result {
                    Ok(message) => format!("{message:?}"),
                    Err(RecvError::Empty) => "no message".to_owned(),
                    Err(RecvError::OutOfTurn) => "`OutOfTurn`".to_owned(),
                    Err(RecvError::PeerLost { .. }) => "`PeerLost`".to_owned(),
                    Err(error) => format!("{error:?}"),
                });
                self.differs(format!("`recv` returns {ours}, and not {libzmq}"));
            }
            _ => {}
        }
    }

    fn close(&mut self, conn: u32, side: &str) {
        match side {
            "peer" => {
                self.each(|at, _, _| if at == conn { Err(ConnectionError::PeerClosed) } else { Ok(()) });
            }
            "application" => self.socket.close(self.now),
            _ if self.ends[&conn].connection.as_ref().is_some_and(|open| !open.is_finished()) => {
                self.differs(format!("connection {conn} stays open, and ends in libzmq"));
            }
            _ => {}
        }
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
                let is_by_peer = reason == ConnectionError::PeerClosed;
                end.closed_by = Some(if is_by_peer { Side::Peer } else { Side::Ours });
                if !is_by_peer && !self.closed.contains(&conn) {
                    self.differences.push(format!("connection {conn} ends, and stays open in libzmq"));
                }
            }
        }
    }

    /// Finds the bytes of our socket in place of `random`, which libzmq sends next on the connection `conn`.
    fn find_random(&mut self, conn: u32, random: &[u8]) {
        // They follow a frame head of two bytes.
        let start = self.offsets[&conn] + 2;
        let sent = &self.ends[&conn].sent;
        let ours = sent.get(start..start + random.len()).unwrap_or_default();
        self.random.push((random.to_vec(), ours.to_vec()));
    }

    /// Returns `bytes` with the random bytes of our socket in place of those of libzmq.
    fn translated(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (libzmq, ours) in &self.random {
            if let Some(at) = bytes.windows(libzmq.len()).position(|window| window == libzmq) {
                bytes.splice(at..at + libzmq.len(), ours.iter().copied());
            }
        }
        bytes
    }
}

/// ZAP handler with a recorded reply. Panics if the request differs from the recorded one.
#[derive(Debug)]
struct Handler {
    request: Message,
    reply: Message,
}

impl Handler {
    fn new(session: &Session) -> Option<Self> {
        let find = |verb| session.steps.iter().find_map(|step| step.message(verb));
        Some(Self { request: find("zap-request")?, reply: find("zap-reply")? })
    }
}

impl ZapHandler for Handler {
    fn is_bound(&self) -> bool {
        true
    }

    fn authenticate(&self, mut auth: AuthRequest) -> Option<AuthOutcome> {
        // Not compared.
        auth.routing_id = self.request.frames()[4].clone();
        let request = Request { id: self.request.frames()[1].clone(), auth };
        assert_eq!(request.to_message(), self.request, "ZAP request");
        let reply = request.read_reply(&self.reply);
        Some(AuthOutcome::Now(reply.unwrap_or(AuthReply::Reject(AuthStatus::InternalError))))
    }
}

/// Returns the part in which two byte strings differ, as text: without their common beginning and end.
fn shown_difference(ours: &[u8], libzmq: &[u8]) -> (String, String) {
    const SHOWN: usize = 24;
    let start = ours.iter().zip(libzmq).take_while(|(ours, libzmq)| ours == libzmq).count();
    let (ours, libzmq) = (&ours[start..], &libzmq[start..]);
    let same = ours.iter().rev().zip(libzmq.iter().rev()).take_while(|(ours, libzmq)| ours == libzmq).count();
    let shown = |bytes: &[u8]| {
        let bytes = &bytes[..bytes.len() - same];
        if bytes.is_empty() {
            return "nothing".to_owned();
        }
        let mut text = format!("`{}", bytes[..bytes.len().min(SHOWN)].escape_ascii());
        if bytes.len() > SHOWN {
            write!(text, "…` ({} bytes)", bytes.len()).unwrap();
        } else {
            text.push('`');
        }
        text
    };
    (shown(ours), shown(libzmq))
}
