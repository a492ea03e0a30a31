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

    /// Returns true if no other future waits for the same operation as the future at the position `at`. May return false for
    /// a future that waits alone.
    #[inline]
    pub(crate) fn is_alone(&self, at: Position) -> bool {
        at.index == SOLE
            && match at.line {
                LineId::Receivers => self.receivers.others.is_empty(),
                LineId::Senders(None) => self.senders.others.is_empty() && self.senders_by_peer.is_empty(),
                LineId::Senders(Some(_)) => false,
            }
    }

    /// Adds a future to the end of the line `id`, to be woken by `cx`. Returns the position of the future. If
    /// `tried` is false, the future has not tried its operation, and gets a turn as soon as a turn of another future
    /// ends.
    pub(crate) fn join(&mut self, id: LineId, cx: &Context<'_>, tried: bool) -> Position {
        let line = self.get(id);
        let asleep = SlotState::Asleep(cx.waker().clone());
        if line.is_empty() {
            line.sole = asleep;
            return Position { line: id, index: SOLE };
        }
        let index = line.others.push(asleep);
        if !tried && line.others.next == END {
            line.others.next = index;
        }
        Position { line: id, index }
    }

    /// Registers the waker of a future that must wait on, at its position. Returns the waker that the new one replaces,
    /// if any. The caller must drop the returned waker outside of the lock.
    pub(crate) fn sleep(&mut self, at: Position, cx: &Context<'_>) -> Option<Waker> {
        let state = self.get(at.line).state(at.index);
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

    /// Removes the future at the position `at`, which [waits alone](Self::is_alone). Returns its waker, which the caller
    /// must drop outside of the lock.
    #[inline]
    pub(crate) fn leave_alone(&mut self, at: Position) -> Option<Waker> {
        let line = self.get(at.line);
        line.turns = 0;
        core::mem::take(&mut line.sole).into_waker()
    }

    /// Returns true if a future that has no turn may try its operation now, because enough operations can complete for
    /// this future and for all futures that have a turn in the line `id`.
    pub(crate) fn may_try(&mut self, id: LineId, socket: &mut Socket) -> bool {
        let turns = self.turns(id);
        turns == 0 || id.can_complete(socket, turns + 1)
    }

    /// Returns the number of operations, at most `limit`, that a future may complete in one call, so that all futures that have
    /// a turn in the line `id` can complete theirs. The caller must have checked that one operation is possible.
    pub(crate) fn share(&self, id: LineId, socket: &mut Socket, limit: usize) -> usize {
        let turns = self.turns(id);
        let mut share = limit;
        while turns > 0 && share > 1 && !id.can_complete(socket, turns.saturating_add(share)) {
            share /= 2;
        }
        share
    }

    fn turns(&self, id: LineId) -> usize {
        match id {
            LineId::Receivers => self.receivers.turns,
            LineId::Senders(None) => self.senders.turns,
            LineId::Senders(Some(pipe)) => self.senders_by_peer.get(&pipe).map_or(0, |line| line.turns),
        }
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
    #[inline]
    pub(crate) fn on_readable(&mut self, socket: &mut Socket, wakes: &mut Wakes) {
        self.receivers.restart(LineId::Receivers, socket, wakes);
    }

    /// Gives turns to futures that wait to send, after a peer got room or the socket was closed.
    #[inline]
    pub(crate) fn on_writable(&mut self, socket: &mut Socket, wakes: &mut Wakes) {
        self.senders.restart(LineId::Senders(None), socket, wakes);
        for (&pipe, line) in &mut self.senders_by_peer {
            line.restart(LineId::Senders(Some(pipe)), socket, wakes);
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
    /// The future that joined the line when the line was empty, so it is before all others.
    // Most sockets have one task that receives and one that sends. Such a task does not pay for the list of the others.
    sole: SlotState,
    /// True if `sole` has had no turn since the last restart.
    sole_is_next: bool,
    others: Others,
    /// Number of futures that have a turn.
    turns: usize,
}

/// Futures that joined a line that was not empty.
#[derive(Default)]
struct Others {
    /// Circular list, linked by indices. The slot [`END`] is before the first future and after the last future.
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// First future that may get a turn. It and all futures behind it have had no turn since the last restart. [`END`]
    /// if there is no such future.
    next: usize,
    /// Number of futures in the list.
    len: usize,
}

struct Slot {
    previous: usize,
    following: usize,
    state: SlotState,
}

#[derive(Default)]
enum SlotState {
    /// The slot belongs to no future.
    #[default]
    Free,
    /// The future was polled in its turn, or is being polled.
    Awake,
    /// The future was woken, and has not been polled since.
    HasTurn,
    Asleep(Waker),
}

impl SlotState {
    fn into_waker(self) -> Option<Waker> {
        match self {
            Self::Asleep(waker) => Some(waker),
            Self::Free | Self::Awake | Self::HasTurn => None,
        }
    }

    /// Gives a turn to the future of this slot if it is asleep. Adds its waker to `wakes`.
    fn wake(&mut self, turns: &mut usize, wakes: &mut Wakes) {
        if matches!(self, Self::Asleep(_)) {
            *turns += 1;
            wakes.add(core::mem::replace(self, Self::HasTurn).into_waker());
        }
    }
}

/// Index of [`Line::sole`] in a [`Position`].
const SOLE: usize = 0;

/// Index of the slot that belongs to no future, in [`Others::slots`].
const END: usize = 0;

impl Line {
    #[inline]
    const fn is_empty(&self) -> bool {
        matches!(self.sole, SlotState::Free) && self.others.is_empty()
    }

    fn state(&mut self, index: usize) -> &mut SlotState {
        if index == SOLE { &mut self.sole } else { &mut self.others.slots[index].state }
    }

    fn remove(&mut self, index: usize) -> Option<Waker> {
        if index == SOLE { core::mem::take(&mut self.sole).into_waker() } else { self.others.remove(index) }
    }

    fn end_turn(&mut self, index: usize) -> bool {
        let state = self.state(index);
        let had_turn = matches!(state, SlotState::HasTurn);
        if had_turn {
            *state = SlotState::Awake;
            self.turns -= 1;
        }
        had_turn
    }

    /// Allows a turn for every future, because more operations may complete than before, and gives turns.
    #[inline]
    fn restart(&mut self, id: LineId, socket: &mut Socket, wakes: &mut Wakes) {
        // A future that waits alone for any peer can be woken without a count of what can complete: there is no order to keep.
        // If it waits for one peer, the room may be that of another peer.
        if self.others.is_empty() && !matches!(id, LineId::Senders(Some(_))) {
            self.sole.wake(&mut self.turns, wakes);
        } else {
            self.sole_is_next = true;
            self.others.restart();
            self.grant(id, socket, wakes);
        }
    }

    fn grant(&mut self, id: LineId, socket: &mut Socket, wakes: &mut Wakes) {
        let Self { sole, sole_is_next, others, turns } = self;
        if *sole_is_next {
            if matches!(sole, SlotState::Asleep(_)) && !id.can_complete(socket, *turns + 1) {
                return;
            }
            sole.wake(turns, wakes);
            *sole_is_next = false;
        }
        while let Some(slot) = others.next_slot() {
            if matches!(slot.state, SlotState::Asleep(_)) && !id.can_complete(socket, *turns + 1) {
                return;
            }
            slot.state.wake(turns, wakes);
            others.next = slot.following;
        }
    }
}

impl Others {
    #[inline]
    const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, state: SlotState) -> usize {
        if self.slots.is_empty() {
            self.slots.push(Slot { previous: END, following: END, state: SlotState::Free });
        }
        let last = self.slots[END].previous;
        let slot = Slot { previous: last, following: END, state };
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
        core::mem::take(&mut self.slots[index].state).into_waker()
    }

    /// Allows a turn for every future.
    fn restart(&mut self) {
        self.next = self.slots.first().map_or(END, |end| end.following);
    }

    /// Returns the slot of the first future that may get a turn.
    fn next_slot(&mut self) -> Option<&mut Slot> {
        if self.next == END { None } else { self.slots.get_mut(self.next) }
    }
}
