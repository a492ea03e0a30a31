//! Tests with hostile subscribers, which send very many subscriptions to a publisher.

use futures_util::future::join;
use sansmq::kind::{Pub, Publishes, Sends, Sub, XPub};
use sansmq::{ConnectionError, Handle, Options};
use sansmq_tests::harness::{ANY, Observed, on_each_runtime, run_until};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{command, connect_and_send, frame, greeting_and_ready};
use sansmq_tests::runtimes::RuntimeHandle;
use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

const LIMIT: usize = 2000;

/// A publisher with a connected honest subscriber, and the address to which hostile subscribers connect.
struct Fixture<T: Publishes + Sends> {
    publisher: Handle<T>,
    subscriber: Handle<Sub>,
    at: SocketAddr,
    observed: Observed,
}

impl<T: Publishes + Sends> Fixture<T> {
    async fn new(handle: &RuntimeHandle, options: Options<T>) -> Self {
        let publisher = handle.socket(options.max_subscriptions(LIMIT));
        let subscriber = handle.socket(Options::<Sub>::new());
        let at = publisher.bind(ANY).await.unwrap();
        subscriber.subscribe("honest").unwrap();
        subscriber.connect(&at).unwrap();
        publisher.wait_subscribed("honest", 1).await.unwrap();
        Self { publisher, subscriber, at: at.socket_addr().unwrap(), observed: Observed::default() }
    }

    /// Connects a hostile SUB that sends `flood`, and returns its stream. Returns after `ends` connections have ended,
    /// or, if `ends` is 0, after the whole flood was read. The honest subscriber receives all publications meanwhile.
    async fn serve_during(&mut self, flood: Vec<u8>, ends: usize) -> TcpStream {
        let Self { publisher, subscriber, at, observed } = self;
        let (at, done) = (*at, Cell::new(false));
        let mut monitor = publisher.monitor();
        let attack = async {
            let stream = smol::unblock(move || {
                let mut stream = connect_and_send(at, &greeting_and_ready("SUB")).unwrap();
                let _ = stream.write_all(&flood);
                let _ = stream.write_all(&command("SUBSCRIBE", b"end of flood"));
                stream
            });
            let stream = stream.await;
            if ends == 0 {
                publisher.wait_subscribed("end of flood", 1).await.unwrap();
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

/// Returns `count` different subscriptions, alternately as a command (ZMTP 3.1) and as a message (ZMTP 3.0).
fn subscriptions(count: usize) -> Vec<u8> {
    let each = |number: usize| match number % 2 {
        0 => command("SUBSCRIBE", format!("topic {number}").as_bytes()),
        _ => frame(0, format!("\x01topic {number}").as_bytes()),
    };
    (0..count).flat_map(each).collect()
}

#[test]
fn peer_above_max_subscriptions_is_disconnected() {
    on_each_runtime(async |handle| {
        let long = |number: usize| command("SUBSCRIBE", &[&number.to_be_bytes()[..], &vec![7; 50 << 10]].concat());
        let floods = [subscriptions(LIMIT + 1), (0..20).flat_map(long).collect()];
        let mut fixture = Fixture::new(handle, Options::<Pub>::new()).await;
        let baseline = Memory::now();
        for flood in floods {
            let stream = fixture.serve_during(flood, 1).await;
            assert_eq!(fixture.observed.ends, [ConnectionError::TooManySubscriptions { limit: LIMIT }]);
            // Its subscriptions are out of effect, and are removed in slices.
            while fixture.publisher.subscription_count() > 1 {
                smol::future::yield_now().await;
            }
            fixture.observed = Observed::default();
            drop(stream);
        }
        baseline.assert_growth_below(5 << 20);
    });
}

#[test]
fn subscription_above_max_size_is_not_stored() {
    on_each_runtime(async |handle| {
        const SIZE: usize = 24 << 20;
        let mut fixture = Fixture::new(handle, Options::<Pub>::new()).await;
        let flood = frame(0, &[&[1][..], &vec![b'q'; SIZE]].concat());
        let baseline = Memory::now();
        drop(fixture.serve_during(flood, 1).await);
        let reason = ConnectionError::SubscriptionTooLong { size: SIZE, limit: 64 << 10 };
        assert_eq!(fixture.observed.ends, [reason]);
        assert_eq!(fixture.publisher.subscription_count(), 1);
        // The message, once at the sender and once at the receiver; a stored prefix would take several times as much.
        baseline.assert_growth_below(2 * SIZE + (SIZE >> 1));
    });
}

#[test]
fn repeated_and_cancelled_subscriptions_are_counted_once() {
    on_each_runtime(async |handle| {
        let repeated = command("SUBSCRIBE", b"repeated").repeat(20_000);
        let cancelled = [command("SUBSCRIBE", b"on"), command("CANCEL", b"on"), command("CANCEL", b"unknown")].concat();
        let floods = [(repeated, 3), (cancelled.repeat(10_000), 2)];
        let mut fixture = Fixture::new(handle, Options::<Pub>::new()).await;
        let baseline = Memory::now();
        for (flood, topics) in floods {
            let stream = fixture.serve_during(flood, 0).await;
            assert_eq!(fixture.publisher.subscription_count(), topics, "includes `honest` and `end of flood`");
            drop(stream);
            fixture.publisher.wait_connected(1).await.unwrap();
            while fixture.publisher.subscription_count() > 1 {
                fixture.publisher.send("honest").await.unwrap();
                fixture.subscriber.recv().await.unwrap();
            }
        }
        baseline.assert_growth_below(512 << 10);
    });
}

#[test]
fn unreceived_subscriptions_are_limited_by_recv_hwm() {
    const HWM: usize = 50;
    on_each_runtime(async |handle| {
        let fixture = Fixture::new(handle, Options::<XPub>::new().verbose(true).recv_hwm(HWM)).await;
        let (at, baseline) = (fixture.at, Memory::now());
        let changes = [command("SUBSCRIBE", b"on"), command("CANCEL", b"on")].concat();
        let stream = smol::unblock(move || {
            let stream = connect_and_send(at, &greeting_and_ready("XSUB")).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        });
        let mut stream = stream.await;
        let (batch, mut written) = (changes.repeat(1000), 0);
        // Writes until the system's buffers are full, because the publisher stops reading at the high-water mark.
        while fixture.publisher.stats().incoming.messages < HWM as u64 || written > 0 {
            written = stream.write(&batch).unwrap_or(0);
            fixture.publisher.send("honest").await.unwrap();
            fixture.subscriber.recv().await.unwrap();
        }
        let queued = fixture.publisher.stats().incoming.messages;
        assert!(queued <= HWM as u64 + 1, "{queued} subscriptions are queued; one is of the honest subscriber");
        baseline.assert_growth_below(1 << 20);
        drop(stream);
    });
}

#[test]
fn xpub_receives_each_subscription_and_cancellation() {
    on_each_runtime(async |handle| {
        let mut fixture = Fixture::new(handle, Options::<XPub>::new()).await;
        let publisher = fixture.publisher.clone();
        let balance = Cell::new(0_i64);
        let receive =
            async || balance.set(balance.get() + if publisher.recv().await.unwrap().body()[0] == 1 { 1 } else { -1 });
        let receiving = async {
            loop {
                receive().await;
            }
        };
        let stream = run_until(receiving, fixture.serve_during(subscriptions(LIMIT + 1), 1)).await;
        while balance.get() > 1 {
            receive().await;
        }
        assert_eq!((balance.get(), fixture.publisher.subscription_count()), (1, 1));
        drop(stream);
    });
}
