//! How connections, listeners and sockets come, go and come again, over years of a clock that only the test moves.

#![expect(clippy::unwrap_used, clippy::similar_names, reason = "a surprise is a test that fails")]

mod admission;
mod audience;
mod brokers;
mod chaos;
mod choices;
mod ending;
mod handover;
mod network;
mod notices;
mod reconnect;
mod silence;
mod slow_sinks;
mod small_worlds;
mod socks;
mod storms;
mod weather;
mod workers;

use core::time::Duration;

const PLACE: &str = "tcp://place:1";

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
