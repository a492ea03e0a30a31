//! [`SessionBuffers`]: memory that a session needs only while it is at work.

use crate::connection::OutputBuffers;
use bytes::BytesMut;
use core::fmt;

/// Room to read into, and room for what is on its way between octets and messages. A [`Session`](crate::Session) needs it
/// only during a [turn](crate::Session::turn), so one is enough for all sessions of a thread: idle connections then hold next
/// to no memory, and busy ones find theirs in the processor's caches.
pub struct SessionBuffers {
    pub(crate) room: BytesMut,
    pub(crate) spare: OutputBuffers,
}

impl SessionBuffers {
    /// Room to read 32 KiB at a time. With more, the octets leave the processor's caches before they are looked at, and the
    /// sender waits longer for the kernel's buffers.
    pub fn new() -> Self {
        Self::with_read_size(32 << 10)
    }

    /// Room to read so many octets at a time, and at least one.
    pub fn with_read_size(octets: usize) -> Self {
        Self { room: BytesMut::zeroed(octets.max(1)), spare: OutputBuffers::default() }
    }
}

impl Default for SessionBuffers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("room", &self.room.len()).finish_non_exhaustive()
    }
}
