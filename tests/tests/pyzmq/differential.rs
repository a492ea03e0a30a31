//! Random programs of socket operations, run by our sockets, by libzmq's, and by both in company: what is answered and
//! what arrives must agree, or the difference is one of the table in `src/guide/migrating_from_libzmq.md`.
//!
//! Ours run on a simulated network first, which tells when nothing is under way any more. So it is known what to wait for
//! where that cannot be seen; and what is not to come, would come before what comes later, and be seen there.
//!
//! `NET_SEED=<seed>` runs one program, `DIFFERENTIAL=<first>..<end>` those.

#![expect(clippy::unwrap_used, reason = "a surprise is a test that fails")]

mod cast;
mod program;
mod real;
mod simulated;
mod table;
mod writer;

use cast::Dice;
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

/// So long is waited for what is to come.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn random_programs_come_out_as_with_libzmq_and_in_company_with_it() {
    let (place, mut libzmq) = (TempDir::new(), Libzmq::start());
    let mut known = BTreeMap::<&str, usize>::new();
    let mut differences = Vec::new();
    for seed in seeds() {
        let program = writer::program(seed);
        let expected = Run::new(&program, &mut Simulated::new(&program, seed), None).all().expect("it is what it is");
        let mut dice = Dice::new(seed);
        let count = program.sockets.len();
        let mut mixed: Vec<bool> = (0..count).map(|_| dice.chance(50)).collect();
        // The first one's peers are among those after it.
        mixed[0] = !mixed[count - 1];
        let casts = [("theirs", vec![false; count]), ("mixed", mixed), ("ours", vec![true; count])];
        for (name, cast) in casts {
            let surroundings = (&place, &mut libzmq);
            let mut world = Real::new(&program, format!("{seed}-{name}"), |socket| cast[socket], surroundings);
            let outcome = Run::new(&program, &mut world, Some(&expected)).all();
            drop(world);
            match outcome {
                Ok(_) => {}
                Err(Difference { known: Some(row), .. }) if name != "ours" => *known.entry(row).or_default() += 1,
                Err(difference) => {
                    eprintln!("NET_SEED={seed}, {name}, ours are {cast:?}\n{difference}\n{program}");
                    differences.push((seed, name));
                }
            }
        }
    }
    eprintln!("programs that ended with a known difference: {known:#?}");
    assert!(differences.is_empty(), "these differ, see above: {differences:?}");
}

fn seeds() -> std::ops::Range<u64> {
    let number = |text: &str| text.parse().expect("it is a number");
    if let Ok(seed) = env::var("NET_SEED") {
        return number(&seed)..number(&seed) + 1;
    }
    let Ok(range) = env::var("DIFFERENTIAL") else {
        return 0..40;
    };
    let (first, end) = range.split_once("..").expect("DIFFERENTIAL is FIRST..END");
    number(first)..number(end)
}

/// What a call said, in the words of both.
type Answer = String;

/// Where sockets are that a program is run on.
trait World {
    /// Does what has no message, and lets it take effect.
    fn call(&mut self, op: &Op) -> Answer;

    fn send(&mut self, socket: usize, message: Message, wait: Duration) -> Answer;

    fn recv(&mut self, socket: usize, wait: Duration) -> Result<Message, Answer>;

    /// Whether it is one of libzmq's.
    fn is_theirs(&self, _: usize) -> bool {
        false
    }

    /// Whether they are within a process.
    fn is_inproc(&self) -> bool {
        false
    }

    /// Waits until connections and subscriptions are as they are to be.
    fn rest(&mut self, program: &Program, step: usize, guide: Option<&Rest>) -> Result<Rest, Answer>;
}

/// What there is when nothing is under way.
#[derive(Clone, Debug, Default)]
struct Rest {
    connections: Vec<Count>,
    /// Which publisher is heard by which subscriber.
    audience: Vec<(usize, usize)>,
}

/// How many connections of a socket there were.
#[derive(Clone, Debug, Default)]
struct Count {
    ready: usize,
    ended: usize,
    /// Of those, not by its own doing.
    lost: usize,
}

/// The outcome of one operation.
#[derive(Debug)]
struct Outcome {
    news: Vec<News>,
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum News {
    Answered(Answer),
    Received { socket: usize, messages: Vec<Message>, end: Answer },
}

/// Where two runs part.
#[derive(Debug)]
struct Difference {
    step: usize,
    op: Op,
    expected: Vec<News>,
    found: Vec<News>,
    /// The row of the table that says so.
    known: Option<&'static str>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at {} {:?}", self.step, self.op)?;
        for (sign, news, others) in [('-', &self.expected, &self.found), ('+', &self.found, &self.expected)] {
            for news in news.iter().filter(|news| !others.contains(news)) {
                writeln!(f, "{sign} {news}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => f.write_str(answer),
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

/// A program while it is run.
struct Run<'a, W> {
    program: &'a Program,
    world: &'a mut W,
    guide: Option<&'a [Outcome]>,
    /// At which operation it is.
    step: usize,
    open: Vec<bool>,
    /// By which ids ROUTERs know those who have none of their own, as they came to know it.
    ids: BTreeMap<(usize, usize), Frame>,
}

impl<'a, W: World> Run<'a, W> {
    fn new(program: &'a Program, world: &'a mut W, guide: Option<&'a [Outcome]>) -> Self {
        Self { program, world, guide, step: 0, open: vec![true; program.sockets.len()], ids: BTreeMap::new() }
    }

    fn all(mut self) -> Result<Vec<Outcome>, Difference> {
        let program = self.program;
        program.ops.iter().enumerate().map(|(step, op)| self.step(step, op)).collect()
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<Outcome, Difference> {
        self.step = step;
        let guide = self.guide.map(|guide| &guide[step]);
        let expected: &[News] = guide.map_or(&[], |outcome| &outcome.news);
        let mut news = match op {
            Op::Send { .. } => vec![self.send(op, expected == [News::Answered("done".into())])],
            Op::Receive { socket } => {
                // A closed one is not spoken to.
                if self.open[*socket] { vec![self.receive(*socket, 1, expected.first())] } else { Vec::new() }
            }
            Op::Drain => self.drain(expected),
            other => vec![News::Answered(self.world.call(other))],
        };
        if let Op::Close { socket } = op {
            self.open[*socket] = false;
        }
        let mut rest = Rest::default();
        if !matches!(op, Op::Send { .. } | Op::Receive { .. }) && (guide.is_none() || expected == news) {
            match self.world.rest(self.program, step, guide.map(|outcome| &outcome.rest)) {
                Ok(there) => rest = there,
                Err(why) => news.push(News::Answered(why)),
            }
            // Nothing asks for anything while messages are received.
            if matches!(op, Op::Drain) {
                rest.audience.clear();
            }
        }
        if guide.is_some() && expected != news {
            let known = table::row(self.program, step, self.world, expected, &news);
            return Err(Difference { step, op: op.clone(), expected: expected.to_vec(), found: news, known });
        }
        Ok(Outcome { news, rest })
    }

    fn send(&mut self, op: &Op, will_do: bool) -> News {
        let Op::Send { socket, to, frames } = op else { unreachable!("it is a send") };
        let id = to.map(|to| match to {
            Target::Nobody => Frame::from("nobody"),
            Target::Peer(peer) => {
                let own = self.program.sockets[peer].routing_id.clone();
                let learned = || self.ids.get(&(*socket, peer)).cloned().unwrap_or_else(|| "a stranger".into());
                own.map_or_else(learned, Frame::from)
            }
        });
        let body = frames.iter().map(|piece| piece.text.bytes().cycle().take(piece.size).collect::<Vec<u8>>());
        let message = Message::from_frames(id.into_iter().chain(body.map(Frame::from))).expect("there are frames");
        News::Answered(self.world.send(*socket, message, if will_do { LIMIT } else { Duration::ZERO }))
    }

    /// Everybody receives what there is. Those who serve come first, for the others receive what they say.
    fn drain(&mut self, expected: &[News]) -> Vec<News> {
        let mut news = Vec::new();
        let (servers, others): (Vec<usize>, Vec<usize>) = (0..self.open.len())
            .filter(|&socket| self.open[socket])
            .partition(|&socket| self.program.sockets[socket].serves);
        for socket in servers.into_iter().chain(others) {
            let expected =
                expected.iter().find(|news| matches!(news, News::Received { socket: of, .. } if *of == socket));
            news.push(self.receive(socket, usize::MAX, expected));
        }
        news
    }

    /// Receives what is expected, waiting for it, and then what else is there.
    fn receive(&mut self, socket: usize, limit: usize, expected: Option<&News>) -> News {
        let (expected, end): (&[Message], &str) = match expected {
            Some(News::Received { messages, end, .. }) => (messages, end),
            _ => (&[], ""),
        };
        // It may be on its way, and never comes to a REQ of libzmq.
        let will_lose = end == RecvError::PeerLost.to_string() && !self.world.is_theirs(socket);
        let mut messages = Vec::new();
        let end = loop {
            if messages.len() == limit {
                break "enough".to_owned();
            }
            let is_complete = self.is_complete(&messages, expected) && !will_lose;
            let wait = if is_complete || self.is_in_vain(socket, &messages, expected) { Duration::ZERO } else { LIMIT };
            match self.world.recv(socket, wait) {
                Ok(message) => {
                    self.answer(socket, &message);
                    messages.push(self.made_alike(socket, message));
                }
                Err(end) => break end,
            }
        };
        News::Received { socket, messages: self.in_order(messages), end }
    }

    fn is_complete(&self, messages: &[Message], expected: &[Message]) -> bool {
        if self.keeps_the_latest() {
            expected.iter().all(|message| messages.contains(message))
        } else {
            // What was not expected may have come before.
            messages.len() >= expected.len() && missing(messages, expected).is_empty()
        }
    }

    /// Whether nothing is missing but what libzmq will never say: it is known at once which row that is.
    fn is_in_vain(&self, socket: usize, messages: &[Message], expected: &[Message]) -> bool {
        self.world.is_theirs(socket)
            && table::forgets(self.program, self.step, socket)
            && missing(messages, expected).into_iter().all(table::is_cancel)
    }

    fn answer(&mut self, socket: usize, message: &Message) {
        if !self.program.sockets[socket].serves {
            return;
        }
        let mut reply = message.clone();
        reply.push_back(tag(socket, 0));
        self.world.send(socket, reply, LIMIT);
    }

    /// The same message whatever a ROUTER calls its sender and a REQ its request.
    fn made_alike(&mut self, socket: usize, message: Message) -> Message {
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
        // Nothing else has a frame of four octets there.
        if frames.get(1).is_some_and(|id| id.len() == 4) {
            frames[1] = "request".into();
        }
        Message::from_frames(frames).expect("there are as many as before")
    }

    /// The messages of each sender in their order, and what names none in no order. Who keeps the latest has that alone,
    /// for what was received before is a matter of when.
    fn in_order(&self, mut messages: Vec<Message>) -> Vec<Message> {
        messages.sort_by_key(|message| match from(message) {
            Some(from) => (Some(from), Vec::new()),
            None => (None, message.frames().to_vec()),
        });
        if self.keeps_the_latest() {
            messages.reverse();
            messages.dedup_by_key(|message| from(message));
            messages.reverse();
        }
        messages
    }

    fn keeps_the_latest(&self) -> bool {
        (0..self.open.len()).any(|socket| self.program.has(socket, Switch::Conflate))
    }
}

/// What is expected and not there, each as often as that.
fn missing<'a>(messages: &[Message], expected: &'a [Message]) -> Vec<&'a Message> {
    let mut there: Vec<_> = messages.iter().collect();
    let is_missing = |message: &&Message| {
        let place = there.iter().position(|found| found == message);
        place.map(|place| there.swap_remove(place)).is_none()
    };
    expected.iter().filter(is_missing).collect()
}

/// The sender of a message: the last one that it names.
fn from(message: &Message) -> Option<usize> {
    message.iter().rev().find_map(|frame| sender(frame))
}

/// The topic by which it is found out whether a subscriber is heard.
fn probe(step: usize, subscriber: usize) -> String {
    format!("!probe{step}.{subscriber}.")
}

fn is_probe(message: &Message) -> bool {
    let head: &[u8] = message.head();
    let topic = head.strip_prefix(&[0]).or_else(|| head.strip_prefix(&[1])).unwrap_or(head);
    topic.starts_with(b"!probe")
}

fn send_answer(sent: Result<(), SendError>) -> Answer {
    match sent {
        // libzmq says nothing of a message that has an address, and nothing else.
        Ok(()) | Err(SendError::Unaddressed(_)) => "done".to_owned(),
        Err(SendError::Full(_)) => "not now".to_owned(),
        Err(SendError::Unroutable(_)) => "unroutable".to_owned(),
        Err(SendError::OutOfTurn(_)) => "out of turn".to_owned(),
        Err(SendError::Unsupported(..)) => "unsupported".to_owned(),
        Err(other) => other.to_string(),
    }
}

fn recv_answer(error: RecvError) -> Answer {
    match error {
        RecvError::Empty => "not now".to_owned(),
        RecvError::OutOfTurn => "out of turn".to_owned(),
        RecvError::Unsupported(_) => "unsupported".to_owned(),
        other => other.to_string(),
    }
}

fn subscribe_answer(asked: Result<(), SubscribeError>) -> Answer {
    // libzmq says nothing when there is nothing to end.
    asked
        .or_else(|error| if error == SubscribeError::NotSubscribed { Ok(()) } else { Err(error) })
        .map_or_else(|error| error.to_string(), |()| "done".to_owned())
}

fn unbind_answer(ended: Result<(), UnbindError>) -> Answer {
    match ended {
        Ok(()) => "done".to_owned(),
        Err(UnbindError::Unknown(_)) => "unknown".to_owned(),
        Err(other) => other.to_string(),
    }
}
