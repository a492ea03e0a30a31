//! [`OutputBuffers`] memory, which the connections of a thread have in turn.

use super::decoder::SHARE_FROM;
use super::read_buffers::ReadBuffers;
use super::{Connection, Inbound, Outbound};
use crate::connection::error::ConnectionError;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};
use core::mem::{swap, take};

/// What connections hold while they are at work and have empty in between. Lent to one after the other it stays in the caches,
/// and need not be asked of the system each time.
#[derive(Debug, Default)]
pub(crate) struct OutputBuffers {
    inbox: VecDeque<Inbound>,
    queue: VecDeque<Outbound>,
    arena: Vec<u8>,
    bodies: VecDeque<(usize, Bytes)>,
    ends: Vec<usize>,
    blocks: ReadBuffers,
}

/// Room for more octets than this is not kept; few connections need it.
const MOST: usize = 512 << 10;

impl Connection {
    /// Takes what this connection may need.
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

    /// Gives back what is empty, and makes do with less of what is not.
    pub(crate) fn return_to(&mut self, spare: &mut OutputBuffers) {
        swap(&mut self.decoder.blocks, &mut spare.blocks);
        if self.outbox.queue.is_empty() {
            give(&mut self.outbox.queue, &mut spare.queue, |queue| queue.capacity() * size_of::<Outbound>());
        }
        if !self.outbox.has_remaining() {
            give(&mut self.outbox.arena, &mut spare.arena, Vec::capacity);
            give(&mut self.outbox.bodies, &mut spare.bodies, VecDeque::capacity);
            give(&mut self.outbox.ends, &mut spare.ends, Vec::capacity);
        }
        if self.inbox.is_empty() {
            give(&mut self.inbox, &mut spare.inbox, |inbox| inbox.capacity() * size_of::<Inbound>());
        } else {
            self.shrink();
        }
    }
}

impl Connection {
    /// Takes the first `count` octets of `room`, and leaves there room for the next ones: another, if large bodies stay in
    /// this one.
    pub(crate) fn handle_read_buffer(
        &mut self,
        room: &mut BytesMut,
        count: usize,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        // What limits messages more than our memory does would be worth nothing if each of them kept all of the room; nor
        // would what limits their number, if each had been read alone.
        if count < room.len() / 4 || count < SHARE_FROM || self.config.max_message_size < room.len() {
            return self.handle_input(&room[..count], now);
        }
        let block = take(room).freeze();
        let heard = self.consume_input(&block[..count], Some(&block), now);
        *room = block.try_into_mut().unwrap_or_else(|block| {
            let len = block.len();
            let blocks = &mut self.decoder.blocks;
            if ReadBuffers::takes(len) {
                blocks.lend(block);
            }
            blocks.find(len).unwrap_or_else(|| BytesMut::zeroed(len))
        });
        heard
    }
}

/// The larger of the two is kept. Most often there is but one, and nothing to be freed.
#[inline]
fn give<T: Default>(mine: &mut T, spare: &mut T, octets: impl Fn(&T) -> usize) {
    if octets(mine) > octets(spare) && octets(mine) <= MOST {
        swap(mine, spare);
    }
    if octets(mine) > 0 {
        *mine = T::default();
    }
}
