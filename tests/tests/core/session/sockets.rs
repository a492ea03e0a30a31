//! A socket by itself: which listener an unbind ends, and options and times at their ends.

use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Pull, Router};
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Endpoint, Instant, Message, NetworkError, Options, Socket, SystemEntropy,
};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn unbind_ends_the_listener_that_is_open_and_not_one_that_failed() {
    let mut socket = Socket::new(Options::<Pull>::new(), SeededEntropy::new(1));
    let place: Endpoint = "tcp://*:1".parse().unwrap();
    let failed = socket.bind(place.clone());
    socket.listen_failed(failed, NetworkError::AddressInUse);
    let open = socket.bind(place.clone());
    socket.listening(open, place.clone());
    while socket.poll_action().is_some() {}
    socket.unbind(&place, Instant::ORIGIN).unwrap();
    assert_eq!(socket.poll_action(), Some(Action::Unlisten(open)));
    assert!(socket.unbind(&place, Instant::ORIGIN).is_err());
}

#[test]
fn options_at_their_ends_and_time_that_leaps_or_goes_back_do_no_harm() {
    let (least, most) = (Duration::from_nanos(1), Duration::MAX);
    for (first, max) in [(most, most), (least, most), (least, least)] {
        let options = Options::<Dealer>::new().linger(most).handshake_timeout(most).connect_timeout(most);
        let options = options.heartbeat(most).unwrap().reconnect(first, max).unwrap().send_hwm(usize::MAX);
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
                socket.disconnected(pipe, link, &ConnectionError::Eof, Instant::ORIGIN);
            }
        }
        socket.send("x").unwrap();
        socket.close(now);
        socket.handle_timeout(now);
    }
}

/// At the end of time a timer that arms itself anew is due at once.
#[test]
fn the_end_of_time_does_not_spin() {
    let mut socket = Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1));
    let now = Instant::from_nanos(u64::MAX);
    let pipe = socket.connect("tcp://a:1".parse().unwrap(), now).unwrap();
    socket.dial_failed(pipe, NetworkError::Refused, now);
    socket.handle_timeout(now);
}

fn say(from: &mut Connection, to: &mut Connection) {
    while let Some(out) = from.poll_transmit() {
        let octets = out.copy_to_bytes(out.remaining());
        to.handle_input(&octets, Instant::ORIGIN).unwrap();
    }
}

/// A probe that a connection had no time for is not said twice on the next one; and an empty message of the application, which
/// looks like one, is none.
#[test]
fn what_opens_a_connection_is_said_once_on_each_whatever_waits_behind_it() {
    for (options, opening) in [
        (Options::<Dealer>::new().probe_router(true), Message::from("")),
        (Options::<Dealer>::new().hello_message("hello"), Message::from("hello")),
    ] {
        let mut dealer = Socket::new(options.clone(), SeededEntropy::new(1));
        let mut now = Instant::ORIGIN;
        let pipe = dealer.connect("tcp://a:1".parse().unwrap(), now).unwrap();
        dealer.send(opening.clone()).unwrap();
        for last in [false, false, true] {
            let mut ours = dealer.connected(pipe, now).unwrap();
            let theirs = Arc::new(Options::<Router>::new().connection_config());
            let mut theirs = Connection::new(&theirs, &mut SystemEntropy, now);
            while ours.peer().is_none() || theirs.peer().is_none() {
                say(&mut ours, &mut theirs);
                say(&mut theirs, &mut ours);
            }
            dealer.exchange(pipe, &mut ours).unwrap();
            if last {
                say(&mut ours, &mut theirs);
                let said: Vec<_> = std::iter::from_fn(|| theirs.take()).collect();
                assert_eq!(said, [(); 2].map(|()| Inbound::Message(opening.clone())));
            }
            dealer.disconnected(pipe, ours, &ConnectionError::Eof, now);
            now = now + Duration::from_secs(10);
            dealer.handle_timeout(now);
        }
    }
}
