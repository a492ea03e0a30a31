//! Random programs of socket operations, run with sockets of sansmq, with sockets of libzmq, and with both together.
//! Results of calls and received messages must agree, or the difference must be a row of the table in
//! `docs/book/src/migrating/libzmq.md`.
//!
//! Each program runs on a simulated network first, which reports when no data is in transit. The other runs wait for
//! the messages and connections of this reference run. An unexpected message is detected when it is received in place
//! of a later message.
//!
//! `NET_SEED=<seed>` runs one program, `DIFFERENTIAL=<first>..<end>` a range of programs.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod generator;
mod known;
mod program;
mod real;
mod simulated;
mod topology;

use program::{Op, Program, Switch, Target, sender, tag};
use real::{Libzmq, Real};
use sansmq::proto::SocketType::Router;
use sansmq::proto::socket::{SubscribeError, UnbindError};
use sansmq::{Frame, Message, RecvError, SendError};
use sansmq_tests::TempDir;
use simulated::Simulated;
use std::collections::BTreeMap;
use std::time::Duration;
use std::{env, fmt};
use topology::Random;

/// Maximum time to wait for each expected message and event.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn random_programs_agree_with_libzmq_alone_and_mixed() {
    let (dir, mut libzmq) = (TempDir::new(), Libzmq::start());
    let mut known = BTreeMap::<&str, usize>::new();
    let mut differences = Vec::new();
    for seed in seeds() {
        let program = generator::program(seed);
        let expected = Run::new(&program, &mut Simulated::new(&program, seed), None)
            .all()
            .expect("a run without reference has no difference");
        let mut random = Random::new(seed);
        let count = program.sockets.len();
        let mut mixed: Vec<bool> = (0..count).map(|_| random.chance(50)).collect();
        // The last socket is a peer of the first, so at least one pair is mixed.
        mixed[0] = !mixed[count - 1];
        let assignments = [("libzmq", vec![false; count]), ("mixed", mixed), ("ours", vec![true; count])];
        for (name, is_ours) in assignments {
            let environment = (&dir, &mut libzmq);
            let mut backend = Real::new(&program, format!("{seed}-{name}"), |socket| is_ours[socket], environment);
            let outcome = Run::new(&program, &mut backend, Some(&expected)).all();
            drop(backend);
            match outcome {
                Ok(_) => {}
                Err(Difference { known: Some(row), .. }) if name != "ours" => *known.entry(row).or_default() += 1,
                Err(difference) => {
                    eprintln!("NET_SEED={seed}, {name}, ours: {is_ours:?}\n{difference}\n{program}");
                    differences.push((seed, name));
                }
            }
        }
    }
    eprintln!("programs that ended with a known difference: {known:#?}");
    assert!(differences.is_empty(), "unknown differences, see above: {differences:?}");
}

fn seeds() -> std::ops::Range<u64> {
    let number = |text: &str| text.parse().expect("not a number");
    if let Ok(seed) = env::var("NET_SEED") {
        return number(&seed)..number(&seed) + 1;
    }
    let Ok(range) = env::var("DIFFERENTIAL") else {
        return 0..40;
    };
    let (first, end) = range.split_once("..").expect("DIFFERENTIAL must be FIRST..END");
    number(first)..number(end)
}

/// Result of a call as text. Equal results have the same text for both implementations, sansmq and libzmq.
type CallResult = String;

/// An implementation of sockets on which a program of socket operations runs.
trait Backend {
    /// Runs an operation other than sending and receiving.
    fn call(&mut self, op: &Op) -> CallResult;

    fn send(&mut self, socket: usize, message: Message, wait: Duration) -> CallResult;

    fn recv(&mut self, socket: usize, wait: Duration) -> Result<Message, CallResult>;

    /// Returns true if the socket with this index is one of libzmq.
    fn is_libzmq(&self, _: usize) -> bool {
        false
    }

    /// Returns true if the sockets are connected over `inproc`.
    fn is_inproc(&self) -> bool {
        false
    }

    /// Waits until all connections are made or ended and all subscriptions have reached the publishers. `expected` is
    /// the state of the reference run after the operation with the index `step`; `None` in the reference run. Returns
    /// the state that was reached, or the reason why the wait failed.
    fn settle(
        &mut self,
        program: &Program,
        step: usize,
        expected: Option<&SettledState>,
    ) -> Result<SettledState, CallResult>;
}

/// Connections and subscriptions at a time when no data is in transit.
#[derive(Clone, Debug, Default)]
struct SettledState {
    connections: Vec<ConnectionCount>,
    /// Pairs of socket indices: a publisher, and a subscriber that receives the messages of this publisher.
    subscribed: Vec<(usize, usize)>,
}

/// Numbers of connections that a socket has made and lost so far.
#[derive(Clone, Debug, Default)]
struct ConnectionCount {
    ready: usize,
    ended: usize,
    /// Number of ended connections that the socket did not end itself.
    lost: usize,
}

/// Observed results of one operation, and the state of connections and subscriptions after it.
#[derive(Debug)]
struct Outcome {
    observations: Vec<Observation>,
    settled: SettledState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Observation {
    Returned(CallResult),
    Received { socket: usize, messages: Vec<Message>, end: CallResult },
}

/// The first difference between the results of a run and those of the reference run.
#[derive(Debug)]
struct Difference {
    step: usize,
    op: Op,
    expected: Vec<Observation>,
    found: Vec<Observation>,
    /// Row of the table of known differences that describes this difference; `None` if no row does.
    known: Option<&'static str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at {} {:?}", self.step, self.op)?;
        for (sign, observations, others) in [('-', &self.expected, &self.found), ('+', &self.found, &self.expected)] {
            for observation in observations.iter().filter(|observation| !others.contains(observation)) {
                writeln!(f, "{sign} {observation}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(result) => f.write_str(result),
            Self::Received { socket, messages, end } => {
                write!(f, "{socket} received")?;
                for message in messages {
                    f.write_str(" [")?;
                    for frame in message {
                        let text = frame.to_text();
                        write!(f, "{:?}×{} ", text.chars().take(12).collect::<String>(), frame.len())?;
                    }
                    f.write_str("]")?;
                }
                write!(f, ", then {end}")
            }
        }
    }
}

/// Run of one program on one implementation of sockets.
struct Run<'a, W> {
    program: &'a Program,
    backend: &'a mut W,
    /// Outcomes of the reference run; `None` if this is the reference run.
    reference: Option<&'a [Outcome]>,
    /// Index of the current operation in the program.
    step: usize,
    open: Vec<bool>,
    /// Generated routing ids that ROUTERs have received, by index of the ROUTER and index of the peer.
    ids: BTreeMap<(usize, usize), Frame>,
}

impl<'a, W: Backend> Run<'a, W> {
    fn new(program: &'a Program, backend: &'a mut W, reference: Option<&'a [Outcome]>) -> Self {
        Self { program, backend, reference, step: 0, open: vec![true; program.sockets.len()], ids: BTreeMap::new() }
    }

    fn all(mut self) -> Result<Vec<Outcome>, Difference> {
        let program = self.program;
        program.ops.iter().enumerate().map(|(step, op)| self.step(step, op)).collect()
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<Outcome, Difference> {
        self.step = step;
        let reference = self.reference.map(|reference| &reference[step]);
        let expected: &[Observation] = reference.map_or(&[], |outcome| &outcome.observations);
        let mut observations = match op {
            Op::Send { .. } => vec![self.send(op, expected == [Observation::Returned("done".into())])],
            Op::Receive { socket } => {
                // A closed socket is not called.
                if self.open[*socket] { vec![self.receive(*socket, 1, expected.first())] } else { Vec::new() }
            }
            Op::Drain => self.drain(expected),
            other => vec![Observation::Returned(self.backend.call(other))],
        };
        if let Op::Close { socket } = op {
            self.open[*socket] = false;
        }
        let mut settled = SettledState::default();
        if !matches!(op, Op::Send { .. } | Op::Receive { .. }) && (reference.is_none() || expected == observations) {
            match self.backend.settle(self.program, step, reference.map(|outcome| &outcome.settled)) {
                Ok(state) => settled = state,
                Err(reason) => observations.push(Observation::Returned(reason)),
            }
            // Receiving does not change subscriptions.
            if matches!(op, Op::Drain) {
                settled.subscribed.clear();
            }
        }
        if reference.is_some() && expected != observations {
            let known = known::row(self.program, step, self.backend, expected, &observations);
            return Err(Difference { step, op: op.clone(), expected: expected.to_vec(), found: observations, known });
        }
        Ok(Outcome { observations, settled })
    }

    fn send(&mut self, op: &Op, will_succeed: bool) -> Observation {
        let Op::Send { socket, to, frames } = op else { unreachable!("not a Send") };
        let id = to.map(|to| match to {
            Target::Unknown => Frame::from("unknown"),
            Target::Peer(peer) => {
                let own = self.program.sockets[peer].routing_id.clone();
                let learned = || self.ids.get(&(*socket, peer)).cloned().unwrap_or_else(|| "not learned".into());
                own.map_or_else(learned, Frame::from)
            }
        });
        let body = frames.iter().map(|frame| frame.text.bytes().cycle().take(frame.size).collect::<Vec<u8>>());
        let message = Message::from_frames(id.into_iter().chain(body.map(Frame::from))).expect("a message has frames");
        Observation::Returned(self.backend.send(*socket, message, if will_succeed { LIMIT } else { Duration::ZERO }))
    }

    /// Receives all messages at all open sockets. Sockets that reply to each message receive first, so that the other
    /// sockets can then receive the replies.
    fn drain(&mut self, expected: &[Observation]) -> Vec<Observation> {
        let mut observations = Vec::new();
        let (servers, others): (Vec<usize>, Vec<usize>) = (0..self.open.len())
            .filter(|&socket| self.open[socket])
            .partition(|&socket| self.program.sockets[socket].serves);
        for socket in servers.into_iter().chain(others) {
            let expected = expected
                .iter()
                .find(|observation| matches!(observation, Observation::Received { socket: of, .. } if *of == socket));
            observations.push(self.receive(socket, usize::MAX, expected));
        }
        observations
    }

    /// Receives messages at the socket with the index `socket`: waits for the messages in `expected`, and also receives
    /// other messages that are queued. Receives at most `limit` messages in total.
    fn receive(&mut self, socket: usize, limit: usize, expected: Option<&Observation>) -> Observation {
        let (expected, end): (&[Message], &str) = match expected {
            Some(Observation::Received { messages, end, .. }) => (messages, end),
            _ => (&[], ""),
        };
        // The error may still be delayed; a REQ of libzmq never returns it.
        let will_lose_peer = end == PEER_LOST && !self.backend.is_libzmq(socket);
        let mut messages = Vec::new();
        let end = loop {
            if messages.len() == limit {
                break "enough".to_owned();
            }
            let is_complete = self.is_complete(&messages, expected) && !will_lose_peer;
            let wait =
                if is_complete || self.only_lacks_known(socket, &messages, expected) { Duration::ZERO } else { LIMIT };
            match self.backend.recv(socket, wait) {
                Ok(message) => {
                    self.reply(socket, &message);
                    messages.push(self.normalised(socket, message));
                }
                Err(end) => break end,
            }
        };
        Observation::Received { socket, messages: self.sorted(messages), end }
    }

    fn is_complete(&self, messages: &[Message], expected: &[Message]) -> bool {
        if self.conflates() {
            expected.iter().all(|message| messages.contains(message))
        } else {
            // An unexpected message may have been received among the expected ones.
            messages.len() >= expected.len() && missing(messages, expected).is_empty()
        }
    }

    /// Returns true if `socket` belongs to libzmq and the messages of `expected` that are not in `messages` are all
    /// cancellations of subscriptions that libzmq is known never to send (see [`known::forgets`]). Waiting for them
    /// would be useless.
    fn only_lacks_known(&self, socket: usize, messages: &[Message], expected: &[Message]) -> bool {
        self.backend.is_libzmq(socket)
            && known::forgets(self.program, self.step, socket)
            && missing(messages, expected).into_iter().all(known::is_cancel)
    }

    fn reply(&mut self, socket: usize, message: &Message) {
        if !self.program.sockets[socket].serves {
            return;
        }
        let mut reply = message.clone();
        reply.push_back(tag(socket, 0));
        self.backend.send(socket, reply, LIMIT);
    }

    /// Replaces the generated routing id and the generated request id of a message that a ROUTER has received by fixed
    /// text, so that messages of different runs can be compared. Messages of other socket types are unchanged.
    fn normalised(&mut self, socket: usize, message: Message) -> Message {
        let from = from(&message);
        if self.program.kind(socket) != Router {
            return message;
        }
        let mut frames = message.into_frames();
        if frames[0].first() == Some(&0) {
            if let Some(from) = from {
                self.ids.insert((socket, from), frames[0].clone());
            }
            frames[0] = "automatic".into();
        }
        // Only a request id has four bytes at this position.
        if frames.get(1).is_some_and(|id| id.len() == 4) {
            frames[1] = "request".into();
        }
        Message::from_frames(frames).expect("the number of frames is unchanged")
    }

    /// Groups messages by sender, and sorts messages of unknown sender by content. With `conflate`, keeps only the
    /// latest message of each sender, because it depends on timing whether earlier messages are received.
    fn sorted(&self, mut messages: Vec<Message>) -> Vec<Message> {
        messages.sort_by_key(|message| match from(message) {
            Some(from) => (Some(from), Vec::new()),
            None => (None, message.frames().to_vec()),
        });
        if self.conflates() {
            messages.reverse();
            messages.dedup_by_key(|message| from(message));
            messages.reverse();
        }
        messages
    }

    fn conflates(&self) -> bool {
        (0..self.open.len()).any(|socket| self.program.has(socket, Switch::Conflate))
    }
}

/// Returns the messages of `expected` that are not in `messages`, each as often as it is missing.
fn missing<'a>(messages: &[Message], expected: &'a [Message]) -> Vec<&'a Message> {
    let mut remaining: Vec<_> = messages.iter().collect();
    let is_missing = |message: &&Message| {
        let index = remaining.iter().position(|found| found == message);
        index.map(|index| remaining.swap_remove(index)).is_none()
    };
    expected.iter().filter(is_missing).collect()
}

/// Returns the index of the socket that sent a message, from the last tag (see [`tag`]) in the message; `None` if the
/// message has no tag.
fn from(message: &Message) -> Option<usize> {
    message.iter().rev().find_map(|frame| sender(frame))
}

/// Returns a topic that is used only once, to test whether publishers have received the subscriptions of `subscriber`.
fn probe(step: usize, subscriber: usize) -> String {
    format!("!probe{step}.{subscriber}.")
}

fn is_probe(message: &Message) -> bool {
    let head: &[u8] = message.head();
    let topic = head.strip_prefix(&[0]).or_else(|| head.strip_prefix(&[1])).unwrap_or(head);
    topic.starts_with(b"!probe")
}

fn send_result(sent: Result<(), SendError>) -> CallResult {
    match sent {
        // libzmq returns no error for a message that has only a routing id.
        Ok(()) | Err(SendError::Unaddressed(_)) => "done".to_owned(),
        Err(SendError::Full(_)) => "would block".to_owned(),
        Err(SendError::Unroutable(_)) => "unroutable".to_owned(),
        Err(SendError::OutOfTurn(_)) => "out of turn".to_owned(),
        Err(SendError::Unsupported(..)) => "unsupported".to_owned(),
        Err(other) => other.to_string(),
    }
}

/// Result of a receive that returned [`RecvError::PeerLost`].
const PEER_LOST: &str = "peer lost";

fn recv_result(error: RecvError) -> CallResult {
    match error {
        RecvError::Empty => "would block".to_owned(),
        RecvError::OutOfTurn => "out of turn".to_owned(),
        // The cause depends on the network, and not all programs compare on the same one.
        RecvError::PeerLost { .. } => PEER_LOST.to_owned(),
        RecvError::Unsupported(_) => "unsupported".to_owned(),
        other => other.to_string(),
    }
}

fn subscribe_result(result: Result<(), SubscribeError>) -> CallResult {
    // libzmq returns no error if there is no such subscription.
    result
        .or_else(|error| if error == SubscribeError::NotSubscribed { Ok(()) } else { Err(error) })
        .map_or_else(|error| error.to_string(), |()| "done".to_owned())
}

fn unbind_result(result: Result<(), UnbindError>) -> CallResult {
    match result {
        Ok(()) => "done".to_owned(),
        Err(UnbindError::Unknown(_)) => "unknown".to_owned(),
        Err(other) => other.to_string(),
    }
}
