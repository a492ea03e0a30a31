//! A socket that strangers come to, an honest peer of it, and what there is to say afterwards.

use crate::ground::Place;
use crate::left::{on_each, settle};
use crate::memory::Memory;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Any, Dealer, Kind, Router};
use sansmq::proto::socket::Refusal;
use sansmq::{ConnectionError, Endpoint, Event, Handle, Monitor, Options};
use sansmq_tests::stranger::say;
use std::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;

pub(crate) const ANY: &str = "tcp://127.0.0.1:*";

/// How often an honest peer is answered during an attack, at least.
const ROUNDS: usize = 50;

/// Runs a scenario on each runtime. Neither a task nor a descriptor may be left of it.
pub(crate) fn besiege(scenario: impl AsyncFn(&Place) + Send + Sync + 'static) {
    on_each(move |ground, before| {
        let place = ground.place();
        ground.run(Box::pin(scenario(&place)));
        settle(ground, before, "the siege");
    });
}

/// A ROUTER that answers everybody, and an honest peer that asks.
pub(crate) struct Siege {
    pub(crate) router: Handle<Any>,
    pub(crate) honest: Handle<Any>,
    pub(crate) heard: Heard,
    monitor: Monitor,
    at: SocketAddr,
    endpoint: Endpoint,
    /// Strangers who stay.
    crowd: Vec<TcpStream>,
    /// When all was peace.
    pub(crate) peace: Memory,
}

/// What the monitor has told.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Why connections ended, with a handshake or without.
    pub(crate) ends: Vec<ConnectionError>,
    /// Why others were turned away.
    pub(crate) refusals: Vec<Refusal>,
    /// How much else there was to tell, while nobody asked.
    pub(crate) missed: usize,
}

impl Heard {
    pub(crate) fn note(&mut self, event: Event) {
        match event {
            Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => self.ends.push(reason),
            Event::TurnedAway { reason, .. } => self.refusals.push(reason),
            Event::Missed(count) => self.missed += usize::try_from(count).unwrap(),
            _ => {}
        }
    }
}

impl Siege {
    pub(crate) async fn lay(place: &Place, options: Options<Router>) -> Self {
        Self::with(place, options, Options::new()).await
    }

    pub(crate) async fn with(place: &Place, options: Options<Router>, honest: Options<Dealer>) -> Self {
        let (router, honest) = (place.socket(options).erase(), place.socket(honest).erase());
        let endpoint = router.bind(ANY).await.unwrap();
        honest.connect(&endpoint).unwrap();
        let (monitor, heard) = (router.monitor(), Heard::default());
        let at = endpoint.socket_addr().unwrap();
        let crowd = Vec::new();
        let mut siege = Self { router, honest, heard, monitor, at, endpoint, crowd, peace: Memory::now() };
        let Self { router, honest, .. } = &siege;
        while_doing(echo(router), ask(honest)).await;
        siege.peace = Memory::now();
        siege
    }

    /// Has strangers come, in a thread of their own, and everybody is answered meanwhile: our honest peer too, again and again
    /// until they have done what they came for.
    pub(crate) async fn bear<R: Send + 'static>(&mut self, attack: impl FnOnce(SocketAddr) -> R + Send + 'static) -> R {
        let Self { router, honest, heard, monitor, at, .. } = self;
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
        let serving = join(echo(router), listen(monitor, heard, |_| false));
        while_doing(serving, join(attack, asking)).await.0
    }

    /// So many strangers come, say this, and stay until the siege is lifted.
    pub(crate) async fn surround(&mut self, count: usize, octets: Vec<u8>) {
        let more = self.bear(move |at| crowd(at, count, &octets)).await;
        self.crowd.extend(more);
    }

    /// So many strangers come and say this, and all of them lose their connections for such a reason.
    pub(crate) async fn repel(&mut self, count: usize, octets: Vec<u8>, reason: impl Fn(&ConnectionError) -> bool) {
        let streams = self.bear(move |at| crowd(at, count, &octets)).await;
        self.ends(count, reason).await;
        drop(streams);
    }

    /// Answers everybody until the monitor has told what is waited for.
    pub(crate) async fn until(&mut self, done: impl Fn(&Heard) -> bool) -> &mut Heard {
        let Self { router, heard, monitor, .. } = self;
        while_doing(echo(router), listen(monitor, heard, done)).await;
        &mut self.heard
    }

    /// So many connections have ended, all of them for such a reason.
    pub(crate) async fn ends(&mut self, count: usize, reason: impl Fn(&ConnectionError) -> bool) {
        let heard = self.until(|heard| heard.ends.len() >= count || heard.missed > 0).await;
        assert_eq!(heard.missed, 0);
        let ends = std::mem::take(&mut heard.ends);
        assert!(ends.iter().all(reason), "{ends:?}");
    }

    /// Somebody else who is honest comes now, and is answered.
    pub(crate) async fn welcome(&mut self, place: &Place, options: Options<Dealer>) {
        let endpoint = self.endpoint.clone();
        self.welcome_at(place, &endpoint, options).await;
    }

    /// As [`welcome`](Self::welcome), by another way.
    pub(crate) async fn welcome_at(&mut self, place: &Place, endpoint: &Endpoint, options: Options<Dealer>) {
        let other = place.socket(options);
        other.connect(endpoint).unwrap();
        let Self { router, heard, monitor, .. } = self;
        let serving = join(echo(router), listen(monitor, heard, |_| false));
        while_doing(serving, ask(&other.erase())).await;
    }

    /// Connections there are, our honest peer's not counted.
    pub(crate) fn strangers(&self) -> u64 {
        let stats = self.router.stats();
        stats.accepted - stats.ended - 1
    }

    /// Lets the crowd go. Sees that all strangers who came are gone, and that the honest peer is still served.
    pub(crate) async fn lift(mut self) {
        self.crowd.clear();
        let Self { router, honest, heard, monitor, .. } = &mut self;
        let gone = async {
            while router.stats().peers > 1 {
                listen_once(monitor, heard).await;
            }
        };
        while_doing(echo(router), gone).await;
        while_doing(echo(router), ask(honest)).await;
    }
}

/// So many come, and say this.
pub(crate) fn crowd(to: SocketAddr, count: usize, octets: &[u8]) -> Vec<TcpStream> {
    (0..count).map(|_| say(to, octets).unwrap()).collect()
}

/// Binds a socket; where strangers find it.
pub(crate) async fn gate<T: Kind>(socket: &Handle<T>) -> SocketAddr {
    socket.bind(ANY).await.unwrap().socket_addr().unwrap()
}

/// Goes on with one thing until another is done.
pub(crate) async fn while_doing<R>(this: impl Future, that: impl Future<Output = R>) -> R {
    match select(pin!(this), pin!(that)).await {
        Either::Left(_) => panic!("it should go on"),
        Either::Right((result, _)) => result,
    }
}

/// Sends everything back.
pub(crate) async fn echo(socket: &Handle<Any>) {
    loop {
        let request = socket.recv().await.unwrap();
        socket.send(request).await.unwrap();
    }
}

/// Asks, and is answered.
pub(crate) async fn ask(honest: &Handle<Any>) {
    honest.send("is anybody there?").await.unwrap();
    assert_eq!(honest.recv().await.unwrap().body(), "is anybody there?");
    assert!(honest.try_recv().is_err(), "once is enough");
}

async fn listen(monitor: &mut Monitor, heard: &mut Heard, done: impl Fn(&Heard) -> bool) {
    while !done(heard) {
        listen_once(monitor, heard).await;
    }
}

async fn listen_once(monitor: &mut Monitor, heard: &mut Heard) {
    heard.note(monitor.next().await.expect("the socket is there"));
}
