//! Heartbeats: PING intervals, round-trip times, the heartbeat timeout, and the time to live that the peer requested
//! (RFC 37, "Heartbeating").

use crate::connection::config::HeartbeatConfig;
use crate::connection::error::Timeout;
use crate::connection::outbox::Outbox;
use crate::time::{Instant, earliest};
use alloc::boxed::Box;
use bytes::Buf;
use core::time::Duration;

/// Maximum value of the counter of PINGs that this side has sent and the peer has not answered. At this value, a
/// further PING is not counted, and the measurement of the round-trip time is cancelled.
// A peer with more outstanding PONGs may have dropped some, as this crate does. If PINGs were counted further, every
// later PONG would be matched with an earlier PING.
const MAX_UNANSWERED: u32 = 16;

/// Round-trip time from the moment at which a PING was written to the stream to its PONG, including the time until each
/// side reads its input. Time that a PING spends behind other output of this side is not included. Available if
/// [`Options::heartbeat`](crate::Options::heartbeat) is set; never over `inproc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RoundTrip {
    /// Latest measured round-trip time.
    pub last: Duration,
    /// Smoothed round-trip time: each new measurement has a weight of one eighth, as in TCP (RFC 6298, section 2).
    pub smoothed: Duration,
}

/// Heartbeat state of a connection; `None` if neither side uses heartbeats, which is the common case.
#[derive(Debug)]
pub(super) struct Heartbeat(Option<Box<State>>);

impl Heartbeat {
    pub(super) fn new(config: Option<&HeartbeatConfig>) -> Self {
        Self(config.map(|config| Box::new(State::new(Some(config.clone())))))
    }

    /// Schedules the first PING. Called when the handshake is done.
    pub(super) fn start(&mut self, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.start(now);
        }
    }

    /// Records that bytes were received from the peer. Stops the heartbeat timeout, which started when this side sent a
    /// PING, and restarts the time to live that the peer requested in its latest PING.
    #[inline]
    pub(super) fn bytes_received(&mut self, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.bytes_received(now);
        }
    }

    /// Records a PING from the peer. `ttl` is the requested time to live in tenths of a second.
    pub(super) fn ping_received(&mut self, ttl: u16, now: Instant) {
        if ttl > 0 || self.0.is_some() {
            self.0.get_or_insert_with(|| Box::new(State::new(None))).ping_received(ttl, now);
        }
    }

    /// Records that a PING was queued for the peer. The PING counts as sent when a call of
    /// [`output_written`](Self::output_written) finds that it was written to the stream.
    pub(super) fn ping_queued(&mut self) {
        if let Some(state) = &mut self.0 {
            state.is_ping_queued = true;
        }
    }

    /// Records what was written to the stream since the previous call. Must be called when all of `outbox` is written,
    /// or the stream has refused to take the rest.
    ///
    /// If the stream took bytes after it had refused some, restarts the heartbeat timeout, if it is running.
    #[inline]
    pub(super) fn output_written(&mut self, outbox: &Outbox, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.output_written(outbox, now);
        }
    }

    /// Records a PONG from the peer. Updates the round-trip time if the PONG answers the PING with which the time is
    /// measured.
    pub(super) fn pong_received(&mut self, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.pong_received(now);
        }
    }

    #[inline]
    pub(super) fn round_trip(&self) -> Option<RoundTrip> {
        self.0.as_ref()?.round_trip()
    }

    /// Restarts two timers, each only if it is running: the heartbeat timeout, which started when this side sent a
    /// PING, and the timer of the time to live in the latest PING of the peer. Called while back-pressure stops this
    /// side from reading.
    pub(super) fn restart_timeouts(&mut self, now: Instant) {
        if let Some(state) = &mut self.0 {
            state.restart_timeouts(now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earliest(self.0.as_ref()?.deadlines())
    }

    /// Handles expired timers. If a PING must be sent now, returns the time to live to send in it, in tenths of a
    /// second; otherwise returns `None`. If a timeout that ends the connection has expired, returns this timeout as the
    /// error.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<Option<u16>, Timeout> {
        self.0.as_mut().map_or(Ok(None), |state| state.handle_timeout(now))
    }
}

#[derive(Debug)]
struct State {
    /// Settings of this side; `None` if only the peer sends PINGs.
    config: Option<HeartbeatConfig>,
    /// Time of the next PING; `None` before the end of the handshake, and if this side sends no PINGs.
    ping: Option<Instant>,
    /// Time at which the timeout after a PING expires; `None` if no PING was due since the last received byte. Room in
    /// a stream that was full restarts the timeout.
    // The peer can answer a PING only after it has received all earlier bytes. So while a PING waits behind other
    // output, this timeout measures how long the output stands still, not how long the peer is silent.
    silence: Option<Instant>,
    /// Number of bytes that had been written to the stream when it refused to take more; `None` if the latest write was
    /// not refused.
    // Bytes that the stream takes prove nothing, because the operating system may only have stored them. Room in a full
    // stream appears when the peer's system has acknowledged bytes.
    refused_at: Option<u64>,
    /// True if a PING was queued, and [`ping_sent`](Self::ping_sent) has not been called for it yet.
    is_ping_queued: bool,
    /// Time at which the connection ends if no further byte is received, and the time to live in the peer's latest
    /// PING. Whenever bytes are received, the first value becomes the current time plus the second value. `None` if no
    /// PING was received, or if the latest PING had no time to live.
    // libzmq stops this timer until the next PING instead, and so may keep the connection of a dead peer.
    ttl: Option<(Instant, Duration)>,
    /// Number of sent PINGs for which no PONG was received yet, at most [`MAX_UNANSWERED`]. When the measurement of a
    /// round-trip time begins, this number is copied into `measured`, to find the PONG that answers the measured PING.
    unanswered: u32,
    /// PING with which the round-trip time is measured; `None` if no measurement is in progress. The values are the
    /// time at which the PING was written to the stream, and the number of PONGs that must still arrive, its own PONG included. Only
    /// one PING is measured at a time.
    measured: Option<(Instant, u32)>,
    round_trip: Option<RoundTrip>,
}

impl State {
    const fn new(config: Option<HeartbeatConfig>) -> Self {
        Self {
            config,
            ping: None,
            silence: None,
            refused_at: None,
            is_ping_queued: false,
            ttl: None,
            unanswered: 0,
            measured: None,
            round_trip: None,
        }
    }

    fn start(&mut self, now: Instant) {
        self.ping = self.config.as_ref().map(|config| now + config.interval);
    }

    #[inline]
    fn bytes_received(&mut self, now: Instant) {
        self.silence = None;
        if let Some((at, allowed)) = &mut self.ttl {
            *at = now + *allowed;
        }
    }

    fn ping_received(&mut self, ttl: u16, now: Instant) {
        let allowed = Duration::from_millis(u64::from(ttl) * 100);
        self.ttl = (ttl > 0).then(|| (now + allowed, allowed));
    }

    fn ping_sent(&mut self, now: Instant) {
        if self.unanswered == MAX_UNANSWERED {
            self.measured = None;
        } else {
            self.unanswered += 1;
            self.measured.get_or_insert((now, self.unanswered));
        }
    }

    fn pong_received(&mut self, now: Instant) {
        // Several PINGs may be in flight, but their PONGs arrive in the same order. Counting is therefore enough, and
        // no context is needed, which libzmq before 4.3 would not echo.
        self.unanswered = self.unanswered.saturating_sub(1);
        self.measured = match self.measured {
            Some((at, position)) if position > 1 => Some((at, position - 1)),
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

    fn output_written(&mut self, outbox: &Outbox, now: Instant) {
        let sent = outbox.sent();
        if self.refused_at.is_some_and(|before| before < sent) {
            self.restart_silence(now);
        }
        self.refused_at = outbox.has_remaining().then_some(sent);
        if self.is_ping_queued && !outbox.holds_ping() {
            self.is_ping_queued = false;
            self.ping_sent(now);
        }
    }

    fn restart_timeouts(&mut self, now: Instant) {
        self.restart_silence(now);
        if let Some((at, allowed)) = &mut self.ttl {
            *at = now + *allowed;
        }
    }

    fn restart_silence(&mut self, now: Instant) {
        if let (Some(silence), Some(config)) = (&mut self.silence, &self.config) {
            *silence = now + config.timeout;
        }
    }

    fn deadlines(&self) -> [Option<Instant>; 3] {
        [self.ping, self.silence, self.ttl.map(|(at, _)| at)]
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<Option<u16>, Timeout> {
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
    /// Calculates the round-trip times after the new measurement `last`. `before` has the previous values, if any.
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

    fn last(state: &State) -> Option<u128> {
        state.round_trip().map(|trip| trip.last.as_millis())
    }

    #[test]
    fn ping_without_time_to_live_allocates_no_state() {
        let mut heartbeat = Heartbeat::new(None);
        heartbeat.ping_received(0, at(0));
        assert!(heartbeat.0.is_none());
        heartbeat.ping_received(1, at(0));
        assert_eq!(heartbeat.deadline(), Some(at(100)));
    }

    #[test]
    fn unsolicited_pong_gives_no_round_trip_time() {
        let mut state = State::new(None);
        state.pong_received(at(5));
        assert_eq!(last(&state), None);
        state.ping_sent(at(10));
        state.pong_received(at(13));
        state.pong_received(at(50));
        assert_eq!(last(&state), Some(3));
    }

    #[test]
    fn pong_of_an_earlier_ping_is_not_measured() {
        let mut state = State::new(None);
        state.ping_sent(at(0));
        state.ping_sent(at(100));
        state.pong_received(at(101));
        assert_eq!(last(&state), Some(101));
        state.ping_sent(at(200));
        state.pong_received(at(205));
        assert_eq!(last(&state), Some(101), "this PONG answers the second PING");
        state.pong_received(at(230));
        assert_eq!(last(&state), Some(30));
    }

    #[test]
    fn smoothed_round_trip_changes_by_an_eighth_of_the_difference() {
        let millis = Duration::from_millis;
        let first = RoundTrip::measured(None, millis(80));
        assert_eq!(first, RoundTrip { last: millis(80), smoothed: millis(80) });
        assert_eq!(
            RoundTrip::measured(Some(first), millis(160)),
            RoundTrip { last: millis(160), smoothed: millis(90) }
        );
    }

    #[test]
    fn round_trip_is_measured_again_after_peer_dropped_pongs() {
        let mut state = State::new(None);
        for second in 0..30 {
            state.ping_sent(at(1000 * second));
        }
        for _ in 0..16 {
            state.pong_received(at(30_000));
        }
        assert_eq!(last(&state), None, "these PONGs cannot be matched with PINGs");
        state.ping_sent(at(31_000));
        state.pong_received(at(31_007));
        assert_eq!(last(&state), Some(7));
    }
}
