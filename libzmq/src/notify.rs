//! [`Notify`]: wakes futures that wait for a condition. [`Stop`]: the condition that a thread must end.

use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Poll, Waker};
use std::sync::{Mutex, PoisonError};

/// Wakers of the futures that wait for a condition.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<Vec<Waker>>);

impl Notify {
    /// Makes all waiting futures check their condition.
    pub(crate) fn notify(&self) {
        let wakers = core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until `condition` is true. It is checked at the start and after each [`notify`](Self::notify).
    pub(crate) async fn until(&self, condition: impl Fn() -> bool) {
        poll_fn(|cx| {
            if !condition() {
                let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    wakers.push(cx.waker().clone());
                }
                drop(wakers);
                // The condition may have become true before the waker was stored.
                if !condition() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// Request to a thread to end.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    is_requested: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub(crate) fn request(&self) {
        self.is_requested.store(true, Ordering::Release);
        self.notify.notify();
    }

    /// Waits until the end is requested.
    pub(crate) async fn requested(&self) {
        self.notify.until(|| self.is_requested.load(Ordering::Acquire)).await;
    }
}
