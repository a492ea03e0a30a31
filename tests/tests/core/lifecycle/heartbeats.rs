//! Tests of timeouts and heartbeats with peers that send nothing, during and after the handshake.

use super::{bound, close, connected, ms, pull, push, s};
use sansmq_proto::connection::{ConnectionConfig, Link, Outbox};
use sansmq_proto::kind::Dealer;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{
    Connection, Event, Instant, Interest, Message, NetworkError, Options, Session, SessionBuffers, SocketType, Stream,
    StreamError, SystemEntropy, Turn,
};
use sansmq_tests::{bodies, endings, events, for_seeds, recv_all};
use std::time::Duration;

#[test]
fn handshake_timeout_ends_the_connection_and_reconnects() {
    for at in [0, 15, 25, 35] {
        let mut net = Net::seeded(1).latency(ms(10)..=ms(10));
        let pull = bound(&mut net, pull());
        let push = connected(&mut net, push().handshake_timeout(s(2)));
        net[push].send("kept").unwrap();
        net.advance(ms(at));
        let ready = events(&mut net, push).iter().any(|event| matches!(event, Event::Ready { .. }));
        net.freeze(pull);
        net.advance(s(3));
        if ready {
            continue;
        }
        let first = events(&mut net, push);
        assert_eq!(
            endings(&first),
            ["the peer did not finish its handshake in time; see `Options::handshake_timeout`"],
            "frozen after {at} ms"
        );
        net.thaw(pull);
        net.advance(s(60));
        assert_eq!(bodies(&recv_all(&mut net, pull)), ["kept"]);
    }
}

#[test]
fn full_receiver_answers_pings_and_detects_a_close() {
    for_seeds(10, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=99);
        let pull = bound(&mut net, pull().recv_hwm(1));
        let push = connected(&mut net, push().heartbeat(ms(500)));
        for number in 0..100 {
            net[push].send(format!("{number}")).unwrap();
        }
        net.advance(s(60));
        assert_eq!(
            endings(&events(&mut net, push)),
            Vec::<String>::new(),
            "PINGs are answered although they are queued behind messages"
        );
        assert_eq!(endings(&events(&mut net, pull)), Vec::<String>::new());
        close(&mut net, push);
        net.advance(s(2));
        assert_eq!(endings(&events(&mut net, pull)), ["the peer closed the connection"]);
        assert_eq!(recv_all(&mut net, pull).len(), 100, "no message is lost");
    });
}

#[test]
fn unanswered_connect_times_out() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull());
    net.freeze(pull);
    let push = connected(&mut net, push().connect_timeout(s(1)));
    net.advance(ms(1050));
    let log = events(&mut net, push);
    assert!(matches!(
        log[..],
        [Event::Connecting { .. }, Event::ConnectFailed { error: NetworkError::TimedOut, retry: Some(_), .. }]
    ));
}

#[test]
fn heartbeat_detects_a_frozen_peer_and_reconnects() {
    for_seeds(30, |seed| {
        let with_heartbeat = || Options::<Dealer>::new().heartbeat(ms(500));
        let mut net = Net::seeded(seed).chunks(1..=9).latency(ms(0)..=ms(30));
        let server = bound(&mut net, with_heartbeat());
        let client = connected(&mut net, with_heartbeat());
        net.advance(s(20));
        assert_eq!(
            endings(&events(&mut net, client)),
            Vec::<String>::new(),
            "a peer that answers heartbeats stays connected"
        );
        net.freeze(server);
        net.advance(ms(1100));
        assert_eq!(
            endings(&events(&mut net, client)),
            ["the peer did not answer a heartbeat in time; see `Options::heartbeat`"]
        );
        net[client].send("meanwhile").unwrap();
        net.advance(s(30));
        net.thaw(server);
        net.advance(s(60));
        assert_eq!(bodies(&recv_all(&mut net, server)), ["meanwhile"]);
        assert_eq!((net.connections(server), net.connections(client)), (1, 1));
    });
}

#[test]
fn ping_ttl_ends_the_connection_on_the_passive_side() {
    let mut net = Net::seeded(1);
    let server = bound(&mut net, Options::<Dealer>::new());
    let with_heartbeat = Options::<Dealer>::new().heartbeat_with(ms(500), s(100), s(2)).unwrap();
    let client = connected(&mut net, with_heartbeat);
    net.advance(s(20));
    assert_eq!(net.connections(server), 1);
    net.freeze(client);
    net.advance(s(3));
    let ended = endings(&events(&mut net, server));
    assert_eq!(ended, ["the peer sent nothing for longer than the time to live in its PING"]);
}

#[test]
fn backpressure_does_not_cause_a_heartbeat_timeout() {
    let mut net = Net::seeded(1).capacity(500);
    let with_heartbeat = || Options::<Dealer>::new().heartbeat(ms(500));
    let slow = bound(&mut net, with_heartbeat().recv_hwm(1));
    let client = connected(&mut net, with_heartbeat());
    net.settle();
    events(&mut net, slow);
    for _ in 0..100 {
        net[client].send(vec![1; 50]).unwrap();
    }
    net.advance(s(60));
    assert_eq!(
        endings(&events(&mut net, slow)),
        Vec::<String>::new(),
        "a socket that stops reading must not time out its peer"
    );
}

/// Creates a network with links of this rate, in bytes per second, with buffers for one eighth of a second, and with a
/// latency of 5 to 20 ms.
fn slow_net(seed: u64, rate: u32) -> Net {
    Net::seeded(seed).rate(rate).capacity(rate as usize / 4).latency(ms(5)..=ms(20))
}

/// Asserts that the messages that `push` has sent are received, in no less time than `at_least`, and that no connection
/// ends.
fn assert_all_arrive(net: &mut Net, push: NodeId, pull: NodeId, sizes: &[usize], at_least: Duration) {
    let begin = net.now();
    let mut received = Vec::new();
    while received.len() < sizes.len() {
        net.advance(ms(100));
        assert_eq!(endings(&events(net, push)), Vec::<String>::new(), "after {:?}", net.now().since(begin));
        received.extend(recv_all(net, pull).iter().map(|message| message.body().len()));
        assert!(net.now().since(begin) < 2 * at_least, "the link has the expected rate");
    }
    assert_eq!(received, sizes);
    assert!(net.now().since(begin) >= at_least, "the link was slow");
}

#[test]
fn long_message_on_a_slow_link_is_not_cut_by_own_heartbeat() {
    for_seeds(3, |seed| {
        let mut net = slow_net(seed, 4 << 20);
        let with_heartbeat = push().heartbeat_with(ms(400), ms(800), Duration::ZERO).unwrap();
        let (pull, push) = (bound(&mut net, pull()), connected(&mut net, with_heartbeat));
        net.settle();
        net[push].send(vec![1; 24 << 20]).unwrap();
        assert_all_arrive(&mut net, push, pull, &[24 << 20], ms(5900));
    });
}

#[test]
fn several_long_messages_on_a_slow_link_all_arrive() {
    let mut net = slow_net(1, 1_800_000);
    let (pull, push) = (bound(&mut net, pull()), connected(&mut net, push().heartbeat(s(2))));
    net.settle();
    for _ in 0..3 {
        net[push].send(vec![1; 30_000_000]).unwrap();
    }
    assert_all_arrive(&mut net, push, pull, &[30_000_000; 3], s(49));
}

#[test]
fn trickle_on_a_parted_link_does_not_hide_a_dead_peer() {
    for_seeds(10, |seed| {
        let mut net = Net::seeded(seed).latency(ms(5)..=ms(20));
        let with_heartbeat = push().heartbeat_with(ms(400), ms(800), Duration::ZERO).unwrap();
        let (pull, push) = (bound(&mut net, pull()), connected(&mut net, with_heartbeat));
        // 100 bytes per second, with the frame head.
        let send = |net: &mut Net| {
            net.advance(ms(100));
            net[push].send(vec![1; 8]).unwrap();
        };
        for _ in 0..100 {
            send(&mut net);
        }
        assert_eq!(endings(&events(&mut net, push)), Vec::<String>::new(), "the peer answers");
        net.partition(&[push], &[pull]);
        for _ in 0..12 {
            send(&mut net);
        }
        net.advance(ms(20));
        let ended = endings(&events(&mut net, push));
        assert_eq!(
            ended,
            ["the peer did not answer a heartbeat in time; see `Options::heartbeat`"],
            "the last acknowledgement was 1.22 s ago"
        );
    });
}

#[test]
fn peer_stopped_inside_a_long_message_is_detected() {
    for parted in [false, true] {
        let mut net = slow_net(1, 1_800_000);
        let with_heartbeat = push().heartbeat_with(ms(400), ms(800), Duration::ZERO).unwrap();
        let (pull, push) = (bound(&mut net, pull()), connected(&mut net, with_heartbeat));
        net.settle();
        net[push].send(vec![1; 30_000_000]).unwrap();
        net.advance(s(5));
        assert_eq!(endings(&events(&mut net, push)), Vec::<String>::new(), "the message makes progress");
        if parted {
            net.partition(&[push], &[pull]);
        } else {
            net.suspend(pull);
        }
        // The system of a stopped peer acknowledges what its buffer takes, which is an eighth of a second of bytes.
        net.advance(ms(400 + 800 + if parted { 0 } else { 125 + 2 * 20 }));
        let ended = endings(&events(&mut net, push));
        assert_eq!(
            ended,
            ["the peer did not answer a heartbeat in time; see `Options::heartbeat`"],
            "parted: {parted}"
        );
    }
}

#[test]
fn round_trip_is_measured_from_the_departure_of_the_ping() {
    let mut net = slow_net(1, 4 << 20);
    let with_heartbeat = Options::<Dealer>::new().heartbeat(s(2));
    let (server, client) = (bound(&mut net, Options::<Dealer>::new()), connected(&mut net, with_heartbeat));
    net.settle();
    net[client].send(vec![1; 24 << 20]).unwrap();
    net.advance(s(10));
    assert_eq!(recv_all(&mut net, server).len(), 1);
    let last =
        net[client].peer_stats().next().expect("the peer is connected").round_trip.expect("a PONG was received").last;
    assert!(last < ms(400), "{last:?}: the PING of the second 2 waited for four seconds behind the message");
}

/// Stream that accepts all output and never has input.
struct SilentStream;

impl Stream for SilentStream {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, StreamError> {
        Err(StreamError::WouldBlock)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        Ok(data.with_io_slices(|slices| slices.iter().map(|slice| slice.len()).sum()))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

#[test]
fn full_session_waits_for_the_handshake_without_spinning() {
    let config = ConnectionConfig::new(SocketType::Push);
    let mut session = Session::new(Connection::new(&config.into(), &mut SystemEntropy, Instant::ORIGIN));
    while session.connection().has_room() {
        session.connection().give(Message::from("x").into());
    }
    let turn = session.turn(&mut SilentStream, &mut SessionBuffers::with_read_size(64), Instant::ORIGIN, |_| Ok(()));
    assert_eq!(turn, Ok(Turn::Wait(Interest { readable: true, writable: false })));
}
