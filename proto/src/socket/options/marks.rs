//! High-water marks in octets, beside those in messages.

use super::Options;
use crate::kind::{Receives, Sends};

impl<T: Sends> Options<T> {
    /// Octets in the messages that may wait for each peer, beside [`send_hwm`](Self::send_hwm): its queue is full when either
    /// mark is reached, and has room again when it is down to half of both. 0: any number. Default 0; libzmq has no such
    /// option.
    ///
    /// The last message may go beyond the mark, and one larger than the mark passes when nothing waits.
    #[must_use]
    pub const fn send_hwm_bytes(mut self, octets: usize) -> Self {
        self.settings.send_hwm_bytes = octets;
        self
    }
}

impl<T: Receives> Options<T> {
    /// Octets in the messages of each peer that may wait for `recv`, beside [`recv_hwm`](Self::recv_hwm): reading from it stops
    /// when either mark is reached, and goes on at half of both. 0: any number. Default 0; libzmq has no such option.
    ///
    /// The last message may go beyond the mark, and about 64 KiB more are read ahead, or one message that is larger: see
    /// [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub const fn recv_hwm_bytes(mut self, octets: usize) -> Self {
        self.settings.recv_hwm_bytes = octets;
        self
    }
}
