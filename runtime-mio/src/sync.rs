//! Locks, atomics and `Poll` for the event loop. Normally, they are those of the standard library and mio. With
//! `cfg(sansmq_loom)`, they are those of `loom`, which runs a test once for each interleaving of its threads.

#[cfg(not(sansmq_loom))]
pub(crate) use {
    core::sync::atomic::AtomicBool,
    mio::{Poll, Waker},
    std::sync::{Mutex, MutexGuard},
};

#[cfg(sansmq_loom)]
pub(crate) use {
    loom::sync::atomic::AtomicBool,
    loom::sync::{Mutex, MutexGuard},
    model::{Poll, Waker},
};

/// Replacement of mio's `Poll` and `Waker` for tests under `loom`, which cannot observe a thread that waits in a system
/// Replacement of mio's `Poll` and `Waker` for tests under `loom`, which cannot observe a thread that waits in a system
/// call. So a poll without a timeout first waits on a condition variable of `loom` until the waker is used, and then
/// polls the operating system without blocking. All wakers of a test share one state, so a test can have only one event
/// loop.
#[cfg(sansmq_loom)]
mod model {
    use core::time::Duration;
    use loom::sync::{Condvar, Mutex};
    use mio::{Events, Registry, Token};
    use std::io;

    loom::lazy_static! {
        static ref WOKEN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    }

    pub(crate) struct Poll(mio::Poll);

    impl Poll {
        pub(crate) fn new() -> io::Result<Self> {
            mio::Poll::new().map(Self)
        }

        pub(crate) fn registry(&self) -> &Registry {
            self.0.registry()
        }

        pub(crate) fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
            let (woken, condition) = &*WOKEN;
            let mut woken = woken.lock().expect("no thread panics");
            while !*woken && timeout.is_none() {
                woken = condition.wait(woken).expect("no thread panics");
            }
            *woken = false;
            drop(woken);
            self.0.poll(events, Some(Duration::ZERO))
        }
    }

    #[derive(Debug)]
    #[allow(
        missing_docs,
        unnameable_types,
        reason = "the caller of the reactor passes it, and there is no such caller under loom"
    )]
    pub struct Waker;

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "same interface as mio's waker")]
    impl Waker {
        pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn wake(&self) -> io::Result<()> {
            let (woken, condition) = &*WOKEN;
            *woken.lock().expect("no thread panics") = true;
            condition.notify_all();
            Ok(())
        }
    }
}
