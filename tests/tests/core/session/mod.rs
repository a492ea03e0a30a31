//! One session, or one socket, without a network: streams are made for it.

mod blocks;
mod costs;
mod sockets;
mod turns;

use sansmq_tests::tape::{Seat, Tape, accepted, filled, pull_session};
