//! PUSH and PULL, DEALER, PAIR.

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
fn a_push_sends_to_its_peers_in_turn() {
    let mut net = net();
    let (push, pulls) = fan(&mut net, push(), [pull(), pull(), pull()]);
    sends_in_turn(&mut net, push, pulls);
}

#[test]
fn a_dealer_sends_to_its_peers_in_turn() {
    let mut net = net();
    let (dealer, dealers) = star(&mut net, Options::<Dealer>::new(), [(); 3].map(|()| Options::<Dealer>::new()));
    sends_in_turn(&mut net, dealer, dealers);
}

pub(super) fn sends_in_turn(net: &mut Net, one: NodeId, others: [NodeId; 3]) {
    for number in 0..9 {
        net[one].send(format!("{number}")).unwrap();
    }
    let got = others.map(|other| bodies(&recv_all(net, other)));
    assert_eq!(got, [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]);
}

#[test]
fn a_pull_receives_from_its_peers_in_turn() {
    let mut net = net();
    let (pull, pushes) = star(&mut net, pull(), [push(), push(), push()]);
    receives_in_turn(&mut net, pull, pushes);
}

#[test]
fn a_dealer_receives_from_its_peers_in_turn() {
    let mut net = net();
    let (dealer, dealers) = fan(&mut net, Options::<Dealer>::new(), [(); 3].map(|()| Options::<Dealer>::new()));
    receives_in_turn(&mut net, dealer, dealers);
}

pub(super) fn receives_in_turn(net: &mut Net, one: NodeId, others: [NodeId; 3]) {
    for (other, name) in others.into_iter().zip(["a", "b", "c"]) {
        for number in 0..3 {
            net[other].send(format!("{name}{number}")).unwrap();
        }
        net.settle();
    }
    assert_eq!(bodies(&recv_all(net, one)), ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]);
}

#[test]
fn a_message_whose_connection_breaks_in_its_middle_is_not_received_in_part() {
    let mut total = 0;
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=50).latency(Duration::ZERO..=Duration::from_millis(9));
        let (pull, [push]) = star(&mut net, pull(), [push()]);
        for number in 0..10 {
            net[push].send([vec![number], vec![0; 300], b"end".to_vec()]).unwrap();
            net.pass(Duration::from_millis(3));
        }
        net.cut(push);
        net.pass(Duration::from_secs(20));
        let received = recv_all(&mut net, pull);
        assert!(received.iter().all(|message| message.len() == 3 && message.body() == "end"));
        assert!(received.is_sorted_by_key(|message| message.head()[0]));
        total += received.len();
    });
    assert!((1..200).contains(&total), "{total} came: connections break in the middle");
}

#[test]
fn a_quiet_peer_is_heard_at_once_beside_a_busy_one() {
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
        let got = [net[pull].recv().unwrap(), net[pull].recv().unwrap()];
        assert!(bodies(&got).contains(&"quiet".to_owned()));
    }
}

#[test]
fn without_peers_there_is_nothing_to_send_to_and_nothing_is_discarded() {
    let mut net = net();
    let push = net.socket(push());
    let dealer = net.socket(Options::<Dealer>::new());
    let pair = net.socket(pair());
    for node in [push, dealer, pair] {
        let Err(SendError::Full(given_back)) = net[node].send(["a", "b"]) else {
            panic!("it has no peer");
        };
        assert_eq!(given_back, message(["a", "b"]));
    }
}

#[test]
fn what_a_type_cannot_do_is_an_error_for_those_who_know_it_at_run_time_only() {
    let mut net = net();
    let push = net.socket(push());
    let pull = net.socket(pull());
    assert_eq!(net[push].recv(), Err(RecvError::Unsupported(SocketType::Push)));
    assert!(matches!(net[pull].send("x"), Err(SendError::Unsupported(_, SocketType::Pull))));
}

#[test]
fn a_dealer_adds_and_removes_no_frame() {
    let mut net = net();
    let (left, [right]) = star(&mut net, Options::<Dealer>::new(), [Options::<Dealer>::new()]);
    for message in [message(["", "a"]), message(["a", "", "b"]), message([""]), message(["", "", ""])] {
        net[left].send(message.clone()).unwrap();
        assert_eq!(recv_all(&mut net, right), [message]);
    }
}

#[test]
fn a_pair_speaks_both_ways() {
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
fn a_second_peer_of_a_pair_is_refused_unheard_and_comes_in_when_the_first_has_left() {
    // A slow READY arrives in one piece with the message behind it.
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (bound, [first]) = star(&mut net, pair(), [pair().no_reconnect()]);
        let second = net.socket(pair());
        net.connect(second, PLACE);
        net[second].send("intruding").unwrap();
        net.settle();
        assert_eq!(net[bound].recv(), Err(RecvError::Empty));
        assert_eq!(
            endings(&events(&mut net, bound)),
            ["a PAIR or CHANNEL socket speaks with one peer, and has it already"]
        );
        assert_eq!(net.connections(bound), 1);
        net[first].send("still here").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, bound)), ["still here"]);

        net.cut(first);
        net.pass(Duration::from_secs(10));
        net[second].send("my turn").unwrap();
        net[bound].send("welcome").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, bound)).last().map(String::as_str), Some("my turn"));
        assert_eq!(bodies(&recv_all(&mut net, second)), ["welcome"]);
    });
}

#[test]
fn a_pair_connects_once() {
    let mut net = net();
    let (bound, [other]) = star(&mut net, pair(), [pair()]);
    let now = net.now();
    for node in [bound, other] {
        assert_eq!(net[node].connect("tcp://else:1".parse().unwrap(), now), Err(ConnectError::PairInUse));
    }
    net[other].disconnect(&PLACE.parse().unwrap(), now).unwrap();
    net.settle();
    assert!(net[other].connect("tcp://else:1".parse().unwrap(), now).is_ok());
}

#[test]
fn what_a_former_peer_of_a_pair_said_stays_readable() {
    let mut net = net();
    let (bound, [first]) = star(&mut net, pair(), [pair().no_reconnect()]);
    net[first].send("first").unwrap();
    net.settle();
    net.cut(first);
    net.settle();
    let second = net.socket(pair());
    net.connect(second, PLACE);
    net[second].send("second").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, bound)), ["first", "second"]);
}

#[test]
fn work_is_spread_with_nothing_lost_nothing_twice_and_order_kept_per_pair_of_peers() {
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
        let (mut sent, mut got) = ([0; 3], Vec::new());
        while sent != [100; 3] {
            for (number, push) in pushes.into_iter().enumerate() {
                while sent[number] < 100 && net[push].send(format!("{number} {:03}", sent[number])).is_ok() {
                    sent[number] += 1;
                }
            }
            net.pass(Duration::from_millis(5));
            for (place, pull) in pulls.into_iter().enumerate() {
                got.extend(net[pull].recv().map(|message| (place, message.body().to_text().into_owned())));
            }
        }
        for (place, pull) in pulls.into_iter().enumerate() {
            got.extend(bodies(&recv_all(&mut net, pull)).into_iter().map(|body| (place, body)));
        }
        for place in 0..3 {
            for from in ["0 ", "1 ", "2 "] {
                let of_pair = got.iter().filter(|(at, body)| *at == place && body.starts_with(from));
                assert!(of_pair.is_sorted(), "order is kept");
            }
        }
        let mut all: Vec<_> = got.into_iter().map(|(_, body)| body).collect();
        all.sort_unstable();
        let expected: Vec<_> = (0..300).map(|number| format!("{} {:03}", number / 100, number % 100)).collect();
        assert_eq!(all, expected);
    });
}
