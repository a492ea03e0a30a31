//! Pipes without a socket around them.

use super::*;
use crate::SystemEntropy;
use crate::connection::{Connection, ConnectionConfig, Link};
use crate::message::Message;
use crate::socket_type::SocketType;
use crate::time::Instant;

#[test]
fn a_stale_id_names_nothing() {
    let mut pipes = Pipes::with_marks(1, 1);
    let old = pipes.insert(Life::Gone);
    pipes.remove(old);
    let new = pipes.insert(Life::Gone);
    assert_eq!(old.index(), new.index());
    assert!(pipes.get(old).is_none());
    assert!(pipes.remove(old).is_none());
    assert!(pipes.get(new).is_some());
}

#[test]
fn a_pipe_that_has_seen_a_burst_keeps_little_of_it() {
    let config = Arc::new(ConnectionConfig::new(SocketType::Push));
    let mut link = Connection::new(&config, &mut SystemEntropy, Instant::ORIGIN);
    let mut pipes = Pipes::with_marks(1000, 1000);
    let id = pipes.insert(Life::dialled("tcp://example:1".parse().unwrap()));
    for _ in 0..1000 {
        pipes.push(id, Message::from(""));
        pipes.deliver(id, Message::from(""));
    }
    while pipes.outgoing_len(id) > 0 {
        pipes.pour(id, &mut link);
        link.reclaim();
    }
    while pipes.pop_incoming(id).is_ok() {}
    let pipe = pipes.get(id).unwrap();
    let places = (pipe.outgoing.places(), pipe.incoming.places());
    assert!(places.0 < 100 && places.1 < 100, "{places:?} places are kept");
}

#[test]
fn a_monitor_that_does_not_read_is_told_what_it_missed() {
    let mut pipes = Pipes::with_marks(1, 1);
    pipes.events = Some(EventQueue::new());
    for _ in 0..1500 {
        pipes.dropped(DropReason::Unroutable, 1);
    }
    let mut events = pipes.events.unwrap();
    assert_eq!(events.pop(), Some(Event::Missed(501)));
    let mut others = 0;
    while events.pop().is_some() {
        others += 1;
    }
    assert_eq!(others, 999);
}
