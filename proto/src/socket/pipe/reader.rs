//! [`Reader`]: the demand of a socket that receives from another socket of the same process.

use core::sync::atomic::Ordering;

#[cfg(not(sansmq_loom))]
use core::sync::atomic::AtomicU8;
#[cfg(sansmq_loom)]
use loom::sync::atomic::AtomicU8;

/// Demand of a receiving socket, read by its sender in the same process; see [`Socket::set_reader`].
///
/// While the demand is not [`Demand::EachMessage`], messages stay in the sender's pipe, and the reader fetches them in batches
/// after it has received the messages that it holds. The reader stores its new demand before it locks the sender to
/// fetch. So a sender that still reads the old value has taken its lock before, and the reader finds its message.
///
/// [`Socket::set_reader`]: crate::Socket::set_reader
#[derive(Debug, Default)]
pub struct Reader {
    demand: AtomicU8,
}

/// Demand of a [`Reader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Requests service for each message.
    EachMessage,
    /// Requests no service now; accepts further messages.
    Batch,
    /// Requests no service, and has no room for further messages.
    Full,
}

impl Reader {
    /// Returns the present demand.
    #[inline]
    pub fn demand(&self) -> Demand {
        match self.demand.load(Ordering::Relaxed) {
            0 => Demand::EachMessage,
            1 => Demand::Batch,
            _ => Demand::Full,
        }
    }

    /// Stores the demand.
    #[inline]
    pub fn set_demand(&self, demand: Demand) {
        self.demand.store(demand as u8, Ordering::Relaxed);
    }
}
