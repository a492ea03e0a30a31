//! Nonces of CURVE (RFC 26): their layout, and the counters that ensure that each nonce is used only once with a key.
//!
//! ```text
//!   short   prefix of 16 bytes, such as "CurveZMQMESSAGEC"   counter, big-endian, 8 bytes; only the counter is sent
//!   long    prefix of 8 bytes, such as "COOKIE--"            16 random bytes, which are sent
//! ```

use thiserror::Error;

/// Nonce of XSalsa20. A key must not be used twice with the same nonce.
pub(crate) type Nonce = [u8; 24];

/// Returns the nonce that consists of the prefix `purpose` and the counter `count`, such as `CurveZMQREADY---` and 1.
pub(crate) fn short_nonce(purpose: [u8; 16], count: u64) -> Nonce {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(&purpose);
    nonce[16..].copy_from_slice(&count.to_be_bytes());
    nonce
}

/// Returns the nonce that consists of the prefix `purpose` and the random bytes `drawn`, such as `COOKIE--` and 16
/// random bytes.
pub(crate) fn long_nonce(purpose: [u8; 8], drawn: [u8; 16]) -> Nonce {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&purpose);
    nonce[8..].copy_from_slice(&drawn);
    nonce
}

/// Error of encrypting a message: the connection has used all nonces of its key. Only the handshake of a new connection
/// creates a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all nonces of the connection are used; a new connection is required")]
pub(crate) struct NoncesSpent;

/// Counter for the nonces of the messages that this side sends. Each nonce is one higher than the nonce before.
#[derive(Debug)]
pub(super) struct NonceCounter {
    /// Nonce of the next message, or `None` after the highest nonce, `u64::MAX`, was used.
    next: Option<u64>,
}

impl NonceCounter {
    pub(super) const fn starting_at(first: u64) -> Self {
        Self { next: Some(first) }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.next.is_none()
    }

    /// Returns the nonce for the next message, and advances the counter. Returns [`NoncesSpent`] if no unused nonce is
    /// left.
    #[inline]
    pub(super) fn take(&mut self) -> Result<u64, NoncesSpent> {
        let count = self.next.ok_or(NoncesSpent)?;
        self.next = count.checked_add(1);
        Ok(count)
    }
}

/// Check of the nonces of the messages that the peer sends. Each nonce must be higher than the nonces of all earlier
/// messages. Gaps are allowed, because libzmq allows them.
#[derive(Debug)]
pub(super) struct NonceCheck {
    /// Highest nonce that was accepted from the peer.
    last: u64,
}

impl NonceCheck {
    pub(super) const fn after(last: u64) -> Self {
        Self { last }
    }

    /// Returns true if the nonce `count` is higher than all nonces that were accepted from the peer.
    #[inline]
    pub(super) const fn is_new(&self, count: u64) -> bool {
        count > self.last
    }

    /// Accepts `count`, the nonce of an authenticated message. After that, this nonce and all lower nonces are
    /// rejected.
    #[inline]
    pub(super) const fn accept(&mut self, count: u64) {
        self.last = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_ends_after_the_highest_nonce() {
        let mut counter = NonceCounter::starting_at(u64::MAX - 1);
        assert_eq!([counter.take(), counter.take()], [Ok(u64::MAX - 1), Ok(u64::MAX)]);
        assert!(counter.is_spent());
        assert_eq!(counter.take(), Err(NoncesSpent));
    }

    #[test]
    fn check_accepts_rising_nonces_only() {
        let mut check = NonceCheck::after(1);
        assert!(!check.is_new(1));
        check.accept(5);
        assert!(!check.is_new(2) && !check.is_new(5) && check.is_new(6));
    }
}
