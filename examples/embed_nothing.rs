//! No operating system at all: a DEALER and a ROUTER in one thread, octets in a `Vec`, and a clock that is a number. Of
//! `sansmq-proto` it uses only what is there without `std`: so a socket fits a microcontroller, a browser, a simulation.
//!
//! The cable is pulled. The heartbeat notices, the DEALER dials in vain with growing pauses, the cable comes back, and what
//! was queued goes out: more than half a minute, over in a millisecond. The world in which that happens
//! is in `embed/world.rs` and `embed/cable.rs`.
//!
//! ```text
//! cargo run --example embed_nothing
//! ```

#[path = "embed/cable.rs"]
mod cable;
#[path = "embed/world.rs"]
mod world;

use sansmq::proto::Instant;
use std::{error::Error, time::Duration};
use world::World;

fn main() -> Result<(), Box<dyn Error>> {
    for (at, what) in story()? {
        println!("{:>7.3} s  {what}", at.since(Instant::ORIGIN).as_secs_f64());
    }
    Ok(())
}

/// What happens, and when.
pub(crate) fn story() -> Result<Vec<(Instant, String)>, Box<dyn Error>> {
    let mut world = World::new()?;
    world.client().send("one")?; // queued: a pipe is there before its connection
    world.pass(Duration::from_secs(10))?;
    world.plug(false);
    world.pass(Duration::from_secs(10))?;
    world.client().send("two")?; // queued again
    world.pass(Duration::from_secs(10))?;
    world.plug(true);
    world.pass(Duration::from_secs(10))?;
    world.close()?;
    Ok(world.log)
}
