//! [`SessionBuffers`]: memory that a session needs only during a call of [`Session::turn`](crate::Session::turn).

use crate::connection::OutputBuffers;
use bytes::BytesMut;
use core::fmt;

/// Read buffer, and buffers for encoding and decoding. A [`Session`](crate::Session) needs them only during a call of
/// [`turn`](crate::Session::turn), so all sessions of a thread can share one `SessionBuffers`. Idle connections then
/// hold almost no memory, and active connections use memory that is in the processor's caches.
pub struct SessionBuffers {
    pub(crate) room: BytesMut,
    pub(crate) spare: OutputBuffers,
}

impl SessionBuffers {
    /// Creates a `SessionBuffers` with a read buffer of 32 KiB. With a larger buffer, received bytes may be evicted
    /// from the processor's caches before the session decodes them, and the peer waits longer for space in the kernel's
    /// buffers.
    pub fn new() -> Self {
        Self::with_read_size(32 << 10)
    }

    /// Creates a `SessionBuffers` with a read buffer of `bytes` bytes, or of one byte if `bytes` is 0.
    pub fn with_read_size(bytes: usize) -> Self {
        Self { room: BytesMut::zeroed(bytes.max(1)), spare: OutputBuffers::default() }
    }
}

impl Default for SessionBuffers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SessionBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuffers").field("room", &self.room.len()).finish_non_exhaustive()
    }
}
