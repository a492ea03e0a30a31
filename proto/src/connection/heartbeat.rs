//! PINGs, how long their PONGs take, the silence after them, and the silence the peer allows us (RFC 37, "Heartbeating").

use crate::connection::config::HeartbeatConfig;
use crate::connection::error::Timeout;
use crate::time::{Instant, earliest};
use alloc::boxed::Box;
use core::time::Duration;

/// A peer that owes more PONGs than this may have forgotten some, as this crate does: who goes on counting them would take each
/// for an earlier one ever after.
const MAX_UNANSWERED: u32 = 16;

/// How long a PING and its PONG take: the way there and back, and the time until the other side and this one read them. Known
/// where [`Options::heartbeat`](crate::Options::heartbeat) is on; never over `inproc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// Last time.
    pub last: Duration,
    /// On the whole: the last one counts for an eighth, as TCP has it (RFC 6298, section 2).
    pub smoothed: Duration,
}

/// What a connection knows of heartbeats: nothing, if neither side sends any, as most do not.
#[derive(Debug)]
pub(super) struct Heartbeat(Option<Box<Beat>>);

impl Heartbeat {
    pub(super) fn new(config: Option<&HeartbeatConfig>) -> Self {
        Self(config.map(|config| Box::new(Beat::new(Some(config.clone())))))
    }

    pub(super) fn start(&mut self, now: Instant) {
        if let Some(beat) = &mut self.0 {
            beat.start(now);
        }
    }

    /// Something arrived.
    #[inline]
    pub(super) fn input_received(&mut self, now: Instant) {
        if let Some(beat) = &mut self.0 {
            beat.input_received(now);
        }
    }

    /// The peer's PING arrived, with its wish in tenths of a second.
    pub(super) fn pinged(&mut self, ttl: u16, now: Instant) {
        if ttl > 0 || self.0.is_some() {
            self.0.get_or_insert_with(|| Box::new(Beat::new(None))).pinged(ttl, now);
        }
    }

    /// Our PING leaves.
    pub(super) fn asked(&mut self, now: Instant) {
        if let Some(beat) = &mut self.0 {
            beat.asked(now);
        }
    }

    /// The peer's PONG arrived.
    pub(super) fn ponged(&mut self, now: Instant) {
        if let Some(beat) = &mut self.0 {
            beat.ponged(now);
        }
    }

    #[inline]
    pub(super) fn round_trip(&self) -> Option<RoundTrip> {
        self.0.as_ref()?.round_trip()
    }

    /// We are not reading, so nothing can be heard: both clocks start anew.
    pub(super) fn excuse(&mut self, now: Instant) {
        if let Some(beat) = &mut self.0 {
            beat.excuse(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest(self.0.as_ref()?.deadlines())
    }

    /// Fires what is due. `Some(ttl)`: send a PING with that time to live.
    pub(super) fn fire(&mut self, now: Instant) -> Result<Option<u16>, Timeout> {
        self.0.as_mut().map_or(Ok(None), |beat| beat.fire(now))
    }
}

#[derive(Debug)]
struct Beat {
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

impl Beat {
    const fn new(config: Option<HeartbeatConfig>) -> Self {
        Self { config, ping: None, silence: None, ttl: None, unanswered: 0, timed: None, round_trip: None }
    }

    fn start(&mut self, now: Instant) {
        self.ping = self.config.as_ref().map(|config| now + config.interval);
    }

    /// Something arrived.
    #[inline]
    fn input_received(&mut self, now: Instant) {
        self.silence = None;
        if let Some((at, allowed)) = &mut self.ttl {
            *at = now + *allowed;
        }
    }

    /// The peer's PING arrived, with its wish in tenths of a second.
    fn pinged(&mut self, ttl: u16, now: Instant) {
        let allowed = Duration::from_millis(u64::from(ttl) * 100);
        self.ttl = (ttl > 0).then(|| (now + allowed, allowed));
    }

    /// Our PING leaves.
    fn asked(&mut self, now: Instant) {
        if self.unanswered == MAX_UNANSWERED {
            self.timed = None;
        } else {
            self.unanswered += 1;
            self.timed.get_or_insert((now, self.unanswered));
        }
    }

    /// The peer's PONG arrived. PONGs come in the order of their PINGs, of which a long way holds several. So they need no
    /// context, which libzmq before 4.3 would not echo.
    fn ponged(&mut self, now: Instant) {
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
    const fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
    }

    /// We are not reading, so nothing can be heard: both clocks start anew.
    fn excuse(&mut self, now: Instant) {
        let silence = self.silence;
        self.input_received(now);
        if let (Some(_), Some(config)) = (silence, &self.config) {
            self.silence = Some(now + config.timeout);
        }
    }

    fn deadlines(&self) -> [Option<Instant>; 3] {
        [self.ping, self.silence, self.ttl.map(|(at, _)| at)]
    }

    /// Fires what is due. `Some(ttl)`: send a PING with that time to live.
    fn fire(&mut self, now: Instant) -> Result<Option<u16>, Timeout> {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.silence) {
            return Err(Timeout::Heartbeat);
        }
        if due(self.ttl.map(|(at, _)| at)) {
            return Err(Timeout::TimeToLive);
        }
        let (true, Some(config)) = (due(self.ping), &self.config) else {
            return Ok(None);
        };
        self.ping = Some(now + config.interval);
        self.silence.get_or_insert(now + config.timeout);
        Ok(Some(config.ttl))
    }
}

impl RoundTrip {
    /// Goes on from `before`.
    pub(crate) fn measured(before: Option<Self>, last: Duration) -> Self {
        Self { last, smoothed: before.map_or(last, |before| (before.smoothed * 7 + last) / 8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    fn last(beat: &Beat) -> Option<u128> {
        beat.round_trip().map(|trip| trip.last.as_millis())
    }

    #[test]
    fn a_pong_that_nobody_asked_for_tells_nothing() {
        let mut beat = Beat::new(None);
        beat.ponged(at(5));
        assert_eq!(last(&beat), None);
        beat.asked(at(10));
        beat.ponged(at(13));
        beat.ponged(at(50));
        assert_eq!(last(&beat), Some(3));
    }

    #[test]
    fn a_peer_that_forgets_pongs_is_timed_rightly_again_when_it_has_caught_up() {
        let mut beat = Beat::new(None);
        for second in 0..30 {
            beat.asked(at(1000 * second));
        }
        for _ in 0..16 {
            beat.ponged(at(30_000));
        }
        assert_eq!(last(&beat), None, "which PINGs these answer nobody knows");
        beat.asked(at(31_000));
        beat.ponged(at(31_007));
        assert_eq!(last(&beat), Some(7));
    }
}
