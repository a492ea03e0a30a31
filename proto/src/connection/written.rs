//! [`Written`]: counters through which a socket reads how many messages a connection has written to its stream, and how
//! much memory the connection holds.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Number of messages that a connection has written to its stream completely. The connection stores the number after
/// each write, without locking the socket; the socket reads the number when the application requests statistics or
/// waits for a flush.
///
/// While the socket waits for a flush, it also sets a flag. Then a [`Session`](crate::Session) calls `exchange` once
/// more after each write that has completed a message.
#[derive(Debug, Default)]
pub struct Written {
    messages: AtomicUsize,
    is_watched: AtomicBool,
    held: AtomicUsize,
}

impl Written {
    /// Returns the number of messages that are completely written. The number wraps around at the maximum of `usize`.
    #[inline]
    pub fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// Stores the number of messages that are completely written.
    #[inline]
    pub fn set_messages(&self, messages: usize) {
        self.messages.store(messages, Ordering::Relaxed);
    }

    /// Returns the memory that the connection held at its latest report, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub(crate) fn set_held(&self, bytes: usize) {
        self.held.store(bytes, Ordering::Relaxed);
    }

    /// Returns true if the socket must be notified of written messages by a call of `exchange`.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    pub(crate) fn set_watched(&self, on: bool) {
        self.is_watched.store(on, Ordering::Relaxed);
    }
}
