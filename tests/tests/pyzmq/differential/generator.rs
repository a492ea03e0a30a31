//! Generates random test programs (sequences of socket operations) that have exactly one outcome.
//!
//! Three rules exclude programs with results that depend on timing or on the implementation:
//!
//! - A message in transit may be lost when a peer connects or disconnects, or when a subscription changes. So all messages are
//!   received before such an operation.
//! - The next peer of a round-robin sender after a change of its peers is not specified. So a socket that sends
//!   round-robin gets no further peer after it has sent to several peers. Such a socket loses a peer only while it has
//!   no other.
//! - The number of messages that a connection buffers depends on the system. So a socket reaches its high-water marks
//!   only while it has no connected peer.

use super::program::{FrameSpec, Op, Program, Switch, Target, Transport, tag};
use super::topology::{Random, Topology};
use sansmq::proto::SocketType::{Dealer, Pub, Push, Rep, Req, Router, Sub, XPub, XSub};
use std::collections::BTreeSet;

/// Generates the program that the seed determines.
pub(crate) fn program(seed: u64) -> Program {
    Generator::new(seed).generate()
}

struct Generator {
    random: Random,
    program: Program,
    /// Number of sockets on the left side. The sockets of a program are on two sides, left and right, and are connected
    /// only to sockets of the other side. The sockets of the left side have the lowest indices.
    left: usize,
    edges: Vec<Edge>,
    /// Index of the socket that binds each endpoint, and true if the endpoint is bound now. The position in the list is
    /// the index of the endpoint.
    bound: Vec<(usize, bool)>,
    /// Number of messages that each socket has sent since a change of its peers last left it with at most one peer. If
    /// the number is not zero, a socket that sends round-robin to two or more peers gets no further peer.
    sent: Vec<usize>,
    open: Vec<bool>,
    /// Sockets that have sent messages since the last operation in which all sockets received all messages.
    senders: BTreeSet<usize>,
    /// Sockets that have sent a request without an envelope, which a REP drops.
    sent_without_envelope: BTreeSet<usize>,
    /// Number of messages sent by all sockets so far.
    message_count: usize,
    inproc: bool,
    /// True if sockets keep only the latest message (`conflate`).
    conflates: bool,
    /// True if all sockets of the program have small high-water marks (1 to 5 messages). The program then has small
    /// messages only.
    small: bool,
}

/// Pair of sockets that are connected to each other at some time of the program: one binds, the other dials.
#[derive(Clone, Copy, Debug)]
struct Edge {
    binder: usize,
    dialler: usize,
    endpoint: Option<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Planned,
    Connected,
    /// `connect` was called, but the endpoint is not bound, so there is no connection.
    Pending,
    Ended,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let Topology { sockets, left, inproc, conflates, small } = Topology::random(&mut random);
        let count = sockets.len();
        Self {
            random,
            program: Program { sockets, endpoints: Vec::new(), ops: Vec::new() },
            left,
            edges: Vec::new(),
            bound: Vec::new(),
            sent: vec![0; count],
            open: vec![true; count],
            senders: BTreeSet::new(),
            sent_without_envelope: BTreeSet::new(),
            message_count: 0,
            inproc,
            conflates,
            small,
        }
    }

    fn generate(mut self) -> Program {
        self.plan();
        while let Some(edge) = self.planned() {
            if !self.connect_edge(edge) || self.random.chance(15) {
                break;
            }
            if self.random.chance(30) {
                self.step();
            }
        }
        for _ in 0..10 + self.random.below(25) {
            self.step();
        }
        // Surplus messages are received here, before the final check.
        self.drain();
        for _ in 0..2 {
            for socket in 0..self.program.sockets.len() {
                self.send(socket);
            }
            self.drain();
        }
        self.program
    }

    /// Chooses the pairs of sockets (edges) that connect, and which socket of each pair dials.
    fn plan(&mut self) {
        let left = self.left;
        for first in 0..left {
            for second in left..self.program.sockets.len() {
                if first == 0 || self.random.chance(80) {
                    let (binder, dialler) = if self.random.chance(50) { (first, second) } else { (second, first) };
                    self.edges.push(Edge { binder, dialler, endpoint: None, state: State::Planned });
                }
            }
        }
        for last in (1..self.edges.len()).rev() {
            let other = self.random.below(last + 1);
            self.edges.swap(last, other);
        }
    }

    fn planned(&mut self) -> Option<usize> {
        let planned: Vec<_> = (0..self.edges.len()).filter(|&edge| self.edges[edge].state == State::Planned).collect();
        (!planned.is_empty()).then(|| self.random.pick(&planned))
    }

    fn step(&mut self) {
        let socket = self.random.below(self.open.len());
        if !self.open[socket] {
            return;
        }
        match self.random.below(100) {
            0..50 => {
                for _ in 0..=self.random.below(4) {
                    self.send(socket);
                }
            }
            50..68 => self.drain(),
            68..74 => {
                if self.senders.len() <= 1 && !self.conflates {
                    self.program.ops.push(Op::Receive { socket });
                }
            }
            74..87 => self.change_subscription(socket),
            87..91 => {
                if let Some(edge) = self.planned() {
                    self.connect_edge(edge);
                }
            }
            91..94 => self.disconnect_edge(socket),
            94..96 => self.rebind(socket),
            96..98 => self.send_invalid_reply(socket),
            _ => self.close(socket),
        }
    }

    fn drain(&mut self) {
        self.senders.clear();
        self.program.ops.push(Op::Drain);
    }

    /// Connects the two sockets of a pair (`edge` is its index). The bind may follow later. Returns false if the
    /// sockets must not be connected now.
    fn connect_edge(&mut self, edge: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        if !self.open[binder] || !self.open[dialler] || !self.may_add(binder) || !self.may_add(dialler) {
            return false;
        }
        self.drain();
        let free = |&endpoint: &usize| {
            let (owner, is_bound) = self.bound[endpoint];
            owner == binder && is_bound
        };
        let available: Vec<_> = (0..self.bound.len()).filter(free).collect();
        let (endpoint, is_new) = if available.is_empty() || self.random.chance(50) {
            let transport =
                if self.inproc { Transport::Inproc } else { self.random.pick(&[Transport::Tcp, Transport::Ipc]) };
            self.program.endpoints.push(transport);
            self.bound.push((binder, true));
            (self.bound.len() - 1, true)
        } else {
            (self.random.pick(&available), false)
        };
        let (bind, connect) = (Op::Bind { socket: binder, endpoint }, Op::Connect { socket: dialler, endpoint });
        // Excluded: `conflate` with a connect before an `inproc` bind, and a peer that joins the round-robin late.
        let is_excluded = self.inproc && self.conflates
            || self.program.has(dialler, Switch::Immediate) && self.pipe_count(dialler) > 0;
        let late =
            is_new && self.program.endpoints[endpoint] != Transport::Tcp && !is_excluded && self.random.chance(40);
        let mut state = State::Connected;
        if late {
            self.program.ops.push(connect);
            for _ in 0..self.random.below(4) {
                self.send(dialler);
            }
            if self.random.chance(70) {
                self.drain();
                self.program.ops.push(bind);
            } else {
                self.bound[endpoint].1 = false;
                state = State::Pending;
            }
        } else {
            if is_new {
                self.program.ops.push(bind);
            }
            self.program.ops.push(connect);
        }
        self.edges[edge] = Edge { endpoint: Some(endpoint), state, ..self.edges[edge] };
        self.changed(binder);
        self.changed(dialler);
        true
    }

    fn disconnect_edge(&mut self, socket: usize) {
        let mine = |&edge: &usize| self.edges[edge].dialler == socket && self.is_on(edge);
        let mine: Vec<_> = (0..self.edges.len()).filter(mine).collect();
        if mine.is_empty() {
            return;
        }
        let edge = self.random.pick(&mine);
        if !self.may_remove(self.edges[edge].binder) || !self.may_remove(socket) {
            return;
        }
        self.drain();
        self.program.ops.push(Op::Disconnect { socket, endpoint: self.edges[edge].endpoint.unwrap() });
        self.end_edge(edge);
    }

    /// Unbinds a bound endpoint of `socket`, or binds it again after an unbind. Does nothing if the result would depend
    /// on timing.
    fn rebind(&mut self, socket: usize) {
        let mine: Vec<_> = (0..self.bound.len()).filter(|&endpoint| self.bound[endpoint].0 == socket).collect();
        if mine.is_empty() {
            return;
        }
        let endpoint = self.random.pick(&mine);
        let uses_endpoint = |&edge: &usize| self.edges[edge].endpoint == Some(endpoint) && self.is_on(edge);
        let edges: Vec<_> = (0..self.edges.len()).filter(uses_endpoint).collect();
        // The order of several reconnects depends on timing; and so does the room in a pipe after a reconnect.
        if edges.len() > 1 || self.small {
            return;
        }
        let (_, is_bound) = self.bound[endpoint];
        if is_bound {
            if edges.iter().any(|&edge| !self.may_lose(edge)) {
                return;
            }
            self.drain();
            self.program.ops.push(Op::Unbind { socket, endpoint });
            for edge in edges {
                // With libzmq alone over `inproc` the connection stays; that is a known difference, which ends the program.
                self.edges[edge].state = State::Pending;
                self.changed(self.edges[edge].dialler);
            }
        } else {
            let is_excluded = edges.iter().any(|&edge| !self.may_add(self.edges[edge].dialler));
            if self.program.endpoints[endpoint] == Transport::Tcp || !self.may_add(socket) || is_excluded {
                return;
            }
            // Over `inproc` libzmq gives no comparable result if an earlier connect to the name has been ended.
            let has_ended = |edge: &Edge| edge.endpoint == Some(endpoint) && edge.state == State::Ended;
            if self.inproc && self.edges.iter().any(has_ended) {
                return;
            }
            self.drain();
            self.program.ops.push(Op::Bind { socket, endpoint });
            for edge in edges {
                self.edges[edge].state = State::Connected;
            }
        }
        self.bound[endpoint].1 = !is_bound;
        self.changed(socket);
    }

    fn close(&mut self, socket: usize) {
        let mine: Vec<_> = (0..self.edges.len()).filter(|&edge| self.touches(edge, socket)).collect();
        let others = mine.iter().map(|&edge| (edge, self.edges[edge].binder + self.edges[edge].dialler - socket));
        let others: Vec<_> = others.collect();
        let keeps =
            |edge: usize, other| self.edges[edge].dialler == other && !self.program.has(other, Switch::Immediate);
        let is_excluded = others.iter().any(|&(edge, other)| !self.may_remove(other) && !keeps(edge, other));
        if self.message_count < 10 || self.small || is_excluded || self.sent_without_envelope.contains(&socket) {
            return;
        }
        self.drain();
        self.program.ops.push(Op::Close { socket });
        self.open[socket] = false;
        for (edge, other) in others {
            if self.edges[edge].binder == socket {
                self.edges[edge].state = State::Pending;
                self.changed(other);
            } else {
                self.end_edge(edge);
            }
        }
        for endpoint in &mut self.bound {
            endpoint.1 &= endpoint.0 != socket;
        }
    }

    fn change_subscription(&mut self, socket: usize) {
        if ![Sub, XSub].contains(&self.program.kind(socket)) {
            return;
        }
        self.drain();
        let topic = self.random.pick(&TOPICS);
        let op =
            if self.random.chance(65) { Op::Subscribe { socket, topic } } else { Op::Unsubscribe { socket, topic } };
        self.program.ops.push(op);
    }

    fn send(&mut self, socket: usize) {
        if !self.open[socket] {
            return;
        }
        let kind = self.program.kind(socket);
        let to = (kind == Router).then(|| self.target(socket)).flatten();
        let tag = tag(socket, self.message_count);
        self.message_count += 1;
        let mut frames = Vec::new();
        if kind == Router && to.is_none() {
            // A routing id without a message.
            frames.push(FrameSpec { size: 4, text: "lone".to_owned() });
        } else {
            self.content(socket, &tag, &mut frames);
        }
        self.program.ops.push(Op::Send { socket, to, frames });
        self.senders.insert(socket);
        self.sent[socket] += 1;
    }

    /// Makes the ROUTER `socket` send a message without a delimiter to a REQ. Such a message is not a valid reply.
    fn send_invalid_reply(&mut self, socket: usize) {
        let Some(Target::Peer(peer)) = (self.program.kind(socket) == Router).then(|| self.target(socket)).flatten()
        else {
            return;
        };
        let edge = (0..self.edges.len()).find(|&edge| self.touches(edge, socket) && self.touches(edge, peer));
        let Some(edge) = edge.filter(|_| self.program.kind(peer) == Req && self.may_remove(peer)) else {
            return;
        };
        self.drain();
        let frames = vec![FrameSpec { size: 8, text: tag(socket, self.message_count) }];
        self.message_count += 1;
        self.program.ops.push(Op::Send { socket, to: Some(Target::Peer(peer)), frames });
        self.drain();
        if self.edges[edge].dialler == peer {
            self.end_edge(edge);
        }
    }

    fn content(&mut self, socket: usize, tag: &str, frames: &mut Vec<FrameSpec>) {
        let kind = self.program.kind(socket);
        let peers: Vec<_> = self.peers(socket).into_iter().map(|peer| self.program.kind(peer)).collect();
        let envelope: &[&str] = match kind {
            Dealer if peers.contains(&Rep) => self.random.pick(&[&[""], &[""], &["hop", ""], &["one", "two", ""], &[]]),
            // A first frame of four bytes could be the request id of another request.
            Router if peers.contains(&Req) => self.random.pick(&[&[""], &[""], &["four", ""]]),
            _ => &[],
        };
        if kind == Dealer && peers.contains(&Rep) && envelope.is_empty() {
            self.sent_without_envelope.insert(socket);
        }
        frames.extend(envelope.iter().map(|&frame| FrameSpec { size: frame.len(), text: frame.to_owned() }));
        if [Pub, XPub].contains(&kind) {
            let topic = self.random.pick(&TOPICS);
            if self.conflates || self.random.chance(50) {
                frames.push(FrameSpec { size: topic.len() + tag.len(), text: format!("{topic}{tag}") });
                return;
            }
            frames.push(FrameSpec { size: topic.len(), text: topic.to_owned() });
        }
        let count = if self.conflates || self.random.chance(50) { 1 } else { 1 + self.random.below(4) };
        for _ in 0..count {
            let size = if self.conflates { 8 } else { self.size() };
            frames.push(FrameSpec { size, text: tag.to_owned() });
        }
    }

    fn size(&mut self) -> usize {
        loop {
            let size = self.random.pick(&SIZES);
            // A message larger than the system's buffers would reach the high-water marks at a time that is not determined.
            if size <= 300 || !self.small && self.random.chance(50) {
                return size;
            }
        }
    }

    /// Chooses at random where the ROUTER `socket` sends its next message: to a peer, or to an unknown routing id. In
    /// one of ten cases, returns `None`: the ROUTER then sends a message that consists of a routing id only. Never
    /// chooses a REQ without `correlate`, because such a REQ may accept any message as its reply.
    fn target(&mut self, socket: usize) -> Option<Target> {
        let mut peers = self.peers(socket);
        peers.retain(|&peer| self.program.kind(peer) != Req || self.program.has(peer, Switch::Correlate));
        match self.random.below(10) {
            0 => None,
            1 => Some(Target::Unknown),
            _ if peers.is_empty() => Some(Target::Unknown),
            _ => Some(Target::Peer(self.random.pick(&peers))),
        }
    }

    /// Returns all peers of `socket`, including planned and former ones.
    fn peers(&self, socket: usize) -> Vec<usize> {
        let mine = self.edges.iter().filter(|edge| edge.binder == socket || edge.dialler == socket);
        mine.map(|edge| edge.binder + edge.dialler - socket).collect()
    }

    fn is_on(&self, edge: usize) -> bool {
        matches!(self.edges[edge].state, State::Connected | State::Pending)
    }

    fn touches(&self, edge: usize, socket: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        self.is_on(edge) && (binder == socket || dialler == socket)
    }

    /// Returns the number of connections that a socket has or tries to make.
    fn pipe_count(&self, socket: usize) -> usize {
        (0..self.edges.len()).filter(|&edge| self.touches(edge, socket)).count()
    }

    fn sends_round_robin(&self, socket: usize) -> bool {
        [Push, Dealer, Req].contains(&self.program.kind(socket))
    }

    fn may_add(&self, socket: usize) -> bool {
        let at_most_one_peer = self.pipe_count(socket) <= 1;
        !self.sends_round_robin(socket) || at_most_one_peer || self.sent[socket] == 0
    }

    /// Returns true if the result of the program stays predictable when a peer of `socket` is removed. There are two
    /// exceptions. If `socket` sends round-robin to several peers, the next receiver is not specified. If `socket` has
    /// sent a request without an envelope, a REP drops this request without a reply. So no reply shows whether the REP
    /// has read the request before its removal, or whether the request is still in a queue of `socket`.
    fn may_remove(&self, socket: usize) -> bool {
        (!self.sends_round_robin(socket) || self.pipe_count(socket) <= 1)
            && !self.sent_without_envelope.contains(&socket)
    }

    /// Returns true if the result of the program stays predictable when the binding socket of a pair of sockets ends
    /// their connection. `edge` is the index of the pair. The dialling socket keeps its queue for the next connection,
    /// unless `immediate` is set.
    fn may_lose(&self, edge: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        let keeps = !self.program.has(dialler, Switch::Immediate) && !self.sent_without_envelope.contains(&dialler);
        self.may_remove(binder) && (self.may_remove(dialler) || keeps)
    }

    fn changed(&mut self, socket: usize) {
        if self.pipe_count(socket) <= 1 {
            self.sent[socket] = 0;
        }
    }

    fn end_edge(&mut self, edge: usize) {
        self.edges[edge].state = State::Ended;
        self.changed(self.edges[edge].binder);
        self.changed(self.edges[edge].dialler);
    }
}

const TOPICS: [&str; 8] = ["", "a", "ab", "abc", "b", "s", "s0:", "topic"];
const SIZES: [usize; 12] = [0, 1, 7, 8, 9, 100, 254, 255, 256, 257, 8 << 10, 70_000];
