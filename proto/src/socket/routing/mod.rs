//! Structures that choose the peer of a message: rotations, routing tables and subscriptions.

pub(super) mod distributor;
pub(super) mod fair_queue;
pub(super) mod in_order;
mod key;
pub(super) mod load_balancer;
mod piece;
pub(super) mod routing_table;
pub(super) mod subscriptions;
pub(super) mod trie;
