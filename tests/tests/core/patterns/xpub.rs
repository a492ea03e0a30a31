//! Tests of the behaviour of XPUB and XSUB sockets, which receive and send subscriptions as messages.

use super::{fan, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Pub, Sub, XPub, XSub};
use sansmq_proto::socket::{DropReason, SubscribeError};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, RecvError};
use sansmq_tests::{bodies, dropped, endings, events, recv_all};

fn xpub() -> Options<XPub> {
    Options::new()
}

fn xsub() -> Options<XSub> {
    Options::new()
}

/// Receives all subscription changes at a socket: returns a subscribe as `+topic` and a cancel as `-topic`.
fn recv_changes(net: &mut Net, node: NodeId) -> Vec<String> {
    let changes = recv_all(net, node).into_iter().map(|message| match message.head().split_first() {
        Some((1, topic)) => format!("+{}", topic.escape_ascii()),
        Some((0, topic)) => format!("-{}", topic.escape_ascii()),
        _ => format!("{message:?}"),
    });
    changes.collect()
}

/// Sends subscribes (`+topic`) and cancels (`-topic`), one after another.
fn send_changes(net: &mut Net, changes: &[(NodeId, &str)]) {
    for (node, change) in changes {
        let (sign, topic) = change.split_at(1);
        net[*node].send([&[u8::from(sign == "+")], topic.as_bytes()].concat()).unwrap();
        net.settle();
    }
}

#[test]
fn xpub_receives_first_subscribe_and_last_cancel() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub(), [xsub(), xsub()]);
    send_changes(&mut net, &[(a, "+topic"), (b, "+topic"), (a, "+topic"), (a, "+"), (b, "+to")]);
    assert_eq!(recv_changes(&mut net, publisher), ["+topic", "+", "+to"]);
    send_changes(&mut net, &[(a, "-topic"), (a, "-topic")]);
    assert_eq!(recv_changes(&mut net, publisher), [""; 0]);
    send_changes(&mut net, &[(b, "-topic"), (a, "-")]);
    assert_eq!(recv_changes(&mut net, publisher), ["-topic", "-"]);
}

#[test]
fn verbose_and_verboser_deliver_duplicate_changes() {
    for (options, expected) in [
        (xpub().verbose(true), [&["+t", "+t", "+t"][..], &[], &["-t", "-t", "-t"]]),
        (xpub().verboser(true), [&["+t", "+t", "+t"], &["-t"], &["-t", "-t"]]),
        (xpub().verboser(true).verbose(true), [&["+t", "+t", "+t"], &[], &["-t", "-t", "-t"]]),
        (xpub().verbose(true).verboser(false), [&["+t"], &[], &["-t"]]),
    ] {
        let mut net = net();
        let (publisher, [a, b]) = star(&mut net, options, [xsub(), xsub()]);
        let steps = [&[(a, "+t"), (b, "+t"), (a, "+t")][..], &[(a, "-t"), (a, "-t")], &[(b, "-t")]];
        for (changes, expected) in steps.iter().zip(expected) {
            send_changes(&mut net, changes);
            assert_eq!(recv_changes(&mut net, publisher), expected);
        }
        send_changes(&mut net, &[(a, "+t"), (a, "-t")]);
        assert_eq!(recv_changes(&mut net, publisher), ["+t", "-t"], "the count begins again");
    }
}

#[test]
fn disconnect_cancels_all_subscriptions_of_the_peer() {
    let all = ["-a", "-both"];
    for (options, expected) in [
        (xpub(), &["-a"][..]),
        (xpub().verboser(true), &all),
        (xpub().manual(true), &all),
        (xpub().verbose(true), &["-a"]),
    ] {
        let mut net = net();
        let (publisher, [a, b]) = star(&mut net, options, [xsub().no_reconnect(), xsub()]);
        send_changes(&mut net, &[(a, "+a"), (a, "+both"), (b, "+both")]);
        recv_changes(&mut net, publisher);
        net.reset_connections(a);
        let mut received = recv_changes(&mut net, publisher);
        received.sort();
        assert_eq!(received, expected);
        assert_eq!(net[publisher].peers(), 1);
    }
}

#[test]
fn changes_of_several_peers_keep_their_order() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub(), [xsub(), xsub()]);
    send_changes(&mut net, &[(a, "+t"), (a, "-t"), (b, "+t"), (b, "+u"), (a, "+u"), (a, "+t"), (b, "-t"), (a, "-t")]);
    assert_eq!(recv_changes(&mut net, publisher), ["+t", "-t", "+t", "+u", "-t"]);
}

#[test]
fn queued_changes_survive_a_local_disconnect() {
    let mut net = net();
    let (publisher, [a, b]) = fan(&mut net, xpub(), [xsub(), xsub()]);
    send_changes(&mut net, &[(a, "+both"), (a, "+a"), (b, "+both")]);
    let now = net.now();
    net[publisher].disconnect(&"tcp://place:1".parse().unwrap(), now).unwrap();
    assert_eq!(recv_changes(&mut net, publisher), ["+both", "+a", "-a"]);
    assert_eq!((net[publisher].subscriber_count("both"), net[publisher].peers()), (1, 1));
}

#[test]
fn xpub_closes_with_active_subscriptions() {
    for options in [xpub(), xpub().manual(true)] {
        let mut net = net();
        let (publisher, [a]) = star(&mut net, options, [xsub()]);
        send_changes(&mut net, &[(a, "+a"), (a, "+b")]);
        let now = net.now();
        net[publisher].close(now);
        net.settle();
        assert!(net[publisher].is_closed());
    }
}

#[test]
fn full_xpub_stops_reading_and_loses_no_changes() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub().recv_hwm(3), [xsub()]);
    for topic in 'a'..='z' {
        net[a].subscribe(topic.to_string()).unwrap();
    }
    net.settle();
    assert_eq!(net[publisher].subscription_count(), 3);
    assert_eq!(recv_changes(&mut net, publisher).len(), 26);
    assert_eq!(net[publisher].subscription_count(), 26);
}

#[test]
fn manual_xpub_subscribes_only_by_its_application() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub().manual(true), [xsub(), xsub().no_reconnect()]);
    assert_eq!(net[publisher].subscribe("x"), Err(SubscribeError::NoRequest));
    send_changes(&mut net, &[(a, "+a"), (b, "+b")]);
    net[publisher].send("a0").unwrap();
    for granted in ["XA", "XB"] {
        net[publisher].recv().unwrap();
        net[publisher].subscribe(granted).unwrap();
    }
    for topic in ["a1", "b1", "XA1", "XB1"] {
        net[publisher].send(topic).unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, a)), ["XA1"]);
    assert_eq!(bodies(&recv_all(&mut net, b)), ["XB1"]);
    send_changes(&mut net, &[(a, "-a")]);
    assert_eq!(recv_changes(&mut net, publisher), ["-a"]);
    assert_eq!(
        net[publisher].unsubscribe("XB"),
        Err(SubscribeError::NotSubscribed),
        "the subscription belongs to another peer"
    );
    net[publisher].unsubscribe("XA").unwrap();
    net[publisher].send("XA2").unwrap();
    assert_eq!(recv_all(&mut net, a), []);
    assert_eq!(net[publisher].subscription_count(), 1);
    net.reset_connections(b);
    assert_eq!(
        recv_changes(&mut net, publisher),
        ["-b"],
        "the cancel has the topic of the peer, not of the application"
    );
    assert_eq!(net[publisher].subscription_count(), 0);
}

#[test]
fn manual_xpub_rejects_subscribe_for_a_lost_peer() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub().manual(true), [xsub().no_reconnect(), xsub()]);
    send_changes(&mut net, &[(a, "+a"), (b, "+b")]);
    net.reset_connections(a);
    net.settle();
    assert_eq!(net[publisher].recv().unwrap(), message(["\x01a"]));
    assert_eq!(net[publisher].subscribe("a"), Err(SubscribeError::NoRequest));
    assert_eq!(net[publisher].recv().unwrap(), message(["\x01b"]));
    net[publisher].subscribe("b").unwrap();
    assert_eq!(recv_changes(&mut net, publisher), ["-a"]);
    assert_eq!((net[publisher].subscriber_count("a"), net[publisher].subscriber_count("b")), (0, 1));
}

#[test]
fn manual_last_value_is_sent_to_the_newest_subscriber() {
    let mut net = net();
    let (publisher, [old, new]) = star(&mut net, xpub().manual_last_value(true), [xsub(), xsub().no_reconnect()]);
    for node in [old, new] {
        send_changes(&mut net, &[(node, "+t")]);
        assert_eq!(recv_changes(&mut net, publisher), ["+t"]);
        net[publisher].subscribe("t").unwrap();
        net[publisher].send("t last").unwrap();
        net[publisher].send("t next").unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t last", "t next", "t next"]);
    assert_eq!(bodies(&recv_all(&mut net, new)), ["t last", "t next"]);

    send_changes(&mut net, &[(new, "+u")]);
    assert_eq!(recv_changes(&mut net, publisher), ["+u"]);
    net[publisher].send("t for all").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t for all"], "the application has not subscribed the new peer");
    net[publisher].subscribe("u").unwrap();
    net.reset_connections(new);
    net.settle();
    net[publisher].send("t last").unwrap();
    assert_eq!(recv_all(&mut net, old), [], "the message was for a lost peer");
    assert_eq!(net[publisher].subscribe("v"), Err(SubscribeError::NoRequest));
    net[publisher].send("t next").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t next"]);
}

#[test]
fn welcome_message_is_sent_first_on_each_connection() {
    let mut net = net();
    let (publisher, [all, some]) =
        star(&mut net, xpub().welcome_message("welcome"), [Options::<Sub>::new(), Options::<Sub>::new()]);
    net[all].subscribe("").unwrap();
    net[some].subscribe("news").unwrap();
    net.settle();
    net[publisher].send("news").unwrap();
    // The first welcome message arrived before the subscription, so the SUB has dropped it.
    assert_eq!(bodies(&recv_all(&mut net, all)), ["news"]);
    net.reset_connections(all);
    net.advance(Duration::from_secs(1));
    net[publisher].send("news").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, all)), ["welcome", "news"]);
    assert_eq!(bodies(&recv_all(&mut net, some)), ["news", "news"], "a SUB receives only matching messages");
}

#[test]
fn xsub_messages_reach_an_xpub_and_are_dropped_by_a_pub() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub(), [xsub()]);
    let messages = [message(["user"]), message(["two", "\x01frames"]), message([""])];
    for message in &messages {
        net[a].send(message.clone()).unwrap();
    }
    assert_eq!(recv_all(&mut net, publisher), messages);
    assert_eq!((net[publisher].subscription_count(), net[a].subscription_count()), (0, 0));

    let mut net = super::net();
    let (publisher, [a]) = star(&mut net, Options::<Pub>::new(), [xsub()]);
    send_changes(&mut net, &[(a, "+a")]);
    for message in messages {
        net[a].send(message).unwrap();
    }
    net.settle();
    assert_eq!(net[publisher].subscriber_count("a"), 1);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::Unexpected), 3);
    assert_eq!(net[publisher].recv(), Err(RecvError::Unsupported(sansmq_proto::SocketType::Pub)));
}

#[test]
fn only_first_subscribe_does_not_parse_user_messages() {
    for only_first in [true, false] {
        let mut net = net();
        let options = (xpub().only_first_subscribe(only_first), xsub().only_first_subscribe(only_first));
        let (publisher, [a]) = star(&mut net, options.0, [options.1]);
        net[a].send(["user", "\x01a"]).unwrap();
        let expected =
            if only_first { vec![message(["user", "\x01a"])] } else { vec![message(["\x01a"]), message(["user"])] };
        let mut received = recv_all(&mut net, publisher);
        received.sort_by_key(|message| message.head().clone());
        assert_eq!(received, expected);
        net[a].send(["\x01b", "\x01c", "rest"]).unwrap();
        net.settle();
        assert_eq!(
            ["a", "b", "c"].map(|topic| net[publisher].subscriber_count(topic)),
            [usize::from(!only_first), 1, 1]
        );
        assert_eq!(recv_all(&mut net, publisher).last(), Some(&message(["rest"])));
    }
}

#[test]
fn xpub_parses_all_frames_without_only_first_subscribe() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub().only_first_subscribe(false), [xsub()]);
    net[a].send(["user", "\x01a"]).unwrap();
    net.settle();
    assert_eq!((net[publisher].subscriber_count("a"), net[a].subscription_count()), (1, 0));
    assert_eq!(recv_changes(&mut net, publisher), ["+a", "[\"user\"]"]);
}

#[test]
fn repeated_subscription_of_an_xsub_ends_with_its_last_cancel() {
    for options in [xpub(), xpub().verbose(true), xpub().verboser(true), xpub().manual(true)] {
        let mut net = net();
        let (publisher, [a]) = star(&mut net, options, [xsub().verbose_unsubscribe(true)]);
        send_changes(&mut net, &[(a, "+t"), (a, "+t")]);
        recv_changes(&mut net, publisher);
        send_changes(&mut net, &[(a, "-t")]);
        assert_eq!((net[a].subscription_count(), recv_changes(&mut net, publisher)), (1, vec![]));
        send_changes(&mut net, &[(a, "-t")]);
        assert_ne!(recv_changes(&mut net, publisher), [""; 0]);
        assert_eq!((net[publisher].subscription_count(), net[a].subscription_count()), (0, 0));
    }
}

#[test]
fn peer_with_too_many_subscriptions_is_disconnected() {
    // Limit by number, and by bytes: four subscriptions may have 1024 bytes.
    for topics in
        [["a", "b", "c", "d", "e"].map(str::to_owned), ["a", "b", "c", "d", "e"].map(|topic| topic.repeat(300))]
    {
        let mut net = net();
        let options = xpub().max_subscriptions(4);
        let (publisher, [greedy, modest]) = star(&mut net, options, [xsub().no_reconnect(), xsub()]);
        let long = topics[0].len() > 1;
        let fits = if long { 3 } else { 4 };
        for topic in &topics[..fits] {
            send_changes(&mut net, &[(greedy, &format!("+{topic}"))]);
        }
        send_changes(&mut net, &[(greedy, &format!("+{}", topics[0])), (modest, "+m")]);
        assert_eq!(net[publisher].subscription_count(), fits + 1);
        assert_eq!(endings(&events(&mut net, publisher)), [""; 0]);
        recv_changes(&mut net, publisher);
        send_changes(&mut net, &[(greedy, &format!("+{}", topics[4]))]);
        assert!(endings(&events(&mut net, publisher))[0].contains("more than 4 subscriptions"));
        let mut expected: Vec<_> = topics[..fits].iter().map(|topic| format!("-{topic}")).collect();
        let mut received = recv_changes(&mut net, publisher);
        received.sort();
        expected.sort();
        assert_eq!(received, expected, "the rejected subscription must not be delivered");
        net[publisher].send("m1").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, modest)), ["m1"]);
    }
}

#[test]
fn too_long_subscription_disconnects_only_its_peer() {
    let mut net = net();
    let options = xpub().max_subscription_size(10);
    let (publisher, [greedy, modest]) = star(&mut net, options, [xsub().no_reconnect(), xsub()]);
    send_changes(&mut net, &[(greedy, "+0123456789"), (modest, "+m")]);
    assert_eq!(net[publisher].subscription_count(), 2);
    recv_changes(&mut net, publisher);
    send_changes(&mut net, &[(greedy, "+0123456789A")]);
    assert!(endings(&events(&mut net, publisher))[0].contains("a prefix of 11 bytes, but the limit is 10"));
    assert_eq!(recv_changes(&mut net, publisher), ["-0123456789"], "the rejected subscription must not be delivered");
    net[publisher].send("m1").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, modest)), ["m1"]);
}

/// Forwards messages between the two sockets of each proxy, an XSUB and an XPUB, in both directions until none is left.
fn forward(net: &mut Net, proxies: &[(NodeId, NodeId)]) {
    for _ in 0..=2 * proxies.len() {
        for &(front, back) in proxies {
            for change in recv_all(net, back) {
                net[front].send(change).unwrap();
            }
            for message in recv_all(net, front) {
                net[back].send(message).unwrap();
            }
        }
    }
    net.settle();
}

/// Publishes to three SUB sockets behind one proxy, and behind two in a row, while one SUB after another leaves. The
/// XPUB of each proxy has these options, and the XSUB has `verbose_unsubscribe` on or off.
fn check_subscribers_behind_proxies(options: &Options<XPub>) {
    for count in [1, 2] {
        for each in [true, false] {
            let mut net = net();
            let source = net.socket(Options::<Pub>::new());
            net.bind(source, "tcp://place:1");
            let proxies: Vec<_> = (1..=count)
                .map(|number| {
                    let (front, back) = (net.socket(xsub().verbose_unsubscribe(each)), net.socket(options.clone()));
                    net.connect(front, &format!("tcp://place:{number}"));
                    net.bind(back, &format!("tcp://place:{}", number + 1));
                    (front, back)
                })
                .collect();
            let subs = [(); 3].map(|()| net.socket(Options::<Sub>::new().no_reconnect()));
            for sub in subs {
                net.connect(sub, &format!("tcp://place:{}", count + 1));
                net[sub].subscribe("t").unwrap();
                net.settle();
            }
            // A SUB sends both subscriptions, but only one cancellation.
            net[subs[1]].subscribe("t").unwrap();
            for (gone, sub) in subs.iter().enumerate() {
                forward(&mut net, &proxies);
                net[source].send("t").unwrap();
                net.settle();
                forward(&mut net, &proxies);
                let received = subs.map(|sub| recv_all(&mut net, sub).len());
                let expected = [0, 1, 2].map(|index| usize::from(index >= gone));
                assert_eq!(received, expected, "{count} proxies, verbose_unsubscribe {each}");
                match gone {
                    0 => net[*sub].unsubscribe("t").unwrap(),
                    1 => {
                        net[*sub].unsubscribe("t").unwrap();
                        net[*sub].unsubscribe("t").unwrap();
                    }
                    _ => net.reset_connections(*sub),
                }
            }
            forward(&mut net, &proxies);
            assert_eq!(net[source].subscription_count(), 0, "{count} proxies, verbose_unsubscribe {each}");
        }
    }
}

#[test]
fn subscribers_behind_proxy_stay_when_another_leaves() {
    check_subscribers_behind_proxies(&xpub());
    check_subscribers_behind_proxies(&xpub().verboser(true));
}

#[test]
fn last_subscriber_behind_verbose_proxy_ends_subscription() {
    check_subscribers_behind_proxies(&xpub().verbose(true));
}

#[test]
fn xpub_and_xsub_forward_as_a_proxy() {
    let mut net = net();
    let (source, [front]) = star(&mut net, Options::<Pub>::new(), [xsub()]);
    let back = net.socket(xpub());
    net.bind(back, "tcp://back:1");
    let subs = [(); 3].map(|()| net.socket(Options::<Sub>::new()));
    for sub in subs {
        net.connect(sub, "tcp://back:1");
    }
    net[subs[0]].subscribe("a").unwrap();
    net[subs[1]].subscribe("a").unwrap();
    net[subs[2]].subscribe("b").unwrap();
    forward(&mut net, &[(front, back)]);
    assert_eq!(["a", "b", "c"].map(|topic| net[source].subscriber_count(topic)), [1, 1, 0]);
    for topic in ["a1", "b1", "c1"] {
        net[source].send((topic, "body")).unwrap();
    }
    forward(&mut net, &[(front, back)]);
    assert_eq!(recv_all(&mut net, subs[0]), [Message::from(("a1", "body"))]);
    assert_eq!(recv_all(&mut net, subs[1]), [Message::from(("a1", "body"))]);
    assert_eq!(recv_all(&mut net, subs[2]), [Message::from(("b1", "body"))]);
    net[subs[0]].unsubscribe("a").unwrap();
    net[subs[2]].unsubscribe("b").unwrap();
    forward(&mut net, &[(front, back)]);
    assert_eq!(["a", "b"].map(|topic| net[source].subscriber_count(topic)), [1, 0]);
}
