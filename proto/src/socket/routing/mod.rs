//! Data structures that select the peer for the next sent or received message: rotations, the routing table and
//! subscriptions.

pub(super) mod arrival_order;
pub(super) mod departed;
pub(super) mod distributor;
pub(super) mod fair_queue;
mod key;
pub(super) mod load_balancer;
mod prefix_part;
pub(super) mod routing_table;
mod slab;
mod split_table;
pub(super) mod subscriptions;
pub(super) mod trie;

use alloc::vec::Vec;

/// Shrinks a vector that uses at most a quarter of its capacity.
fn shrink_if_sparse<T>(items: &mut Vec<T>) {
    if items.len() <= items.capacity() / 4 {
        items.shrink_to(items.len() * 2);
    }
}
