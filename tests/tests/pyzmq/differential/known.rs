//! The known differences between sansmq and libzmq. Each is named by the first cell of its row in the table of
//! `docs/book/src/migrating/libzmq.md`. A generated test program ends at its first difference, because later results
//! depend on this difference.

use super::program::{Op, Program, Switch, Target};
use super::real::DELAYED;
use super::{Backend, Observation, PEER_LOST, from};
use sansmq::Message;
use sansmq::proto::SocketType::{Req, Router, XPub, XSub};

const REQUEST_LOST: &str = "a REQ that loses its peer before the reply";
const INPROC_PEER_CLOSED: &str = "an `inproc` connection after its peer has closed";
const NO_REPLY: &str = "a malformed reply to a REQ over `inproc`";
const INPROC_UNBOUND: &str = "connections to an `inproc` name after `unbind`";
const PROBED_AGAIN: &str = "`probe_router` after a reconnect";
const XSUB_MESSAGE: &str = "other messages of an XSUB to a publisher that is not connected";
const FORGOTTEN_SUBSCRIPTIONS: &str = "subscriptions of a peer that the publisher dials, after a lost connection";
const COUNTED_CANCELS: &str = "the last unsubscribe of a prefix at an XPUB with `verbose` or `verboser`";
const ROUTER_IMMEDIATE: &str = "a disconnected peer of a ROUTER, with `immediate`";
const ENDS_LATE: &str = "a connection of a REQ after `unbind`, or after `disconnect` with `immediate`";

/// Returns the row of the table of known differences that explains why the results `found` of an operation differ from
/// the results `expected`; `None` if no row does. `step` is the index of the operation in `program`.
pub(crate) fn row(
    program: &Program,
    step: usize,
    backend: &impl Backend,
    expected: &[Observation],
    found: &[Observation],
) -> Option<&'static str> {
    let done = &program.ops[..step];
    let closed = done.iter().any(|op| matches!(op, Op::Close { .. }));
    let unbound = done.iter().any(|op| matches!(op, Op::Unbind { .. }));
    let inproc = backend.is_inproc();
    let pairs = || expected.iter().zip(found).filter(|(expected, found)| expected != found);
    // A run that does not settle adds an observation, and only this row covers that.
    if expected.len() != found.len() {
        return (found.last() == Some(&Observation::Returned(DELAYED.to_owned()))).then_some(ENDS_LATE);
    }
    if pairs().all(|(expected, found)| is_request_lost(backend, expected, found))
        || still_waits_for_reply(program, step, backend, found)
    {
        Some(REQUEST_LOST)
    } else if pairs().all(|(expected, found)| lacks_only(found, expected, is_probe)) {
        Some(PROBED_AGAIN)
    } else if pairs()
        .all(|(expected, found)| lacks_only(expected, found, |message| is_from_xsub(program, backend, message)))
    {
        Some(XSUB_MESSAGE)
    } else if is_unroutable_with_immediate(program, step, backend, expected, found) {
        Some(ROUTER_IMMEDIATE)
    } else if pairs().all(|(expected, found)| is_forgotten(program, step, backend, expected, found)) {
        Some(FORGOTTEN_SUBSCRIPTIONS)
    } else if pairs().all(|(expected, found)| is_counted_cancel(program, backend, expected, found)) {
        Some(COUNTED_CANCELS)
    } else if inproc && done.iter().any(|op| is_no_reply(program, op)) {
        Some(NO_REPLY)
    } else if inproc && unbound {
        Some(INPROC_UNBOUND)
    } else if inproc && closed {
        Some(INPROC_PEER_CLOSED)
    } else {
        None
    }
}

fn is_no_reply(program: &Program, op: &Op) -> bool {
    matches!(op, Op::Send { to: Some(Target::Peer(peer)), frames, .. } if program.kind(*peer) == Req && frames.len() == 1)
}

fn is_request_lost(backend: &impl Backend, expected: &Observation, found: &Observation) -> bool {
    let (Observation::Received { end, .. }, Observation::Received { socket, messages, .. }) = (expected, found) else {
        return false;
    };
    end == PEER_LOST && messages.is_empty() && backend.is_libzmq(*socket)
}

/// Returns true if the operation with the index `step` is a send that failed because a REQ of libzmq still waits for a
/// reply of a lost peer. `found` contains the result of this send.
fn still_waits_for_reply(program: &Program, step: usize, backend: &impl Backend, found: &[Observation]) -> bool {
    let Op::Send { socket, .. } = program.ops[step] else { return false };
    let waits = program.kind(socket) == Req && found == [Observation::Returned("out of turn".to_owned())];
    waits && backend.is_libzmq(socket) && has_lost(program, step, socket)
}

/// Returns true if `socket` has lost a connection before the operation with the index `step`, because one of the two
/// sockets of the connection has disconnected, unbound or closed.
fn has_lost(program: &Program, step: usize, socket: usize) -> bool {
    let done = &program.ops[..step];
    let uses = |user: usize, at: usize| {
        done.iter().any(|op| match *op {
            Op::Bind { socket, endpoint } | Op::Connect { socket, endpoint } => (socket, endpoint) == (user, at),
            _ => false,
        })
    };
    done.iter().any(|op| match *op {
        Op::Unbind { endpoint, .. } | Op::Disconnect { endpoint, .. } => uses(socket, endpoint),
        Op::Close { socket: peer } => (0..program.endpoints.len()).any(|at| uses(socket, at) && uses(peer, at)),
        _ => false,
    })
}

/// Compares the received messages in two results. Returns true if `fewer` has the same messages as `more` in the same
/// order, except that `fewer` lacks some messages that satisfy `condition`. Returns false if a result is not that of a
/// receive.
fn lacks_only(fewer: &Observation, more: &Observation, condition: impl Fn(&Message) -> bool) -> bool {
    let (Observation::Received { messages: fewer, .. }, Observation::Received { messages: more, .. }) = (fewer, more)
    else {
        return false;
    };
    let mut rest = fewer.iter().peekable();
    let missing = more.iter().filter(|message| rest.next_if_eq(message).is_none());
    missing.filter(|message| !condition(message)).count() == 0 && rest.next().is_none()
}

fn is_probe(message: &Message) -> bool {
    message.len() == 2 && message.body().is_empty()
}

fn is_forgotten(
    program: &Program,
    step: usize,
    backend: &impl Backend,
    expected: &Observation,
    found: &Observation,
) -> bool {
    matches!(*found, Observation::Received { socket, .. } if backend.is_libzmq(socket) && forgets(program, step, socket))
        && lacks_only(found, expected, is_cancel)
}

/// Returns true if `found` is the result of a receive at an XPUB of libzmq with `verbose` or `verboser`, and lacks only
/// cancellations of the messages in `expected`.
fn is_counted_cancel(program: &Program, backend: &impl Backend, expected: &Observation, found: &Observation) -> bool {
    let is_verbose = |socket: usize| [Switch::Verbose, Switch::Verboser].iter().any(|&on| program.has(socket, on));
    matches!(*found, Observation::Received { socket, .. } if backend.is_libzmq(socket) && is_verbose(socket))
        && lacks_only(found, expected, is_cancel)
}

/// Returns true if `socket` is an XPUB that has connected to an endpoint which was unbound later, or to a socket that
/// was closed later. An XPUB of libzmq then keeps the subscriptions that it has received there, so its application
/// never receives their cancellations.
pub(super) fn forgets(program: &Program, step: usize, socket: usize) -> bool {
    let done = &program.ops[..step];
    let dialled = |at: usize| {
        done.iter().any(|op| matches!(*op, Op::Connect { socket: by, endpoint } if (by, endpoint) == (socket, at)))
    };
    let bound = |peer: usize| {
        done.iter().any(|op| matches!(*op, Op::Bind { socket: by, endpoint } if by == peer && dialled(endpoint)))
    };
    program.kind(socket) == XPub
        && done.iter().any(|op| match *op {
            Op::Unbind { endpoint, .. } => dialled(endpoint),
            Op::Close { socket: peer } => bound(peer),
            _ => false,
        })
}

pub(super) fn is_cancel(message: &Message) -> bool {
    message.len() == 1 && message.head().first() == Some(&0)
}

fn is_from_xsub(program: &Program, backend: &impl Backend, message: &Message) -> bool {
    from(message).is_none_or(|from| program.kind(from) == XSub && backend.is_libzmq(from))
}

fn is_unroutable_with_immediate(
    program: &Program,
    step: usize,
    backend: &impl Backend,
    expected: &[Observation],
    found: &[Observation],
) -> bool {
    let Op::Send { socket, .. } = program.ops[step] else { return false };
    let results = [expected, found].map(|observations| match observations {
        [Observation::Returned(result)] => result.as_str(),
        _ => "",
    });
    program.kind(socket) == Router
        && backend.is_libzmq(socket)
        && program.has(socket, Switch::Immediate)
        && results == ["would block", "unroutable"]
}

#[test]
fn guide_table_contains_each_known_difference() {
    let table = include_str!("../../../../docs/book/src/migrating/libzmq.md");
    for row in [
        REQUEST_LOST,
        INPROC_PEER_CLOSED,
        NO_REPLY,
        INPROC_UNBOUND,
        PROBED_AGAIN,
        XSUB_MESSAGE,
        FORGOTTEN_SUBSCRIPTIONS,
        COUNTED_CANCELS,
        ROUTER_IMMEDIATE,
        ENDS_LATE,
    ] {
        assert!(table.contains(&format!("\n| {row} |")), "{row}");
    }
}
