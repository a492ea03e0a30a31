//! Tests of one session or one socket without a network: the test provides the stream.

mod blocks;
mod costs;
mod sockets;
mod turns;

use sansmq_tests::tape::{Seat, Tape, accepted, filled, pull_session};
