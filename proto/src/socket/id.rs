//! Ids of what a socket holds: [`PipeId`] and [`ListenerId`].

use core::fmt;

/// Names a pipe of a socket: one accepted connection, or one `connect` through all its reconnections.
///
/// Ids are not reused: the id of a pipe that is gone names nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl PipeId {
    /// A small number that no other pipe *living at the same time* has: an index for tables of one's own.
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

/// Names a listener of a socket, from `bind` to `unbind`. Ids are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(super) u64);
