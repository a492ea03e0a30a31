//! What publishers and subscribers say to each other in octets, with a peer whose part is written by hand.

use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dish, Kind, Pub, Radio, Sub, XPub, XSub};
use sansmq_proto::socket::{DropReason, SlowSubscriber};
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Event, Instant, Message, Options, PipeId, SendError, Socket,
};
use sansmq_tests::raw_peer::{MORE, command, frame, greeting, ready};

/// A socket and the one connection that came to it.
struct Seat {
    socket: Socket,
    pipe: PipeId,
    connection: Connection,
}

impl Seat {
    /// The peer speaks ZMTP 3 with this minor version.
    fn new<T: Kind>(options: Options<T>, peer: &str, minor: u8) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        socket.monitor(true);
        let now = Instant::ORIGIN;
        let listener = socket.bind("tcp://here:1".parse().unwrap());
        let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
        let mut seat = Self { socket, pipe, connection };
        seat.greet(peer, minor);
        seat.said();
        seat
    }

    /// A second connection to the same socket, which this seat is without from now on.
    fn another(&mut self, peer: &str, minor: u8) -> Self {
        let spare = Socket::new(Options::<Pub>::new(), SeededEntropy::new(1));
        let mut socket = core::mem::replace(&mut self.socket, spare);
        let listener = socket.bind("tcp://here:2".parse().unwrap());
        let place = "tcp://peer:2".parse().unwrap();
        let (pipe, connection) = socket.accepted(listener, place, Instant::ORIGIN).unwrap();
        let mut seat = Self { socket, pipe, connection };
        seat.greet(peer, minor);
        seat.said();
        seat
    }

    fn greet(&mut self, peer: &str, minor: u8) {
        let mut greeting = greeting("NULL");
        greeting[11] = minor;
        self.hear(&greeting).unwrap();
        self.connection.poll_transmit().unwrap().advance(64);
        self.hear(&ready(peer, b"")).unwrap();
    }

    fn hear(&mut self, octets: &[u8]) -> Result<(), ConnectionError> {
        self.connection.handle_input(octets, Instant::ORIGIN)?;
        self.socket.exchange(self.pipe, &mut self.connection)
    }

    /// What goes out now.
    fn said(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        loop {
            self.socket.exchange(self.pipe, &mut self.connection).unwrap();
            let Some(out) = self.connection.poll_transmit() else { return octets };
            octets.extend_from_slice(&out.copy_to_bytes(out.remaining()));
        }
    }

    fn is_writable(&mut self) -> bool {
        let actions: Vec<_> = core::iter::from_fn(|| self.socket.poll_action()).collect();
        actions.contains(&Action::Writable)
    }
}

/// Around every border of a frame's length: of the topic alone, with its flag, and with each command's name.
const LENGTHS: [usize; 13] = [0, 1, 244, 245, 246, 247, 248, 249, 250, 254, 255, 256, 300];

#[test]
fn a_subscription_is_a_command_for_3_1_peers_and_a_message_for_3_0_ones_at_any_length() {
    for len in LENGTHS {
        let topic = vec![b't'; len];
        let mut new = Seat::new(Options::<Sub>::new(), "PUB", 1);
        new.socket.subscribe(topic.clone()).unwrap();
        assert_eq!(new.said(), command("SUBSCRIBE", &topic), "{len}");
        new.socket.unsubscribe(topic.clone()).unwrap();
        assert_eq!(new.said(), command("CANCEL", &topic), "{len}");
        let mut old = Seat::new(Options::<XSub>::new(), "XPUB", 0);
        old.socket.send([&[1][..], &topic].concat()).unwrap();
        assert_eq!(old.said(), frame(0, &[&[1][..], &topic].concat()), "{len}");
        old.socket.send([&[0][..], &topic].concat()).unwrap();
        assert_eq!(old.said(), frame(0, &[&[0][..], &topic].concat()), "{len}");
    }
}

#[test]
fn both_forms_are_understood_from_everybody_at_any_length() {
    for minor in [0, 1] {
        for len in LENGTHS {
            let topic = vec![b't'; len];
            for [subscribe, cancel] in [
                [command("SUBSCRIBE", &topic), command("CANCEL", &topic)],
                [frame(0, &[&[1][..], &topic].concat()), frame(0, &[&[0][..], &topic].concat())],
            ] {
                let mut seat = Seat::new(Options::<XPub>::new(), "SUB", minor);
                seat.hear(&subscribe).unwrap();
                assert_eq!(seat.socket.recv().unwrap(), Message::from([&[1][..], &topic].concat()));
                seat.socket.send(topic.clone()).unwrap();
                assert_eq!(seat.said(), frame(0, &topic));
                seat.hear(&cancel).unwrap();
                assert_eq!(seat.socket.recv().unwrap(), Message::from([&[0][..], &topic].concat()));
                assert_eq!(seat.socket.subscription_count(), 0);
            }
        }
    }
}

#[test]
fn every_subscription_is_said_and_only_the_last_cancel() {
    let mut seat = Seat::new(Options::<Sub>::new(), "XPUB", 1);
    for _ in 0..2 {
        seat.socket.subscribe("a").unwrap();
        assert_eq!(seat.said(), command("SUBSCRIBE", b"a"));
    }
    seat.socket.unsubscribe("a").unwrap();
    assert_eq!(seat.said(), []);
    seat.socket.unsubscribe("a").unwrap();
    assert_eq!(seat.said(), command("CANCEL", b"a"));
}

#[test]
fn subscriptions_go_out_ahead_of_what_an_xsub_says_besides() {
    let mut seat = Seat::new(Options::<XSub>::new(), "XPUB", 1);
    seat.socket.send("user").unwrap();
    seat.socket.subscribe("a").unwrap();
    assert_eq!(seat.said(), [command("SUBSCRIBE", b"a"), frame(0, b"user")].concat());
}

#[test]
fn commands_of_another_pattern_change_nothing() {
    let mut publisher = Seat::new(Options::<Pub>::new(), "SUB", 1);
    publisher.hear(&command("JOIN", b"a")).unwrap();
    publisher.hear(&command("LEAVE", b"a")).unwrap();
    publisher.hear(&command("CANCEL", b"a")).unwrap();
    assert_eq!(publisher.socket.subscription_count(), 0);
    let mut radio = Seat::new(Options::<Radio>::new(), "DISH", 1);
    radio.hear(&command("SUBSCRIBE", b"a")).unwrap();
    radio.hear(&command("LEAVE", b"a")).unwrap();
    assert_eq!(radio.socket.subscription_count(), 0);
    let mut sub = Seat::new(Options::<Sub>::new(), "PUB", 1);
    sub.socket.subscribe("").unwrap();
    sub.hear(&command("SUBSCRIBE", b"a")).unwrap();
    assert!(!sub.socket.can_recv());
}

#[test]
fn two_subscriptions_of_one_peer_are_one_and_one_cancel_ends_it() {
    let mut seat = Seat::new(Options::<Pub>::new(), "SUB", 1);
    seat.hear(&[command("SUBSCRIBE", b"a"), command("SUBSCRIBE", b"a"), command("CANCEL", b"a")].concat()).unwrap();
    assert_eq!(seat.socket.subscriber_count("a"), 0);
}

#[test]
fn a_group_is_joined_by_commands_in_both_versions() {
    for minor in [0, 1] {
        let mut dish = Seat::new(Options::<Dish>::new(), "RADIO", minor);
        dish.socket.join("g").unwrap();
        assert_eq!(dish.said(), command("JOIN", b"g"));
        dish.socket.leave("g").unwrap();
        assert_eq!(dish.said(), command("LEAVE", b"g"));
        let mut radio = Seat::new(Options::<Radio>::new(), "DISH", minor);
        radio.hear(&command("JOIN", &[b'g'; 255])).unwrap();
        radio.socket.send((&[b'g'; 255], "x")).unwrap();
        assert_eq!(radio.said(), [frame(MORE, &[b'g'; 255]), frame(0, b"x")].concat());
    }
}

#[test]
fn a_peer_that_joins_an_impossible_group_is_not_listened_to_any_more() {
    let mut radio = Seat::new(Options::<Radio>::new(), "DISH", 1);
    radio.hear(&command("JOIN", b"g")).unwrap();
    assert_eq!(radio.hear(&command("JOIN", &[b'g'; 256])), Err(ConnectionError::GroupTooLong(256)));
    let reason = ConnectionError::GroupTooLong(256);
    radio.socket.disconnected(radio.pipe, radio.connection, &reason, Instant::ORIGIN);
    assert_eq!((radio.socket.subscription_count(), radio.socket.peers()), (0, 0));
}

#[test]
fn what_is_no_group_and_body_is_dropped_by_a_dish_and_what_a_dish_says_by_a_radio() {
    let mut dish = Seat::new(Options::<Dish>::new(), "RADIO", 1);
    dish.socket.join("g").unwrap();
    dish.hear(&frame(0, b"g")).unwrap();
    dish.hear(&[frame(MORE, b"g"), frame(MORE, b"a"), frame(0, b"b")].concat()).unwrap();
    dish.hear(&[frame(MORE, b"other"), frame(0, b"a")].concat()).unwrap();
    dish.hear(&[frame(MORE, b"g"), frame(0, b"a")].concat()).unwrap();
    assert_eq!(dish.socket.recv().unwrap(), Message::from(("g", "a")));
    assert!(!dish.socket.can_recv());
    let mut radio = Seat::new(Options::<Radio>::new(), "DISH", 1);
    radio.hear(&frame(0, b"\x01g")).unwrap();
    assert_eq!(radio.socket.subscription_count(), 0);
    for mut seat in [dish, radio] {
        let dropped = core::iter::from_fn(|| seat.socket.poll_event())
            .filter(|event| matches!(event, Event::Dropped { reason: DropReason::Unexpected, messages: 1 }));
        assert!((1..=2).contains(&dropped.count()));
    }
}

#[test]
fn whoever_waits_for_a_slow_subscriber_hears_when_it_reads_when_it_cancels_and_when_it_goes() {
    fn blocked() -> Seat {
        let options = Options::<Pub>::new().slow_subscriber(SlowSubscriber::Block).send_hwm(2);
        let mut seat = Seat::new(options, "SUB", 1);
        seat.hear(&command("SUBSCRIBE", b"")).unwrap();
        // Seven fill the link, two the pipe.
        for _ in 0..9 {
            seat.socket.send(vec![0; 40_000]).unwrap();
            seat.socket.exchange(seat.pipe, &mut seat.connection).unwrap();
        }
        seat.is_writable();
        assert!(!seat.socket.can_send());
        assert!(matches!(seat.socket.send("full"), Err(SendError::Full(_))));
        assert!(!seat.is_writable());
        seat
    }
    let mut reads = blocked();
    reads.said();
    assert!(reads.is_writable() && reads.socket.can_send());
    let mut cancels = blocked();
    cancels.hear(&command("CANCEL", b"")).unwrap();
    assert!(cancels.is_writable());
    cancels.socket.send("for nobody").unwrap();
    let Seat { mut socket, pipe, connection } = blocked();
    socket.disconnected(pipe, connection, &ConnectionError::Eof, Instant::ORIGIN);
    let actions: Vec<_> = core::iter::from_fn(|| socket.poll_action()).collect();
    assert!(actions.contains(&Action::Writable) && socket.can_send());
}

#[test]
fn what_a_lost_connection_was_not_told_is_not_told_to_the_next_one() {
    let mut socket = Socket::new(Options::<Sub>::new(), SeededEntropy::new(1));
    let (place, now) = ("tcp://peer:1".parse().unwrap(), Instant::ORIGIN);
    let pipe = socket.connect(place, now).unwrap();
    let connection = socket.connected(pipe, now).unwrap();
    let mut seat = Seat { socket, pipe, connection };
    seat.greet("PUB", 1);
    seat.said();
    seat.socket.subscribe("given up").unwrap();
    seat.socket.subscribe("kept").unwrap();
    seat.socket.disconnected(pipe, seat.connection, &ConnectionError::Eof, now);
    seat.socket.unsubscribe("given up").unwrap();
    let later = now + Duration::from_mins(1);
    seat.socket.handle_timeout(later);
    let connection = seat.socket.connected(pipe, later).unwrap();
    let mut seat = Seat { socket: seat.socket, pipe, connection };
    seat.greet("PUB", 1);
    assert_eq!(seat.said(), [ready("SUB", b""), command("SUBSCRIBE", b"kept")].concat());
}

#[test]
fn a_welcome_that_did_not_get_out_is_not_said_twice() {
    let mut socket = Socket::new(Options::<XPub>::new().welcome_message("welcome"), SeededEntropy::new(1));
    let (place, now) = ("tcp://peer:1".parse().unwrap(), Instant::ORIGIN);
    let pipe = socket.connect(place, now).unwrap();
    for attempt in 0..3 {
        let now = now + Duration::from_mins(attempt);
        socket.handle_timeout(now);
        let connection = socket.connected(pipe, now).unwrap();
        let mut seat = Seat { socket, pipe, connection };
        seat.greet("SUB", 1);
        if attempt == 2 {
            let (said, welcome) = (seat.said(), frame(0, b"welcome"));
            assert!(said.ends_with(&welcome) && !said.ends_with(&welcome.repeat(2)), "{}", said.escape_ascii());
        }
        seat.socket.disconnected(pipe, seat.connection, &ConnectionError::Eof, now);
        socket = seat.socket;
    }
}

#[test]
fn all_subscribers_are_sent_the_same_octets_of_one_message() {
    for size in [10, 500, 2020, 2047, 2048, 4000] {
        let mut seat = Seat::new(Options::<Pub>::new(), "SUB", 1);
        seat.hear(&command("SUBSCRIBE", b"")).unwrap();
        let mut other = seat.another("SUB", 0);
        other.hear(&command("SUBSCRIBE", b"")).unwrap();
        assert_eq!(other.socket.subscriber_count(""), 2);
        let body = vec![7; size];
        other.socket.send(["topic".into(), body.clone(), vec![]]).unwrap();
        let expected = [frame(MORE, b"topic"), frame(MORE, &body), frame(0, b"")].concat();
        assert_eq!(other.said(), expected);
        seat.socket = other.socket;
        assert_eq!(seat.said(), expected);
    }
}
