//! REQ.

use super::{PLACE, fan, message, net, star};
use sansmq_proto::kind::{Rep, Req, Router};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Action, Message, Options, RecvError, SendError};
use sansmq_tests::{dropped, endings, events, recv_all};

fn req() -> Options<Req> {
    Options::new()
}

/// A request as a ROUTER sees it: whom to reply to, and how.
fn request(net: &mut Net, router: NodeId) -> Message {
    net.settle();
    net[router].recv().expect("a request has come")
}

/// The same envelope around another body.
fn reply(net: &mut Net, router: NodeId, to: &Message, body: &str) {
    let mut frames = to.clone().into_frames();
    *frames.last_mut().unwrap() = body.into();
    net[router].send(Message::from_frames(frames).unwrap()).unwrap();
    net.settle();
}

#[test]
fn a_req_sends_and_receives_in_turn() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    net[req].send("q").unwrap();
    let Err(SendError::OutOfTurn(given_back)) = net[req].send("again") else {
        panic!("a second request must wait");
    };
    assert_eq!(given_back, message(["again"]));
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    net.settle();
    assert_eq!(net[rep].recv().unwrap(), message(["q"]));
    net[rep].send(["a", "b"]).unwrap();
    net.settle();
    assert_eq!(net[req].recv().unwrap(), message(["a", "b"]));
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    net[req].send("next").unwrap();
}

#[test]
fn whoever_waits_for_a_reqs_turn_to_send_is_told_when_another_one_takes_the_reply() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    net.settle();
    net[rep].recv().unwrap();
    net[rep].send("a").unwrap();
    net.settle();
    net[req].recv().unwrap();
    assert!(net[req].can_send());
    assert!(core::iter::from_fn(|| net[req].poll_action()).any(|action| action == Action::Writable));
}

#[test]
fn a_req_without_peers_gives_the_request_back_unchanged() {
    let mut net = net();
    let req = net.socket(req());
    let Err(SendError::Full(given_back)) = net[req].send("q") else {
        panic!("there is nobody to ask");
    };
    assert_eq!(given_back, message(["q"]));
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
}

#[test]
fn requests_go_to_the_peers_in_turn() {
    let mut net = net();
    let (req, reps) = fan(&mut net, req(), [Options::<Rep>::new(), Options::new(), Options::new()]);
    for rep in reps.into_iter().cycle().take(9) {
        net[req].send("q").unwrap();
        net.settle();
        assert_eq!(net[rep].recv().unwrap(), message(["q"]));
        net[rep].send("a").unwrap();
        net.settle();
        net[req].recv().unwrap();
    }
}

#[test]
fn on_the_wire_a_request_is_a_delimiter_and_the_body() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
    net[req].send(["q", "more"]).unwrap();
    assert_eq!(request(&mut net, router), message(["me", "", "q", "more"]));
}

#[test]
fn a_relaxed_req_that_correlates_ignores_late_replies() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().relaxed(true).correlate(true), [Options::<Router>::new()]);
    net[req].send("q1").unwrap();
    let first = request(&mut net, router);
    net[req].send("q2").unwrap();
    let second = request(&mut net, router);
    assert_eq!((first.len(), first.get(1).unwrap().len()), (4, 4), "[id, request id, delimiter, body]");
    assert_ne!(first.get(1), second.get(1));

    reply(&mut net, router, &first, "late");
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    reply(&mut net, router, &second, "a2");
    reply(&mut net, router, &second, "twice");
    assert_eq!(net[req].recv().unwrap(), message(["a2"]));
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    assert_eq!(dropped(&events(&mut net, req), DropReason::UnexpectedReply), 2);
}

#[test]
fn a_relaxed_req_gives_an_unread_reply_up() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().relaxed(true).correlate(true), [Options::<Router>::new()]);
    net[req].send("q1").unwrap();
    let first = request(&mut net, router);
    reply(&mut net, router, &first, "unread");
    net[req].send("q2").unwrap();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    let second = request(&mut net, router);
    reply(&mut net, router, &second, "a2");
    assert_eq!(net[req].recv().unwrap(), message(["a2"]));
}

#[test]
fn a_relaxed_req_that_does_not_correlate_takes_what_the_asked_peer_says_first() {
    let mut net = net();
    let (req, [left, right]) = fan(&mut net, req().relaxed(true), [Options::<Router>::new(), Options::new()]);
    net[req].send("q1").unwrap();
    let first = request(&mut net, left);
    net[req].send("q2").unwrap();
    let second = request(&mut net, right);
    reply(&mut net, left, &first, "from the peer given up");
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    reply(&mut net, right, &second, "a2");
    assert_eq!(net[req].recv().unwrap(), message(["a2"]));
}

#[test]
fn a_relaxed_req_keeps_the_peers_that_it_gave_up_and_comes_back_to_them() {
    let mut net = net();
    let options = req().relaxed(true).correlate(true);
    let (req, [left, right]) = fan(&mut net, options, [Options::<Router>::new(), Options::new()]);
    for (question, router) in [("q1", left), ("q2", right), ("q3", left)] {
        net[req].send(question).unwrap();
        let asked = request(&mut net, router);
        assert_eq!(asked.body(), question);
        if question == "q3" {
            reply(&mut net, left, &asked, "a3");
        }
    }
    assert_eq!(net[req].recv().unwrap(), message(["a3"]));
    assert_eq!(net.connections(req), 2);
}

#[test]
fn a_relaxed_req_that_asked_many_times_before_anybody_was_bound_is_answered_the_last_time() {
    let mut net = net();
    let req = net.socket(req().relaxed(true).correlate(true));
    net.connect(req, PLACE);
    for number in 0..100 {
        net[req].send(format!("{number}")).unwrap();
    }
    let rep = net.socket(Options::<Rep>::new());
    net.bind(rep, PLACE);
    net.pass(core::time::Duration::from_secs(20));
    while let Ok(request) = net[rep].recv() {
        net[rep].send(request).unwrap();
        net.settle();
    }
    assert_eq!(net[req].recv().unwrap(), message(["99"]));
}

#[test]
fn a_reply_with_a_wrong_id_or_none_is_ignored_and_the_connection_kept() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().correlate(true), [Options::<Router>::new()]);
    net[req].send("q").unwrap();
    let asked = request(&mut net, router);
    let id = asked.head().clone();
    net[router].send((id.clone(), "1234", "", "wrong id")).unwrap();
    net[router].send((id.clone(), "", "no id")).unwrap();
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    reply(&mut net, router, &asked, "right");
    assert_eq!(net[req].recv().unwrap(), message(["right"]));
    assert_eq!(dropped(&events(&mut net, req), DropReason::UnexpectedReply), 2);
    assert_eq!(net.connections(req), 1);
}

#[test]
fn a_reply_nobody_asked_for_is_ignored() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
    net[router].send(["me", "", "unasked"]).unwrap();
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    net[req].send("q").unwrap();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    let asked = request(&mut net, router);
    reply(&mut net, router, &asked, "a");
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn a_reply_without_delimiter_or_body_ends_the_connection_for_good() {
    for wrong in
        [message(["me", "a"]), message(["me", ""]), message(["me", "12345", "", "a"]), message(["me", "1234", ""])]
    {
        let mut net = net();
        let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
        net[req].send("q").unwrap();
        request(&mut net, router);
        net[router].send(wrong).unwrap();
        net.settle();
        assert_eq!(net[req].recv(), Err(RecvError::PeerLost));
        assert_eq!(endings(&events(&mut net, req)), ["the peer's reply has no empty delimiter before its body"]);
        net.pass(core::time::Duration::from_mins(1));
        assert_eq!((net.connections(req), net[req].peers()), (0, 0));
    }
}

#[test]
fn a_request_that_left_is_lost_with_its_peer_and_another_may_follow() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    for recv_first in [true, false] {
        net[req].send("q").unwrap();
        net.settle();
        net.cut(rep);
        net.settle();
        if recv_first {
            assert_eq!(net[req].recv(), Err(RecvError::PeerLost));
            assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
        }
        net[req].send("q again").expect("the turn is free");
        assert_eq!(net[req].recv(), Err(RecvError::Empty));
        net.pass(core::time::Duration::from_secs(1));
        let asked = recv_and_answer(&mut net, rep);
        assert_eq!(asked.last(), Some(&message(["q again"])));
        assert_eq!(net[req].recv().unwrap(), message(["a"]));
    }
}

fn recv_and_answer(net: &mut Net, rep: NodeId) -> Vec<Message> {
    let mut asked = Vec::new();
    net.settle();
    while let Ok(message) = net[rep].recv() {
        asked.push(message);
        net[rep].send("a").unwrap();
    }
    net.settle();
    asked
}

#[test]
fn the_loss_of_another_peer_is_no_loss() {
    let mut net = net();
    let (req, [asked, other]) = fan(&mut net, req(), [Options::<Rep>::new(), Options::new()]);
    net[req].send("q").unwrap();
    net.settle();
    net.cut(other);
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    recv_and_answer(&mut net, asked);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn a_request_that_had_not_left_is_kept() {
    let mut net = net();
    let req = net.socket(req());
    net.connect(req, "tcp://place:1");
    net[req].send("q").unwrap();
    net.pass(core::time::Duration::from_secs(20));
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    let rep = net.socket(Options::<Rep>::new());
    net.bind(rep, "tcp://place:1");
    net.pass(core::time::Duration::from_secs(5));
    assert_eq!(recv_and_answer(&mut net, rep), [message(["q"])]);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn a_request_is_lost_when_its_pipe_is_disconnected() {
    let mut net = net();
    let (req, [_]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    let now = net.now();
    net[req].disconnect(&"tcp://place:1".parse().unwrap(), now).unwrap();
    assert_eq!(net[req].recv(), Err(RecvError::PeerLost));
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
}

#[test]
fn a_bound_req_serves_as_well() {
    let mut net = net();
    let (req, [rep]) = star(&mut net, req(), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    recv_and_answer(&mut net, rep);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
    assert!(recv_all(&mut net, rep).is_empty());
}

#[test]
fn a_request_that_its_connection_had_not_begun_to_send_is_kept() {
    let mut net = Net::seeded(1).capacity(100);
    let (req, [router]) = fan(&mut net, req().relaxed(true).correlate(true), [Options::<Router>::new()]);
    net.freeze(router);
    for _ in 0..2 {
        net[req].send(vec![7; 100_000]).unwrap();
        net.settle();
    }
    net.cut(req);
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty), "the second request is not lost");
    net.thaw(router);
    net.pass(core::time::Duration::from_secs(1));
    let asked = request(&mut net, router);
    reply(&mut net, router, &asked, "a");
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}
