//! Limits for the admission of new connections: the maximum number of peers, of handshakes in progress, and of
//! handshakes per second from one address.

use super::{ListenerId, Socket};
use crate::address::{Endpoint, Host};
use crate::connection::ConnectionError;
use crate::cost;
use crate::socket::event::RejectReason;
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

/// Minimum age at which an unfinished handshake can be ended to admit a new connection. A normal handshake takes only a
/// few round trips.
const GRACE: Duration = SECOND;

/// Default maximum number of handshakes per second from one address, if the security mechanism needs expensive
/// cryptography (CURVE). This number of handshakes costs some tens of milliseconds of processor time.
const COSTLY_RATE: usize = 1000;

const SECOND: Duration = Duration::from_secs(1);

/// Handshakes in progress on the accepted connections of a socket, and the recent handshakes of each address. Used to
/// check the limits on handshakes.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    begun: BTreeMap<PipeId, (Instant, Option<IpAddr>)>,
    by_age: BTreeSet<(Instant, PipeId)>,
    by_address: BTreeMap<IpAddr, BTreeSet<(Instant, PipeId)>>,
    rates: HandshakeRates,
    /// [`remove`](Self::remove) as soon as a handshake has begun.
    // A pointer, so that a program that accepts no connections does not link the code of these tables.
    remove: Option<fn(&mut Self, PipeId)>,
}

/// Recent handshakes per address, limited by the generic cell rate algorithm (GCRA). The table stores one time per
/// address. Each handshake moves this time into the future by one second divided by the permitted number of handshakes
/// per second. A handshake that would move the time more than one second ahead of the present is rejected. An address
/// is removed from the table some time after its time has passed.
#[derive(Debug, Default)]
struct HandshakeRates {
    clear_at: BTreeMap<IpAddr, Instant>,
    by_time: BTreeSet<(Instant, IpAddr)>,
}

/// Maximum number of addresses that one counted handshake removes from the table, because their time has passed. More
/// than one, so that the table shrinks again.
// After a burst from many addresses, removing all of them at once would keep the socket locked.
const CLEARED: usize = 4;

impl Handshakes {
    fn begin(&mut self, pipe: PipeId, address: Option<IpAddr>, now: Instant) {
        self.remove = Some(Self::remove);
        self.begun.insert(pipe, (now, address));
        self.by_age.insert((now, pipe));
        if let Some(address) = address {
            self.by_address.entry(address).or_default().insert((now, pipe));
        }
    }

    /// Removes the handshake of this pipe from the handshakes in progress, because the handshake is finished or its
    /// connection has ended.
    pub(super) fn end(&mut self, pipe: PipeId) {
        if let Some(remove) = self.remove {
            remove(self, pipe);
        }
    }

    fn remove(&mut self, pipe: PipeId) {
        let Some((since, address)) = self.begun.remove(&pipe) else { return };
        self.by_age.remove(&(since, pipe));
        if let Some(address) = address
            && let Some(handshakes) = self.by_address.get_mut(&address)
        {
            handshakes.remove(&(since, pipe));
            if handshakes.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

impl HandshakeRates {
    /// Returns true if this address may begin another handshake now. `per_second` is the permitted number of handshakes
    /// per second.
    fn allows(&self, address: IpAddr, per_second: usize, now: Instant) -> bool {
        self.clear_at.get(&address).is_none_or(|clear_at| clear_at.since(now) + share(per_second) <= SECOND)
    }

    fn count(&mut self, address: IpAddr, per_second: usize, now: Instant) {
        for _ in 0..CLEARED {
            let Some(&(_, address)) = self.by_time.first().filter(|(clear_at, _)| *clear_at <= now) else { break };
            cost::nodes(1);
            self.by_time.pop_first();
            self.clear_at.remove(&address);
        }
        let before = self.clear_at.get(&address).copied();
        let after = before.map_or(now, |before| before.max(now)) + share(per_second);
        if let Some(before) = before {
            self.by_time.remove(&(before, address));
        }
        self.clear_at.insert(address, after);
        self.by_time.insert((after, address));
    }
}

/// Returns the time by which each handshake moves the stored time of its address (see [`HandshakeRates`]): one second
/// divided by `per_second`, the permitted number of handshakes per second.
fn share(per_second: usize) -> Duration {
    SECOND / u32::try_from(per_second).unwrap_or(u32::MAX)
}

impl Socket {
    /// Checks the limits on peers and handshakes for a new connection from the address `from`. If a limit on handshakes
    /// is reached, ends the oldest handshake that counts for this limit, so that the new connection can be admitted. A
    /// handshake that is not older than [`GRACE`] is not ended. Returns the reason to reject the new connection if it
    /// cannot be admitted.
    pub(super) fn admit_peer(&mut self, from: &Endpoint) -> Result<(), RejectReason> {
        let limits = self.settings.admission;
        if self.pipes.len() >= limits.peers {
            return Err(RejectReason::MaxPeers);
        }
        let same_address = address(from).and_then(|address| self.handshakes.by_address.get(&address));
        let full = same_address.filter(|handshakes| handshakes.len() >= limits.handshakes_per_address);
        let (oldest, refusal) = match full {
            Some(handshakes) => (handshakes.first().copied(), RejectReason::MaxHandshakesPerAddress),
            None if self.handshakes.by_age.len() >= limits.handshakes => {
                (self.handshakes.by_age.first().copied(), RejectReason::MaxHandshakes)
            }
            None => return Ok(()),
        };
        let (_, slow) = oldest.filter(|(since, _)| self.now.since(*since) > GRACE).ok_or(refusal)?;
        self.handshakes.end(slow);
        self.pipes.fail(slow, ConnectionError::HandshakeEvicted);
        Ok(())
    }

    /// Registers the handshake of an accepted connection as in progress. `from` is the address of the peer. Does
    /// nothing for an `inproc` connection, which has no handshake.
    pub(super) fn begin_handshake(&mut self, pipe: PipeId, from: &Endpoint) {
        if !matches!(from, Endpoint::Inproc(_)) {
            self.handshakes.begin(pipe, address(from), self.now);
        }
    }

    /// Checks whether the IP address of the peer `from` may begin another handshake now, given the limit of handshakes
    /// per second. Returns `Some(())` if it may. Otherwise emits the event that the listener `id` rejected the
    /// connection, and returns `None`.
    pub(super) fn check_handshake_rate(&mut self, id: ListenerId, from: &Endpoint, now: Instant) -> Option<()> {
        let now = self.observe(now);
        if let (Some(rate), Some(address)) = (self.handshake_rate(), address(from))
            && !self.handshakes.rates.allows(address, rate, now)
        {
            self.reject_connection(id, from.clone(), RejectReason::MaxHandshakeRate);
            return None;
        }
        Some(())
    }

    /// Counts a new handshake of the peer `from` against the limit of handshakes per second of its IP address.
    pub(super) fn count_handshake(&mut self, from: &Endpoint) {
        if let (Some(rate), Some(address)) = (self.handshake_rate(), address(from)) {
            self.handshakes.rates.count(address, rate, self.now);
        }
    }

    /// Returns the maximum number of handshakes per second from one address; `None` if there is no limit.
    fn handshake_rate(&self) -> Option<usize> {
        let default = self.config.security.is_costly().then_some(COSTLY_RATE);
        self.settings.admission.handshake_rate.or(default)
    }
}

/// Returns the IP address of the peer `from`, for which handshakes are counted; `None` for ipc and inproc. IPv6
/// addresses are cut to their first 64 bits.
fn address(from: &Endpoint) -> Option<IpAddr> {
    match from {
        // A single host usually controls a whole /64 of IPv6.
        Endpoint::Tcp { host: Host::Ip(address), .. } => Some(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        }),
        Endpoint::Tcp { .. } | Endpoint::Ipc(_) | Endpoint::Inproc(_) => None,
    }
}
