//! [`FairQueue`]: returns the messages that were received from many peers in turn (RFC 28: "fair-queuing"): one message from
//! each peer, or a run of them while more than eight peers have messages. The cost of a call depends only on the number of
//! pipes that have messages.

use crate::connection::{Inbox, Peer};
use crate::cost;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::stats::TrafficCount;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Rotation (round-robin order) of the pipes that have incoming messages.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    active: VecDeque<PipeId>,
    /// Number of messages that were taken from the first pipe in its present turn.
    taken: usize,
}

/// Maximum number of active pipes that take turns after each message.
const ALTERNATING: usize = 8;

/// Maximum number of messages of a pipe in one turn.
const TURN: usize = 32;

/// Maximum number of pipes of a rotation of which the messages or the room are added up in one call.
pub(super) const SCANNED: usize = 64;

impl FairQueue {
    /// Queues a message that was received from the peer of the pipe `id`, for the application to receive.
    #[inline]
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if !core::mem::replace(&mut pipe.queued, true) {
            self.active.push_back(id);
        }
        pipes.deliver(id, message)
    }

    /// Queues messages from the start of `items`, as [`Pipes::deliver_run`] does, for the application to receive.
    #[inline]
    pub(crate) fn deliver_run(&mut self, pipes: &mut Pipes, id: PipeId, items: &mut Inbox) -> (TrafficCount, Effects) {
        let received = pipes.deliver_run(id, items);
        self.delivered(pipes, id, received)
    }

    /// Queues messages from the start of `items`, as [`Pipes::deliver_prepared`] does, for the application to receive.
    #[inline]
    pub(crate) fn deliver_prepared(
        &mut self,
        pipes: &mut Pipes,
        id: PipeId,
        items: &mut Inbox,
        prepare: impl FnMut(&mut Message) -> bool,
    ) -> (TrafficCount, Effects) {
        let received = pipes.deliver_prepared(id, items, prepare);
        self.delivered(pipes, id, received)
    }

    /// Adds the pipe `id` to the rotation, after `received` arrived.
    #[inline]
    fn delivered(&mut self, pipes: &mut Pipes, id: PipeId, received: TrafficCount) -> (TrafficCount, Effects) {
        let Some(pipe) = pipes.get_mut(id).filter(|pipe| received.messages > 0 && pipe.has_incoming()) else {
            return (received, Effects::NONE);
        };
        if !core::mem::replace(&mut pipe.queued, true) {
            self.active.push_back(id);
        }
        (received, Effects::READABLE)
    }

    /// Removes and returns the first message of the next pipe in turn, or returns [`RecvError::Empty`].
    #[inline]
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        // Alone, a pipe has no turn to pass.
        if self.active.len() == 1
            && let Some(&id) = self.active.front()
            && let Some(message) = pipes.pop_fast(id)
        {
            return Ok(message);
        }
        let id = self.next_pipe(pipes).ok_or(RecvError::Empty)?;
        self.pass_turn();
        pipes.pop_incoming(id)
    }

    /// Counts a message of the first pipe, and moves the pipe to the end of the rotation if its turn is over. The turn of one of
    /// many pipes is a run of messages.
    // So the replies to a peer follow each other, and a connection writes them together. With a message in each turn, a thousand
    // peers would receive each reply in a write of its own.
    #[inline]
    fn pass_turn(&mut self) {
        let active = self.active.len();
        self.taken += 1;
        if active <= ALTERNATING || self.taken >= TURN.min(active / 2) {
            self.taken = 0;
            if active > 1
                && let Some(id) = self.active.pop_front()
            {
                self.active.push_back(id);
            }
        }
    }

    /// Removes the messages that the next `limit` calls of [`next`](Self::next) would return, and appends them to `into`.
    /// Returns their number, or [`RecvError::Empty`].
    pub(crate) fn next_run(
        &mut self,
        pipes: &mut Pipes,
        limit: usize,
        into: &mut Vec<Message>,
    ) -> Result<usize, RecvError> {
        self.take_runs(pipes, limit, |pipes, id, most| pipes.pop_run(id, most, into))
    }

    /// Does the same as [`next_run`](Self::next_run), and appends each message with its sender.
    pub(crate) fn next_run_from(
        &mut self,
        pipes: &mut Pipes,
        limit: usize,
        into: &mut impl Extend<(Message, Arc<Peer>)>,
    ) -> Result<usize, RecvError> {
        self.take_runs(pipes, limit, |pipes, id, most| pipes.pop_run_from(id, most, into))
    }

    /// Calls `take` until `limit` messages were removed, or none is left. `take` removes the first messages of a pipe, at least one
    /// and at most as many as its argument, and returns their number.
    fn take_runs(
        &mut self,
        pipes: &mut Pipes,
        limit: usize,
        mut take: impl FnMut(&mut Pipes, PipeId, usize) -> usize,
    ) -> Result<usize, RecvError> {
        let mut taken = 0;
        while taken < limit
            && let Some(id) = self.next_pipe(pipes)
        {
            let most = if self.active.len() == 1 {
                limit - taken
            } else {
                self.pass_turn();
                1
            };
            taken += take(pipes, id, most);
        }
        if taken > 0 { Ok(taken) } else { Err(RecvError::Empty) }
    }

    /// Returns the sender of the message that `next` returns next. Does not remove the message.
    pub(crate) fn sender_of_next(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        let pipe = self.next_pipe(pipes)?;
        pipes.first_sender(pipe)
    }

    /// Returns the pipe of the message that `next` returns next, or `None` if no message waits. Does not remove the
    /// message.
    #[inline]
    pub(crate) fn next_pipe(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        // A pipe leaves the rotation here when its messages were received, or dropped by a local disconnect.
        loop {
            let &id = self.active.front()?;
            cost::nodes(1);
            if pipes.incoming_len(id) > 0 {
                return Some(id);
            }
            self.active.pop_front();
            self.taken = 0;
            Self::leave(pipes, id);
        }
    }

    /// Returns true if at least `count` messages wait to be received. Counts the messages of [`SCANNED`] pipes at most,
    /// so it may return false although more messages wait, but never for `count` = 1.
    pub(crate) fn has_messages(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        let Some(first) = self.next_pipe(pipes) else { return false };
        let mut waiting = pipes.incoming_len(first);
        waiting >= count
            || self.active.iter().take(SCANNED).skip(1).any(|&id| {
                cost::nodes(1);
                waiting += pipes.incoming_len(id);
                waiting >= count
            })
    }

    /// Returns true if a message of any peer waits to be received.
    pub(crate) fn has_message(&mut self, pipes: &mut Pipes) -> bool {
        self.next_pipe(pipes).is_some()
    }

    fn leave(pipes: &mut Pipes, id: PipeId) {
        if let Some(pipe) = pipes.get_mut(id) {
            pipe.queued = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::kind::Dealer;
    use crate::socket::pipe::state::PipeState;
    use crate::socket::{Options, Socket};
    use alloc::vec;

    #[test]
    fn few_pipes_alternate_and_many_take_runs() {
        for (peers, run) in [(2, 1), (ALTERNATING, 1), (16, 8), (100, TURN)] {
            let mut pipes = Pipes::with_marks(1000, 1000);
            let mut queue = FairQueue::default();
            let ids: Vec<_> =
                (0..peers).map(|_| pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()))).collect();
            for (&pipe, number) in ids.iter().zip(0..) {
                for _ in 0..2 * TURN {
                    let _ = queue.deliver(&mut pipes, pipe, Message::from(vec![number]));
                }
            }
            let mut order = Vec::new();
            while let Ok(message) = queue.next(&mut pipes) {
                order.push(message.head()[0]);
            }
            let expected =
                (0..2 * TURN / run).flat_map(|_| (0..peers).flat_map(|peer| core::iter::repeat_n(peer, run)));
            assert!(order.iter().map(|&peer| usize::from(peer)).eq(expected), "{peers} peers: {order:?}");
        }
    }

    #[test]
    fn runs_have_the_sender_of_each_message() {
        let mut pipes = Pipes::with_marks(100, 100);
        let mut queue = FairQueue::default();
        let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
        // The pipe outlives the connections to three peers.
        for (id, messages) in [("ann", 3), ("bob", 1), ("cid", 2)] {
            let options = Options::<Dealer>::new().routing_id(id).unwrap();
            pipes.set_sender(pipe, &Arc::new(Socket::new(options, SeededEntropy::new(1)).as_peer()));
            for _ in 0..messages {
                let _ = queue.deliver(&mut pipes, pipe, Message::from(id));
            }
        }
        let mut received = Vec::new();
        assert_eq!(queue.next_run_from(&mut pipes, 2, &mut received), Ok(2));
        assert_eq!(queue.next_run_from(&mut pipes, 100, &mut received), Ok(4));
        assert_eq!(queue.next_run_from(&mut pipes, 100, &mut received), Err(RecvError::Empty));
        let order: Vec<_> = received.iter().map(|(message, _)| message.head()).collect();
        assert_eq!(order, ["ann", "ann", "ann", "bob", "cid", "cid"]);
        assert!(received.iter().all(|(message, sender)| *message.head() == sender.routing_id));
    }

    #[test]
    fn has_messages_adds_up_the_messages_of_all_pipes() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut queue = FairQueue::default();
        assert!(!queue.has_messages(&mut pipes, 1));
        for messages in [2, 2, 3] {
            let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
            for _ in 0..messages {
                let _ = queue.deliver(&mut pipes, pipe, "message".into());
            }
        }
        for count in 1..10 {
            assert_eq!(queue.has_messages(&mut pipes, count), count <= 2 + 2 + 3, "{count}");
        }
    }
}
