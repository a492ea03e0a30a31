//! Tests of the behaviour of REQ sockets.

use super::{PLACE, fan, message, net, star};
use sansmq_proto::kind::{Dealer, Pull, Rep, Req, Router};
use sansmq_proto::socket::{DropReason, Unsent};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Action, Frame, Message, Options, RecvError, SendError, SocketType};
use sansmq_tests::{dropped, endings, events, recv_all};

fn req() -> Options<Req> {
    Options::new()
}

/// Receives a request of a REQ at a ROUTER. Returns the request with its envelope.
fn request(net: &mut Net, router: NodeId) -> Message {
    net.settle();
    net[router].recv().expect("a request has arrived")
}

/// Sends a reply from a ROUTER to the REQ that has sent the request `to`. The reply consists of the envelope of this
/// request and `body`.
fn reply(net: &mut Net, router: NodeId, to: &Message, body: &str) {
    let mut frames = to.clone().into_frames();
    *frames.last_mut().unwrap() = body.into();
    net[router].send(Message::from_frames(frames).unwrap()).unwrap();
    net.settle();
}

#[test]
fn req_alternates_send_and_recv() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    net[req].send("q").unwrap();
    let Err(SendError::OutOfTurn(returned)) = net[req].send("again") else {
        panic!("a second request before the reply must fail");
    };
    assert_eq!(returned, message(["again"]));
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
fn req_emits_writable_when_the_reply_is_received() {
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
fn req_without_peers_returns_the_request() {
    let mut net = net();
    let req = net.socket(req());
    let Err(SendError::Full(returned)) = net[req].send("q") else {
        panic!("a request without a peer must fail");
    };
    assert_eq!(returned, message(["q"]));
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
}

#[test]
fn req_sends_round_robin() {
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
fn req_prepends_an_empty_delimiter() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
    net[req].send(["q", "more"]).unwrap();
    assert_eq!(request(&mut net, router), message(["me", "", "q", "more"]));
}

#[test]
fn correlated_req_ignores_late_and_duplicate_replies() {
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
fn relaxed_req_discards_an_unread_reply() {
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
fn relaxed_req_accepts_a_reply_of_the_last_peer_only() {
    let mut net = net();
    let (req, [left, right]) = fan(&mut net, req().relaxed(true), [Options::<Router>::new(), Options::new()]);
    net[req].send("q1").unwrap();
    let first = request(&mut net, left);
    net[req].send("q2").unwrap();
    let second = request(&mut net, right);
    reply(&mut net, left, &first, "from the abandoned peer");
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    reply(&mut net, right, &second, "a2");
    assert_eq!(net[req].recv().unwrap(), message(["a2"]));
}

#[test]
fn relaxed_req_keeps_abandoned_peers_in_rotation() {
    let mut net = net();
    let options = req().relaxed(true).correlate(true);
    let (req, [left, right]) = fan(&mut net, options, [Options::<Router>::new(), Options::new()]);
    for (text, router) in [("q1", left), ("q2", right), ("q3", left)] {
        net[req].send(text).unwrap();
        let received = request(&mut net, router);
        assert_eq!(received.body(), text);
        if text == "q3" {
            reply(&mut net, left, &received, "a3");
        }
    }
    assert_eq!(net[req].recv().unwrap(), message(["a3"]));
    assert_eq!(net.connections(req), 2);
}

#[test]
fn relaxed_req_receives_the_reply_to_its_last_request() {
    let mut net = net();
    let req = net.socket(req().relaxed(true).correlate(true));
    net.connect(req, PLACE);
    for number in 0..100 {
        net[req].send(format!("{number}")).unwrap();
    }
    let rep = net.socket(Options::<Rep>::new());
    net.bind(rep, PLACE);
    net.advance(core::time::Duration::from_secs(20));
    while let Ok(request) = net[rep].recv() {
        net[rep].send(request).unwrap();
        net.settle();
    }
    assert_eq!(net[req].recv().unwrap(), message(["99"]));
}

#[test]
fn correlated_req_ignores_a_wrong_or_missing_id() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().correlate(true), [Options::<Router>::new()]);
    net[req].send("q").unwrap();
    let received = request(&mut net, router);
    let id = received.head().clone();
    net[router].send((id.clone(), "1234", "", "wrong id")).unwrap();
    net[router].send((id.clone(), "", "no id")).unwrap();
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    reply(&mut net, router, &received, "right");
    assert_eq!(net[req].recv().unwrap(), message(["right"]));
    assert_eq!(dropped(&events(&mut net, req), DropReason::UnexpectedReply), 2);
    assert_eq!(net.connections(req), 1);
}

#[test]
fn req_ignores_an_unsolicited_reply() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
    net[router].send(["me", "", "unsolicited"]).unwrap();
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
    net[req].send("q").unwrap();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    let received = request(&mut net, router);
    reply(&mut net, router, &received, "a");
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn malformed_reply_ends_its_connection_only() {
    for wrong in
        [message(["me", "a"]), message(["me", ""]), message(["me", "12345", "", "a"]), message(["me", "1234", ""])]
    {
        let mut net = net();
        let (req, [router]) = fan(&mut net, req().routing_id("me").unwrap(), [Options::<Router>::new()]);
        net[req].send("q").unwrap();
        request(&mut net, router);
        net[router].send(wrong).unwrap();
        net.settle();
        assert!(matches!(net[req].recv(), Err(RecvError::PeerLost { sent: true, .. })));
        assert_eq!(
            endings(&events(&mut net, req)),
            ["the peer's reply has no empty delimiter before its body; the peer must reply with [\"\", body] to a REQ"]
        );
        net.advance(core::time::Duration::from_secs(1));
        net[req].send("again").unwrap();
        let received = request(&mut net, router);
        reply(&mut net, router, &received, "a");
        assert_eq!(net[req].recv().unwrap(), message(["a"]));
    }
}

#[test]
fn req_reports_peer_lost_and_can_send_again() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    for recv_first in [true, false] {
        net[req].send("q").unwrap();
        net.settle();
        net.reset_connections(rep);
        net.settle();
        if recv_first {
            assert!(matches!(net[req].recv(), Err(RecvError::PeerLost { sent: true, .. })));
            assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
        }
        net[req].send("q again").expect("a REQ may send after its peer is lost");
        assert_eq!(net[req].recv(), Err(RecvError::Empty));
        net.advance(core::time::Duration::from_secs(1));
        let received = recv_and_reply(&mut net, rep);
        assert_eq!(received.last(), Some(&message(["q again"])));
        assert_eq!(net[req].recv().unwrap(), message(["a"]));
    }
}

#[test]
fn req_without_reports_waits_although_its_peer_is_lost() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req().report_lost_peer(false), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    net.settle();
    net.reset_connections(rep);
    net.advance(core::time::Duration::from_secs(1));
    assert!(!net[req].can_recv() && !net[req].can_send());
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    assert!(matches!(net[req].send("again"), Err(SendError::OutOfTurn(_))));
}

#[test]
fn changed_correlate_applies_from_the_next_request() {
    let mut net = net();
    let (req, [router]) = fan(&mut net, req(), [Options::<Router>::new()]);
    for (correlate, frames) in [(true, 3), (false, 4), (true, 3)] {
        net[req].send("q").unwrap();
        let options = net[req].options::<Req>().unwrap().correlate(correlate);
        net[req].set_options(options).unwrap();
        // The change does not apply to the request that was sent before it.
        let received = request(&mut net, router);
        assert_eq!(received.len(), frames);
        reply(&mut net, router, &received, "a");
        assert_eq!(net[req].recv().unwrap(), message(["a"]));
    }
}

#[test]
fn first_frame_is_checked_before_the_message_is_complete() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    let first = Frame::from("q");
    assert_eq!(net[rep].check_first_frame(&first), Err(Unsent::OutOfTurn));
    assert_eq!(net[req].check_first_frame(&first), Ok(()));
    net[req].send("q").unwrap();
    assert_eq!(net[req].check_first_frame(&first), Err(Unsent::OutOfTurn));
    net.settle();
    net[rep].recv().unwrap();
    assert_eq!(net[rep].check_first_frame(&first), Ok(()));

    let alone = net.socket(Options::<Req>::new());
    assert_eq!(net[alone].check_first_frame(&first), Err(Unsent::Full));
    let pull = net.socket(Options::<Pull>::new());
    assert_eq!(net[pull].check_first_frame(&first), Err(Unsent::Unsupported(SocketType::Pull)));
    let now = net.now();
    net[alone].close(now);
    assert_eq!(net[alone].check_first_frame(&first), Err(Unsent::Closed));
}

#[test]
fn first_frame_of_a_mandatory_router_selects_a_peer_with_room() {
    let mut net = net();
    let mandatory = Options::<Router>::new().mandatory(true).send_hwm(1);
    let dealer = Options::<Dealer>::new().routing_id("peer").unwrap();
    let (router, [peer]) = star(&mut net, mandatory, [dealer]);
    net[peer].send("hello").unwrap();
    net.settle();
    assert_eq!(net[router].check_first_frame(&"other".into()), Err(Unsent::Unroutable));
    assert_eq!(net[router].check_first_frame(&"peer".into()), Ok(()));
    assert_eq!((net[router].can_send_to(&"other".into()), net[router].can_send_to(&"peer".into())), (None, Some(true)));
    net[router].send(["peer", "fills the queue"]).unwrap();
    assert_eq!(net[router].check_first_frame(&"peer".into()), Err(Unsent::Full));
    assert_eq!((net[router].can_send_to(&"peer".into()), net[peer].can_send_to(&"peer".into())), (Some(false), None));

    let options = net[router].options::<Router>().unwrap().mandatory(false);
    net[router].set_options(options).unwrap();
    assert_eq!(net[router].check_first_frame(&"other".into()), Ok(()), "the message will be dropped");
}

/// Receives all requests at a REP, and replies `a` to each.
fn recv_and_reply(net: &mut Net, rep: NodeId) -> Vec<Message> {
    let mut received = Vec::new();
    net.settle();
    while let Ok(message) = net[rep].recv() {
        received.push(message);
        net[rep].send("a").unwrap();
    }
    net.settle();
    received
}

#[test]
fn req_ignores_the_loss_of_another_peer() {
    let mut net = net();
    let (req, [received, other]) = fan(&mut net, req(), [Options::<Rep>::new(), Options::new()]);
    net[req].send("q").unwrap();
    net.settle();
    net.reset_connections(other);
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    recv_and_reply(&mut net, received);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn req_keeps_a_request_until_a_peer_is_bound() {
    let mut net = net();
    let req = net.socket(req());
    net.connect(req, "tcp://place:1");
    net[req].send("q").unwrap();
    net.advance(core::time::Duration::from_secs(20));
    assert_eq!(net[req].recv(), Err(RecvError::Empty));
    let rep = net.socket(Options::<Rep>::new());
    net.bind(rep, "tcp://place:1");
    net.advance(core::time::Duration::from_secs(5));
    assert_eq!(recv_and_reply(&mut net, rep), [message(["q"])]);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}

#[test]
fn disconnect_loses_the_pending_request() {
    let mut net = net();
    let (req, [_]) = fan(&mut net, req(), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    let now = net.now();
    net[req].disconnect(&"tcp://place:1".parse().unwrap(), now).unwrap();
    assert!(matches!(net[req].recv(), Err(RecvError::PeerLost { sent: true, .. })));
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::OutOfTurn));
}

#[test]
fn bound_req_receives_replies() {
    let mut net = net();
    let (req, [rep]) = star(&mut net, req(), [Options::<Rep>::new()]);
    net[req].send("q").unwrap();
    recv_and_reply(&mut net, rep);
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
    assert!(recv_all(&mut net, rep).is_empty());
}

#[test]
fn req_resends_an_unsent_request_after_reconnect() {
    let mut net = Net::seeded(1).capacity(100);
    let (req, [router]) = fan(&mut net, req().relaxed(true).correlate(true), [Options::<Router>::new()]);
    net.freeze(router);
    for _ in 0..2 {
        net[req].send(vec![7; 100_000]).unwrap();
        net.settle();
    }
    net.reset_connections(req);
    net.settle();
    assert_eq!(net[req].recv(), Err(RecvError::Empty), "the second request is not lost");
    net.thaw(router);
    net.advance(core::time::Duration::from_secs(1));
    let received = request(&mut net, router);
    reply(&mut net, router, &received, "a");
    assert_eq!(net[req].recv().unwrap(), message(["a"]));
}
