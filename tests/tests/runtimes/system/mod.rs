//! What sockets promise to an application together with an operating system, on each runtime that has one: names in the file
//! system, and peers that are not sockets of sansmq. Uses the fixture of the folder `suite`.

#[cfg(unix)]
mod ipc;
mod legacy;
mod resources;
mod stream;
mod transport;
