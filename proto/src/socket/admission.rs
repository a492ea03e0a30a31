//! Who may come: how many peers, how many handshakes under way, and how many in a second.

use super::{ListenerId, Socket};
use crate::address::{Endpoint, Host};
use crate::connection::ConnectionError;
use crate::socket::event::Refusal;
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

/// A handshake that has lasted so long may have to make room for another. An honest one takes a few round trips.
const GRACE: Duration = SECOND;

/// Where a handshake costs cryptography: some tens of milliseconds of processor time in a second.
const COSTLY_RATE: usize = 1000;

const SECOND: Duration = Duration::from_secs(1);

/// The handshakes under way with peers that came to us.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    begun: BTreeMap<PipeId, (Instant, Option<IpAddr>)>,
    by_age: BTreeSet<(Instant, PipeId)>,
    by_address: BTreeMap<IpAddr, BTreeSet<(Instant, PipeId)>>,
    pace: Pace,
}

/// How often those of an address have come. Each who comes pays with a share of a second, and an address may be in debt for
/// a second in all (the generic cell rate algorithm). Without debts an address is forgotten.
#[derive(Debug, Default)]
struct Pace {
    clear_at: BTreeMap<IpAddr, Instant>,
    by_time: BTreeSet<(Instant, IpAddr)>,
}

impl Handshakes {
    fn begin(&mut self, pipe: PipeId, address: Option<IpAddr>, now: Instant) {
        self.begun.insert(pipe, (now, address));
        self.by_age.insert((now, pipe));
        if let Some(address) = address {
            self.by_address.entry(address).or_default().insert((now, pipe));
        }
    }

    /// It is done, or its connection has ended.
    pub(super) fn end(&mut self, pipe: PipeId) {
        let Some((since, address)) = self.begun.remove(&pipe) else { return };
        self.by_age.remove(&(since, pipe));
        if let Some(address) = address
            && let Some(those) = self.by_address.get_mut(&address)
        {
            those.remove(&(since, pipe));
            if those.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }
}

impl Pace {
    /// Whether one more may come from there, in whose debt a second has room.
    fn allows(&self, address: IpAddr, per_second: usize, now: Instant) -> bool {
        self.clear_at.get(&address).is_none_or(|clear_at| clear_at.since(now) + share(per_second) <= SECOND)
    }

    fn pay(&mut self, address: IpAddr, per_second: usize, now: Instant) {
        while let Some(&(clear_at, address)) = self.by_time.first()
            && clear_at <= now
        {
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

/// What each pays of a second in which so many may come.
fn share(per_second: usize) -> Duration {
    SECOND / u32::try_from(per_second).unwrap_or(u32::MAX)
}

impl Socket {
    /// Whether one more peer may come, from there. A handshake that was slow may have to go.
    pub(super) fn make_room(&mut self, from: &Endpoint) -> Result<(), Refusal> {
        let crowd = self.settings.crowd;
        if self.pipes.len() >= crowd.peers {
            return Err(Refusal::Peers);
        }
        let there = address(from).and_then(|address| self.handshakes.by_address.get(&address));
        let full = there.filter(|those| those.len() >= crowd.handshakes_per_address);
        let (oldest, refusal) = match full {
            Some(those) => (those.first().copied(), Refusal::HandshakesOfAddress),
            None if self.handshakes.by_age.len() >= crowd.handshakes => {
                (self.handshakes.by_age.first().copied(), Refusal::Handshakes)
            }
            None => return Ok(()),
        };
        let (_, slow) = oldest.filter(|(since, _)| self.now.since(*since) > GRACE).ok_or(refusal)?;
        self.handshakes.end(slow);
        self.pipes.fail(slow, ConnectionError::HandshakeEvicted);
        Ok(())
    }

    /// A peer has come, and its handshake begins. In one process there is none.
    pub(super) fn expect_handshake(&mut self, pipe: PipeId, from: &Endpoint) {
        if !matches!(from, Endpoint::Inproc(_)) {
            self.handshakes.begin(pipe, address(from), self.now);
        }
    }

    /// `None`: another handshake may not begin so soon, with somebody from there, and this is told.
    pub(super) fn keep_pace(&mut self, id: ListenerId, from: &Endpoint, now: Instant) -> Option<()> {
        let now = self.observe(now);
        if let (Some(rate), Some(address)) = (self.handshake_rate(), address(from))
            && !self.handshakes.pace.allows(address, rate, now)
        {
            self.reject_connection(id, from.clone(), Refusal::HandshakeRate);
            return None;
        }
        Some(())
    }

    /// Another handshake begins.
    pub(super) fn count_another(&mut self, from: &Endpoint) {
        if let (Some(rate), Some(address)) = (self.handshake_rate(), address(from)) {
            self.handshakes.pace.pay(address, rate, self.now);
        }
    }

    /// Handshakes in a second and from one address.
    fn handshake_rate(&self) -> Option<usize> {
        let advisable = self.config.security.is_costly().then_some(COSTLY_RATE);
        self.settings.crowd.handshake_rate.or(advisable)
    }
}

/// What counts as one address: for IPv6 the first 64 bits, for whoever has one of those has them all.
fn address(from: &Endpoint) -> Option<IpAddr> {
    match from {
        Endpoint::Tcp { host: Host::Ip(address), .. } => Some(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        }),
        Endpoint::Tcp { .. } | Endpoint::Ipc(_) | Endpoint::Inproc(_) => None,
    }
}
