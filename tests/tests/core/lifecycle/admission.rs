//! Tests of the limits on accepted connections: number of peers, number of handshakes in progress, and rate of
//! handshakes.

use super::{bound, close, connected, ms, pull, push, s};
use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Pull;
use sansmq_proto::security::Security;
use sansmq_proto::security::curve::KeyPair;
use sansmq_proto::socket::RejectReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Connection, ConnectionError, Endpoint, Event, Instant, ListenerId, Options, PipeId, Socket};
use sansmq_tests::{bodies, events, recv_all};

/// PULL that has accepted connections from peers that send nothing, so that the handshakes stay in progress.
struct Acceptor {
    socket: Socket,
    listener: ListenerId,
    connections: Vec<(PipeId, Connection)>,
    now: Instant,
}

impl Acceptor {
    fn new(options: Options<Pull>) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        socket.monitor(true);
        let endpoint: Endpoint = "tcp://*:1".parse().unwrap();
        let listener = socket.bind(endpoint.clone());
        socket.listening(listener, endpoint);
        Self { socket, listener, connections: Vec::new(), now: Instant::ORIGIN }
    }

    /// Accepts a connection from the address `from`. Returns `true` if the socket admits the connection.
    fn accept(&mut self, from: &str) -> bool {
        let accepted = self.socket.accepted(self.listener, from.parse().unwrap(), self.now);
        accepted.map(|connection| self.connections.push(connection)).is_some()
    }

    /// Advances the clock by `time`, and ends the connections that the socket evicts. Returns the number of these
    /// connections.
    fn advance(&mut self, time: Duration) -> usize {
        self.now = self.now + time;
        let mut ended = 0;
        let mut open = Vec::new();
        for (pipe, mut connection) in core::mem::take(&mut self.connections) {
            match self.socket.exchange(pipe, &mut connection) {
                Ok(()) => open.push((pipe, connection)),
                Err(reason) => {
                    assert_eq!(reason, ConnectionError::HandshakeEvicted);
                    self.socket.disconnected(pipe, connection, &reason, self.now);
                    ended += 1;
                }
            }
        }
        self.connections = open;
        ended
    }

    fn refusals(&mut self) -> Vec<RejectReason> {
        let events = core::iter::from_fn(|| self.socket.poll_event());
        events
            .filter_map(|event| if let Event::Rejected { reason, .. } = event { Some(reason) } else { None })
            .collect()
    }
}

#[test]
fn handshake_limit_evicts_slow_handshakes() {
    let mut acceptor = Acceptor::new(pull().max_handshakes(3, 100));
    assert!((1..=3).all(|host| acceptor.accept(&format!("tcp://10.0.0.{host}:1"))));
    assert!(!acceptor.accept("tcp://10.0.0.4:1"), "no handshake is old enough to be evicted");
    assert_eq!(acceptor.refusals(), [RejectReason::MaxHandshakes]);
    assert_eq!(acceptor.advance(ms(1001)), 0);
    assert!(acceptor.accept("tcp://10.0.0.4:1"), "the oldest handshake is evicted");
    assert_eq!(acceptor.advance(ms(0)), 1);
    assert!(acceptor.accept("tcp://10.0.0.5:1") && acceptor.accept("tcp://10.0.0.6:1"));
    assert!(!acceptor.accept("tcp://10.0.0.7:1"), "no handshake is old enough to be evicted");
}

#[test]
fn handshakes_are_limited_per_address() {
    let mut acceptor = Acceptor::new(pull().max_handshakes(100, 2));
    assert!(acceptor.accept("tcp://10.0.0.1:1") && acceptor.accept("tcp://10.0.0.1:2"));
    assert!(!acceptor.accept("tcp://10.0.0.1:3"));
    assert_eq!(acceptor.refusals(), [RejectReason::MaxHandshakesPerAddress]);
    assert!(acceptor.accept("tcp://10.0.0.2:1"), "other addresses are not limited");
    acceptor.advance(ms(1001));
    assert!(acceptor.accept("tcp://10.0.0.1:3"));
    assert_eq!(acceptor.advance(ms(0)), 1);
}

#[test]
fn handshake_rate_is_limited_per_address() {
    let mut acceptor = Acceptor::new(pull().max_handshake_rate(4));
    assert!(
        (1..=4).all(|port| acceptor.accept(&format!("tcp://10.0.0.1:{port}"))),
        "the limit of one second may be used at once"
    );
    assert!(!acceptor.accept("tcp://10.0.0.1:5"));
    assert_eq!(acceptor.refusals(), [RejectReason::MaxHandshakeRate]);
    assert!(acceptor.accept("tcp://10.0.0.2:1"), "other addresses are not limited");
    acceptor.advance(ms(249));
    assert!(!acceptor.accept("tcp://10.0.0.1:5"));
    acceptor.advance(ms(1));
    assert!(acceptor.accept("tcp://10.0.0.1:5"));
    assert!(!acceptor.accept("tcp://10.0.0.1:6"));
    // Rejected attempts do not delay the next admission.
    acceptor.advance(ms(250));
    assert!(acceptor.accept("tcp://10.0.0.1:6"));
    acceptor.advance(s(1000));
    assert!(
        (1..=4).all(|port| acceptor.accept(&format!("tcp://10.0.0.1:{port}"))),
        "the unused rate of longer times does not add up"
    );
    assert!(!acceptor.accept("tcp://10.0.0.1:5"));
}

#[test]
fn only_curve_has_a_default_handshake_rate_limit() {
    let mut acceptor = Acceptor::new(pull());
    assert!((0..1024).all(|port| acceptor.accept(&format!("tcp://10.0.0.1:{port}"))));
    let mut acceptor = Acceptor::new(pull().security(Security::curve_server(KeyPair::random())));
    assert_eq!((0..1024).filter(|port| acceptor.accept(&format!("tcp://10.0.0.1:{port}"))).count(), 1000);
}

#[test]
fn ipv6_limits_count_per_64_bit_prefix() {
    let mut acceptor = Acceptor::new(pull().max_handshakes(100, 1));
    assert!(acceptor.accept("tcp://[2001:db8::1]:1"));
    assert!(!acceptor.accept("tcp://[2001:db8::ffff:2]:1"));
    assert!(acceptor.accept("tcp://[2001:db8:0:1::1]:1"));
    assert!(acceptor.accept("tcp://[::ffff:10.0.0.1]:1"));
    assert!(!acceptor.accept("tcp://10.0.0.1:1"), "an IPv4-mapped address counts as the IPv4 address");
    assert!(acceptor.accept("tcp://10.0.0.2:1"));
}

#[test]
fn finished_handshakes_do_not_count_against_the_limit() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull().max_handshakes(1, 1));
    for _ in 0..5 {
        connected(&mut net, push());
        net.settle();
    }
    assert_eq!(net[pull].ready_peers(), 5);

    let mut acceptor = Acceptor::new(Options::new().max_handshakes(1, 1));
    for _ in 0..5 {
        assert!(acceptor.accept("tcp://10.0.0.1:1"));
        let (pipe, connection) = acceptor.connections.pop().unwrap();
        acceptor.socket.disconnected(pipe, connection, &ConnectionError::PeerClosed, acceptor.now);
    }
}

#[test]
fn max_peers_rejects_until_a_peer_is_gone() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull().max_peers(2));
    let pushes = [(); 3].map(|()| {
        let push = connected(&mut net, push());
        net.settle();
        push
    });
    assert_eq!(net[pull].ready_peers(), 2);
    let is_rejected = |event: &Event| matches!(event, Event::Rejected { reason: RejectReason::MaxPeers, .. });
    assert!(events(&mut net, pull).iter().any(is_rejected));
    net[pushes[2]].send("at last").unwrap();
    net[pushes[0]].send("unread").unwrap();
    net.settle();
    close(&mut net, pushes[0]);
    net.advance(s(20));
    assert_eq!(net[pull].ready_peers(), 1, "a closed peer with unread messages still counts");
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["unread"]);
    net.advance(s(20));
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["at last"]);
}

#[test]
fn zero_lifts_the_limits_on_peers_and_handshakes() {
    let mut acceptor = Acceptor::new(pull().max_peers(0).max_handshakes(0, 0).max_handshake_rate(0));
    assert!((1..=5000).all(|port| acceptor.accept(&format!("tcp://10.0.0.1:{port}"))), "{:?}", acceptor.refusals());
}

/// `max_peers` limits only accepted connections, not connections that the socket itself dials.
#[test]
fn max_peers_does_not_limit_outgoing_connections() {
    let mut net = Net::seeded(1);
    let pushes: [NodeId; 3] = core::array::from_fn(|port| {
        let push = net.socket(push());
        net.bind(push, &format!("tcp://place:{}", port + 2));
        push
    });
    let pull = net.socket(pull().max_peers(1));
    for port in 2..5 {
        net.connect(pull, &format!("tcp://place:{port}"));
    }
    net.settle();
    assert_eq!(net[pull].ready_peers(), pushes.len());
}
