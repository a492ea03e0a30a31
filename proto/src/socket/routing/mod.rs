//! Data structures that select the peer for the next sent or received message: rotations, the routing table and
//! subscriptions.

pub(super) mod arrival_order;
pub(super) mod departed;
pub(super) mod distributor;
pub(super) mod fair_queue;
pub(super) mod interests;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_vector_keeps_room_for_twice_its_items() {
        let shrunk = |len| {
            let mut items = Vec::with_capacity(64);
            items.resize(len, 0_u8);
            shrink_if_sparse(&mut items);
            items.capacity()
        };
        assert!(shrunk(17) >= 64);
        assert!((32..64).contains(&shrunk(16)));
        assert!((16..32).contains(&shrunk(8)));
    }
}
