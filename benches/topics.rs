//! What it costs an XPUB to find out whom a message is for, without any IO. What is queued for the one peer is taken out again,
//! which costs a part of each figure.
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

/// How many subscriptions the one peer has.
const SUBSCRIPTIONS: [usize; 3] = [10, 1000, 1_000_000];

/// Messages per iteration; fewer than the high-water mark.
const BATCH: usize = 500;

const NOW: Instant = Instant::ORIGIN;

/// Ten topics, the same whatever else there is: what the search itself costs.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching_the_same_ten(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..10).cycle().map(topic);
    bench(bencher, subscriptions, || topics.next().expect("it goes round and round"));
}

/// Topics from all over what the peer has subscribed to: most of what the search looks at lies outside the caches.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..subscriptions).cycle().step_by(7919).map(topic);
    bench(bencher, subscriptions, || topics.next().expect("it goes round and round"));
}

/// Each topic that the peer has subscribed to in its turn, far from the one before: what the search looks at was looked at a
/// million messages ago.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_matching_each_in_turn(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut stage = Stage::new(subscriptions);
    let topics: Vec<_> = (0..subscriptions).map(|place| topic(place * 7919 % subscriptions)).collect();
    let mut topics = topics.iter().cycle();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for topic in topics.by_ref().take(BATCH) {
            black_box(stage.socket.send(topic.as_str())).expect("it drops and does not fail");
        }
        stage.drain();
    });
}

/// Nobody has subscribed to what is sent, though it begins like what was subscribed to.
#[divan::bench(args = SUBSCRIPTIONS)]
fn send_not_matching(bencher: Bencher<'_, '_>, subscriptions: usize) {
    let mut topics = (0..subscriptions).cycle().step_by(7919).map(|number| topic(number).replace(':', "!"));
    bench(bencher, subscriptions, || topics.next().expect("it goes round and round"));
}

fn bench(bencher: Bencher<'_, '_>, subscriptions: usize, mut topic: impl FnMut() -> String) {
    let mut stage = Stage::new(subscriptions);
    let topics: Vec<_> = (0..BATCH).map(|_| topic()).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for topic in &topics {
            black_box(stage.socket.send(topic.as_str())).expect("it drops and does not fail");
        }
        stage.drain();
    });
}

/// An XPUB, and the connection to its peer, whose octets go nowhere.
struct Stage {
    socket: Socket,
    pipe: PipeId,
    connection: Connection,
}

impl Stage {
    fn new(subscriptions: usize) -> Self {
        let options = Options::<kind::XPub>::new().max_subscriptions(subscriptions).expect("it is not zero");
        let mut socket = Socket::new(options, SystemEntropy);
        let listener = socket.bind("tcp://here:1".parse().expect("it is an endpoint"));
        let place = "tcp://peer:1".parse().expect("it is an endpoint");
        let (pipe, connection) = socket.accepted(listener, place, NOW).expect("it listens");
        let mut stage = Self { socket, pipe, connection };
        let mut peer = Connection::new(&ConnectionConfig::new(SocketType::Sub).into(), &mut SystemEntropy, NOW);
        for _ in 0..3 {
            carry(&mut peer, &mut stage.connection);
            carry(&mut stage.connection, &mut peer);
        }
        for number in 0..subscriptions {
            peer.give(sansmq::proto::connection::Outbound::Subscription(Subscription::Subscribe(topic(number).into())));
            if number % 500 == 0 || number + 1 == subscriptions {
                carry(&mut peer, &mut stage.connection);
                stage.listen();
            }
        }
        assert_eq!(stage.socket.subscription_count(), subscriptions);
        stage
    }

    /// Hears what the peer asks for.
    fn listen(&mut self) {
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
        self.socket.exchange(self.pipe, &mut self.connection).expect("the peer is well behaved");
    }
}

fn carry(from: &mut Connection, to: &mut Connection) {
    while let Some(out) = from.poll_transmit() {
        let octets = out.copy_to_bytes(out.remaining());
        to.handle_input(&octets, NOW).expect("they speak the same protocol");
    }
}
