//! Tests of what the sockets of a context share: `inproc` endpoints, ports, and the end by `Context::close`. More tests of
//! `inproc` are in `inproc.rs`.

use super::super::fixture::{PullSocket, PushSocket, ReqSocket, RouterSocket, Socket, is_free, run, spawn};
use super::inproc::unique_endpoint;
use super::limits::{LIMIT, is_refused, limited, ready};
use super::refusals::{ID_TAKEN, named, refuse_then_accept};
use super::{ANY, end_reason, free_endpoint, yield_now};
use futures_util::future::join;
use sansmq::kind::{Dealer, Peer, Pull, Push, Rep, Router};
use sansmq::{Context, Event, Message, Options, RecvError, SendError, SocketType};
use std::time::Duration;

#[test]
fn context_close_delivers_and_reports_each_socket() {
    run(|| async {
        let context = Context::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        for _ in 0..2 {
            let bound = Socket::in_context(&context, Options::<Pull>::new());
            let address = bound.bind(ANY).await.unwrap();
            let [push, dropped] = [(); 2].map(|()| Socket::in_context(&context, Options::<Push>::new()));
            push.connect(&endpoint).unwrap();
            dropped.connect(&endpoint).unwrap();
            for _ in 0..100 {
                push.send("queued").await.unwrap();
            }
            dropped.send("queued").await.unwrap();
            drop(dropped);
            let waiting = spawn({
                let bound = bound.clone();
                async move { bound.recv().await }
            });
            yield_now().await;
            let closed = context.close(Duration::from_secs(20)).await;
            assert_eq!(closed.unsent(), 0);
            let [pull_report, push_report] = [SocketType::Pull, SocketType::Push].map(|socket_type| {
                closed.sockets.iter().find(|socket| socket.socket_type == socket_type).unwrap().endpoints.clone()
            });
            assert_eq!((pull_report, push_report), (vec![address.clone()], vec![endpoint.clone()]));
            assert!(is_free(&address));
            assert_eq!(waiting.await, Err(RecvError::Closed));
            assert!(matches!(push.send("late").await, Err(SendError::Closed(_))));
            for _ in 0..101 {
                assert_eq!(pull.recv().await.unwrap().body(), "queued");
            }
            assert!(context.close(Duration::ZERO).await.sockets.is_empty());
        }
    });
}

#[test]
fn context_close_ends_monitors_after_the_event_closed() {
    run(|| async {
        let context = Context::new();
        let pull = Socket::in_context(&context, Options::<Pull>::new());
        pull.bind(ANY).await.unwrap();
        let mut monitor = pull.monitor();
        let waiting = spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = monitor.next().await {
                events.push(event);
            }
            events
        });
        yield_now().await;
        context.close(Duration::from_secs(20)).await;
        let events = waiting.await;
        assert!(matches!(events[..], [Event::ListenerClosed { .. }, Event::Closed]), "{events:?}");
        assert_eq!(pull.monitor().next().await, None);
    });
}

#[test]
fn context_close_ends_at_the_limit_and_counts_unsent() {
    run(|| async {
        let context = Context::new();
        let endpoint = free_endpoint().await;
        let mut sockets = Vec::new();
        for count in 1..=2 {
            let push = Socket::in_context(&context, Options::<Push>::new().linger(None));
            push.connect(&endpoint).unwrap();
            for _ in 0..count {
                push.send("unsent").await.unwrap();
            }
            sockets.push(push);
        }
        let mut closed = context.close(Duration::from_millis(50)).await.sockets;
        closed.sort_by_key(|socket| socket.unsent);
        let unsent: Vec<_> = closed.iter().map(|socket| socket.unsent).collect();
        assert_eq!(unsent, [1, 2]);
        assert_eq!(closed[0].to_string(), format!("PUSH at {endpoint}: 1 message was not sent"));
        assert_eq!(closed[1].to_string(), format!("PUSH at {endpoint}: 2 messages were not sent"));
    });
}

#[test]
fn context_close_waits_for_reply_that_a_rep_owes() {
    run(|| async {
        let context = Context::new();
        let rep = Socket::in_context(&context, Options::<Rep>::new());
        let req = ReqSocket::new();
        req.connect(rep.bind(ANY).await.unwrap()).unwrap();
        req.send("request").await.unwrap();
        assert_eq!(rep.recv().await.unwrap().body(), "request");
        let closing = context.close(Duration::from_secs(20));
        let replying = async {
            assert_eq!(rep.recv().await, Err(RecvError::Closed));
            rep.send("reply").await.unwrap();
            assert_eq!(req.recv().await.unwrap().body(), "reply");
        };
        let (closed, ()) = join(closing, replying).await;
        assert_eq!((closed.sockets.len(), closed.unsent()), (1, 0));
    });
}

#[test]
fn peer_over_inproc_sends_before_bind() {
    run(|| async {
        let context = Context::new();
        let [connected, bound] = [(); 2].map(|()| Socket::in_context(&context, Options::<Peer>::new()));
        let id = connected.connect_peer("inproc://peer").unwrap();
        connected.send((&id, "early")).await.unwrap();
        bound.bind("inproc://peer").await.unwrap();
        let [peer_id, body] = bound.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "early");
        bound.send((&peer_id, "welcome")).await.unwrap();
        assert_eq!(connected.recv().await.unwrap(), Message::from((&id, "welcome")));
        let mut monitor = connected.monitor();
        bound.disconnect_peer(&peer_id).unwrap();
        assert!(end_reason(&mut monitor).await.is_some());
        assert!(matches!(bound.send((peer_id, "late")).await, Err(SendError::Unroutable(_))));
    });
}

#[test]
fn inproc_peer_limit_refuses_message_in_send() {
    run(|| async {
        for bind_push in [false, true] {
            let (endpoint, push, pull) = (unique_endpoint(), PushSocket::new(), Socket::with_options(limited()));
            let mut monitor = push.monitor();
            if bind_push {
                push.bind(&endpoint).await.unwrap();
                pull.connect(&endpoint).unwrap();
            } else {
                pull.bind(&endpoint).await.unwrap();
                push.connect(&endpoint).unwrap();
            }
            ready(&mut monitor).await;
            assert!(is_refused(&push.send(vec![7; LIMIT + 1]).await));
            push.send(vec![7; LIMIT]).await.unwrap();
            assert_eq!(pull.recv().await.unwrap().size(), LIMIT);

            // The limit ends with the connection.
            pull.close().await;
            end_reason(&mut monitor).await.unwrap();
            let other = Socket::with_options(Options::<Pull>::new().max_message_size(usize::MAX));
            if bind_push {
                other.connect(&endpoint).unwrap();
            } else {
                other.bind(&endpoint).await.unwrap();
            }
            push.send(vec![7; 2 * LIMIT]).await.unwrap();
            assert_eq!(other.recv().await.unwrap().size(), 2 * LIMIT);
        }
    });
}

#[test]
fn router_is_limited_only_by_the_addressed_inproc_peer() {
    run(|| async {
        let (endpoint, router) = (unique_endpoint(), RouterSocket::new());
        router.bind(&endpoint).await.unwrap();
        let small = Options::<Dealer>::new().routing_id("small").unwrap().max_message_size(LIMIT);
        let large = Options::<Dealer>::new().routing_id("large").unwrap();
        let [small, large] = [small, large].map(Socket::with_options);
        for dealer in [&small, &large] {
            dealer.connect(&endpoint).unwrap();
            dealer.send("hello").await.unwrap();
            router.recv().await.unwrap();
        }
        let message = |id: &str, size| Message::from_frames([id.as_bytes().to_vec(), vec![7; size]]).unwrap();
        assert!(is_refused(&router.send(message("small", LIMIT + 1)).await));
        router.send(message("small", LIMIT)).await.unwrap();
        router.send(message("large", LIMIT + 1)).await.unwrap();
        assert_eq!(small.recv().await.unwrap().size(), LIMIT);
        assert_eq!(large.recv().await.unwrap().size(), LIMIT + 1);
    });
}

/// A sender with a short queue passes messages on in small batches. The receiver takes them when it has no others, or when
/// there are 32.
#[test]
fn inproc_messages_under_way_are_held_by_their_sender() {
    const BODY: usize = 10_000;
    run(|| async {
        let context = Context::new();
        let pull = Socket::in_context(&context, Options::<Pull>::new());
        let endpoint = pull.bind("inproc://under-way").await.unwrap();
        let push = Socket::in_context(&context, Options::<Push>::new().send_hwm(4));
        push.connect(&endpoint).unwrap();
        let allocated = allocation_counter::measure(|| {
            for _ in 0..30 {
                push.try_send(vec![7; BODY]).unwrap();
            }
        });
        let held = push.stats().held;
        assert!(held.connections >= 10 * BODY as u64, "{held:?}");
        assert_eq!(push.peer_stats()[0].held, held);
        let (total, allocated) = (held.total() + pull.stats().held.total(), allocated.bytes_current.unsigned_abs());
        assert!(total.abs_diff(allocated) * 5 <= allocated, "{total} bytes are held, {allocated} are allocated");

        for _ in 0..30 {
            assert_eq!(pull.recv().await.unwrap().body().len(), BODY);
        }
        let held = push.stats().held;
        assert!(held.total() < BODY as u64, "{held:?}");
    });
}

/// At a port that several sockets may share, the socket that is bound to the resource admits or refuses the peer.
#[test]
fn client_refused_at_a_shared_port_loses_no_message() {
    run(|| async {
        let endpoint = format!("{ANY}/names").parse().unwrap();
        refuse_then_accept(Options::<Router>::new(), named, (endpoint, ID_TAKEN)).await;
    });
}

#[test]
fn inproc_message_has_no_address_of_its_peer() {
    run(|| async {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        pull.bind("inproc://no-address").await.unwrap();
        push.connect("inproc://no-address").unwrap();
        push.send("task").await.unwrap();
        assert_eq!(pull.recv_from().await.unwrap().1.address, None);
    });
}
