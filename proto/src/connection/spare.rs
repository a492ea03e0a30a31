//! [`Spare`] memory, which the connections of a thread have in turn.

use super::{Connection, Inbound, Outbound};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};

/// What connections hold while they are at work and have empty in between. Lent to one after the other it stays in the caches,
/// and need not be asked of the system each time.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    inbox: VecDeque<Inbound>,
    queue: VecDeque<Outbound>,
    arena: Vec<u8>,
    bodies: VecDeque<(usize, Bytes)>,
    ends: Vec<usize>,
}

/// Room for more octets than this is not kept; few connections need it.
const MOST: usize = 512 << 10;

impl Connection {
    /// Takes what this connection may need.
    pub(crate) fn borrow_from(&mut self, spare: &mut Spare) {
        if self.inbox.is_empty() {
            self.inbox = core::mem::take(&mut spare.inbox);
        }
        if self.outbox.queue.is_empty() {
            self.outbox.queue = core::mem::take(&mut spare.queue);
        }
        if !self.outbox.has_remaining() {
            self.outbox.arena = core::mem::take(&mut spare.arena);
            self.outbox.bodies = core::mem::take(&mut spare.bodies);
            self.outbox.ends = core::mem::take(&mut spare.ends);
        }
    }

    /// Gives back what is empty, and makes do with less of what is not.
    pub(crate) fn return_to(&mut self, spare: &mut Spare) {
        if self.inbox.is_empty() {
            give(&mut self.inbox, &mut spare.inbox, |inbox| inbox.capacity() * size_of::<Inbound>());
        }
        if self.outbox.queue.is_empty() {
            give(&mut self.outbox.queue, &mut spare.queue, |queue| queue.capacity() * size_of::<Outbound>());
        }
        if !self.outbox.has_remaining() {
            give(&mut self.outbox.arena, &mut spare.arena, Vec::capacity);
            give(&mut self.outbox.bodies, &mut spare.bodies, VecDeque::capacity);
            give(&mut self.outbox.ends, &mut spare.ends, Vec::capacity);
        }
        self.shrink();
    }
}

/// The larger of the two is kept.
fn give<T: Default>(mine: &mut T, spare: &mut T, octets: impl Fn(&T) -> usize) {
    let mine = core::mem::take(mine);
    if (octets(spare)..=MOST).contains(&octets(&mine)) {
        *spare = mine;
    }
}
