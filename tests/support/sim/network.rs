//! Network of a simulation: listeners, and byte streams to them. It has one machine with only a loopback interface, one
//! host name, `localhost`, and any names of Unix domain sockets. Options of the operating system's sockets are ignored.

use super::stream::SimStream;
use super::world::{Sim, World};
use sansmq_proto::address::{IpcName, TransportConfig};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::testing::{Chunks, Conditions, LinkLimits};
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{CurrentRuntime, PollListener};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Chooses at random the latency, the buffer sizes, the rate and the chunk sizes of the simulated network.
pub(super) fn conditions(rng: &mut SeededEntropy) -> Conditions {
    let latency = Duration::ZERO..=Duration::from_micros(rng.below(5) * rng.below(1000));
    let mut buffer = || 1 << (11 + rng.below(7));
    let (send_buffer, recv_buffer) = (buffer(), buffer());
    let rate = (rng.below(4) == 0).then(|| 1 << (20 + rng.below(5)));
    let link = LinkLimits { send_buffer, recv_buffer, rate };
    Conditions { latency, link, chunks: Chunks::Bursts { tiny: rng.below(500) } }
}

/// Chooses at random how much simulated time one poll of a task takes.
pub(super) fn turn(conditions: &Conditions, rng: &mut SeededEntropy) -> Duration {
    let latency = *conditions.latency.end();
    let longest = u64::try_from(latency.as_nanos() / 20).unwrap_or(u64::MAX);
    Duration::from_nanos(rng.below(longest.max(1))) + Duration::from_micros(1)
}

/// Listeners of the simulated network, by endpoint. The endpoints include Unix domain sockets, which do not create
/// files here.
#[derive(Default)]
pub(super) struct Network {
    listeners: BTreeMap<Endpoint, Backlog>,
}

/// Connections of one listener that have not been accepted yet, each with the address of its peer, and the waker of the
/// task that accepts them.
#[derive(Default)]
struct Backlog {
    waiting: VecDeque<(SimStream, Endpoint)>,
    acceptor: Option<Waker>,
}

impl Network {
    fn is_free(&self, at: &Endpoint) -> bool {
        !self.listeners.keys().any(|other| serves(other, at) || serves(at, other))
    }

    /// Returns an endpoint with the address `ip` and a random free port.
    fn with_free_port(&self, ip: IpAddr, rng: &mut SeededEntropy) -> Endpoint {
        loop {
            let port = 32_768 + u16::try_from(rng.below(28_000)).expect("the sum is below 65536");
            let endpoint = SocketAddr::new(ip, port).into();
            if self.is_free(&endpoint) {
                return endpoint;
            }
        }
    }
}

/// Returns `true` if a listener that is bound to `at` accepts connections to `to`.
fn serves(at: &Endpoint, to: &Endpoint) -> bool {
    let (Some(at), Some(to)) = (at.socket_addr(), to.socket_addr()) else {
        return at == to;
    };
    let family_matches = at.is_ipv4() == to.is_ipv4() || at.is_ipv6();
    at.port() == to.port() && (at.ip() == to.ip() || at.ip().is_unspecified() && family_matches)
}

/// Returns the addresses of an endpoint, as endpoints: two for the host name `localhost`, else the endpoint itself.
fn resolve(endpoint: &Endpoint) -> Result<Vec<Endpoint>, NetworkError> {
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
    let loopback: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    match &*name {
        "localhost" => Ok(loopback.map(|ip| SocketAddr::new(ip, port).into()).into()),
        _ => Err(NetworkError::UnknownHost),
    }
}

/// Calls `work` with each address of `endpoint` until a call succeeds. Waits for one round trip before each call.
/// Returns the last error if no call succeeds.
async fn try_each<R>(
    sim: &Sim,
    endpoint: &Endpoint,
    work: impl Fn(&Endpoint) -> Result<R, NetworkError>,
) -> Result<R, NetworkError> {
    let mut last_error = NetworkError::UnknownHost;
    for address in resolve(endpoint)? {
        let latency = sim.with(|world, _| world.conditions.delay(&mut world.rng));
        sim.sleep(latency * 2).await;
        match work(&address) {
            Ok(result) => return Ok(result),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

pub(super) async fn listen(sim: &Sim, endpoint: &Endpoint) -> Result<(SimListener, Endpoint), NetworkError> {
    try_each(sim, endpoint, |address| {
        let at = sim.with(|world, _| world.listen(address))?;
        Ok((SimListener { sim: sim.clone(), at: at.clone() }, at))
    })
    .await
}

pub(super) async fn connect(sim: &Sim, endpoint: &Endpoint) -> Result<SimStream, NetworkError> {
    try_each(sim, endpoint, |address| {
        let [near, far] = SimStream::pair(sim);
        sim.with(|world, wakes| world.dial(address, far, wakes)).map(|()| near).map_err(|(error, _far)| error)
    })
    .await
}

/// Opens a connection to an endpoint, for peers that are not sockets of sansmq.
///
/// # Errors
/// If no listener is bound to the endpoint, or the address is unknown or unreachable.
///
/// # Panics
/// Outside [`run`](super::run).
pub async fn dial(endpoint: &Endpoint) -> Result<SimStream, NetworkError> {
    connect(&Sim::current(), endpoint).await
}

/// Returns `true` if an endpoint can be bound.
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
            (_, Some(address)) if address.port() == 0 => self.network.with_free_port(address.ip(), &mut self.rng),
            (Endpoint::Ipc(IpcName::Any), _) => Endpoint::Ipc(IpcName::Path(format!("{:x}", self.rng.next_u64()))),
            _ => at.clone(),
        };
        if !self.network.is_free(&at) {
            return Err(NetworkError::AddressInUse);
        }
        self.network.listeners.insert(at.clone(), Backlog::default());
        Ok(at)
    }

    /// Adds `far`, the accepted side of a new stream, to the backlog of the listener at `to`. Returns `far` with an
    /// error if no listener accepts connections to `to`.
    fn dial(&mut self, to: &Endpoint, far: SimStream, wakes: &mut Vec<Waker>) -> Result<(), (NetworkError, SimStream)> {
        let (from, error) = match to.socket_addr().map(|address| address.ip()) {
            Some(ip) if !ip.is_loopback() => return Err((NetworkError::Unreachable, far)),
            Some(ip) => (self.network.with_free_port(ip, &mut self.rng), NetworkError::Refused),
            None => (to.clone(), NetworkError::PathNotFound),
        };
        match self.network.listeners.iter_mut().find(|(at, _)| serves(at, to)) {
            Some((_, backlog)) => {
                backlog.waiting.push_back((far, from));
                wakes.extend(backlog.acceptor.take());
                Ok(())
            }
            None => Err((error, far)),
        }
    }
}

/// Listener of a simulation. Drop closes the connections that were not accepted.
#[derive(Debug)]
pub struct SimListener {
    sim: Sim,
    at: Endpoint,
}

impl PollListener for SimListener {
    type Stream = SimStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(SimStream, Endpoint), NetworkError>> {
        self.sim.with(|world, _| {
            let backlog =
                world.network.listeners.get_mut(&self.at).expect("a listener is registered until it is dropped");
            let next = backlog.waiting.pop_front();
            backlog.acceptor = Some(cx.waker().clone());
            next.map_or(Poll::Pending, |accepted| Poll::Ready(Ok(accepted)))
        })
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        // Dropped after the lock is released, because dropping a stream locks the world.
        let _backlog = self.sim.with(|world, _| world.network.listeners.remove(&self.at));
    }
}
