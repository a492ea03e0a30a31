//! [`Pipe`]: one peer's double queue of messages with its high-water marks. Knows no socket type and no octets.

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
use crate::connection::{ConnectionError, Link, Outbound, Peer, RoundTrip, Wish};
use crate::message::{Frame, Message};
use crate::socket::error::RecvError;
use crate::socket::event::{DropReason, Event, EventQueue};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::queue::{Mark, Queue, Room};
use crate::socket::stats::{Counts, SocketStats};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use state::Life;

/// One peer's queues.
#[derive(Debug)]
pub(crate) struct Pipe {
    outgoing: Queue,
    incoming: Queue,
    /// What the peer is to hear of our wishes, the last word on each subject. It goes out before messages, outside the mark.
    wishes: BTreeMap<Bytes, Wish>,
    /// The other side, while a connection is past its handshake.
    pub(crate) peer: Option<Arc<Peer>>,
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
    call: Call,
    /// It stands in the load balancer's rotation.
    pub(crate) balanced: bool,
    /// It stands in the fair queue's rotation.
    pub(crate) queued: bool,
    /// The distributor has chosen it for the message that is being sent.
    pub(crate) chosen: bool,
    /// The connection is to be closed for this reason.
    pub(crate) doomed: Option<Box<ConnectionError>>,
    /// Nothing more may be sent; what is queued goes out, then the connection ends.
    pub(crate) draining: bool,
    /// What the socket at the other end of an `inproc` link has to say of its needs.
    pub(crate) reader: Option<Arc<Reader>>,
    pub(crate) counts: Counts,
    /// Messages up to this one of those sent are said on this connection, and on no other: a probe, a welcome.
    opening: u64,
    /// How far away the peer is, while it is connected.
    pub(crate) round_trip: Option<RoundTrip>,
    pub(crate) life: Life,
}

/// Whether a pipe's link is to come and exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Not,
    /// It stands on the service list.
    Due,
    /// The link has been called and has not come yet: whatever else there is will be done then.
    Made,
}

/// All pipes of a socket, and what happened to them that somebody should hear of.
#[derive(Debug)]
pub(crate) struct Pipes {
    slots: Vec<Slot>,
    room: Room,
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
    /// Peers have come, gone, or changed their wishes, or the socket is closed.
    pub(crate) news: bool,
    /// Whether who sent a message is to be told when the message is taken.
    pub(crate) asks_sender: bool,
    /// Who sent the message that was taken, if that was to be told.
    pub(crate) sender: Option<Arc<Peer>>,
    /// The pipe that a message has just asked to end.
    pub(crate) parting: Option<PipeId>,
    /// `recv` may have something to say again.
    pub(crate) readable: bool,
    /// `send` may have room again.
    pub(crate) writable: bool,
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
            room: Room::default(),
            free: Vec::new(),
            count: 0,
            send_hwm: mark(settings.send_hwm, settings.send_hwm_bytes),
            recv_hwm: mark(settings.recv_hwm, settings.recv_hwm_bytes),
            conflate: settings.conflate,
            immediate: settings.immediate,
            service: VecDeque::new(),
            ready: 0,
            news: false,
            asks_sender: false,
            sender: None,
            parting: None,
            readable: false,
            writable: false,
            events: None,
            stats: SocketStats::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_marks(send: usize, recv: usize) -> Self {
        Self::new(&crate::socket::options::Options::<crate::kind::Dealer>::new().send_hwm(send).recv_hwm(recv).settings)
    }

    pub(crate) fn insert(&mut self, life: Life) -> PipeId {
        let pipe = Pipe {
            outgoing: Queue::new(),
            incoming: Queue::new(),
            wishes: BTreeMap::new(),
            peer: None,
            senders: Senders::default(),
            routing_id: Frame::EMPTY,
            full: false,
            stalled: false,
            lazy: false,
            call: Call::Not,
            balanced: false,
            queued: false,
            chosen: false,
            doomed: None,
            draining: false,
            reader: None,
            counts: Counts::default(),
            opening: 0,
            round_trip: None,
            life,
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

    pub(crate) fn remove(&mut self, id: PipeId) -> Option<Pipe> {
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
    fn get_with_room(&mut self, id: PipeId) -> Option<(&mut Pipe, &mut Room)> {
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

    /// Whether this pipe is a `connect` to that place which goes on. In one process each `connect` counts.
    pub(crate) fn leads_to(&self, id: PipeId, place: &Endpoint) -> bool {
        let same = |pipe: &Pipe| !pipe.draining && pipe.life.is_dialled_to(place);
        !matches!(place, Endpoint::Inproc(_)) && self.get(id).is_some_and(same)
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Whether a message may be queued for this peer.
    #[inline]
    pub(crate) fn has_room(&self, id: PipeId) -> bool {
        self.get(id).is_some_and(|pipe| {
            pipe.accepts() && !pipe.outgoing.is_full(self.send_hwm) && (pipe.peer.is_some() || !self.immediate)
        })
    }

    /// Queues a message for this peer; the caller has seen that there is room.
    #[inline]
    pub(crate) fn push(&mut self, id: PipeId, message: Message) {
        let (hwm, conflate) = (self.send_hwm, self.conflate);
        let Some((pipe, room)) = self.get_with_room(id) else { return };
        if conflate {
            pipe.outgoing.clear();
            pipe.opening = 0;
        }
        pipe.outgoing.push_back(message, room);
        pipe.close_if_full(hwm);
        if pipe.full || !pipe.is_collected() {
            self.call(id);
        }
    }

    /// Queues a message for a peer without room, which loses its oldest ones instead; says how many.
    pub(crate) fn push_out(&mut self, id: PipeId, message: Message) -> usize {
        let hwm = self.send_hwm;
        let Some((pipe, room)) = self.get_with_room(id) else { return 0 };
        let mut lost = 0;
        // One that is closed to messages has room, and yet must not grow.
        while (lost == 0 || pipe.outgoing.is_full(hwm)) && pipe.outgoing.pop_front().is_some() {
            pipe.opening -= u64::from(pipe.is_opening());
            lost += 1;
        }
        pipe.outgoing.push_back(message, room);
        self.call(id);
        lost
    }

    /// Says something on this connection before all else, whatever the mark: a probe, a welcome.
    pub(crate) fn open_with(&mut self, id: PipeId, message: Message) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.opening = pipe.opening.max(pipe.counts.sent.messages) + 1;
            self.push_front(id, core::iter::once(message));
        }
    }

    /// What was to be said on a connection that is gone, and was not, is of no use to the next one.
    pub(crate) fn drop_opening(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        while pipe.is_opening() && pipe.outgoing.pop_front().is_some() {
            pipe.opening -= 1;
        }
    }

    /// Puts messages before all others, whatever the mark: those that a lost connection had not begun to send.
    pub(crate) fn push_front(&mut self, id: PipeId, messages: impl DoubleEndedIterator<Item = Message>) {
        let hwm = self.send_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        for message in messages.rev() {
            pipe.outgoing.push_front(message);
        }
        pipe.close_if_full(hwm);
    }

    /// Tells the peer of a wish. Any number may be told: there is one word for each subject at most.
    pub(crate) fn wish(&mut self, id: PipeId, wish: Wish) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.wishes.insert(wish.subject().clone(), wish);
            self.call(id);
        }
    }

    /// The connection that should have heard them is gone.
    pub(crate) fn forget_wishes(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.wishes.clear();
        }
    }

    /// Gives the link messages while it has room. True when the pipe, having been full, has room again.
    #[inline]
    pub(crate) fn pour(&mut self, id: PipeId, link: &mut impl Link) -> bool {
        let hwm = self.send_hwm;
        let Some((pipe, room)) = self.get_with_room(id) else { return false };
        pipe.round_trip = link.round_trip();
        let before = pipe.outgoing.tally();
        if pipe.wishes.is_empty() && !pipe.outgoing.is_empty() {
            let copied = link.copy(pipe.outgoing.iter());
            pipe.outgoing.drop_front(copied);
        }
        while link.has_room() {
            let item = match pipe.wishes.pop_first() {
                Some((_, wish)) => Outbound::Wish(wish),
                None => match pipe.outgoing.pop_front() {
                    Some(message) => Outbound::Message(message),
                    None => break,
                },
            };
            link.give(item);
        }
        pipe.counts.sent += before - pipe.outgoing.tally();
        pipe.outgoing.leave(room);
        let reopened = pipe.full && pipe.outgoing.is_low(hwm);
        pipe.full &= !reopened;
        reopened
    }

    /// Has the pipe end once what is queued is out.
    pub(crate) const fn part(&mut self, id: PipeId) {
        self.parting = Some(id);
    }

    /// Drops what is queued for this peer; says how many messages.
    pub(crate) fn forget_outgoing(&mut self, id: PipeId) -> usize {
        let Some(pipe) = self.get_mut(id) else { return 0 };
        (pipe.full, pipe.opening) = (false, 0);
        let count = core::mem::replace(&mut pipe.outgoing, Queue::new()).len();
        self.writable = true;
        count
    }

    pub(crate) fn outgoing_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.outgoing.len())
    }

    pub(crate) fn incoming_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.incoming.len())
    }

    /// What this pipe needs of its link, which is called when it is hungry again.
    #[inline]
    pub(crate) fn need(&mut self, id: PipeId) -> Need {
        /// Fewer are received before it would pay.
        const SOME: usize = 8;
        let Some(pipe) = self.get_mut(id) else { return Need::Hungry };
        // A link that holds what there is no room for must not be called for more, however few they are.
        let need = match pipe.incoming.len() {
            _ if pipe.stalled => Need::Full,
            SOME.. => Need::Sated,
            _ => Need::Hungry,
        };
        pipe.lazy = need != Need::Hungry;
        need
    }

    /// From now on what arrives is of this peer.
    pub(crate) fn follow(&mut self, id: PipeId, peer: &Arc<Peer>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.follow(peer, pipe.incoming.len());
        }
    }

    /// Whom what arrives now is of.
    pub(crate) fn sender(&self, id: PipeId) -> Option<Arc<Peer>> {
        self.get(id)?.senders.latest().cloned()
    }

    /// Whether the link may deliver more; if not, the pipe remembers that the link waits.
    #[inline]
    pub(crate) fn may_deliver(&mut self, id: PipeId) -> bool {
        let hwm = self.recv_hwm;
        let Some(pipe) = self.get_mut(id) else {
            return false;
        };
        if !pipe.incoming.is_full(hwm) {
            pipe.stalled = false;
        } else if !core::mem::replace(&mut pipe.stalled, true) {
            pipe.counts.recv_hwm_hits += 1;
        }
        !pipe.stalled
    }

    /// A message from this peer for the application.
    #[inline]
    pub(crate) fn deliver(&mut self, id: PipeId, message: Message) {
        let conflate = self.conflate;
        if let Some((pipe, room)) = self.get_with_room(id) {
            if conflate {
                pipe.incoming.clear();
                pipe.senders.took_all();
            }
            pipe.incoming.push_back(message, room);
            self.readable = true;
        }
    }

    /// Drops the messages for the application that it does not want any more.
    pub(crate) fn retain_incoming(&mut self, id: PipeId, wanted: impl FnMut(&Message) -> bool) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.retain(&mut pipe.incoming, wanted);
            self.taken(id);
        }
    }

    /// Fewer messages wait for the application: the link may deliver more, or a pipe that is gone is done with.
    #[inline]
    fn taken(&mut self, id: PipeId) {
        let hwm = self.recv_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        let none = pipe.incoming.is_empty();
        if pipe.stalled && pipe.incoming.is_low(hwm) || pipe.lazy && none {
            pipe.stalled = false;
            pipe.lazy = false;
            self.call(id);
        } else if none && pipe.life.is_gone() {
            self.remove(id);
        }
    }

    /// Takes a message for the application; the error is that there is none.
    #[inline]
    pub(crate) fn pop_incoming(&mut self, id: PipeId) -> Result<Message, RecvError> {
        let asks_sender = self.asks_sender;
        let Some(pipe) = self.get_mut(id) else { return Err(RecvError::Empty) };
        if pipe.incoming.len() > 1 && !pipe.stalled && !asks_sender && pipe.senders.are_one() {
            return pipe.incoming.pop_front().ok_or(RecvError::Empty);
        }
        self.pop_with_care(id).ok_or(RecvError::Empty)
    }

    /// When more follows from it than that there is one less.
    #[inline(never)]
    fn pop_with_care(&mut self, id: PipeId) -> Option<Message> {
        let asks_sender = self.asks_sender;
        let (pipe, room) = self.get_with_room(id)?;
        let message = pipe.incoming.pop_front()?;
        pipe.incoming.leave(room);
        let sender = if asks_sender { pipe.senders.first().cloned() } else { None };
        pipe.senders.took_first();
        if asks_sender {
            self.sender = sender;
        }
        self.taken(id);
        Some(message)
    }

    /// Ends a pipe; one with messages for the application stays until they are received.
    pub(crate) fn retire(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        if pipe.incoming.is_empty() {
            self.remove(id);
        } else {
            pipe.life = Life::Gone;
            pipe.stalled = false;
            pipe.lazy = false;
            pipe.outgoing = Queue::new();
        }
    }

    pub(crate) fn forget_incoming(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.incoming = Queue::new();
            pipe.senders.took_all();
        }
    }

    /// Asks for an exchange with this pipe's link.
    #[inline]
    pub(crate) fn call(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id)
            && pipe.call == Call::Not
        {
            pipe.call = Call::Due;
            self.service.push_back(id);
        }
    }

    /// The next pipe that asked for an exchange.
    #[inline]
    pub(crate) fn pop_due(&mut self) -> Option<PipeId> {
        loop {
            let id = self.service.pop_front()?;
            if let Some(pipe) = self.get_mut(id) {
                pipe.call = Call::Made;
                // A pipe without a connection has nobody to exchange with; the next connection begins with an exchange.
                if pipe.life.is_connected() {
                    return Some(id);
                }
            }
        }
    }

    /// Has the connection closed for this reason.
    pub(crate) fn doom(&mut self, id: PipeId, reason: ConnectionError) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.doomed.get_or_insert_with(|| Box::new(reason));
            self.call(id);
        }
    }

    /// Tells the monitor, if there is one.
    pub(crate) fn tell(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }

    /// Tells that a message was dropped, as the socket type's rules ask, and counts it.
    pub(crate) fn dropped(&mut self, reason: DropReason, messages: usize) {
        if messages > 0 {
            self.stats.dropped.add(reason, messages);
            self.tell(|| Event::Dropped { reason, messages });
        }
    }
}

impl Pipe {
    /// Whether the next message to be sent belongs to this connection alone.
    const fn is_opening(&self) -> bool {
        self.opening > self.counts.sent.messages
    }

    /// Notices that what is queued has reached the mark.
    #[inline]
    fn close_if_full(&mut self, hwm: Mark) {
        if !self.full && self.outgoing.is_full(hwm) {
            self.full = true;
            self.counts.send_hwm_hits += 1;
        }
    }

    /// The link has come, or is gone: for what happens from now on it is called again.
    #[inline]
    pub(crate) fn came(&mut self) {
        if self.call == Call::Made {
            self.call = Call::Not;
        }
    }

    /// Whether somebody will come for what is queued without being called.
    #[inline]
    fn is_collected(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.need() != Need::Hungry)
    }

    /// Whether the application may send to it.
    fn accepts(&self) -> bool {
        !self.draining && self.doomed.is_none() && !self.life.is_gone()
    }
}
