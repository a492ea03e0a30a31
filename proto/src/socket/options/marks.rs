//! High-water marks in bytes, in addition to the marks in messages.

use super::Options;
use crate::kind::{Kind, Receives, Sends};

impl<T: Kind> Options<T> {
    /// Sets the maximum number of bytes in the messages that wait for each peer, in addition to
    /// [`send_hwm`](Self::send_hwm). The queue is full when either mark is reached, and has room again at half of both.
    /// 0: no limit. Default 0; libzmq has no such option.
    ///
    /// The last message may exceed the mark, and an empty queue accepts a message of any size.
    #[must_use]
    pub const fn send_hwm_bytes(mut self, bytes: usize) -> Self
    where
        T: Sends,
    {
        self.settings.send_hwm_bytes = bytes;
        self
    }
}

impl<T: Kind> Options<T> {
    /// Sets the maximum number of bytes in the messages of each peer that wait for `recv`, in addition to
    /// [`recv_hwm`](Self::recv_hwm). The socket stops reading from the peer when either mark is reached, and continues
    /// at half of both. 0: no limit. Default 0; libzmq has no such option.
    ///
    /// The last message may exceed the mark, and the connection reads about 64 KiB more, or one larger message: see
    /// [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub const fn recv_hwm_bytes(mut self, bytes: usize) -> Self
    where
        T: Receives,
    {
        self.settings.recv_hwm_bytes = bytes;
        self
    }
}
