//! [`OutputBuffers`]: buffers for decoded input and encoded output. All connections of a thread use them, one
//! connection at a time.

use super::decoder::SHARE_FROM;
use super::outbox::Body;
use super::read_buffers::ReadBuffers;
use super::{Connection, Inbox, Outbound};
use crate::connection::error::ConnectionError;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};
use core::mem::{swap, take};

/// Buffers for decoded input and encoded output of a connection. A connection needs them only during a call of
/// [`Session::turn`](crate::Session::turn); between two calls, other connections use the same buffers.
// Shared by many connections, the buffers stay in the processor's caches and need no new allocation for each use.
#[derive(Debug, Default)]
pub(crate) struct OutputBuffers {
    inbox: Inbox,
    queue: VecDeque<Outbound>,
    arena: Vec<u8>,
    bodies: VecDeque<Body>,
    ends: Vec<usize>,
    blocks: ReadBuffers,
}

/// Maximum capacity in bytes of a buffer that [`OutputBuffers`] keeps for other connections. A larger buffer is freed,
/// because few connections need it.
const MAX_KEPT: usize = 512 << 10;

impl Connection {
    /// Lends the buffers in `spare` to this connection until [`return_to`](Self::return_to) is called. Each empty queue
    /// and output buffer of the connection is exchanged for the one in `spare`, which usually has memory already. A
    /// queue or buffer with content stays unchanged. The connection also gets the memory blocks for large message
    /// bodies from `spare`.
    pub(crate) fn borrow_from(&mut self, spare: &mut OutputBuffers) {
        swap(&mut self.decoder.blocks, &mut spare.blocks);
        if self.inbox.is_empty() {
            swap(&mut self.inbox, &mut spare.inbox);
        }
        if self.outbox.queue.is_empty() {
            swap(&mut self.outbox.queue, &mut spare.queue);
        }
        if !self.outbox.has_remaining() {
            swap(&mut self.outbox.arena, &mut spare.arena);
            swap(&mut self.outbox.bodies, &mut spare.bodies);
            swap(&mut self.outbox.ends, &mut spare.ends);
        }
    }

    /// Returns the empty queues and buffers of this connection, and the memory blocks for large message bodies, to
    /// `spare`. If received messages still wait for the application, also frees the unused memory of the queues that
    /// the connection keeps.
    pub(crate) fn return_to(&mut self, spare: &mut OutputBuffers) {
        swap(&mut self.decoder.blocks, &mut spare.blocks);
        if self.outbox.queue.is_empty() {
            keep_larger(&mut self.outbox.queue, &mut spare.queue, |queue| queue.capacity() * size_of::<Outbound>());
        }
        if !self.outbox.has_remaining() {
            keep_larger(&mut self.outbox.arena, &mut spare.arena, Vec::capacity);
            keep_larger(&mut self.outbox.bodies, &mut spare.bodies, VecDeque::capacity);
            keep_larger(&mut self.outbox.ends, &mut spare.ends, Vec::capacity);
        }
        if self.inbox.is_empty() {
            keep_larger(&mut self.inbox, &mut spare.inbox, Inbox::buffer_bytes);
        } else {
            self.shrink();
        }
        self.report_held();
    }
}

impl Connection {
    /// Processes the first `count` bytes of the read buffer `room`. If large message bodies together take up most of
    /// `room`, and the maximum message size is at least the length of `room`, these bodies are not copied, but refer to
    /// the memory of `room`; the function then replaces `room` by another buffer of the same length.
    pub(crate) fn handle_read_buffer(
        &mut self,
        room: &mut BytesMut,
        count: usize,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        // A body that refers to `room` keeps the whole buffer allocated, but counts only with its own size. So bodies that
        // take up a small part of the buffer, or of which a small part may be the last to be received, are copied.
        let least = room.len() / 5 * 4;
        if count < least || count < SHARE_FROM || self.config.max_message_size < room.len() {
            return self.consume_input(&room[..count], None, now);
        }
        let block = take(room).freeze();
        let before = self.inbox.messages.len();
        self.decoder.shared = 0;
        let result = self.consume_input(&block[..count], Some(&block), now);
        if self.decoder.shared > 0 && self.decoder.shared < least {
            self.copy_out_of(&block, before);
        }
        *room = block.try_into_mut().unwrap_or_else(|block| {
            let len = block.len();
            let blocks = &mut self.decoder.blocks;
            if ReadBuffers::is_kept_size(len) {
                blocks.keep(block);
            }
            blocks.find(len).unwrap_or_else(|| BytesMut::zeroed(len))
        });
        result
    }
}

impl Connection {
    /// Replaces the received frames that are parts of `block` by copies: those of the messages after the first `before`
    /// messages of `inbox`, and those of the partly received message.
    #[cold]
    fn copy_out_of(&mut self, block: &Bytes, before: usize) {
        let new = self.inbox.messages.len() - before;
        self.inbox.messages.change_last(new, |message| message.copy_out_of(block));
        self.decoder.copy_out_of(block);
    }
}

/// Stores the larger of the two buffers `mine` and `spare` in `spare`, and frees the other. If `mine` is larger than
/// [`MAX_KEPT`], always frees `mine`. `size` returns the capacity of a buffer, in bytes or in items.
#[inline]
fn keep_larger<T: Default>(mine: &mut T, spare: &mut T, size: impl Fn(&T) -> usize) {
    if size(mine) > size(spare) && size(mine) <= MAX_KEPT {
        swap(mine, spare);
    }
    // Most often `mine` has no memory now, and there is nothing to free.
    if size(mine) > 0 {
        *mine = T::default();
    }
}
