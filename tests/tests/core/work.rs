//! Work that a peer can cause in one call: floods of subscriptions, and crowds of addresses. The cost meter, which is on in
//! these tests, fails if a call does too much work.

use sansmq_proto::connection::{ConnectionConfig, Link, Outbound, Subscription};
use sansmq_proto::cost;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Kind, Pub, Pull, Sub, XPub};
use sansmq_proto::testing::Net;
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Endpoint, Instant, Message, Options, PipeId, Socket, SocketType,
};
use std::sync::Arc;

const NOW: Instant = Instant::ORIGIN;
/// Time at which each pause before a dial, and each share of a handshake rate, is over.
const LATER: Instant = Instant::from_nanos(10_000_000_000);

/// Socket with a peer that the test controls: the connection of the socket, and the connection of the peer.
struct Duel {
    socket: Socket,
    pipe: PipeId,
    link: Connection,
    peer: Connection,
}

impl Duel {
    /// Creates a socket that dials its peer, which has the type `peer`.
    fn dial<T: Kind>(options: Options<T>, peer: SocketType) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let pipe = socket.connect(endpoint("tcp://peer:1"), NOW).unwrap();
        let link = socket.connected(pipe, NOW).unwrap();
        let mut duel = Self { socket, pipe, link, peer: connection(peer) };
        duel.run();
        duel
    }

    /// Ends the connection, and connects to a new peer of the type `peer`. The former connection is still to be removed.
    fn dial_again(&mut self, peer: SocketType) {
        let old = std::mem::replace(&mut self.link, connection(peer));
        self.socket.disconnected(self.pipe, old, &ConnectionError::PeerClosed, NOW);
        self.socket.handle_timeout(LATER);
        self.link = self.socket.connected(self.pipe, NOW).unwrap();
        self.peer = connection(peer);
    }

    /// Moves bytes between the two connections until none are left, and does the work of the socket.
    fn run(&mut self) {
        loop {
            let mut is_idle = true;
            self.socket.exchange(self.pipe, &mut self.link).unwrap();
            while let Some(action) = self.socket.poll_action() {
                if matches!(action, Action::Service(_)) {
                    self.socket.exchange(self.pipe, &mut self.link).unwrap();
                }
            }
            while let Some(out) = self.peer.poll_transmit() {
                is_idle = false;
                let bytes = out.copy_to_bytes(out.remaining().min(32 << 10));
                self.link.handle_input(&bytes, NOW).unwrap();
                self.socket.exchange(self.pipe, &mut self.link).unwrap();
            }
            while let Some(out) = self.link.poll_transmit() {
                is_idle = false;
                let bytes = out.copy_to_bytes(out.remaining());
                self.peer.handle_input(&bytes, NOW).unwrap();
            }
            if is_idle {
                return;
            }
        }
    }
}

fn connection(socket_type: SocketType) -> Connection {
    Connection::new(&Arc::new(ConnectionConfig::new(socket_type)), &mut SeededEntropy::new(2), NOW)
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// Returns a prefix of `len` bytes for each of `count` numbers.
fn prefixes(count: u32, len: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |number| [&number.to_be_bytes()[..], &vec![b'x'; len]].concat())
}

#[test]
fn changes_in_one_message_are_applied_in_slices() {
    let mut duel = Duel::dial(Options::<Pub>::new(), SocketType::Sub);
    let changes = prefixes(10_000, 1000).map(|prefix| [&[1][..], &prefix].concat());
    duel.peer.give(Outbound::Message(Message::from_frames(changes).unwrap()));
    duel.run();
    assert_eq!(duel.socket.subscription_count(), 10_000);
}

#[test]
fn subscriptions_are_removed_in_slices_before_reconnect() {
    let mut duel = Duel::dial(Options::<Pub>::new(), SocketType::Sub);
    for prefix in prefixes(10_000, 1000) {
        duel.peer.give(Outbound::Subscription(Subscription::Subscribe(prefix.into())));
    }
    duel.run();
    assert_eq!(duel.socket.subscription_count(), 10_000);
    duel.dial_again(SocketType::Sub);
    duel.peer.give(Outbound::Subscription(Subscription::Subscribe("new".into())));
    duel.run();
    while duel.socket.poll_timeout().is_some_and(|at| at <= LATER) {
        duel.socket.handle_timeout(LATER);
        duel.run();
    }
    assert_eq!(duel.socket.subscription_count(), 1);
    assert_eq!(duel.socket.subscriber_count("newer"), 1);
}

#[test]
fn repeated_subscription_is_cancelled_within_the_bound() {
    let options = Options::<XPub>::new().verbose(true).recv_hwm(0);
    let mut duel = Duel::dial(options, SocketType::Sub);
    let prefix = vec![b'x'; 1000];
    for _ in 0..10_000 {
        duel.peer.give(Outbound::Subscription(Subscription::Subscribe(prefix.clone().into())));
    }
    duel.run();
    duel.peer.give(Outbound::Subscription(Subscription::Cancel(prefix.into())));
    duel.run();
    let reports: Vec<_> = std::iter::from_fn(|| duel.socket.recv().ok()).collect();
    let cancellations = reports.iter().filter(|report| report.head()[0] == 0).count();
    assert_eq!((reports.len(), cancellations), (20_000, 10_000));
}

#[test]
fn addresses_of_a_burst_are_forgotten_in_slices() {
    const ADDRESSES: u32 = 150_000;
    let mut socket = Socket::new(Options::<Pull>::new().max_handshake_rate(10), SeededEntropy::new(1));
    let listener = socket.bind(endpoint("tcp://*:1"));
    let config = Arc::clone(socket.config());
    let mut accept = |number: u32, now| {
        let from = endpoint(&format!("tcp://{}:1", std::net::Ipv4Addr::from(0x0a00_0000 + number)));
        assert!(socket.accept_shared(listener, &from, &config, now).is_some());
    };
    for number in 0..ADDRESSES {
        accept(number, NOW);
    }
    // All of their times have passed.
    accept(ADDRESSES, LATER);
}

/// Checks that a connection at a socket with many peers does not cost more than at a socket with few.
#[test]
fn admission_does_not_visit_the_other_peers() {
    let options = Options::<Pull>::new().fail_unreachable(true);
    let mut socket = Socket::new(options, SeededEntropy::new(1));
    let listener = socket.bind(endpoint("tcp://*:1"));
    let mut ready = |number: u32| {
        let from = endpoint(&format!("tcp://10.0.0.1:{}", 1 + number));
        let (pipe, mut link) = socket.accepted(listener, from, NOW).unwrap();
        let mut peer = connection(SocketType::Push);
        let ((), work) = cost::measure(|| {
            for _ in 0..4 {
                while let Some(out) = peer.poll_transmit() {
                    link.handle_input(&out.copy_to_bytes(out.remaining()), NOW).unwrap();
                }
                while let Some(out) = link.poll_transmit() {
                    peer.handle_input(&out.copy_to_bytes(out.remaining()), NOW).unwrap();
                }
            }
            socket.exchange(pipe, &mut link).unwrap();
        });
        work.requested + work.units()
    };
    let first = ready(0);
    let last = (1..1000).map(&mut ready).last().unwrap();
    assert!(last <= first, "{first} units of work for the first peer, {last} for the last");
}

#[test]
fn close_does_not_remove_subscriptions_of_all_peers_at_once() {
    let mut net = Net::seeded(1);
    let publisher = net.socket(Options::<Pub>::new());
    net.bind(publisher, "tcp://pub:1");
    for _ in 0..150 {
        let subscriber = net.socket(Options::<Sub>::new());
        for prefix in prefixes(2000, 50) {
            net[subscriber].subscribe(prefix).unwrap();
        }
        net.connect(subscriber, "tcp://pub:1");
    }
    net.advance(std::time::Duration::from_secs(10));
    let stats = net[publisher].stats();
    assert!(stats.peers == 150 && stats.held.subscriptions > 2000 * 50, "all peers have subscribed: {stats:?}");
    let ((), work) = cost::measure(|| net[publisher].close(LATER));
    work.assert_call("Socket::close", 1);
}
