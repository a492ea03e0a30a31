//! [`ConnectionTimer`]: names what a connection does at its deadline.

use super::Connection;
use core::fmt;

/// Timer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionTimer {
    /// End of a connection attempt to an address that does not answer, if a dial has others.
    Attempt,
    /// End of the time limit of the handshake (`handshake_timeout`).
    Handshake,
    /// Moment at which READY is sent without a READY of the peer.
    Ready,
    /// End of the time limit of the decision about the peer (`auth_timeout`).
    Authentication,
    /// Next PING, or end of the time limit for a sign of life of the peer.
    Heartbeat,
    /// Moment at which the memory of an earlier burst is released.
    Output,
    /// End of the time limit for the peer to close the stream.
    Close,
}

impl Connection {
    /// Returns the timer that expires at [`poll_timeout`](Self::poll_timeout).
    pub(crate) fn next_timer(&self) -> Option<ConnectionTimer> {
        let at = Some(self.poll_timeout()?);
        let auth = self.pending_auth.as_ref().map(|pending| pending.until);
        let timers = [
            (self.heartbeat.deadline(), ConnectionTimer::Heartbeat),
            (self.phase.deadline(), ConnectionTimer::Handshake),
            (self.phase.ready_at(), ConnectionTimer::Ready),
            (auth, ConnectionTimer::Authentication),
        ];
        let timer = timers.into_iter().find(|(deadline, _)| *deadline == at);
        Some(timer.map_or(ConnectionTimer::Output, |(_, timer)| timer))
    }
}

impl fmt::Display for ConnectionTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attempt => "connection attempt",
            Self::Handshake => "time limit of the handshake",
            Self::Ready => "READY",
            Self::Authentication => "time limit of the authentication",
            Self::Heartbeat => "heartbeat",
            Self::Output => "release of memory",
            Self::Close => "time limit of the close",
        })
    }
}
