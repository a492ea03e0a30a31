//! A socket under attack by hostile peers, and an honest peer that it serves meanwhile.

use crate::leak_check::{on_each, settle};
use crate::memory::Memory;
use crate::raw_peer::say;
use crate::runtimes::RuntimeHandle;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Any, Dealer, Kind, Router};
use sansmq::proto::socket::Refusal;
use sansmq::{ConnectionError, Endpoint, Event, Handle, Monitor, Options};
use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;

/// A TCP endpoint with a port that the system chooses.
pub const ANY: &str = "tcp://127.0.0.1:*";

/// Minimum number of round trips of the honest peer during an attack.
const ROUNDS: usize = 50;

/// Runs a scenario on each runtime. It must leave neither a task nor a descriptor behind.
///
/// # Panics
/// If the scenario panics or leaves something behind.
pub fn on_each_runtime(scenario: impl AsyncFn(&RuntimeHandle) + Send + Sync + 'static) {
    on_each(move |runtime, before| {
        let handle = runtime.handle();
        runtime.run(Box::pin(scenario(&handle)));
        settle(runtime, before, "the attack");
    });
}

/// A ROUTER that echoes every request, and an honest DEALER.
#[derive(Debug)]
pub struct Target {
    /// The attacked socket.
    pub router: Handle<Any>,
    /// The honest peer.
    pub honest: Handle<Any>,
    /// Events of the router so far.
    pub observed: Observed,
    monitor: Monitor,
    at: SocketAddr,
    endpoint: Endpoint,
    /// Connections of hostile peers that stay open until the end.
    open: Vec<TcpStream>,
    /// Memory in use before the attack.
    pub baseline: Memory,
}

/// Events of a monitor, by kind.
#[derive(Debug, Default)]
pub struct Observed {
    /// Reasons for which connections ended, before or after their handshake.
    pub ends: Vec<ConnectionError>,
    /// Reasons for which connections were rejected.
    pub refusals: Vec<Refusal>,
    /// Number of events that the monitor lost.
    pub missed: usize,
}

impl Observed {
    /// Adds an event.
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
    /// Creates both sockets and waits until the honest peer is served.
    pub async fn new(handle: &RuntimeHandle, options: Options<Router>) -> Self {
        Self::with_client(handle, options, Options::new()).await
    }

    /// As [`new`](Self::new), with options for the honest peer.
    pub async fn with_client(handle: &RuntimeHandle, options: Options<Router>, honest: Options<Dealer>) -> Self {
        let (router, honest) = (handle.socket(options).erase(), handle.socket(honest).erase());
        let endpoint = router.bind(ANY).await.unwrap();
        honest.connect(&endpoint).unwrap();
        let (monitor, observed) = (router.monitor(), Observed::default());
        let at = endpoint.socket_addr().unwrap();
        let open = Vec::new();
        let mut target = Self { router, honest, observed, monitor, at, endpoint, open, baseline: Memory::now() };
        let Self { router, honest, .. } = &target;
        run_until(echo(router), ask(honest)).await;
        target.baseline = Memory::now();
        target
    }

    /// Runs an attack in a thread of its own. The router echoes every request meanwhile, and the honest peer makes round trips
    /// until the attack ends.
    pub async fn serve_during<R: Send + 'static>(
        &mut self,
        attack: impl FnOnce(SocketAddr) -> R + Send + 'static,
    ) -> R {
        let Self { router, honest, observed, monitor, at, .. } = self;
        let (at, done) = (*at, Cell::new(false));
        let attack = async {
            let result = smol::unblock(move || attack(at)).await;
            done.set(true);
            result
        };
        let asking = async {
            let mut rounds = 0;
            while rounds < ROUNDS || !done.get() {
                ask(honest).await;
                rounds += 1;
            }
        };
        let serving = join(echo(router), listen(monitor, observed, |_| false));
        run_until(serving, join(attack, asking)).await.0
    }

    /// Connects `count` hostile peers that send `octets` and stay open until the end.
    pub async fn hold_open(&mut self, count: usize, octets: Vec<u8>) {
        let more = self.serve_during(move |at| connect_all(at, count, &octets)).await;
        self.open.extend(more);
    }

    /// Connects `count` hostile peers that send `octets`, and asserts that each connection ends for such a reason.
    pub async fn expect_rejected(&mut self, count: usize, octets: Vec<u8>, reason: impl Fn(&ConnectionError) -> bool) {
        let streams = self.serve_during(move |at| connect_all(at, count, &octets)).await;
        self.expect_ends(count, reason).await;
        drop(streams);
    }

    /// Echoes requests until the events of the router satisfy a condition.
    pub async fn serve_until(&mut self, done: impl Fn(&Observed) -> bool) -> &mut Observed {
        let Self { router, observed, monitor, .. } = self;
        run_until(echo(router), listen(monitor, observed, done)).await;
        &mut self.observed
    }

    /// Waits until `count` connections have ended, and asserts that each ended for such a reason.
    pub async fn expect_ends(&mut self, count: usize, reason: impl Fn(&ConnectionError) -> bool) {
        let observed = self.serve_until(|observed| observed.ends.len() >= count || observed.missed > 0).await;
        assert_eq!(observed.missed, 0);
        let ends = std::mem::take(&mut observed.ends);
        assert!(ends.iter().all(reason), "{ends:?}");
    }

    /// Connects another honest peer, and waits until it is served.
    pub async fn serve_new_client(&mut self, handle: &RuntimeHandle, options: Options<Dealer>) {
        let endpoint = self.endpoint.clone();
        self.serve_new_client_at(handle, &endpoint, options).await;
    }

    /// As [`serve_new_client`](Self::serve_new_client), at another endpoint.
    pub async fn serve_new_client_at(&mut self, handle: &RuntimeHandle, endpoint: &Endpoint, options: Options<Dealer>) {
        let other = handle.socket(options);
        other.connect(endpoint).unwrap();
        let Self { router, observed, monitor, .. } = self;
        let serving = join(echo(router), listen(monitor, observed, |_| false));
        run_until(serving, ask(&other.erase())).await;
    }

    /// Returns the number of open connections other than that of the honest peer.
    pub fn hostile_peers(&self) -> u64 {
        let stats = self.router.stats();
        stats.accepted - stats.ended - 1
    }

    /// Closes the connections of hostile peers, waits until the router has removed them, and asserts that the honest peer is
    /// still served.
    pub async fn finish(mut self) {
        self.open.clear();
        let Self { router, honest, observed, monitor, .. } = &mut self;
        let gone = async {
            while router.stats().peers > 1 {
                listen_once(monitor, observed).await;
            }
        };
        run_until(echo(router), gone).await;
        run_until(echo(router), ask(honest)).await;
    }
}

/// Opens `count` connections and sends `octets` on each.
pub fn connect_all(to: SocketAddr, count: usize, octets: &[u8]) -> Vec<TcpStream> {
    (0..count).map(|_| say(to, octets).unwrap()).collect()
}

/// Binds a socket to TCP and returns the address.
pub async fn bind_tcp<T: Kind>(socket: &Handle<T>) -> SocketAddr {
    socket.bind(ANY).await.unwrap().socket_addr().unwrap()
}

/// Runs `background` until `that` is done.
///
/// # Panics
/// If `background` ends.
pub async fn run_until<R>(background: impl Future, that: impl Future<Output = R>) -> R {
    match select(pin!(background), pin!(that)).await {
        Either::Left(_) => panic!("the background task ended"),
        Either::Right((result, _)) => result,
    }
}

/// Sends every received message back.
pub async fn echo(socket: &Handle<Any>) {
    loop {
        let request = socket.recv().await.unwrap();
        socket.send(request).await.unwrap();
    }
}

/// Makes one round trip.
///
/// # Panics
/// If the reply differs, or comes twice.
pub async fn ask(honest: &Handle<Any>) {
    honest.send("is anybody there?").await.unwrap();
    assert_eq!(honest.recv().await.unwrap().body(), "is anybody there?");
    assert!(honest.try_recv().is_err(), "once is enough");
}

async fn listen(monitor: &mut Monitor, observed: &mut Observed, done: impl Fn(&Observed) -> bool) {
    while !done(observed) {
        listen_once(monitor, observed).await;
    }
}

async fn listen_once(monitor: &mut Monitor, observed: &mut Observed) {
    observed.note(monitor.next().await.expect("the socket is there"));
}
