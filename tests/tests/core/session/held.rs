//! Tests of the ledger of memory: what the statistics of a socket report as held agrees with the memory that a counting
//! allocator reports, within a fifth.

use super::accepted;
use allocation_counter::measure;
use sansmq_proto::connection::{MemoryBudget, Outbox};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Kind, Pair, Pub, Pull, Push, Radio, Sub};
use sansmq_proto::socket::HeldMemory;
use sansmq_proto::{
    Action, Connection, ConnectionError, Frame, Instant, Message, Options, PipeId, Session, SessionBuffers, Socket,
    Stream, StreamError, Turn,
};
use sansmq_tests::raw_peer::{MORE, command, frame, greeting, greeting_and_ready, head, property, ready};
use std::sync::Arc;

/// Stream with input that was allocated before, and a peer that reads nothing after the handshake.
#[derive(Debug, Default)]
struct Stalled {
    input: Vec<u8>,
    read: usize,
    is_full: bool,
}

impl Stream for Stalled {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let rest = &self.input[self.read..];
        let count = buffer.len().min(rest.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        if count == 0 { Err(StreamError::WouldBlock) } else { Ok(count) }
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let mut count = 0;
        data.with_io_slices(|slices| count = slices.iter().map(|slice| slice.len()).sum());
        if self.is_full { Err(StreamError::WouldBlock) } else { Ok(count) }
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

/// Socket with one connection to a [`Stalled`] peer.
struct Seat {
    socket: Socket,
    pipe: PipeId,
    session: Session,
    stream: Stalled,
    buffers: SessionBuffers,
}

impl Seat {
    /// Creates a socket with a connection that has received the bytes `hello`.
    fn new<T: Kind>(options: Options<T>, hello: Vec<u8>) -> Self {
        Self::of(accepted(options), hello)
    }

    fn of((socket, pipe, connection): (Socket, PipeId, Connection), hello: Vec<u8>) -> Self {
        let stream = Stalled { input: hello, ..Stalled::default() };
        let mut seat = Self { socket, pipe, session: Session::new(connection), stream, buffers: SessionBuffers::new() };
        seat.settle().unwrap();
        seat.stream.is_full = true;
        seat
    }

    fn settle(&mut self) -> Result<(), ConnectionError> {
        let Self { socket, pipe, session, stream, buffers } = self;
        loop {
            let turn = session.turn(stream, buffers, Instant::ORIGIN, |link| socket.exchange(*pipe, link))?;
            let mut is_idle = matches!(turn, Turn::Wait(_));
            while let Some(action) = socket.poll_action() {
                is_idle &= !matches!(action, Action::Service(_));
            }
            if is_idle {
                return Ok(());
            }
        }
    }

    fn held(&self) -> HeldMemory {
        self.socket.stats().held
    }

    /// Passes input to the connection. Returns the memory that is held in addition afterwards: by the statistics, and by
    /// the allocator.
    fn receive(&mut self, input: Vec<u8>) -> (u64, i64) {
        self.stream.input = input;
        self.stream.read = 0;
        let before = self.held().total();
        let allocated = measure(|| {
            self.settle().unwrap();
            // The buffers of the thread may keep blocks for later messages of any peer.
            self.buffers = SessionBuffers::new();
        });
        let allocated = allocated.bytes_current;
        (self.held().total() - before, allocated)
    }
}

/// Asserts that the statistics and the allocator agree within a fifth.
fn assert_agree((held, allocated): (u64, i64), what: &str) {
    let allocated = u64::try_from(allocated).unwrap();
    assert!(held.abs_diff(allocated) * 5 <= allocated, "{what}: {held} bytes are held, {allocated} are allocated");
}

fn unlimited() -> Options<Pull> {
    Options::<Pull>::new().recv_hwm(0).recv_hwm_bytes(0)
}

/// Returns an encoded message with frames of these sizes.
fn encoded(sizes: &[usize]) -> Vec<u8> {
    let last = sizes.len() - 1;
    let frames = sizes.iter().enumerate();
    frames.flat_map(|(at, &size)| frame(if at < last { MORE } else { 0 }, &vec![7; size])).collect()
}

#[test]
fn incoming_queue_agrees_with_the_allocator() {
    for (sizes, count) in [
        (vec![0; 4096], 20),
        (vec![0; 3], 5000),
        (vec![0], 20_000),
        (vec![1], 20_000),
        (vec![33], 20_000),
        (vec![64], 20_000),
        (vec![65], 20_000),
        (vec![300, 2000, 1], 1000),
        (vec![1024], 2000),
        (vec![1500], 2000),
        (vec![9000], 200),
        (vec![20_000], 100),
        (vec![30_000], 100),
        (vec![64 << 10], 50),
        (vec![(64 << 10) + 100], 50),
        (vec![3 << 20, 100], 2),
    ] {
        let mut seat = Seat::new(unlimited(), greeting_and_ready("PUSH"));
        let counts = seat.receive(encoded(&sizes).repeat(count));
        assert_eq!(seat.socket.stats().incoming.messages, count as u64);
        assert_agree(counts, &format!("{count} messages of {} frames, {} bytes first", sizes.len(), sizes[0]));
        assert!(seat.held().incoming > seat.held().connections);
    }
}

/// A block of input with one body that is large enough to be shared, and much that is not stored.
#[test]
fn small_part_of_a_block_does_not_keep_the_block() {
    let block = [frame(0, &[7; 1200]), command("UNKNOWN", &vec![7; 30_000])].concat();
    let mut seat = Seat::new(unlimited(), greeting_and_ready("PUSH"));
    let counts = seat.receive(block.repeat(500));
    assert_eq!(seat.socket.stats().incoming.messages, 500);
    assert_agree(counts, "500 bodies of 1200 bytes");
}

/// A block of input with one body that matches a subscription, and many that are dropped.
#[test]
fn message_that_a_sub_keeps_does_not_keep_the_block() {
    let mut seat = Seat::new(Options::<Sub>::new().recv_hwm(0).recv_hwm_bytes(0), greeting_and_ready("PUB"));
    seat.socket.subscribe("kept").unwrap();
    seat.stream.is_full = false;
    seat.settle().unwrap();
    let kept = [b"kept", &[7; 1200][..]].concat();
    let block = [frame(0, &kept), frame(0, &[7; 1200]).repeat(25)].concat();
    let counts = seat.receive(block.repeat(500));
    assert_eq!(seat.socket.stats().incoming.messages, 500);
    assert_agree(counts, "500 bodies of 1204 bytes");
}

#[test]
fn connection_buffers_agree_with_the_allocator() {
    for (input, what) in [
        ([head(0, 8 << 20), vec![7; 6 << 20]].concat(), "a part of a large message"),
        (frame(MORE, b"").repeat(10_000), "frames of an incomplete message"),
        (frame(MORE, &[7; 3000]).repeat(300), "large frames of an incomplete message"),
    ] {
        let mut seat = Seat::new(unlimited(), greeting_and_ready("PUSH"));
        assert_agree(seat.receive(input), what);
        assert_eq!(seat.socket.stats().incoming.messages, 0);
    }
    for sizes in [vec![0; 4096], vec![64], vec![1000], vec![20_000]] {
        let mut seat = Seat::new(Options::<Pull>::new().recv_hwm(1), greeting_and_ready("PUSH"));
        let input = encoded(&sizes);
        let count = (1 << 20) / input.len();
        let counts = seat.receive(input.repeat(count));
        assert_eq!(seat.socket.stats().incoming.messages, 1);
        assert_agree(counts, &format!("messages of {} frames read ahead", sizes.len()));
        assert!(seat.held().connections < 1 << 20, "{:?}", seat.held());
    }
}

#[test]
fn outgoing_queue_and_outbox_agree_with_the_allocator() {
    let frames = |count: usize, size: usize| Message::from_frames(vec![vec![7; size]; count]).unwrap();
    for (make, count) in [
        (Box::new(|| frames(4096, 0)) as Box<dyn Fn() -> Message>, 20),
        (Box::new(|| Message::from("x")), 10_000),
        (Box::new(|| vec![7; 33].into()), 10_000),
        (Box::new(|| vec![7; 65].into()), 10_000),
        (Box::new(|| vec![7; 1024].into()), 2000),
        (Box::new(|| vec![7; 3000].into()), 1000),
        (Box::new(|| frames(3, 500)), 1000),
        (Box::new(|| vec![7; 64 << 10].into()), 50),
        (Box::new(|| vec![7; 3 << 20].into()), 3),
    ] {
        let options = Options::<Push>::new().send_hwm(0).send_hwm_bytes(0);
        let mut seat = Seat::new(options, greeting_and_ready("PULL"));
        let before = seat.held().total();
        let allocated = measure(|| {
            for _ in 0..count {
                seat.socket.send(make()).unwrap();
                seat.settle().unwrap();
            }
            seat.buffers = SessionBuffers::new();
        });
        let held = seat.held();
        let first = make();
        let what = format!("{count} messages of {} frames and {} bytes: {held:?}", first.len(), first.size());
        assert_agree((held.total() - before, allocated.bytes_current), &what);
        assert!(held.connections > 0 && held.connections < 8 << 20, "{what}");
    }
}

#[test]
fn metadata_agrees_with_the_allocator() {
    let properties = (0..100).flat_map(|number| property(&format!("X-{number}"), &[7; 1000])).collect::<Vec<_>>();
    let hello = ready("PUSH", &properties);
    for (part, what) in [(hello.len(), "a complete READY"), (hello.len() - 1, "an incomplete READY")] {
        let mut seat = Seat::new(unlimited(), greeting("NULL"));
        assert_agree(seat.receive(hello[..part].to_vec()), what);
        let stats = seat.socket.stats();
        assert!(stats.handshake_bytes > 100_000 && stats.handshake_bytes <= stats.held.connections);
        let peer = seat.socket.peer_stats().next().unwrap();
        assert_eq!((peer.held, peer.ready), (stats.held, part == hello.len()));
        let Seat { mut socket, pipe, session, .. } = seat;
        socket.disconnected(pipe, session.into_connection(), &ConnectionError::PeerClosed, Instant::ORIGIN);
        assert_eq!((socket.stats().held.total(), socket.stats().handshake_bytes), (0, 0));
    }
}

#[test]
fn subscriptions_agree_with_the_allocator() {
    for len in [4, 16, 40, 1000] {
        let mut seat = Seat::new(Options::<Pub>::new(), greeting_and_ready("SUB"));
        let mut input = Vec::new();
        for number in 0..8000 {
            let prefix = format!("{number:04}{}", "x".repeat(len - 4));
            input.extend(command("SUBSCRIBE", prefix.as_bytes()));
        }
        assert_agree(seat.receive(input), &format!("prefixes of {len} bytes"));
        assert!(seat.held().subscriptions > 0);
        let peer = seat.socket.peer_stats().next().unwrap().held.subscriptions;
        assert!(peer.abs_diff(seat.held().subscriptions) * 2 <= peer, "{peer} of {:?}", seat.held());
    }
}

#[test]
fn groups_agree_with_the_allocator() {
    for len in [5, 40, 250] {
        let mut seat = Seat::new(Options::<Radio>::new(), greeting_and_ready("DISH"));
        let joins = (0..8000).map(|number| command("JOIN", format!("{number:0len$}").as_bytes()));
        assert_agree(seat.receive(joins.flatten().collect()), &format!("groups of {len} bytes"));
        let peer = seat.socket.peer_stats().next().unwrap().held.subscriptions;
        assert_eq!(peer, seat.held().subscriptions);
        let leaves = (0..8000).map(|number| command("LEAVE", format!("{number:0len$}").as_bytes()));
        seat.stream = Stalled { input: leaves.flatten().collect(), ..Stalled::default() };
        seat.settle().unwrap();
        assert_eq!(seat.held().subscriptions, 0);
    }
}

#[test]
fn emptied_queues_hold_nothing() {
    let mut seat = Seat::new(Options::<Pair>::new(), greeting_and_ready("PAIR"));
    let before = seat.held();
    seat.receive(encoded(&[2000, 5]).repeat(100));
    let body = Frame::from(vec![7; 1000]);
    for _ in 0..100 {
        seat.socket.send(body.clone()).unwrap();
    }
    assert!(seat.held().incoming >= 100 * (2000 + 3 * 72) && seat.held().outgoing >= 100 * (1000 + 72));
    while seat.socket.recv().is_ok() {}
    seat.stream.is_full = false;
    seat.settle().unwrap();
    let left = seat.socket.peer_stats().next().unwrap().held.total() - before.total();
    assert!(left <= 64 * 72 * 2, "unused memory of two idle queues: {left}");
    let shared = seat.held().total() - before.total() - left;
    assert!(shared > 0 && shared <= 2 * 4096 * 72, "unused memory that the queues share: {shared}");
}

#[test]
fn incomplete_message_ends_its_connection_above_the_budget() {
    for limit in [100 << 10, 2 << 20] {
        let budget = Arc::new(MemoryBudget::new(limit));
        let mut socket = Socket::new(unlimited(), SeededEntropy::new(1));
        socket.set_memory_budget(Arc::clone(&budget));
        let listener = socket.bind("tcp://*:1".parse().unwrap());
        let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), Instant::ORIGIN).unwrap();
        let mut seat = Seat::of((socket, pipe, connection), greeting_and_ready("PUSH"));
        seat.stream = Stalled { input: [head(0, 8 << 20), vec![7; 500 << 10]].concat(), ..Stalled::default() };
        if limit > 500 << 10 {
            assert_eq!(seat.settle(), Ok(()));
            assert!(budget.held_bytes() > 500 << 10);
        } else {
            assert_eq!(seat.settle(), Err(ConnectionError::MemoryLimit { limit }));
            assert!(budget.held_bytes() < 300 << 10);
        }
        drop(seat);
        assert_eq!(budget.held_bytes(), 0);
    }
}

/// Socket with a budget, and a peer that has sent the bytes `hello`.
fn limited<T: Kind>(options: Options<T>, hello: Vec<u8>, budget: &Arc<MemoryBudget>) -> Seat {
    let mut socket = Socket::new(options, SeededEntropy::new(1));
    socket.set_memory_budget(Arc::clone(budget));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), Instant::ORIGIN).unwrap();
    Seat::of((socket, pipe, connection), hello)
}

#[test]
fn further_subscription_ends_its_connection_above_the_budget() {
    const LIMIT: usize = 256 << 10;
    let subscribe = |count: u32| (0..count).flat_map(|number| command("SUBSCRIBE", &number.to_be_bytes().repeat(4)));
    let join = |count: u32| (0..count).flat_map(|number| command("JOIN", &number.to_be_bytes().repeat(4)));
    for is_radio in [false, true] {
        let budget = Arc::new(MemoryBudget::new(LIMIT));
        let seat = || {
            if is_radio {
                limited(Options::<Radio>::new(), greeting_and_ready("DISH"), &budget)
            } else {
                limited(Options::<Pub>::new(), greeting_and_ready("SUB"), &budget)
            }
        };
        let input = |count| if is_radio { join(count).collect() } else { subscribe(count).collect::<Vec<_>>() };
        let [mut greedy, mut modest] = [seat(), seat()];
        greedy.stream = Stalled { input: input(8000), ..Stalled::default() };
        assert_eq!(greedy.settle(), Err(ConnectionError::MemoryLimit { limit: LIMIT }));
        // Changes that were read ahead are dropped with the connection.
        assert!(budget.held_bytes() > 64 << 10 && budget.held_bytes() < 2 * LIMIT, "{} bytes", budget.held_bytes());
        modest.stream = Stalled { input: input(100), ..Stalled::default() };
        assert_eq!(modest.settle(), Ok(()));
        let Seat { mut socket, pipe, session, .. } = greedy;
        let reason = ConnectionError::MemoryLimit { limit: LIMIT };
        socket.disconnected(pipe, session.into_connection(), &reason, Instant::ORIGIN);
        assert!(budget.held_bytes() < 32 << 10, "{} bytes", budget.held_bytes());
        modest.stream = Stalled { input: input(500), ..Stalled::default() };
        assert_eq!(modest.settle(), Ok(()));
        drop(modest);
        assert_eq!(budget.held_bytes(), 0);
    }
}

#[test]
fn statistics_have_the_limits_on_memory() {
    let options = Options::<Pair>::new().send_hwm_bytes(1).recv_hwm_bytes(2).max_handshake_bytes(3);
    let limits = accepted(options).0.stats().limits;
    assert_eq!((limits.send_hwm_bytes, limits.recv_hwm_bytes, limits.max_handshake_bytes), (1, 2, 3));
    let limits = accepted(Options::<Pair>::new()).0.stats().limits;
    assert_eq!(
        (limits.send_hwm_bytes, limits.recv_hwm_bytes, limits.max_handshake_bytes),
        (256 << 20, 64 << 20, 16 << 20)
    );
}
