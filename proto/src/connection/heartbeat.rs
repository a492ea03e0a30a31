//! PINGs, how long their PONGs take, the silence after them, and the silence the peer allows us (RFC 37, "Heartbeating").

use crate::config::HeartbeatConfig;
use crate::error::Timer;
use crate::stats::RoundTrip;
use crate::time::Instant;
use core::time::Duration;

/// A peer that owes more PONGs than this may have forgotten some, as this crate does: who goes on counting them would take each
/// for an earlier one ever after.
const MAX_UNANSWERED: u32 = 16;

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
    /// PINGs that no PONG has answered.
    unanswered: u32,
    /// When the PING left that is timed, and which of the next PONGs is its own. One at a time will do.
    timed: Option<(Instant, u32)>,
    round_trip: Option<RoundTrip>,
}

impl Heartbeat {
    pub(super) const fn new(config: Option<HeartbeatConfig>) -> Self {
        Self { config, ping: None, silence: None, ttl: None, unanswered: 0, timed: None, round_trip: None }
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

    /// Our PING leaves.
    pub(super) fn asked(&mut self, now: Instant) {
        if self.unanswered == MAX_UNANSWERED {
            self.timed = None;
        } else {
            self.unanswered += 1;
            self.timed.get_or_insert((now, self.unanswered));
        }
    }

    /// The peer's PONG arrived. PONGs come in the order of their PINGs, of which a long way holds several. So they need no
    /// context, which libzmq before 4.3 would not echo.
    pub(super) fn ponged(&mut self, now: Instant) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.timed = match self.timed {
            Some((at, place)) if place > 1 => Some((at, place - 1)),
            Some((at, _)) => {
                self.round_trip = Some(RoundTrip::measured(self.round_trip, now.since(at)));
                None
            }
            None => None,
        };
    }

    #[inline]
    pub(super) const fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn last(heartbeat: &Heartbeat) -> Option<u128> {
        heartbeat.round_trip().map(|trip| trip.last.as_millis())
    }

    #[test]
    fn a_pong_that_nobody_asked_for_tells_nothing() {
        let mut heartbeat = Heartbeat::new(None);
        heartbeat.ponged(at(5));
        assert_eq!(last(&heartbeat), None);
        heartbeat.asked(at(10));
        heartbeat.ponged(at(13));
        heartbeat.ponged(at(50));
        assert_eq!(last(&heartbeat), Some(3));
    }

    #[test]
    fn a_peer_that_forgets_pongs_is_timed_rightly_again_when_it_has_caught_up() {
        let mut heartbeat = Heartbeat::new(None);
        for second in 0..30 {
            heartbeat.asked(at(1000 * second));
        }
        for _ in 0..16 {
            heartbeat.ponged(at(30_000));
        }
        assert_eq!(last(&heartbeat), None, "which PINGs these answer nobody knows");
        heartbeat.asked(at(31_000));
        heartbeat.ponged(at(31_007));
        assert_eq!(last(&heartbeat), Some(7));
    }
}
