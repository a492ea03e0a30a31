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
//! can be exceeded by three times [`FLOOR`] and two messages per peer, but a peer that holds less is served as usual, and no
//! socket must wait for another: each peer that waits has messages of its own to be received or sent.

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

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn budget(limit: usize) -> Arc<MemoryBudget> {
        Arc::new(MemoryBudget::new(limit))
    }

    fn account(ledger: &Arc<Ledger>) -> Account {
        Account::new(Some(ledger))
    }

    #[test]
    fn budget_is_exceeded_only_above_its_limit() {
        let budget = budget(64 * KIB);
        let mut share = Share::new(Some(Arc::clone(&budget)));
        share.set(64 * KIB);
        assert_eq!((budget.held_bytes(), budget.limit(), budget.is_exceeded()), (64 * KIB, 64 * KIB, false));
        let mut other = Share::new(Some(Arc::clone(&budget)));
        other.set(16 * KIB);
        assert_eq!((budget.held_bytes(), budget.is_exceeded()), (80 * KIB, true));
        drop(share);
        assert_eq!((budget.held_bytes(), budget.is_exceeded()), (16 * KIB, false));
    }

    #[test]
    fn budget_counts_changes_of_16_kib_and_the_end() {
        let budget = budget(0);
        let mut share = Share::new(Some(Arc::clone(&budget)));
        for (bytes, counted) in [
            (16 * KIB - 1, 0),
            (16 * KIB, 16 * KIB),
            (32 * KIB - 1, 16 * KIB),
            (1, 16 * KIB),
            (40 * KIB, 40 * KIB),
            (24 * KIB + 1, 40 * KIB),
            (24 * KIB, 24 * KIB),
            (0, 0),
        ] {
            share.set(bytes);
            assert_eq!(budget.held_bytes(), counted, "after {bytes}");
        }
    }

    #[test]
    fn ledger_counts_handshakes_until_their_accounts_end() {
        let ledger = Arc::new(Ledger::new(0, None));
        let (mut one, mut two) = (account(&ledger), account(&ledger));
        one.set_handshake(100);
        two.set_handshake(7);
        one.set_handshake(90);
        assert_eq!(ledger.handshake_bytes(), 97);
        drop(one);
        assert_eq!(ledger.handshake_bytes(), 7);
        two.set_handshake(0);
        assert_eq!(ledger.handshake_bytes(), 0);
    }

    #[test]
    fn handshake_above_4_kib_fails_above_the_common_limit() {
        assert_eq!((FREE, FLOOR), (4096, 65_536));
        let ledger = Arc::new(Ledger::new(10 * KIB, None));
        let (mut large, mut small) = (account(&ledger), account(&ledger));
        large.set_handshake(6 * KIB);
        small.set_handshake(4 * KIB);
        assert!(large.check_handshake().is_ok(), "the limit is reached, not exceeded");
        large.set_handshake(6 * KIB + 1);
        assert!(matches!(large.check_handshake(), Err(ConnectionError::HandshakeMemory { limit: 10_240 })));
        assert!(small.check_handshake().is_ok(), "a small handshake is always permitted");
        small.set_handshake(4 * KIB + 1);
        assert!(small.check_handshake().is_err());

        let unlimited = Arc::new(Ledger::new(0, None));
        let mut huge = account(&unlimited);
        huge.set_handshake(1 << 40);
        assert!(huge.check_handshake().is_ok());
        assert!(Account::new(None).check_handshake().is_ok());
    }

    #[test]
    fn message_above_64_kib_fails_while_budget_is_exceeded() {
        let budget = budget(100 * KIB);
        let ledger = Arc::new(Ledger::new(0, Some(Arc::clone(&budget))));
        let (mut one, two) = (account(&ledger), account(&ledger));
        one.set_held(100 * KIB);
        assert!(two.check_incomplete(64 * KIB + 1).is_ok(), "the limit is reached, not exceeded");
        one.set_held(120 * KIB);
        assert!(two.check_incomplete(64 * KIB).is_ok());
        assert!(matches!(two.check_incomplete(64 * KIB + 1), Err(ConnectionError::MemoryLimit { limit: 102_400 })));
        assert!(Account::new(None).check_incomplete(usize::MAX).is_ok());
        drop(one);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn account_moves_what_it_holds_to_another_ledger() {
        let budgets = [budget(0), budget(0)];
        let [from, to] = budgets.each_ref().map(|budget| Arc::new(Ledger::new(0, Some(Arc::clone(budget)))));
        let mut account = account(&from);
        account.set_handshake(500);
        account.set_held(20 * KIB);
        account.move_to(Some(&to));
        assert_eq!([&from, &to].map(|ledger| ledger.handshake_bytes()), [0, 500]);
        assert_eq!(budgets.each_ref().map(|budget| budget.held_bytes()), [0, 20 * KIB]);
        drop(account);
        assert_eq!((to.handshake_bytes(), budgets[1].held_bytes()), (0, 0));
    }

    #[cfg(feature = "meter")]
    #[test]
    fn handshake_limit_adds_the_free_bytes_of_each_peer() {
        let limit = |max, peers| Ledger::new(max, None).handshake_limit(peers);
        assert_eq!([limit(10 * KIB, 0), limit(10 * KIB, 3)], [(10 + 1024) * KIB, (10 + 3 * 4 + 1024) * KIB]);
        assert_eq!(limit(0, 3), usize::MAX);
    }
}
