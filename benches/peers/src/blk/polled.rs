//! Many sockets of one thread, which waits for all of them with a poll call.

use super::{Blk, BlkSock};
use crate::common::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

/// Socket with the messages that it sends and the check of those that it receives.
struct Numbered<S: BlkSock> {
    ring: Ring<S::Template>,
    check: Check,
    /// Messages that remain to be sent.
    left: u64,
}

impl<S: BlkSock> Numbered<S> {
    fn send(&mut self, socket: &mut S) {
        if self.left > 0 {
            socket.send(self.ring.next());
            self.left -= 1;
        }
    }
}

pub(super) fn fan_in<I: Blk>(i: &I, a: &Args) -> ! {
    let mut sockets: Vec<_> = (0..a.peers).map(|_| super::connected(i, Kind::Push, a)).collect();
    let mut rings: Vec<_> = (0..a.peers).map(|sender| Ring::new(a, sender, I::Sock::template)).collect();
    send_in_turn(&mut sockets, &mut rings, a.total());
    park()
}

pub(super) fn multi_push<I: Blk>(i: &I, a: &Args) -> ! {
    let ring = Ring::new(a, 0, I::Sock::template);
    let mut sockets: Vec<_> = (0..a.peers)
        .map(|pair| {
            let mut socket = i.socket(Kind::Push, a);
            socket.connect(&a.endpoint_of(pair));
            socket
        })
        .collect();
    let mut rings = vec![ring; a.peers];
    send_in_turn(&mut sockets, &mut rings, a.count + a.peers as u64);
    park()
}

fn send_in_turn<S: BlkSock>(sockets: &mut [S], rings: &mut [Ring<S::Template>], total: u64) {
    let mut left = total;
    loop {
        for (socket, ring) in sockets.iter_mut().zip(rings.iter_mut()) {
            if left == 0 {
                return;
            }
            socket.send(ring.next());
            left -= 1;
        }
    }
}

/// The clock runs from the moment when each socket has received one message.
pub(super) fn multi_pull<I: Blk>(i: &I, a: &Args) {
    let mut sockets: Vec<_> = (0..a.peers).map(|_| i.socket(Kind::Pull, a)).collect();
    for (pair, socket) in sockets.iter_mut().enumerate() {
        socket.bind(&a.endpoint_of(pair));
    }
    let mut checks: Vec<_> = sockets.iter().map(|_| Check::new(a)).collect();
    mark("ready");
    for (socket, check) in sockets.iter_mut().zip(&mut checks) {
        check.take(socket.recv());
    }
    let window = Window::start();
    let total = a.count / a.peers as u64 * a.peers as u64;
    let mut received = 0;
    let mut ready = Vec::new();
    while received < total {
        ready.clear();
        i.poll(&sockets, &mut ready);
        for &k in &ready {
            for _ in 0..DRAIN {
                let Some(seen) = sockets[k].try_recv() else { break };
                checks[k].take(seen);
                received += 1;
            }
        }
    }
    let measured = window.stop();
    let checked = checks.iter().fold(Checked::default(), |sum, check| sum.plus(check.finish(check.count())));
    assert_eq!(checked.received, received + a.peers as u64, "messages are lost");
    report(a, measured, received, checked, &mut []);
    park()
}

/// Connects `a.peers` DEALERs, a limited number at a time. Each sends one request and receives the reply.
fn dealers<I: Blk>(i: &I, a: &Args, ring: &Ring<<I::Sock as BlkSock>::Template>) -> Vec<(I::Sock, Numbered<I::Sock>)> {
    let mut dealers: Vec<(I::Sock, Numbered<I::Sock>)> = Vec::new();
    while dealers.len() < a.peers {
        let from = dealers.len();
        for _ in from..a.peers.min(from + CONN_WINDOW) {
            let mut socket = super::connected(i, Kind::Dealer, a);
            let mut numbered = Numbered { ring: ring.clone(), check: Check::new(a), left: 1 };
            numbered.send(&mut socket);
            dealers.push((socket, numbered));
        }
        for (socket, numbered) in &mut dealers[from..] {
            numbered.check.take(socket.recv());
        }
    }
    dealers
}

pub(super) fn router_clients<I: Blk>(i: &I, a: &Args) -> ! {
    let ring = Ring::new(a, 0, I::Sock::template);
    let (mut sockets, mut numbered): (Vec<_>, Vec<_>) = dealers(i, a, &ring).into_iter().unzip();
    for (k, numbered) in numbered.iter_mut().enumerate() {
        numbered.left = share(a.count, a.peers, k);
    }
    let window = Window::start();
    for (socket, numbered) in sockets.iter_mut().zip(&mut numbered) {
        for _ in 0..WINDOW {
            numbered.send(socket);
        }
    }
    let mut left = a.count;
    let mut ready = Vec::new();
    while left > 0 {
        ready.clear();
        i.poll(&sockets, &mut ready);
        for &k in &ready {
            while let Some(seen) = sockets[k].try_recv() {
                numbered[k].check.take(seen);
                left -= 1;
                numbered[k].send(&mut sockets[k]);
            }
        }
    }
    let measured = window.stop();
    let checked = numbered
        .iter()
        .enumerate()
        .fold(Checked::default(), |sum, (k, numbered)| sum.plus(numbered.check.finish(share(a.count, a.peers, k) + 1)));
    report(a, measured, a.count, checked, &mut []);
    park()
}

pub(super) fn conns_clients<I: Blk>(i: &I, a: &Args) -> ! {
    let ring = Ring::new(a, 0, I::Sock::template);
    let window = Window::start();
    let dealers = dealers(i, a, &ring);
    let measured = window.stop();
    let checked = dealers.iter().fold(Checked::default(), |sum, (_, numbered)| sum.plus(numbered.check.finish(1)));
    report(a, measured, a.peers as u64, checked, &mut []);
    park()
}

pub(super) fn publish<I: Blk>(i: &I, a: &Args) -> ! {
    let mut socket = super::bound(i, Kind::Pub, a);
    let go = go_flag();
    let probe = I::Sock::template(PROBE);
    while !go.load(Ordering::Acquire) {
        socket.send(&probe);
        std::thread::sleep(PAUSE);
    }
    let mut ring = Ring::new(a, 0, I::Sock::template);
    for _ in 0..a.count {
        socket.send(ring.next());
    }
    let end = I::Sock::template(END);
    loop {
        socket.send(&end);
        std::thread::sleep(PAUSE);
    }
}

pub(super) fn subscribers<I: Blk>(i: &I, a: &Args) -> ! {
    assert!(a.size > END.len(), "shorter messages are the probe and the end");
    let mut sockets: Vec<I::Sock> = (0..a.peers)
        .map(|_| {
            let mut socket = i.socket(Kind::Sub, a);
            socket.subscribe_all();
            socket.connect(&a.endpoint);
            socket
        })
        .collect();
    for socket in &mut sockets {
        socket.recv();
    }
    let mut checks: Vec<_> = sockets.iter().map(|_| Check::new(a)).collect();
    mark("subscribed");
    let mut window = None;
    let mut ended = vec![false; a.peers];
    let mut left = a.peers;
    let mut ready = Vec::new();
    while left > 0 {
        ready.clear();
        i.poll(&sockets, &mut ready);
        for &k in &ready {
            // Limited, so that one busy subscriber does not delay the others.
            for _ in 0..DRAIN {
                let Some(seen) = sockets[k].try_recv() else { break };
                if seen.len == END.len() {
                    left -= usize::from(!ended[k]);
                    ended[k] = true;
                } else if seen.len != PROBE.len() {
                    window.get_or_insert_with(Window::start);
                    checks[k].take(seen);
                }
            }
        }
    }
    let measured = window.expect("each subscriber has received every message").stop();
    let checked = checks.iter().fold(Checked::default(), |sum, check| sum.plus(check.finish(a.count)));
    report(a, measured, checked.received, checked, &mut []);
    park()
}
