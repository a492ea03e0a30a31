//! Cost of the lookup of subscribers for a message in an XPUB, without IO. The results include the removal of queued messages.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench topics
//! ```

#[path = "bare/topic.rs"]
mod topic;

use bytes::Buf;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use sansmq::proto::connection::{ConnectionConfig, Link, Subscription};
use sansmq::proto::{Connection, Instant, Options, PipeId, Socket, SocketType, SystemEntropy, kind};
use std::time::Duration;
use topic::topic;

fn main() {
    divan::Divan::default().min_time(Duration::from_millis(200)).config_with_args().main();
}

/// Numbers of subscriptions of the only peer. Each benchmark runs once for each of these numbers.
const SUBSCRIPTIONS: [usize; 3] = [10, 1000, 1_000_000];

/// Number of messages per iteration. It is below the high-water mark.
const BATCH: usize = 500;

const NOW: Instant = Instant::ORIGIN;

/// Sends on the same ten topics, so that the trie nodes stay in the caches.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching_the_same_ten(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..10).cycle().map(topic);
    bench(bencher, subscriptions, || topics.next().expect("the iterator is endless"));
}

/// Sends on topics spread over all subscriptions, so that most trie nodes are not in the caches.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..subscriptions).cycle().step_by(7919).map(topic);
    bench(bencher, subscriptions, || topics.next().expect("the iterator is endless"));
}

/// Sends on all topics, one after another. Successive topics are far from each other. With a million subscriptions,
/// each trie node was last used a million messages ago.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching_each_in_turn(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut publisher = Publisher::new(subscriptions);
    let topics: Vec<_> = (0..subscriptions).map(|number| topic(number * 7919 % subscriptions)).collect();
    let mut topics = topics.iter().cycle();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for topic in topics.by_ref().take(BATCH) {
            black_box(publisher.socket.send(topic.as_str())).expect("a full queue drops the message");
        }
        publisher.drain();
    });
}

/// Sends on topics without subscriptions that share a prefix with subscriptions.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_not_matching(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..subscriptions).cycle().step_by(7919).map(|number| topic(number).replace(':', "!"));
    bench(bencher, subscriptions, || topics.next().expect("the iterator is endless"));
}

fn bench(bencher: Bencher<'_, '_>, subscriptions: usize, mut topic: impl FnMut() -> String) {
    let mut publisher = Publisher::new(subscriptions);
    let topics: Vec<_> = (0..BATCH).map(|_| topic()).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for topic in &topics {
            black_box(publisher.socket.send(topic.as_str())).expect("a full queue drops the message");
        }
        publisher.drain();
    });
}

/// An XPUB and its connection to the only peer. Bytes for the peer are discarded.
struct Publisher {
    socket: Socket,
    pipe: PipeId,
    connection: Connection,
}

impl Publisher {
    fn new(subscriptions: usize) -> Self {
        let options = Options::<kind::XPub>::new().max_subscriptions(subscriptions);
        let mut socket = Socket::new(options, SystemEntropy);
        let listener = socket.bind("tcp://server:1".parse().expect("a valid endpoint"));
        let peer = "tcp://peer:1".parse().expect("a valid endpoint");
        let (pipe, connection) = socket.accepted(listener, peer, NOW).expect("the socket is listening");
        let mut publisher = Self { socket, pipe, connection };
        let mut peer = Connection::new(&ConnectionConfig::new(SocketType::Sub).into(), &mut SystemEntropy, NOW);
        for _ in 0..3 {
            transfer(&mut peer, &mut publisher.connection);
            transfer(&mut publisher.connection, &mut peer);
        }
        for number in 0..subscriptions {
            peer.give(sansmq::proto::connection::Outbound::Subscription(Subscription::Subscribe(topic(number).into())));
            if number % 500 == 0 || number + 1 == subscriptions {
                transfer(&mut peer, &mut publisher.connection);
                publisher.handle_subscriptions();
            }
        }
        assert_eq!(publisher.socket.subscription_count(), subscriptions);
        publisher
    }

    /// Handles the subscriptions that have arrived.
    fn handle_subscriptions(&mut self) {
        self.exchange();
        while self.socket.recv().is_ok() {}
        self.exchange();
        while self.socket.poll_action().is_some() {}
    }

    fn drain(&mut self) {
        loop {
            self.exchange();
            let Some(out) = self.connection.poll_transmit() else { break };
            out.advance(out.remaining());
        }
        while self.socket.poll_action().is_some() {}
    }

    fn exchange(&mut self) {
        self.socket.exchange(self.pipe, &mut self.connection).expect("the peer follows the protocol");
    }
}

fn transfer(from: &mut Connection, to: &mut Connection) {
    while let Some(out) = from.poll_transmit() {
        let bytes = out.copy_to_bytes(out.remaining());
        to.handle_input(&bytes, NOW).expect("the sender follows the protocol");
    }
}
