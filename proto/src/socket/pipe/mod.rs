//! [`Pipe`]: one peer's double queue of messages with its high-water marks. Knows no socket type and no octets.

mod incoming;
mod outgoing;
pub(crate) mod queue;
mod reader;
mod senders;
pub(crate) mod state;
mod stats;
#[cfg(test)]
mod tests;

pub use reader::{Need, Reader};
use senders::Senders;

use crate::address::Endpoint;
use crate::connection::{ConnectionError, Subscription};
use crate::message::Frame;
use crate::socket::event::{DropReason, Event, EventQueue};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::queue::{Mark, Queue, QueueCapacity};
use crate::socket::stats::{Counts, SocketStats};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use state::PipeState;

/// One peer's queues.
#[derive(Debug)]
pub(crate) struct Pipe {
    outgoing: Queue,
    incoming: Queue,
    /// What the peer is to hear of our wishes, the last word on each subject. It goes out before messages, outside the mark.
    wishes: BTreeMap<Bytes, Subscription>,
    /// Whose the incoming messages are.
    senders: Senders,
    /// The name a ROUTER, STREAM, SERVER or PEER knows the peer by; empty elsewhere.
    pub(crate) routing_id: Frame,
    /// The outgoing queue was full and has not fallen to its low-water mark.
    full: bool,
    /// The link holds messages for which there was no room.
    stalled: bool,
    /// The link is to be called when all messages are received.
    lazy: bool,
    service: Service,
    /// It stands in the load balancer's rotation.
    pub(crate) balanced: bool,
    /// It stands in the fair queue's rotation.
    pub(crate) queued: bool,
    /// The distributor has chosen it for the message that is being sent.
    pub(crate) chosen: bool,
    /// What the socket at the other end of an `inproc` link has to say of its needs.
    pub(crate) reader: Option<Arc<Reader>>,
    pub(crate) counts: Counts,
    /// Messages up to this one of those sent are said on this connection, and on no other: a probe, a welcome.
    opening: u64,
    pub(crate) state: PipeState,
}

/// Request for an exchange with the link of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Idle,
    /// The pipe is on the service list.
    Queued,
    /// The request was polled and the link has not exchanged since. The next exchange does all further work too.
    Notified,
}

/// All pipes of a socket, and what happened to them that somebody should hear of.
#[derive(Debug)]
pub(crate) struct Pipes {
    slots: Vec<Slot>,
    room: QueueCapacity,
    free: Vec<u32>,
    count: usize,
    send_hwm: Mark,
    recv_hwm: Mark,
    /// Only the latest message waits, each way.
    conflate: bool,
    /// Nothing is queued for a peer that is not connected.
    immediate: bool,
    /// Pipes whose connection should come to exchange; each at most once.
    service: VecDeque<PipeId>,
    /// Those past their handshake.
    pub(crate) ready: usize,
    /// What a monitor has not read yet; `None`: nobody monitors.
    pub(crate) events: Option<EventQueue>,
    /// What was counted for the socket as a whole, and by pipes that are gone.
    pub(crate) stats: SocketStats,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    pipe: Option<Pipe>,
}

impl Pipes {
    pub(crate) fn new(settings: &Settings) -> Self {
        // What holds one message is never full.
        let mark = |messages, octets| {
            if settings.conflate { Mark::new(usize::MAX, 0) } else { Mark::new(messages, octets) }
        };
        Self {
            slots: Vec::new(),
            room: QueueCapacity::default(),
            free: Vec::new(),
            count: 0,
            send_hwm: mark(settings.send_hwm, settings.send_hwm_bytes),
            recv_hwm: mark(settings.recv_hwm, settings.recv_hwm_bytes),
            conflate: settings.conflate,
            immediate: settings.immediate,
            service: VecDeque::new(),
            ready: 0,
            events: None,
            stats: SocketStats::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_marks(send: usize, recv: usize) -> Self {
        Self::new(&crate::socket::options::Options::<crate::kind::Dealer>::new().send_hwm(send).recv_hwm(recv).settings)
    }

    pub(crate) fn insert(&mut self, state: PipeState) -> PipeId {
        let pipe = Pipe {
            outgoing: Queue::new(),
            incoming: Queue::new(),
            wishes: BTreeMap::new(),
            senders: Senders::default(),
            routing_id: Frame::EMPTY,
            full: false,
            stalled: false,
            lazy: false,
            service: Service::Idle,
            balanced: false,
            queued: false,
            chosen: false,
            reader: None,
            counts: Counts::default(),
            opening: 0,
            state,
        };
        self.count += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, pipe: None });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 peers fit in memory")
        });
        let slot = &mut self.slots[index as usize];
        slot.pipe = Some(pipe);
        PipeId { index, generation: slot.generation }
    }

    /// Frees the slot of a pipe. The id becomes stale.
    fn free(&mut self, id: PipeId) -> Option<Pipe> {
        let slot = self.slots.get_mut(id.index()).filter(|slot| slot.generation == id.generation)?;
        let pipe = slot.pipe.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.count -= 1;
        self.stats.include(&pipe.counts);
        Some(pipe)
    }

    #[inline]
    pub(crate) fn get(&self, id: PipeId) -> Option<&Pipe> {
        self.slots.get(id.index()).filter(|slot| slot.generation == id.generation)?.pipe.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.get_with_room(id).map(|(pipe, _)| pipe)
    }

    /// A pipe, and memory for its bursts.
    #[inline]
    fn get_with_room(&mut self, id: PipeId) -> Option<(&mut Pipe, &mut QueueCapacity)> {
        let slot = self.slots.get_mut(id.index()).filter(|slot| slot.generation == id.generation)?;
        Some((slot.pipe.as_mut()?, &mut self.room))
    }

    pub(crate) fn ids(&self) -> Vec<PipeId> {
        let numbered = self.slots.iter().zip(0..);
        numbered
            .filter(|(slot, _)| slot.pipe.is_some())
            .map(|(slot, index)| PipeId { index, generation: slot.generation })
            .collect()
    }

    /// Returns true if this pipe is a lasting `connect` to `endpoint`. Each `connect` within the process is one of its own.
    pub(crate) fn leads_to(&self, id: PipeId, endpoint: &Endpoint) -> bool {
        let same = |pipe: &Pipe| !pipe.state.is_draining() && pipe.state.is_dialled_to(endpoint);
        !matches!(endpoint, Endpoint::Inproc(_)) && self.get(id).is_some_and(same)
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Removes a pipe. A pipe with incoming messages stays until they are received.
    pub(crate) fn remove(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        if pipe.incoming.is_empty() {
            self.free(id);
        } else {
            pipe.state = PipeState::Gone;
            pipe.stalled = false;
            pipe.lazy = false;
            pipe.outgoing = Queue::new();
        }
    }

    /// Requests an exchange with the link of this pipe.
    #[inline]
    pub(crate) fn request_service(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id)
            && pipe.service == Service::Idle
        {
            pipe.service = Service::Queued;
            self.service.push_back(id);
        }
    }

    /// Removes the next pipe from the service list.
    #[inline]
    pub(crate) fn pop_due(&mut self) -> Option<PipeId> {
        loop {
            let id = self.service.pop_front()?;
            if let Some(pipe) = self.get_mut(id) {
                pipe.service = Service::Notified;
                // Without a connection there is no exchange; the next connection begins with one.
                if pipe.state.is_connected() {
                    return Some(id);
                }
            }
        }
    }

    /// Has the connection of a pipe closed for this reason. The next exchange returns it.
    pub(crate) fn fail(&mut self, id: PipeId, reason: ConnectionError) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.state.fail(reason);
            self.request_service(id);
        }
    }

    /// Emits an event, if there is a monitor.
    pub(crate) fn emit(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }

    /// Tells that a message was dropped, as the socket type's rules ask, and counts it.
    pub(crate) fn dropped(&mut self, reason: DropReason, messages: usize) {
        if messages > 0 {
            self.stats.dropped.add(reason, messages);
            self.emit(|| Event::Dropped { reason, messages });
        }
    }
}

impl Pipe {
    /// Marks a request for service as done: the link exchanges now, or has ended.
    #[inline]
    pub(crate) fn serviced(&mut self) {
        if self.service == Service::Notified {
            self.service = Service::Idle;
        }
    }
}
