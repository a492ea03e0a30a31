//! Tasks beside mio's event loop, which has no executor.

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs `main`, and the tasks that it spawns.
pub async fn beside(mut spawned: mpsc::UnboundedReceiver<BoxFuture<'static, ()>>, main: impl Future<Output = ()>) {
    let mut main = pin!(main.fuse());
    let mut tasks = FuturesUnordered::new();
    let mut done = false;
    poll_fn(|cx: &mut Context<'_>| {
        done = done || main.as_mut().poll(cx).is_ready();
        loop {
            let before = tasks.len();
            while let Poll::Ready(Some(task)) = spawned.poll_next_unpin(cx) {
                tasks.push(task);
            }
            let new = tasks.len() > before;
            while let Poll::Ready(Some(())) = tasks.poll_next_unpin(cx) {}
            if !new {
                break;
            }
        }
        if done && tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Waits on a thread: the event loop has no timers for applications, and no scenario sleeps while it is measured.
pub async fn sleep(duration: Duration) {
    let (tx, rx) = oneshot::channel();
    std::thread::spawn(move || {
        std::thread::sleep(duration);
        let _ = tx.send(());
    });
    let _ = rx.await;
}
