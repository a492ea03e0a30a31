//! Limits on who may come.

use super::{bound, close, connected, ms, pull, push, s};
use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Pull;
use sansmq_proto::security::Security;
use sansmq_proto::security::curve::KeyPair;
use sansmq_proto::socket::{OptionsError, Refusal};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Connection, ConnectionError, Endpoint, Event, Instant, ListenerId, Options, PipeId, Socket};
use sansmq_tests::{bodies, events, recv_all};

/// A PULL that strangers come to, who say nothing unless the test has them speak.
struct Door {
    socket: Socket,
    listener: ListenerId,
    strangers: Vec<(PipeId, Connection)>,
    now: Instant,
}

impl Door {
    fn new(options: Options<Pull>) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        socket.monitor(true);
        let endpoint: Endpoint = "tcp://*:1".parse().unwrap();
        let listener = socket.bind(endpoint.clone());
        socket.listening(listener, endpoint);
        Self { socket, listener, strangers: Vec::new(), now: Instant::ORIGIN }
    }

    /// Whether somebody from there is let in.
    fn knock(&mut self, from: &str) -> bool {
        let accepted = self.socket.accepted(self.listener, from.parse().unwrap(), self.now);
        accepted.map(|stranger| self.strangers.push(stranger)).is_some()
    }

    /// Lets time pass, and ends the connections that the socket wants ended, which it counts.
    fn pass(&mut self, time: Duration) -> usize {
        self.now = self.now + time;
        let mut ended = 0;
        let mut rest = Vec::new();
        for (pipe, mut connection) in core::mem::take(&mut self.strangers) {
            match self.socket.exchange(pipe, &mut connection) {
                Ok(()) => rest.push((pipe, connection)),
                Err(reason) => {
                    assert_eq!(reason, ConnectionError::HandshakeEvicted);
                    self.socket.disconnected(pipe, connection, &reason, self.now);
                    ended += 1;
                }
            }
        }
        self.strangers = rest;
        ended
    }

    fn refusals(&mut self) -> Vec<Refusal> {
        let events = core::iter::from_fn(|| self.socket.poll_event());
        events
            .filter_map(|event| if let Event::Rejected { reason, .. } = event { Some(reason) } else { None })
            .collect()
    }
}

#[test]
fn handshakes_under_way_are_limited_in_all_and_the_slow_make_room() {
    let mut door = Door::new(pull().max_handshakes(3, 100).unwrap());
    assert!((1..=3).all(|host| door.knock(&format!("tcp://10.0.0.{host}:1"))));
    assert!(!door.knock("tcp://10.0.0.4:1"), "they are all new");
    assert_eq!(door.refusals(), [Refusal::Handshakes]);
    assert_eq!(door.pass(ms(1001)), 0);
    assert!(door.knock("tcp://10.0.0.4:1"), "the oldest has had its time");
    assert_eq!(door.pass(ms(0)), 1);
    assert!(door.knock("tcp://10.0.0.5:1") && door.knock("tcp://10.0.0.6:1"));
    assert!(!door.knock("tcp://10.0.0.7:1"), "all old ones have made room");
}

#[test]
fn handshakes_under_way_are_limited_for_each_address() {
    let mut door = Door::new(pull().max_handshakes(100, 2).unwrap());
    assert!(door.knock("tcp://10.0.0.1:1") && door.knock("tcp://10.0.0.1:2"));
    assert!(!door.knock("tcp://10.0.0.1:3"));
    assert_eq!(door.refusals(), [Refusal::HandshakesOfAddress]);
    assert!(door.knock("tcp://10.0.0.2:1"), "others are not concerned");
    door.pass(ms(1001));
    assert!(door.knock("tcp://10.0.0.1:3"));
    assert_eq!(door.pass(ms(0)), 1);
}

#[test]
fn handshakes_of_an_address_are_limited_in_their_rate() {
    let mut door = Door::new(pull().max_handshake_rate(4).unwrap());
    assert!((1..=4).all(|port| door.knock(&format!("tcp://10.0.0.1:{port}"))), "a second's worth at once");
    assert!(!door.knock("tcp://10.0.0.1:5"));
    assert_eq!(door.refusals(), [Refusal::HandshakeRate]);
    assert!(door.knock("tcp://10.0.0.2:1"), "others are not concerned");
    door.pass(ms(249));
    assert!(!door.knock("tcp://10.0.0.1:5"));
    door.pass(ms(1));
    assert!(door.knock("tcp://10.0.0.1:5"));
    assert!(!door.knock("tcp://10.0.0.1:6"));
    // Who keeps on trying does not make it worse for himself.
    door.pass(ms(250));
    assert!(door.knock("tcp://10.0.0.1:6"));
    door.pass(s(1000));
    assert!((1..=4).all(|port| door.knock(&format!("tcp://10.0.0.1:{port}"))), "and no more than that, for any rest");
    assert!(!door.knock("tcp://10.0.0.1:5"));
}

#[test]
fn only_handshakes_that_cost_something_are_limited_in_their_rate_unasked() {
    let mut door = Door::new(pull());
    assert!((0..1024).all(|port| door.knock(&format!("tcp://10.0.0.1:{port}"))));
    let mut door = Door::new(pull().security(Security::curve_server(KeyPair::random())));
    assert_eq!((0..1024).filter(|port| door.knock(&format!("tcp://10.0.0.1:{port}"))).count(), 1000);
}

#[test]
fn an_address_of_ipv6_is_its_first_half() {
    let mut door = Door::new(pull().max_handshakes(100, 1).unwrap());
    assert!(door.knock("tcp://[2001:db8::1]:1"));
    assert!(!door.knock("tcp://[2001:db8::ffff:2]:1"));
    assert!(door.knock("tcp://[2001:db8:0:1::1]:1"));
    assert!(door.knock("tcp://[::ffff:10.0.0.1]:1"));
    assert!(!door.knock("tcp://10.0.0.1:1"), "it is the same in other words");
    assert!(door.knock("tcp://10.0.0.2:1"));
}

#[test]
fn a_handshake_that_is_done_or_over_does_not_count() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull().max_handshakes(1, 1).unwrap());
    for _ in 0..5 {
        connected(&mut net, push());
        net.settle();
    }
    assert_eq!(net[pull].ready_peers(), 5);

    let mut door = Door::new(Options::new().max_handshakes(1, 1).unwrap());
    for _ in 0..5 {
        assert!(door.knock("tcp://10.0.0.1:1"));
        let (pipe, connection) = door.strangers.pop().unwrap();
        door.socket.disconnected(pipe, connection, &ConnectionError::Eof, door.now);
    }
}

#[test]
fn peers_are_limited_and_one_that_goes_makes_room() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull().max_peers(2).unwrap());
    let pushes = [(); 3].map(|()| {
        let push = connected(&mut net, push());
        net.settle();
        push
    });
    assert_eq!(net[pull].ready_peers(), 2);
    let turned_away = |event: &Event| matches!(event, Event::Rejected { reason: Refusal::Peers, .. });
    assert!(events(&mut net, pull).iter().any(turned_away));
    net[pushes[2]].send("at last").unwrap();
    net[pushes[0]].send("unread").unwrap();
    net.settle();
    close(&mut net, pushes[0]);
    net.pass(s(20));
    assert_eq!(net[pull].ready_peers(), 1, "what one peer left unread is counted still");
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["unread"]);
    net.pass(s(20));
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["at last"]);
}

#[test]
fn a_limit_of_nobody_is_refused() {
    assert_eq!(pull().max_peers(0).unwrap_err(), OptionsError::Zero("max_peers"));
    assert_eq!(pull().max_handshakes(0, 1).unwrap_err(), OptionsError::Zero("max_handshakes"));
    assert_eq!(pull().max_handshakes(1, 0).unwrap_err(), OptionsError::Zero("max_handshakes"));
    assert_eq!(pull().max_handshake_rate(0).unwrap_err(), OptionsError::Zero("max_handshake_rate"));
}

/// Peers that only this socket went to do not stand in the way of those that come.
#[test]
fn what_we_dial_is_not_limited() {
    let mut net = Net::seeded(1);
    let places: [NodeId; 3] = core::array::from_fn(|port| {
        let push = net.socket(push());
        net.bind(push, &format!("tcp://place:{}", port + 2));
        push
    });
    let pull = net.socket(pull().max_peers(1).unwrap());
    for port in 2..5 {
        net.connect(pull, &format!("tcp://place:{port}"));
    }
    net.settle();
    assert_eq!(net[pull].ready_peers(), places.len());
}
