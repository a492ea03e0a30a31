//! Tests of high-water marks in messages: when a socket stops sending or reading, and when it resumes.

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
fn send_hwm_is_exact_for_a_disconnected_peer() {
    for hwm in [1, 2, 10] {
        let mut net = net();
        let push = net.socket(Options::<Push>::new().send_hwm(hwm));
        net.connect(push, PLACE);
        for _ in 0..hwm {
            net[push].send("x").unwrap();
        }
        assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
        net.connect(push, "tcp://other:1");
        for _ in 0..hwm {
            net[push].send("x").expect("each peer has its own queue");
        }
        assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
    }
}

#[test]
fn hwm_zero_is_unlimited() {
    let mut net = Net::seeded(1);
    let push = net.socket(Options::<Push>::new().send_hwm(0));
    net.connect(push, PLACE);
    for number in 0..5000_u32 {
        net[push].send(number.to_string()).unwrap();
    }
    let pull = net.socket(Options::<Pull>::new().recv_hwm(0));
    net.bind(pull, PLACE);
    net.advance(Duration::from_secs(1));
    let mut count = 0;
    while net[pull].recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 5000, "all messages are queued at the receiver");
}

#[test]
fn slow_reader_blocks_its_sender_without_loss() {
    for (send, recv) in [(1, 1), (5, 5), (1, 20), (20, 1)] {
        let mut net = Net::seeded(1).chunks(1..=700).capacity(3000);
        let (pull, [push]) =
            star(&mut net, Options::<Pull>::new().recv_hwm(recv), [Options::<Push>::new().send_hwm(send)]);
        let mut sent = 0;
        while net[push].send(vec![7; 1000]).is_ok() {
            sent += 1;
            net.settle();
            assert!(sent < 1000, "the sender is never blocked");
        }
        // In addition to the queues: one batch, the capacity of the network, the read-ahead, and one read.
        assert!((send + recv..=send + recv + 64 + 1 + 3 + 64 + 5).contains(&sent), "{sent} messages in transit");
        assert_eq!(recv_all(&mut net, pull).len(), sent);
        net[push].send("again").expect("the queue has room again");
    }
}

#[test]
fn reading_resumes_at_half_the_recv_hwm() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(10), [Options::<Push>::new()]);
    for _ in 0..100 {
        net[push].send("x").unwrap();
    }
    net.settle();
    let mut take = |count: usize| (0..count).filter(|_| net[pull].recv().is_ok()).count();
    assert_eq!(take(100), 10, "the queue holds as many messages as the high-water mark");
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
    assert_eq!(
        (0..100).filter(|_| net[pull].recv().is_ok()).count(),
        6,
        "six are left, more than half: reading must not resume"
    );
    net.settle();
    for _ in 0..5 {
        net[pull].recv().unwrap();
    }
    net.settle();
    assert_eq!((0..100).filter(|_| net[pull].recv().is_ok()).count(), 10, "five were left, and five were read");
}

/// Socket with one connection, without a network. The connection takes at most three messages of [`send`](Self::send)
/// from the socket before [`transmit`](Self::transmit) is called.
pub(super) struct ManualSocket {
    socket: Socket,
    pipe: PipeId,
    link: Connection,
}

impl ManualSocket {
    pub(super) fn new(options: Options, peer_type: SocketType) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let pipe = socket.connect(PLACE.parse().unwrap(), Instant::ORIGIN).unwrap();
        Self::connected(socket, pipe, peer_type)
    }

    fn connected(mut socket: Socket, pipe: PipeId, peer_type: SocketType) -> Self {
        let mut link = socket.connected(pipe, Instant::ORIGIN).unwrap();
        let mut peer =
            Connection::new(&Arc::new(ConnectionConfig::new(peer_type)), &mut SystemEntropy, Instant::ORIGIN);
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

    /// Sends a message of 90 KB to the only peer. If the socket is a ROUTER, this peer must have the routing id
    /// "named".
    pub(super) fn send(&mut self) -> Result<(), SendError> {
        let to = if self.socket.socket_type() == SocketType::Router { "named" } else { "" };
        self.socket.send((to, vec![7; 90_000]))
    }

    /// Sends until the queue of the socket is full. Returns the number of messages that were accepted.
    pub(super) fn fill(&mut self) -> usize {
        let mut taken = 0;
        while self.send().is_ok() {
            taken += 1;
        }
        taken
    }

    /// Discards the output of the connection, so that the connection takes more messages from the socket.
    pub(super) fn transmit(&mut self) {
        if let Some(out) = self.link.poll_transmit() {
            out.advance(out.remaining());
        }
        self.socket.exchange(self.pipe, &mut self.link).unwrap();
    }

    /// Takes all queued actions of the socket. Returns `true` if one of them is [`Action::Writable`].
    pub(super) fn takes_writable(&mut self) -> bool {
        core::iter::from_fn(|| self.socket.poll_action()).any(|action| action == Action::Writable)
    }
}

#[test]
fn writable_is_emitted_at_half_the_send_hwm() {
    for options in [Options::<Push>::new().send_hwm(10).erase(), Options::<Dealer>::new().send_hwm(10).erase()] {
        let peer_type = if options.socket_type() == SocketType::Push { SocketType::Pull } else { SocketType::Dealer };
        let mut socket = ManualSocket::new(options, peer_type);
        assert_eq!(socket.fill(), 10);
        socket.takes_writable();
        socket.transmit();
        assert!(!socket.takes_writable(), "seven messages are left, more than half");
        assert!(socket.send().is_err(), "the queue stays full until then");
        socket.transmit();
        assert!(socket.takes_writable(), "four messages are left, less than half");
        assert_eq!(socket.fill(), 6);
    }
}

#[test]
fn writable_is_emitted_although_others_send_meanwhile() {
    let mut socket = ManualSocket::new(Options::<Pair>::new().send_hwm(10).erase(), SocketType::Pair);
    assert_eq!(socket.fill(), 10);
    socket.takes_writable();
    socket.transmit();
    socket.send().expect("a PAIR accepts messages while the queue has room");
    for _ in 0..3 {
        socket.transmit();
    }
    assert!(socket.takes_writable(), "the sender that received `Full` waits for this action");
}

#[test]
fn mandatory_router_emits_writable() {
    let mut socket = Socket::new(Options::<Router>::new().mandatory(true).send_hwm(4), SeededEntropy::new(1));
    let pipe = socket.connect_as(PLACE.parse().unwrap(), "named", Instant::ORIGIN).unwrap();
    let mut socket = ManualSocket::connected(socket, pipe, SocketType::Dealer);
    assert_eq!(socket.fill(), 4);
    socket.takes_writable();
    socket.transmit();
    assert!(socket.takes_writable(), "the connection took three of four messages");
    assert_eq!(socket.fill(), 3);
}

#[test]
fn drained_pipe_of_a_lost_peer_is_removed() {
    for hwm in [1, 2, 3, 10] {
        let mut net = net();
        let pull = net.socket(Options::<Pull>::new().recv_hwm(hwm));
        net.bind(pull, PLACE);
        for _ in 0..3 {
            let push = net.socket(Options::<Push>::new().no_reconnect());
            net.connect(push, PLACE);
            for _ in 0..hwm {
                net[push].send("x").unwrap();
            }
            net.settle();
            net.reset_connections(push);
        }
        assert_eq!(recv_all(&mut net, pull).len(), 3 * hwm);
        assert_eq!(net[pull].recv(), Err(RecvError::Empty));
        assert_eq!(net[pull].peers(), 0, "recv_hwm {hwm}");
    }
}
