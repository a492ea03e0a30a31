//! Tests of disconnect, unbind, close and linger: which connections end, and which queued messages are still sent.

use super::{PLACE, bound, close, connected, ms, pull, push, s};
use sansmq_proto::address::NetworkError;
use sansmq_proto::kind::{Dealer, Rep, Req};
use sansmq_proto::socket::{ConnectError, DropReason, UnbindError};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Endpoint, Event, Options, RecvError, SendError};
use sansmq_tests::{bodies, dropped, endings, events, for_seeds, recv_all};

fn endpoint(port: u16) -> Endpoint {
    format!("tcp://place:{port}").parse().unwrap()
}

#[test]
fn close_sends_queued_messages() {
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=40).latency(ms(0)..=ms(20)).capacity(100);
        let pull = bound(&mut net, pull().recv_hwm(5));
        let push = connected(&mut net, push());
        for number in 0..100 {
            net[push].send(number.to_string()).unwrap();
        }
        if seed % 2 == 0 {
            net.settle();
        }
        let now = net.now();
        close(&mut net, push);
        assert!(matches!(net[push].send("late"), Err(SendError::Closed(_))));
        assert_eq!(net[push].connect(endpoint(1), now), Err(ConnectError::Closed));
        let mut received = Vec::new();
        for _ in 0..400 {
            net.advance(ms(50));
            received.extend(net[pull].recv());
        }
        assert_eq!(received.len(), 100);
        assert!(net[push].is_closed());
        assert_eq!((net[push].unsent(), net.connections(push)), (0, 0));
    });
}

#[test]
fn linger_expiry_counts_unsent_messages() {
    for connected in [true, false] {
        let mut net = Net::seeded(1).capacity(1000);
        let push = net.socket(push().linger(s(3)));
        let pull = net.socket(pull().recv_hwm(1));
        if connected {
            net.bind(pull, PLACE);
        }
        net.connect(push, PLACE);
        net.advance(s(1));
        net.freeze(pull);
        for _ in 0..10 {
            net[push].send(vec![1; 2000]).unwrap();
        }
        close(&mut net, push);
        net.advance(ms(2999));
        assert!(!net[push].is_closed());
        net.advance(ms(1));
        net.settle();
        assert!(net[push].is_closed());
        assert_eq!(net[push].unsent(), 10);
        assert_eq!(dropped(&events(&mut net, push), DropReason::Undelivered), 10);
    }
}

#[test]
fn zero_linger_closes_at_once() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().linger(s(0)));
    for _ in 0..5 {
        net[push].send("x").unwrap();
    }
    close(&mut net, push);
    assert!(net[push].is_closed());
    assert_eq!(net[push].unsent(), 5);
}

#[test]
fn infinite_linger_waits_until_messages_are_sent() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().linger(None));
    net[push].send("queued").unwrap();
    close(&mut net, push);
    net.advance(s(3600));
    assert!(!net[push].is_closed());
    let pull = bound(&mut net, pull());
    net.advance(s(10));
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["queued"]);
    assert!(net[push].is_closed());
}

#[test]
fn close_with_empty_queues_completes_at_once() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull());
    let push = connected(&mut net, push());
    net.connect(push, "tcp://unbound:1");
    net.settle();
    close(&mut net, push);
    net.settle();
    assert!(net[push].is_closed());
    assert_eq!(endings(&events(&mut net, push)), ["this side closed the connection"]);
    assert_eq!(endings(&events(&mut net, pull)), ["the peer closed the connection"]);
    close(&mut net, pull);
    net.settle();
    assert!(net[pull].is_closed());
    assert_eq!(net[pull].recv(), Err(RecvError::Closed));
}

#[test]
fn close_does_not_count_earlier_drops_as_unsent() {
    let mut net = Net::seeded(1).capacity(100);
    let server = bound(&mut net, Options::<Dealer>::new());
    let client = connected(&mut net, Options::<Dealer>::new().no_reconnect());
    net[client].send("stays unread").unwrap();
    net.settle();
    net.freeze(client);
    for _ in 0..5 {
        net[server].send(vec![1; 100_000]).unwrap();
    }
    net.settle();
    net.reset_connections(client);
    net.settle();
    assert_eq!(dropped(&events(&mut net, server), DropReason::Undelivered), 5);
    close(&mut net, server);
    assert!(net[server].is_closed());
    assert_eq!(net[server].unsent(), 0);
    assert_eq!(dropped(&events(&mut net, server), DropReason::Undelivered), 0);
}

#[test]
fn unbind_ends_only_the_peers_of_that_listener() {
    let mut net = Net::seeded(1).chunks(1..=9);
    let dealer = net.socket(Options::<Dealer>::new());
    for port in 1..=2 {
        net.bind(dealer, &format!("tcp://place:{port}"));
    }
    let others = [1, 1, 2].map(|port| {
        let other = net.socket(Options::<Dealer>::new().no_reconnect());
        net.connect(other, &format!("tcp://place:{port}"));
        net.settle();
        other
    });
    for number in 0..3 {
        net[dealer].send(format!("queued {number}")).unwrap();
    }
    let now = net.now();
    net[dealer].unbind(&endpoint(1), now).unwrap();
    assert_eq!(net[dealer].unbind(&endpoint(1), now), Err(UnbindError::Unknown(endpoint(1))));
    net.settle();
    assert_eq!(others.map(|other| net.connections(other)), [0, 0, 1]);
    let received = others.map(|other| bodies(&recv_all(&mut net, other)));
    assert_eq!(received, [["queued 0"], ["queued 1"], ["queued 2"]]);
    net[dealer].send("after unbind").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, others[2])), ["after unbind"]);

    let late = net.socket(Options::<Dealer>::new());
    net.connect(late, "tcp://place:1");
    net.advance(s(10));
    assert_eq!(net.connections(late), 0, "the endpoint is unbound");
}

#[test]
fn connect_that_crosses_an_unbind_is_refused() {
    let mut net = Net::seeded(1);
    let push = net.socket(push());
    let pull = bound(&mut net, pull());
    net.connect(push, PLACE);
    let now = net.now();
    net[pull].unbind(&endpoint(1), now).unwrap();
    net.settle();
    assert_eq!(net.connections(push), 0);
}

#[test]
fn disconnect_ends_only_the_named_endpoint() {
    let mut net = Net::seeded(1).chunks(1..=9);
    let push = net.socket(push());
    let pulls = [1, 2].map(|port| {
        let pull = net.socket(pull());
        net.bind(pull, &format!("tcp://place:{port}"));
        net.connect(push, &format!("tcp://place:{port}"));
        net.settle();
        pull
    });
    for number in 0..4 {
        net[push].send(number.to_string()).unwrap();
    }
    let now = net.now();
    net[push].disconnect(&endpoint(1), now).unwrap();
    assert_eq!(net[push].disconnect(&endpoint(3), now), Err(UnbindError::Unknown(endpoint(3))));
    net[push].send("4").unwrap();
    net[push].send("5").unwrap();
    net.advance(s(60));
    assert_eq!(pulls.map(|pull| bodies(&recv_all(&mut net, pull)).join(" ")), ["0 2", "1 3 4 5"]);
    assert_eq!((net.connections(push), net.connections(pulls[0])), (1, 0));
    net.connect(push, "tcp://place:1");
    net.settle();
    assert_eq!(net.connections(push), 2);
}

#[test]
fn messages_before_a_peer_close_are_delivered() {
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=30).latency(ms(0)..=ms(20));
        let pull = bound(&mut net, pull().recv_hwm(3));
        let push = connected(&mut net, push());
        for number in 0..50 {
            net[push].send(format!("{number:02}")).unwrap();
        }
        close(&mut net, push);
        let received = bodies(&recv_all(&mut net, pull));
        assert_eq!(received, (0..50).map(|number| format!("{number:02}")).collect::<Vec<_>>());
        net.advance(s(2));
        assert_eq!(net[pull].peers(), 0);
    });
}

#[test]
fn close_under_load_delivers_a_prefix_in_order() {
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=30).latency(ms(0)..=ms(20)).capacity(100);
        let pull = bound(&mut net, pull().recv_hwm(3));
        let push = connected(&mut net, push().linger(ms(seed * 10)));
        for number in 0..200 {
            net[push].send(number.to_string()).unwrap();
        }
        net.advance(ms(200));
        let mut received = Vec::new();
        for _ in 0..seed {
            received.extend(net[pull].recv());
            net.settle();
        }
        close(&mut net, push);
        net.advance(s(2));
        assert!(net[push].is_closed());
        received.extend(recv_all(&mut net, pull));
        let received = bodies(&received);
        assert_eq!(received, (0..received.len()).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(received.len() + net[push].unsent() <= 200);
        close(&mut net, pull);
        net.advance(s(2));
        assert!(net[pull].is_closed());
    });
}

#[test]
fn close_within_limits_time_of_any_linger() {
    for linger in [None, Some(s(0)), Some(s(100))] {
        let mut net = Net::seeded(1);
        let push = connected(&mut net, push().linger(linger));
        net[push].send("x").unwrap();
        let now = net.now();
        net[push].close_within(s(3), now);
        net.advance(ms(2999));
        assert!(!net[push].is_closed(), "{linger:?}");
        net.advance(ms(1));
        net.settle();
        assert!(net[push].is_closed(), "{linger:?}");
        assert_eq!(net[push].unsent(), 1);
    }
}

#[test]
fn close_within_shortens_running_close_and_never_prolongs_it() {
    for (limit, end) in [(s(0), s(0)), (s(2), s(2)), (s(60), s(10))] {
        let mut net = Net::seeded(1);
        let push = connected(&mut net, push().linger(s(10)));
        net[push].send("x").unwrap();
        close(&mut net, push);
        let now = net.now();
        net[push].close_within(limit, now);
        if end > s(0) {
            net.advance(end.saturating_sub(ms(1)));
            assert!(!net[push].is_closed(), "{limit:?}");
            net.advance(ms(1));
        }
        net.settle();
        assert!(net[push].is_closed(), "{limit:?}");
    }
}

/// REP that has received a request and not replied, and the REQ that sent the request.
fn rep_that_owes_a_reply(net: &mut Net) -> (NodeId, NodeId) {
    let rep = bound(net, Options::<Rep>::new());
    let req = connected(net, Options::<Req>::new());
    net[req].send("request").unwrap();
    net.settle();
    net[rep].recv().unwrap();
    (rep, req)
}

#[test]
fn shut_down_rep_sends_the_reply_that_it_owes() {
    let mut net = Net::seeded(1);
    let (rep, req) = rep_that_owes_a_reply(&mut net);
    let other = connected(&mut net, Options::<Req>::new());
    net[other].send("too late").unwrap();
    net.settle();
    let now = net.now();
    net[rep].shut_down(s(5), now);
    net.settle();
    assert_eq!(net[rep].recv(), Err(RecvError::Closed));
    assert!(!net[rep].is_closed() && net.connections(other) == 0, "only the connection of the reply stays open");
    net[rep].send("reply").unwrap();
    assert!(matches!(net[rep].send("second reply"), Err(SendError::Closed(_))));
    net.settle();
    assert_eq!(net[req].recv().unwrap().body(), "reply");
    assert!(net[rep].is_closed());
    assert_eq!(net[rep].unsent(), 0);
}

#[test]
fn shut_down_rep_without_reply_closes_at_the_limit() {
    for requester_leaves in [false, true] {
        let mut net = Net::seeded(1);
        let (rep, req) = rep_that_owes_a_reply(&mut net);
        let now = net.now();
        net[rep].shut_down(s(5), now);
        if requester_leaves {
            close(&mut net, req);
        } else {
            net.advance(ms(4999));
            assert!(!net[rep].is_closed());
            net.advance(ms(1));
        }
        net.settle();
        assert!(net[rep].is_closed(), "{requester_leaves}");
        assert!(matches!(net[rep].send("reply"), Err(SendError::Closed(_))));
    }
}

#[test]
fn driver_lost_counts_queued_and_partly_written_messages() {
    let mut net = Net::seeded(1).capacity(1000);
    let pull = bound(&mut net, pull().recv_hwm(1));
    let push = connected(&mut net, push());
    net.settle();
    net.freeze(pull);
    for _ in 0..100 {
        net[push].send(vec![1; 2000]).unwrap();
    }
    net.settle();
    let stats = net[push].stats();
    assert!(stats.under_way > 0 && stats.outgoing.messages > 0, "{stats:?}");
    let now = net.now();
    net[push].driver_lost(now);
    assert!(net[push].is_closed());
    assert_eq!(net[push].unsent() as u64, stats.under_way + stats.outgoing.messages);
    assert_eq!(net[push].stats().ready_peers, 0);
    let events_of_end = events(&mut net, push);
    assert!(events_of_end.contains(&Event::DriverLost { unsent: net[push].unsent() }), "{events_of_end:?}");
    assert_eq!(events_of_end.last(), Some(&Event::Closed));
    net[push].driver_lost(now);
    assert_eq!(events(&mut net, push), [], "the event counts only messages that this call has dropped");
}

#[test]
fn runtime_failed_closes_the_socket_with_its_error() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    assert!(!net[push].is_closing());
    assert_eq!(net[push].runtime_error(), None);
    let now = net.now();
    net[push].runtime_failed(NetworkError::Refused, now);
    assert!(net[push].is_closing() && net[push].is_closed());
    assert_eq!(net[push].runtime_error(), Some(NetworkError::Refused));
    assert_eq!(net[push].connect(endpoint(1), now), Err(ConnectError::Runtime(NetworkError::Refused)));
}

#[test]
fn close_deadline_is_the_end_of_the_longest_linger() {
    let mut net = Net::seeded(1);
    let _pull = bound(&mut net, pull());
    for linger in [Some(s(10)), None] {
        let push = connected(&mut net, push().linger(linger));
        net.connect(push, "tcp://unbound:1");
        net.settle();
        for _ in 0..4 {
            net[push].send("x").unwrap();
        }
        assert_eq!(net[push].close_deadline(), None, "the socket is not closing");
        close(&mut net, push);
        let end = linger.map(|linger| net.now() + linger);
        assert_eq!(net[push].close_deadline(), end);
        net.advance(s(4));
        assert_eq!(net[push].close_deadline(), end);
    }
}

#[test]
fn abort_waits_only_for_the_end_of_connections() {
    let mut net = Net::seeded(1);
    let _pull = bound(&mut net, pull());
    let push = connected(&mut net, push().linger(None));
    net.settle();
    let now = net.now();
    net[push].abort(now);
    assert!(!net[push].is_closed(), "the driver has not closed the connection");
    assert_eq!(net[push].close_deadline(), Some(now));
    net.settle();
    assert!(net[push].is_closed());
}
