//! The differences that are meant to be, by the words of their rows in `src/guide/migrating_from_libzmq.md`. A program ends with
//! one, for what comes after follows from it.

use super::program::{Op, Program, Switch, Target};
use super::real::PUT_OFF;
use super::{News, World, from};
use sansmq::proto::SocketType::{Req, Router, XPub, XSub};
use sansmq::{Message, RecvError};

const REQUEST_LOST: &str = "a REQ whose peer goes with the request";
const PEER_WENT: &str = "an `inproc` connect whose peer went";
const NO_REPLY: &str = "what a REQ gets over `inproc` that is no reply";
const UNBOUND: &str = "what has connected to an `inproc` name that is unbound";
const PROBED_AGAIN: &str = "`probe_router` when a connection is made again";
const UNHEARD: &str = "what an XSUB says besides to a publisher that is not connected";
const FORGOTTEN: &str = "the subscriptions of a peer that a publisher dials, when the connection is lost";
const AWAY: &str = "a ROUTER's peer that is away, with `immediate`";
const ENDS_LATE: &str = "what a REQ unbinds, or disconnects with `immediate`";

/// Which row this difference is.
pub(crate) fn row(
    program: &Program,
    step: usize,
    world: &impl World,
    expected: &[News],
    found: &[News],
) -> Option<&'static str> {
    let done = &program.ops[..step];
    let closed = done.iter().any(|op| matches!(op, Op::Close { .. }));
    let unbound = done.iter().any(|op| matches!(op, Op::Unbind { .. }));
    let inproc = world.is_inproc();
    let pairs = || expected.iter().zip(found).filter(|(expected, found)| expected != found);
    // What does not come to rest says so besides, and no row excuses it but this one.
    if expected.len() != found.len() {
        return (found.last() == Some(&News::Answered(PUT_OFF.to_owned()))).then_some(ENDS_LATE);
    }
    if pairs().all(|(expected, found)| is_request_lost(world, expected, found))
        || is_still_waiting(program, step, world, found)
    {
        Some(REQUEST_LOST)
    } else if pairs().all(|(expected, found)| lacks(found, expected, is_probe)) {
        Some(PROBED_AGAIN)
    } else if pairs().all(|(expected, found)| lacks(expected, found, |message| is_of_an_xsub(program, world, message)))
    {
        Some(UNHEARD)
    } else if is_away(program, step, world, expected, found) {
        Some(AWAY)
    } else if pairs().all(|(expected, found)| is_forgotten(program, step, world, expected, found)) {
        Some(FORGOTTEN)
    } else if inproc && done.iter().any(|op| is_no_reply(program, op)) {
        Some(NO_REPLY)
    } else if inproc && unbound {
        Some(UNBOUND)
    } else if inproc && closed {
        Some(PEER_WENT)
    } else {
        None
    }
}

fn is_no_reply(program: &Program, op: &Op) -> bool {
    matches!(op, Op::Send { to: Some(Target::Peer(peer)), frames, .. } if program.kind(*peer) == Req && frames.len() == 1)
}

fn is_request_lost(world: &impl World, expected: &News, found: &News) -> bool {
    let (News::Received { end, .. }, News::Received { socket, messages, .. }) = (expected, found) else { return false };
    *end == RecvError::PeerLost.to_string() && messages.is_empty() && world.is_theirs(*socket)
}

/// Whether a REQ of libzmq does not send, for it waits still, though it has lost a peer.
fn is_still_waiting(program: &Program, step: usize, world: &impl World, found: &[News]) -> bool {
    let Op::Send { socket, .. } = program.ops[step] else { return false };
    let waits = program.kind(socket) == Req && found == [News::Answered("out of turn".to_owned())];
    waits && world.is_theirs(socket) && has_lost(program, step, socket)
}

/// Whether a connection of this one has been ended, by itself or by the peer.
fn has_lost(program: &Program, step: usize, socket: usize) -> bool {
    let done = &program.ops[..step];
    let is_at = |who: usize, place: usize| {
        done.iter().any(|op| match *op {
            Op::Bind { socket, endpoint } | Op::Connect { socket, endpoint } => (socket, endpoint) == (who, place),
            _ => false,
        })
    };
    done.iter().any(|op| match *op {
        Op::Unbind { endpoint, .. } | Op::Disconnect { endpoint, .. } => is_at(socket, endpoint),
        Op::Close { socket: peer } => (0..program.endpoints.len()).any(|at| is_at(socket, at) && is_at(peer, at)),
        _ => false,
    })
}

/// Whether they are the same but for such messages, which one has more of.
fn lacks(fewer: &News, more: &News, what: impl Fn(&Message) -> bool) -> bool {
    let (News::Received { messages: fewer, .. }, News::Received { messages: more, .. }) = (fewer, more) else {
        return false;
    };
    let mut rest = fewer.iter().peekable();
    let lacking = more.iter().filter(|message| rest.next_if_eq(message).is_none());
    lacking.filter(|message| !what(message)).count() == 0 && rest.next().is_none()
}

fn is_probe(message: &Message) -> bool {
    message.len() == 2 && message.body().is_empty()
}

fn is_forgotten(program: &Program, step: usize, world: &impl World, expected: &News, found: &News) -> bool {
    matches!(*found, News::Received { socket, .. } if world.is_theirs(socket) && forgets(program, step, socket))
        && lacks(found, expected, is_cancel)
}

/// Whether this is a publisher that had dialled somebody who is gone by now.
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

fn is_of_an_xsub(program: &Program, world: &impl World, message: &Message) -> bool {
    from(message).is_none_or(|from| program.kind(from) == XSub && world.is_theirs(from))
}

fn is_away(program: &Program, step: usize, world: &impl World, expected: &[News], found: &[News]) -> bool {
    let Op::Send { socket, .. } = program.ops[step] else { return false };
    let answers = [expected, found].map(|news| match news {
        [News::Answered(answer)] => answer.as_str(),
        _ => "",
    });
    program.kind(socket) == Router
        && world.is_theirs(socket)
        && program.has(socket, Switch::Immediate)
        && answers == ["not now", "unroutable"]
}

#[test]
fn the_table_has_every_row_that_the_comparison_knows() {
    let table = include_str!("../../../../src/guide/migrating_from_libzmq.md");
    for row in [REQUEST_LOST, PEER_WENT, NO_REPLY, UNBOUND, PROBED_AGAIN, UNHEARD, FORGOTTEN, AWAY, ENDS_LATE] {
        assert!(table.contains(&format!("\n| {row} |")), "{row}");
    }
}
