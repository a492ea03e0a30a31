//! Tests of the wire format of subscriptions and groups (RFC 23, 29, 37, 48). The tests themselves write the bytes of
//! the peer.

use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dish, Kind, Pub, Radio, Sub, XPub, XSub};
use sansmq_proto::socket::{DropReason, SlowSubscriber};
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Event, Instant, Message, Options, PipeId, SendError, Socket,
};
use sansmq_tests::raw_peer::{MORE, close_reason_property, command, frame, greeting, ready};

/// Socket with one connection. There is no peer socket: the test itself writes the bytes that the peer sends, and
/// checks the bytes that the peer receives.
struct Fixture {
    socket: Socket,
    pipe: PipeId,
    connection: Connection,
}

impl Fixture {
    /// Creates a socket with one accepted connection, and completes the handshake as a peer of the socket type `peer`
    /// and the version ZMTP 3.`minor`.
    fn new<T: Kind>(options: Options<T>, peer: &str, minor: u8) -> Self {
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        socket.monitor(true);
        let now = Instant::ORIGIN;
        let listener = socket.bind("tcp://here:1".parse().unwrap());
        let (pipe, connection) = socket.accepted(listener, "tcp://peer:1".parse().unwrap(), now).unwrap();
        let mut fixture = Self { socket, pipe, connection };
        fixture.handshake(peer, minor);
        fixture.output();
        fixture
    }

    /// Makes the socket accept a second connection. Moves the socket to a new fixture with this connection, and returns
    /// the new fixture. `self` keeps the first connection, and gets an unrelated socket.
    fn with_second_connection(&mut self, peer: &str, minor: u8) -> Self {
        let spare = Socket::new(Options::<Pub>::new(), SeededEntropy::new(1));
        let mut socket = core::mem::replace(&mut self.socket, spare);
        let listener = socket.bind("tcp://here:2".parse().unwrap());
        let address = "tcp://peer:2".parse().unwrap();
        let (pipe, connection) = socket.accepted(listener, address, Instant::ORIGIN).unwrap();
        let mut fixture = Self { socket, pipe, connection };
        fixture.handshake(peer, minor);
        fixture.output();
        fixture
    }

    /// Passes the greeting and READY of a peer to the connection. The peer has the socket type `peer` and the version
    /// ZMTP 3.`minor`.
    fn handshake(&mut self, peer: &str, minor: u8) {
        let mut greeting = greeting("NULL");
        greeting[11] = minor;
        self.feed(&greeting).unwrap();
        self.connection.poll_transmit().unwrap().advance(64);
        self.feed(&ready(peer, b"")).unwrap();
    }

    /// Passes bytes from the peer to the connection, and the resulting messages to the socket.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.connection.handle_input(bytes, Instant::ORIGIN)?;
        self.socket.exchange(self.pipe, &mut self.connection)
    }

    /// Returns the bytes that the connection sends to the peer.
    fn output(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            self.socket.exchange(self.pipe, &mut self.connection).unwrap();
            let Some(out) = self.connection.poll_transmit() else { return bytes };
            bytes.extend_from_slice(&out.copy_to_bytes(out.remaining()));
        }
    }

    /// Takes all queued actions of the socket. Returns `true` if one of them is [`Action::Writable`].
    fn takes_writable(&mut self) -> bool {
        let actions: Vec<_> = core::iter::from_fn(|| self.socket.poll_action()).collect();
        actions.contains(&Action::Writable)
    }
}

/// Topic lengths around the boundary between short and long frames (255 bytes). A frame contains the topic alone, the
/// topic and a flag byte, or the topic and the name of a command, so each of these has its own boundary.
const LENGTHS: [usize; 13] = [0, 1, 244, 245, 246, 247, 248, 249, 250, 254, 255, 256, 300];

#[test]
fn subscription_is_a_command_for_3_1_and_a_message_for_3_0() {
    for len in LENGTHS {
        let topic = vec![b't'; len];
        let mut new = Fixture::new(Options::<Sub>::new(), "PUB", 1);
        new.socket.subscribe(topic.clone()).unwrap();
        assert_eq!(new.output(), command("SUBSCRIBE", &topic), "{len}");
        new.socket.unsubscribe(topic.clone()).unwrap();
        assert_eq!(new.output(), command("CANCEL", &topic), "{len}");
        let mut old = Fixture::new(Options::<XSub>::new(), "XPUB", 0);
        old.socket.send([&[1][..], &topic].concat()).unwrap();
        assert_eq!(old.output(), frame(0, &[&[1][..], &topic].concat()), "{len}");
        old.socket.send([&[0][..], &topic].concat()).unwrap();
        assert_eq!(old.output(), frame(0, &[&[0][..], &topic].concat()), "{len}");
    }
}

#[test]
fn xpub_accepts_both_encodings_from_both_versions() {
    for minor in [0, 1] {
        for len in LENGTHS {
            let topic = vec![b't'; len];
            for [subscribe, cancel] in [
                [command("SUBSCRIBE", &topic), command("CANCEL", &topic)],
                [frame(0, &[&[1][..], &topic].concat()), frame(0, &[&[0][..], &topic].concat())],
            ] {
                let mut fixture = Fixture::new(Options::<XPub>::new(), "SUB", minor);
                fixture.feed(&subscribe).unwrap();
                assert_eq!(fixture.socket.recv().unwrap(), Message::from([&[1][..], &topic].concat()));
                fixture.socket.send(topic.clone()).unwrap();
                assert_eq!(fixture.output(), frame(0, &topic));
                fixture.feed(&cancel).unwrap();
                assert_eq!(fixture.socket.recv().unwrap(), Message::from([&[0][..], &topic].concat()));
                assert_eq!(fixture.socket.subscription_count(), 0);
            }
        }
    }
}

#[test]
fn sub_sends_every_subscribe_and_only_the_last_cancel() {
    let mut fixture = Fixture::new(Options::<Sub>::new(), "XPUB", 1);
    for _ in 0..2 {
        fixture.socket.subscribe("a").unwrap();
        assert_eq!(fixture.output(), command("SUBSCRIBE", b"a"));
    }
    fixture.socket.unsubscribe("a").unwrap();
    assert!(fixture.output().is_empty());
    fixture.socket.unsubscribe("a").unwrap();
    assert_eq!(fixture.output(), command("CANCEL", b"a"));
}

#[test]
fn subscriptions_are_sent_before_messages_of_an_xsub() {
    let mut fixture = Fixture::new(Options::<XSub>::new(), "XPUB", 1);
    fixture.socket.send("user").unwrap();
    fixture.socket.subscribe("a").unwrap();
    assert_eq!(fixture.output(), [command("SUBSCRIBE", b"a"), frame(0, b"user")].concat());
}

#[test]
fn commands_of_other_patterns_are_ignored() {
    let mut publisher = Fixture::new(Options::<Pub>::new(), "SUB", 1);
    publisher.feed(&command("JOIN", b"a")).unwrap();
    publisher.feed(&command("LEAVE", b"a")).unwrap();
    publisher.feed(&command("CANCEL", b"a")).unwrap();
    assert_eq!(publisher.socket.subscription_count(), 0);
    let mut radio = Fixture::new(Options::<Radio>::new(), "DISH", 1);
    radio.feed(&command("SUBSCRIBE", b"a")).unwrap();
    radio.feed(&command("LEAVE", b"a")).unwrap();
    assert_eq!(radio.socket.subscription_count(), 0);
    let mut sub = Fixture::new(Options::<Sub>::new(), "PUB", 1);
    sub.socket.subscribe("").unwrap();
    sub.feed(&command("SUBSCRIBE", b"a")).unwrap();
    assert!(!sub.socket.can_recv());
}

#[test]
fn duplicate_subscription_of_a_peer_ends_with_one_cancel() {
    let mut fixture = Fixture::new(Options::<Pub>::new(), "SUB", 1);
    fixture.feed(&[command("SUBSCRIBE", b"a"), command("SUBSCRIBE", b"a"), command("CANCEL", b"a")].concat()).unwrap();
    assert_eq!(fixture.socket.subscriber_count("a"), 0);
}

/// A proxy counts the changes, so this cancellation would end the subscription of the other peer.
#[test]
fn cancel_without_subscription_is_never_delivered() {
    let xpub = Options::<XPub>::new;
    for options in [xpub(), xpub().verbose(true), xpub().verboser(true), xpub().manual(true)] {
        let mut holder = Fixture::new(options, "XSUB", 1);
        holder.feed(&command("SUBSCRIBE", b"a")).unwrap();
        let mut other = holder.with_second_connection("XSUB", 1);
        assert_eq!(other.socket.recv().unwrap(), Message::from("\x01a"));
        other.feed(&[command("CANCEL", b"a"), command("CANCEL", b"never")].concat()).unwrap();
        assert!(!other.socket.can_recv());
        other.feed(&[command("SUBSCRIBE", b"b"), command("CANCEL", b"b"), command("CANCEL", b"b")].concat()).unwrap();
        assert_eq!([other.socket.recv(), other.socket.recv()].map(Result::unwrap), ["\x01b", "\0b"].map(Message::from));
        assert!(!other.socket.can_recv());
    }
}

#[test]
fn join_and_leave_are_commands_in_both_versions() {
    for minor in [0, 1] {
        let mut dish = Fixture::new(Options::<Dish>::new(), "RADIO", minor);
        dish.socket.join("g").unwrap();
        assert_eq!(dish.output(), command("JOIN", b"g"));
        dish.socket.leave("g").unwrap();
        assert_eq!(dish.output(), command("LEAVE", b"g"));
        let mut radio = Fixture::new(Options::<Radio>::new(), "DISH", minor);
        radio.feed(&command("JOIN", &[b'g'; 255])).unwrap();
        radio.socket.send((&[b'g'; 255], "x")).unwrap();
        assert_eq!(radio.output(), [frame(MORE, &[b'g'; 255]), frame(0, b"x")].concat());
    }
}

#[test]
fn join_of_a_too_long_group_ends_the_connection() {
    let mut radio = Fixture::new(Options::<Radio>::new(), "DISH", 1);
    radio.feed(&command("JOIN", b"g")).unwrap();
    assert_eq!(radio.feed(&command("JOIN", &[b'g'; 256])), Err(ConnectionError::GroupTooLong(256)));
    let reason = ConnectionError::GroupTooLong(256);
    radio.socket.disconnected(radio.pipe, radio.connection, &reason, Instant::ORIGIN);
    assert_eq!((radio.socket.subscription_count(), radio.socket.peers()), (0, 0));
}

#[test]
fn dish_and_radio_drop_unexpected_messages() {
    let mut dish = Fixture::new(Options::<Dish>::new(), "RADIO", 1);
    dish.socket.join("g").unwrap();
    dish.feed(&frame(0, b"g")).unwrap();
    dish.feed(&[frame(MORE, b"g"), frame(MORE, b"a"), frame(0, b"b")].concat()).unwrap();
    dish.feed(&[frame(MORE, b"other"), frame(0, b"a")].concat()).unwrap();
    dish.feed(&[frame(MORE, b"g"), frame(0, b"a")].concat()).unwrap();
    assert_eq!(dish.socket.recv().unwrap(), Message::from(("g", "a")));
    assert!(!dish.socket.can_recv());
    let mut radio = Fixture::new(Options::<Radio>::new(), "DISH", 1);
    radio.feed(&frame(0, b"\x01g")).unwrap();
    assert_eq!(radio.socket.subscription_count(), 0);
    for mut fixture in [dish, radio] {
        let dropped = core::iter::from_fn(|| fixture.socket.poll_event())
            .filter(|event| matches!(event, Event::Dropped { reason: DropReason::Unexpected, messages: 1 }));
        assert!((1..=2).contains(&dropped.count()));
    }
}

/// Calls `handle_timeout` as long as the socket requests it at once. After each call, checks that `count` is smaller than
/// before by at most `slice`. Returns the number of calls.
fn run_in_slices(socket: &mut Socket, slice: usize, mut count: impl FnMut(&mut Socket) -> usize) -> usize {
    let (mut calls, mut before) = (0, count(socket));
    while socket.poll_timeout() == Some(Instant::ORIGIN) {
        socket.handle_timeout(Instant::ORIGIN);
        let after = count(socket);
        assert!(before - after <= slice, "one call removed {}", before - after);
        (calls, before) = (calls + 1, after);
    }
    calls
}

#[test]
fn many_subscriptions_of_lost_peer_are_removed_in_slices() {
    const PREFIXES: usize = 2000;
    for xpub in [false, true] {
        let options =
            if xpub { Options::<XPub>::new().recv_hwm(PREFIXES * 2).erase() } else { Options::<Pub>::new().erase() };
        let mut fixture = Fixture::new(options, "SUB", 1);
        for number in 0..PREFIXES {
            let prefix = [number.to_string().as_bytes(), &[b'q'; 1024]].concat();
            fixture.feed(&command("SUBSCRIBE", &prefix)).unwrap();
        }
        let mut second = fixture.with_second_connection("SUB", 1);
        second.feed(&command("SUBSCRIBE", b"1")).unwrap();
        let Fixture { mut socket, pipe: other, .. } = second;
        let reports = core::iter::from_fn(|| socket.recv().ok()).count();
        assert_eq!(reports, if xpub { PREFIXES + 1 } else { 0 });

        socket.disconnected(fixture.pipe, fixture.connection, &ConnectionError::PeerClosed, Instant::ORIGIN);
        // The subscriptions are out of effect at once.
        let topic = [b"1".as_slice(), &[b'q'; 1024]].concat();
        assert_eq!((socket.subscriber_count(&topic), socket.ready_peers()), (1, 1));
        socket.send(topic).unwrap();
        assert_eq!(socket.stats().outgoing.messages, 1, "only the other peer receives the message");
        assert!(socket.subscription_count() > PREFIXES / 2, "{}", socket.subscription_count());
        assert!(run_in_slices(&mut socket, 60, |socket| socket.subscription_count()) > 30);
        assert_eq!(socket.subscription_count(), 1);
        assert!(socket.contains(other));

        let cancelled: Vec<_> = core::iter::from_fn(|| socket.recv().ok()).collect();
        assert_eq!(cancelled.len(), if xpub { PREFIXES } else { 0 });
        assert!(cancelled.iter().all(|message| message.head()[0] == 0));
        assert_eq!(socket.peers(), 1, "the lost peer is removed when all its cancellations are received");
    }
}

#[test]
fn many_groups_of_lost_peer_are_left_in_slices() {
    let mut fixture = Fixture::new(Options::<Radio>::new(), "DISH", 1);
    for number in 0..2000 {
        fixture.feed(&command("JOIN", number.to_string().as_bytes())).unwrap();
    }
    let Fixture { mut socket, pipe, connection } = fixture;
    assert_eq!(socket.subscription_count(), 2000);
    socket.disconnected(pipe, connection, &ConnectionError::PeerClosed, Instant::ORIGIN);
    assert_eq!(socket.subscriber_count("1999"), 0);
    assert!(run_in_slices(&mut socket, 256, |socket| socket.subscription_count()) > 5);
    assert_eq!((socket.subscription_count(), socket.peers()), (0, 0));
}

#[test]
fn writable_is_emitted_on_read_cancel_and_disconnect() {
    fn blocked() -> Fixture {
        let options = Options::<Pub>::new().slow_subscriber(SlowSubscriber::Block).send_hwm(2);
        let mut fixture = Fixture::new(options, "SUB", 1);
        fixture.feed(&command("SUBSCRIBE", b"")).unwrap();
        // Seven messages fill the connection, and two fill the pipe.
        for _ in 0..9 {
            fixture.socket.send(vec![0; 40_000]).unwrap();
            fixture.socket.exchange(fixture.pipe, &mut fixture.connection).unwrap();
        }
        fixture.takes_writable();
        assert!(!fixture.socket.can_send());
        assert!(matches!(fixture.socket.send("full"), Err(SendError::Full(_))));
        assert!(!fixture.takes_writable());
        fixture
    }
    let mut reads = blocked();
    reads.output();
    assert!(reads.takes_writable() && reads.socket.can_send());
    let mut cancels = blocked();
    cancels.feed(&command("CANCEL", b"")).unwrap();
    assert!(cancels.takes_writable());
    cancels.socket.send("without subscriber").unwrap();
    let Fixture { mut socket, pipe, connection } = blocked();
    socket.disconnected(pipe, connection, &ConnectionError::PeerClosed, Instant::ORIGIN);
    let actions: Vec<_> = core::iter::from_fn(|| socket.poll_action()).collect();
    assert!(actions.contains(&Action::Writable) && socket.can_send());
}

#[test]
fn reconnect_omits_a_cancelled_unsent_subscription() {
    let mut socket = Socket::new(Options::<Sub>::new(), SeededEntropy::new(1));
    let (endpoint, now) = ("tcp://peer:1".parse().unwrap(), Instant::ORIGIN);
    let pipe = socket.connect(endpoint, now).unwrap();
    let connection = socket.connected(pipe, now).unwrap();
    let mut fixture = Fixture { socket, pipe, connection };
    fixture.handshake("PUB", 1);
    fixture.output();
    fixture.socket.subscribe("cancelled").unwrap();
    fixture.socket.subscribe("kept").unwrap();
    fixture.socket.disconnected(pipe, fixture.connection, &ConnectionError::PeerClosed, now);
    fixture.socket.unsubscribe("cancelled").unwrap();
    let later = now + Duration::from_mins(1);
    fixture.socket.handle_timeout(later);
    let connection = fixture.socket.connected(pipe, later).unwrap();
    let mut fixture = Fixture { socket: fixture.socket, pipe, connection };
    fixture.handshake("PUB", 1);
    assert_eq!(fixture.output(), [ready("SUB", &close_reason_property()), command("SUBSCRIBE", b"kept")].concat());
}

#[test]
fn unsent_welcome_is_sent_once_after_reconnect() {
    let mut socket = Socket::new(Options::<XPub>::new().welcome_message("welcome"), SeededEntropy::new(1));
    let (endpoint, now) = ("tcp://peer:1".parse().unwrap(), Instant::ORIGIN);
    let pipe = socket.connect(endpoint, now).unwrap();
    for attempt in 0..3 {
        let now = now + Duration::from_mins(attempt);
        socket.handle_timeout(now);
        let connection = socket.connected(pipe, now).unwrap();
        let mut fixture = Fixture { socket, pipe, connection };
        fixture.handshake("SUB", 1);
        if attempt == 2 {
            let (output, welcome) = (fixture.output(), frame(0, b"welcome"));
            assert!(output.ends_with(&welcome) && !output.ends_with(&welcome.repeat(2)), "{}", output.escape_ascii());
        }
        fixture.socket.disconnected(pipe, fixture.connection, &ConnectionError::PeerClosed, now);
        socket = fixture.socket;
    }
}

#[test]
fn all_subscribers_are_sent_identical_bytes() {
    for size in [10, 500, 2020, 2047, 2048, 4000] {
        let mut fixture = Fixture::new(Options::<Pub>::new(), "SUB", 1);
        fixture.feed(&command("SUBSCRIBE", b"")).unwrap();
        let mut other = fixture.with_second_connection("SUB", 0);
        other.feed(&command("SUBSCRIBE", b"")).unwrap();
        assert_eq!(other.socket.subscriber_count(""), 2);
        let body = vec![7; size];
        other.socket.send(["topic".into(), body.clone(), vec![]]).unwrap();
        let expected = [frame(MORE, b"topic"), frame(MORE, &body), frame(0, b"")].concat();
        assert_eq!(other.output(), expected);
        fixture.socket = other.socket;
        assert_eq!(fixture.output(), expected);
    }
}
