//! Requests through a chain of two brokers that crash: each reply belongs to its request, and a client that repeats a
//! lost request finally receives a reply.

use super::faults::FaultPlan;
use super::{ms, s};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Rep, Req, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Instant, Message, Options, RecvError, SendError};
use sansmq_tests::for_seeds;
use std::collections::BTreeSet;

const FRONT_ENDPOINTS: [&str; 2] = ["tcp://first:1", "tcp://second:1"];
const WORKER_ENDPOINT: &str = "tcp://second:2";

/// Number of requests of each client.
const REQUESTS: u32 = 4;
/// Time without a reply after which a client repeats a request.
const RETRY_AFTER: Duration = s(10);

/// Broker: a ROUTER that receives requests, and a DEALER that forwards them to the next broker or to the workers.
struct Broker {
    front: NodeId,
    back: NodeId,
    /// High-water marks of the broker's sockets, in messages: first for replies, then for requests.
    marks: [usize; 2],
    /// Request that the broker has received but could not forward yet, if any.
    pending: Option<Message>,
}

impl Broker {
    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let marks = [1 + faults.pick(9), 1 + faults.pick(9)];
        let front = net.socket(Self::front(faults, marks));
        let back = net.socket(Self::back(faults, marks));
        Self { front, back, marks, pending: None }
    }

    fn front(faults: &FaultPlan, marks: [usize; 2]) -> Options<Router> {
        faults.configure(Options::new().send_hwm(marks[0]).recv_hwm(marks[1]))
    }

    fn back(faults: &FaultPlan, marks: [usize; 2]) -> Options<Dealer> {
        faults.configure(Options::new().send_hwm(marks[1]).recv_hwm(marks[0]))
    }

    fn restart(&mut self, net: &mut Net, faults: &FaultPlan) {
        net.restart(self.front, Self::front(faults, self.marks));
        net.restart(self.back, Self::back(faults, self.marks));
        self.pending = None;
    }

    fn forward(&mut self, net: &mut Net) {
        while let Some(request) = self.pending.take().or_else(|| net[self.front].recv().ok()) {
            match net[self.back].send(request) {
                Ok(()) => {}
                Err(SendError::Full(request)) => {
                    self.pending = Some(request);
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        while let Ok(reply) = net[self.back].recv() {
            net[self.front].send(reply).unwrap();
        }
    }
}

/// REQ that sends [`REQUESTS`] requests, one after another.
struct Client {
    number: usize,
    node: NodeId,
    /// True if the client repeats a lost request on the same socket (option `relaxed`). If false, the client restarts
    /// its socket instead.
    relaxed: bool,
    request: u32,
    /// Number of requests sent by this client so far, including repeated ones. Each request contains this number, so
    /// that the reply to an earlier attempt is detected.
    attempt: u32,
    /// Time at which the last request was sent, from which [`RETRY_AFTER`] is counted; `None` if no request waits for
    /// its reply.
    sent_at: Option<Instant>,
}

impl Client {
    fn options(relaxed: bool, faults: &FaultPlan) -> Options<Req> {
        faults.configure(Options::new().relaxed(relaxed).correlate(relaxed))
    }

    fn text(&self) -> String {
        format!("request {} of client {}, attempt {}", self.request, self.number, self.attempt)
    }

    fn step(&mut self, net: &mut Net, faults: &FaultPlan) {
        if self.sent_at.is_some() {
            match net[self.node].recv() {
                Ok(reply) => {
                    assert_eq!(reply, Message::from(format!("reply to {}", self.text())));
                    (self.request, self.sent_at) = (self.request + 1, None);
                }
                Err(RecvError::PeerLost { .. }) => self.sent_at = None,
                Err(RecvError::Empty) => {}
                Err(other) => panic!("{other}"),
            }
        }
        if self.sent_at.is_some_and(|sent_at| net.now().since(sent_at) > RETRY_AFTER) {
            if !self.relaxed {
                net.restart(self.node, Self::options(false, faults));
                net.connect(self.node, FRONT_ENDPOINTS[0]);
            }
            self.sent_at = None;
        }
        if self.sent_at.is_none() && self.request < REQUESTS {
            self.attempt += 1;
            match net[self.node].send(self.text()) {
                Ok(()) => self.sent_at = Some(net.now()),
                Err(SendError::Full(_)) => self.attempt -= 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
}

/// Clients, two brokers in a chain, and the workers behind the second broker.
struct Topology {
    clients: Vec<Client>,
    brokers: [Broker; 2],
    workers: Vec<NodeId>,
    /// Different requests that the workers have received so far.
    requests: BTreeSet<String>,
}

impl Topology {
    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let brokers = [Broker::new(net, faults), Broker::new(net, faults)];
        let clients = (0..5).map(|number| {
            let relaxed = number % 2 == 0;
            let node = net.socket(Client::options(relaxed, faults));
            net.connect(node, FRONT_ENDPOINTS[0]);
            Client { number, node, relaxed, request: 0, attempt: 0, sent_at: None }
        });
        let clients = clients.collect();
        let workers = (0..3).map(|_| net.socket(faults.configure(Options::<Rep>::new()))).collect();
        let topology = Self { clients, brokers, workers, requests: BTreeSet::new() };
        for broker in 0..2 {
            topology.open(net, broker);
        }
        for &worker in &topology.workers {
            net.connect(worker, WORKER_ENDPOINT);
        }
        topology
    }

    /// Binds and connects the two sockets of the broker with the index `broker` in the chain.
    fn open(&self, net: &mut Net, broker: usize) {
        net.bind(self.brokers[broker].front, FRONT_ENDPOINTS[broker]);
        if broker == 0 {
            net.connect(self.brokers[0].back, FRONT_ENDPOINTS[1]);
        } else {
            net.bind(self.brokers[1].back, WORKER_ENDPOINT);
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let brokers = self.brokers.iter().flat_map(|broker| [broker.front, broker.back]);
        self.clients.iter().map(|client| client.node).chain(brokers).chain(self.workers.iter().copied()).collect()
    }

    fn serve(&mut self, net: &mut Net, worker: usize) {
        let worker = self.workers[worker];
        if let Ok(request) = net[worker].recv() {
            let text = request.body().to_text().into_owned();
            net[worker].send(format!("reply to {text}")).unwrap();
            assert!(!self.requests.contains(&text), "{text} was received twice");
            self.requests.insert(text);
        }
    }

    fn crash(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let broker = faults.pick(4);
        if broker < 2 {
            self.brokers[broker].restart(net, faults);
            self.open(net, broker);
        } else {
            let worker = self.workers[faults.pick(self.workers.len())];
            net.restart(worker, faults.configure(Options::<Rep>::new()));
            net.connect(worker, WORKER_ENDPOINT);
        }
    }

    fn step_all(&mut self, net: &mut Net, faults: &FaultPlan) {
        for client in &mut self.clients {
            client.step(net, faults);
        }
        for broker in &mut self.brokers {
            broker.forward(net);
        }
        for worker in 0..self.workers.len() {
            self.serve(net, worker);
        }
    }
}

#[test]
fn clients_get_their_replies_through_crashing_brokers() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut topology = Topology::new(&mut net, &mut faults);
        for _ in 0..150 {
            match faults.pick(4) {
                0 => {
                    let client = faults.pick(topology.clients.len());
                    topology.clients[client].step(&mut net, &faults);
                }
                1 => topology.brokers[faults.pick(2)].forward(&mut net),
                2 => {
                    let worker = faults.pick(topology.workers.len());
                    topology.serve(&mut net, worker);
                }
                _ => topology.step_all(&mut net, &faults),
            }
            if faults.cuts && faults.one_in(25) {
                topology.crash(&mut net, &mut faults);
            }
            faults.inject(&mut net, &topology.nodes());
        }
        FaultPlan::end_faults(&mut net, &topology.nodes());
        for _ in 0..2000 {
            if topology.clients.iter().all(|client| client.request == REQUESTS) {
                break;
            }
            topology.step_all(&mut net, &faults);
            net.advance(ms(100));
        }
        for client in &topology.clients {
            let Client { number, attempt, request, .. } = client;
            assert_eq!(*request, REQUESTS, "client {number} is stuck after {attempt} attempts");
        }
        // Abandoned requests may still be in transit.
        for _ in 0..20 {
            topology.step_all(&mut net, &faults);
            net.settle();
        }
        if !faults.loses_connections() {
            for client in topology.clients.iter().filter(|client| client.relaxed) {
                let marker = format!("of client {},", client.number);
                let received = topology.requests.iter().filter(|text| text.contains(&marker)).count();
                assert_eq!(received, client.attempt as usize, "requests of client {} were lost", client.number);
            }
        }
    });
}
