//! Comparison of the memory that sockets count ([`HeldMemory`](sansmq_proto::socket::HeldMemory)) with the memory that a
//! counting allocator reports.

use std::cell::Cell;

/// Memory that a run of a target has allocated and not freed yet.
#[derive(Debug, Default)]
pub(crate) struct Allocated(Cell<i64>);

/// Maximum memory in bytes of a socket that is not counted, without its peers.
const PER_SOCKET: u64 = 16 << 10;

/// Maximum memory in bytes that is not counted, for each peer: an idle connection, and the small buffers of an active one.
const PER_PEER: u64 = 16 << 10;

impl Allocated {
    /// Calls `run`, and adds the memory that it has allocated and not freed.
    pub(crate) fn during<R>(&self, run: impl FnOnce() -> R) -> R {
        let mut result = None;
        let measured = allocation_counter::measure(|| result = Some(run()));
        self.0.set(self.0.get() + measured.bytes_current);
        result.expect("the closure was called")
    }

    /// Checks that at most `limit` bytes are allocated.
    pub(crate) fn assert_at_most(&self, limit: usize) {
        let allocated = usize::try_from(self.0.get()).unwrap_or_default();
        assert!(allocated <= limit, "{allocated} bytes are allocated, at most {limit} are allowed");
    }

    /// Checks that what is allocated is at most a fifth more than what `sockets` sockets with `peers` peers count as `held`,
    /// apart from a constant for each socket and each peer, and from `own`, the memory in bytes of the target itself.
    pub(crate) fn assert_counted(&self, held: u64, (sockets, peers): (usize, usize), own: usize) {
        let constant = sockets as u64 * PER_SOCKET + peers as u64 * PER_PEER;
        let limit = held + held / 4 + constant + own as u64;
        let allocated = u64::try_from(self.0.get()).unwrap_or_default();
        assert!(
            allocated <= limit,
            "{allocated} bytes are allocated, but {sockets} sockets with {peers} peers count {held}, and {own} are not theirs"
        );
    }
}
