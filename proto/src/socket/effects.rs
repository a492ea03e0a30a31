//! [`Effects`]: consequences of an operation of a socket, for example that a message can be received now.

use core::ops::{BitOr, BitOrAssign};

/// Set of consequences that an operation of a socket has for the application or for a peer.
///
/// The implementation of a socket type returns the effects of each operation. [`Socket`](crate::Socket) stores the
/// effects until [`poll_action`](crate::Socket::poll_action) and
/// [`take_peers_changed`](crate::Socket::take_peers_changed) return them.
#[must_use]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects(u8);

impl Effects {
    pub(crate) const NONE: Self = Self(0);
    /// `recv` may return a different result than before, for example because a message arrived.
    pub(crate) const READABLE: Self = Self(1);
    /// `send` may return a different result than before, for example because a peer has room again.
    pub(crate) const WRITABLE: Self = Self(1 << 1);
    /// A peer became ready or disconnected, a subscription of a peer changed, or the socket was closed.
    pub(crate) const PEERS_CHANGED: Self = Self(1 << 2);
    /// The message passed to `send` was not queued, because the message is a request to disconnect the peer that has
    /// the routing id in the message. The caller of `send` must drain this peer: send the messages that are already
    /// queued, then disconnect. STREAM only.
    pub(crate) const DRAIN_PEER: Self = Self(1 << 3);

    /// Subscriptions of disconnected peers are not removed completely. The socket must call
    /// [`Pattern::remove_departed`](super::pattern::Pattern::remove_departed) again, in a later call of its driver.
    pub(crate) const UNFINISHED: Self = Self(1 << 4);

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns true if all of `effects` are in this set.
    #[inline]
    pub(crate) const fn contains(self, effects: Self) -> bool {
        self.0 & effects.0 == effects.0
    }

    /// Removes `effects` from this set. Returns true if the set contained all of them.
    #[inline]
    pub(crate) const fn take(&mut self, effects: Self) -> bool {
        let contained = self.contains(effects);
        self.0 &= !effects.0;
        contained
    }
}

impl BitOr for Effects {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Effects {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_merged_and_taken_one_by_one() {
        let mut effects = Effects::READABLE;
        effects |= Effects::PEERS_CHANGED | Effects::NONE;
        assert!(effects.contains(Effects::READABLE) && !effects.contains(Effects::WRITABLE));
        assert!(!effects.take(Effects::WRITABLE));
        assert!(effects.take(Effects::READABLE));
        assert!(!effects.take(Effects::READABLE));
        assert_eq!(effects, Effects::PEERS_CHANGED);
    }
}
