//! Sockets with many peers: the work of a message, and the memory of a peer without messages, must not depend on the number of
//! the other peers. The cost meter counts the work on the simulated network, where each peer has heartbeats. The allocator counts the
//! memory of a socket and its connections, which the test drives without the network, so that the memory of the peers is not
//! included.

use allocation_counter::measure;
use sansmq_proto::connection::{ConnectionConfig, Link, Outbound, Subscription};
use sansmq_proto::cost::{self, Work};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Kind, Pub, Router, Sub};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Buf, Connection, Endpoint, Instant, Options, PipeId, Socket, SocketType};
use std::sync::Arc;
use std::time::Duration;

const NOW: Instant = Instant::ORIGIN;
const MINUTE: Duration = Duration::from_mins(1);

/// Small number of peers, with which [`many`] is compared.
const FEW: usize = 1_000;

/// Number of peers that connect at the same time. It is below the limit of concurrent handshakes.
const WAVE: usize = 500;

/// Number of prefixes to which each subscriber alone subscribes. 100,000 subscribers have a million of them.
const PREFIXES: usize = 10;

/// Number of subscribers that subscribe to the same prefix.
const GROUP: usize = 10;

/// Returns the large number of peers: `SCALE_PEERS` of the environment, which `.ci/full` sets to 100,000.
fn many() -> usize {
    std::env::var("SCALE_PEERS").ok().and_then(|count| count.parse().ok()).unwrap_or(4000)
}

/// Socket on the simulated network, and its peers.
struct Crowd {
    net: Net,
    server: NodeId,
    peers: Vec<NodeId>,
}

impl Crowd {
    fn new<T: Kind>(options: Options<T>) -> Self {
        let mut net = Net::seeded(1).trace_limit(0);
        let server = net.socket(options.max_peers(usize::MAX).heartbeat(MINUTE));
        net.bind(server, "tcp://server:1");
        Self { net, server, peers: Vec::new() }
    }

    /// Adds peers until there are `count`. `add` creates the peer with a number.
    fn grow(&mut self, count: usize, add: impl Fn(&mut Net, usize) -> NodeId) {
        while self.peers.len() < count {
            let wave = self.peers.len()..count.min(self.peers.len() + WAVE);
            for number in wave {
                let peer = add(&mut self.net, number);
                self.net.connect(peer, "tcp://server:1");
                self.peers.push(peer);
            }
            self.net.settle();
        }
        assert_eq!(self.net.connections(self.server), count);
    }

    /// Returns the work of `exchange` and the turns of sessions in it, for one of the first, the middle and the last peers.
    /// `exchange` is called twice for each of them, and the second call is counted, because the first call creates buffers.
    fn costs(&mut self, mut exchange: impl FnMut(&mut Self, usize)) -> [(Work, u64); 3] {
        let count = self.peers.len();
        [GROUP / 2, count / 2, count - 1].map(|number| {
            exchange(self, number);
            let turns = self.net.turns();
            let ((), work) = cost::measure(|| exchange(self, number));
            (work, self.net.turns() - turns)
        })
    }
}

fn dealer(net: &mut Net, number: usize) -> NodeId {
    let options = Options::<Dealer>::new().heartbeat(MINUTE);
    net.socket(options.routing_id(routing_id(number)).unwrap())
}

fn subscriber(net: &mut Net, number: usize) -> NodeId {
    let peer = net.socket(Options::<Sub>::new().heartbeat(MINUTE));
    for prefix in prefixes(number) {
        net[peer].subscribe(prefix).unwrap();
    }
    peer
}

fn routing_id(number: usize) -> String {
    format!("peer-{number:08}")
}

/// Returns the prefix to which all subscribers of a group have subscribed.
fn group(number: usize) -> String {
    format!("group-{:08}/", number / GROUP)
}

fn prefixes(number: usize) -> impl Iterator<Item = String> {
    (0..PREFIXES).map(move |prefix| format!("peer-{number:08}/{prefix}/")).chain([group(number)])
}

#[test]
fn work_of_router_does_not_grow_with_idle_peers() {
    let mut crowd = Crowd::new(Options::<Router>::new());
    let costs = [FEW, many()].map(|count| {
        crowd.grow(count, dealer);
        crowd.costs(|Crowd { net, server, peers }, number| {
            net[peers[number]].send("request").unwrap();
            net.settle();
            let request = net[*server].recv().unwrap();
            net[*server].send(request).unwrap();
            net.settle();
            assert_eq!(net[peers[number]].recv().unwrap().body(), "request");
        })
    });
    assert_eq!(costs[0], costs[1], "work for a message in each direction, with {FEW} and {} peers", many());
    assert!(
        costs[0].iter().all(|(_, turns)| *turns == 4),
        "one turn to send and one to receive each message: {costs:?}"
    );
}

#[test]
fn work_of_publisher_depends_on_matching_peers_only() {
    let mut crowd = Crowd::new(Options::<Pub>::new());
    let costs = [FEW, many()].map(|count| {
        crowd.grow(count - 1, subscriber);
        // The connection of one subscriber more, with its subscriptions.
        let ((), connect) = cost::measure(|| crowd.grow(count, subscriber));
        assert_eq!(crowd.net[crowd.server].subscription_count(), count * PREFIXES + count.div_ceil(GROUP));
        let topics: [fn(usize) -> String; 3] =
            [|number| format!("peer-{number:08}/none"), |number| format!("peer-{number:08}/3/x"), group];
        let publish = topics.map(|topic| crowd.costs(|crowd, number| publish(crowd, number, &topic(number))));
        let subscribe = crowd.costs(|Crowd { net, server, peers }, number| {
            net[peers[number]].unsubscribe(group(number)).unwrap();
            net[peers[number]].subscribe("another").unwrap();
            net.settle();
            assert_eq!(net[*server].subscriber_count(group(number)), GROUP - 1);
            net[peers[number]].subscribe(group(number)).unwrap();
            net[peers[number]].unsubscribe("another").unwrap();
            net.settle();
        });
        (connect.units(), publish, subscribe)
    });
    assert_eq!(costs[0], costs[1], "work with {FEW} and {} subscribers", many());
}

/// Publishes `topic`, and receives it at the subscribers in the group of the subscriber with this number.
fn publish(Crowd { net, server, peers }: &mut Crowd, number: usize, topic: &str) {
    net[*server].send(topic).unwrap();
    net.settle();
    let members = number / GROUP * GROUP..(number / GROUP + 1) * GROUP;
    let received = members.filter(|&member| net[peers[member]].recv().is_ok()).count();
    let expected = if topic.starts_with("group") { GROUP } else { usize::from(topic.ends_with("/x")) };
    assert_eq!(received, expected, "subscribers of {topic}");
}

/// Socket without a network, with the connections of its peers.
struct Server {
    socket: Socket,
    connections: Vec<(PipeId, Connection)>,
}

impl Server {
    fn new<T: Kind>(options: Options<T>) -> Self {
        let options = options.max_peers(usize::MAX).heartbeat(MINUTE);
        Self { socket: Socket::new(options, SeededEntropy::new(1)), connections: Vec::new() }
    }

    /// Adds connections until there are `count`. `peer` returns the other end of the connection with a number. The connection is
    /// idle afterwards, and the other end is dropped.
    fn grow(&mut self, count: usize, peer: impl Fn(usize) -> Connection) {
        let listener = self.socket.bind("tcp://*:1".parse().unwrap());
        let from: Endpoint = "tcp://10.0.0.1:1".parse().unwrap();
        for number in self.connections.len()..count {
            let (pipe, mut connection) = self.socket.accepted(listener, from.clone(), NOW).unwrap();
            let mut peer = peer(number);
            let mut is_idle = false;
            while !is_idle {
                is_idle = !transfer(&mut peer, &mut connection);
                self.socket.exchange(pipe, &mut connection).unwrap();
                is_idle &= !transfer(&mut connection, &mut peer);
            }
            assert!(connection.peer().is_some(), "the handshake is complete");
            self.connections.push((pipe, connection));
            while self.socket.poll_action().is_some() {}
        }
    }

    /// Returns the memory per connection in bytes, with few connections and with many.
    fn memory_per_peer(mut self, peer: impl Fn(usize) -> Connection) -> [u64; 2] {
        let mut total = 0;
        [FEW, many()].map(|count| {
            // The table of the test is not part of the socket.
            self.connections.reserve_exact(count - self.connections.len());
            let table = size_of::<(PipeId, Connection)>() as u64;
            total += u64::try_from(measure(|| self.grow(count, &peer)).bytes_current).unwrap();
            assert_eq!(self.socket.poll_timeout(), None, "the socket has no timer for an idle peer");
            total / count as u64 + table
        })
    }
}

/// Moves bytes from one end of a connection to the other. Returns false if there were none.
fn transfer(from: &mut Connection, to: &mut Connection) -> bool {
    let mut moved = false;
    while let Some(out) = from.poll_transmit() {
        to.handle_input(&out.copy_to_bytes(out.remaining()), NOW).unwrap();
        moved = true;
    }
    moved
}

/// Asserts that a peer among many takes at most 3 % more memory than a peer among few. The room that tables reserve for further
/// peers is not the same for every number of peers.
fn assert_level([few, many]: [u64; 2]) {
    assert!(many * 100 <= few * 103, "{few} bytes per peer with {FEW} peers, {many} bytes with more");
}

#[test]
fn memory_of_idle_peer_of_router_does_not_grow() {
    let memory = Server::new(Options::<Router>::new()).memory_per_peer(|number| {
        let mut config = ConnectionConfig::new(SocketType::Dealer);
        config.routing_id = routing_id(number).into();
        Connection::new(&Arc::new(config), &mut SeededEntropy::new(2), NOW)
    });
    assert_level(memory);
}

#[test]
fn memory_of_subscriber_does_not_grow() {
    let config = Arc::new(ConnectionConfig::new(SocketType::Sub));
    let memory = Server::new(Options::<Pub>::new()).memory_per_peer(|number| {
        let mut peer = Connection::new(&config, &mut SeededEntropy::new(2), NOW);
        for prefix in prefixes(number) {
            peer.give(Outbound::Subscription(Subscription::Subscribe(prefix.into())));
        }
        peer
    });
    assert_level(memory);
}
