//! Tests of timeouts and heartbeats with peers that send nothing, during and after the handshake.

use super::{bound, close, connected, ms, pull, push, s};
use sansmq_proto::connection::{ConnectionConfig, Link, Outbox};
use sansmq_proto::kind::Dealer;
use sansmq_proto::testing::Net;
use sansmq_proto::{
    Connection, Event, Instant, Interest, Message, NetworkError, Options, Session, SessionBuffers, SocketType, Stream,
    StreamError, SystemEntropy, Turn,
};
use sansmq_tests::{bodies, endings, events, for_seeds, recv_all};

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
        assert_eq!(endings(&first), ["the peer did not finish its handshake in time"], "frozen after {at} ms");
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
        let push = connected(&mut net, push().heartbeat(ms(500)).unwrap());
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
        let with_heartbeat = || Options::<Dealer>::new().heartbeat(ms(500)).unwrap();
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
        assert_eq!(endings(&events(&mut net, client)), ["the peer did not answer a heartbeat in time"]);
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
    let with_heartbeat = || Options::<Dealer>::new().heartbeat(ms(500)).unwrap();
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
