//! Tests of the behaviour of REP sockets.

use super::{PLACE, message, net, star};
use sansmq_proto::kind::{Dealer, Rep, Req, Router};
use sansmq_proto::socket::DropReason;
use sansmq_proto::{Action, Message, Options, RecvError, SendError, Socket};
use sansmq_tests::{bodies, dropped, events, recv_all};

fn dealer() -> Options<Dealer> {
    Options::new()
}

#[test]
fn rep_alternates_recv_and_send() {
    let mut net = net();
    let (rep, [dealer]) = star(&mut net, Options::<Rep>::new(), [dealer()]);
    assert!(matches!(net[rep].send("a"), Err(SendError::OutOfTurn(_))));
    assert_eq!(net[rep].recv(), Err(RecvError::Empty));
    net[dealer].send(["", "q1"]).unwrap();
    net[dealer].send(["", "q2"]).unwrap();
    net.settle();
    assert_eq!(net[rep].recv().unwrap(), message(["q1"]));
    assert_eq!(net[rep].recv(), Err(RecvError::OutOfTurn));
    net[rep].send("a1").unwrap();
    assert!(matches!(net[rep].send("a"), Err(SendError::OutOfTurn(_))));
    assert_eq!(net[rep].recv().unwrap(), message(["q2"]));
}

#[test]
fn rep_emits_readiness_when_its_turn_changes() {
    let mut net = net();
    let (rep, [dealer]) = star(&mut net, Options::<Rep>::new(), [dealer()]);
    for request in ["q1", "q2"] {
        net[dealer].send(["", request]).unwrap();
    }
    net.settle();
    let emits = |rep: &mut Socket, expected| core::iter::from_fn(|| rep.poll_action()).any(|action| action == expected);
    net[rep].recv().unwrap();
    assert!(net[rep].can_send() && emits(&mut net[rep], Action::Writable));
    net[rep].send("a1").unwrap();
    assert!(net[rep].can_recv() && emits(&mut net[rep], Action::Readable));
}

#[test]
fn rep_reply_has_the_envelope_of_its_request() {
    let mut net = net();
    let (rep, [dealer]) = star(&mut net, Options::<Rep>::new(), [dealer()]);
    for hops in [&[][..], &["hop1"], &["hop3", "hop2", "hop1"]] {
        let envelope = hops.iter().copied().chain([""]);
        net[dealer].send(Message::from_frames(envelope.clone().chain(["q", "", "more"])).unwrap()).unwrap();
        net.settle();
        assert_eq!(net[rep].recv().unwrap(), message(["q", "", "more"]));
        net[rep].send(["a", "b"]).unwrap();
        net.settle();
        let expected = Message::from_frames(envelope.chain(["a", "b"])).unwrap();
        assert_eq!(net[dealer].recv().unwrap(), expected);
    }
}

#[test]
fn rep_receives_fair_queued() {
    let mut net = net();
    let (rep, dealers) = star(&mut net, Options::<Rep>::new(), [dealer(), dealer(), dealer()]);
    for (dealer, name) in dealers.into_iter().zip(["a", "b", "c"]) {
        for number in 0..2 {
            net[dealer].send(("", format!("{name}{number}"))).unwrap();
        }
        net.settle();
    }
    let mut served = Vec::new();
    while let Ok(request) = net[rep].recv() {
        served.push(request.body().to_text().into_owned());
        net[rep].send("done").unwrap();
    }
    assert_eq!(served, ["a0", "b0", "c0", "a1", "b1", "c1"]);
}

#[test]
fn rep_drops_a_request_without_delimiter_or_body() {
    let mut net = net();
    let (rep, [dealer]) = star(&mut net, Options::<Rep>::new(), [dealer()]);
    for wrong in [message(["q"]), message(["a", "b"]), message([""]), message(["a", ""])] {
        net[dealer].send(wrong).unwrap();
    }
    net[dealer].send(["", "right"]).unwrap();
    net.settle();
    assert_eq!(net[rep].recv().unwrap(), message(["right"]));
    assert_eq!(dropped(&events(&mut net, rep), DropReason::MissingDelimiter), 4);
    assert_eq!(net.connections(rep), 1);
}

#[test]
fn rep_drops_a_reply_to_a_lost_requester() {
    let mut net = net();
    let (rep, [gone, other]) = star(&mut net, Options::<Rep>::new(), [dealer().no_reconnect(), dealer()]);
    net[gone].send(["", "q"]).unwrap();
    net.settle();
    net[rep].recv().unwrap();
    net.reset_connections(gone);
    net[other].send(["", "q2"]).unwrap();
    net.settle();
    net[rep].send("a").expect("a reply to a lost requester is no error");
    assert_eq!(dropped(&events(&mut net, rep), DropReason::PeerGone), 1);
    assert_eq!(net[rep].recv().unwrap(), message(["q2"]));
    net[rep].send("a2").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, other)), ["a2"]);
    assert_eq!(net[rep].peers(), 1);
}

#[test]
fn rep_receives_requests_of_a_lost_requester() {
    let mut net = net();
    let (rep, [gone]) = star(&mut net, Options::<Rep>::new(), [dealer().no_reconnect()]);
    for body in ["q1", "q2"] {
        net[gone].send(["", body]).unwrap();
    }
    net.settle();
    net.reset_connections(gone);
    net.settle();
    for body in ["q1", "q2"] {
        assert_eq!(net[rep].recv().unwrap(), message([body]));
        net[rep].send("a").unwrap();
    }
    assert_eq!(dropped(&events(&mut net, rep), DropReason::PeerGone), 2);
    assert_eq!(net[rep].peers(), 0);
}

#[test]
fn rep_is_not_blocked_by_a_slow_requester() {
    let mut net = net().capacity(1000).chunks(1..=500);
    let slow = dealer().recv_hwm(1);
    let (rep, [slow, other]) = star(&mut net, Options::<Rep>::new().send_hwm(2), [slow, dealer()]);
    let mut drops = 0;
    for round in 0..300 {
        net[slow].send(["", "q"]).unwrap();
        if round % 10 == 0 {
            net[other].send(["", "q"]).unwrap();
        }
        net.settle();
        while net[rep].recv().is_ok() {
            net[rep].send(vec![7; 2000]).expect("a REP never blocks");
        }
        net.settle();
        drops += dropped(&events(&mut net, rep), DropReason::PeerFull);
    }
    assert!(drops > 100, "replies to the slow requester are dropped");
    assert_eq!(recv_all(&mut net, other).len(), 30);
}

#[test]
fn broker_distributes_requests_evenly() {
    let mut net = net();
    let (front, clients) = star(&mut net, Options::<Router>::new(), [(); 5].map(|()| Options::<Req>::new()));
    let back = net.socket(dealer());
    net.bind(back, "tcp://back:1");
    let workers = [(); 3].map(|()| {
        let worker = net.socket(Options::<Rep>::new());
        net.connect(worker, "tcp://back:1");
        net.settle();
        worker
    });
    let mut served = [0; 3];
    for round in 0..30 {
        for (number, client) in clients.into_iter().enumerate() {
            net[client].send(format!("{round} of {number}")).unwrap();
        }
        for request in recv_all(&mut net, front) {
            net[back].send(request).unwrap();
        }
        net.settle();
        for (worker, count) in workers.into_iter().zip(&mut served) {
            while let Ok(request) = net[worker].recv() {
                net[worker].send(format!("done: {}", request.body().to_text())).unwrap();
                *count += 1;
            }
        }
        for reply in recv_all(&mut net, back) {
            net[front].send(reply).unwrap();
        }
        net.settle();
        for (number, client) in clients.into_iter().enumerate() {
            assert_eq!(net[client].recv().unwrap(), Message::from(format!("done: {round} of {number}")));
        }
    }
    assert_eq!(served, [50; 3], "requests are distributed evenly");
}

#[test]
fn connecting_rep_serves_a_bound_req() {
    let mut net = net();
    let req = net.socket(Options::<Req>::new());
    net.bind(req, PLACE);
    let rep = net.socket(Options::<Rep>::new());
    net.connect(rep, PLACE);
    net.settle();
    net[req].send("q").unwrap();
    net.settle();
    assert_eq!(net[rep].recv().unwrap(), message(["q"]));
    net[rep].send("a").unwrap();
    net.settle();
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}
