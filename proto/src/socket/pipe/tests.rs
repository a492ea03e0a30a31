//! Tests of [`Pipes`], [`PipeState`] and [`EventQueue`] without a socket.

use super::state::FailureKind;
use super::*;
use crate::SystemEntropy;
use crate::connection::{Connection, ConnectionConfig, Link};
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::id::ListenerId;
use crate::socket_type::SocketType;
use crate::time::Instant;
use core::time::Duration;

#[test]
fn stale_pipe_id_finds_no_pipe() {
    let mut pipes = Pipes::with_marks(1, 1);
    let old = pipes.insert(PipeState::Gone);
    pipes.remove(old);
    let new = pipes.insert(PipeState::Gone);
    assert_eq!(old.index(), new.index());
    assert!(pipes.get(old).is_none());
    pipes.remove(old);
    assert!(pipes.get(new).is_some());
}

#[test]
fn pipes_stay_in_place_when_peers_connect() {
    let mut pipes = Pipes::with_marks(1, 1);
    let id = pipes.insert(PipeState::Gone);
    let before = pipes.get(id).map(core::ptr::from_ref);
    for _ in 0..1000 {
        pipes.insert(PipeState::Gone);
    }
    assert_eq!(pipes.get(id).map(core::ptr::from_ref), before);
}

#[test]
fn pipe_releases_memory_after_a_burst() {
    let config = Arc::new(ConnectionConfig::new(SocketType::Push));
    let mut link = Connection::new(&config, &mut SystemEntropy, Instant::ORIGIN);
    let mut pipes = Pipes::with_marks(1000, 1000);
    let id = pipes.insert(PipeState::dialled("tcp://example:1".parse().unwrap()));
    for _ in 0..1000 {
        pipes.push(id, Message::from(""));
        assert_eq!(pipes.deliver(id, Message::from("")), Effects::READABLE);
    }
    while pipes.outgoing_len(id) > 0 {
        pipes.fill_link(id, &mut link);
        link.reclaim();
    }
    while pipes.pop_incoming(id).is_ok() {}
    let pipe = pipes.get(id).unwrap();
    let capacity = (pipe.outgoing.capacity(), pipe.incoming.capacity());
    assert!(capacity.0 < 100 && capacity.1 < 100, "{capacity:?} messages of capacity are kept");
}

#[test]
fn slow_monitor_receives_number_of_missed_events() {
    let mut pipes = Pipes::with_marks(1, 1);
    pipes.events = Some(EventQueue::new());
    for _ in 0..1500 {
        pipes.dropped(DropReason::Unroutable, 1);
    }
    let mut events = pipes.events.unwrap();
    assert_eq!(events.pop(), Some(Event::Lagged(501)));
    let mut others = 0;
    while events.pop().is_some() {
        others += 1;
    }
    assert_eq!(others, 999);
}

fn dialled() -> PipeState {
    PipeState::dialled("tcp://example:1".parse().unwrap())
}

fn accepted() -> PipeState {
    PipeState::accepted(ListenerId(0), "tcp://example:1".parse().unwrap())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn dialled_pipe_alternates_between_dials_and_connections() {
    let mut state = dialled();
    assert!(state.is_connecting() && state.accepts_messages() && !state.is_connected());
    assert!(state.connect(Instant::ORIGIN));
    assert!(state.is_connected() && !state.is_ready() && !state.delivers_messages());
    assert!(!state.connect(Instant::ORIGIN), "the pipe has a connection");
    state.make_ready();
    assert!(state.is_ready() && state.delivers_messages());
    assert_eq!(state.back_off(FailureKind::Temporary, Instant::ORIGIN, |_| SECOND), Some(SECOND));
    assert!(!state.is_connected() && !state.is_ready() && !state.is_connecting());
    assert!(!state.connect(Instant::ORIGIN), "the dial has not begun");
    state.dial();
    assert!(state.is_connecting());
}

#[test]
fn back_off_counts_failures_until_a_connection_lasts() {
    let mut state = dialled();
    let failures = |state: &mut PipeState, now| {
        let mut seen = None;
        state.back_off(FailureKind::Temporary, now, |failures| {
            seen = Some(failures);
            SECOND
        });
        state.dial();
        seen
    };
    let now = Instant::ORIGIN;
    assert_eq!([failures(&mut state, now), failures(&mut state, now)], [Some(0), Some(1)]);
    // The connection lasts shorter than the back-off before it.
    state.connect(now);
    state.make_ready();
    assert_eq!(failures(&mut state, now + SECOND), Some(2));
    // The connection lasts longer, but its handshake is not finished.
    state.connect(now);
    assert_eq!(failures(&mut state, now + SECOND * 2), Some(3));
    state.connect(now);
    state.make_ready();
    assert_eq!(failures(&mut state, now + SECOND * 2), Some(0));
    assert_eq!(failures(&mut accepted(), now), None, "an accepted pipe does not dial");
}

#[test]
fn back_off_counts_refusals_separately() {
    let mut state = dialled();
    let seen =
        [FailureKind::Temporary, FailureKind::Refusal, FailureKind::Refusal, FailureKind::Temporary].map(|kind| {
            let mut seen = None;
            state.back_off(kind, Instant::ORIGIN, |failures| {
                seen = Some(failures);
                SECOND
            });
            state.dial();
            seen
        });
    assert_eq!(seen, [Some(0), Some(0), Some(1), Some(1)]);
}

#[test]
fn failed_connection_keeps_its_first_reason() {
    let mut state = accepted();
    state.make_ready();
    state.fail(ConnectionError::TooSlow);
    state.fail(ConnectionError::LocallyClosed);
    assert_eq!(state.failure(), Some(&ConnectionError::TooSlow));
    assert!(state.is_connected() && state.is_ready(), "until the connection has ended");
    assert!(!state.accepts_messages() && !state.delivers_messages());
}

#[test]
fn pipe_failed_without_a_connection_rejects_the_next_one() {
    let mut state = dialled();
    state.fail(ConnectionError::HandedOver);
    assert_eq!(state.failure(), None);
    assert!(state.connect(Instant::ORIGIN));
    assert_eq!(state.failure(), Some(&ConnectionError::HandedOver));
    state.back_off(FailureKind::Temporary, Instant::ORIGIN, |_| SECOND);
    state.dial();
    state.connect(Instant::ORIGIN);
    assert_eq!(state.failure(), None, "only one connection is rejected");
}

#[test]
fn draining_pipe_keeps_its_connection_and_accepts_nothing() {
    let mut state = dialled();
    assert!(state.drain());
    assert!(!state.drain(), "the pipe already drains");
    assert!(state.is_draining() && state.is_connecting() && !state.accepts_messages());
    state.connect(Instant::ORIGIN);
    state.make_ready();
    assert!(state.is_draining() && state.is_ready() && !state.delivers_messages());
    state.fail(ConnectionError::LocallyClosed);
    assert!(state.is_draining() && state.failure().is_some());
    assert!(!PipeState::Gone.drain());
}

#[test]
fn removed_pipe_stays_until_its_messages_are_received() {
    let mut pipes = Pipes::with_marks(10, 10);
    let [empty, full] = [(); 2].map(|()| pipes.insert(accepted()));
    let _ = pipes.deliver(full, Message::from("last message"));
    pipes.remove(empty);
    pipes.remove(full);
    assert!(pipes.get(empty).is_none());
    assert!(pipes.get(full).is_some_and(|pipe| pipe.state.is_gone()));
    assert_eq!(pipes.pop_incoming(full).unwrap(), "last message".into());
    assert!(pipes.get(full).is_none());
}
