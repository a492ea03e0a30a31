//! Fuzz target for two sessions that exchange messages over a stream which reads and writes any number of bytes, with each
//! security mechanism. The bytes in transit may be changed.

use super::bounded;
use super::handshake::{Mechanism, securities};
use super::memory::Allocated;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::security::AuthReply;
use sansmq_proto::{
    Buf, Connection, Instant, Message, Options, Outbox, PipeId, Session, SessionBuffers, Socket, Stream, StreamError,
    Turn, kind,
};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    mechanism: Mechanism,
    has_heartbeats: bool,
    /// Sizes of reads and writes, used in turn; see [`Script::next`].
    sizes: &'a [u8],
    ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Queues messages of this size; twice the size if the flag is set.
    Send(Side, u16, bool),
    /// Queues several messages of few bytes.
    SendMany(Side, u8),
    /// Queues a message with many small frames.
    SendFrames(Side, u16, u8),
    Receive(Side),
    Turn(Side),
    /// Calls `turn` of both sides until nothing is left to do.
    Settle,
    /// Calls `turn` of both sides until nothing is left to do, but receives no messages.
    Transfer,
    /// Compares the counted memory with the allocated memory.
    Count,
    /// Changes a byte in transit.
    Change(Side, u16, u8),
    /// Advances the clock. The time in milliseconds is the square of the number.
    Pass(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

const SIDES: [Side; 2] = [Side::Client, Side::Server];

const MAX_OPS: usize = 80;

/// Maximum number of bytes in each direction that are written and not read.
const CAPACITY: usize = 96 << 10;

/// Sizes of reads and writes.
struct Script<'a> {
    sizes: &'a [u8],
    at: usize,
}

impl Script<'_> {
    /// Returns the size of the next read or write: few or many bytes, or an error.
    fn next(&mut self) -> Result<usize, StreamError> {
        self.at += 1;
        let size = if self.sizes.is_empty() { u8::MAX } else { self.sizes[self.at % self.sizes.len()] };
        match size {
            // One in turn succeeds, so that the sessions make progress.
            0 if !self.at.is_multiple_of(3) => Err(StreamError::WouldBlock),
            1 if !self.at.is_multiple_of(3) => Err(StreamError::Interrupted),
            0..200 => Ok(usize::from(size) + 1),
            200.. => Ok((usize::from(size) - 199) << 10),
        }
    }
}

/// One end of the stream: the bytes that this side reads, the bytes that it has written, and whether each direction is closed.
struct End<'a, 'b> {
    script: &'a mut Script<'b>,
    incoming: &'a mut Lane,
    outgoing: &'a mut Lane,
}

#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    is_closed: bool,
}

impl Stream for End<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        if self.incoming.bytes.is_empty() {
            return if self.incoming.is_closed { Ok(0) } else { Err(StreamError::WouldBlock) };
        }
        let count = self.script.next()?.min(buffer.len()).min(self.incoming.bytes.len());
        buffer.iter_mut().zip(self.incoming.bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
        Ok(count)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let room = CAPACITY - self.outgoing.bytes.len();
        if room == 0 {
            return Err(StreamError::WouldBlock);
        }
        let limit = self.script.next()?.min(room);
        let mut chunks = [&[][..]; 3];
        let filled = data.chunks(&mut chunks);
        let before = self.outgoing.bytes.len();
        for chunk in &chunks[..filled] {
            let left = limit - (self.outgoing.bytes.len() - before);
            self.outgoing.bytes.extend(&chunk[..chunk.len().min(left)]);
        }
        assert!(data.remaining() > 0, "there is nothing to write");
        Ok(self.outgoing.bytes.len() - before)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        self.outgoing.is_closed = true;
        Ok(())
    }
}

struct World<'a> {
    sockets: [Socket; 2],
    pipes: [PipeId; 2],
    sessions: [Option<Session>; 2],
    /// Bytes in transit from each side.
    lanes: [Lane; 2],
    script: Script<'a>,
    buffers: SessionBuffers,
    now: Instant,
    /// Messages from each side that the other side has not received yet.
    sent: [VecDeque<Message>; 2],
    numbers: [u32; 2],
    is_changed: bool,
    is_encrypted: bool,
}

const MAX_FRAMES: u16 = 4000;

/// Checks that messages arrive unchanged, complete and in order, however the stream splits them, that changed bytes never
/// become a message with CURVE, and that the sockets count the memory that they hold.
pub fn sessions(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let allocated = Allocated::default();
    let mut world = allocated.during(|| World::new(&scenario));
    for &op in scenario.ops.iter().take(MAX_OPS) {
        allocated.during(|| world.apply(op));
        if matches!(op, Op::Count) {
            world.check_held(&allocated);
        }
    }
    allocated.during(|| world.run(true));
    allocated.during(|| world.apply(Op::Count));
    world.check_held(&allocated);
    let is_alive = world.sessions.iter().all(Option::is_some);
    if is_alive && !world.is_changed {
        assert!(world.sent.iter().all(VecDeque::is_empty), "messages were lost: {scenario:?}");
    }
    // Heartbeats and the handshake may time out.
    let is_timely = !scenario.ops.iter().any(|op| matches!(op, Op::Pass(_)));
    assert!(is_alive || world.is_changed || !is_timely, "the connection was lost: {scenario:?}");
}

impl<'a> World<'a> {
    fn new(scenario: &Scenario<'a>) -> Self {
        let (client, server) = securities(scenario.mechanism);
        let options = [client, server].map(|security| {
            let options = Options::<kind::Dealer>::new().security(security).authenticate(|_| AuthReply::accept());
            let with_heartbeats = options.clone().heartbeat(Duration::from_secs(1));
            if scenario.has_heartbeats { with_heartbeats } else { options }
        });
        let now = Instant::ORIGIN;
        let mut seed = 0;
        let [mut client, mut server] = options.map(|options| {
            seed += 1;
            Socket::new(options, SeededEntropy::new(seed))
        });
        let pipe = client.connect("tcp://server:1".parse().expect("valid"), now).expect("the socket is open");
        let connection = client.connected(pipe, now).expect("the pipe is being dialled");
        let listener = server.bind("tcp://server:1".parse().expect("valid"));
        let from = "tcp://client:1".parse().expect("valid");
        let (accepted, accepted_connection) = server.accepted(listener, from, now).expect("the socket listens");
        Self {
            sockets: [client, server],
            pipes: [pipe, accepted],
            sessions: [connection, accepted_connection].map(|connection: Connection| Some(Session::new(connection))),
            lanes: Default::default(),
            script: Script { sizes: scenario.sizes, at: 0 },
            buffers: SessionBuffers::new(),
            now,
            sent: Default::default(),
            numbers: [0; 2],
            is_changed: false,
            is_encrypted: matches!(scenario.mechanism, Mechanism::Curve),
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Send(side, len, is_double) => self.send(side, usize::from(len) << u8::from(is_double)),
            Op::SendMany(side, count) => (0..count).for_each(|len| self.send(side, len.into())),
            Op::SendFrames(side, count, len) => {
                let frames =
                    vec![vec![count.to_be_bytes()[1]; usize::from(len % 8)]; usize::from(count % MAX_FRAMES) + 1];
                self.send_message(side, Message::from_frames(frames).expect("there is at least one frame"));
            }
            Op::Receive(side) => self.receive(side),
            Op::Turn(side) => drop(self.turn(side)),
            Op::Settle => self.run(true),
            Op::Transfer => self.run(false),
            // The buffers keep blocks for later messages of any peer.
            Op::Count => self.buffers = SessionBuffers::new(),
            Op::Change(side, at, mask) => {
                let bytes = &mut self.lanes[side as usize].bytes;
                if !bytes.is_empty() && mask != 0 {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= mask;
                    self.is_changed = true;
                }
            }
            Op::Pass(millis) => self.now = self.now + Duration::from_millis(u64::from(millis) * u64::from(millis)),
        }
    }

    fn send(&mut self, side: Side, len: usize) {
        let number = &mut self.numbers[side as usize];
        *number += 1;
        let head = number.to_be_bytes();
        let mut body = vec![head[3]; len];
        body.extend(head);
        self.send_message(side, Message::from_frames([&head[..], &body]).expect("there are two frames"));
    }

    fn send_message(&mut self, side: Side, message: Message) {
        if self.sockets[side as usize].send(message.clone()).is_ok() {
            self.sent[side as usize].push_back(message);
        }
    }

    fn receive(&mut self, side: Side) {
        let from = 1 - side as usize;
        while let Ok(message) = self.sockets[side as usize].recv() {
            if self.is_changed && !self.is_encrypted {
                continue;
            }
            assert_eq!(self.sent[from].pop_front(), Some(message), "a message that was not sent next");
        }
    }

    /// Calls `turn` of the session of a side, and returns true if the session has more work.
    fn turn(&mut self, side: Side) -> bool {
        let at = side as usize;
        let Self { sockets, pipes, sessions, lanes, script, buffers, now, .. } = self;
        let Some(session) = &mut sessions[at] else { return false };
        let [client, server] = lanes;
        let (incoming, outgoing) = if at == 0 { (server, client) } else { (client, server) };
        let mut end = End { script, incoming, outgoing };
        let socket = &mut sockets[at];
        let turn = session.turn(&mut end, buffers, *now, |link| socket.exchange(pipes[at], link));
        let mut is_busy = matches!(turn, Ok(Turn::Again | Turn::Background));
        while let Some(action) = socket.poll_action() {
            is_busy |= matches!(action, sansmq_proto::Action::Service(_));
        }
        if let Err(reason) = turn
            && let Some(session) = sessions[at].take()
        {
            socket.disconnected(pipes[at], session.into_connection(), &reason, *now);
            self.lanes[at].is_closed = true;
        }
        is_busy
    }

    /// Calls `turn` of both sides until nothing is left to do. `receives` is true if the messages are received meanwhile.
    fn run(&mut self, receives: bool) {
        let mut idle = 0;
        let mut rounds = 0;
        // An interrupted call and a full stream are tried again.
        while idle < 8 {
            rounds += 1;
            assert!(rounds < 1_000_000, "the sessions do not become idle");
            idle += 1;
            for side in SIDES {
                let before = self.lanes.each_ref().map(|lane| lane.bytes.len());
                let is_busy = self.turn(side);
                if is_busy || before != self.lanes.each_ref().map(|lane| lane.bytes.len()) {
                    idle = 0;
                }
                if receives {
                    self.receive(side);
                }
            }
        }
    }

    fn check_held(&self, allocated: &Allocated) {
        let held = self.sockets.iter().map(|socket| socket.stats().held.total()).sum();
        let sent = self.sent.iter().flatten().map(Message::held_bytes).sum::<usize>();
        let lists = self.sent.iter().map(|sent| sent.capacity() * size_of::<Message>()).sum::<usize>();
        let lanes = self.lanes.iter().map(|lane| lane.bytes.capacity()).sum::<usize>();
        allocated.assert_counted(held, (2, 2), sent + lists + lanes + READ_BUFFER);
        for socket in &self.sockets {
            socket.assert_held();
        }
    }
}

/// Size in bytes of the read buffer that the sessions share.
const READ_BUFFER: usize = 32 << 10;
