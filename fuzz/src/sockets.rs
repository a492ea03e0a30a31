//! Sockets on a network that delays, cuts and forgets, told to do anything in any order.

use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Endpoint, Message, Options, SocketType};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Plot {
    cast: Cast,
    seed: u64,
    chunks: u8,
    capacity: u8,
    marks: u8,
    deeds: Vec<Deed>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Cast {
    PushPull,
    DealerDealer,
    DealerRouter,
    PubSub,
    PairPair,
    ReqRep,
    ClientServer,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Deed {
    /// A message of so many octets more than it needs.
    Send(Actor, u16),
    Receive(Actor),
    Connect(Actor),
    Disconnect(Actor),
    Cut(Actor),
    Freeze(Actor),
    Thaw(Actor),
    /// So many milliseconds, squared.
    Pass(u8),
    Subscribe(Actor),
    Close(Actor),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Actor {
    Server,
    One,
    Other,
}

/// Octets that say who has sent a message, and how many before it.
const NAME: usize = 5;

const DEEDS: usize = 150;

struct Stage {
    net: Net,
    actors: [NodeId; 3],
    types: [SocketType; 3],
    sent: [u32; 3],
    /// The number of the last message of that sender which that receiver has had, and all that it has had.
    latest: BTreeMap<(usize, u8), u32>,
    received: BTreeSet<(usize, u8, u32)>,
    /// Who has connected.
    joined: [bool; 3],
    /// Connections have ended, or somebody has two. The order is kept within each, but what one has left is received in turn with
    /// the next one's.
    torn: bool,
    mark: usize,
}

/// Every message arrives whole or not at all, at most once, and after those that the same peer has sent before on the same
/// connection. Queues keep within their marks, and everybody comes to rest.
pub fn sockets(data: &[u8]) {
    let Ok(plot) = Plot::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut stage = Stage::new(&plot);
    for deed in plot.deeds.iter().take(DEEDS) {
        stage.act(*deed);
        stage.check();
    }
    for node in stage.actors {
        stage.net.thaw(node);
    }
    stage.net.pass(Duration::from_mins(2));
    for actor in 0..3 {
        while stage.receive(actor) {}
    }
    stage.check();
}

impl Cast {
    /// Who is bound, and who connects.
    const fn types(self) -> [SocketType; 2] {
        match self {
            Self::PushPull => [SocketType::Pull, SocketType::Push],
            Self::DealerDealer => [SocketType::Dealer, SocketType::Dealer],
            Self::DealerRouter => [SocketType::Router, SocketType::Dealer],
            Self::PubSub => [SocketType::Pub, SocketType::Sub],
            Self::PairPair => [SocketType::Pair, SocketType::Pair],
            Self::ReqRep => [SocketType::Rep, SocketType::Req],
            Self::ClientServer => [SocketType::Server, SocketType::Client],
        }
    }
}

impl Stage {
    fn new(plot: &Plot) -> Self {
        let [server, client] = plot.cast.types();
        let types = [server, client, client];
        let chunk = u64::from(plot.chunks).max(1);
        let mut net = Net::seeded(plot.seed).chunks(1..=chunk).capacity(usize::from(plot.capacity) * 64 + 1);
        let mark = usize::from(plot.marks).max(1);
        let actors = types.map(|kind| net.socket(Options::of(kind).send_hwm(mark).recv_hwm(mark)));
        net.bind(actors[0], "tcp://server:1");
        Self {
            net,
            actors,
            types,
            sent: [0; 3],
            latest: BTreeMap::new(),
            received: BTreeSet::new(),
            joined: [false; 3],
            torn: false,
            mark,
        }
    }

    fn act(&mut self, deed: Deed) {
        self.torn |= matches!(deed, Deed::Cut(_) | Deed::Disconnect(_) | Deed::Close(_));
        let place: Endpoint = "tcp://server:1".parse().expect("it is an endpoint");
        let now = self.net.now();
        match deed {
            Deed::Send(actor, octets) => self.send(actor as usize, octets),
            Deed::Receive(actor) => drop(self.receive(actor as usize)),
            Deed::Connect(Actor::Server) | Deed::Disconnect(Actor::Server) => {}
            Deed::Connect(actor) => {
                let has_joined = std::mem::replace(&mut self.joined[actor as usize], true);
                self.torn |= has_joined;
                drop(self.net[self.actors[actor as usize]].connect(place, now));
            }
            Deed::Disconnect(actor) => drop(self.net[self.actors[actor as usize]].disconnect(&place, now)),
            Deed::Cut(actor) => self.net.cut(self.actors[actor as usize]),
            Deed::Freeze(actor) => self.net.freeze(self.actors[actor as usize]),
            Deed::Thaw(actor) => self.net.thaw(self.actors[actor as usize]),
            Deed::Pass(millis) => self.net.pass(Duration::from_millis(u64::from(millis) * u64::from(millis))),
            Deed::Subscribe(actor) => drop(self.net[self.actors[actor as usize]].subscribe("")),
            Deed::Close(actor) => self.net[self.actors[actor as usize]].close(now),
        }
    }

    fn send(&mut self, actor: usize, octets: u16) {
        let mut body = vec![u8::try_from(actor).expect("there are three")];
        body.extend(self.sent[actor].to_be_bytes());
        body.resize(NAME + usize::from(octets), body[NAME - 1]);
        let socket = &mut self.net[self.actors[actor]];
        // Those that name their peer answer whoever they have heard last.
        let message = match self.types[actor] {
            SocketType::Router | SocketType::Server => return,
            _ => Message::from(body),
        };
        if socket.send(message).is_ok() {
            self.sent[actor] += 1;
        }
    }

    /// Whether there was a message.
    fn receive(&mut self, actor: usize) -> bool {
        let socket = &mut self.net[self.actors[actor]];
        let Ok(mut message) = socket.recv() else { return false };
        if matches!(self.types[actor], SocketType::Router | SocketType::Server) {
            let answer = message.clone();
            message.pop_front();
            // Sent back as it is, it says who has sent it first.
            let _ = socket.send(answer);
        }
        let body = message.body();
        assert_eq!(message.len(), 1, "{message:?}");
        assert!(body.len() >= NAME && body[NAME..].iter().all(|&octet| octet == body[NAME - 1]), "{body:?} was cut");
        let number = u32::from_be_bytes(body[1..NAME].try_into().expect("it has four octets"));
        assert!(self.received.insert((actor, body[0], number)), "{number} of {} came twice", body[0]);
        let before = self.latest.insert((actor, body[0]), number);
        let ordered = self.torn || before.is_none_or(|before| before < number);
        assert!(ordered, "{number} of {} came after {before:?}", body[0]);
        true
    }

    fn check(&self) {
        for &actor in &self.actors {
            let stats = self.net[actor].stats();
            let peers = stats.peers as u64;
            assert!(stats.incoming.messages <= peers * self.mark as u64 + 1, "{stats:?}");
            // What a lost connection had not begun to send is put back before what was queued meanwhile.
            assert!(stats.outgoing.messages <= peers * (self.mark as u64 + 1024), "{stats:?}");
        }
    }
}
