//! Our sockets on a simulated network, which knows when nothing is under way any more.

use super::program::{Op, Program, Spec, Switch};
use super::{Answer, Count, Rest, World, recv_answer, send_answer, subscribe_answer, unbind_answer};
use sansmq::kind::{Dealer, Pub, Pull, Push, Req, Router, Sub, XPub};
use sansmq::proto::testing::{Net, NodeId};
use sansmq::proto::{Endpoint, SocketType, kind};
use sansmq::{ConnectionError, Event, Message, Options};
use std::time::Duration;

/// Longer than it takes to dial again.
const A_WHILE: Duration = Duration::from_secs(1);

pub(crate) struct Simulated {
    net: Net,
    nodes: Vec<NodeId>,
    rest: Rest,
}

impl Simulated {
    pub(crate) fn new(program: &Program, seed: u64) -> Self {
        let mut net = Net::seeded(seed);
        let nodes = program.sockets.iter().map(|spec| net.socket(options(spec))).collect();
        let connections = vec![Count::default(); program.sockets.len()];
        Self { net, nodes, rest: Rest { connections, audience: Vec::new() } }
    }

    /// Who hears whom of the publishers and subscribers: what is sent tells, for `audience` counts others too, who have asked
    /// for everything.
    fn subscriber_count(&mut self, program: &Program, step: usize) {
        self.rest.audience.clear();
        let ofs = |kinds: &[SocketType]| -> Vec<usize> {
            (0..program.sockets.len()).filter(|&socket| kinds.contains(&program.kind(socket))).collect()
        };
        let publishers = ofs(&[SocketType::Pub, SocketType::XPub]);
        for subscriber in ofs(&[SocketType::Sub, SocketType::XSub]) {
            let topic = super::probe(step, subscriber);
            if self.net[self.nodes[subscriber]].subscribe(topic.clone()).is_err() {
                continue;
            }
            self.net.settle();
            for &publisher in &publishers {
                let sought = Message::from(format!("{topic}{publisher}"));
                // One that is closed says so, and is not heard.
                let _ = self.net[self.nodes[publisher]].send(sought.clone());
                self.net.settle();
                while let Ok(message) = self.net[self.nodes[subscriber]].recv() {
                    assert!(super::is_probe(&message), "everything has been received: {message:?}");
                    if message == sought {
                        self.rest.audience.push((publisher, subscriber));
                    }
                }
            }
            self.net[self.nodes[subscriber]].unsubscribe(topic).unwrap();
        }
    }
}

impl World for Simulated {
    fn call(&mut self, op: &Op) -> Answer {
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
                unbind_answer(self.net[self.nodes[socket]].unbind(&parsed(endpoint), now))
            }
            Op::Disconnect { socket, endpoint } => {
                unbind_answer(self.net[self.nodes[socket]].disconnect(&parsed(endpoint), now))
            }
            Op::Close { socket } => {
                self.net[self.nodes[socket]].close(now);
                "done".into()
            }
            Op::Subscribe { socket, topic } => subscribe_answer(self.net[self.nodes[socket]].subscribe(topic)),
            Op::Unsubscribe { socket, topic } => subscribe_answer(self.net[self.nodes[socket]].unsubscribe(topic)),
            Op::Send { .. } | Op::Receive { .. } | Op::Drain => unreachable!("these are other methods"),
        }
    }

    fn send(&mut self, socket: usize, message: Message, _: Duration) -> Answer {
        let answer = send_answer(self.net[self.nodes[socket]].send(message));
        self.net.settle();
        answer
    }

    fn recv(&mut self, socket: usize, _: Duration) -> Result<Message, Answer> {
        self.net.settle();
        let messages = std::iter::repeat_with(|| self.net[self.nodes[socket]].recv());
        let mut messages = messages.skip_while(|received| received.as_ref().is_ok_and(super::is_probe));
        messages.next().expect("it repeats").map_err(recv_answer)
    }

    fn rest(&mut self, program: &Program, step: usize, _: Option<&Rest>) -> Result<Rest, Answer> {
        // Who was hung up on while messages were received, dials again.
        self.net.pass(A_WHILE);
        for (&node, count) in self.nodes.iter().zip(&mut self.rest.connections) {
            while let Some(event) = self.net[node].poll_event() {
                match event {
                    Event::Ready { .. } => count.ready += 1,
                    Event::Disconnected { reason, .. } => {
                        count.ended += 1;
                        count.lost += usize::from(reason != ConnectionError::PeerClosed);
                    }
                    _ => {}
                }
            }
        }
        self.subscriber_count(program, step);
        Ok(self.rest.clone())
    }
}

fn address(endpoint: usize) -> String {
    format!("tcp://endpoint-{endpoint}:1")
}

fn parsed(endpoint: usize) -> Endpoint {
    address(endpoint).parse().unwrap()
}

/// A socket's options as ours has them.
pub(crate) fn options(spec: &Spec) -> Options<kind::Any> {
    let on = |switch| spec.switches.contains(&switch);
    let named = spec.routing_id.as_deref();
    let options = match spec.kind {
        SocketType::Req => {
            let options = Options::<Req>::new().correlate(on(Switch::Correlate)).relaxed(on(Switch::Relaxed));
            announced(options.probe_router(on(Switch::Probe)), named)
        }
        SocketType::Dealer => {
            let options = Options::<Dealer>::new().probe_router(on(Switch::Probe)).conflate(on(Switch::Conflate));
            announced(options, named)
        }
        SocketType::Router => {
            let options = Options::<Router>::new().mandatory(on(Switch::Mandatory)).handover(on(Switch::Handover));
            announced(options.probe_router(on(Switch::Probe)), named)
        }
        SocketType::Push => Options::<Push>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Pull => Options::<Pull>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Pub => Options::<Pub>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::Sub => Options::<Sub>::new().conflate(on(Switch::Conflate)).erase(),
        SocketType::XPub => Options::<XPub>::new().verbose(on(Switch::Verbose)).verboser(on(Switch::Verboser)).erase(),
        other => Options::of(other),
    };
    let soon = Duration::from_millis(10);
    let options = options.immediate(on(Switch::Immediate)).reconnect(soon, soon).unwrap();
    match spec.marks {
        Some(marks) => options.send_hwm(marks).recv_hwm(marks),
        None => options,
    }
}

fn announced<T: kind::HasRoutingId>(options: Options<T>, routing_id: Option<&str>) -> Options<kind::Any> {
    match routing_id {
        Some(id) => options.routing_id(id.to_owned()).unwrap().erase(),
        None => options.erase(),
    }
}
