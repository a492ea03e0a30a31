//! Structures that choose the peer of a message: rotations, routing tables and subscriptions.

pub(super) mod distributor;
pub(super) mod fair_queue;
pub(super) mod in_order;
mod key;
pub(super) mod load_balancer;
pub(super) mod names;
mod piece;
pub(super) mod subscriptions;
pub(super) mod trie;
