//! Single sockets without a stream: unbind after a failed bind, options with extreme values, clocks that jump or are at
//! their maximum, and messages that a socket sends at the beginning of each connection (hello and probe messages).

use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Pull, Router};
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Endpoint, Instant, Message, NetworkError, Options, Socket, SystemEntropy,
};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn unbind_ends_the_open_listener_not_the_failed_one() {
    let mut socket = Socket::new(Options::<Pull>::new(), SeededEntropy::new(1));
    let endpoint: Endpoint = "tcp://*:1".parse().unwrap();
    let failed = socket.bind(endpoint.clone());
    socket.listen_failed(failed, NetworkError::AddressInUse);
    let open = socket.bind(endpoint.clone());
    socket.listening(open, endpoint.clone());
    while socket.poll_action().is_some() {}
    socket.unbind(&endpoint, Instant::ORIGIN).unwrap();
    assert_eq!(socket.poll_action(), Some(Action::CloseListener(open)));
    assert!(socket.unbind(&endpoint, Instant::ORIGIN).is_err());
}

#[test]
fn extreme_options_and_clock_jumps_are_harmless() {
    let (shortest, longest) = (Duration::from_nanos(1), Duration::MAX);
    for (first, max) in [(longest, longest), (shortest, longest), (shortest, shortest)] {
        let options = Options::<Dealer>::new().linger(longest).handshake_timeout(longest).connect_timeout(longest);
        let options = options.heartbeat(longest).reconnect(first, max).send_hwm(usize::MAX);
        let mut socket = Socket::new(options.recv_hwm(usize::MAX).max_message_size(usize::MAX), SeededEntropy::new(1));
        let mut now = Instant::ORIGIN;
        let pipe = socket.connect("tcp://a:1".parse().unwrap(), now).unwrap();
        for _ in 0..500 {
            socket.dial_failed(pipe, NetworkError::Refused, now);
            now = now + Duration::from_hours(10_000);
            socket.handle_timeout(now);
            socket.handle_timeout(Instant::ORIGIN);
            while socket.poll_action().is_some() {}
            if let Some(link) = socket.connected(pipe, now) {
                socket.disconnected(pipe, link, &ConnectionError::PeerClosed, Instant::ORIGIN);
            }
        }
        socket.send("x").unwrap();
        socket.close(now);
        socket.handle_timeout(now);
    }
}

/// If the clock is at its maximum, a timer that is set again expires at once. This must not cause an endless loop.
#[test]
fn timers_at_the_maximum_instant_do_not_spin() {
    let mut socket = Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1));
    let now = Instant::from_nanos(u64::MAX);
    let pipe = socket.connect("tcp://a:1".parse().unwrap(), now).unwrap();
    socket.dial_failed(pipe, NetworkError::Refused, now);
    socket.handle_timeout(now);
}

/// Passes all output of one connection to another connection as input.
fn transfer(from: &mut Connection, to: &mut Connection) {
    while let Some(out) = from.poll_transmit() {
        let bytes = out.copy_to_bytes(out.remaining());
        to.handle_input(&bytes, Instant::ORIGIN).unwrap();
    }
}

/// A probe or hello message that was not sent before its connection was lost is sent only once on the next connection.
/// A message of the application with equal content, such as the empty body of a probe, is sent in addition.
#[test]
fn opening_message_is_sent_once_per_connection() {
    for (options, opening) in [
        (Options::<Dealer>::new().probe_router(true), Message::from("")),
        (Options::<Dealer>::new().hello_message("hello"), Message::from("hello")),
    ] {
        let mut dealer = Socket::new(options.clone(), SeededEntropy::new(1));
        let mut now = Instant::ORIGIN;
        let pipe = dealer.connect("tcp://a:1".parse().unwrap(), now).unwrap();
        dealer.send(opening.clone()).unwrap();
        for is_last in [false, false, true] {
            let mut dealer_connection = dealer.connected(pipe, now).unwrap();
            let router_connection = Arc::new(Options::<Router>::new().connection_config());
            let mut router_connection = Connection::new(&router_connection, &mut SystemEntropy, now);
            while dealer_connection.peer().is_none() || router_connection.peer().is_none() {
                transfer(&mut dealer_connection, &mut router_connection);
                transfer(&mut router_connection, &mut dealer_connection);
            }
            dealer.exchange(pipe, &mut dealer_connection).unwrap();
            if is_last {
                transfer(&mut dealer_connection, &mut router_connection);
                let received: Vec<_> = std::iter::from_fn(|| router_connection.take()).collect();
                assert_eq!(received, [(); 2].map(|()| Inbound::Message(opening.clone())));
            }
            dealer.disconnected(pipe, dealer_connection, &ConnectionError::PeerClosed, now);
            now = now + Duration::from_secs(10);
            dealer.handle_timeout(now);
        }
    }
}
