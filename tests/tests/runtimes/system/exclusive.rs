//! The part of the system tests that runs on exclusive sockets. Left out: `resources`, because ports are shared by the sockets of
//! a context, and no other socket can reach into an exclusive one; and `bound_listeners`, because it
//! does not take over open listeners.

#[cfg(unix)]
mod ipc;
mod legacy;
#[cfg(unix)]
mod reuse_port;
mod stream;
mod transport;
