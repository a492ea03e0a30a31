//! One connection: PUSH and PULL, REQ and REP, and inproc.

use super::{Blk, BlkSock, recv_each};
use crate::common::*;
use std::sync::mpsc;
use std::time::Instant;

pub(super) fn push_and_park<S: BlkSock>(socket: &mut S, a: &Args) -> ! {
    let mut ring = Ring::new(a, 0, |body| S::frames(a.frames, body));
    let batch = a.scenario == Scenario::ThrBatch;
    let most = if batch { BATCH } else { BURST };
    let (mut left, mut unflushed) = (a.total(), 0);
    while left > 0 {
        let count = left.min(most);
        if batch {
            socket.send_many(&mut ring, count);
        } else {
            for _ in 0..count {
                socket.send(ring.next());
            }
        }
        left -= count;
        unflushed += count;
        if unflushed >= BURST || left == 0 {
            socket.flush();
            unflushed = 0;
        }
    }
    park()
}

pub(super) fn pull<S: BlkSock>(socket: &mut S, a: &Args) {
    let mut check = Check::new(a);
    take(socket, &mut check, a.warmup, a);
    let window = Window::start();
    take(socket, &mut check, a.count, a);
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut []);
    park()
}

/// Receives and checks exactly `count` messages.
fn take<S: BlkSock>(socket: &mut S, check: &mut Check, count: u64, a: &Args) {
    let end = check.count() + count;
    while check.count() < end {
        let left = end - check.count();
        if a.scenario == Scenario::ThrBatch {
            socket.recv_many(check, left.min(BATCH));
        } else {
            recv_each(socket, check, left);
        }
    }
}

/// Sends requests one after the other, and measures each round trip.
pub(super) fn ping<S: BlkSock>(socket: &mut S, a: &Args) {
    let mut ring = Ring::new(a, 0, S::template);
    let mut check = Check::new(a);
    for _ in 0..a.warmup {
        socket.send(ring.next());
        check.take(socket.recv());
    }
    let mut rtts = Vec::with_capacity(a.count as usize);
    let window = Window::start();
    for _ in 0..a.count {
        let begin = Instant::now();
        socket.send(ring.next());
        let seen = socket.recv();
        rtts.push(nanos_since(begin));
        check.take(seen);
    }
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut rtts);
    park()
}

pub(super) fn inproc_thr<I: Blk>(i: I, a: Args) {
    let mut socket = i.socket(Kind::Pull, &a);
    socket.bind(&a.endpoint);
    let args = a.clone();
    std::thread::spawn(move || push_and_park(&mut super::connected(&i, Kind::Push, &args), &args));
    pull(&mut socket, &a);
}

pub(super) fn inproc_lat<I: Blk>(i: I, a: Args) {
    // The thread that uses a socket also creates it, because not every socket may move to another thread.
    let (bound, is_bound) = mpsc::channel();
    let (i2, args) = (i.clone(), a.clone());
    std::thread::spawn(move || {
        let mut rep = i2.socket(Kind::Rep, &args);
        rep.bind(&args.endpoint);
        let _ = bound.send(());
        super::echo(&mut rep);
    });
    is_bound.recv().expect("the thread binds");
    ping(&mut super::connected(&i, Kind::Req, &a), &a);
}
