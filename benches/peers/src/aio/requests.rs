//! REQ and REP; DEALERs of one ROUTER.

use super::{Aio, AioSock, sleep_until_killed};
use crate::common::*;
use futures::StreamExt;
use futures::channel::mpsc;
use std::time::Instant;

/// Sends requests one after the other, and measures each round trip.
pub(super) async fn ping<S: AioSock>(socket: &mut S, a: &Args) {
    let mut ring = Ring::new(a, 0, S::template);
    let mut check = Check::new(a);
    for _ in 0..a.warmup {
        socket.send(ring.next()).await;
        check.take(socket.recv().await);
    }
    let mut rtts = Vec::with_capacity(a.count as usize);
    let window = Window::start();
    for _ in 0..a.count {
        let begin = Instant::now();
        socket.send(ring.next()).await;
        let seen = socket.recv().await;
        rtts.push(nanos_since(begin));
        check.take(seen);
    }
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut rtts);
}

pub(super) async fn inproc<I: Aio>(i: I, a: Args) {
    let mut rep = i.socket(Kind::Rep, &a).await;
    rep.bind(&a.endpoint).await;
    i.spawn(async move {
        loop {
            rep.echo().await;
        }
    });
    let mut req = i.socket(Kind::Req, &a).await;
    req.connect(&a.endpoint).await;
    ping(&mut req, &a).await;
    sleep_until_killed(&i).await;
}

/// DEALER with the messages that it sends and the check of the replies.
struct Dealer<S: AioSock> {
    socket: S,
    ring: Ring<S::Template>,
    check: Check,
}

impl<S: AioSock> Dealer<S> {
    /// Sends `count` requests, with at most `WINDOW` outstanding, and receives their replies.
    async fn exchange(&mut self, count: u64) {
        let Self { socket, ring, check } = self;
        let end = check.count() + count;
        let mut left = count;
        for _ in 0..count.min(WINDOW) {
            socket.send(ring.next()).await;
            left -= 1;
        }
        while check.count() < end {
            let mut seen = socket.recv().await;
            loop {
                check.take(seen);
                if left > 0 {
                    socket.send(ring.next()).await;
                    left -= 1;
                }
                match socket.try_recv() {
                    Some(next) => seen = next,
                    None => break,
                }
            }
            socket.breathe().await;
        }
    }
}

pub(super) async fn router_clients<I: Aio>(i: I, a: Args) {
    let (tx, mut rx) = mpsc::unbounded::<Dealer<I::Sock>>();
    let ring = Ring::new(&a, 0, I::Sock::template);
    let mut dealers = Vec::with_capacity(a.peers);
    // A limited number connects at a time, and exchanges WINDOW messages.
    while dealers.len() < a.peers {
        let count = CONN_WINDOW.min(a.peers - dealers.len());
        for _ in 0..count {
            let (i2, a, tx, ring) = (i.clone(), a.clone(), tx.clone(), ring.clone());
            i.spawn(async move {
                let mut socket = i2.socket(Kind::Dealer, &a).await;
                socket.connect(&a.endpoint).await;
                let mut dealer = Dealer { socket, ring, check: Check::new(&a) };
                dealer.exchange(WINDOW).await;
                let _ = tx.unbounded_send(dealer);
            });
        }
        for _ in 0..count {
            dealers.push(rx.next().await.expect("this function has a sender"));
        }
    }
    let window = Window::start();
    for (k, mut dealer) in dealers.into_iter().enumerate() {
        let (tx, count) = (tx.clone(), share(a.count, a.peers, k));
        i.spawn(async move {
            dealer.exchange(count).await;
            assert_eq!(dealer.check.count(), WINDOW + count, "every reply is received once");
            let _ = tx.unbounded_send(dealer);
        });
    }
    let mut dealers = Vec::with_capacity(a.peers);
    for _ in 0..a.peers {
        dealers.push(rx.next().await.expect("this function has a sender"));
    }
    let measured = window.stop();
    let checked =
        dealers.iter().fold(Checked::default(), |sum, dealer| sum.plus(dealer.check.finish(dealer.check.count())));
    assert_eq!(checked.received, a.count + WINDOW * a.peers as u64, "replies are lost");
    report(&a, measured, a.count, checked, &mut []);
    std::mem::forget(dealers);
}

pub(super) async fn conns_clients<I: Aio>(i: I, a: Args) {
    let (tx, mut rx) = mpsc::unbounded::<()>();
    let ring = Ring::new(&a, 0, I::Sock::template);
    let window = Window::start();
    let (mut begun, mut done) = (0, 0);
    while done < a.peers {
        while begun < a.peers && begun - done < CONN_WINDOW {
            let (i2, a, mut ring, tx) = (i.clone(), a.clone(), ring.clone(), tx.clone());
            i.spawn(async move {
                let mut socket = i2.socket(Kind::Dealer, &a).await;
                socket.connect(&a.endpoint).await;
                socket.send(ring.next()).await;
                Check::new(&a).take(socket.recv().await);
                std::mem::forget(socket);
                let _ = tx.unbounded_send(());
            });
            begun += 1;
        }
        rx.next().await.expect("this function has a sender");
        done += 1;
    }
    let measured = window.stop();
    let checked = Checked { received: a.peers as u64, sum: 0 };
    report(&a, measured, a.peers as u64, checked, &mut []);
}
