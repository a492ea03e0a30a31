//! [`TurnKey`]: registration of a future that waits in turn to receive or to send.

use crate::budget::Completed;
use crate::line::{LineId, Position};
use crate::state::{Shared, State};
use crate::wakes::Wakes;
use core::task::{Context, Poll};
use sansmq_proto::Message;

/// Registration of one future in the [`Lines`](crate::line::Lines) of a socket. Removed when the future completes or is
/// dropped; the turn of a dropped future passes to the next future.
pub(crate) struct TurnKey<S: AsRef<Shared>> {
    shared: S,
    position: Option<Position>,
    has_budget: bool,
}

impl<S: AsRef<Shared>> TurnKey<S> {
    pub(crate) const fn new(shared: S) -> Self {
        Self { shared, position: None, has_budget: true }
    }

    /// Lifts the [`Budget`](crate::Budget), for a future that yields by itself.
    pub(crate) fn without_budget(mut self) -> Self {
        self.has_budget = false;
        self
    }

    pub(crate) fn shared(&self) -> &Shared {
        self.shared.as_ref()
    }

    /// Locks the state of the socket and calls `work`, which receives a message, if no other future has a better claim
    /// to it. Otherwise, or if `work` returns `Pending`, the future keeps its place in the line of receivers, or joins
    /// this line at its end.
    #[inline]
    pub(crate) fn receive<R>(&mut self, cx: &mut Context<'_>, work: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        self.receive_as(cx, |_| Completed::One, |state, _| work(state))
    }

    /// Does the same as [`receive`](Self::receive) for several messages. The second argument of `work` is the number of
    /// messages that it may receive: `limit`, or fewer while other futures have turns.
    pub(crate) fn receive_many<E>(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        work: impl FnOnce(&mut State, usize) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<usize, E>> {
        self.receive_as(cx, Completed::of, |state, is_alone| {
            let most = if is_alone { limit } else { state.lines.share(LineId::Receivers, &mut state.socket, limit) };
            work(state, most)
        })
    }

    /// Does the work of [`receive`](Self::receive). The second argument of `work` is true if no other future waits to receive.
    /// `completed` returns the number of operations that count against the [`Budget`](crate::Budget).
    #[inline]
    fn receive_as<R>(
        &mut self,
        cx: &mut Context<'_>,
        completed: impl FnOnce(&R) -> Completed,
        work: impl FnOnce(&mut State, bool) -> Poll<R>,
    ) -> Poll<R> {
        let position = &mut self.position;
        self.shared.as_ref().poll_counted(cx, self.has_budget, completed, |state, cx, wakes| {
            let is_alone = match *position {
                None => state.lines.has_no_receiver(),
                Some(held) => state.lines.is_alone(held),
            };
            if is_alone {
                let polled = work(state, true);
                if polled.is_pending() {
                    state.wait_alone(position, LineId::Receivers, cx);
                } else if let Some(held) = position.take() {
                    state.spent.extend(state.lines.leave_alone(held));
                }
                return polled;
            }
            in_turn(position, LineId::Receivers, state, cx, wakes, |state| work(state, false))
        })
    }

    /// Locks the state of the socket and calls `work`, which sends the message in `waiting`, if no other future has a
    /// better claim to the room for it. Otherwise, or if `work` returns `Pending`, the future keeps its place in the
    /// line of the peer to which the message is addressed, or joins this line at its end.
    #[inline]
    pub(crate) fn send<R>(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Option<Message>,
        work: impl FnOnce(&mut State, &mut Option<Message>) -> Poll<R>,
    ) -> Poll<R> {
        self.send_as(cx, waiting, Option::as_ref, |_| Completed::One, |state, waiting, _| work(state, waiting))
    }

    /// Does the same as [`send`](Self::send) for several messages, of which the first selects the line. The third argument of
    /// `work` is the number of messages that it may send: all, or fewer while other futures have turns.
    pub(crate) fn send_many<E>(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Vec<Message>,
        work: impl FnOnce(&mut State, &mut Vec<Message>, usize) -> Poll<Result<usize, E>>,
    ) -> Poll<Result<usize, E>> {
        self.send_as(
            cx,
            messages,
            |messages| messages.first(),
            Completed::of,
            |state, messages, is_alone| {
                let most = if is_alone {
                    messages.len()
                } else {
                    let line = state.sender_line(messages.first());
                    state.lines.share(line, &mut state.socket, messages.len())
                };
                work(state, messages, most)
            },
        )
    }

    /// Does the work of [`send`](Self::send). The third argument of `work` is true if no other future waits to send. `first`
    /// returns the first message in `waiting`; `completed` returns the number of operations that count against the
    /// [`Budget`](crate::Budget).
    #[inline]
    fn send_as<W, R>(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut W,
        first: impl Fn(&W) -> Option<&Message>,
        completed: impl FnOnce(&R) -> Completed,
        work: impl FnOnce(&mut State, &mut W, bool) -> Poll<R>,
    ) -> Poll<R> {
        let position = &mut self.position;
        self.shared.as_ref().poll_counted(cx, self.has_budget, completed, |state, cx, wakes| {
            let is_alone = match *position {
                None => state.lines.has_no_sender(),
                Some(held) => state.lines.is_alone(held),
            };
            if is_alone {
                let polled = work(state, waiting, true);
                if polled.is_pending() {
                    let line = state.sender_line(first(waiting));
                    state.wait_alone(position, line, cx);
                } else if let Some(held) = position.take() {
                    state.spent.extend(state.lines.leave_alone(held));
                }
                return polled;
            }
            let line = state.sender_line(first(waiting));
            in_turn(position, line, state, cx, wakes, |state| work(state, waiting, false))
        })
    }
}

/// Calls `work` if the future at `position` has a turn, or if more operations can complete than futures have turns.
/// Registers the future in the line `id` if it must wait, and gives turns to other futures when the turn of this future
/// has ended.
#[inline(never)]
fn in_turn<R>(
    position: &mut Option<Position>,
    id: LineId,
    state: &mut State,
    cx: &Context<'_>,
    wakes: &mut Wakes,
    work: impl FnOnce(&mut State) -> Poll<R>,
) -> Poll<R> {
    if let Some(elsewhere) = position.take_if(|position| position.line != id) {
        // The message waits for another peer now, for example because its routing id was assigned to another peer.
        state.leave_line(elsewhere, wakes);
    }
    let has_turn = position.is_some_and(|position| state.lines.end_turn(position));
    let may_try = has_turn || state.lines.may_try(id, &mut state.socket);
    let polled = if may_try { work(state) } else { Poll::Pending };
    match (&polled, *position) {
        (Poll::Ready(_), None) => {}
        (Poll::Ready(_), Some(held)) => {
            *position = None;
            state.leave_line(held, wakes);
        }
        (Poll::Pending, None) => *position = Some(state.lines.join(id, cx, may_try)),
        (Poll::Pending, Some(held)) => state.spent.extend(state.lines.sleep(held, cx)),
    }
    if has_turn {
        state.lines.grant(id, &mut state.socket, wakes);
    }
    polled
}

impl<S: AsRef<Shared>> Drop for TurnKey<S> {
    /// Removes the future from its line, and passes its turn on.
    #[inline]
    fn drop(&mut self) {
        if let Some(position) = self.position.take() {
            leave(self.shared.as_ref(), position);
        }
    }
}

#[inline(never)]
fn leave(shared: &Shared, position: Position) {
    let mut wakes = Wakes::default();
    shared.locked(&mut wakes, |state, wakes| state.leave_line(position, wakes));
    wakes.run();
}

impl State {
    /// Registers a future that has tried its operation and must wait, at its position or at the end of the line `id`. No
    /// other future waits for the same operation.
    #[inline(never)]
    fn wait_alone(&mut self, position: &mut Option<Position>, id: LineId, cx: &Context<'_>) {
        if let Some(elsewhere) = position.take_if(|position| position.line != id) {
            self.spent.extend(self.lines.leave(elsewhere).0);
        }
        if let Some(held) = *position {
            self.lines.end_turn(held);
            self.spent.extend(self.lines.sleep(held, cx));
        } else {
            *position = Some(self.lines.join(id, cx, true));
        }
    }

    /// Removes a future from its line. If the future had a turn, gives turns to other futures.
    fn leave_line(&mut self, position: Position, wakes: &mut Wakes) {
        let (spent, had_turn) = self.lines.leave(position);
        self.spent.extend(spent);
        if had_turn {
            self.lines.grant(position.line, &mut self.socket, wakes);
        }
    }

    /// Returns the line in which a future waits to send `message`.
    pub(crate) fn sender_line(&mut self, message: Option<&Message>) -> LineId {
        LineId::Senders(message.and_then(|message| self.socket.addressee(message)))
    }
}

#[cfg(all(test, not(sansmq_loom)))]
mod tests;
