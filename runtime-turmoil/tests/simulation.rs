//! Sockets in simulations of turmoil: partitions, crashes, and reproducible runs.

use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::{Event, NetworkError, Options};
use sansmq_runtime::{CurrentRuntime, StartError};
use sansmq_turmoil::{Socket, Turmoil};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;
use turmoil::{Builder, Sim};

const ENDPOINT: &str = "tcp://server:5555";

/// Lines with the virtual time, in the order of their creation.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: &str) {
        self.0
            .lock()
            .expect("no test panics while it holds the lock")
            .push(format!("{:.3} s: {what}", turmoil::elapsed().as_secs_f64()));
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no test panics while it holds the lock").clone()
    }

    /// Asserts that each of `parts` is in a line of the log, in this order.
    fn assert_contains(&self, parts: &[&str]) {
        let lines = self.lines();
        let mut rest = lines.iter();
        for part in parts {
            assert!(rest.any(|line| line.contains(part)), "{part}: {lines:#?}");
        }
    }
}

fn simulation(seed: u64) -> Sim<'static> {
    sansmq_turmoil::seed(seed);
    Builder::new().rng_seed(seed).simulation_duration(Duration::from_secs(60)).build()
}

/// Adds a host with a ROUTER that returns each message.
fn add_server(sim: &mut Sim<'_>) {
    sim.host("server", || async {
        let router = Socket::with_options(Options::<Router>::new());
        router.bind("tcp://*:5555").await?;
        loop {
            let message = router.recv().await?;
            router.send(message).await?;
        }
    });
}

/// Creates a DEALER that is connected to the server, detects a lost connection within two seconds, and logs its events.
fn connected_dealer(log: &Log) -> Socket<Dealer> {
    let interval = Duration::from_millis(100);
    let options = Options::<Dealer>::new().heartbeat(Duration::from_secs(1)).reconnect(interval, interval);
    let dealer = Socket::with_options(options);
    let (mut monitor, log) = (dealer.monitor(), log.clone());
    tokio::spawn(async move {
        while let Some(event) = monitor.next().await {
            log.note(&event.to_string());
        }
    });
    dealer.connect(ENDPOINT).expect("the endpoint is valid");
    dealer
}

async fn expect_echo(dealer: &Socket<Dealer>, log: &Log, text: &str) {
    dealer.send(text).await.expect("the socket is open");
    assert_eq!(dealer.recv().await.expect("the socket is open").body(), text);
    log.note(text);
}

fn partition_and_repair(seed: u64) -> Log {
    let (mut sim, log) = (simulation(seed), Log::default());
    add_server(&mut sim);
    let client_log = log.clone();
    sim.client("client", async move {
        let dealer = connected_dealer(&client_log);
        expect_echo(&dealer, &client_log, "before the partition").await;
        turmoil::partition("client", "server");
        sleep(Duration::from_secs(5)).await;
        dealer.send("sent during the partition").await?;
        turmoil::repair("client", "server");
        assert_eq!(dealer.recv().await?.body(), "sent during the partition");
        expect_echo(&dealer, &client_log, "after the partition").await;
        Ok(())
    });
    sim.run().expect("the simulation ends in time");
    log
}

#[test]
fn socket_reconnects_after_a_partition() {
    partition_and_repair(1).assert_contains(&[
        "before the partition",
        "the peer did not answer a heartbeat in time",
        "refused",
        "after the partition",
    ]);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let runs: Vec<_> = (0..5).map(|seed| partition_and_repair(seed).lines()).collect();
    for (seed, run) in (0..).zip(&runs) {
        assert_eq!(*run, partition_and_repair(seed).lines(), "seed {seed}");
        assert_eq!(runs.iter().filter(|other| *other == run).count(), 1, "other seeds have other runs: {run:#?}");
    }
}

#[test]
fn socket_reconnects_to_a_restarted_host() {
    let (mut sim, log) = (simulation(2), Log::default());
    add_server(&mut sim);
    let client_log = log.clone();
    sim.client("client", async move {
        let dealer = connected_dealer(&client_log);
        expect_echo(&dealer, &client_log, "before the crash").await;
        sleep(Duration::from_secs(10)).await;
        expect_echo(&dealer, &client_log, "after the start").await;
        Ok(())
    });
    let step_until = |end: u64, sim: &mut Sim<'_>| {
        while sim.elapsed() < Duration::from_secs(end) {
            assert!(!sim.step().unwrap(), "the client must still run at {:?}", sim.elapsed());
        }
    };
    step_until(2, &mut sim);
    sim.crash("server");
    step_until(8, &mut sim);
    sim.bounce("server");
    sim.run().unwrap();
    log.assert_contains(&["before the crash", "the peer closed the connection", "refused", "after the start"]);
}

#[test]
fn large_messages_arrive_complete_and_in_order() {
    let mut sim = simulation(3);
    sim.host("server", || async {
        let push = Socket::with_options(Options::<Push>::new());
        push.bind("tcp://*:5555").await?;
        for size in (0..1 << 21).step_by(100_003) {
            push.send(vec![7; size]).await?;
        }
        push.close().await;
        Ok(())
    });
    sim.client("client", async {
        let pull = Socket::with_options(Options::<Pull>::new());
        pull.connect(ENDPOINT)?;
        for size in (0..1 << 21).step_by(100_003) {
            assert_eq!(pull.recv().await?.body().len(), size);
        }
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn two_hosts_bind_the_same_port() {
    let mut sim = simulation(4);
    add_server(&mut sim);
    sim.client("client", async {
        let log = Log::default();
        let router = Socket::with_options(Options::<Router>::new());
        assert_eq!(router.bind("tcp://*:5555").await?.to_string(), "tcp://0.0.0.0:5555");
        expect_echo(&connected_dealer(&log), &log, "to the other host").await;
        drop(router);
        // Waits until the former listener is closed.
        let router = Socket::with_options(Options::<Router>::new());
        router.bind("tcp://*:5555").await?;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn unknown_hosts_and_transports_are_errors() {
    let mut sim = simulation(5);
    sim.client("client", async {
        let dealer = Socket::with_options(Options::<Dealer>::new());
        let mut monitor = dealer.monitor();
        dealer.connect("tcp://nowhere:1")?;
        let failed = monitor.find(|event| match event {
            Event::ConnectFailed { error, .. } => Some(error),
            _ => None,
        });
        assert_eq!(failed.await, Some(NetworkError::UnknownHost));
        let error = dealer.bind("ipc://*").await.unwrap_err().to_string();
        assert!(error.contains("does not support the transport"), "{error}");
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn socket_outside_of_a_simulation_is_an_error() {
    assert!(matches!(Turmoil::try_current(), Err(StartError::NoRuntime("turmoil"))));
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async { assert!(matches!(Turmoil::try_current(), Err(StartError::NoRuntime("turmoil")))) });
}
