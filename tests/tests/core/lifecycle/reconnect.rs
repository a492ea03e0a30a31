//! Dialling, reconnects, and the back-off time between two dials.

use super::{PLACE, bound, close, connected, ms, pull, push, s, waits};
use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Rep, Router};
use sansmq_proto::socket::ReconnectStop;
use sansmq_proto::testing::Net;
use sansmq_proto::{Event, Instant, NetworkError, Options, Socket};
use sansmq_tests::raw_peer::{command, greeting};
use sansmq_tests::{bodies, endings, events, for_seeds, recv_all};

#[test]
fn backoff_doubles_up_to_the_cap_with_jitter() {
    let mut second = Vec::new();
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed);
        let push = connected(&mut net, push().reconnect(ms(100), ms(1000)));
        net.advance(s(20));
        let waits = waits(&mut net, push);
        assert!(waits.len() > 20, "the socket must keep dialling");
        for (wait, ceiling) in waits.iter().zip([100, 200, 400, 800].into_iter().chain([1000].into_iter().cycle())) {
            let wait = wait.expect("the socket dials again");
            assert!((ms(ceiling) / 2..=ms(ceiling)).contains(&wait), "{wait:?} of {ceiling} ms");
        }
        second.push(waits[1].unwrap());
    });
    second.sort_unstable();
    assert!(
        second.last().unwrap().abs_diff(second[0]) > ms(50) || second.len() == 1,
        "the back-off must differ between clients"
    );
}

#[test]
fn dial_happens_exactly_when_the_backoff_expires() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    net.settle();
    let mut announced = waits(&mut net, push)[0].unwrap();
    for _ in 0..10 {
        net.advance(announced.saturating_sub(Duration::from_nanos(1)));
        assert_eq!(events(&mut net, push), []);
        net.advance(Duration::from_nanos(1));
        let next = waits(&mut net, push);
        announced = next[0].unwrap();
    }
}

#[test]
fn default_backoff_cap_is_five_seconds() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    net.advance(s(365 * 24 * 3600 / 1000));
    let waits = waits(&mut net, push);
    assert!(waits.iter().flatten().all(|wait| *wait <= s(5)));
    assert!(waits.iter().flatten().any(|wait| *wait > s(4)));
}

#[test]
fn backoff_resets_after_a_lasting_connection() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    net.advance(s(60));
    bound(&mut net, pull());
    net.advance(s(60));
    events(&mut net, push);
    net.reset_connections(push);
    net.settle();
    assert!(waits(&mut net, push)[0].unwrap() <= ms(100));
    net.advance(s(1));
    assert_eq!(net.connections(push), 1);
}

#[test]
fn backoff_grows_when_the_server_accepts_and_closes() {
    let named = || Options::<Dealer>::new().routing_id("same").unwrap();
    let mut net = Net::seeded(1).latency(ms(1)..=ms(2));
    let router = bound(&mut net, Options::<Router>::new());
    for _ in 0..2 {
        connected(&mut net, named());
        net.advance(ms(20));
        events(&mut net, router);
    }
    net.advance(s(100));
    let rejected = endings(&events(&mut net, router)).len();
    assert!((20..60).contains(&rejected), "{rejected} rejected connections in 100 s");
}

#[test]
fn refused_dial_is_repeated_with_longer_pauses_to_a_minute() {
    let mut net = Net::seeded(1).chunks(1..=9);
    let bound = bound(&mut net, push());
    let other = connected(&mut net, push());
    net[other].send("kept").unwrap();
    net.advance(s(1000));
    let log = events(&mut net, other);
    let reason = "a PUSH socket is not compatible with a PUSH socket; the peers of a PUSH are PULL";
    let refused = "the peer refused the connection: incompatible socket type";
    assert!(endings(&log).iter().all(|end| [reason, refused].contains(&end.as_str())));
    let pauses = log.iter().filter_map(|event| match event {
        Event::HandshakeFailed { retry, .. } => Some(retry.expect("the socket dials again")),
        _ => None,
    });
    let pauses: Vec<_> = pauses.collect();
    assert!(pauses.len() > 16, "{pauses:?}");
    for (pause, ceiling) in pauses.iter().zip([1, 2, 4, 8, 16, 32].into_iter().chain([60].into_iter().cycle())) {
        assert!((s(ceiling) / 2..=s(ceiling)).contains(pause), "{pause:?} of {ceiling} s");
    }
    assert_eq!(sansmq_tests::dropped(&log, sansmq_proto::socket::DropReason::Undelivered), 0);
    net.restart(bound, pull());
    net.bind(bound, PLACE);
    net.advance(s(60));
    assert_eq!(bodies(&recv_all(&mut net, bound)), ["kept"]);
}

#[test]
fn refusals_and_failed_dials_have_separate_pauses() {
    let mut net = Net::seeded(1);
    let options = push().reconnect(ms(100), s(5)).reconnect_refused(s(1), s(10));
    let dialler = connected(&mut net, options);
    net.advance(s(60));
    assert!(waits(&mut net, dialler).last().unwrap().unwrap() > s(2));
    bound(&mut net, push());
    net.advance(s(6));
    let first = waits(&mut net, dialler).into_iter().flatten().next().unwrap();
    assert!((ms(500)..=s(1)).contains(&first), "the first refusal begins with the shortest pause, not {first:?}");
}

#[test]
fn reconnect_stop_error_received_ends_dialling() {
    for (error_received, dials_again) in [(false, true), (true, false)] {
        let mut net = Net::seeded(1);
        let stop = ReconnectStop { error_received, ..ReconnectStop::default() };
        let push = net.socket(push().reconnect_stop(stop));
        let pipe = net[push].connect(PLACE.parse().unwrap(), Instant::ORIGIN).unwrap();
        let mut connection = net[push].connected(pipe, Instant::ORIGIN).unwrap();
        let input = [greeting("NULL"), command("ERROR", b"\x03400")].concat();
        let error = connection.handle_input(&input, Instant::ORIGIN).unwrap_err();
        net[push].disconnected(pipe, connection, &error, Instant::ORIGIN);
        assert_eq!(waits(&mut net, push).iter().map(Option::is_some).collect::<Vec<_>>(), [dials_again]);
    }
}

#[test]
fn incompatible_peer_does_not_affect_others() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=9).latency(ms(0)..=ms(5));
        let pull = bound(&mut net, pull());
        let wrong = connected(&mut net, Options::<Rep>::new());
        let right = connected(&mut net, push());
        net[right].send("hello").unwrap();
        assert_eq!(bodies(&recv_all(&mut net, pull)), ["hello"]);
        assert_eq!((net.connections(pull), net.connections(wrong)), (1, 0));
    });
}

#[test]
fn no_reconnect_stops_after_a_failed_dial_or_lost_connection() {
    let mut net = Net::seeded(1);
    let dialler = connected(&mut net, push().no_reconnect());
    net.advance(s(10));
    assert_eq!(waits(&mut net, dialler), [None]);
    assert_eq!(net[dialler].peers(), 0);

    let pull = bound(&mut net, pull());
    let push = connected(&mut net, push().no_reconnect());
    net.settle();
    net.reset_connections(push);
    net.advance(s(10));
    assert_eq!(waits(&mut net, push), [None]);
    assert_eq!((net[push].peers(), net[pull].peers()), (0, 0));
}

#[test]
fn connect_before_bind_loses_no_message() {
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=9).latency(ms(0)..=ms(30)).capacity(50);
        let push = connected(&mut net, push());
        for number in 0..20 {
            net[push].send(number.to_string()).unwrap();
            net.advance(ms(50));
        }
        let pull = bound(&mut net, pull());
        net.advance(s(10));
        let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&recv_all(&mut net, pull)), expected);
    });
}

#[test]
fn messages_wait_while_the_peer_is_away() {
    let mut net = Net::seeded(1).chunks(1..=9);
    let server = bound(&mut net, pull());
    let push = connected(&mut net, push());
    net[push].send("before").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["before"]);
    net.restart(server, pull());
    net.advance(s(1));
    net[push].send("meanwhile").unwrap();
    net.advance(s(60));
    net.bind(server, PLACE);
    net.advance(s(6));
    net[push].send("after").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["meanwhile", "after"]);
}

#[test]
fn monitor_emits_all_events_with_reasons() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    net.settle();
    let pull = bound(&mut net, pull());
    net.advance(s(1));
    net.reset_connections(push);
    net.settle();
    let now = net.now();
    net[push].disconnect(&PLACE.parse().unwrap(), now).unwrap();
    net[pull].unbind(&PLACE.parse().unwrap(), now).unwrap();
    net.advance(s(10));
    for socket in [push, pull] {
        close(&mut net, socket);
    }
    let log = events(&mut net, push);
    assert!(matches!(
        &log[..],
        [
            Event::Connecting { .. },
            Event::ConnectFailed { error: NetworkError::Refused, retry: Some(_), .. },
            Event::Connecting { .. },
            Event::Connected { .. },
            Event::Ready { .. },
            Event::Disconnected { retry: Some(_), .. },
            Event::ConnectCancelled { .. },
            Event::Closed,
        ]
    ));
    assert_eq!(endings(&log), ["the network failed: the peer reset the connection"]);
    let log = events(&mut net, pull);
    assert!(matches!(
        &log[..],
        [
            Event::Listening { .. },
            Event::Accepted { .. },
            Event::Ready { .. },
            Event::Disconnected { retry: None, .. },
            Event::ListenerClosed { .. },
            Event::Closed,
        ]
    ));
}

#[test]
fn unsent_messages_are_sent_on_the_next_connection() {
    let mut net = Net::seeded(1).capacity(100);
    let pull = bound(&mut net, pull());
    let push = connected(&mut net, push());
    net.settle();
    net.freeze(pull);
    for number in 0..100 {
        net[push].send((vec![7; 10_000], format!("{number:02}"))).unwrap();
        net.settle();
    }
    net.reset_connections(push);
    net.settle();
    let lost = sansmq_tests::dropped(&events(&mut net, push), sansmq_proto::socket::DropReason::Undelivered);
    assert!(lost <= 8, "at most the batch that was being sent may be lost, but {lost} messages were");
    net.thaw(pull);
    net.advance(s(1));
    let expected: Vec<_> = (lost..100).map(|number| format!("{number:02}")).collect();
    assert_eq!(bodies(&recv_all(&mut net, pull)), expected);
}

#[test]
fn inproc_connect_waits_for_a_bind_without_timeout() {
    let options = push().connect_timeout(s(1)).no_reconnect();
    let mut push = Socket::new(options, SeededEntropy::new(1));
    push.connect("inproc://later".parse().unwrap(), Instant::ORIGIN).unwrap();
    push.send("early").unwrap();
    assert_eq!(push.poll_timeout(), None, "a timeout would end the connect and drop the message");
}
