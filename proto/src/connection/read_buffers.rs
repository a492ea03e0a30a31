//! [`ReadBuffers`]: reuse of the memory of large message bodies after the application has dropped them.

use crate::cost;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// Store of memory blocks for large message bodies. A block can hold a new body once no message body refers to it any
/// more.
// To free such a block and to map and clear a new one for each large message would cost more than all other work on it.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffers {
    /// One reference to each stored block, in the full length of the block. If this reference is the only one, no
    /// message body refers to the block, and the block can be reused.
    kept: Vec<Bytes>,
    /// Total length of the blocks in `kept`, in bytes.
    bytes: usize,
}

/// Maximum total size in bytes of the blocks that one [`ReadBuffers`] stores for reuse. To stay below it when a new
/// block is stored, the oldest blocks are removed; each is freed when no message body refers to it any more.
const MAX_KEPT: usize = 4 << 20;

/// Minimum size in bytes of a block that is stored for reuse. Shorter blocks are cheap to allocate.
const MIN_KEPT: usize = 16 << 10;

/// Bytes allocated for a message body when its frame head is received, before any part of the body. A shorter body gets
/// a buffer of its own size.
const FIRST_GRANT: usize = 16 << 10;

/// Maximum ratio between the bytes allocated for a body and the bytes of the body that have arrived. It does not limit
/// allocations of up to [`FIRST_GRANT`] bytes. A reused block can be larger.
// A peer that announces a large body and sends little of it thus gets little memory.
const GROWTH: usize = 4;

impl ReadBuffers {
    pub(crate) const fn new() -> Self {
        Self { kept: Vec::new(), bytes: 0 }
    }

    /// Returns a buffer for a body of `size` bytes, of which `received` bytes have arrived. The buffer may be shorter
    /// than the body; [`grow`](Self::grow) extends it.
    pub(crate) fn grant(&mut self, size: usize, received: usize) -> BytesMut {
        let min = granted(size, received);
        self.find(min).unwrap_or_else(|| BytesMut::zeroed(min))
    }

    /// Extends the buffer `filled`, which is completely filled with the first part of a body. `size` is the total size
    /// of the body in bytes. The extended buffer can still be shorter than the body.
    pub(crate) fn grow(&mut self, filled: &mut BytesMut, size: usize) {
        let min = granted(size, filled.len());
        cost::bytes(filled.len());
        cost::resumed(filled.len());
        match self.find(min) {
            None => filled.resize(min, 0),
            Some(mut block) => {
                block[..filled.len()].copy_from_slice(filled);
                let replaced = core::mem::replace(filled, block).freeze();
                if Self::is_kept_size(replaced.len()) {
                    self.keep(replaced);
                }
            }
        }
    }

    /// Removes and returns a stored block that no message body refers to any more. The block has at least `min` bytes,
    /// and at most about four times as many. Returns `None` if there is no such block.
    pub(crate) fn find(&mut self, min: usize) -> Option<BytesMut> {
        let is_suitable = |block: &Bytes| block.len() >= min && block.len() / 4 <= min && block.is_unique();
        cost::nodes(self.kept.len());
        let index = self.kept.iter().rposition(is_suitable)?;
        let block = self.kept.remove(index);
        self.bytes -= block.len();
        block.try_into_mut().ok()
    }

    /// Returns true if a block of `len` bytes is suitable to be stored for reuse: `len` must be at least [`MIN_KEPT`]
    /// and at most [`MAX_KEPT`].
    pub(crate) fn is_kept_size(len: usize) -> bool {
        (MIN_KEPT..=MAX_KEPT).contains(&len)
    }

    /// Stores a block, to reuse it when no message body refers to it any more. The length of the block must satisfy
    /// [`is_kept_size`](Self::is_kept_size).
    pub(crate) fn keep(&mut self, block: Bytes) {
        let len = block.len();
        while self.bytes + len > MAX_KEPT {
            cost::nodes(self.kept.len());
            self.bytes -= self.kept.remove(0).len();
        }
        self.bytes += len;
        self.kept.push(block);
    }

    /// Returns the total length in bytes of the blocks that are stored for reuse. Blocks that message bodies still
    /// refer to are included.
    #[cfg(test)]
    pub(crate) const fn kept_bytes(&self) -> usize {
        self.bytes
    }
}

/// Returns the length in bytes of the buffer that is allocated for a body of `size` bytes, if `received` bytes of the
/// body have arrived.
fn granted(size: usize, received: usize) -> usize {
    size.min(received.saturating_mul(GROWTH).max(FIRST_GRANT))
}
