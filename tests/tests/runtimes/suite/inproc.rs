//! `inproc`: sockets of one process, joined without a network.

use super::super::fixture::{
    DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::ending;
use futures_util::future::join;
use sansmq::kind::{Dealer, Pull, Push, Router};
use sansmq::{
    BindError, ConnectionError, Context, DropReason, Endpoint, Event, Message, NetworkError, Options, SendError,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A name that no other scenario of this process has.
fn place() -> Endpoint {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    Endpoint::Inproc(format!("place {}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn who_binds_and_who_connects_first_does_not_matter() {
    run(|| async {
        for connect_first in [false, true] {
            let (place, rep, req) = (place(), RepSocket::new(), ReqSocket::new());
            if connect_first {
                req.connect(&place).unwrap();
                req.send("early").await.unwrap();
                assert_eq!(rep.bind(&place).await.unwrap(), place);
            } else {
                rep.bind(&place).await.unwrap();
                req.connect(&place).unwrap();
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

#[test]
fn who_waits_for_room_is_called_when_there_is_some_though_the_other_has_enough_to_receive() {
    run(|| async {
        let place = place();
        let pull = Socket::with(Options::<Pull>::new().recv_hwm(100));
        let push = Socket::with(Options::<Push>::new().send_hwm(1));
        pull.bind(&place).await.unwrap();
        push.connect(&place).unwrap();
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
fn a_message_goes_over_without_being_copied() {
    run(|| async {
        let (place, pull, push) = (place(), PullSocket::new(), PushSocket::new());
        pull.bind(&place).await.unwrap();
        push.connect(&place).unwrap();
        let message = Message::from(vec![7; 100_000]);
        let octets = message.head().as_ptr();
        push.send(message).await.unwrap();
        assert_eq!(pull.recv().await.unwrap().head().as_ptr(), octets);
    });
}

#[test]
fn a_name_belongs_to_one_socket_of_its_context_until_it_is_unbound() {
    run(|| async {
        let place = place();
        let other = Context::new();
        let (first, second) = (PullSocket::new(), PullSocket::new());
        let elsewhere = Socket::in_context(&other, Options::<Pull>::new());
        first.bind(&place).await.unwrap();
        let taken = second.bind(&place).await.unwrap_err();
        assert_eq!(taken, BindError::Network { endpoint: place.clone(), error: NetworkError::AddressInUse });
        elsewhere.bind(&place).await.unwrap();

        let (here, there) = (PushSocket::new(), Socket::in_context(&other, Options::<Push>::new()));
        here.connect(&place).unwrap();
        there.connect(&place).unwrap();
        here.send("here").await.unwrap();
        there.send("there").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "here");
        assert_eq!(elsewhere.recv().await.unwrap().body(), "there");

        first.unbind(&place).await.unwrap();
        second.bind(&place).await.unwrap();
        here.send("to the second").await.unwrap();
        assert_eq!(second.recv().await.unwrap().body(), "to the second", "who connected looks for the next");
    });
}

#[test]
fn both_marks_and_one_batch_hold_the_sender() {
    run(|| async {
        let place = place();
        let pull = Socket::with(Options::<Pull>::new().recv_hwm(10));
        let push = Socket::with(Options::<Push>::new().send_hwm(10));
        pull.bind(&place).await.unwrap();
        push.connect(&place).unwrap();
        let mut sent = 0_usize;
        while push.try_send(sent.to_string()).is_ok() {
            sent += 1;
            assert!(sent <= 10 + 10 + 32, "nobody makes the sender wait");
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
fn closing_delivers_what_is_queued_and_the_other_side_hears_of_it() {
    run(|| async {
        let (place, pull, push) = (place(), Socket::with(Options::<Pull>::new().recv_hwm(5)), PushSocket::new());
        let mut story = pull.monitor();
        pull.bind(&place).await.unwrap();
        push.connect(&place).unwrap();
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
        assert_eq!(ending(&mut story).await, Some(ConnectionError::Eof));
    });
}

#[test]
fn who_connected_waits_for_the_next_who_binds_and_loses_nothing_not_yet_given() {
    run(|| async {
        let (place, first) = (place(), Socket::with(Options::<Pull>::new().recv_hwm(1)));
        let push = Socket::with(Options::<Push>::new().send_hwm(50).linger(Duration::ZERO));
        let mut story = push.monitor();
        first.bind(&place).await.unwrap();
        push.connect(&place).unwrap();
        push.send("0").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "0");
        first.close().await;
        let retry = story.find(|event| match event {
            Event::Disconnected { retry, .. } => Some(retry.is_some()),
            _ => None,
        });
        assert_eq!(retry.await, Some(true));
        for number in 1..20 {
            push.send(number.to_string()).await.unwrap();
        }
        let second = PullSocket::new();
        second.bind(&place).await.unwrap();
        for number in 1..20 {
            assert_eq!(second.recv().await.unwrap().body().to_text(), number.to_string());
        }
        second.close().await;
        push.send("to nobody").await.unwrap();
        assert_eq!(push.close().await.unsent, 1);
    });
}

#[test]
fn a_router_knows_its_peers_by_the_ids_they_announce() {
    run(|| async {
        let place = place();
        let router = Socket::with(Options::<Router>::new().mandatory(true));
        router.bind(&place).await.unwrap();
        let named = Socket::with(Options::<Dealer>::new().routing_id("me").unwrap());
        let nameless = DealerSocket::new();
        for dealer in [&named, &nameless] {
            dealer.connect(&place).unwrap();
            dealer.send("hello").await.unwrap();
        }
        let [id, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&id, &body), (&"me".into(), &"hello".into()));
        let [other, _] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((other.len(), other[0]), (9, 0));
        router.send(("me", "one")).await.unwrap();
        router.send((other, "two")).await.unwrap();
        assert_eq!(named.recv().await.unwrap().body(), "one");
        assert_eq!(nameless.recv().await.unwrap().body(), "two");
        named.close().await;
        let gone = router.send(("me", "gone")).await;
        assert!(matches!(gone, Err(SendError::Unroutable(_))), "{gone:?}");
    });
}

#[test]
fn sockets_that_do_not_speak_with_each_other_are_told_so() {
    run(|| async {
        let (place, pull, dealer) = (place(), PullSocket::new(), DealerSocket::new());
        let mut story = dealer.monitor();
        pull.bind(&place).await.unwrap();
        dealer.connect(&place).unwrap();
        let reason = story.find(|event| match event {
            Event::HandshakeFailed { reason, retry: None, .. } => Some(reason.to_string()),
            _ => None,
        });
        assert_eq!(reason.await.as_deref(), Some("a DEALER socket does not speak with a PULL socket"));
    });
}

#[test]
fn a_second_peer_of_a_pair_is_refused_and_the_first_stays() {
    run(|| async {
        let (place, server) = (place(), PairSocket::new());
        let mut story = server.monitor();
        server.bind(&place).await.unwrap();
        let (first, second) = (PairSocket::new(), PairSocket::new());
        first.connect(&place).unwrap();
        second.connect(&place).unwrap();
        assert_eq!(ending(&mut story).await, Some(ConnectionError::PairInUse));
        server.send("still here").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "still here");
    });
}

#[test]
fn a_socket_may_be_its_own_peer_and_be_bound_to_both_network_and_process() {
    run(|| async {
        let place = place();
        let router = Socket::with(Options::<Router>::new().routing_id("self").unwrap());
        router.bind(&place).await.unwrap();
        let network = router.bind("tcp://127.0.0.1:*").await.unwrap();
        router.connect_as(&place, "peer").unwrap();
        router.send(("peer", "note to self")).await.unwrap();
        let [from, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&from, &body), (&"self".into(), &"note to self".into()));
        let dealer = DealerSocket::new();
        dealer.connect(&network).unwrap();
        dealer.send("from afar").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "from afar");
    });
}

#[test]
fn a_router_tells_of_what_it_drops_for_a_peer_that_does_not_receive() {
    run(|| async {
        let place = place();
        let router = Socket::with(Options::<Router>::new().send_hwm(1));
        let mut story = router.monitor();
        router.bind(&place).await.unwrap();
        let dealer = Socket::with(Options::<Dealer>::new().routing_id("d").unwrap().recv_hwm(1));
        dealer.connect(&place).unwrap();
        dealer.send("here").await.unwrap();
        router.recv().await.unwrap();
        for _ in 0..1000 {
            router.send(("d", "x")).await.unwrap();
        }
        let dropped =
            story.find(|event| matches!(event, Event::Dropped { reason: DropReason::PeerFull, .. }).then_some(()));
        assert_eq!(dropped.await, Some(()));
    });
}

#[test]
fn many_tasks_bind_connect_send_and_close_at_once() {
    run(|| async {
        let place = place();
        let router = RouterSocket::new();
        let clients: Vec<_> = (0..16)
            .map(|client| {
                let place = place.clone();
                spawn(async move {
                    for round in 0..20 {
                        let dealer = DealerSocket::new();
                        dealer.connect(&place).unwrap();
                        dealer.send(format!("{client} {round}")).await.unwrap();
                        assert_eq!(dealer.recv().await.unwrap().body().to_text(), format!("{client} {round}"));
                        if round % 2 == 0 {
                            dealer.close().await;
                        }
                    }
                })
            })
            .collect();
        router.bind(&place).await.unwrap();
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
