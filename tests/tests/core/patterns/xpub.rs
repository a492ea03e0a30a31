//! XPUB and XSUB: subscriptions as messages.

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

/// What the socket was told, a subscription as `+topic` and its end as `-topic`.
fn told(net: &mut Net, node: NodeId) -> Vec<String> {
    let told = recv_all(net, node).into_iter().map(|message| match message.head().split_first() {
        Some((1, topic)) => format!("+{}", topic.escape_ascii()),
        Some((0, topic)) => format!("-{}", topic.escape_ascii()),
        _ => format!("{message:?}"),
    });
    told.collect()
}

/// Has sockets say these subscriptions (`+topic`) and cancels (`-topic`), one after another.
fn say(net: &mut Net, words: &[(NodeId, &str)]) {
    for (node, word) in words {
        let (sign, topic) = word.split_at(1);
        net[*node].send([&[u8::from(sign == "+")], topic.as_bytes()].concat()).unwrap();
        net.settle();
    }
}

#[test]
fn an_xpub_hears_of_the_first_subscription_and_of_the_last_cancel() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub(), [xsub(), xsub()]);
    say(&mut net, &[(a, "+topic"), (b, "+topic"), (a, "+topic"), (a, "+"), (b, "+to")]);
    assert_eq!(told(&mut net, publisher), ["+topic", "+", "+to"]);
    say(&mut net, &[(a, "-topic"), (a, "-topic")]);
    assert_eq!(told(&mut net, publisher), [""; 0]);
    say(&mut net, &[(b, "-topic"), (a, "-")]);
    assert_eq!(told(&mut net, publisher), ["-topic", "-"]);
}

#[test]
fn verbose_tells_of_every_subscription_and_verboser_of_every_cancel_too() {
    for (options, expected) in [
        (xpub().verbose(true), &["+t", "+t", "+t", "-t"][..]),
        (xpub().verboser(true), &["+t", "+t", "+t", "-t", "-t"]),
        (xpub().verboser(true).verbose(true), &["+t", "+t", "+t", "-t"]),
        (xpub().verbose(true).verboser(false), &["+t", "-t"]),
    ] {
        let mut net = net();
        let (publisher, [a, b]) = star(&mut net, options, [xsub(), xsub()]);
        say(&mut net, &[(a, "+t"), (b, "+t"), (a, "+t"), (a, "-t"), (a, "-t"), (b, "-t")]);
        assert_eq!(told(&mut net, publisher), expected);
    }
}

#[test]
fn the_end_of_what_is_not_subscribed_to_is_no_news_except_to_who_wants_all() {
    for (options, expected) in [
        (xpub(), &[""; 0][..]),
        (xpub().verbose(true), &[]),
        (xpub().manual(true), &[]),
        (xpub().verboser(true), &["-t"]),
    ] {
        let mut net = net();
        // With this an XSUB says every cancel of what it holds; the publisher ends it at the first.
        let (publisher, [a, b]) = star(&mut net, options, [xsub().verbose_unsubscribe(true), xsub()]);
        say(&mut net, &[(b, "-never"), (b, "+t"), (a, "+t"), (a, "+t"), (a, "-t")]);
        told(&mut net, publisher);
        say(&mut net, &[(a, "-t")]);
        assert_eq!(told(&mut net, publisher), expected);
    }
}

#[test]
fn who_vanished_gave_up_all_its_subscriptions() {
    let all = ["-a", "-both"];
    for (options, expected) in [
        (xpub(), &["-a"][..]),
        (xpub().verboser(true), &all),
        (xpub().manual(true), &all),
        (xpub().verbose(true), &["-a"]),
    ] {
        let mut net = net();
        let (publisher, [a, b]) = star(&mut net, options, [xsub().no_reconnect(), xsub()]);
        say(&mut net, &[(a, "+a"), (a, "+both"), (b, "+both")]);
        told(&mut net, publisher);
        net.cut(a);
        let mut got = told(&mut net, publisher);
        got.sort();
        assert_eq!(got, expected);
        assert_eq!(net[publisher].peers(), 1);
    }
}

#[test]
fn news_of_many_peers_come_in_the_order_in_which_they_happened() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub(), [xsub(), xsub()]);
    say(&mut net, &[(a, "+t"), (a, "-t"), (b, "+t"), (b, "+u"), (a, "+u"), (a, "+t"), (b, "-t"), (a, "-t")]);
    assert_eq!(told(&mut net, publisher), ["+t", "-t", "+t", "+u", "-t"]);
}

#[test]
fn what_a_peer_said_is_received_though_its_pipe_was_ended() {
    let mut net = net();
    let (publisher, [a, b]) = fan(&mut net, xpub(), [xsub(), xsub()]);
    say(&mut net, &[(a, "+both"), (a, "+a"), (b, "+both")]);
    let now = net.now();
    net[publisher].disconnect(&"tcp://place:1".parse().unwrap(), now).unwrap();
    assert_eq!(told(&mut net, publisher), ["+both", "+a", "-a"]);
    assert_eq!((net[publisher].subscriber_count("both"), net[publisher].peers()), (1, 1));
}

#[test]
fn an_xpub_closes_though_its_peers_had_subscriptions() {
    for options in [xpub(), xpub().manual(true)] {
        let mut net = net();
        let (publisher, [a]) = star(&mut net, options, [xsub()]);
        say(&mut net, &[(a, "+a"), (a, "+b")]);
        let now = net.now();
        net[publisher].close(now);
        net.settle();
        assert!(net[publisher].is_closed());
    }
}

#[test]
fn a_peer_whose_words_are_not_received_is_not_listened_to_and_none_is_lost() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub().recv_hwm(3), [xsub()]);
    for topic in 'a'..='z' {
        net[a].subscribe(topic.to_string()).unwrap();
    }
    net.settle();
    assert_eq!(net[publisher].subscription_count(), 3);
    assert_eq!(told(&mut net, publisher).len(), 26);
    assert_eq!(net[publisher].subscription_count(), 26);
}

#[test]
fn the_application_decides_what_is_sent_if_it_is_asked_to() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub().manual(true), [xsub(), xsub().no_reconnect()]);
    assert_eq!(net[publisher].subscribe("x"), Err(SubscribeError::NoRequest));
    say(&mut net, &[(a, "+a"), (b, "+b")]);
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
    say(&mut net, &[(a, "-a")]);
    assert_eq!(told(&mut net, publisher), ["-a"]);
    assert_eq!(net[publisher].unsubscribe("XB"), Err(SubscribeError::NotSubscribed), "that is another's");
    net[publisher].unsubscribe("XA").unwrap();
    net[publisher].send("XA2").unwrap();
    assert_eq!(recv_all(&mut net, a), []);
    assert_eq!(net[publisher].subscription_count(), 1);
    net.cut(b);
    assert_eq!(told(&mut net, publisher), ["-b"], "what was asked for, not what was granted");
    assert_eq!(net[publisher].subscription_count(), 0);
}

#[test]
fn a_request_of_who_is_gone_can_be_received_and_not_granted() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, xpub().manual(true), [xsub().no_reconnect(), xsub()]);
    say(&mut net, &[(a, "+a"), (b, "+b")]);
    net.cut(a);
    net.settle();
    assert_eq!(net[publisher].recv().unwrap(), message(["\x01a"]));
    assert_eq!(net[publisher].subscribe("a"), Err(SubscribeError::NoRequest));
    assert_eq!(net[publisher].recv().unwrap(), message(["\x01b"]));
    net[publisher].subscribe("b").unwrap();
    assert_eq!(told(&mut net, publisher), ["-a"]);
    assert_eq!((net[publisher].subscriber_count("a"), net[publisher].subscriber_count("b")), (0, 1));
}

#[test]
fn a_last_value_goes_to_who_asked_alone() {
    let mut net = net();
    let (publisher, [old, new]) = star(&mut net, xpub().manual_last_value(true), [xsub(), xsub().no_reconnect()]);
    for node in [old, new] {
        say(&mut net, &[(node, "+t")]);
        assert_eq!(told(&mut net, publisher), ["+t"]);
        net[publisher].subscribe("t").unwrap();
        net[publisher].send("t last").unwrap();
        net[publisher].send("t next").unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t last", "t next", "t next"]);
    assert_eq!(bodies(&recv_all(&mut net, new)), ["t last", "t next"]);

    say(&mut net, &[(new, "+u")]);
    assert_eq!(told(&mut net, publisher), ["+u"]);
    net[publisher].send("t for all").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t for all"], "nothing was granted");
    net[publisher].subscribe("u").unwrap();
    net.cut(new);
    net.settle();
    net[publisher].send("t last").unwrap();
    assert_eq!(recv_all(&mut net, old), [], "it was for one who is gone");
    assert_eq!(net[publisher].subscribe("v"), Err(SubscribeError::NoRequest));
    net[publisher].send("t next").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, old)), ["t next"]);
}

#[test]
fn a_welcome_comes_first_and_once_for_each_connection() {
    let mut net = net();
    let (publisher, [all, some]) =
        star(&mut net, xpub().welcome_message("welcome"), [Options::<Sub>::new(), Options::<Sub>::new()]);
    net[all].subscribe("").unwrap();
    net[some].subscribe("news").unwrap();
    net.settle();
    net[publisher].send("news").unwrap();
    // What came before there was a subscription, the SUB itself has dropped.
    assert_eq!(bodies(&recv_all(&mut net, all)), ["news"]);
    net.cut(all);
    net.pass(Duration::from_secs(1));
    net[publisher].send("news").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, all)), ["welcome", "news"]);
    assert_eq!(bodies(&recv_all(&mut net, some)), ["news", "news"], "a SUB takes only what it subscribed to");
}

#[test]
fn what_an_xsub_says_besides_reaches_an_xpub_and_a_pub_drops_it() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub(), [xsub()]);
    let words = [message(["user"]), message(["two", "\x01frames"]), message([""])];
    for word in &words {
        net[a].send(word.clone()).unwrap();
    }
    assert_eq!(recv_all(&mut net, publisher), words);
    assert_eq!((net[publisher].subscription_count(), net[a].subscription_count()), (0, 0));

    let mut net = super::net();
    let (publisher, [a]) = star(&mut net, Options::<Pub>::new(), [xsub()]);
    say(&mut net, &[(a, "+a")]);
    for word in words {
        net[a].send(word).unwrap();
    }
    net.settle();
    assert_eq!(net[publisher].subscriber_count("a"), 1);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::Unexpected), 3);
    assert_eq!(net[publisher].recv(), Err(RecvError::Unsupported(sansmq_proto::SocketType::Pub)));
}

#[test]
fn only_the_first_frame_subscribes_unless_all_are_to_be_looked_at() {
    for only_first in [true, false] {
        let mut net = net();
        let options = (xpub().only_first_subscribe(only_first), xsub().only_first_subscribe(only_first));
        let (publisher, [a]) = star(&mut net, options.0, [options.1]);
        net[a].send(["user", "\x01a"]).unwrap();
        let expected =
            if only_first { vec![message(["user", "\x01a"])] } else { vec![message(["\x01a"]), message(["user"])] };
        let mut got = recv_all(&mut net, publisher);
        got.sort_by_key(|message| message.head().clone());
        assert_eq!(got, expected);
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
fn an_xpub_looks_into_messages_of_several_frames_itself() {
    let mut net = net();
    let (publisher, [a]) = star(&mut net, xpub().only_first_subscribe(false), [xsub()]);
    net[a].send(["user", "\x01a"]).unwrap();
    net.settle();
    assert_eq!((net[publisher].subscriber_count("a"), net[a].subscription_count()), (1, 0));
    assert_eq!(told(&mut net, publisher), ["+a", "[\"user\"]"]);
}

#[test]
fn a_verbose_unsubscriber_says_every_cancel() {
    for verbose in [false, true] {
        let mut net = net();
        let (publisher, [a, _]) = star(&mut net, xpub().verboser(true), [xsub().verbose_unsubscribe(verbose), xsub()]);
        say(&mut net, &[(a, "+t"), (a, "+t"), (a, "-t")]);
        assert_eq!(net[publisher].subscriber_count("t"), usize::from(!verbose));
        assert_eq!(net[a].subscription_count(), 1);
    }
}

#[test]
fn a_peer_with_too_many_subscriptions_loses_its_connection_and_others_do_not() {
    // By number, and by octets: four may have 1024.
    for topics in
        [["a", "b", "c", "d", "e"].map(str::to_owned), ["a", "b", "c", "d", "e"].map(|topic| topic.repeat(300))]
    {
        let mut net = net();
        let options = xpub().max_subscriptions(4).unwrap();
        let (publisher, [greedy, modest]) = star(&mut net, options, [xsub().no_reconnect(), xsub()]);
        let long = topics[0].len() > 1;
        let fits = if long { 3 } else { 4 };
        for topic in &topics[..fits] {
            say(&mut net, &[(greedy, &format!("+{topic}"))]);
        }
        say(&mut net, &[(greedy, &format!("+{}", topics[0])), (modest, "+m")]);
        assert_eq!(net[publisher].subscription_count(), fits + 1);
        assert_eq!(endings(&events(&mut net, publisher)), [""; 0]);
        told(&mut net, publisher);
        say(&mut net, &[(greedy, &format!("+{}", topics[4]))]);
        assert!(endings(&events(&mut net, publisher))[0].contains("more than 4 subscriptions"));
        let mut expected: Vec<_> = topics[..fits].iter().map(|topic| format!("-{topic}")).collect();
        let mut got = told(&mut net, publisher);
        got.sort();
        expected.sort();
        assert_eq!(got, expected, "of the last one nobody has heard");
        net[publisher].send("m1").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, modest)), ["m1"]);
    }
}

#[test]
fn xpub_and_xsub_by_hand_are_a_proxy() {
    let mut net = net();
    let (source, [front]) = star(&mut net, Options::<Pub>::new(), [xsub()]);
    let back = net.socket(xpub());
    net.bind(back, "tcp://back:1");
    let subs = [(); 3].map(|()| net.socket(Options::<Sub>::new()));
    for sub in subs {
        net.connect(sub, "tcp://back:1");
    }
    let carry = |net: &mut Net| {
        for _ in 0..3 {
            for word in recv_all(net, back) {
                net[front].send(word).unwrap();
            }
            for news in recv_all(net, front) {
                net[back].send(news).unwrap();
            }
        }
    };
    net[subs[0]].subscribe("a").unwrap();
    net[subs[1]].subscribe("a").unwrap();
    net[subs[2]].subscribe("b").unwrap();
    carry(&mut net);
    assert_eq!(["a", "b", "c"].map(|topic| net[source].subscriber_count(topic)), [1, 1, 0]);
    for topic in ["a1", "b1", "c1"] {
        net[source].send((topic, "body")).unwrap();
    }
    carry(&mut net);
    assert_eq!(recv_all(&mut net, subs[0]), [Message::from(("a1", "body"))]);
    assert_eq!(recv_all(&mut net, subs[1]), [Message::from(("a1", "body"))]);
    assert_eq!(recv_all(&mut net, subs[2]), [Message::from(("b1", "body"))]);
    net[subs[0]].unsubscribe("a").unwrap();
    net[subs[2]].unsubscribe("b").unwrap();
    carry(&mut net);
    assert_eq!(["a", "b"].map(|topic| net[source].subscriber_count(topic)), [1, 0]);
}
