//! High-water marks in bytes, in addition to the high-water marks in messages. They count the memory that messages hold.

use super::Options;
use crate::kind::{Kind, Receives, Sends};

impl<T: Kind> Options<T> {
    /// Sets the maximum memory in bytes that the messages which wait to be sent to each peer hold, in addition to
    /// [`send_hwm`](Self::send_hwm). Each frame counts 72 bytes, and a body of more than 64 bytes its size in addition
    /// ([`Message::held_bytes`](crate::Message::held_bytes)). The outgoing queue of a peer is full when the first of the
    /// two limits is reached. It has room again when it has fallen to half of both limits. 0: no limit. Default 256 MiB;
    /// libzmq has no such option.
    ///
    /// The message that reaches the limit is queued even if it exceeds the limit, and an empty queue accepts a message
    /// of any size.
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
    /// Sets the maximum memory in bytes that the messages received from each peer hold while they wait for `recv`, in
    /// addition to [`recv_hwm`](Self::recv_hwm). Each frame counts 72 bytes, and a body of more than 64 bytes its size in
    /// addition ([`Message::held_bytes`](crate::Message::held_bytes)). The socket stops reading from the peer when the
    /// first of the two limits is reached. It continues when the incoming queue of the peer has fallen to half of both
    /// limits. 0: no limit. Default 64 MiB; libzmq has no such option.
    ///
    /// The message that reaches the limit is queued even if it exceeds the limit. In addition, the connection reads
    /// about 64 KiB more, or one larger message: see [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub const fn recv_hwm_bytes(mut self, bytes: usize) -> Self
    where
        T: Receives,
    {
        self.settings.recv_hwm_bytes = bytes;
        self
    }
}
