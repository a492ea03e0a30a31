//! Tests of the behaviour of PUSH, PULL, DEALER and PAIR sockets.

use super::{PLACE, fan, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Pair, Pull, Push};
use sansmq_proto::socket::ConnectError;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, RecvError, SendError, SocketType};
use sansmq_tests::{bodies, endings, events, for_seeds, recv_all};

fn push() -> Options<Push> {
    Options::new()
}

fn pull() -> Options<Pull> {
    Options::new()
}

fn pair() -> Options<Pair> {
    Options::new()
}

#[test]
fn push_sends_round_robin() {
    let mut net = net();
    let (push, pulls) = fan(&mut net, push(), [pull(), pull(), pull()]);
    assert_round_robin(&mut net, push, pulls);
}

#[test]
fn dealer_sends_round_robin() {
    let mut net = net();
    let (dealer, dealers) = star(&mut net, Options::<Dealer>::new(), [(); 3].map(|()| Options::<Dealer>::new()));
    assert_round_robin(&mut net, dealer, dealers);
}

/// Sends nine messages from the socket `one`. Asserts that its peers, the sockets `others`, receive them round-robin.
pub(super) fn assert_round_robin(net: &mut Net, one: NodeId, others: [NodeId; 3]) {
    for number in 0..9 {
        net[one].send(format!("{number}")).unwrap();
    }
    let received = others.map(|other| bodies(&recv_all(net, other)));
    assert_eq!(received, [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]);
}

#[test]
fn pull_receives_fair_queued() {
    let mut net = net();
    let (pull, pushes) = star(&mut net, pull(), [push(), push(), push()]);
    assert_fair_queued(&mut net, pull, pushes);
}

#[test]
fn dealer_receives_fair_queued() {
    let mut net = net();
    let (dealer, dealers) = fan(&mut net, Options::<Dealer>::new(), [(); 3].map(|()| Options::<Dealer>::new()));
    assert_fair_queued(&mut net, dealer, dealers);
}

/// Sends three messages from each of the sockets `others`. Asserts that the socket `one` receives them fair-queued: one
/// message from each peer, then the next from each peer.
pub(super) fn assert_fair_queued(net: &mut Net, one: NodeId, others: [NodeId; 3]) {
    for (other, name) in others.into_iter().zip(["a", "b", "c"]) {
        for number in 0..3 {
            net[other].send(format!("{name}{number}")).unwrap();
        }
        net.settle();
    }
    assert_eq!(bodies(&recv_all(net, one)), ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]);
}

#[test]
fn interrupted_message_is_not_received_in_part() {
    let mut total = 0;
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=50).latency(Duration::ZERO..=Duration::from_millis(9));
        let (pull, [push]) = star(&mut net, pull(), [push()]);
        for number in 0..10 {
            net[push].send([vec![number], vec![0; 300], b"end".to_vec()]).unwrap();
            net.advance(Duration::from_millis(3));
        }
        net.reset_connections(push);
        net.advance(Duration::from_secs(20));
        let received = recv_all(&mut net, pull);
        assert!(received.iter().all(|message| message.len() == 3 && message.body() == "end"));
        assert!(received.is_sorted_by_key(|message| message.head()[0]));
        total += received.len();
    });
    assert!((1..200).contains(&total), "{total} messages received; connections must be cut while messages are sent");
}

#[test]
fn quiet_peer_is_not_starved_by_a_busy_peer() {
    let mut net = Net::seeded(3);
    let (pull, [busy, quiet]) = star(&mut net, pull(), [push(), push()]);
    for _ in 0..900 {
        net[busy].send("busy").unwrap();
    }
    net.settle();
    for _ in 0..50 {
        net[busy].send("busy").unwrap();
        net[quiet].send("quiet").unwrap();
        net.settle();
        let received = [net[pull].recv().unwrap(), net[pull].recv().unwrap()];
        assert!(bodies(&received).contains(&"quiet".to_owned()));
    }
}

#[test]
fn send_without_peers_returns_the_message() {
    let mut net = net();
    let push = net.socket(push());
    let dealer = net.socket(Options::<Dealer>::new());
    let pair = net.socket(pair());
    for node in [push, dealer, pair] {
        let Err(SendError::Full(returned)) = net[node].send(["a", "b"]) else {
            panic!("a send without a peer must fail");
        };
        assert_eq!(returned, message(["a", "b"]));
    }
}

#[test]
fn unsupported_operation_of_untyped_socket_is_an_error() {
    let mut net = net();
    let push = net.socket(push());
    let pull = net.socket(pull());
    assert_eq!(net[push].recv(), Err(RecvError::Unsupported(SocketType::Push)));
    assert!(matches!(net[pull].send("x"), Err(SendError::Unsupported(_, SocketType::Pull))));
}

#[test]
fn dealer_does_not_change_frames() {
    let mut net = net();
    let (left, [right]) = star(&mut net, Options::<Dealer>::new(), [Options::<Dealer>::new()]);
    for message in [message(["", "a"]), message(["a", "", "b"]), message([""]), message(["", "", ""])] {
        net[left].send(message.clone()).unwrap();
        assert_eq!(recv_all(&mut net, right), [message]);
    }
}

#[test]
fn pair_sends_in_both_directions() {
    let mut net = net();
    let (left, [right]) = star(&mut net, pair(), [pair()]);
    for number in 0..100 {
        net[left].send(format!("{number}")).unwrap();
        net[right].send(format!("{number}")).unwrap();
    }
    for node in [left, right] {
        let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&recv_all(&mut net, node)), expected);
    }
}

#[test]
fn pair_accepts_a_second_peer_after_the_first_left() {
    // A delayed READY arrives in one read with the message that follows it.
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (bound, [first]) = star(&mut net, pair(), [pair().no_reconnect()]);
        let second = net.socket(pair());
        net.connect(second, PLACE);
        net[second].send("dropped").unwrap();
        net.settle();
        assert_eq!(net[bound].recv(), Err(RecvError::Empty));
        assert_eq!(
            endings(&events(&mut net, bound)),
            ["a PAIR or CHANNEL socket accepts one peer only, and already has a peer"]
        );
        assert_eq!(net.connections(bound), 1);
        net[first].send("still here").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, bound)), ["still here"]);

        net.reset_connections(first);
        net.advance(Duration::from_secs(10));
        net[second].send("accepted").unwrap();
        net[bound].send("welcome").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, bound)).last().map(String::as_str), Some("accepted"));
        assert_eq!(bodies(&recv_all(&mut net, second)), ["welcome"]);
    });
}

#[test]
fn pair_rejects_a_second_connect() {
    let mut net = net();
    let (bound, [other]) = star(&mut net, pair(), [pair()]);
    let now = net.now();
    for node in [bound, other] {
        assert_eq!(net[node].connect("tcp://other:1".parse().unwrap(), now), Err(ConnectError::PairInUse));
    }
    net[other].disconnect(&PLACE.parse().unwrap(), now).unwrap();
    net.settle();
    assert!(net[other].connect("tcp://other:1".parse().unwrap(), now).is_ok());
}

#[test]
fn pair_keeps_messages_of_a_former_peer() {
    let mut net = net();
    let (bound, [first]) = star(&mut net, pair(), [pair().no_reconnect()]);
    net[first].send("first").unwrap();
    net.settle();
    net.reset_connections(first);
    net.settle();
    let second = net.socket(pair());
    net.connect(second, PLACE);
    net[second].send("second").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, bound)), ["first", "second"]);
}

#[test]
fn push_pull_keeps_order_without_loss_or_duplicates() {
    for_seeds(40, |seed| {
        let latency = Duration::ZERO..=Duration::from_millis(20);
        let mut net = Net::seeded(seed).chunks(1..=40).capacity(200).latency(latency);
        let pulls: [_; 3] = core::array::from_fn(|number| {
            let pull = net.socket(pull().recv_hwm(number + 1));
            net.bind(pull, &format!("tcp://pull:{}", number + 1));
            pull
        });
        let pushes: [_; 3] = core::array::from_fn(|number| {
            let push = net.socket(push().send_hwm(3 * number + 1));
            for port in 1..=3 {
                net.connect(push, &format!("tcp://pull:{port}"));
            }
            push
        });
        let (mut sent, mut received) = ([0; 3], Vec::new());
        while sent != [100; 3] {
            for (number, push) in pushes.into_iter().enumerate() {
                while sent[number] < 100 && net[push].send(format!("{number} {:03}", sent[number])).is_ok() {
                    sent[number] += 1;
                }
            }
            net.advance(Duration::from_millis(5));
            for (index, pull) in pulls.into_iter().enumerate() {
                received.extend(net[pull].recv().map(|message| (index, message.body().to_text().into_owned())));
            }
        }
        for (index, pull) in pulls.into_iter().enumerate() {
            received.extend(bodies(&recv_all(&mut net, pull)).into_iter().map(|body| (index, body)));
        }
        for index in 0..3 {
            for sender in ["0 ", "1 ", "2 "] {
                let of_pair = received.iter().filter(|(receiver, body)| *receiver == index && body.starts_with(sender));
                assert!(of_pair.is_sorted(), "messages are out of order");
            }
        }
        let mut all: Vec<_> = received.into_iter().map(|(_, body)| body).collect();
        all.sort_unstable();
        let expected: Vec<_> = (0..300).map(|number| format!("{} {:03}", number / 100, number % 100)).collect();
        assert_eq!(all, expected);
    });
}
