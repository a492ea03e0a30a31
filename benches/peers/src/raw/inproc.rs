//! Two threads of one process. The limit is the bounded channel of the standard library, with 1000 messages.

use crate::common::*;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

const QUEUE: usize = 1000;

pub(super) fn throughput(a: &Args) -> ! {
    let (tx, rx) = sync_channel::<Arc<[u8]>>(QUEUE);
    let args = a.clone();
    std::thread::spawn(move || {
        let mut ring = Ring::new(&args, 0, |body| Arc::from(body));
        for _ in 0..args.total() {
            let _ = tx.send(Arc::clone(ring.next()));
        }
        park();
    });
    let mut check = Check::new(a);
    let mut take = |count: u64| {
        for _ in 0..count {
            check.take(Seen::one(&rx.recv().expect("the sender does not end")));
        }
    };
    take(a.warmup);
    let window = Window::start();
    take(a.count);
    let measured = window.stop();
    report(a, measured, a.count, check.finish(a.total()), &mut []);
    park()
}

pub(super) fn latency(a: &Args) -> ! {
    let (tx, rx) = sync_channel::<Arc<[u8]>>(QUEUE);
    let (reply, replies) = sync_channel::<Arc<[u8]>>(QUEUE);
    std::thread::spawn(move || {
        while let Ok(message) = rx.recv() {
            let _ = reply.send(message);
        }
    });
    let mut ring = Ring::new(a, 0, |body| Arc::from(body));
    let mut check = Check::new(a);
    let mut round_trip = || {
        let begin = Instant::now();
        tx.send(Arc::clone(ring.next())).expect("the other thread does not end");
        let message = replies.recv().expect("the other thread does not end");
        let rtt = nanos_since(begin);
        check.take(Seen::one(&message));
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
