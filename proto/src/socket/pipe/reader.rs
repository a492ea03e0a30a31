//! [`Reader`]: an atomic value that reduces notifications between the two sockets of an `inproc` connection.
//!
//! The receiving socket writes the value, which states whether the sending socket must notify it of each message. The
//! sending socket reads the value after it has queued a message, and skips the notification if the receiver still has
//! enough messages.

use core::sync::atomic::Ordering;

#[cfg(not(sansmq_loom))]
use core::sync::atomic::AtomicU8;
#[cfg(sansmq_loom)]
use loom::sync::atomic::AtomicU8;

/// Present [`Demand`] of the receiving socket of an `inproc` connection. The demand states if the sending socket must
/// request [`Action::Service`](crate::Action::Service) for each message that it queues. This request moves the message
/// to the receiving socket. The receiving socket writes the demand, and the sending socket reads it without locking the
/// receiving socket; see [`Socket::set_reader`].
///
/// While the demand is [`Demand::EachMessage`], the sending socket must make this request for each message. While the
/// demand has another value, the sending socket makes this request only if the queue of its pipe is full. Otherwise,
/// sent messages stay in this pipe. The receiving socket fetches these messages when its application has received the
/// previous messages.
///
/// No message is missed: the receiving socket first stores [`Demand::EachMessage`], and then locks the sending socket
/// to fetch messages. Each `send` holds the lock of the sending socket too. A `send` that reads the previous demand
/// therefore ends before the fetch begins, and the fetch takes its message.
///
/// [`Socket::set_reader`]: crate::Socket::set_reader
#[derive(Debug, Default)]
pub struct Reader {
    demand: AtomicU8,
}

/// Value that the receiving socket of an `inproc` connection stores for the sending socket: whether the sending socket
/// must request [`Action::Service`](crate::Action::Service) for each message that it queues, so that the message is
/// moved to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The receiver holds few messages: the sender must request [`Action::Service`](crate::Action::Service) for each
    /// message.
    EachMessage,
    /// The receiver holds several messages, and has room for more: the sender requests nothing, and the receiver
    /// fetches further messages when the application has received these.
    Batch,
    /// The receiver has no room: the sender requests nothing, and the receiver fetches further messages when it has
    /// room again.
    Full,
}

impl Reader {
    /// Returns the demand that the receiving socket stored last.
    #[inline]
    pub fn demand(&self) -> Demand {
        match self.demand.load(Ordering::Relaxed) {
            0 => Demand::EachMessage,
            1 => Demand::Batch,
            _ => Demand::Full,
        }
    }

    /// Stores the present demand of the receiving socket, to be read by the sending socket.
    #[inline]
    pub fn set_demand(&self, demand: Demand) {
        self.demand.store(demand as u8, Ordering::Relaxed);
    }
}
