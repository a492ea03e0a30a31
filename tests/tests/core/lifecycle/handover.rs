//! A ROUTER with the option `handover`, and peers that take over one routing id from each other under random faults.
//! Messages to this id must be sent only on the newest connection with this id. The connection that loses the id must
//! end, with the handover as the reason.

use super::faults::FaultPlan;
use super::{bound, close, connected, ms, s};
use sansmq_proto::kind::{Dealer, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Options, PipeId, SendError};
use sansmq_tests::{events, for_seeds};
use std::collections::{BTreeMap, BTreeSet};

/// Number of peers with other routing ids.
const OTHERS: usize = 2;

/// A ROUTER, DEALERs that have the routing id `shared` (claimants), and DEALERs with other routing ids.
struct Topology {
    router: NodeId,
    others: [NodeId; OTHERS],
    claimants: Vec<Claimant>,
    /// Newest connection with the routing id `shared`, and the index of its claimant; `None` if no connection has this
    /// id.
    owner: Option<(PipeId, usize)>,
    /// Connections that have lost the routing id `shared` to a newer connection and have not ended yet.
    losers: BTreeSet<PipeId>,
    /// Index of the claimant that must receive each message that the router has sent to the routing id `shared`, by
    /// number of the message. Received messages are removed.
    sent: BTreeMap<u32, usize>,
    next: u32,
    /// Number of the last message that the router has received from each claimant, by index of the claimant.
    latest: BTreeMap<usize, u32>,
    received: BTreeSet<(usize, u32)>,
}

struct Claimant {
    node: NodeId,
    reconnects: bool,
    sent: u32,
}

impl Topology {
    fn new(net: &mut Net, faults: &FaultPlan) -> Self {
        let router = bound(net, faults.configure(Options::<Router>::new().handover(true).mandatory(true)));
        let others = [0, 1].map(|number| {
            let options = Options::<Dealer>::new().routing_id(format!("other {number}")).unwrap();
            connected(net, faults.configure(options))
        });
        Self {
            router,
            others,
            claimants: Vec::new(),
            owner: None,
            losers: BTreeSet::new(),
            sent: BTreeMap::new(),
            next: 0,
            latest: BTreeMap::new(),
            received: BTreeSet::new(),
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let claimants = self.claimants.iter().map(|claimant| claimant.node);
        claimants.chain(self.others).chain([self.router]).collect()
    }

    /// Adds a claimant: a DEALER with the routing id `shared`.
    fn add_claimant(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let number = self.claimants.len().to_string();
        let options = Options::<Dealer>::new().routing_id("shared").unwrap().metadata("X-Claimant", number).unwrap();
        let reconnects = faults.one_in(3);
        let node = connected(net, faults.configure(if reconnects { options } else { options.no_reconnect() }));
        self.claimants.push(Claimant { node, reconnects, sent: 0 });
    }

    /// Updates `owner` and `losers` from the events of the router.
    fn update_owner(&mut self, net: &mut Net) {
        for event in events(net, self.router) {
            match event {
                Event::Ready { pipe, peer, routing_id, .. } if routing_id == "shared" => {
                    let number = peer.metadata.get("X-Claimant").expect("claimants send their number as metadata");
                    let number = str::from_utf8(number).unwrap().parse().unwrap();
                    if let Some((loser, _)) = self.owner.replace((pipe, number)) {
                        self.losers.insert(loser);
                    }
                }
                Event::Disconnected { pipe, reason, .. } => {
                    self.owner.take_if(|(owner, _)| *owner == pipe);
                    if self.losers.remove(&pipe) {
                        assert_eq!(reason.to_string(), "a newer connection took over the peer's routing id");
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, net: &mut Net) {
        self.update_owner(net);
        let number = self.next;
        self.next += 1;
        match (net[self.router].send(("shared", number.to_string())), self.owner) {
            (Ok(()), Some((_, claimant))) => {
                self.sent.insert(number, claimant);
            }
            (Err(SendError::Full(_)), Some(_)) | (Err(SendError::Unroutable(_)), None) => {}
            (outcome, owner) => panic!("send returned {outcome:?} while the id belongs to {owner:?}"),
        }
        let other = number as usize % OTHERS;
        let _ = net[self.router].send((format!("other {other}"), format!("for other {other}")));
    }

    /// Receives all messages at all DEALERs, and checks that each message has arrived at the right one. For a message
    /// to the routing id `shared`, this is the DEALER that had this id when the router sent the message. The body of a
    /// message to another DEALER contains the number of that DEALER.
    fn recv(&mut self, net: &mut Net) {
        for (number, claimant) in self.claimants.iter().enumerate() {
            while let Ok(message) = net[claimant.node].recv() {
                let text = message.body().to_text().into_owned();
                let to = text.parse().ok().and_then(|text| self.sent.remove(&text));
                assert_eq!(to, Some(number), "claimant {number} received {text}");
            }
        }
        for (number, other) in self.others.into_iter().enumerate() {
            while let Ok(message) = net[other].recv() {
                assert_eq!(message.body().to_text(), format!("for other {number}"));
            }
        }
    }

    /// Receives all messages at the router, and checks their order and that none is a duplicate.
    fn router_recv(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.router].recv() {
            assert_eq!(message.head(), "shared", "only claimants send messages");
            let text = message.body().to_text().into_owned();
            let (claimant, number) = text.split_once(' ').expect("a message contains the number of its claimant");
            let (claimant, number) = (claimant.parse().unwrap(), number.parse().unwrap());
            assert!(self.received.insert((claimant, number)), "{text} was received twice");
            let latest = self.latest.insert(claimant, number);
            // Order is guaranteed only within one connection.
            assert!(
                self.claimants[claimant].reconnects || latest.is_none_or(|latest| latest < number),
                "{text} was received after {latest:?}"
            );
        }
    }
}

#[test]
fn handover_routes_to_the_newest_owner_and_ends_the_loser() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut topology = Topology::new(&mut net, &faults);
        for _ in 0..150 {
            match faults.pick(8) {
                0 if topology.claimants.len() < 8 => topology.add_claimant(&mut net, &mut faults),
                1..=2 if !topology.claimants.is_empty() => {
                    let number = faults.pick(topology.claimants.len());
                    let claimant = &mut topology.claimants[number];
                    if net[claimant.node].send(format!("{number} {}", claimant.sent)).is_ok() {
                        claimant.sent += 1;
                    }
                }
                3..=5 => topology.send(&mut net),
                6 => topology.router_recv(&mut net),
                _ => topology.recv(&mut net),
            }
            topology.update_owner(&mut net);
            faults.inject(&mut net, &topology.nodes());
        }
        // Reconnecting claimants would take the id from each other without end: close them, and add one more claimant.
        for claimant in topology.claimants.iter().filter(|claimant| claimant.reconnects) {
            close(&mut net, claimant.node);
        }
        FaultPlan::end_faults(&mut net, &topology.nodes());
        topology.add_claimant(&mut net, &mut faults);
        for _ in 0..10 {
            topology.router_recv(&mut net);
            topology.update_owner(&mut net);
            topology.recv(&mut net);
            net.advance(s(5));
        }
        topology.update_owner(&mut net);
        let newest = topology.claimants.len() - 1;
        assert_eq!(topology.owner.map(|(_, claimant)| claimant), Some(newest));
        assert_eq!(topology.losers, BTreeSet::new(), "connections without the id have not ended");
        for (number, claimant) in topology.claimants.iter().enumerate() {
            assert_eq!(net.connections(claimant.node), usize::from(number == newest), "claimant {number}");
        }
        topology.send(&mut net);
        let last = topology.next - 1;
        net.advance(ms(5000));
        topology.recv(&mut net);
        assert_eq!(topology.sent.get(&last), None, "the newest owner has not received the message");
        assert_eq!(net.connections(topology.router), 1 + OTHERS);
    });
}
