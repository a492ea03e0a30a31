//! Tests of the `inproc` transport, which connects sockets of one process without a network.

use super::super::fixture::{
    DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::end_reason;
use futures_util::future::join;
use sansmq::kind::{Dealer, Pub, Pull, Push, Req, Router, Sub};
use sansmq::proto::socket::RejectReason;
use sansmq::{
    BindError, ConnectionError, Context, DropReason, Endpoint, Event, Message, NetworkError, Options, SendError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Returns an endpoint that no other test of this process uses.
pub(super) fn unique_endpoint() -> Endpoint {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    // Each runtime has its own copy of this module and of `NUMBER`.
    Endpoint::Inproc(format!("{} {}", module_path!(), NUMBER.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn bind_and_connect_work_in_either_order() {
    run(|| async {
        for connect_first in [false, true] {
            let (endpoint, rep, req) = (unique_endpoint(), RepSocket::new(), ReqSocket::new());
            if connect_first {
                req.connect(&endpoint).unwrap();
                req.send("early").await.unwrap();
                assert_eq!(rep.bind(&endpoint).await.unwrap(), endpoint);
            } else {
                rep.bind(&endpoint).await.unwrap();
                req.connect(&endpoint).unwrap();
                req.send("early").await.unwrap();
            }
            assert_eq!(rep.recv().await.unwrap().body(), "early");
            rep.send("reply").await.unwrap();
            assert_eq!(req.recv().await.unwrap().body(), "reply");
            for round in 0..100 {
                req.send(format!("{round}")).await.unwrap();
                let request = rep.recv().await.unwrap();
                rep.send(request).await.unwrap();
                assert_eq!(req.recv().await.unwrap().body().to_text(), format!("{round}"));
            }
        }
    });
}

/// libzmq creates a second connection over `inproc`, and none over the other transports.
#[test]
fn second_connect_to_one_name_creates_no_second_connection() {
    run(|| async {
        for connect_first in [true, false] {
            let [dealers, requests, news, reverse] = [(); 4].map(|()| unique_endpoint());
            let (router, rep) = (Socket::with_options(Options::<Router>::new().mandatory(true)), RepSocket::new());
            let (publisher, collector) =
                (Socket::with_options(Options::<Pub>::new()), Socket::with_options(Options::<Sub>::new()));
            let dealer = Socket::with_options(Options::<Dealer>::new().routing_id("me").unwrap());
            let (req, sub) = (Socket::with_options(Options::<Req>::new()), Socket::with_options(Options::<Sub>::new()));
            let source = Socket::with_options(Options::<Pub>::new());
            sub.subscribe("").unwrap();
            collector.subscribe("").unwrap();
            let connect = || {
                for _ in 0..2 {
                    dealer.connect(&dealers).unwrap();
                    req.connect(&requests).unwrap();
                    sub.connect(&news).unwrap();
                    source.connect(&reverse).unwrap();
                }
            };
            if connect_first {
                connect();
            }
            router.bind(&dealers).await.unwrap();
            rep.bind(&requests).await.unwrap();
            publisher.bind(&news).await.unwrap();
            collector.bind(&reverse).await.unwrap();
            if !connect_first {
                connect();
            }

            for number in 0..6 {
                dealer.send(number.to_string()).await.unwrap();
                let [_, body] = router.recv().await.unwrap().into_array().unwrap();
                assert_eq!(body, number.to_string().as_str());
                req.send("request").await.unwrap();
                rep.recv().await.unwrap();
                rep.send("reply").await.unwrap();
                req.recv().await.unwrap();
            }
            publisher.wait_subscribed("", 1).await.unwrap();
            source.wait_subscribed("", 1).await.unwrap();
            for body in ["1", "2"] {
                publisher.send(body).await.unwrap();
                source.send(body).await.unwrap();
            }
            for body in ["1", "2"] {
                assert_eq!(sub.recv().await.unwrap().body(), body);
                assert_eq!(collector.recv().await.unwrap().body(), body);
            }
            let peers = [router.ready_peers(), rep.ready_peers(), publisher.ready_peers(), collector.ready_peers()];
            assert_eq!(peers, [1; 4]);
        }
    });
}

#[test]
fn connect_after_disconnect_from_one_name_connects_again() {
    run(|| async {
        let (endpoint, publisher) = (unique_endpoint(), Socket::with_options(Options::<Pub>::new()));
        let sub = Socket::with_options(Options::<Sub>::new());
        publisher.bind(&endpoint).await.unwrap();
        sub.subscribe("").unwrap();
        for body in ["1", "2"] {
            sub.connect(&endpoint).unwrap();
            publisher.wait_subscribed("", 1).await.unwrap();
            publisher.send(body).await.unwrap();
            assert_eq!(sub.recv().await.unwrap().body(), body);
            sub.disconnect(&endpoint).unwrap();
        }
    });
}

#[test]
fn full_socket_refuses_inproc_connection_until_it_has_room() {
    run(|| async {
        let endpoint = unique_endpoint();
        let pull = Socket::with_options(Options::<Pull>::new().max_peers(1));
        pull.bind(&endpoint).await.unwrap();
        let first = PushSocket::new();
        first.connect(&endpoint).unwrap();
        first.send("first").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "first");

        let short = Duration::from_millis(10);
        let second = Socket::with_options(Options::<Push>::new().reconnect(short, short));
        let (mut rejections, mut failures) = (pull.monitor(), second.monitor());
        second.connect(&endpoint).unwrap();
        let failure = failures.find(|event| match event {
            Event::ConnectFailed { error, .. } => Some(error),
            _ => None,
        });
        assert_eq!(failure.await, Some(NetworkError::Refused));
        let rejection = rejections.find(|event| match event {
            Event::Rejected { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(rejection.await, Some(RejectReason::MaxPeers));

        first.close().await;
        second.send("second").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "second");
    });
}

#[test]
fn blocked_send_resumes_before_receiver_queue_is_empty() {
    run(|| async {
        let endpoint = unique_endpoint();
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(100));
        let push = Socket::with_options(Options::<Push>::new().send_hwm(1));
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        while push.try_send("x").is_ok() {}
        let receive_half = async {
            for _ in 0..50 {
                pull.recv().await.unwrap();
            }
        };
        let (sent, ()) = join(push.send("y"), receive_half).await;
        sent.unwrap();
    });
}

#[test]
fn message_body_is_not_copied() {
    run(|| async {
        let (endpoint, pull, push) = (unique_endpoint(), PullSocket::new(), PushSocket::new());
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        let message = Message::from(vec![7; 100_000]);
        let address = message.head().as_ptr();
        push.send(message).await.unwrap();
        assert_eq!(pull.recv().await.unwrap().head().as_ptr(), address);
    });
}

#[test]
fn name_is_bound_once_per_context_until_unbind() {
    run(|| async {
        let endpoint = unique_endpoint();
        let other_context = Context::new();
        let (first, second) = (PullSocket::new(), PullSocket::new());
        let first_in_other = Socket::in_context(&other_context, Options::<Pull>::new());
        first.bind(&endpoint).await.unwrap();
        let taken = second.bind(&endpoint).await.unwrap_err();
        assert_eq!(taken, BindError::Network { endpoint: endpoint.clone(), error: NetworkError::AddressInUse });
        first_in_other.bind(&endpoint).await.unwrap();

        let (push, push_in_other) = (PushSocket::new(), Socket::in_context(&other_context, Options::<Push>::new()));
        push.connect(&endpoint).unwrap();
        push_in_other.connect(&endpoint).unwrap();
        push.send("first").await.unwrap();
        push_in_other.send("other").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "first");
        assert_eq!(first_in_other.recv().await.unwrap().body(), "other");

        first.unbind(&endpoint).await.unwrap();
        second.bind(&endpoint).await.unwrap();
        push.send("to the second").await.unwrap();
        assert_eq!(
            second.recv().await.unwrap().body(),
            "to the second",
            "the connector must find the next bound socket"
        );
    });
}

#[test]
fn send_blocks_at_both_hwms_in_messages_and_bytes() {
    const MIB: usize = 1 << 20;
    run(|| async {
        let marks = [(1, 1, 0), (1, 5, 0), (40, 1, 0), (1000, 1000, MIB)];
        for (send_hwm, recv_hwm, bytes) in marks {
            let endpoint = unique_endpoint();
            let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(recv_hwm).recv_hwm_bytes(bytes));
            let push = Socket::with_options(Options::<Push>::new().send_hwm(send_hwm).send_hwm_bytes(bytes));
            pull.bind(&endpoint).await.unwrap();
            push.connect(&endpoint).unwrap();
            push.wait_connected(1).await.unwrap();
            let mut sent = 0;
            while push.try_send(vec![b'x'; MIB]).is_ok() {
                sent += 1;
            }
            let expected = if bytes > 0 { 2 } else { send_hwm + recv_hwm };
            assert_eq!(sent, expected, "send_hwm {send_hwm}, recv_hwm {recv_hwm}, {bytes} bytes");
            for _ in 0..sent {
                pull.recv().await.unwrap();
            }
            push.send("room again").await.unwrap();
            assert_eq!(pull.recv().await.unwrap().body(), "room again");
        }
    });
}

#[test]
fn sockets_full_in_both_directions_resume() {
    run(|| async {
        let endpoint = unique_endpoint();
        let options = || Options::<Dealer>::new().send_hwm(1).recv_hwm(1);
        let (one, other) = (Socket::with_options(options()), Socket::with_options(options()));
        one.bind(&endpoint).await.unwrap();
        other.connect(&endpoint).unwrap();
        other.wait_connected(1).await.unwrap();
        for socket in [&one, &other] {
            for body in ["1", "2"] {
                socket.try_send(body).unwrap();
            }
            assert!(matches!(socket.try_send("3"), Err(SendError::Full(_))));
        }
        for socket in [&one, &other] {
            for body in ["1", "2"] {
                assert_eq!(socket.recv().await.unwrap().body(), body);
            }
        }
        for (from, to) in [(&one, &other), (&other, &one)] {
            from.send("3").await.unwrap();
            assert_eq!(to.recv().await.unwrap().body(), "3");
        }
    });
}

#[test]
fn send_blocks_after_both_hwms() {
    run(|| async {
        let endpoint = unique_endpoint();
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(10));
        let push = Socket::with_options(Options::<Push>::new().send_hwm(10));
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        let mut sent = 0_usize;
        while push.try_send(sent.to_string()).is_ok() {
            sent += 1;
            assert!(sent <= 10 + 10, "the sender is not blocked");
        }
        assert!(sent >= 20);
        for number in 0..sent {
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
        let sender = spawn({
            let push = push.clone();
            async move {
                for number in 0..10_000 {
                    push.send(number.to_string()).await.unwrap();
                }
            }
        });
        for number in 0..10_000 {
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
        sender.await;
    });
}

#[test]
fn close_delivers_queued_messages_and_ends_peer() {
    run(|| async {
        let (endpoint, pull, push) =
            (unique_endpoint(), Socket::with_options(Options::<Pull>::new().recv_hwm(5)), PushSocket::new());
        let mut monitor = pull.monitor();
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        for number in 0..500 {
            push.send(format!("{number}")).await.unwrap();
        }
        let (closed, ()) = join(push.close(), async {
            for number in 0..500 {
                assert_eq!(pull.recv().await.unwrap().body().to_text(), format!("{number}"));
            }
        })
        .await;
        assert_eq!(closed.unsent, 0);
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PeerClosed));
    });
}

#[test]
fn connector_keeps_unsent_messages_for_next_bound_socket() {
    run(|| async {
        let (endpoint, first) = (unique_endpoint(), Socket::with_options(Options::<Pull>::new().recv_hwm(1)));
        let push = Socket::with_options(Options::<Push>::new().send_hwm(50).linger(Duration::ZERO));
        let mut monitor = push.monitor();
        first.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        push.send("0").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "0");
        first.close().await;
        let retry = monitor.find(|event| match event {
            Event::Disconnected { retry, .. } => Some(retry.is_some()),
            _ => None,
        });
        assert_eq!(retry.await, Some(true));
        for number in 1..20 {
            push.send(number.to_string()).await.unwrap();
        }
        let second = PullSocket::new();
        second.bind(&endpoint).await.unwrap();
        for number in 1..20 {
            assert_eq!(second.recv().await.unwrap().body().to_text(), number.to_string());
        }
        second.close().await;
        push.send("unsent").await.unwrap();
        assert_eq!(push.close().await.unsent, 1);
    });
}

#[test]
fn router_addresses_peers_by_announced_routing_id() {
    run(|| async {
        let endpoint = unique_endpoint();
        let router = Socket::with_options(Options::<Router>::new().mandatory(true));
        router.bind(&endpoint).await.unwrap();
        let named = Socket::with_options(Options::<Dealer>::new().routing_id("me").unwrap());
        let anonymous = DealerSocket::new();
        for dealer in [&named, &anonymous] {
            dealer.connect(&endpoint).unwrap();
            dealer.send("hello").await.unwrap();
        }
        let [id, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&id, &body), (&"me".into(), &"hello".into()));
        let [other, _] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((other.len(), other[0]), (9, 0));
        router.send(("me", "one")).await.unwrap();
        router.send((other, "two")).await.unwrap();
        assert_eq!(named.recv().await.unwrap().body(), "one");
        assert_eq!(anonymous.recv().await.unwrap().body(), "two");
        named.close().await;
        let gone = router.send(("me", "gone")).await;
        assert!(matches!(gone, Err(SendError::Unroutable(_))), "{gone:?}");
    });
}

#[test]
fn incompatible_peer_is_dialled_again_until_it_fits() {
    run(|| async {
        let (endpoint, pull) = (unique_endpoint(), PullSocket::new());
        let soon = Duration::from_millis(5);
        let dealer = Socket::with_options(Options::<Dealer>::new().reconnect_refused(soon, soon));
        let mut monitor = dealer.monitor();
        pull.bind(&endpoint).await.unwrap();
        dealer.connect(&endpoint).unwrap();
        let reason = monitor.find(|event| match event {
            Event::HandshakeFailed { reason, retry: Some(_), .. } => Some(reason.to_string()),
            _ => None,
        });
        dealer.send("queued").await.unwrap();
        assert_eq!(
            reason.await.as_deref(),
            Some("a DEALER socket is not compatible with a PULL socket; the peers of a DEALER are REP, DEALER, ROUTER")
        );
        pull.unbind(&endpoint).await.unwrap();
        let router = RouterSocket::new();
        router.bind(&endpoint).await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "queued");
    });
}

#[test]
fn pair_rejects_second_peer_and_keeps_first() {
    run(|| async {
        let (endpoint, server) = (unique_endpoint(), PairSocket::new());
        let mut monitor = server.monitor();
        server.bind(&endpoint).await.unwrap();
        let (first, second) = (PairSocket::new(), PairSocket::new());
        first.connect(&endpoint).unwrap();
        second.connect(&endpoint).unwrap();
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PairInUse));
        server.send("still here").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "still here");
    });
}

#[test]
fn router_connects_to_itself_and_binds_tcp_too() {
    run(|| async {
        let endpoint = unique_endpoint();
        let router = Socket::with_options(Options::<Router>::new().routing_id("self").unwrap());
        router.bind(&endpoint).await.unwrap();
        let network = router.bind("tcp://127.0.0.1:*").await.unwrap();
        router.connect_as(&endpoint, "peer").unwrap();
        router.send(("peer", "to itself")).await.unwrap();
        let [sender, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&sender, &body), (&"self".into(), &"to itself".into()));
        let dealer = DealerSocket::new();
        dealer.connect(&network).unwrap();
        dealer.send("over TCP").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "over TCP");
    });
}

#[test]
fn router_reports_drops_for_full_peer() {
    run(|| async {
        let endpoint = unique_endpoint();
        let router = Socket::with_options(Options::<Router>::new().send_hwm(1));
        let mut monitor = router.monitor();
        router.bind(&endpoint).await.unwrap();
        let dealer = Socket::with_options(Options::<Dealer>::new().routing_id("d").unwrap().recv_hwm(1));
        dealer.connect(&endpoint).unwrap();
        dealer.send("here").await.unwrap();
        router.recv().await.unwrap();
        for _ in 0..1000 {
            router.send(("d", "x")).await.unwrap();
        }
        let dropped =
            monitor.find(|event| matches!(event, Event::Dropped { reason: DropReason::PeerFull, .. }).then_some(()));
        assert_eq!(dropped.await, Some(()));
    });
}

#[test]
fn concurrent_connect_send_and_close_lose_no_message() {
    run(|| async {
        let endpoint = unique_endpoint();
        let router = RouterSocket::new();
        let clients: Vec<_> = (0..16)
            .map(|client| {
                let endpoint = endpoint.clone();
                spawn(async move {
                    for round in 0..20 {
                        let dealer = DealerSocket::new();
                        dealer.connect(&endpoint).unwrap();
                        dealer.send(format!("{client} {round}")).await.unwrap();
                        assert_eq!(dealer.recv().await.unwrap().body().to_text(), format!("{client} {round}"));
                        if round % 2 == 0 {
                            dealer.close().await;
                        }
                    }
                })
            })
            .collect();
        router.bind(&endpoint).await.unwrap();
        let server = spawn({
            let router = router.clone();
            async move {
                while let Ok(request) = router.recv().await {
                    router.send(request).await.unwrap();
                }
            }
        });
        for client in clients {
            client.await;
        }
        router.close().await;
        server.await;
    });
}
