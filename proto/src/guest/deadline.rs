//! [`Deadline`]: the time at which a guest must be polled, and its cause.

use crate::connection::ConnectionTimer;
use crate::guest::{Key, SocketId};
use crate::socket::{PipeId, Timer};
use crate::time::Instant;
use core::fmt;

/// Time at which [`Guest::poll`](super::Guest::poll) must be called at the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time. If the guest has work left, a time that has passed, so that the loop does not wait.
    pub at: Instant,
    /// Timer that expires then. For logs and debugging.
    pub cause: Cause,
}

/// Cause of a [`Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The guest has work left, which [`Guest::poll`](super::Guest::poll) continues.
    Work,
    /// Timer of a socket.
    Socket(SocketId, Timer),
    /// Timer of the connection of a pipe.
    Connection(SocketId, PipeId, ConnectionTimer),
    /// Timer of a connection at a port that several sockets share, which belongs to none of them yet.
    Unassigned(Key, ConnectionTimer),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work => f.write_str("work left"),
            Self::Socket(SocketId(id), timer) => write!(f, "{timer} of socket {id}"),
            Self::Unassigned(key, timer) => write!(f, "{timer} of {key:?}"),
            Self::Connection(SocketId(id), pipe, timer) => write!(f, "{timer} of {pipe:?} of socket {id}"),
        }
    }
}
