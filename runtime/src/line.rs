//! [`Lines`]: futures that wait in turn, first come, first served, to receive from a socket or to send with a socket.

use crate::wakes::Wakes;
use core::task::{Context, Waker};
use sansmq_proto::{PipeId, Socket};
use std::collections::BTreeMap;

/// Futures that wait to receive, and futures that wait to send.
#[derive(Default)]
pub(crate) struct Lines {
    receivers: Line,
    senders: Line,
    /// Futures that wait to send to a peer with a certain routing id, by the pipe of this peer. Each line has at least
    /// one future.
    senders_by_peer: BTreeMap<PipeId, Line>,
}

/// Selects one of the [`Lines`] of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineId {
    Receivers,
    /// Futures that wait to send. Contains the peer that the message addresses, or `None` if the socket selects the
    /// peer.
    Senders(Option<PipeId>),
}

impl LineId {
    /// Returns true if `count` operations of the futures in this line would complete now.
    fn can_complete(self, socket: &mut Socket, count: usize) -> bool {
        match self {
            Self::Receivers => socket.can_complete_recvs(count),
            Self::Senders(to) => socket.can_complete_sends(count, to),
        }
    }
}

impl Lines {
    fn get(&mut self, id: LineId) -> &mut Line {
        match id {
            LineId::Receivers => &mut self.receivers,
            LineId::Senders(None) => &mut self.senders,
            LineId::Senders(Some(pipe)) => self.senders_by_peer.entry(pipe).or_default(),
        }
    }

    /// Returns true if no future waits to receive.
    #[inline]
    pub(crate) const fn has_no_receiver(&self) -> bool {
        self.receivers.is_empty()
    }

    /// Returns true if no future waits to send.
    #[inline]
    pub(crate) fn has_no_sender(&self) -> bool {
        self.senders.is_empty() && self.senders_by_peer.is_empty()
    }

    /// Adds a future to the end of the line `id`, to be woken by `cx`. Returns the position of the future. If
    /// `tried` is false, the future has not tried its operation, and gets a turn as soon as a turn of another future
    /// ends.
    pub(crate) fn join(&mut self, id: LineId, cx: &Context<'_>, tried: bool) -> Position {
        let line = self.get(id);
        let index = line.push(cx.waker().clone());
        if !tried && line.next == END {
            line.next = index;
        }
        Position { line: id, index }
    }

    /// Registers the waker of a future that must wait on, at its position. Returns the waker that the new one replaces,
    /// if any. The caller must drop the returned waker outside of the lock.
    pub(crate) fn sleep(&mut self, at: Position, cx: &Context<'_>) -> Option<Waker> {
        let state = &mut self.get(at.line).slots[at.index].state;
        if matches!(state, SlotState::Asleep(known) if known.will_wake(cx.waker())) {
            return None;
        }
        core::mem::replace(state, SlotState::Asleep(cx.waker().clone())).into_waker()
    }

    /// Ends the turn of a future, which tries its operation now. Returns true if the future had a turn.
    pub(crate) fn end_turn(&mut self, at: Position) -> bool {
        self.get(at.line).end_turn(at.index)
    }

    /// Removes a future from its line. Returns the waker of the future, which the caller must drop outside of the lock,
    /// and true if the future had a turn. Then the caller must [`grant`](Self::grant) further turns.
    pub(crate) fn leave(&mut self, at: Position) -> (Option<Waker>, bool) {
        let line = self.get(at.line);
        let had_turn = line.end_turn(at.index);
        let waker = line.remove(at.index);
        if let LineId::Senders(Some(pipe)) = at.line
            && line.is_empty()
        {
            self.senders_by_peer.remove(&pipe);
        }
        (waker, had_turn)
    }

    /// Returns true if a future that has no turn may try its operation now, because enough operations can complete for
    /// this future and for all futures that have a turn in the line `id`.
    pub(crate) fn may_try(&mut self, id: LineId, socket: &mut Socket) -> bool {
        let turns = match id {
            LineId::Receivers => self.receivers.turns,
            LineId::Senders(None) => self.senders.turns,
            LineId::Senders(Some(pipe)) => self.senders_by_peer.get(&pipe).map_or(0, |line| line.turns),
        };
        turns == 0 || id.can_complete(socket, turns + 1)
    }

    /// Gives turns in the line `id` to as many further futures as operations can complete now, and adds their wakers to
    /// `wakes`.
    pub(crate) fn grant(&mut self, id: LineId, socket: &mut Socket, wakes: &mut Wakes) {
        match id {
            LineId::Receivers => self.receivers.grant(id, socket, wakes),
            LineId::Senders(None) => self.senders.grant(id, socket, wakes),
            LineId::Senders(Some(pipe)) => {
                if let Some(line) = self.senders_by_peer.get_mut(&pipe) {
                    line.grant(id, socket, wakes);
                }
            }
        }
    }

    /// Gives turns to futures that wait to receive, after a message arrived or the socket was closed.
    pub(crate) fn on_readable(&mut self, socket: &mut Socket, wakes: &mut Wakes) {
        self.receivers.restart();
        self.receivers.grant(LineId::Receivers, socket, wakes);
    }

    /// Gives turns to futures that wait to send, after a peer got room or the socket was closed.
    pub(crate) fn on_writable(&mut self, socket: &mut Socket, wakes: &mut Wakes) {
        self.senders.restart();
        self.senders.grant(LineId::Senders(None), socket, wakes);
        for (&pipe, line) in &mut self.senders_by_peer {
            line.restart();
            line.grant(LineId::Senders(Some(pipe)), socket, wakes);
        }
    }
}

/// Position of a future in one of the [`Lines`] of a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) line: LineId,
    index: usize,
}

/// Futures in the order in which they began to wait. A future keeps its position until it completes or is dropped.
///
/// When operations can complete, the first futures get turns: they are woken, and no later future may use up the
/// messages or the room that they need. A future that has no success in its turn gets no second turn before the next
/// [`restart`](Self::restart).
#[derive(Default)]
struct Line {
    /// Circular list, linked by indices. The slot [`END`] is before the first future and after the last future.
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// First future that may get a turn. It and all futures behind it have had no turn since the last restart. [`END`]
    /// if there is no such future.
    next: usize,
    /// Number of futures that have a turn.
    turns: usize,
    /// Number of futures in the line.
    len: usize,
}

struct Slot {
    previous: usize,
    following: usize,
    state: SlotState,
}

enum SlotState {
    /// The slot belongs to no future, or the future of the slot is being polled.
    Free,
    /// The future was woken, and has not been polled since.
    HasTurn,
    Asleep(Waker),
}

impl SlotState {
    fn into_waker(self) -> Option<Waker> {
        match self {
            Self::Asleep(waker) => Some(waker),
            Self::Free | Self::HasTurn => None,
        }
    }
}

const END: usize = 0;

impl Line {
    #[inline]
    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, waker: Waker) -> usize {
        if self.slots.is_empty() {
            self.slots.push(Slot { previous: END, following: END, state: SlotState::Free });
        }
        let last = self.slots[END].previous;
        let slot = Slot { previous: last, following: END, state: SlotState::Asleep(waker) };
        let index = self.free.pop().unwrap_or(self.slots.len());
        if index == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[index] = slot;
        }
        self.slots[last].following = index;
        self.slots[END].previous = index;
        self.len += 1;
        index
    }

    fn remove(&mut self, index: usize) -> Option<Waker> {
        let (previous, following) = (self.slots[index].previous, self.slots[index].following);
        self.slots[previous].following = following;
        self.slots[following].previous = previous;
        if self.next == index {
            self.next = following;
        }
        self.free.push(index);
        self.len -= 1;
        core::mem::replace(&mut self.slots[index].state, SlotState::Free).into_waker()
    }

    fn end_turn(&mut self, index: usize) -> bool {
        let state = &mut self.slots[index].state;
        let had_turn = matches!(state, SlotState::HasTurn);
        if had_turn {
            *state = SlotState::Free;
            self.turns -= 1;
        }
        had_turn
    }

    /// Allows a turn for every future, because more operations may complete than before.
    fn restart(&mut self) {
        self.next = self.slots.first().map_or(END, |end| end.following);
    }

    fn grant(&mut self, id: LineId, socket: &mut Socket, wakes: &mut Wakes) {
        while self.next != END {
            let slot = &mut self.slots[self.next];
            if matches!(slot.state, SlotState::Asleep(_)) {
                if !id.can_complete(socket, self.turns + 1) {
                    return;
                }
                self.turns += 1;
                wakes.add(core::mem::replace(&mut slot.state, SlotState::HasTurn).into_waker());
            }
            self.next = slot.following;
        }
    }
}
