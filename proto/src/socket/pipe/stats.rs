//! Counters of pipes, and the statistics of a socket and of its peers that are computed from them.

use super::{Pipe, Pipes};
use crate::cost;
use crate::socket::id::PipeId;
use crate::socket::stats::{Counts, HeldMemory, PeerStats, SocketStats, TrafficCount};
use crate::time::Instant;
use alloc::string::ToString;
use core::time::Duration;

impl Pipes {
    /// Increases the counters of received messages and bytes of the pipe `id` by `messages`.
    #[inline]
    pub(crate) fn received(&mut self, id: PipeId, messages: TrafficCount) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.counts.received += messages;
        }
    }

    /// Decreases the counters of sent messages and bytes of the pipe `id` by `messages`. These messages were counted as
    /// sent when they were given to a connection, but this connection was lost before it began to send them.
    pub(crate) fn unsent(&mut self, id: PipeId, messages: TrafficCount) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.counts.sent = pipe.counts.sent - messages;
            pipe.counts.returned += messages;
        }
    }

    /// Returns the statistics of the socket: the sums over all pipes, including removed pipes.
    pub(crate) fn stats(&self, now: Instant) -> SocketStats {
        let mut stats = SocketStats { peers: self.count, ready_peers: self.ready, ..self.stats.clone() };
        for (_, pipe) in self.iter() {
            stats.include(&pipe.counts);
            stats.outgoing += pipe.outgoing.tally();
            stats.under_way += pipe.under_way();
            stats.incoming += pipe.incoming.tally();
            stats.held += pipe.held();
            stats.outgoing_age = stats.outgoing_age.max(pipe.outgoing_age(now));
            stats.incoming_age = stats.incoming_age.max(pipe.incoming_age(now));
        }
        stats.held.outgoing += self.buffers.held_bytes() + self.frames.held_bytes();
        stats
    }

    /// Returns the statistics of the peer of each pipe.
    pub(crate) fn peer_stats(&self, now: Instant) -> impl Iterator<Item = PeerStats> {
        self.iter().map(move |(id, pipe)| pipe.stats(id, now))
    }

    /// Samples the age of the messages in all queues.
    pub(crate) fn sample_queues(&mut self, now: Instant) {
        cost::requested(self.slots.len());
        for pipe in self.slots.iter_mut().flatten() {
            let [first_outgoing, first_incoming] = pipe.first_messages();
            pipe.outgoing.sample(now, first_outgoing);
            pipe.incoming.sample(now, first_incoming);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        cost::requested(self.slots.len());
        self.entries()
    }
}

#[cfg(feature = "meter")]
impl Pipes {
    /// Maximum memory in bytes by which the messages of a lost connection, which return to their queue, may exceed the
    /// high-water mark: what a connection accepts before it is full, without its last message.
    const RETURNED: u64 = 512 << 10;

    /// Checks the counts of all queues; see [`Socket::assert_held`](crate::Socket::assert_held).
    pub(crate) fn assert_held(&self) -> usize {
        let [send_hwm, recv_hwm] = self.largest_marks;
        let pipes = self.slots.iter().flatten();
        let visited = pipes.map(|pipe| {
            let sent = pipe.outgoing.assert_held(send_hwm, Self::RETURNED);
            sent + pipe.incoming.assert_held(recv_hwm, 0)
        });
        visited.sum()
    }
}

impl Pipe {
    /// Returns the memory that the queues and the connection of the pipe hold.
    fn held(&self) -> HeldMemory {
        HeldMemory {
            outgoing: self.outgoing.held_bytes(),
            incoming: self.incoming.held_bytes(),
            connections: self.connection.as_ref().map_or(0, |connection| connection.held() as u64),
            subscriptions: 0,
        }
    }

    /// Returns the number of messages that have left the outgoing and the incoming queue at the front. Too high for the
    /// incoming queue if received messages were not queued; the age of the first message is then found too short.
    // Derived from counters that exist, so that the path of each message has no other counter.
    fn first_messages(&self) -> [u64; 2] {
        let sent = self.counts.sent.messages + self.outgoing.dropped();
        [sent, self.counts.received.messages.saturating_sub(self.incoming.len() as u64)]
    }

    fn outgoing_age(&self, now: Instant) -> Duration {
        self.outgoing.age(now, self.first_messages()[0])
    }

    fn incoming_age(&self, now: Instant) -> Duration {
        self.incoming.age(now, self.first_messages()[1])
    }

    fn stats(&self, id: PipeId, now: Instant) -> PeerStats {
        let Counts { sent, returned, received, send_hwm_hits, recv_hwm_hits, .. } = self.counts;
        let peer = self.senders.latest();
        PeerStats {
            pipe: id,
            endpoint: self.state.endpoint().cloned(),
            address: peer.and_then(|peer| peer.address.clone()),
            routing_id: self.routing_id.clone(),
            user_id: peer.and_then(|peer| peer.user_id.clone()).map(Into::into),
            last_error: self.failure.as_ref().map(ToString::to_string),
            connected: self.state.is_connected(),
            ready: self.state.is_ready(),
            outgoing: self.outgoing.tally(),
            under_way: self.under_way(),
            incoming: self.incoming.tally(),
            outgoing_age: self.outgoing_age(now),
            incoming_age: self.incoming_age(now),
            held: self.held(),
            sent,
            returned,
            received,
            send_hwm_hits,
            recv_hwm_hits,
            reconnects: self.counts.reconnects(),
            round_trip: self.state.round_trip(),
        }
    }
}
