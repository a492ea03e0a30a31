//! The network of a simulation: who listens where, and byte streams between them. There is one machine with nothing but a
//! loopback interface, one name, `localhost`, and whatever names of Unix domain sockets you like. What a socket asks of the
//! system below it is taken for granted.

use super::stream::Stream;
use super::world::{Sim, World};
use sansmq_proto::address::{IpcName, TransportConfig};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::testing::{Chunks, Conditions};
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{CurrentRuntime, PollListener};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Draws the conditions of a simulation.
pub(super) fn conditions(dice: &mut SeededEntropy) -> Conditions {
    let latency = Duration::ZERO..=Duration::from_micros(dice.below(5) * dice.below(1000));
    Conditions { latency, capacity: 1 << (12 + dice.below(7)), chunks: Chunks::Bursts { tiny: dice.below(500) } }
}

/// Draws the duration of a task's turn.
pub(super) fn turn(conditions: &Conditions, dice: &mut SeededEntropy) -> Duration {
    let latency = *conditions.latency.end();
    let longest = u64::try_from(latency.as_nanos() / 20).unwrap_or(u64::MAX);
    Duration::from_nanos(dice.below(longest.max(1))) + Duration::from_micros(1)
}

/// Who listens. Names of Unix domain sockets are no files here.
#[derive(Default)]
pub(super) struct Network {
    listeners: BTreeMap<Endpoint, Backlog>,
}

/// The connections that wait to be accepted, with where they come from, and who waits to accept them.
#[derive(Default)]
struct Backlog {
    waiting: VecDeque<(Stream, Endpoint)>,
    acceptor: Option<Waker>,
}

impl Network {
    fn is_free(&self, at: &Endpoint) -> bool {
        !self.listeners.keys().any(|other| serves(other, at) || serves(at, other))
    }

    /// The same place with a port that nobody listens at.
    fn with_free_port(&self, ip: IpAddr, dice: &mut SeededEntropy) -> Endpoint {
        loop {
            let port = 32_768 + u16::try_from(dice.below(28_000)).expect("there are so many ports");
            let place = SocketAddr::new(ip, port).into();
            if self.is_free(&place) {
                return place;
            }
        }
    }
}

/// Whether who listens at `at` is who is meant by `to`.
fn serves(at: &Endpoint, to: &Endpoint) -> bool {
    let (Some(at), Some(to)) = (at.socket_addr(), to.socket_addr()) else {
        return at == to;
    };
    let alike = at.is_ipv4() == to.is_ipv4() || at.is_ipv6();
    at.port() == to.port() && (at.ip() == to.ip() || at.ip().is_unspecified() && alike)
}

/// The places that an endpoint stands for.
fn places(endpoint: &Endpoint) -> Result<Vec<Endpoint>, NetworkError> {
    if endpoint.source().is_some() {
        return Err(NetworkError::Unsupported);
    }
    if let Endpoint::Ipc(_) = endpoint {
        return Ok(vec![endpoint.clone()]);
    }
    if let Some(address) = endpoint.socket_addr() {
        return Ok(vec![address.into()]);
    }
    let (name, port) = endpoint.host_and_port()?;
    let both: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    match &*name {
        "localhost" => Ok(both.map(|ip| SocketAddr::new(ip, port).into()).into()),
        _ => Err(NetworkError::UnknownHost),
    }
}

/// Does `work` with one place after the other until it works out, each time after a flight there and back.
async fn first<R>(
    sim: &Sim,
    endpoint: &Endpoint,
    work: impl Fn(&Endpoint) -> Result<R, NetworkError>,
) -> Result<R, NetworkError> {
    let mut failure = NetworkError::UnknownHost;
    for place in places(endpoint)? {
        let flight = sim.with(|world, _| world.conditions.delay(&mut world.dice));
        sim.sleep(flight * 2).await;
        match work(&place) {
            Ok(result) => return Ok(result),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

pub(super) async fn listen(sim: &Sim, endpoint: &Endpoint) -> Result<(Listener, Endpoint), NetworkError> {
    first(sim, endpoint, |place| {
        let at = sim.with(|world, _| world.listen(place))?;
        Ok((Listener { sim: sim.clone(), at: at.clone() }, at))
    })
    .await
}

pub(super) async fn connect(sim: &Sim, endpoint: &Endpoint) -> Result<Stream, NetworkError> {
    first(sim, endpoint, |place| {
        let [near, far] = Stream::pair(sim);
        sim.with(|world, wakes| world.dial(place, far, wakes)).map(|()| near).map_err(|(error, _far)| error)
    })
    .await
}

/// A connection to an endpoint, for peers that are not ours.
///
/// # Errors
/// Nobody listens there, or there is no such address.
///
/// # Panics
/// Outside [`run`](super::run).
pub async fn dial(endpoint: &Endpoint) -> Result<Stream, NetworkError> {
    connect(&Sim::current(), endpoint).await
}

/// Whether anybody may listen at an endpoint.
///
/// # Panics
/// Outside [`run`](super::run).
pub fn is_free(endpoint: &Endpoint) -> bool {
    Sim::current().with(|world, _| world.network.is_free(endpoint))
}

impl World {
    fn listen(&mut self, at: &Endpoint) -> Result<Endpoint, NetworkError> {
        let at = match (at, at.socket_addr()) {
            (_, Some(address)) if !address.ip().is_loopback() && !address.ip().is_unspecified() => {
                return Err(NetworkError::AddressUnavailable);
            }
            (_, Some(address)) if address.port() == 0 => self.network.with_free_port(address.ip(), &mut self.dice),
            (Endpoint::Ipc(IpcName::Any), _) => Endpoint::Ipc(IpcName::Path(format!("{:x}", self.dice.next_u64()))),
            _ => at.clone(),
        };
        if !self.network.is_free(&at) {
            return Err(NetworkError::AddressInUse);
        }
        self.network.listeners.insert(at.clone(), Backlog::default());
        Ok(at)
    }

    /// Puts the far end of a new stream before whoever listens there, or gives it back.
    fn dial(&mut self, to: &Endpoint, far: Stream, wakes: &mut Vec<Waker>) -> Result<(), (NetworkError, Stream)> {
        let (from, nobody) = match to.socket_addr().map(|address| address.ip()) {
            Some(ip) if !ip.is_loopback() => return Err((NetworkError::Unreachable, far)),
            Some(ip) => (self.network.with_free_port(ip, &mut self.dice), NetworkError::Refused),
            None => (to.clone(), NetworkError::NoSuchName),
        };
        match self.network.listeners.iter_mut().find(|(at, _)| serves(at, to)) {
            Some((_, backlog)) => {
                backlog.waiting.push_back((far, from));
                wakes.extend(backlog.acceptor.take());
                Ok(())
            }
            None => Err((nobody, far)),
        }
    }
}

/// Something that listens in a simulation. Who was not accepted when it goes is hung up on.
#[derive(Debug)]
pub struct Listener {
    sim: Sim,
    at: Endpoint,
}

impl PollListener for Listener {
    type Stream = Stream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(Stream, Endpoint), NetworkError>> {
        self.sim.with(|world, _| {
            let backlog = world.network.listeners.get_mut(&self.at).expect("it listens");
            let next = backlog.waiting.pop_front();
            backlog.acceptor = Some(cx.waker().clone());
            next.map_or(Poll::Pending, |accepted| Poll::Ready(Ok(accepted)))
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _backlog = self.sim.with(|world, _| world.network.listeners.remove(&self.at));
    }
}
