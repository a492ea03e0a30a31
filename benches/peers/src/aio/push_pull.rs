//! PUSH and PULL: one connection, many senders, many pairs, and inproc.

use super::{Aio, AioSock, recv_each, sleep_until_killed};
use crate::common::*;
use futures::StreamExt;
use futures::channel::mpsc;

pub(super) async fn push<S: AioSock>(socket: &mut S, a: &Args) {
    let mut ring = Ring::new(a, 0, |body| S::frames(a.frames, body));
    let batch = a.scenario == Scenario::ThrBatch;
    let most = if batch { BATCH } else { BURST };
    let (mut left, mut unflushed) = (a.total(), 0);
    while left > 0 {
        let count = left.min(most);
        if batch {
            socket.send_many(&mut ring, count).await;
        } else {
            for _ in 0..count {
                socket.send(ring.next()).await;
            }
        }
        left -= count;
        unflushed += count;
        if unflushed >= BURST || left == 0 {
            socket.flush().await;
            unflushed = 0;
        }
    }
}

pub(super) async fn pull<S: AioSock>(socket: &mut S, a: &Args) {
    let mut check = Check::new(a);
    take(socket, &mut check, a.warmup, a).await;
    let window = Window::start();
    take(socket, &mut check, a.count, a).await;
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut []);
}

/// Receives and checks exactly `count` messages.
async fn take<S: AioSock>(socket: &mut S, check: &mut Check, count: u64, a: &Args) {
    let end = check.count() + count;
    while check.count() < end {
        let left = end - check.count();
        if a.scenario == Scenario::ThrBatch {
            socket.recv_many(check, left.min(BATCH)).await;
        } else {
            recv_each(socket, check, left.min(DRAIN)).await;
        }
        socket.breathe().await;
    }
}

/// Many senders in one process, each with its own connection.
pub(super) async fn fan_in<I: Aio>(i: I, a: Args) {
    for sender in 0..a.peers {
        let mut socket = i.socket(Kind::Push, &a).await;
        socket.connect(&a.endpoint).await;
        let ring = Ring::new(&a, sender, I::Sock::template);
        spawn_sender(&i, socket, ring, share(a.total(), a.peers, sender));
    }
    sleep_until_killed(&i).await;
}

pub(super) async fn multi_push<I: Aio>(i: I, a: Args) {
    let ring = Ring::new(&a, 0, I::Sock::template);
    for pair in 0..a.peers {
        let mut socket = i.socket(Kind::Push, &a).await;
        socket.connect(&a.endpoint_of(pair)).await;
        spawn_sender(&i, socket, ring.clone(), share(a.count, a.peers, pair) + 1);
    }
    sleep_until_killed(&i).await;
}

fn spawn_sender<I: Aio>(i: &I, mut socket: I::Sock, mut ring: Ring<<I::Sock as AioSock>::Template>, count: u64) {
    i.spawn(async move {
        for _ in 0..count {
            socket.send(ring.next()).await;
            socket.breathe().await;
        }
        // Dropping the socket could drop its queued messages.
        std::mem::forget(socket);
    });
}

/// The clock runs from the moment when each socket has received one message.
pub(super) async fn multi_pull<I: Aio>(i: I, a: Args) {
    let (tx, mut rx) = mpsc::unbounded::<(I::Sock, Check)>();
    let mut sockets = Vec::new();
    for pair in 0..a.peers {
        let mut socket = i.socket(Kind::Pull, &a).await;
        socket.bind(&a.endpoint_of(pair)).await;
        sockets.push((socket, Check::new(&a)));
    }
    mark("ready");
    // Shares differ by one at most, and the order of the pairs is lost.
    let least = a.count / a.peers as u64;
    let mut window = None;
    for count in [1, least] {
        for (mut socket, mut check) in sockets.drain(..) {
            let (tx, a) = (tx.clone(), a.clone());
            i.spawn(async move {
                take(&mut socket, &mut check, count, &a).await;
                let _ = tx.unbounded_send((socket, check));
            });
        }
        for _ in 0..a.peers {
            sockets.push(rx.next().await.expect("this function has a sender"));
        }
        window.get_or_insert_with(Window::start);
    }
    let measured = window.expect("set in the loop").stop();
    let checked = sockets.iter().fold(Checked::default(), |sum, (_, check)| sum.plus(check.finish(least + 1)));
    report(&a, measured, least * a.peers as u64, checked, &mut []);
    std::mem::forget(sockets);
}

pub(super) async fn inproc<I: Aio>(i: I, a: Args) {
    let mut socket = i.socket(Kind::Pull, &a).await;
    socket.bind(&a.endpoint).await;
    let (sender, args) = (i.clone(), a.clone());
    i.spawn(async move {
        let mut socket = sender.socket(Kind::Push, &args).await;
        socket.connect(&args.endpoint).await;
        push(&mut socket, &args).await;
        sleep_until_killed(&sender).await;
    });
    pull(&mut socket, &a).await;
    sleep_until_killed(&i).await;
}
