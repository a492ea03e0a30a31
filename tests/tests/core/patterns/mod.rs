//! Tests of the behaviour of each socket type, with sockets on a simulated network.

mod batches;
mod drafts;
mod hwm;
mod hwm_bytes;
mod memory_budget;
mod pipeline;
mod pubsub;
mod radio;
mod rep;
mod req;
mod router;
mod senders;
mod stats;
mod stream;
mod subscriptions_wire;
mod xpub;

use sansmq_tests::net::{PLACE, fan, message, net_with_small_chunks as net, star};
