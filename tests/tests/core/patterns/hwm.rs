//! High-water marks: where sending and reading stop, and where they go on.

use super::{PLACE, net, star};
use core::time::Duration;
use sansmq_proto::connection::ConnectionConfig;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Pair, Pull, Push, Router};
use sansmq_proto::testing::Net;
use sansmq_proto::{
    Action, Buf, Connection, Instant, Options, PipeId, RecvError, SendError, Socket, SocketType, SystemEntropy,
};
use sansmq_tests::recv_all;
use std::sync::Arc;

#[test]
fn exactly_the_mark_waits_for_a_peer_that_is_away() {
    for mark in [1, 2, 10] {
        let mut net = net();
        let push = net.socket(Options::<Push>::new().send_hwm(mark));
        net.connect(push, PLACE);
        for _ in 0..mark {
            net[push].send("x").unwrap();
        }
        assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
        net.connect(push, "tcp://other:1");
        for _ in 0..mark {
            net[push].send("x").expect("each peer has its own queue");
        }
        assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
    }
}

#[test]
fn a_mark_of_zero_is_no_mark() {
    let mut net = Net::seeded(1);
    let push = net.socket(Options::<Push>::new().send_hwm(0));
    net.connect(push, PLACE);
    for number in 0..5000_u32 {
        net[push].send(number.to_string()).unwrap();
    }
    let pull = net.socket(Options::<Pull>::new().recv_hwm(0));
    net.bind(pull, PLACE);
    net.pass(Duration::from_secs(1));
    let mut count = 0;
    while net[pull].recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 5000, "all of it waits with the reader");
}

#[test]
fn a_peer_that_does_not_read_makes_its_sender_wait_and_loses_nothing() {
    for (send, recv) in [(1, 1), (5, 5), (1, 20), (20, 1)] {
        let mut net = Net::seeded(1).chunks(1..=700).capacity(3000);
        let (pull, [push]) =
            star(&mut net, Options::<Pull>::new().recv_hwm(recv), [Options::<Push>::new().send_hwm(send)]);
        let mut sent = 0;
        while net[push].send(vec![7; 1000]).is_ok() {
            sent += 1;
            net.settle();
            assert!(sent < 1000, "nobody makes the sender wait");
        }
        // Beside the queues: one batch, what the network holds, what is read ahead, and one reading.
        assert!((send + recv..=send + recv + 64 + 1 + 3 + 64 + 5).contains(&sent), "{sent} messages under way");
        assert_eq!(recv_all(&mut net, pull).len(), sent);
        net[push].send("again").expect("there is room again");
    }
}

#[test]
fn reading_goes_on_when_half_of_the_mark_is_taken() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(10), [Options::<Push>::new()]);
    for _ in 0..100 {
        net[push].send("x").unwrap();
    }
    net.settle();
    let mut take = |count: usize| (0..count).filter(|_| net[pull].recv().is_ok()).count();
    assert_eq!(take(100), 10, "as many as the mark wait");
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(10), [Options::<Push>::new()]);
    for _ in 0..100 {
        net[push].send("x").unwrap();
    }
    net.settle();
    for _ in 0..4 {
        net[pull].recv().unwrap();
    }
    net.settle();
    assert_eq!((0..100).filter(|_| net[pull].recv().is_ok()).count(), 6, "six are left: too many to go on");
    net.settle();
    for _ in 0..5 {
        net[pull].recv().unwrap();
    }
    net.settle();
    assert_eq!((0..100).filter(|_| net[pull].recv().is_ok()).count(), 10, "five were left, and five have come");
}

/// A socket with one peer, driven by hand: the link takes three messages of 30 KB at a time.
pub(super) struct ByHand {
    socket: Socket,
    pipe: PipeId,
    link: Connection,
}

impl ByHand {
    pub(super) fn new(options: Options, theirs: SocketType) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let pipe = socket.connect(PLACE.parse().unwrap(), Instant::ORIGIN).unwrap();
        Self::connected(socket, pipe, theirs)
    }

    fn connected(mut socket: Socket, pipe: PipeId, theirs: SocketType) -> Self {
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        let mut peer = Connection::new(&Arc::new(ConnectionConfig::new(theirs)), &mut SystemEntropy, Instant::ORIGIN);
        for _ in 0..2 {
            if let Some(out) = link.poll_transmit() {
                peer.handle_input(&out.copy_to_bytes(out.remaining()), Instant::ORIGIN).unwrap();
            }
            if let Some(out) = peer.poll_transmit() {
                link.handle_input(&out.copy_to_bytes(out.remaining()), Instant::ORIGIN).unwrap();
            }
        }
        socket.exchange(pipe, &mut link).unwrap();
        Self { socket, pipe, link }
    }

    pub(super) fn send(&mut self) -> Result<(), SendError> {
        let to = if self.socket.socket_type() == SocketType::Router { "named" } else { "" };
        self.socket.send((to, vec![7; 90_000]))
    }

    /// How many messages the queue still takes.
    pub(super) fn fill(&mut self) -> usize {
        let mut taken = 0;
        while self.send().is_ok() {
            taken += 1;
        }
        taken
    }

    /// The network takes what the link has, and the link takes more.
    pub(super) fn flow(&mut self) {
        if let Some(out) = self.link.poll_transmit() {
            out.advance(out.remaining());
        }
        self.socket.exchange(self.pipe, &mut self.link).unwrap();
    }

    pub(super) fn says_writable(&mut self) -> bool {
        core::iter::from_fn(|| self.socket.poll_action()).any(|action| action == Action::Writable)
    }
}

#[test]
fn a_full_queue_says_it_has_room_when_half_of_it_is_gone() {
    for options in [Options::<Push>::new().send_hwm(10).erase(), Options::<Dealer>::new().send_hwm(10).erase()] {
        let theirs = if options.socket_type() == SocketType::Push { SocketType::Pull } else { SocketType::Dealer };
        let mut socket = ByHand::new(options, theirs);
        assert_eq!(socket.fill(), 10);
        socket.says_writable();
        socket.flow();
        assert!(!socket.says_writable(), "seven are left");
        assert!(socket.send().is_err(), "and it stays closed so long");
        socket.flow();
        assert!(socket.says_writable(), "four are left");
        assert_eq!(socket.fill(), 6);
    }
}

#[test]
fn whoever_waits_for_room_is_told_even_if_others_send_meanwhile() {
    let mut socket = ByHand::new(Options::<Pair>::new().send_hwm(10).erase(), SocketType::Pair);
    assert_eq!(socket.fill(), 10);
    socket.says_writable();
    socket.flow();
    socket.send().expect("a PAIR takes what fits");
    for _ in 0..3 {
        socket.flow();
    }
    assert!(socket.says_writable(), "the one that was turned away waits for this");
}

#[test]
fn a_mandatory_router_that_waits_for_room_is_told() {
    let mut socket = Socket::new(Options::<Router>::new().mandatory(true).send_hwm(4), SeededEntropy::new(1));
    let pipe = socket.connect_as(PLACE.parse().unwrap(), "named", Instant::ORIGIN).unwrap();
    let mut socket = ByHand::connected(socket, pipe, SocketType::Dealer);
    assert_eq!(socket.fill(), 4);
    socket.says_writable();
    socket.flow();
    assert!(socket.says_writable(), "the link took three of four");
    assert_eq!(socket.fill(), 3);
}

#[test]
fn a_pipe_whose_last_message_is_taken_leaves_nothing_behind() {
    for mark in [1, 2, 3, 10] {
        let mut net = net();
        let pull = net.socket(Options::<Pull>::new().recv_hwm(mark));
        net.bind(pull, PLACE);
        for _ in 0..3 {
            let push = net.socket(Options::<Push>::new().no_reconnect());
            net.connect(push, PLACE);
            for _ in 0..mark {
                net[push].send("x").unwrap();
            }
            net.settle();
            net.cut(push);
        }
        assert_eq!(recv_all(&mut net, pull).len(), 3 * mark);
        assert_eq!(net[pull].recv(), Err(RecvError::Empty));
        assert_eq!(net[pull].peers(), 0, "mark {mark}");
    }
}
