//! Those who subscribe to more than anybody would.

use futures_util::future::join;
use sansmq::kind::{Pub, Publishes, Sends, Sub, XPub};
use sansmq::{ConnectionError, Handle, Options};
use sansmq_tests::harness::{ANY, Observed, on_each_runtime, run_until};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{command, frame, opening, say};
use sansmq_tests::runtimes::RuntimeHandle;
use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

const LIMIT: usize = 2000;

/// A publisher that strangers come to, and an honest subscriber.
struct Scene<T: Publishes + Sends> {
    publisher: Handle<T>,
    subscriber: Handle<Sub>,
    at: SocketAddr,
    observed: Observed,
}

impl<T: Publishes + Sends> Scene<T> {
    async fn set(handle: &RuntimeHandle, options: Options<T>) -> Self {
        let publisher = handle.socket(options.max_subscriptions(LIMIT).unwrap());
        let subscriber = handle.socket(Options::<Sub>::new());
        let at = publisher.bind(ANY).await.unwrap();
        subscriber.subscribe("honest").unwrap();
        subscriber.connect(&at).unwrap();
        publisher.wait_subscribed("honest", 1).await;
        Self { publisher, subscriber, at: at.socket_addr().unwrap(), observed: Observed::default() }
    }

    /// Has a stranger come and say this; the honest subscriber receives all that is published meanwhile. Until so many
    /// connections have ended, or, if none is to end, until all is said and has been observed.
    async fn serve_during(&mut self, flood: Vec<u8>, ends: usize) -> TcpStream {
        let Self { publisher, subscriber, at, observed } = self;
        let (at, done) = (*at, Cell::new(false));
        let mut monitor = publisher.monitor();
        let attack = async {
            let stream = smol::unblock(move || {
                let mut stream = say(at, &opening("SUB")).unwrap();
                let _ = stream.write_all(&flood);
                let _ = stream.write_all(&command("SUBSCRIBE", b"all is said"));
                stream
            });
            let stream = stream.await;
            if ends == 0 {
                publisher.wait_subscribed("all is said", 1).await;
            }
            while observed.ends.len() < ends {
                observed.note(monitor.next().await.unwrap());
            }
            done.set(true);
            stream
        };
        let publishing = async {
            let mut number = 0_u64;
            while number < 100 || !done.get() {
                publisher.send(format!("honest {number}")).await.unwrap();
                assert_eq!(subscriber.recv().await.unwrap().body().to_text(), format!("honest {number}"));
                number += 1;
            }
        };
        join(attack, publishing).await.0
    }
}

/// Subscriptions to so many different things, as commands and as the messages of older peers.
fn different(count: usize) -> Vec<u8> {
    let each = |number: usize| match number % 2 {
        0 => command("SUBSCRIBE", format!("topic {number}").as_bytes()),
        _ => frame(0, format!("\x01topic {number}").as_bytes()),
    };
    (0..count).flat_map(each).collect()
}

#[test]
fn a_subscriber_to_too_much_loses_its_connection_and_the_publisher_forgets_all_of_it() {
    on_each_runtime(async |handle| {
        let long = |number: usize| command("SUBSCRIBE", &[&number.to_be_bytes()[..], &vec![7; 100 << 10]].concat());
        let longest = [&[1][..], &vec![7; LIMIT * 257]].concat();
        let floods = [different(LIMIT + 1), (0..10).flat_map(long).collect(), frame(0, &longest)];
        let mut scene = Scene::set(handle, Options::<Pub>::new()).await;
        let baseline = Memory::now();
        for flood in floods {
            let stream = scene.serve_during(flood, 1).await;
            assert_eq!(scene.observed.ends, [ConnectionError::TooManySubscriptions { limit: LIMIT }]);
            assert_eq!(scene.publisher.subscription_count(), 1);
            scene.observed = Observed::default();
            drop(stream);
        }
        baseline.grew_less_than(5 << 20);
    });
}

#[test]
fn the_same_subscription_again_and_again_is_one_and_what_is_taken_back_is_none() {
    on_each_runtime(async |handle| {
        let same = command("SUBSCRIBE", b"the same").repeat(20_000);
        let turns = [command("SUBSCRIBE", b"on"), command("CANCEL", b"on"), command("CANCEL", b"never on")].concat();
        let floods = [(same, 3), (turns.repeat(10_000), 2)];
        let mut scene = Scene::set(handle, Options::<Pub>::new()).await;
        let baseline = Memory::now();
        for (flood, topics) in floods {
            let stream = scene.serve_during(flood, 0).await;
            assert_eq!(
                scene.publisher.subscription_count(),
                topics,
                "the honest one's and the sign of the end are there too"
            );
            drop(stream);
            scene.publisher.wait_connected(1).await;
            while scene.publisher.subscription_count() > 1 {
                scene.publisher.send("honest").await.unwrap();
                scene.subscriber.recv().await.unwrap();
            }
        }
        baseline.grew_less_than(512 << 10);
    });
}

#[test]
fn subscriptions_that_no_application_receives_wait_within_the_mark_and_the_rest_with_the_peer() {
    const MARK: usize = 50;
    on_each_runtime(async |handle| {
        let scene = Scene::set(handle, Options::<XPub>::new().verbose(true).recv_hwm(MARK)).await;
        let (at, baseline) = (scene.at, Memory::now());
        let turns = [command("SUBSCRIBE", b"on"), command("CANCEL", b"on")].concat();
        let stream = smol::unblock(move || {
            let stream = say(at, &opening("XSUB")).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        });
        let mut stream = stream.await;
        let (some, mut written) = (turns.repeat(1000), 0);
        // The system's buffers are full at last, for nobody reads on.
        while scene.publisher.stats().incoming.messages < MARK as u64 || written > 0 {
            written = stream.write(&some).unwrap_or(0);
            scene.publisher.send("honest").await.unwrap();
            scene.subscriber.recv().await.unwrap();
        }
        let waiting = scene.publisher.stats().incoming.messages;
        assert!(waiting <= MARK as u64 + 1, "{waiting}; one is the honest subscriber's");
        baseline.grew_less_than(1 << 20);
        drop(stream);
    });
}

#[test]
fn an_application_that_receives_hears_of_each_subscription_and_of_its_end() {
    on_each_runtime(async |handle| {
        let mut scene = Scene::set(handle, Options::<XPub>::new()).await;
        let publisher = scene.publisher.clone();
        let held = Cell::new(0_i64);
        let receive =
            async || held.set(held.get() + if publisher.recv().await.unwrap().body()[0] == 1 { 1 } else { -1 });
        let receiving = async {
            loop {
                receive().await;
            }
        };
        let stream = run_until(receiving, scene.serve_during(different(LIMIT + 1), 1)).await;
        while held.get() > 1 {
            receive().await;
        }
        assert_eq!((held.get(), scene.publisher.subscription_count()), (1, 1));
        drop(stream);
    });
}
