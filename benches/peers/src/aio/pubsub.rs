//! PUB and its SUBs.

use super::{Aio, AioSock};
use crate::common::*;
use futures::StreamExt;
use futures::channel::mpsc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn publish<I: Aio>(i: I, a: Args) {
    let mut socket = super::bound(&i, Kind::Pub, &a).await;
    let go = go_flag();
    let probe = I::Sock::template(PROBE);
    while !go.load(Ordering::Acquire) {
        socket.send(&probe).await;
        i.sleep(PAUSE).await;
    }
    let mut ring = Ring::new(&a, 0, I::Sock::template);
    for _ in 0..a.count {
        socket.send(ring.next()).await;
    }
    let end = I::Sock::template(END);
    loop {
        socket.send(&end).await;
        i.sleep(PAUSE).await;
    }
}

pub(super) async fn subscribers<I: Aio>(i: I, a: Args) {
    assert!(a.size > END.len(), "shorter messages are the probe and the end");
    let (probed_tx, mut probed) = mpsc::unbounded::<()>();
    let (done_tx, mut done) = mpsc::unbounded::<Checked>();
    let first: Arc<OnceLock<Window>> = Arc::new(OnceLock::new());
    for _ in 0..a.peers {
        let (i2, a, probed, done, first) =
            (i.clone(), a.clone(), probed_tx.clone(), done_tx.clone(), Arc::clone(&first));
        i.spawn(async move {
            let mut socket = i2.socket(Kind::Sub, &a).await;
            socket.connect(&a.endpoint).await;
            socket.subscribe_all().await;
            socket.recv().await;
            let _ = probed.unbounded_send(());
            let mut check = Check::new(&a);
            receive_all(&mut socket, &mut check, &first).await;
            let _ = done.unbounded_send(check.finish(a.count));
            std::mem::forget(socket);
        });
    }
    for _ in 0..a.peers {
        probed.next().await.expect("this function has a sender");
    }
    mark("subscribed");
    let mut checked = Checked::default();
    for _ in 0..a.peers {
        checked = checked.plus(done.next().await.expect("this function has a sender"));
    }
    let measured = first.get().expect("each subscriber has received every message").stop();
    report(&a, measured, checked.received, checked, &mut []);
}

/// Receives until the end mark. The first message starts the clock of all subscribers.
async fn receive_all<S: AioSock>(socket: &mut S, check: &mut Check, first: &OnceLock<Window>) {
    loop {
        let mut next = Some(socket.recv().await);
        let mut received = 0;
        while let Some(seen) = next {
            if seen.len == END.len() {
                return;
            }
            if seen.len != PROBE.len() {
                if check.count() == 0 {
                    first.get_or_init(Window::start);
                }
                check.take(seen);
            }
            received += 1;
            next = if received < DRAIN { socket.try_recv() } else { None };
        }
        socket.breathe().await;
    }
}
