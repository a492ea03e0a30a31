//! Fixture of the tests with hostile peers: an attacked ROUTER, and an honest DEALER that must be served during the
//! attack.

use crate::leak_check::{on_each, wait_for_release};
use crate::memory::Memory;
use crate::raw_peer::connect_and_send;
use crate::runtimes::RuntimeHandle;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Any, Dealer, Kind, Router};
use sansmq::proto::socket::RejectReason;
use sansmq::{ConnectionError, Endpoint, Event, Handle, Monitor, Options};
use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;

/// TCP endpoint with a port that the operating system chooses.
pub const ANY: &str = "tcp://127.0.0.1:*";

/// Minimum number of round trips of the honest peer during each attack.
const ROUNDS: usize = 50;

/// Runs a scenario on each runtime, and checks that it leaves neither a task nor a descriptor behind.
///
/// # Panics
/// If the scenario panics or leaves something behind.
pub fn on_each_runtime(scenario: impl AsyncFn(&RuntimeHandle) + Send + Sync + 'static) {
    on_each(move |runtime, before| {
        let handle = runtime.handle();
        runtime.run(Box::pin(scenario(&handle)));
        wait_for_release(runtime, before, "the attack");
    });
}

/// ROUTER that is attacked and echoes every request, and an honest DEALER that is connected to it.
#[derive(Debug)]
pub struct Target {
    /// The attacked ROUTER.
    pub router: Handle<Any>,
    /// Socket of the honest peer, a DEALER.
    pub honest: Handle<Any>,
    /// Events that the router has emitted so far.
    pub observed: Observed,
    monitor: Monitor,
    address: SocketAddr,
    endpoint: Endpoint,
    /// Connections of hostile peers that stay open until [`finish`](Self::finish).
    open: Vec<TcpStream>,
    /// Memory in use before the attack, when the honest peer is already connected.
    pub baseline: Memory,
}

/// Events that a monitor has emitted so far, grouped by kind.
#[derive(Debug, Default)]
pub struct Observed {
    /// Reasons for which connections ended, during or after their handshake.
    pub ends: Vec<ConnectionError>,
    /// Reasons for which new connections were rejected.
    pub refusals: Vec<RejectReason>,
    /// Number of events that the monitor missed because it lagged.
    pub missed: usize,
}

impl Observed {
    /// Adds an event that the monitor has emitted.
    pub fn note(&mut self, event: Event) {
        match event {
            Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => self.ends.push(reason),
            Event::Rejected { reason, .. } => self.refusals.push(reason),
            Event::Lagged(count) => self.missed += usize::try_from(count).unwrap(),
            _ => {}
        }
    }
}

impl Target {
    /// Creates the attacked ROUTER with `options`, and a DEALER as the honest peer. Connects the two, and waits until
    /// the DEALER has received a reply.
    pub async fn new(handle: &RuntimeHandle, options: Options<Router>) -> Self {
        Self::with_client(handle, options, Options::new()).await
    }

    /// Creates the two sockets like [`new`](Self::new). `honest` contains the options of the DEALER.
    pub async fn with_client(handle: &RuntimeHandle, options: Options<Router>, honest: Options<Dealer>) -> Self {
        let (router, honest) = (handle.socket(options).erase(), handle.socket(honest).erase());
        let endpoint = router.bind(ANY).await.unwrap();
        honest.connect(&endpoint).unwrap();
        let (monitor, observed) = (router.monitor(), Observed::default());
        let address = endpoint.socket_addr().unwrap();
        let open = Vec::new();
        let mut target = Self { router, honest, observed, monitor, address, endpoint, open, baseline: Memory::now() };
        let Self { router, honest, .. } = &target;
        run_until(echo(router), round_trip(honest)).await;
        target.baseline = Memory::now();
        target
    }

    /// Runs an attack on a separate thread and returns its result. During the attack, the router echoes every request,
    /// and the honest peer makes round trips.
    pub async fn serve_during<R: Send + 'static>(
        &mut self,
        attack: impl FnOnce(SocketAddr) -> R + Send + 'static,
    ) -> R {
        let Self { router, honest, observed, monitor, address, .. } = self;
        let (address, done) = (*address, Cell::new(false));
        let attack = async {
            let result = smol::unblock(move || attack(address)).await;
            done.set(true);
            result
        };
        let round_trips = async {
            let mut rounds = 0;
            while rounds < ROUNDS || !done.get() {
                round_trip(honest).await;
                rounds += 1;
            }
        };
        let background = join(echo(router), collect_events(monitor, observed, |_| false));
        run_until(background, join(attack, round_trips)).await.0
    }

    /// Connects `count` hostile peers that send `bytes` and stay open until [`finish`](Self::finish).
    pub async fn hold_open(&mut self, count: usize, bytes: Vec<u8>) {
        let streams = self.serve_during(move |address| connect_all(address, count, &bytes)).await;
        self.open.extend(streams);
    }

    /// Connects `count` hostile peers that send `bytes`. Asserts that the router ends each of these connections with an
    /// error for which `reason` returns true.
    pub async fn expect_rejected(&mut self, count: usize, bytes: Vec<u8>, reason: impl Fn(&ConnectionError) -> bool) {
        let streams = self.serve_during(move |address| connect_all(address, count, &bytes)).await;
        self.expect_ends(count, reason).await;
        drop(streams);
    }

    /// Echoes requests until `done` returns true for the events that the router has emitted so far.
    pub async fn serve_until(&mut self, done: impl Fn(&Observed) -> bool) -> &mut Observed {
        let Self { router, observed, monitor, .. } = self;
        run_until(echo(router), collect_events(monitor, observed, done)).await;
        &mut self.observed
    }

    /// Waits until `count` connections of the router have ended. Asserts that `reason` returns true for the error of
    /// each of these connections.
    pub async fn expect_ends(&mut self, count: usize, reason: impl Fn(&ConnectionError) -> bool) {
        let observed = self.serve_until(|observed| observed.ends.len() >= count || observed.missed > 0).await;
        assert_eq!(observed.missed, 0);
        let ends = std::mem::take(&mut observed.ends);
        assert!(ends.iter().all(reason), "{ends:?}");
    }

    /// Connects another honest peer to the router, and waits until this peer has received a reply.
    pub async fn serve_new_client(&mut self, handle: &RuntimeHandle, options: Options<Dealer>) {
        let endpoint = self.endpoint.clone();
        self.serve_new_client_at(handle, &endpoint, options).await;
    }

    /// Connects another honest peer to `endpoint`, an endpoint of the router, and waits until this peer has received a
    /// reply.
    pub async fn serve_new_client_at(&mut self, handle: &RuntimeHandle, endpoint: &Endpoint, options: Options<Dealer>) {
        let client = handle.socket(options);
        client.connect(endpoint).unwrap();
        let Self { router, observed, monitor, .. } = self;
        let background = join(echo(router), collect_events(monitor, observed, |_| false));
        run_until(background, round_trip(&client.erase())).await;
    }

    /// Returns the number of open connections of the router, without the connection of the honest peer.
    pub fn hostile_peers(&self) -> u64 {
        let stats = self.router.stats();
        stats.accepted - stats.ended - 1
    }

    /// Closes the connections of hostile peers, waits until the router has removed them, and asserts that the honest
    /// peer is still served.
    pub async fn finish(mut self) {
        self.open.clear();
        let Self { router, honest, observed, monitor, .. } = &mut self;
        let disconnected = async {
            while router.stats().peers > 1 {
                collect_event(monitor, observed).await;
            }
        };
        run_until(echo(router), disconnected).await;
        run_until(echo(router), round_trip(honest)).await;
    }
}

/// Opens `count` connections to the address `to`, and sends `bytes` on each. Returns the open streams.
pub fn connect_all(to: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    (0..count).map(|_| connect_and_send(to, bytes).unwrap()).collect()
}

/// Binds a socket to a TCP port that the operating system chooses, and returns the bound address.
pub async fn bind_tcp<T: Kind>(socket: &Handle<T>) -> SocketAddr {
    socket.bind(ANY).await.unwrap().socket_addr().unwrap()
}

/// Runs `background` until `foreground` is done, and returns the result of `foreground`.
///
/// # Panics
/// If `background` ends.
pub async fn run_until<R>(background: impl Future, foreground: impl Future<Output = R>) -> R {
    match select(pin!(background), pin!(foreground)).await {
        Either::Left(_) => panic!("the background future ended before the foreground future"),
        Either::Right((result, _)) => result,
    }
}

/// Sends every received message back to its sender. Never returns.
pub async fn echo(socket: &Handle<Any>) {
    loop {
        let request = socket.recv().await.unwrap();
        socket.send(request).await.unwrap();
    }
}

/// Sends a request and checks its reply.
///
/// # Panics
/// If the reply differs from the request, or arrives twice.
pub async fn round_trip(honest: &Handle<Any>) {
    honest.send("request").await.unwrap();
    assert_eq!(honest.recv().await.unwrap().body(), "request");
    assert!(honest.try_recv().is_err(), "the reply arrived twice");
}

async fn collect_events(monitor: &mut Monitor, observed: &mut Observed, done: impl Fn(&Observed) -> bool) {
    while !done(observed) {
        collect_event(monitor, observed).await;
    }
}

async fn collect_event(monitor: &mut Monitor, observed: &mut Observed) {
    observed.note(monitor.next().await.expect("the monitored socket is alive"));
}
