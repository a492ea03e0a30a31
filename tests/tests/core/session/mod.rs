//! Tests of one session (reads and writes of one connection) or one socket, without a network: the test provides the
//! stream.

mod batching;
mod blocks;
mod held;
mod sockets;
mod turns;

use sansmq_tests::test_stream::{SessionFixture, TestStream, accepted, filled, pull_session};
