//! [`Pipe`]: the outgoing and incoming queue of one peer with their high-water marks. Independent of socket types and
//! of the wire format.

mod age;
mod incoming;
mod marks;
mod outgoing;
pub(crate) mod queue;
mod reader;
mod senders;
pub(crate) mod state;
mod stats;
mod subscription_changes;
#[cfg(test)]
mod tests;
mod transit;

pub use reader::{Demand, Reader};
use senders::Senders;

use crate::address::Endpoint;
use crate::connection::{ConnectionError, MemoryBudget, Share, Written};
use crate::cost;
use crate::message::{Frame, SpareFrames};
use crate::socket::event::{DropReason, Event, EventQueue};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::queue::{HighWaterMark, Queue, SpareBuffers};
use crate::socket::stats::{Counts, SocketStats};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use state::PipeState;
use subscription_changes::SubscriptionChanges;
use transit::Transit;

/// Message queues and state of one peer. The messages are transported by a [`Link`](crate::connection::Link): a
/// connection, or the other socket of an `inproc` connection.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Generation of the id of this pipe.
    // Here and not in the slot, so that a lookup reads one pointer.
    generation: u32,
    outgoing: Queue,
    incoming: Queue,
    /// Latest subscription change per topic that is not sent yet. The changes are sent before messages, and do not
    /// count against the high-water mark.
    subscription_changes: SubscriptionChanges,
    /// Sender of each queued incoming message.
    senders: Senders,
    /// Routing id of the peer, if this socket is a ROUTER, STREAM, SERVER or PEER; empty for other socket types.
    pub(crate) routing_id: Frame,
    /// True if the application has chosen `routing_id` with `connect_as`. Such a routing id belongs to the endpoint: it
    /// stays the same even if another peer is found there.
    pub(crate) is_id_given: bool,
    /// True while messages with `routing_id` as their first frame are sent to this peer.
    pub(crate) is_routable: bool,
    /// True while the outgoing queue accepts no messages: it has reached its high-water mark, and has not fallen to its
    /// low-water mark (half of it) since.
    full: bool,
    /// True if messages were left in the outgoing queue after the latest exchange, because the connection had no room: the
    /// peer reads more slowly than the application sends.
    congested: bool,
    /// True after the incoming queue was full. The connection of the pipe may then hold received messages for which
    /// there was no room. Reset when the queue has room again.
    stalled: bool,
    /// True if the pipe must request [`Action::Service`](crate::Action::Service) when the application has received all
    /// queued messages, because more messages may wait at the other socket of an `inproc` connection.
    service_when_empty: bool,
    service: Service,
    /// True if the pipe is in the rotation of the load balancer, which selects the receiver of the next sent message.
    pub(crate) balanced: bool,
    /// True if the pipe is in the rotation of the fair queue, which selects the pipe from which `recv` takes the next
    /// message.
    pub(crate) queued: bool,
    /// True if the distributor, which sends one message to many peers, has chosen this peer as a recipient of the
    /// message that is being sent.
    pub(crate) chosen: bool,
    /// Value that the other socket of an `inproc` connection writes: whether this pipe must request
    /// [`Action::Service`](crate::Action::Service) for each queued message. `None` if the pipe has no `inproc`
    /// connection.
    pub(crate) reader: Option<Arc<Reader>>,
    pub(crate) counts: Counts,
    /// Maximum size in bytes of a message that the peer accepts, if this limit is known because the peer is connected over
    /// `inproc`; otherwise `usize::MAX`.
    pub(crate) max_message_size: usize,
    /// Number that `counts.sent.messages` will have after the last message that belongs only to the present connection
    /// (for example a probe or a welcome message) is sent. These messages are at the front of the outgoing queue. If
    /// this number is not above `counts.sent.messages`, no such message is queued.
    opening: u64,
    /// Counter of the messages that the present connection has written; `None` without a ready connection.
    transit: Option<Transit>,
    /// Memory of the queues and subscriptions in the budget of the socket.
    share: Share,
    /// Memory in bytes of the subscriptions of the peer, as counted in the budget. Always 0 without a budget.
    subscriptions: usize,
    /// Counters of the present connection, ready or not; `None` without a connection, and over `inproc`.
    connection: Option<Arc<Written>>,
    /// Position of the first message for which a flush waits, counted over all connections; `None` if no flush waits.
    flush_at: Option<u64>,
    pub(crate) state: PipeState,
    /// Reason why the latest connection or dial ended; `None` before the first end.
    pub(crate) failure: Option<Arc<ConnectionError>>,
    /// True if the pipe must not be freed, because the pattern will deliver further messages to it although its
    /// connection has ended.
    is_retained: bool,
}

/// Progress of a pipe's request for [`Action::Service`](crate::Action::Service): the driver must call `exchange`, which
/// moves messages between the pipe and its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// No request is pending.
    Idle,
    /// The request is waiting to be returned by `poll_action`: the pipe is in [`Pipes::service`].
    Queued,
    /// `poll_action` has returned the request, but the driver has not called `exchange` yet. New requests have no
    /// effect, because the next call of `exchange` will also move the messages of these requests.
    Notified,
}

/// All pipes of a socket, with their events and statistics.
#[derive(Debug)]
pub(crate) struct Pipes {
    // In boxes, so that a growing table does not move the pipes of all peers in one call, and reserves little memory.
    slots: Vec<Option<Box<Pipe>>>,
    buffers: SpareBuffers,
    pub(crate) frames: SpareFrames,
    /// Ids for the next pipes in empty slots.
    free: Vec<PipeId>,
    count: usize,
    /// High-water mark of outgoing queues: that of the options, or a lower one while the limit of
    /// `budget` is exceeded.
    send_hwm: HighWaterMark,
    /// High-water mark of incoming queues: that of the options, or a lower one while the limit of
    /// `budget` is exceeded.
    recv_hwm: HighWaterMark,
    /// High-water marks of the options: of outgoing and of incoming queues.
    marks: [HighWaterMark; 2],
    /// Largest marks that the options have had. A queue may be longer than its mark after the mark was lowered.
    #[cfg(feature = "meter")]
    largest_marks: [HighWaterMark; 2],
    /// Memory that this socket and others hold together; `None` without a limit of this memory.
    budget: Option<Arc<MemoryBudget>>,
    /// True if each incoming and each outgoing queue holds only its latest message (`ZMQ_CONFLATE`).
    conflate: bool,
    /// Smallest limit for the size of an outgoing message, in bytes: `max_send_size` of this socket, or
    /// `max_message_size` of a pipe. `usize::MAX` for no limit.
    pub(crate) max_send_size: usize,
    /// True if messages are queued only for peers with a finished handshake (`ZMQ_IMMEDIATE`).
    immediate: bool,
    /// Pipes for which `poll_action` must return [`Action::Service`](crate::Action::Service), because messages can be
    /// moved between them and their connections. Each pipe is listed at most once.
    service: VecDeque<PipeId>,
    /// Number of pipes with a finished handshake.
    pub(crate) ready: usize,
    /// True if messages for which a flush waits were written or dropped since the last call of
    /// [`Socket::take_peers_changed`](crate::Socket::take_peers_changed).
    pub(crate) flushed: bool,
    /// Events that the monitor has not polled yet; `None` if the monitor is off.
    pub(crate) events: Option<EventQueue>,
    /// Counters of the socket as a whole, and the sums of the counters of removed pipes.
    pub(crate) stats: SocketStats,
    /// Number of received messages that were not queued for the application or replaced by later ones, and of all dropped
    /// messages.
    pub(crate) discarded: u64,
}

impl Pipes {
    pub(crate) fn new(settings: &Settings) -> Self {
        let marks @ [send_hwm, recv_hwm] = Self::marks(settings);
        Self {
            slots: Vec::new(),
            buffers: SpareBuffers::default(),
            frames: SpareFrames::default(),
            free: Vec::new(),
            count: 0,
            send_hwm,
            recv_hwm,
            marks,
            #[cfg(feature = "meter")]
            largest_marks: marks,
            budget: None,
            conflate: settings.conflate,
            max_send_size: settings.max_send_size,
            immediate: settings.immediate,
            service: VecDeque::new(),
            ready: 0,
            flushed: false,
            events: None,
            stats: SocketStats::default(),
            discarded: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn with_marks(send: usize, recv: usize) -> Self {
        Self::new(&crate::socket::options::Options::<crate::kind::Dealer>::new().send_hwm(send).recv_hwm(recv).settings)
    }

    #[cfg(test)]
    pub(crate) fn set_congested(&mut self, id: PipeId, congested: bool) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.congested = congested;
        }
    }

    pub(crate) fn insert(&mut self, state: PipeState) -> PipeId {
        self.count += 1;
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            let index = u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 peers fit in memory");
            PipeId { index, generation: 0 }
        });
        let pipe = Pipe {
            generation: id.generation,
            outgoing: Queue::new(),
            incoming: Queue::new(),
            subscription_changes: SubscriptionChanges::default(),
            senders: Senders::default(),
            routing_id: Frame::EMPTY,
            is_id_given: false,
            is_routable: false,
            full: false,
            stalled: false,
            service_when_empty: false,
            service: Service::Idle,
            balanced: false,
            congested: false,
            queued: false,
            chosen: false,
            reader: None,
            counts: Counts::default(),
            max_message_size: usize::MAX,
            opening: 0,
            transit: None,
            share: Share::new(self.budget.clone()),
            subscriptions: 0,
            connection: None,
            flush_at: None,
            state,
            failure: None,
            is_retained: false,
        };
        self.slots[id.index()] = Some(Box::new(pipe));
        id
    }

    /// Removes a pipe at once and returns it. The id becomes invalid, and the counters of the pipe are added to the
    /// counters of the socket.
    fn free(&mut self, id: PipeId) -> Option<Box<Pipe>> {
        let pipe = self.slots.get_mut(id.index())?.take_if(|pipe| pipe.generation == id.generation)?;
        self.free.push(PipeId { generation: id.generation.wrapping_add(1), ..id });
        self.count -= 1;
        self.stats.include(&pipe.counts);
        Some(pipe)
    }

    #[inline]
    pub(crate) fn get(&self, id: PipeId) -> Option<&Pipe> {
        self.slots.get(id.index())?.as_deref().filter(|pipe| pipe.generation == id.generation)
    }

    /// Returns the pipe at this index, with its id.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Option<(PipeId, &Pipe)> {
        let pipe = self.slots.get(index)?.as_deref()?;
        Some((PipeId { index: u32::try_from(index).ok()?, generation: pipe.generation }, pipe))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.get_with_buffers(id).map(|(pipe, _)| pipe)
    }

    /// Returns a pipe, and the spare buffers that all queues of the socket share.
    #[inline]
    fn get_with_buffers(&mut self, id: PipeId) -> Option<(&mut Pipe, &mut SpareBuffers)> {
        let pipe = self.slots.get_mut(id.index())?.as_deref_mut().filter(|pipe| pipe.generation == id.generation)?;
        Some((pipe, &mut self.buffers))
    }

    /// Returns the ids of all pipes. Must be called only on behalf of the application, because a peer could otherwise
    /// cause work that grows with the number of peers.
    pub(crate) fn ids(&self) -> Vec<PipeId> {
        cost::requested(self.slots.len());
        self.entries().map(|(id, _)| id).collect()
    }

    /// Returns all pipes with their ids.
    fn entries(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        let pipes = self.slots.iter().zip(0..);
        pipes.filter_map(|(pipe, index)| {
            let pipe = pipe.as_deref()?;
            Some((PipeId { index, generation: pipe.generation }, pipe))
        })
    }

    /// Returns true if this pipe was created by a `connect` to `endpoint`, and is not being disconnected.
    pub(crate) fn is_connect_to(&self, id: PipeId, endpoint: &Endpoint) -> bool {
        self.get(id).is_some_and(|pipe| !pipe.state.is_draining() && pipe.state.is_dialled_to(endpoint))
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Removes a pipe and drops its outgoing messages. A pipe with queued incoming messages stays until the application
    /// has received these messages.
    pub(crate) fn remove(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        let is_awaited = pipe.flush_at.take().is_some();
        if pipe.incoming.is_empty() && !pipe.is_retained {
            self.free(id);
        } else {
            pipe.state = PipeState::Gone;
            pipe.stalled = false;
            pipe.service_when_empty = false;
            pipe.outgoing = Queue::new();
        }
        self.flushed |= is_awaited;
    }

    /// Keeps the pipe until [`release`](Self::release), even if it is removed before.
    pub(crate) fn retain(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.is_retained = true;
        }
    }

    /// Frees a pipe that was retained, if it was removed and has no incoming messages.
    pub(crate) fn release(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        pipe.is_retained = false;
        if pipe.incoming.is_empty() && pipe.state.is_gone() {
            self.free(id);
        }
    }

    /// Makes `poll_action` return [`Action::Service`](crate::Action::Service) for this pipe, so that the driver moves
    /// messages between the pipe and its connection. Does nothing if this is already requested.
    #[inline]
    pub(crate) fn request_service(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id)
            && pipe.service == Service::Idle
        {
            pipe.service = Service::Queued;
            self.service.push_back(id);
        }
    }

    /// Returns true if a pipe has requested [`Action::Service`](crate::Action::Service), or if an event or the end of a flush was
    /// not polled.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.service.is_empty() || self.flushed || self.events.as_ref().is_some_and(|events| !events.is_empty())
    }

    /// Removes the next pipe with a connection from the list of pipes that have requested
    /// [`Action::Service`](crate::Action::Service), and returns its id. Pipes without a connection are removed from the
    /// list and skipped.
    #[inline]
    pub(crate) fn pop_due(&mut self) -> Option<PipeId> {
        loop {
            let id = self.service.pop_front()?;
            cost::nodes(1);
            if let Some(pipe) = self.get_mut(id) {
                pipe.service = Service::Notified;
                // Without a connection there is no exchange; the next connection begins with one.
                if pipe.state.is_connected() {
                    return Some(id);
                }
                self.count_unsent(id);
            }
        }
    }

    /// Returns true if a pipe was ever inserted.
    pub(crate) fn has_ever_had_pipes(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Sets the reason why the connection of a pipe must be closed. The next call of `exchange` for this pipe returns
    /// the reason to the driver, which then closes the connection. If the pipe has no connection, its next connection
    /// is closed for this reason.
    pub(crate) fn fail(&mut self, id: PipeId, reason: ConnectionError) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.state.fail(reason);
            self.request_service(id);
        }
    }

    /// Queues the event that `event` creates, if the monitor is on. Otherwise `event` is not called.
    pub(crate) fn emit(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            cost::wakes(1);
            events.push(event());
        }
    }

    /// Adds `messages`, a number of dropped messages, to the statistics of the socket, and emits [`Event::Dropped`].
    /// Does nothing if `messages` is 0.
    pub(crate) fn dropped(&mut self, reason: DropReason, messages: usize) {
        if messages > 0 {
            self.discarded += messages as u64;
            self.stats.dropped.add(reason, messages);
            self.emit(|| Event::Dropped { reason, messages });
        }
    }
}

impl Pipe {
    /// Marks the request for [`Action::Service`](crate::Action::Service) that `poll_action` has returned as done: the
    /// driver has called `exchange`, or the connection has ended.
    #[inline]
    pub(crate) fn serviced(&mut self) {
        if self.service == Service::Notified {
            self.service = Service::Idle;
        }
    }
}
