//! What pipes count, and what a socket's pipes are in numbers.

use super::{Pipe, Pipes};
use crate::socket::id::PipeId;
use crate::socket::stats::{Counts, PeerStats, SocketStats, TrafficCount};

impl Pipes {
    /// So much came from this peer.
    #[inline]
    pub(crate) fn received(&mut self, id: PipeId, messages: TrafficCount) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.counts.received += messages;
        }
    }

    /// So much was not sent after all.
    pub(crate) fn unsent(&mut self, id: PipeId, messages: TrafficCount) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.counts.sent = pipe.counts.sent - messages;
        }
    }

    /// All of them together, and those that are gone.
    pub(crate) fn stats(&self) -> SocketStats {
        let mut stats = SocketStats { peers: self.count, ready_peers: self.ready, ..self.stats.clone() };
        for (_, pipe) in self.iter() {
            stats.include(&pipe.counts);
            stats.outgoing += pipe.outgoing.tally();
            stats.incoming += pipe.incoming.tally();
        }
        stats
    }

    /// Each of them.
    pub(crate) fn peer_stats(&self) -> impl Iterator<Item = PeerStats> {
        self.iter().map(|(id, pipe)| pipe.stats(id))
    }

    fn iter(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        let numbered = self.slots.iter().zip(0..);
        numbered.filter_map(|(slot, index)| Some((PipeId { index, generation: slot.generation }, slot.pipe.as_ref()?)))
    }
}

impl Pipe {
    fn stats(&self, id: PipeId) -> PeerStats {
        let Counts { sent, received, send_hwm_hits, recv_hwm_hits, .. } = self.counts;
        PeerStats {
            pipe: id,
            endpoint: self.state.endpoint().cloned(),
            routing_id: self.routing_id.clone(),
            connected: self.state.is_connected(),
            ready: self.state.is_ready(),
            outgoing: self.outgoing.tally(),
            incoming: self.incoming.tally(),
            sent,
            received,
            send_hwm_hits,
            recv_hwm_hits,
            reconnects: self.counts.reconnects(),
            round_trip: self.state.round_trip(),
        }
    }
}
