//! What sockets promise to an application together with an operating system, on each runtime that has one: names in the
//! file system, and peers that are of the system's own making. See the folder `suite`, whose bed this is for.

mod elders;
#[cfg(unix)]
mod ipc;
mod resources;
mod stream;
mod transport;
