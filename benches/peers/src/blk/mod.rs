//! The scenarios for blocking implementations, written once over two traits.

mod one;
mod polled;

use crate::common::*;

pub trait BlkSock: Sized + 'static {
    /// See [`AioSock::Template`](crate::aio::AioSock::Template).
    type Template: 'static;
    fn template(body: &[u8]) -> Self::Template;
    /// Prepares a message of `count` frames with this body each.
    fn frames(count: usize, body: &[u8]) -> Self::Template {
        assert_eq!(count, 1, "this implementation has messages of one frame only");
        Self::template(body)
    }
    fn bind(&mut self, endpoint: &str);
    fn connect(&mut self, endpoint: &str);
    fn subscribe_all(&mut self);
    fn send(&mut self, message: &Self::Template);
    /// Hands the sent messages to the operating system, where this needs a call.
    fn flush(&mut self) {}
    /// Sends the next `count` messages. The default is a loop of one message per call.
    fn send_many(&mut self, ring: &mut Ring<Self::Template>, count: u64) {
        for _ in 0..count {
            self.send(ring.next());
        }
    }
    fn recv(&mut self) -> Seen;
    /// Receives without waiting. `None`: no message is queued, or there is no such call.
    fn try_recv(&mut self) -> Option<Seen>;
    /// Waits for a message, and checks at most `limit` messages. The default is a loop of one message per call.
    fn recv_many(&mut self, check: &mut Check, limit: u64) {
        recv_each(self, check, limit);
    }
    /// Receives one message and sends it back to its sender.
    fn echo(&mut self);
}

/// Waits for a message, and checks at most `limit` messages, one per call.
pub fn recv_each<S: BlkSock>(socket: &mut S, check: &mut Check, limit: u64) {
    check.take(socket.recv());
    for _ in 1..limit {
        let Some(seen) = socket.try_recv() else { break };
        check.take(seen);
    }
}

pub trait Blk: Clone + Send + 'static {
    type Sock: BlkSock;
    fn socket(&self, kind: Kind, a: &Args) -> Self::Sock;
    /// Waits until at least one of `sockets` can be read, and adds the indices of those that can to `ready`.
    fn poll(&self, sockets: &[Self::Sock], ready: &mut Vec<usize>) {
        let (_, _) = (sockets, ready);
        panic!("this implementation has no poll call over several sockets")
    }
    /// Passes messages between the two sockets until the process ends.
    fn proxy(&self, front: Self::Sock, back: Self::Sock) {
        drop((front, back));
        panic!("this implementation has no proxy")
    }
}

/// Runs the scenario of `a`, and keeps everything as it is afterwards.
pub fn run<I: Blk>(i: I, a: Args) -> ! {
    match (a.scenario, a.role) {
        (Scenario::Thr | Scenario::ThrBatch | Scenario::Curve | Scenario::Fanin, Role::Bind) => {
            one::pull(&mut bound(&i, Kind::Pull, &a), &a);
        }
        (Scenario::Thr | Scenario::ThrBatch | Scenario::Curve, Role::Connect) => {
            one::push_and_park(&mut connected(&i, Kind::Push, &a), &a);
        }
        (Scenario::Lat, Role::Bind) => echo(&mut bound(&i, Kind::Rep, &a)),
        (Scenario::Router | Scenario::Conns | Scenario::Olat, Role::Bind) => echo(&mut bound(&i, Kind::Router, &a)),
        (Scenario::Lat, Role::Connect) => one::ping(&mut connected(&i, Kind::Req, &a), &a),
        (Scenario::Router, Role::Connect) => polled::router_clients(&i, &a),
        (Scenario::Conns, Role::Connect) => polled::conns_clients(&i, &a),
        (Scenario::Fanin, Role::Connect) => polled::fan_in(&i, &a),
        (Scenario::Multi, Role::Bind) => polled::multi_pull(&i, &a),
        (Scenario::Multi, Role::Connect) => polled::multi_push(&i, &a),
        (Scenario::Proxy, Role::Bind) => proxy(&i, &a),
        (Scenario::Pubsub, Role::Bind) => polled::publish(&i, &a),
        (Scenario::Pubsub, Role::Connect) => polled::subscribers(&i, &a),
        (Scenario::InprocThr, Role::Both) => one::inproc_thr(i, a),
        (Scenario::InprocLat, Role::Both) => one::inproc_lat(i, a),
        _ => unsupported(&a),
    }
    park()
}

fn bound<I: Blk>(i: &I, kind: Kind, a: &Args) -> I::Sock {
    let mut socket = i.socket(kind, a);
    socket.bind(&a.endpoint);
    mark("ready");
    socket
}

fn connected<I: Blk>(i: &I, kind: Kind, a: &Args) -> I::Sock {
    let mut socket = i.socket(kind, a);
    socket.connect(&a.endpoint);
    socket
}

fn echo<S: BlkSock>(socket: &mut S) {
    loop {
        socket.echo();
    }
}

fn proxy<I: Blk>(i: &I, a: &Args) {
    let (front, back) = a.proxied();
    let (mut front, mut back) = (i.socket(front, a), i.socket(back, a));
    front.bind(&a.endpoint);
    back.connect(&a.back);
    mark("ready");
    i.proxy(front, back);
}
