//! Tests that need an operating system, for names in the file system and for raw TCP streams. They run on each runtime
//! except the simulated one, and use the same fixture as the folder `suite`.

mod bound_listeners;
#[cfg(unix)]
mod ipc;
mod legacy;
mod resources;
#[cfg(unix)]
mod reuse_port;
mod stream;
mod transport;
