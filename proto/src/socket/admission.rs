//! Who may come: how many peers, and how many handshakes under way.

use super::Socket;
use crate::endpoint::{Endpoint, Host};
use crate::error::ConnectionError;
use crate::event::Refusal;
use crate::pipe::PipeId;
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

/// A handshake that has lasted so long may have to make room for another. An honest one takes a few round trips.
const GRACE: Duration = Duration::from_secs(1);

/// The handshakes under way with peers that came to us.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    begun: BTreeMap<PipeId, (Instant, Option<IpAddr>)>,
    by_age: BTreeSet<(Instant, PipeId)>,
    by_address: BTreeMap<IpAddr, BTreeSet<(Instant, PipeId)>>,
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
        self.pipes.doom(slow, ConnectionError::Displaced);
        Ok(())
    }

    /// A peer has come, and its handshake begins. In one process there is none.
    pub(super) fn expect_handshake(&mut self, pipe: PipeId, from: &Endpoint) {
        if !matches!(from, Endpoint::Inproc(_)) {
            self.handshakes.begin(pipe, address(from), self.now);
        }
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
