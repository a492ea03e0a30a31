//! Sockets that are closed, disconnected or restarted at random times, under random network faults.

use super::faults::{FaultPlan, Received};
use super::{PLACE, bound, connected, ms, s};
use core::time::Duration;
use sansmq_proto::kind::{Kind, Pull, Push, Rep, Req};
use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Endpoint, Instant, Options, SendError};
use sansmq_tests::for_seeds;

/// A socket of the test, and the time at which it must be closed.
struct Node {
    id: NodeId,
    /// Option `linger` of the socket.
    linger: Option<Duration>,
    /// Latest time at which the socket must be closed; `None` if the socket is open, or closes without a limit.
    deadline: Option<Instant>,
}

impl Node {
    fn new<T: Kind>(net: &mut Net, faults: &mut FaultPlan, options: Options<T>) -> Self {
        let linger = [Some(s(0)), Some(random_time(faults)), Some(s(30)), None][faults.pick(4)];
        let id = net.socket(faults.configure(options.linger(linger)));
        Self { id, linger, deadline: None }
    }

    /// Closes the socket in one of the three ways, chosen at random. A closing socket may be closed again, which can
    /// only shorten the time that is left.
    fn end(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let (now, limit) = (net.now(), random_time(faults));
        let socket = &mut net[self.id];
        let is_closing = socket.is_closing();
        let limit = match faults.pick(4) {
            0 => {
                socket.close(now);
                self.linger.filter(|_| !is_closing)
            }
            1 => {
                socket.close_within(limit, now);
                Some(limit)
            }
            2 => {
                socket.abort(now);
                Some(s(0))
            }
            _ => {
                socket.shut_down(limit, now);
                let linger = self.linger.filter(|_| !is_closing);
                Some(linger.map_or(limit, |linger| linger.min(limit)))
            }
        };
        let ends = [self.deadline, limit.map(|limit| now + limit)];
        self.deadline = ends.into_iter().flatten().min();
    }

    /// Asserts that the socket is closed if its deadline has passed.
    fn check_deadline(&self, net: &mut Net) {
        if self.deadline.is_some_and(|deadline| deadline <= net.now()) {
            net.settle();
            assert!(net[self.id].is_closed(), "{:?} is not closed at the end of its linger period", self.id);
            assert_eq!(net.connections(self.id), 0, "a closed socket has connections");
        }
    }
}

/// Returns a random time of less than four seconds.
fn random_time(faults: &mut FaultPlan) -> Duration {
    ms(faults.pick(4000) as u64)
}

/// A PUSH that is connected to both sinks.
struct Sender {
    node: Node,
    /// Number of messages that the socket has accepted.
    accepted: u32,
    /// Number of messages that the socket had dropped when it was closed.
    dropped_before: u64,
    /// Number of sinks to which the socket is connected.
    sinks: usize,
    /// Latest time at which the pipe of a disconnected sink must be removed; `None` if it has no such time.
    disconnected_at: Option<Instant>,
}

impl Sender {
    /// Returns true if a linger period of this socket may have expired, so that messages may have been dropped.
    fn may_have_dropped(&self, now: Instant) -> bool {
        [self.node.deadline, self.disconnected_at].into_iter().flatten().any(|end| end <= now)
    }
}

/// Two PULLs, and PUSH sockets that are connected to both.
struct Scene {
    sinks: [Node; 2],
    /// True if the sinks are closed and restarted as well.
    restarts: bool,
    /// True if messages may be lost, because connections are lost or sinks restarted.
    is_lossy: bool,
    /// All PUSH sockets, in the order of their creation.
    senders: Vec<Sender>,
    received: Received,
}

fn endpoint(sink: usize) -> Endpoint {
    format!("tcp://sink:{}", sink + 1).parse().unwrap()
}

impl Scene {
    const MAX_SENDERS: usize = 10;

    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let sinks = [0, 1].map(|sink| {
            let options = Options::<Pull>::new().recv_hwm(1 + faults.pick(12));
            let node = Node::new(net, faults, options);
            net.bind(node.id, &endpoint(sink).to_string());
            node
        });
        let restarts = faults.one_in(2);
        let is_lossy = restarts || faults.loses_connections();
        Self { sinks, restarts, is_lossy, senders: Vec::new(), received: Received::new(faults) }
    }

    fn nodes(&self) -> Vec<NodeId> {
        self.sinks.iter().chain(self.senders.iter().map(|sender| &sender.node)).map(|node| node.id).collect()
    }

    fn add_sender(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let options = Options::<Push>::new().send_hwm(1 + faults.pick(12));
        let node = Node::new(net, faults, options);
        for sink in 0..2 {
            net.connect(node.id, &endpoint(sink).to_string());
        }
        let sender = Sender { node, accepted: 0, dropped_before: 0, sinks: 2, disconnected_at: None };
        self.senders.push(sender);
    }

    /// Sends some messages from the sender with this index, until its queues are full.
    fn send(&mut self, net: &mut Net, number: usize, count: usize) {
        let sender = &mut self.senders[number];
        for _ in 0..count {
            match net[sender.node.id].send(format!("{number} {}", sender.accepted)) {
                Ok(()) => sender.accepted += 1,
                Err(SendError::Closed(_)) => return assert!(net[sender.node.id].is_closing()),
                Err(SendError::Full(_)) => return,
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Receives up to `count` messages at each sink.
    fn recv(&mut self, net: &mut Net, count: usize) {
        for (number, sink) in self.sinks.iter().enumerate() {
            for _ in 0..count {
                let Ok(message) = net[sink.id].recv() else { break };
                self.received.record(&message, number);
            }
        }
    }

    /// Closes the sender with this index, or disconnects it from a sink.
    fn end_sender(&mut self, net: &mut Net, faults: &mut FaultPlan, number: usize) {
        let sender = &mut self.senders[number];
        let id = sender.node.id;
        if faults.one_in(3) && sender.sinks == 2 && !net[id].is_closing() {
            let now = net.now();
            net[id].disconnect(&endpoint(faults.pick(2)), now).unwrap();
            sender.sinks = 1;
            sender.disconnected_at = sender.node.linger.map(|linger| now + linger);
            return;
        }
        if !net[id].is_closing() {
            sender.dropped_before = undelivered(net, id);
        }
        sender.node.end(net, faults);
    }

    /// Begins to close a sink, or crashes it, and restarts each closed sink at the same endpoint.
    fn restart_sinks(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        for (number, sink) in self.sinks.iter_mut().enumerate() {
            if faults.one_in(20) {
                sink.end(net, faults);
            }
            if net[sink.id].is_closed() || faults.one_in(40) {
                Self::restart_sink(net, faults, number, sink);
            }
        }
    }

    fn restart_sink(net: &mut Net, faults: &FaultPlan, number: usize, sink: &mut Node) {
        net.restart(sink.id, faults.configure(Options::<Pull>::new().linger(sink.linger)));
        net.bind(sink.id, &endpoint(number).to_string());
        sink.deadline = None;
    }

    /// Asserts that each close and each disconnect ends in time, and that each accepted message is queued, sent or
    /// counted as dropped.
    fn check(&self, net: &mut Net) {
        self.sinks.iter().for_each(|sink| sink.check_deadline(net));
        for (number, sender) in self.senders.iter().enumerate() {
            let id = sender.node.id;
            sender.node.check_deadline(net);
            if sender.disconnected_at.is_some_and(|end| end <= net.now()) {
                net.settle();
                assert!(net[id].peers() <= 1, "a disconnected pipe is not removed at the end of its linger period");
            }
            let (stats, accepted) = (net[id].stats(), u64::from(sender.accepted));
            let dropped = undelivered(net, id);
            let kept = stats.sent.messages + stats.outgoing.messages;
            // A message that was written in part is counted as sent and as dropped.
            assert!(kept <= accepted && accepted <= kept + dropped, "sender {number}: {accepted} accepted, {stats:?}");
            assert!(
                dropped == 0 || self.is_lossy || sender.may_have_dropped(net.now()),
                "sender {number} dropped {dropped} messages before the end of its linger period"
            );
            if net[id].is_closing() {
                assert_eq!(net[id].unsent() as u64, dropped - sender.dropped_before, "report of sender {number}");
            }
        }
    }

    /// Closes all senders, receives all messages, and compares the results with the counts of the senders.
    fn finish(mut self, net: &mut Net, faults: &FaultPlan) {
        for (number, sink) in self.sinks.iter_mut().enumerate() {
            if net[sink.id].is_closing() {
                assert!(net[sink.id].is_closed(), "without faults, sink {number} has nothing to wait for");
                Self::restart_sink(net, faults, number, sink);
            }
        }
        for sender in &mut self.senders {
            let (id, now) = (sender.node.id, net.now());
            if !net[id].is_closing() {
                sender.dropped_before = undelivered(net, id);
                net[id].close(now);
                sender.node.deadline = sender.node.linger.map(|linger| now + linger);
            }
        }
        for _ in 0..40 {
            net.advance(s(1));
            self.recv(net, usize::MAX);
            net.settle();
            self.recv(net, usize::MAX);
            self.check(net);
        }
        for (number, sender) in self.senders.iter().enumerate() {
            assert!(net[sender.node.id].is_closed(), "sender {number} is not closed");
            let received = self.received.all.iter().filter(|(sender, _)| *sender == number).count() as u64;
            let counted = received + undelivered(net, sender.node.id);
            assert!(
                counted <= u64::from(sender.accepted),
                "sender {number}: a received message was counted as dropped"
            );
            if !self.is_lossy {
                assert_eq!(
                    counted,
                    u64::from(sender.accepted),
                    "sender {number}: messages were lost without being counted"
                );
            }
        }
        for sink in &self.sinks {
            assert_eq!(net.connections(sink.id), 0, "connections of closed senders are open");
        }
    }
}

/// Returns the number of messages that the socket has dropped because it could not send them.
fn undelivered(net: &Net, node: NodeId) -> u64 {
    net[node].stats().dropped.of(DropReason::Undelivered)
}

#[test]
fn shutdowns_end_in_time_and_count_each_unsent_message() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut scene = Scene::new(&mut net, &mut faults);
        for _ in 0..200 {
            if scene.senders.len() < Scene::MAX_SENDERS && faults.one_in(12) || scene.senders.is_empty() {
                scene.add_sender(&mut net, &mut faults);
            }
            let number = faults.pick(scene.senders.len());
            match faults.pick(8) {
                0 => scene.end_sender(&mut net, &mut faults, number),
                1..=4 => scene.send(&mut net, number, faults.pick(10)),
                _ => scene.recv(&mut net, faults.pick(5)),
            }
            if scene.restarts {
                scene.restart_sinks(&mut net, &mut faults);
            }
            faults.inject(&mut net, &scene.nodes());
            scene.check(&mut net);
        }
        FaultPlan::end_faults(&mut net, &scene.nodes());
        scene.finish(&mut net, &faults);
    });
}

/// A REP that is shut down and restarted at random times, and its clients.
struct Service {
    rep: NodeId,
    options: Options<Rep>,
    reqs: [NodeId; 3],
    loses_connections: bool,
    /// True if the REP has received a request and not replied yet.
    owes_reply: bool,
    /// Time at which the REP must be closed; `None` if it was not shut down.
    deadline: Option<Instant>,
    /// Number of replies that the REP has accepted.
    replied: u64,
    /// Number of replies that earlier sockets of the REP have dropped.
    dropped: u64,
    /// Number of replies that the clients have received.
    received: u64,
}

impl Service {
    fn new(net: &mut Net, faults: &FaultPlan) -> Self {
        let options = faults.configure(Options::<Rep>::new());
        let rep = bound(net, options.clone());
        let reqs = [(); 3].map(|()| connected(net, faults.configure(Options::<Req>::new())));
        let loses_connections = faults.loses_connections();
        Self {
            rep,
            options,
            reqs,
            loses_connections,
            owes_reply: false,
            deadline: None,
            replied: 0,
            dropped: 0,
            received: 0,
        }
    }

    /// Receives a reply if it has arrived, and sends the next request if no request is outstanding.
    fn use_client(&mut self, net: &mut Net, number: usize) {
        let req = self.reqs[number];
        self.received += u64::from(net[req].recv().is_ok());
        // The error is ignored: it means that a request is outstanding.
        let _ = net[req].send("request");
    }

    /// Receives a request, or replies to the request that was received.
    fn serve(&mut self, net: &mut Net) {
        if self.owes_reply {
            let outcome = net[self.rep].send("reply");
            assert!(outcome.is_ok() || self.loses_connections, "the reply was not accepted: {outcome:?}");
            self.replied += u64::from(outcome.is_ok());
            self.owes_reply = false;
        } else {
            self.owes_reply = net[self.rep].recv().is_ok();
        }
    }

    /// Shuts down the REP. It can still send the reply that it owes.
    fn shut_down(&mut self, net: &mut Net, limit: Duration) {
        let now = net.now();
        // A later shutdown can only shorten the time.
        self.deadline = Some(self.deadline.map_or(now + limit, |deadline| deadline.min(now + limit)));
        net[self.rep].shut_down(limit, now);
    }

    /// Asserts that the REP is closed in time, and restarts it if it is closed.
    fn check(&mut self, net: &mut Net) {
        let is_due = self.deadline.is_some_and(|deadline| deadline <= net.now());
        if is_due {
            net.settle();
        }
        if net[self.rep].is_closed() {
            self.dropped += net[self.rep].stats().dropped.total();
            net.restart(self.rep, self.options.clone());
            net.bind(self.rep, PLACE);
            (self.owes_reply, self.deadline) = (false, None);
        }
        assert!(!is_due || self.deadline.is_none(), "the REP is not closed in time");
    }
}

#[test]
fn shut_down_services_send_or_count_each_reply() {
    for_seeds(60, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut service = Service::new(&mut net, &faults);
        let nodes = [&service.reqs[..], &[service.rep]].concat();
        for _ in 0..300 {
            service.use_client(&mut net, faults.pick(3));
            match faults.pick(12) {
                0..=4 => service.serve(&mut net),
                5 => service.shut_down(&mut net, random_time(&mut faults)),
                _ => faults.inject(&mut net, &nodes),
            }
            service.check(&mut net);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        service.check(&mut net);
        let replies_before = service.received;
        for _ in 0..40 {
            net.advance(s(1));
            (0..3).for_each(|number| service.use_client(&mut net, number));
            net.settle();
            service.serve(&mut net);
            service.serve(&mut net);
        }
        assert!(service.received >= replies_before + 3, "the restarted service does not reply");
        net.settle();
        (0..3).for_each(|number| service.use_client(&mut net, number));
        let counted = service.received + service.dropped + net[service.rep].stats().dropped.total();
        assert!(counted <= service.replied, "{counted} of {} replies were received or dropped", service.replied);
        if !service.loses_connections {
            assert_eq!(counted, service.replied, "replies were lost without being counted");
        }
    });
}
