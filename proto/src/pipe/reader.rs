//! [`Reader`]: what a socket that sends within its process knows of the one that receives.

use crate::sync::AtomicU8;
use core::sync::atomic::Ordering;

/// A socket that reads what another one of its process sends, as the sender sees it. While it is not hungry messages stay in
/// the sender's pipe: the reader comes for them, many at a time, when it has received what it has. Its word is taken back
/// before it locks the sender to come, so that who sees it still has locked before, and is found.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    need: AtomicU8,
}

/// What a [`Reader`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Messages, each at once.
    Hungry,
    /// Nothing now; but it takes more.
    Sated,
    /// Nothing, and it has no room for more.
    Full,
}

impl Reader {
    pub(crate) fn need(&self) -> Need {
        match self.need.load(Ordering::Relaxed) {
            0 => Need::Hungry,
            1 => Need::Sated,
            _ => Need::Full,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn say(&self, need: Need) {
        self.need.store(need as u8, Ordering::Relaxed);
    }
}
