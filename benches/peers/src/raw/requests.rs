//! REQ and REP; DEALERs of one ROUTER.

use super::frames::{Block, READ_BLOCK, Walk, envelope, hello};
use super::gate::{Gate, Wait};
use super::net::{Epoll, Listener, Stream};
use crate::check::bodies;
use crate::common::*;
use std::collections::HashMap;
use std::io::Read;
use std::time::Instant;

pub(super) fn pong(a: &Args, wait: Wait) -> ! {
    let listener = Listener::bind(&a.endpoint);
    mark("ready");
    let mut stream = listener.accept().expect("accept");
    stream.handshake("REP");
    let mut buffer = vec![0; envelope(&bodies(a, 0)[0]).len()];
    let mut gate = Gate::new(&stream, wait);
    loop {
        gate.exact(&mut stream, &mut buffer);
        stream.put(&buffer);
    }
}

pub(super) fn ping(a: &Args, wait: Wait) -> ! {
    let mut stream = Stream::connect(&a.endpoint);
    stream.handshake("REQ");
    let mut ring = Ring::new(a, 0, envelope);
    let mut check = Check::new(a);
    let mut buffer = ring.clone().next().clone();
    let body = buffer.len() - a.size;
    let mut gate = Gate::new(&stream, wait);
    let mut round_trip = || {
        let begin = Instant::now();
        stream.put(ring.next());
        gate.exact(&mut stream, &mut buffer);
        let rtt = nanos_since(begin);
        check.take(Seen::one(&buffer[body..]));
        rtt
    };
    for _ in 0..a.warmup {
        round_trip();
    }
    let mut rtts = Vec::with_capacity(a.count as usize);
    let window = Window::start();
    rtts.extend((0..a.count).map(|_| round_trip()));
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut rtts);
    park()
}

struct Connection {
    stream: Stream,
    /// Bytes of greeting and READY until both are complete.
    shaking: Option<Vec<u8>>,
    walk: Walk,
}

/// Sends all frames back. Works as a ROUTER for peers that do not see routing ids.
pub(super) fn echo_server(a: &Args) -> ! {
    let listener = Listener::bind(&a.endpoint);
    let epoll = Epoll::new();
    epoll.add(listener.set_nonblocking(), u64::MAX);
    mark("ready");
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let (mut ready, mut next) = (Vec::new(), 0u64);
    let mut buffer = vec![0u8; READ_BLOCK];
    let hello = hello("ROUTER");
    loop {
        epoll.wait(&mut ready);
        for token in &ready {
            if *token == u64::MAX {
                while let Ok(mut stream) = listener.accept() {
                    stream.set_nonblocking();
                    epoll.add(stream.fd(), next);
                    stream.put(&hello);
                    connections.insert(next, Connection { stream, shaking: Some(Vec::new()), walk: Walk::default() });
                    next += 1;
                }
            } else if let Some(connection) = connections.get_mut(token)
                && let End::Closed = echo(connection, &mut buffer)
            {
                connections.remove(token);
            }
        }
    }
}

enum End {
    Open,
    Closed,
}

fn echo(connection: &mut Connection, buffer: &mut [u8]) -> End {
    let n = match connection.stream.read(buffer) {
        Ok(0) => return End::Closed,
        Ok(n) => n,
        Err(_) => return End::Open,
    };
    let mut bytes = &buffer[..n];
    let rest;
    if let Some(mut shaking) = connection.shaking.take() {
        shaking.extend(bytes);
        let end = shaking.get(65).map_or(66, |ready| 66 + usize::from(*ready));
        if shaking.len() < end {
            connection.shaking = Some(shaking);
            return End::Open;
        }
        rest = shaking.split_off(end);
        bytes = &rest;
    }
    // A server has to find the frames before it can answer them.
    connection.walk.feed(bytes, |seen| _ = std::hint::black_box(seen));
    connection.stream.put(bytes);
    End::Open
}

/// Connection of one DEALER.
pub(super) struct Dealer {
    pub(super) stream: Stream,
    walk: Walk,
    check: Check,
    sent: u64,
    /// Messages to send in all.
    total: u64,
}

impl Dealer {
    fn send(&mut self, block: &Block, count: u64) {
        let count = count.min(self.total - self.sent);
        self.stream.put(block.messages(self.sent, count));
        self.sent += count;
    }
}

/// Connects `a.peers` DEALERs, a limited number at a time. Each sends one request and receives the reply.
pub(super) fn dealers(a: &Args, block: &Block) -> Vec<Dealer> {
    let hello = hello("DEALER");
    let mut dealers: Vec<Dealer> = Vec::new();
    while dealers.len() < a.peers {
        let from = dealers.len();
        for _ in from..a.peers.min(from + CONN_WINDOW) {
            let mut stream = Stream::connect(&a.endpoint);
            stream.put(&hello);
            dealers.push(Dealer { stream, walk: Walk::default(), check: Check::new(a), sent: 0, total: 1 });
        }
        // Only the handshake may be sent before the READY of the peer: libzmq closes the connection otherwise.
        for dealer in &mut dealers[from..] {
            dealer.stream.finish_handshake();
            dealer.send(block, 1);
        }
        for dealer in &mut dealers[from..] {
            let (flags, body) = dealer.stream.frame();
            assert_eq!(flags & 5, 0, "expected a reply of one frame");
            dealer.check.take(Seen::one(&body));
        }
    }
    dealers
}

pub(super) fn router_clients(a: &Args) -> ! {
    let block = Block::new(a, 0);
    let mut dealers = dealers(a, &block);
    let epoll = Epoll::new();
    for (k, dealer) in dealers.iter_mut().enumerate() {
        dealer.total += share(a.count, a.peers, k);
        dealer.stream.set_nonblocking();
        epoll.add(dealer.stream.fd(), k as u64);
    }
    let mut buffer = vec![0u8; READ_BLOCK];
    let window = Window::start();
    for dealer in &mut dealers {
        dealer.send(&block, WINDOW);
    }
    let mut left = a.count;
    let mut ready = Vec::new();
    while left > 0 {
        epoll.wait(&mut ready);
        for &k in &ready {
            let dealer = &mut dealers[k as usize];
            let n = dealer.stream.read_some(&mut buffer);
            let before = dealer.check.count();
            dealer.walk.feed(&buffer[..n], |seen| dealer.check.take(seen));
            let received = dealer.check.count() - before;
            left -= received;
            dealer.send(&block, received);
        }
    }
    let measured = window.stop();
    let checked = dealers.iter().fold(Checked::default(), |sum, dealer| sum.plus(dealer.check.finish(dealer.total)));
    report(a, measured, a.count, checked, &mut []);
    park()
}

pub(super) fn conns_clients(a: &Args) -> ! {
    let block = Block::new(a, 0);
    let window = Window::start();
    let dealers = dealers(a, &block);
    let measured = window.stop();
    let checked = dealers.iter().fold(Checked::default(), |sum, dealer| sum.plus(dealer.check.finish(1)));
    report(a, measured, a.peers as u64, checked, &mut []);
    park()
}
