//! [`Reader`]: value that the receiving socket of an `inproc` link writes and the sending socket reads, so that the
//! sender requests no exchange for each message while the receiver has enough messages.

use core::sync::atomic::Ordering;

#[cfg(not(sansmq_loom))]
use core::sync::atomic::AtomicU8;
#[cfg(sansmq_loom)]
use loom::sync::atomic::AtomicU8;

/// Present [`Demand`] of the receiving socket of an `inproc` link, which the sending socket in the same process reads;
/// see [`Socket::set_reader`].
///
/// While the demand is not [`Demand::EachMessage`], messages stay in the pipe of the sending socket. The receiver
/// fetches them in batches, after the application has received the messages that the receiver holds. The receiver
/// stores its new demand before it locks the sending socket to fetch. So if the sending socket still reads the old
/// value, it has taken its lock earlier, and the receiver finds the message.
///
/// [`Socket::set_reader`]: crate::Socket::set_reader
#[derive(Debug, Default)]
pub struct Reader {
    demand: AtomicU8,
}

/// Demand of the receiving socket of an `inproc` link: whether the sending socket must request an exchange
/// ([`Action::Service`](crate::Action::Service)) for each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The receiver has few messages: the sender requests an exchange for each message.
    EachMessage,
    /// The receiver has several messages, and room for more: the sender requests no exchange, and the receiver fetches
    /// further messages in batches.
    Batch,
    /// The receiver has no room: the sender requests no exchange, and the receiver fetches further messages when it has
    /// room.
    Full,
}

impl Reader {
    /// Returns the present demand of the receiver.
    #[inline]
    pub fn demand(&self) -> Demand {
        match self.demand.load(Ordering::Relaxed) {
            0 => Demand::EachMessage,
            1 => Demand::Batch,
            _ => Demand::Full,
        }
    }

    /// Stores the demand of the receiver.
    #[inline]
    pub fn set_demand(&self, demand: Demand) {
        self.demand.store(demand as u8, Ordering::Relaxed);
    }
}
