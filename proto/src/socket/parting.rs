//! How one peer of a socket that goes on is ended because a message asks for it.

use super::Socket;
use super::dialer::Timer;
use crate::socket::id::PipeId;
use core::time::Duration;

impl Socket {
    /// Lets a pipe send what is queued, and ends it then. Lingering begins at the next time-out, which is due at once: `send`
    /// is not told the time.
    pub(super) fn part(&mut self, id: PipeId) {
        self.stop(id);
        if self.pipes.get(id).is_some() {
            self.deadlines.set(Timer::Part(id), self.now);
        }
    }

    /// Begins to linger. A socket that will not wait at its own end still lets a peer that is there have its last words.
    pub(super) fn parted(&mut self, id: PipeId) {
        let connected = self.pipes.get(id).is_some_and(|pipe| pipe.life.is_connected());
        if !connected || self.settings.linger != Some(Duration::ZERO) {
            self.linger(id);
        }
    }
}
