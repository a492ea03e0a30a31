//! Behaviour that needs an operating system, tested on each runtime except the simulated one: names in the file system, and raw
//! peers. Uses the fixture of the folder `suite`.

#[cfg(unix)]
mod ipc;
mod legacy;
mod resources;
mod stream;
mod transport;
