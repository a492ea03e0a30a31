//! Writes random programs, and only such as have one outcome.
//!
//! Three things would leave it to chance. What is under way when peers come and go, or subscriptions do, may arrive or not:
//! so everything is received before. Where the turn stands among several peers after one has come or gone in its middle is
//! everybody's own choice: so they come before anything is sent to them in turn, and the last one alone goes. And how much
//! is read while nobody receives is up to the system: so marks are met only where nobody is connected.

use super::cast::{Cast, Dice};
use super::program::{Op, Piece, Program, Spot, Switch, Target, tag};
use sansmq::proto::SocketType::{Dealer, Pub, Push, Rep, Req, Router, Sub, XPub, XSub};
use std::collections::BTreeSet;

/// The program of a seed.
pub(crate) fn program(seed: u64) -> Program {
    Writer::new(seed).write()
}

struct Writer {
    dice: Dice,
    program: Program,
    /// How many sockets are on the left side, which speaks with the right one.
    left: usize,
    edges: Vec<Edge>,
    /// Whose each endpoint is, and whether it is bound now.
    bound: Vec<(usize, bool)>,
    /// How much each socket has sent since it had several peers.
    dealt: Vec<usize>,
    open: Vec<bool>,
    /// Who has sent since everything was received.
    busy: BTreeSet<usize>,
    /// Who has sent a request without an envelope, which a REP passes over when it comes to it.
    astray: BTreeSet<usize>,
    /// How much was sent by all.
    numbers: usize,
    inproc: bool,
    /// The latest message alone is kept.
    conflates: bool,
    /// The marks are, and so are messages.
    small: bool,
}

/// Two sockets that are to speak with each other.
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
    Up,
    /// It is dialled, and nobody is bound there.
    Pending,
    Over,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let Cast { sockets, left, inproc, conflates, small } = Cast::drawn(&mut dice);
        let count = sockets.len();
        Self {
            dice,
            program: Program { sockets, endpoints: Vec::new(), ops: Vec::new() },
            left,
            edges: Vec::new(),
            bound: Vec::new(),
            dealt: vec![0; count],
            open: vec![true; count],
            busy: BTreeSet::new(),
            astray: BTreeSet::new(),
            numbers: 0,
            inproc,
            conflates,
            small,
        }
    }

    fn write(mut self) -> Program {
        self.plan();
        while let Some(edge) = self.planned() {
            if !self.join(edge) || self.dice.chance(15) {
                break;
            }
            if self.dice.chance(30) {
                self.step();
            }
        }
        for _ in 0..10 + self.dice.below(25) {
            self.step();
        }
        // What came too much is before this.
        self.drain();
        for _ in 0..2 {
            for socket in 0..self.program.sockets.len() {
                self.send(socket);
            }
            self.drain();
        }
        self.program
    }

    /// Chooses who shall speak with whom, and who dials.
    fn plan(&mut self) {
        let left = self.left;
        for one in 0..left {
            for other in left..self.program.sockets.len() {
                if one == 0 || self.dice.chance(80) {
                    let (binder, dialler) = if self.dice.chance(50) { (one, other) } else { (other, one) };
                    self.edges.push(Edge { binder, dialler, endpoint: None, state: State::Planned });
                }
            }
        }
        for last in (1..self.edges.len()).rev() {
            let other = self.dice.below(last + 1);
            self.edges.swap(last, other);
        }
    }

    fn planned(&mut self) -> Option<usize> {
        let planned: Vec<_> = (0..self.edges.len()).filter(|&edge| self.edges[edge].state == State::Planned).collect();
        (!planned.is_empty()).then(|| self.dice.pick(&planned))
    }

    fn step(&mut self) {
        let socket = self.dice.below(self.open.len());
        if !self.open[socket] {
            return;
        }
        match self.dice.below(100) {
            0..50 => {
                for _ in 0..=self.dice.below(4) {
                    self.send(socket);
                }
            }
            50..68 => self.drain(),
            68..74 => {
                if self.busy.len() <= 1 && !self.conflates {
                    self.program.ops.push(Op::Receive { socket });
                }
            }
            74..87 => self.wish(socket),
            87..91 => {
                if let Some(edge) = self.planned() {
                    self.join(edge);
                }
            }
            91..94 => self.leave(socket),
            94..96 => self.rebind(socket),
            96..98 => self.break_rules(socket),
            _ => self.close(socket),
        }
    }

    fn drain(&mut self) {
        self.busy.clear();
        self.program.ops.push(Op::Drain);
    }

    /// Establishes a connection, or dials first and binds later.
    fn join(&mut self, edge: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        if !self.open[binder] || !self.open[dialler] || !self.may_add(binder) || !self.may_add(dialler) {
            return false;
        }
        self.drain();
        let free = |&endpoint: &usize| {
            let (owner, is_bound) = self.bound[endpoint];
            owner == binder && is_bound
        };
        let there: Vec<_> = (0..self.bound.len()).filter(free).collect();
        let (endpoint, is_new) = if there.is_empty() || self.dice.chance(50) {
            let spot = if self.inproc { Spot::Inproc } else { self.dice.pick(&[Spot::Tcp, Spot::Ipc]) };
            self.program.endpoints.push(spot);
            self.bound.push((binder, true));
            (self.bound.len() - 1, true)
        } else {
            (self.dice.pick(&there), false)
        };
        let (bind, connect) = (Op::Bind { socket: binder, endpoint }, Op::Connect { socket: dialler, endpoint });
        // Left out: what waits for an `inproc` name where the latest alone is kept; and a peer that enters the turn late.
        let is_left_out =
            self.inproc && self.conflates || self.program.has(dialler, Switch::Immediate) && self.rotation(dialler) > 0;
        let late = is_new && self.program.endpoints[endpoint] != Spot::Tcp && !is_left_out && self.dice.chance(40);
        let mut state = State::Up;
        if late {
            self.program.ops.push(connect);
            for _ in 0..self.dice.below(4) {
                self.send(dialler);
            }
            if self.dice.chance(70) {
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

    fn leave(&mut self, socket: usize) {
        let mine = |&edge: &usize| self.edges[edge].dialler == socket && self.is_on(edge);
        let mine: Vec<_> = (0..self.edges.len()).filter(mine).collect();
        if mine.is_empty() {
            return;
        }
        let edge = self.dice.pick(&mine);
        if !self.may_remove(self.edges[edge].binder) || !self.may_remove(socket) {
            return;
        }
        self.drain();
        self.program.ops.push(Op::Disconnect { socket, endpoint: self.edges[edge].endpoint.unwrap() });
        self.over(edge);
    }

    /// Unbinds, or binds again.
    fn rebind(&mut self, socket: usize) {
        let mine: Vec<_> = (0..self.bound.len()).filter(|&endpoint| self.bound[endpoint].0 == socket).collect();
        if mine.is_empty() {
            return;
        }
        let endpoint = self.dice.pick(&mine);
        let there = |&edge: &usize| self.edges[edge].endpoint == Some(endpoint) && self.is_on(edge);
        let there: Vec<_> = (0..self.edges.len()).filter(there).collect();
        // Who comes first is left to chance; and how much room a pipe has again, for marks are met by and by.
        if there.len() > 1 || self.small {
            return;
        }
        let (_, is_bound) = self.bound[endpoint];
        if is_bound {
            if there.iter().any(|&edge| !self.may_lose(edge)) {
                return;
            }
            self.drain();
            self.program.ops.push(Op::Unbind { socket, endpoint });
            for edge in there {
                // So too where all of them are libzmq's within a process: there the connection stays, and the program ends.
                self.edges[edge].state = State::Pending;
                self.changed(self.edges[edge].dialler);
            }
        } else {
            let back = there.iter().any(|&edge| !self.may_add(self.edges[edge].dialler));
            if self.program.endpoints[endpoint] == Spot::Tcp || !self.may_add(socket) || back {
                return;
            }
            // Where somebody was to connect within a process and does no more, there is no answer of libzmq's to compare with.
            let was_there = |edge: &Edge| edge.endpoint == Some(endpoint) && edge.state == State::Over;
            if self.inproc && self.edges.iter().any(was_there) {
                return;
            }
            self.drain();
            self.program.ops.push(Op::Bind { socket, endpoint });
            for edge in there {
                self.edges[edge].state = State::Up;
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
        let held = others.iter().any(|&(edge, other)| !self.may_remove(other) && !keeps(edge, other));
        if self.numbers < 10 || self.small || held || self.astray.contains(&socket) {
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
                self.over(edge);
            }
        }
        for endpoint in &mut self.bound {
            endpoint.1 &= endpoint.0 != socket;
        }
    }

    fn wish(&mut self, socket: usize) {
        if ![Sub, XSub].contains(&self.program.kind(socket)) {
            return;
        }
        self.drain();
        let topic = self.dice.pick(&TOPICS);
        let op = if self.dice.chance(65) { Op::Subscribe { socket, topic } } else { Op::Unsubscribe { socket, topic } };
        self.program.ops.push(op);
    }

    fn send(&mut self, socket: usize) {
        if !self.open[socket] {
            return;
        }
        let kind = self.program.kind(socket);
        let to = (kind == Router).then(|| self.target(socket)).flatten();
        let tag = tag(socket, self.numbers);
        self.numbers += 1;
        let mut frames = Vec::new();
        if kind == Router && to.is_none() {
            // There is an address, and nothing to send.
            frames.push(Piece { size: 4, text: "lone".to_owned() });
        } else {
            self.content(socket, &tag, &mut frames);
        }
        self.program.ops.push(Op::Send { socket, to, frames });
        self.busy.insert(socket);
        self.dealt[socket] += 1;
    }

    /// A ROUTER sends a REQ what is no reply.
    fn break_rules(&mut self, socket: usize) {
        let Some(Target::Peer(peer)) = (self.program.kind(socket) == Router).then(|| self.target(socket)).flatten()
        else {
            return;
        };
        let edge = (0..self.edges.len()).find(|&edge| self.touches(edge, socket) && self.touches(edge, peer));
        let Some(edge) = edge.filter(|_| self.program.kind(peer) == Req && self.may_remove(peer)) else {
            return;
        };
        self.drain();
        let frames = vec![Piece { size: 8, text: tag(socket, self.numbers) }];
        self.numbers += 1;
        self.program.ops.push(Op::Send { socket, to: Some(Target::Peer(peer)), frames });
        self.drain();
        if self.edges[edge].dialler == peer {
            self.over(edge);
        }
    }

    fn content(&mut self, socket: usize, tag: &str, frames: &mut Vec<Piece>) {
        let kind = self.program.kind(socket);
        let peers: Vec<_> = self.peers(socket).into_iter().map(|peer| self.program.kind(peer)).collect();
        let envelope: &[&str] = match kind {
            Dealer if peers.contains(&Rep) => self.dice.pick(&[&[""], &[""], &["hop", ""], &["one", "two", ""], &[]]),
            // What begins with four octets could be an answer to another request.
            Router if peers.contains(&Req) => self.dice.pick(&[&[""], &[""], &["four", ""]]),
            _ => &[],
        };
        if kind == Dealer && peers.contains(&Rep) && envelope.is_empty() {
            self.astray.insert(socket);
        }
        frames.extend(envelope.iter().map(|&frame| Piece { size: frame.len(), text: frame.to_owned() }));
        if [Pub, XPub].contains(&kind) {
            let topic = self.dice.pick(&TOPICS);
            if self.conflates || self.dice.chance(50) {
                frames.push(Piece { size: topic.len() + tag.len(), text: format!("{topic}{tag}") });
                return;
            }
            frames.push(Piece { size: topic.len(), text: topic.to_owned() });
        }
        let count = if self.conflates || self.dice.chance(50) { 1 } else { 1 + self.dice.below(4) };
        for _ in 0..count {
            let size = if self.conflates { 8 } else { self.size() };
            frames.push(Piece { size, text: tag.to_owned() });
        }
    }

    fn size(&mut self) -> usize {
        loop {
            let size = self.dice.pick(&SIZES);
            // What does not fit into the system's buffers would meet the marks at some moment or other.
            if size <= 300 || !self.small && self.dice.chance(50) {
                return size;
            }
        }
    }

    /// Whom a ROUTER speaks to. A REQ that does not correlate would take anything for its reply, if it came in time.
    fn target(&mut self, socket: usize) -> Option<Target> {
        let mut peers = self.peers(socket);
        peers.retain(|&peer| self.program.kind(peer) != Req || self.program.has(peer, Switch::Correlate));
        match self.dice.below(10) {
            0 => None,
            1 => Some(Target::Nobody),
            _ if peers.is_empty() => Some(Target::Nobody),
            _ => Some(Target::Peer(self.dice.pick(&peers))),
        }
    }

    /// All it was ever to speak with.
    fn peers(&self, socket: usize) -> Vec<usize> {
        let mine = self.edges.iter().filter(|edge| edge.binder == socket || edge.dialler == socket);
        mine.map(|edge| edge.binder + edge.dialler - socket).collect()
    }

    fn is_on(&self, edge: usize) -> bool {
        matches!(self.edges[edge].state, State::Up | State::Pending)
    }

    fn touches(&self, edge: usize, socket: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        self.is_on(edge) && (binder == socket || dialler == socket)
    }

    /// How many pipes it deals to.
    fn rotation(&self, socket: usize) -> usize {
        (0..self.edges.len()).filter(|&edge| self.touches(edge, socket)).count()
    }

    fn deals(&self, socket: usize) -> bool {
        [Push, Dealer, Req].contains(&self.program.kind(socket))
    }

    fn may_add(&self, socket: usize) -> bool {
        let alone = self.rotation(socket) <= 1;
        !self.deals(socket) || alone || self.dealt[socket] == 0
    }

    /// A request without an envelope leaves no trace, so nobody knows when a REP has come to it, and whether its sender was there
    /// still.
    fn may_remove(&self, socket: usize) -> bool {
        (!self.deals(socket) || self.rotation(socket) <= 1) && !self.astray.contains(&socket)
    }

    /// Whether its binder may hang up. The dialler has the pipe still, if it deals to pipes without connection.
    fn may_lose(&self, edge: usize) -> bool {
        let Edge { binder, dialler, .. } = self.edges[edge];
        let keeps = !self.program.has(dialler, Switch::Immediate) && !self.astray.contains(&dialler);
        self.may_remove(binder) && (self.may_remove(dialler) || keeps)
    }

    fn changed(&mut self, socket: usize) {
        if self.rotation(socket) <= 1 {
            self.dealt[socket] = 0;
        }
    }

    fn over(&mut self, edge: usize) {
        self.edges[edge].state = State::Over;
        self.changed(self.edges[edge].binder);
        self.changed(self.edges[edge].dialler);
    }
}

const TOPICS: [&str; 8] = ["", "a", "ab", "abc", "b", "s", "s0:", "topic"];
const SIZES: [usize; 12] = [0, 1, 7, 8, 9, 100, 254, 255, 256, 257, 8 << 10, 70_000];
