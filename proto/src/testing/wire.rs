//! [`Wire`]: a simulated connection between two sessions of a [`Net`](super::Net), and the stream of each session.

use super::{Conditions, LinkLimits, NodeId, Side, SocketId, Tcp, WriteLimits};
use crate::connection::Outbox;
use crate::entropy::SeededEntropy;
use crate::session::{Stream, StreamError};
use crate::socket::PipeId;
use crate::time::Instant;

/// Identifier of a simulated connection, a [`Wire`]. Two connections never get the same identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WireId(u64);

impl WireId {
    /// Advances to the next identifier, and returns it.
    pub(super) const fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// Simulated connection between the sessions of two sockets. The arrays have one entry per [`Side`].
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) tcp: Tcp,
    /// Socket at each side, and the pipe of this connection in the socket. The socket may have removed the pipe
    /// already.
    ends: [(SocketId, PipeId); 2],
    /// True for each side that still has a session for this connection.
    pub(super) in_use: [bool; 2],
}

/// One side of a simulated connection, as the stream for one call of [`Session::turn`](crate::session::Session::turn).
pub(super) struct WireEnd<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) side: Side,
    pub(super) now: Instant,
    pub(super) entropy: &'a mut SeededEntropy,
    pub(super) conditions: &'a mut Conditions,
    /// Set to true during the call of `Session::turn` if the session of the other side can read or write again. `turn`
    /// must then be called for that session too.
    pub(super) wake: bool,
}

impl Wire {
    pub(super) fn between(ends: [(SocketId, PipeId); 2], limits: LinkLimits) -> Self {
        Self { tcp: Tcp::new(limits), ends, in_use: [true; 2] }
    }

    pub(super) const fn ends(&self) -> [(SocketId, PipeId); 2] {
        self.ends
    }

    pub(super) const fn end(&self, side: Side) -> (SocketId, PipeId) {
        self.ends[side as usize]
    }

    pub(super) fn leads_to(&self, node: NodeId) -> bool {
        self.ends.iter().any(|end| end.0.node() == node)
    }
}

impl Stream for WireEnd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let limit = self.conditions.chunk(self.entropy).min(buffer.len());
        let result = self.wire.tcp.read(self.side, &mut buffer[..limit], self.now);
        self.wake |= self.wire.tcp.take_unblocked(self.side.other());
        result
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let mut chunks = [&[][..]; 64];
        let filled = data.chunks(&mut chunks);
        let shipment = WriteLimits {
            limit: self.conditions.chunk(self.entropy),
            now: self.now,
            latency: self.conditions.delay(self.entropy),
        };
        self.wire.tcp.write(self.side, chunks[..filled].iter().copied(), shipment)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        let arrival = self.now + self.conditions.delay(self.entropy);
        self.wire.tcp.close_write(self.side, arrival);
        self.wake = true;
        Ok(())
    }
}
