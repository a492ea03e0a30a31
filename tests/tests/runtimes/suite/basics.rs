//! Tests of what every program uses: bind, connect, send, receive, close, and monitors.

use super::super::fixture::{
    DealerSocket, LARGE, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, is_free, run,
    spawn,
};
use super::{ANY, end_reason, free_endpoint, yield_now};
use core::pin::pin;
use futures_util::future::{Either, join, select};
use futures_util::{SinkExt, StreamExt};
use sansmq::kind::{Dealer, Pull, Push};
use sansmq::proto::{ConnectionError, NetworkError};
use sansmq::{BindError, ConnectError, Endpoint, Event, Message, Options, RecvError, SendError, UnbindError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn req_and_rep_exchange_messages_over_wildcard_port() {
    run(|| async {
        let rep = RepSocket::new();
        let endpoint = rep.bind(ANY).await.unwrap();
        assert!(!endpoint.is_wildcard());
        let req = ReqSocket::new();
        req.connect(&endpoint).unwrap();
        for round in 0..100 {
            req.send(format!("request {round}")).await.unwrap();
            assert_eq!(rep.recv().await.unwrap().body().to_text(), format!("request {round}"));
            rep.send(format!("reply {round}")).await.unwrap();
            assert_eq!(req.recv().await.unwrap().body().to_text(), format!("reply {round}"));
        }
    });
}

#[test]
fn connect_by_host_name_tries_every_address() {
    run(|| async {
        let ipv6 = PullSocket::new();
        let endpoint = ipv6.bind("tcp://[::1]:*").await.unwrap();
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("over IPv6").await.unwrap();
        assert_eq!(ipv6.recv().await.unwrap().body(), "over IPv6");

        // `localhost` may resolve to ::1 first and to 127.0.0.1 second; only 127.0.0.1 is bound.
        let ipv4 = PullSocket::new();
        let Endpoint::Tcp { port, .. } = ipv4.bind(ANY).await.unwrap() else { panic!("not a TCP endpoint") };
        let push = PushSocket::new();
        push.connect(format!("tcp://localhost:{port}")).unwrap();
        push.send("by name").await.unwrap();
        assert_eq!(ipv4.recv().await.unwrap().body(), "by name");
    });
}

#[test]
fn rep_serves_all_bound_endpoints() {
    run(|| async {
        let rep = RepSocket::new();
        let req = ReqSocket::new();
        for address in [ANY, ANY, "tcp://[::1]:*"] {
            let endpoint = rep.bind(address).await.unwrap();
            req.connect(&endpoint).unwrap();
            let other = ReqSocket::new();
            other.connect(&endpoint).unwrap();
            for client in [&req, &other] {
                client.send("request").await.unwrap();
                let request = rep.recv().await.unwrap();
                rep.send(request).await.unwrap();
                assert_eq!(client.recv().await.unwrap().body(), "request");
            }
        }
    });
}

#[test]
fn invalid_endpoint_returns_error_with_advice() {
    run(|| async {
        let router = RouterSocket::new();
        let error = router.bind("127.0.0.1:5555").await.unwrap_err();
        assert!(matches!(error, BindError::Endpoint(_)));
        assert!(error.to_string().contains("write it like tcp://127.0.0.1:5555"), "{error}");
        let error = router.connect("tcp://*:5555").unwrap_err();
        assert!(matches!(error, ConnectError::Wildcard(_)), "{error}");
        let error = router.bind("tcp://192.0.2.1:*").await.unwrap_err();
        let endpoint = "tcp://192.0.2.1:0".parse().unwrap();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::AddressUnavailable });

        let first = router.bind(ANY).await.unwrap();
        let error = RouterSocket::new().bind(&first).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint: first, error: NetworkError::AddressInUse });
        assert!(matches!(router.disconnect("tcp://127.0.0.1:1"), Err(UnbindError::Unknown(_))));
    });
}

#[test]
fn unbind_frees_address_before_it_returns() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        for _ in 0..20 {
            pull.unbind(&endpoint).await.unwrap();
            assert_eq!(pull.bind(&endpoint).await.unwrap(), endpoint);
        }
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("still bound").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "still bound");
    });
}

#[test]
fn unbind_accepts_wildcard_and_resolved_endpoint() {
    run(|| async {
        let pull = PullSocket::new();
        for use_resolved in [false, true] {
            let endpoint = pull.bind(ANY).await.unwrap();
            let name = if use_resolved { endpoint.clone() } else { ANY.parse().unwrap() };
            pull.unbind(&name).await.unwrap();
            assert!(is_free(&endpoint));
            assert!(matches!(pull.unbind(&name).await, Err(UnbindError::Unknown(_))));
        }
    });
}

#[test]
fn connect_before_bind_loses_no_message() {
    run(|| async {
        let endpoint = free_endpoint().await;
        let push = Socket::with_options(
            Options::<Push>::new().reconnect(Duration::from_millis(10), Duration::from_millis(20)),
        );
        let mut monitor = push.monitor();
        push.connect(&endpoint).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).await.unwrap();
        }
        let refused = monitor.find(|event| match event {
            Event::ConnectFailed { error, retry, .. } => Some((error, retry.is_some())),
            _ => None,
        });
        assert_eq!(refused.await, Some((NetworkError::Refused, true)));
        let pull = PullSocket::new();
        pull.bind(&endpoint).await.unwrap();
        for number in 0..10 {
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
    });
}

#[test]
fn dropped_send_and_recv_lose_and_repeat_no_message() {
    run(|| async {
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(2));
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = Socket::with_options(Options::<Push>::new().send_hwm(2));
        push.connect(&endpoint).unwrap();
        let sender = spawn(async move {
            let mut number = 0;
            while number < 2000 {
                // Drops a send that is pending after its first poll, and repeats it.
                if let Either::Left((sent, _)) = select(push.send(format!("{number}")), pin!(yield_now())).await {
                    sent.unwrap();
                    number += 1;
                }
            }
            push.close().await
        });
        let mut expected = 0;
        while expected < 2000 {
            if let Either::Left((message, _)) = select(pull.recv(), pin!(yield_now())).await {
                assert_eq!(message.unwrap().body().to_text(), expected.to_string());
                expected += 1;
            }
        }
        assert_eq!(sender.await.unsent, 0);
    });
}

#[test]
fn push_waits_while_pull_is_full() {
    run(|| async {
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(10));
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = Socket::with_options(Options::<Push>::new().send_hwm(10));
        push.connect(&endpoint).unwrap();
        // More than both high-water marks and the buffers of the network hold together.
        let (count, body) = (400_usize, vec![b'x'; LARGE]);
        let sent = Arc::new(AtomicUsize::new(0));
        let sender = spawn({
            let (sent, body) = (Arc::clone(&sent), body.clone());
            async move {
                for _ in 0..count {
                    push.send(body.clone()).await.unwrap();
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for received in 0..count {
            assert_eq!(pull.recv().await.unwrap().size(), body.len());
            let ahead = sent.load(Ordering::SeqCst) - received;
            assert!(ahead < 300, "the sender is {ahead} messages ahead: no back-pressure");
        }
        sender.await;
        assert_eq!(pull.try_recv(), Err(RecvError::Empty));
    });
}

#[test]
fn close_delivers_queued_messages_and_counts_unsent() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = PushSocket::new();
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
        assert!(matches!(push.send("late").await, Err(SendError::Closed(message)) if message == Message::from("late")));

        let unconnected = Socket::with_options(Options::<Push>::new().linger(Duration::from_millis(50)));
        unconnected.connect("tcp://127.0.0.1:1").unwrap();
        for _ in 0..3 {
            unconnected.send("unsent").await.unwrap();
        }
        assert_eq!(unconnected.close().await.unsent, 3);
    });
}

#[test]
fn close_frees_address_before_it_returns() {
    run(|| async {
        let endpoint = RouterSocket::new().bind(ANY).await.unwrap();
        for _ in 0..50 {
            let router = RouterSocket::new();
            router.bind(&endpoint).await.unwrap();
            router.close().await;
            assert!(is_free(&endpoint));
        }
    });
}

#[test]
fn bind_waits_for_dropped_socket_at_the_same_port() {
    run(|| async {
        let mut router = RouterSocket::new();
        // A port that is free at every address: earlier connections of other tests may still occupy a port that is free at one.
        let Endpoint::Tcp { port, .. } = router.bind("tcp://*:*").await.unwrap() else { panic!("not a TCP endpoint") };
        let endpoint: Endpoint = format!("tcp://127.0.0.1:{port}").parse().unwrap();
        for round in 0..50 {
            drop(router);
            router = RouterSocket::new();
            let address = if round % 2 == 0 { endpoint.to_string() } else { format!("tcp://*:{port}") };
            router.bind(address).await.unwrap();
        }
        let error = RouterSocket::new().bind(&endpoint).await.unwrap_err();
        assert!(matches!(error, BindError::Network { error: NetworkError::AddressInUse, .. }), "{error}");
        let dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        dealer.send("to the last socket").await.unwrap();
        let [_, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "to the last socket");
    });
}

#[test]
fn close_wakes_pending_calls_of_every_clone() {
    run(|| async {
        let dealer = DealerSocket::new();
        let receiver = spawn({
            let dealer = dealer.clone();
            async move { dealer.recv().await }
        });
        let sender = spawn({
            let dealer = dealer.clone();
            async move { dealer.send("unsent").await }
        });
        yield_now().await;
        dealer.close().await;
        assert_eq!(receiver.await, Err(RecvError::Closed));
        assert!(matches!(sender.await, Err(SendError::Closed(_))));
        assert!(matches!(dealer.bind(ANY).await, Err(BindError::Closed)));
    });
}

#[test]
fn dropping_last_handle_delivers_queued_message() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("queued").await.unwrap();
        drop(push);
        assert_eq!(pull.recv().await.unwrap().body(), "queued");
    });
}

#[test]
fn tasks_sharing_a_socket_receive_each_message_once() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint = router.bind(ANY).await.unwrap();
        let servers: Vec<_> = (0..4)
            .map(|_| {
                let router = router.clone();
                spawn(async move {
                    while let Ok(message) = router.recv().await {
                        let [client, number] = message.into_array().unwrap();
                        router.send((client, number)).await.unwrap();
                    }
                })
            })
            .collect();
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let dealer = DealerSocket::new();
                dealer.connect(&endpoint).unwrap();
                spawn(async move {
                    for number in 0..50 {
                        dealer.send(format!("{client}:{number}")).await.unwrap();
                    }
                    let mut replies = Vec::new();
                    for _ in 0..50 {
                        replies.push(dealer.recv().await.unwrap().body().to_text().into_owned());
                    }
                    replies.sort();
                    replies.dedup();
                    assert_eq!(replies.len(), 50);
                })
            })
            .collect();
        for client in clients {
            client.await;
        }
        router.close().await;
        for server in servers {
            server.await;
        }
    });
}

#[test]
fn stream_and_sink_transfer_messages_in_order() {
    run(|| async {
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(1));
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = Socket::with_options(Options::<Push>::new().send_hwm(1));
        push.connect(&endpoint).unwrap();
        let mut sink = push.sink();
        let sending = async {
            for number in 0..100 {
                sink.feed(Message::from(format!("{number}"))).await.unwrap();
            }
            sink.flush().await.unwrap();
        };
        let receiving = pull.stream().take(100).map(|message| message.unwrap().body().to_text().into_owned());
        let (received, ()) = join(receiving.collect::<Vec<_>>(), sending).await;
        assert_eq!(received, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
        let mut stream = pull.stream();
        pull.close().await;
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn erased_socket_rejects_unsupported_direction() {
    run(|| async {
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        let sockets: [Socket; 2] = [push.erase(), pull.erase()];
        assert!(matches!(sockets[0].recv().await, Err(RecvError::Unsupported(_))));
        assert!(matches!(sockets[1].send("x").await, Err(SendError::Unsupported(..))));
        sockets[0].send("x").await.unwrap();
        assert_eq!(sockets[1].recv().await.unwrap().body(), "x");
    });
}

#[test]
fn monitor_reports_connection_events_with_reasons() {
    run(|| async {
        let dealer = Socket::with_options(Options::<Dealer>::new().routing_id("me").unwrap());
        let mut dealer_monitor = dealer.monitor();
        let router = RouterSocket::new();
        let mut router_monitor = router.monitor();
        let endpoint = router.bind(ANY).await.unwrap();
        assert!(matches!(router_monitor.next().await, Some(Event::Listening { .. })));
        dealer.connect(&endpoint).unwrap();
        assert!(matches!(dealer_monitor.next().await, Some(Event::Connecting { .. })));
        assert!(matches!(dealer_monitor.next().await, Some(Event::Connected { .. })));
        assert!(matches!(dealer_monitor.next().await, Some(Event::Ready { .. })));
        assert!(matches!(router_monitor.next().await, Some(Event::Accepted { .. })));
        let Some(Event::Ready { peer, routing_id, .. }) = router_monitor.next().await else { panic!("expected Ready") };
        assert_eq!((peer.socket_type.name(), &routing_id), ("DEALER", &"me".into()));
        router.close().await;
        let Some(Event::Disconnected { reason, retry, .. }) = dealer_monitor.next().await else {
            panic!("expected Disconnected")
        };
        assert_eq!(reason, ConnectionError::PeerClosed);
        assert!(retry.is_some());
        dealer.close().await;
        let mut last = None;
        while let Some(event) = dealer_monitor.next().await {
            last = Some(event);
        }
        assert_eq!(last, Some(Event::Closed));
    });
}

#[test]
fn pair_rejects_second_peer_and_reports_it() {
    run(|| async {
        let server = PairSocket::new();
        let endpoint = server.bind(ANY).await.unwrap();
        let first = PairSocket::new();
        first.connect(&endpoint).unwrap();
        first.send("first").await.unwrap();
        assert_eq!(server.recv().await.unwrap().body(), "first");
        let mut monitor = server.monitor();
        let second = PairSocket::new();
        second.connect(&endpoint).unwrap();
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PairInUse));
        server.send("to the first").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "to the first");
    });
}

#[test]
fn large_messages_arrive_intact_in_both_directions() {
    run(|| async {
        let a = PairSocket::new();
        let endpoint = a.bind(ANY).await.unwrap();
        let b = PairSocket::new();
        b.connect(&endpoint).unwrap();
        // The length of the pattern is prime, so swapped or lost blocks change the body.
        let body = |seed: u8| (0..=250_u8).map(|i| i.wrapping_mul(31) ^ seed).collect::<Vec<_>>().repeat(LARGE / 5);
        let exchange = async |socket: &PairSocket, own: u8, peer: u8| {
            socket.send([body(own), vec![], body(own + 1)]).await.unwrap();
            let frames = socket.recv().await.unwrap().into_array::<3>().unwrap();
            assert!(*frames[0] == body(peer) && frames[1].is_empty() && *frames[2] == body(peer + 1));
        };
        join(exchange(&a, 1, 5), exchange(&b, 5, 1)).await;
    });
}

#[test]
fn sockets_are_send_and_sync_and_futures_are_send() {
    fn assert_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn assert_send<T: Send>(_: T) {}
    run(|| async {
        let dealer = DealerSocket::new();
        assert_shared(&dealer);
        assert_send(dealer.recv());
        assert_send(dealer.send("x"));
        assert_send(dealer.bind(ANY));
        assert_send(dealer.close());
    });
}
