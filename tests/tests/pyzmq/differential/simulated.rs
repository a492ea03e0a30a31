//! Runs generated test programs with sockets of sansmq on a simulated network, which reports when no data is in
//! transit.

use super::program::{Op, Program, Spec, Switch};
use super::{
    Backend, CallResult, ConnectionCount, SettledState, recv_result, send_result, subscribe_result, unbind_result,
};
use sansmq::kind::{Dealer, Pub, Pull, Push, Req, Router, Sub, XPub};
use sansmq::proto::testing::{Net, NodeId};
use sansmq::proto::{Endpoint, SocketType, kind};
use sansmq::{ConnectionError, Event, Message, Options};
use std::time::Duration;

/// Simulated time in which a socket reconnects. It is longer than the reconnect interval.
const RECONNECT_TIME: Duration = Duration::from_secs(1);

pub(crate) struct Simulated {
    net: Net,
    nodes: Vec<NodeId>,
    settled: SettledState,
}

impl Simulated {
    pub(crate) fn new(program: &Program, seed: u64) -> Self {
        let mut net = Net::seeded(seed);
        let nodes = program.sockets.iter().map(|spec| net.socket(options(spec))).collect();
        let connections = vec![ConnectionCount::default(); program.sockets.len()];
        Self { net, nodes, settled: SettledState { connections, subscribed: Vec::new() } }
    }

    /// Determines which subscribers receive from which publishers: each publisher sends a message with a topic that
    /// only this check uses. The subscription count of a publisher is not enough, because it includes subscriptions to
    /// all topics.
    fn find_subscribed(&mut self, program: &Program, step: usize) {
        self.settled.subscribed.clear();
        let of_kinds = |kinds: &[SocketType]| -> Vec<usize> {
            (0..program.sockets.len()).filter(|&socket| kinds.contains(&program.kind(socket))).collect()
        };
        let publishers = of_kinds(&[SocketType::Pub, SocketType::XPub]);
        for subscriber in of_kinds(&[SocketType::Sub, SocketType::XSub]) {
            let topic = super::probe(step, subscriber);
            if self.net[self.nodes[subscriber]].subscribe(topic.clone()).is_err() {
                continue;
            }
            self.net.settle();
            for &publisher in &publishers {
                let probe = Message::from(format!("{topic}{publisher}"));
                // A closed publisher returns an error and sends nothing.
                let _ = self.net[self.nodes[publisher]].send(probe.clone());
                self.net.settle();
                while let Ok(message) = self.net[self.nodes[subscriber]].recv() {
                    assert!(super::is_probe(&message), "all messages were received before: {message:?}");
                    if message == probe {
                        self.settled.subscribed.push((publisher, subscriber));
                    }
                }
            }
            self.net[self.nodes[subscriber]].unsubscribe(topic).unwrap();
        }
    }
}

impl Backend for Simulated {
    fn call(&mut self, op: &Op) -> CallResult {
        let now = self.net.now();
        match *op {
            Op::Bind { socket, endpoint } => {
                self.net.bind(self.nodes[socket], &address(endpoint));
                "done".into()
            }
            Op::Connect { socket, endpoint } => {
                self.net.connect(self.nodes[socket], &address(endpoint));
                "done".into()
            }
            Op::Unbind { socket, endpoint } => {
                unbind_result(self.net[self.nodes[socket]].unbind(&parsed(endpoint), now))
            }
            Op::Disconnect { socket, endpoint } => {
                unbind_result(self.net[self.nodes[socket]].disconnect(&parsed(endpoint), now))
            }
            Op::Close { socket } => {
                self.net[self.nodes[socket]].close(now);
                "done".into()
            }
            Op::Subscribe { socket, topic } => subscribe_result(self.net[self.nodes[socket]].subscribe(topic)),
            Op::Unsubscribe { socket, topic } => subscribe_result(self.net[self.nodes[socket]].unsubscribe(topic)),
            Op::Send { .. } | Op::Receive { .. } | Op::Drain => unreachable!("handled by other methods"),
        }
    }

    fn send(&mut self, socket: usize, message: Message, _: Duration) -> CallResult {
        let result = send_result(self.net[self.nodes[socket]].send(message));
        self.net.settle();
        result
    }

    fn recv(&mut self, socket: usize, _: Duration) -> Result<Message, CallResult> {
        self.net.settle();
        let messages = std::iter::repeat_with(|| self.net[self.nodes[socket]].recv());
        let mut messages = messages.skip_while(|received| received.as_ref().is_ok_and(super::is_probe));
        messages.next().expect("the iterator is infinite").map_err(recv_result)
    }

    fn settle(&mut self, program: &Program, step: usize, _: Option<&SettledState>) -> Result<SettledState, CallResult> {
        // Connections that ended while messages were received are dialled again.
        self.net.advance(RECONNECT_TIME);
        for (&node, count) in self.nodes.iter().zip(&mut self.settled.connections) {
            while let Some(event) = self.net[node].poll_event() {
                match event {
                    Event::Ready { .. } => count.ready += 1,
                    Event::Disconnected { reason, .. } => {
                        count.ended += 1;
                        count.lost += usize::from(reason != ConnectionError::LocallyClosed);
                    }
                    _ => {}
                }
            }
        }
        self.find_subscribed(program, step);
        Ok(self.settled.clone())
    }
}

fn address(endpoint: usize) -> String {
    format!("tcp://endpoint-{endpoint}:1")
}

fn parsed(endpoint: usize) -> Endpoint {
    address(endpoint).parse().unwrap()
}

/// Returns the options of the sansmq socket that plays the role of a socket in a generated test program.
pub(crate) fn options(spec: &Spec) -> Options<kind::Any> {
    let on = |switch| spec.switches.contains(&switch);
    let routing_id = spec.routing_id.as_deref();
    let options = match spec.kind {
        SocketType::Req => {
            let options = Options::<Req>::new().correlate(on(Switch::Correlate)).relaxed(on(Switch::Relaxed));
            with_routing_id(options.probe_router(on(Switch::Probe)), routing_id)
        }
        SocketType::Dealer => {
            let options = Options::<Dealer>::new().probe_router(on(Switch::Probe)).conflate(on(Switch::Conflate));
            with_routing_id(options, routing_id)
        }
        SocketType::Router => {
            let options = Options::<Router>::new().mandatory(on(Switch::Mandatory)).handover(on(Switch::Handover));
            with_routing_id(options.probe_router(on(Switch::Probe)), routing_id)
        }
        SocketType::Push => Options::<Push>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Pull => Options::<Pull>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Pub => Options::<Pub>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Sub => Options::<Sub>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::XPub => Options::<XPub>::new().verbose(on(Switch::Verbose)).verboser(on(Switch::Verboser)).erase(),
        other => Options::of(other),
    };
    let interval = Duration::from_millis(10);
    let options = options.immediate(on(Switch::Immediate)).reconnect(interval, interval);
    match spec.hwm {
        Some(hwm) => options.send_hwm(hwm).recv_hwm(hwm),
        None => options,
    }
}

fn with_routing_id<T: kind::HasRoutingId>(options: Options<T>, routing_id: Option<&str>) -> Options<kind::Any> {
    match routing_id {
        Some(id) => options.routing_id(id.to_owned()).unwrap().erase(),
        None => options.erase(),
    }
}
