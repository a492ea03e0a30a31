//! Common part of ROUTER and STREAM, the socket types with messages that begin with the routing id of a peer.
//! [`Addressed`] implements [`Pattern`] for both, and [`AddressedPeers`] stores the peers of such a socket.

use super::Pattern;
use crate::connection::{ConnectionError, Inbox, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::routing_table::RoutingTable;
use crate::socket::stats::TrafficCount;
use core::fmt::Debug;

/// [`Pattern`] of a socket type that addresses its peers by routing id. `R` is the part that is specific to ROUTER or
/// STREAM. The routing id belongs to the pipe (the message queues of one peer), so the peer keeps its routing id when
/// it reconnects. If a ROUTER finds a peer with another routing id at the endpoint that it dials, this routing id
/// replaces the earlier one, unless the application has given it with `connect_as`.
#[derive(Debug)]
pub(super) struct Addressed<R>(pub(super) R);

/// Peers of the socket by routing id, and the received messages that wait for the application.
#[derive(Debug)]
pub(super) struct AddressedPeers {
    pub(super) table: RoutingTable,
    pub(super) arrived: FairQueue,
}

/// Behaviour that differs between ROUTER and STREAM. [`Addressed`] calls each method, except `peers`, in the method of
/// [`Pattern`] with the same name.
pub(super) trait Addressing: Debug + Send {
    /// Applies changed options, as [`Pattern::configure`] does.
    fn configure(&mut self, settings: &Settings);

    fn peers(&mut self) -> &mut AddressedPeers;

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError>;

    fn on_disconnect(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    fn on_end(&mut self, _: PipeId) {}

    fn carries_over(&self) -> bool {
        true
    }

    fn drops_if_full(&self) -> bool {
        false
    }

    fn is_other_peer(&self, _: &Pipes, _: PipeId, _: &Peer) -> bool {
        false
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent>;
}

impl AddressedPeers {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { table: RoutingTable::new(entropy), arrived: FairQueue::default() }
    }

    /// Returns the pipe of the peer that has the routing id in the first frame of `message`, or `None` if no peer has
    /// this id.
    #[inline]
    pub(super) fn addressee(&self, pipes: &Pipes, message: &Message) -> Option<PipeId> {
        self.table.find(pipes, message.head())
    }
}

impl<R: Addressing> Pattern for Addressed<R> {
    fn configure(&mut self, _: &mut Pipes, settings: &Settings, _: &mut dyn Entropy) {
        self.0.configure(settings);
    }

    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Option<Frame>) -> Result<Effects, ConnectError> {
        let Some(id) = id else { return Ok(Effects::NONE) };
        let table = &mut self.0.peers().table;
        if table.find(pipes, &id).is_some() {
            return Err(ConnectError::RoutingIdTaken);
        }
        let effects = table.assign(pipes, pipe, id);
        if let Some(entry) = pipes.get_mut(pipe) {
            entry.is_id_given = true;
        }
        Ok(effects)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.0.on_ready(pipes, pipe, peer, entropy)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.0.on_disconnect(pipes, pipe)
    }

    fn carries_over(&self) -> bool {
        self.0.carries_over()
    }

    fn drops_if_full(&self) -> bool {
        self.0.drops_if_full()
    }

    fn is_other_peer(&self, pipes: &Pipes, pipe: PipeId, peer: &Peer) -> bool {
        self.0.is_other_peer(pipes, pipe, peer)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.0.on_end(pipe);
        self.0.peers().table.release(pipes, pipe);
        Effects::NONE
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        *effects |= deliver_addressed(&mut self.0.peers().arrived, pipes, pipe, message);
        Ok(())
    }

    fn on_run(&mut self, pipes: &mut Pipes, pipe: PipeId, items: &mut Inbox, effects: &mut Effects) -> TrafficCount {
        let (received, readable) = deliver_addressed_run(&mut self.0.peers().arrived, pipes, pipe, items);
        *effects |= readable;
        received
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        self.0.send(pipes, message)
    }

    fn addressee(&mut self, pipes: &Pipes, message: &Message) -> Option<PipeId> {
        self.0.peers().addressee(pipes, message)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.0.peers().arrived.next(pipes)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        Some(&mut self.0.peers().arrived)
    }

    // The recipient, and so the room for a message, is known only to `send`.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn check_first_frame(&mut self, pipes: &mut Pipes, first: &Frame) -> Result<(), Unsent> {
        if self.0.drops_if_full() {
            return Ok(());
        }
        match self.0.peers().table.find(pipes, first) {
            None => Err(Unsent::Unroutable),
            Some(pipe) if !pipes.has_room(pipe) => Err(Unsent::Full),
            Some(_) => Ok(()),
        }
    }

    fn can_complete_sends(&mut self, _: &mut Pipes, count: usize) -> bool {
        count <= 1 || self.0.drops_if_full()
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.0.peers().arrived.has_message(pipes)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.0.peers().arrived.has_messages(pipes, count)
    }
}

/// Returns true if a routing id is already assigned to the peer of `pipe`.
pub(super) fn has_routing_id(pipes: &Pipes, pipe: PipeId) -> bool {
    pipes.get(pipe).is_some_and(|entry| !entry.routing_id.is_empty())
}

/// Adds the routing id of the peer of `pipe` as the first frame to `message`, which was received from this peer. Then
/// queues the message in `arrived`, for the application to receive.
#[inline]
pub(super) fn deliver_addressed(
    arrived: &mut FairQueue,
    pipes: &mut Pipes,
    pipe: PipeId,
    mut message: Message,
) -> Effects {
    let Some(entry) = pipes.get(pipe) else { return Effects::NONE };
    let id = entry.routing_id.clone();
    message.push_head(id, &mut pipes.frames);
    arrived.deliver(pipes, pipe, message)
}

/// Does the same as [`deliver_addressed`] for messages from the start of `items`, as [`FairQueue::deliver_prepared`] does.
#[inline]
pub(super) fn deliver_addressed_run(
    arrived: &mut FairQueue,
    pipes: &mut Pipes,
    pipe: PipeId,
    items: &mut Inbox,
) -> (TrafficCount, Effects) {
    let id = pipes.get(pipe).map_or(Frame::EMPTY, |entry| entry.routing_id.clone());
    let mut spare = core::mem::take(&mut pipes.frames);
    let delivered = arrived.deliver_prepared(pipes, pipe, items, |message| {
        message.push_head(id.clone(), &mut spare);
        true
    });
    pipes.frames = spare;
    delivered
}

/// Removes the first frame, the routing id, from `message`, and queues the rest for the peer of `pipe`. Before the
/// call, the caller must check that the outgoing queue of `pipe` has room.
#[inline]
pub(super) fn send_addressed(pipes: &mut Pipes, pipe: PipeId, message: &mut Message) {
    message.pop_head(&mut pipes.frames);
    pipes.push(pipe, message.take());
}
