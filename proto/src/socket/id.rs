//! Ids within a socket: [`PipeId`] and [`ListenerId`].

use core::fmt;

/// Id of a pipe: the message queues and the state that a socket keeps for one peer. A pipe belongs to one accepted
/// connection, or to one `connect` with all its reconnects.
///
/// Ids are not reused: the id of a removed pipe never identifies another pipe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PipeId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl PipeId {
    /// Returns a small number that no other *existing* pipe of the socket has, suitable as an index into a table. The
    /// number of a removed pipe is reused.
    #[inline]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

impl fmt::Debug for PipeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pipe {}.{}", self.index, self.generation)
    }
}

/// Id of a listener of a socket, valid from `bind` to `unbind`. Ids are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(super) u64);
