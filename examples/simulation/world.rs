//! Network with a broker, workers and clients, random faults, and what must hold in spite of them.

use super::broker::LIVENESS;
use super::nodes::{BrokerNode, Client, RETRY, Worker};
use sansmq_proto::Instant;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::testing::{Net, NodeId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum time that bytes are in flight.
const LATENCY: Duration = Duration::from_millis(50);

/// Runs a network with a hundred random faults. Returns the network, and what did not hold.
pub(crate) fn simulate(seed: u64) -> (World, Result<(), String>) {
    let (mut world, mut dice) = (World::new(seed), SeededEntropy::new(seed));
    let outcome = world.run((0..100).map(|_| dice.next_u64().to_le_bytes()[0]));
    (world, outcome)
}

pub(crate) struct World {
    pub(crate) net: Net,
    broker: NodeId,
    workers: [NodeId; 4],
    clients: [NodeId; 2],
    /// Workers that cannot reach the broker, each with the time since when.
    lost: BTreeMap<String, Instant>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut net = Net::seeded(seed).latency(Duration::from_millis(1)..=LATENCY).chunks(1..=100);
        let broker = net.node(BrokerNode::start);
        let workers = [1, 2, 3, 4].map(|number| net.node(move |node| Worker::start(node, &format!("worker {number}"))));
        let clients = [(); 2].map(|()| net.node(Client::start));
        Self { net, broker, workers, clients, lost: BTreeMap::new() }
    }

    /// Runs the network, with a fault or the end of a fault for each byte of `choices`. Then ends all faults, and checks that
    /// each client gets replies.
    pub(crate) fn run(&mut self, choices: impl IntoIterator<Item = u8>) -> Result<(), String> {
        for choice in choices {
            self.choose(choice);
            self.pass(Duration::from_millis(300) * u32::from(choice / 40))?;
        }
        self.net.heal_partitions();
        for node in self.workers.into_iter().chain([self.broker]) {
            self.net.resume(node);
            self.net.start(node);
        }
        self.pass(Duration::from_secs(10))?;
        let before = self.replies();
        self.pass(RETRY * 2)?;
        let after = self.replies();
        if after.iter().zip(before).all(|(after, before)| *after > before) { Ok(()) } else { Err("no replies".into()) }
    }

    fn choose(&mut self, choice: u8) {
        let node = self.workers.get(usize::from(choice % 5)).copied().unwrap_or(self.broker);
        match choice / 5 % 8 {
            0 => self.net.crash(node),
            1 | 2 => self.net.start(node),
            3 if node != self.broker => self.net.suspend(node),
            4 => self.net.resume(node),
            5 if node == self.broker => self.net.partition(&[node], &self.workers),
            5 => self.net.partition(&[node], &[self.broker]),
            6 => self.net.heal_partitions(),
            _ => {} // no fault
        }
    }

    /// Lets time pass, and checks which workers got requests meanwhile.
    fn pass(&mut self, duration: Duration) -> Result<(), String> {
        let now = self.net.now();
        for (number, &worker) in (1..).zip(&self.workers) {
            let name = format!("worker {number}");
            if self.net.can_reach(self.broker, worker) {
                self.lost.remove(&name);
            } else {
                self.lost.entry(name).or_insert(now);
            }
        }
        self.net.advance(duration);
        let broker = self.net.application_mut::<BrokerNode>(self.broker);
        for (at, worker) in broker.map(|broker| std::mem::take(&mut broker.assigned)).unwrap_or_default() {
            let lost = self.lost.get(&worker).map_or(Duration::ZERO, |&since| at.since(since));
            if lost > LIVENESS + LATENCY {
                return Err(format!("{worker} got a request after it was lost for {lost:.1?}"));
            }
        }
        Ok(())
    }

    fn replies(&self) -> [u32; 2] {
        self.clients.map(|client| self.net.application::<Client>(client).expect("clients do not crash").request)
    }
}
