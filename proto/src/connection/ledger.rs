//! [`Ledger`]: the memory that the connections of a socket hold for handshakes, and its limit. [`MemoryBudget`]: the memory that
//! several sockets hold, and its limit.
//!
//! # Memory that a peer holds
//!
//! Limits of messages and of bytes on the wire do not bound memory: a message of 4096 empty frames has 8 KiB on the wire,
//! and 288 KiB in memory. So memory is counted as it is *held*, in three places:
//!
//! - A queue counts [`Message::held_bytes`](crate::Message::held_bytes): 72 bytes per frame, and the memory outside of these
//!   values. The high-water marks in bytes compare with this sum. The size of a message is computed once when it is queued
//!   and once when it is removed, and needs no loop for a message of one frame.
//! - A frame that is a part of a larger block counts with the size of the block. Frames that share a read buffer count with
//!   their own size, so they are copied unless together they take up four fifths of the buffer: then the counted size is
//!   at most a fifth below the real one, except for one buffer per peer, of which the first messages are already received.
//! - A connection counts its buffers during the handshake, while an incomplete message grows, and at the end of each
//!   [`Session::turn`](crate::Session::turn), and stores the sum where the socket reads it without a lock
//!   ([`Written`](super::Written)). Without a session, the buffers of a ready connection are not counted; they are small,
//!   except for an incomplete message.
//!
//! The sum of a socket is the sum over its peers, computed when statistics are requested. The exception is the memory that
//! peers hold before they are authenticated, and the properties that they have sent. Its sum is kept here, because a limit
//! applies to all peers of a socket together.
//!
//! # Memory that several sockets hold
//!
//! Sockets may share a [`MemoryBudget`]. Each pipe and each connection adds the change of what it holds since it did so last,
//! once per exchange or turn and only if the change has at least [`STEP`] bytes; messages do not touch the shared counter.
//! While more is held than the limit, the high-water marks in bytes of all peers fall to [`FLOOR`], and a connection ends
//! when its incomplete message holds more than that, or when its peer adds a subscription to others that do. So the limit
//! can be exceeded by three times [`FLOOR`] and two messages per peer, but a peer that holds less is served as usual, and no socket must wait for another: each peer that waits has messages of
//! its own to be received or sent.

use super::ConnectionError;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Memory that handshakes of all connections of a socket hold together, and the limit of this memory.
#[derive(Debug)]
pub(crate) struct Ledger {
    handshakes: AtomicUsize,
    max_handshake_bytes: usize,
    budget: Option<Arc<MemoryBudget>>,
}

/// Memory that several sockets hold together, and the limit of this memory. See
/// [`Socket::set_memory_budget`](crate::Socket::set_memory_budget).
#[derive(Debug)]
pub struct MemoryBudget {
    held: AtomicUsize,
    limit: usize,
}

/// Part of one pipe or one connection in a [`MemoryBudget`].
#[derive(Debug, Default)]
pub(crate) struct Share {
    budget: Option<Arc<MemoryBudget>>,
    held: usize,
}

/// Part of one connection in the [`Ledger`] of its socket.
#[derive(Debug, Default)]
pub(super) struct Account {
    ledger: Option<Arc<Ledger>>,
    handshake: usize,
    share: Share,
}

/// Minimum change in bytes of what a pipe or a connection holds, for which it updates the [`MemoryBudget`].
const STEP: usize = 16 << 10;

/// Memory in bytes that each peer may hold in each queue, and for an incomplete message, although the limit of the
/// [`MemoryBudget`] is exceeded.
pub(crate) const FLOOR: usize = 64 << 10;

/// Memory in bytes that each handshake may hold although all handshakes together have reached their limit.
// The handshake of a usual peer needs less than a kilobyte.
const FREE: usize = 4 << 10;

impl MemoryBudget {
    /// Creates a budget with this limit, in bytes.
    pub const fn new(limit: usize) -> Self {
        Self { held: AtomicUsize::new(0), limit }
    }

    /// Returns the memory that the sockets with this budget hold, in bytes. The number lags behind by up to 16 KiB for each
    /// pipe and each connection.
    pub fn held_bytes(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns the limit in bytes.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns true if the sockets hold more memory than the limit.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.held_bytes() > self.limit
    }
}

impl Share {
    pub(crate) const fn new(budget: Option<Arc<MemoryBudget>>) -> Self {
        Self { budget, held: 0 }
    }

    /// Sets the memory that this part of the budget holds, in bytes. Ignores a small change.
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes.abs_diff(self.held) >= STEP || bytes == 0 {
            self.set_exactly(bytes);
        }
    }

    fn set_exactly(&mut self, bytes: usize) {
        if let Some(budget) = self.budget.as_ref().filter(|_| bytes != self.held) {
            // The sum wraps around in between, but not in the end.
            budget.held.fetch_add(bytes.wrapping_sub(self.held), Ordering::Relaxed);
            self.held = bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set_exactly(0);
    }
}

impl Ledger {
    /// Creates a ledger with a limit for the memory of handshakes, in bytes; 0 for no limit.
    pub(crate) const fn new(max_handshake_bytes: usize, budget: Option<Arc<MemoryBudget>>) -> Self {
        let max_handshake_bytes = if max_handshake_bytes == 0 { usize::MAX } else { max_handshake_bytes };
        Self { handshakes: AtomicUsize::new(0), max_handshake_bytes, budget }
    }

    /// Returns the memory in bytes that handshakes hold, and the properties that connected peers have sent.
    pub(crate) fn handshake_bytes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "meter")]
impl Ledger {
    /// Returns the maximum memory in bytes that the handshakes of a socket with this number of peers may hold.
    pub(crate) const fn handshake_limit(&self, peers: usize) -> usize {
        // A connection is rejected only after its input is stored: one command of the maximum size, and the buffers that
        // grow with it.
        const LAST: usize = 1 << 20;
        self.max_handshake_bytes.saturating_add(peers * FREE + LAST)
    }
}

impl Account {
    pub(super) fn new(ledger: Option<&Arc<Ledger>>) -> Self {
        let share = Share::new(ledger.and_then(|ledger| ledger.budget.clone()));
        Self { ledger: ledger.cloned(), handshake: 0, share }
    }

    /// Moves the account to the ledger of another socket.
    pub(super) fn move_to(&mut self, ledger: Option<&Arc<Ledger>>) {
        let (bytes, held) = (self.handshake, self.share.held);
        *self = Self::new(ledger);
        self.set_handshake(bytes);
        self.share.set(held);
    }

    /// Sets the memory that this connection holds, in bytes.
    pub(super) fn set_held(&mut self, bytes: usize) {
        self.share.set(bytes);
    }

    /// Returns an error if the sockets that share a budget hold more memory than permitted, and the incomplete message of
    /// this connection, of `bytes` bytes, is not a small one.
    pub(super) fn check_incomplete(&self, bytes: usize) -> Result<(), ConnectionError> {
        match &self.share.budget {
            Some(budget) if bytes > FLOOR && budget.is_exceeded() => {
                Err(ConnectionError::MemoryLimit { limit: budget.limit })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Sets the memory in bytes that the handshake of this connection holds.
    pub(super) fn set_handshake(&mut self, bytes: usize) {
        let Some(ledger) = self.ledger.as_ref().filter(|_| bytes != self.handshake) else { return };
        // The sum wraps around in between, but not in the end.
        ledger.handshakes.fetch_add(bytes.wrapping_sub(self.handshake), Ordering::Relaxed);
        self.handshake = bytes;
    }

    /// Returns an error if the handshakes of all connections hold more memory than permitted, and this handshake is not a
    /// small one.
    pub(super) fn check_handshake(&self) -> Result<(), ConnectionError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let limit = ledger.max_handshake_bytes;
        if self.handshake > FREE && ledger.handshake_bytes() > limit {
            return Err(ConnectionError::HandshakeMemory { limit });
        }
        Ok(())
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.set_handshake(0);
    }
}
