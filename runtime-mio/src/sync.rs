//! What threads share memory by, and what the loop waits with: the standard library's and mio's, or those of `loom`, which
//! runs a test once for each order in which its threads could have come by them.

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

/// A `Poll` that waits for its waker alone; what the system has to say is looked for then. There is one in each run.
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
            let (woken, condvar) = &*WOKEN;
            let mut woken = woken.lock().expect("nobody panics");
            while !*woken && timeout.is_none() {
                woken = condvar.wait(woken).expect("nobody panics");
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
        reason = "the reactor takes one from its caller, of which there is none then"
    )]
    pub struct Waker;

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as mio's is")]
    impl Waker {
        pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn wake(&self) -> io::Result<()> {
            let (woken, condvar) = &*WOKEN;
            *woken.lock().expect("nobody panics") = true;
            condvar.notify_all();
            Ok(())
        }
    }
}
