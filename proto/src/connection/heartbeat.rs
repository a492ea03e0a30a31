//! PINGs, the silence after them, and the silence the peer allows us (RFC 37, "Heartbeating").

use crate::config::HeartbeatConfig;
use crate::error::Timer;
use crate::time::Instant;
use core::time::Duration;

#[derive(Debug)]
pub(super) struct Heartbeat {
    config: Option<HeartbeatConfig>,
    /// When the next PING goes out; set once traffic begins.
    ping: Option<Instant>,
    /// When silence after a PING has lasted too long. Any octet clears it.
    silence: Option<Instant>,
    /// When silence has outlasted the time to live of the peer's latest PING, and how long that is. Any octet begins it
    /// anew; libzmq forgets it until the next PING, and so may keep a dead peer.
    ttl: Option<(Instant, Duration)>,
}

impl Heartbeat {
    pub(super) const fn new(config: Option<HeartbeatConfig>) -> Self {
        Self { config, ping: None, silence: None, ttl: None }
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.ping = self.config.as_ref().map(|config| now + config.interval);
    }

    /// Something arrived.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        self.silence = None;
        if let Some((at, allowed)) = &mut self.ttl {
            *at = now + *allowed;
        }
    }

    /// The peer's PING arrived, with its wish in tenths of a second.
    pub(super) fn pinged(&mut self, ttl: u16, now: Instant) {
        let allowed = Duration::from_millis(u64::from(ttl) * 100);
        self.ttl = (ttl > 0).then(|| (now + allowed, allowed));
    }

    /// We are not reading, so nothing can be heard: both clocks start anew.
    pub(super) fn excuse(&mut self, now: Instant) {
        let silence = self.silence;
        self.heard(now);
        if let (Some(_), Some(config)) = (silence, &self.config) {
            self.silence = Some(now + config.timeout);
        }
    }

    pub(super) fn deadlines(&self) -> [Option<Instant>; 3] {
        [self.ping, self.silence, self.ttl.map(|(at, _)| at)]
    }

    /// Fires what is due. `Some(ttl)`: send a PING with that time to live.
    pub(super) fn fire(&mut self, now: Instant) -> Result<Option<u16>, Timer> {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.silence) {
            return Err(Timer::Heartbeat);
        }
        if due(self.ttl.map(|(at, _)| at)) {
            return Err(Timer::TimeToLive);
        }
        let (true, Some(config)) = (due(self.ping), &self.config) else {
            return Ok(None);
        };
        self.ping = Some(now + config.interval);
        self.silence.get_or_insert(now + config.timeout);
        Ok(Some(config.ttl))
    }
}
