//! [`Parker`]: blocks a thread until its waker is woken, a time limit expires, or a signal interrupts the thread.

use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

/// Reason why [`Parker::park`] has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unparked {
    /// The waker was woken, or there was no reason.
    Woken,
    /// A signal handler without `SA_RESTART` ran in this thread.
    Interrupted,
}

/// Waker of one thread, and the means to block this thread until the waker is woken.
#[derive(Debug)]
pub(crate) struct Parker {
    shared: Arc<imp::ThreadWaker>,
    waker: Waker,
}

impl Parker {
    /// Creates a parker of the current thread.
    pub(crate) fn new() -> Self {
        let shared = Arc::new(imp::ThreadWaker::new());
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Blocks until the waker is woken, for at most `limit` (`None`: no limit). Returns at once if the waker was woken since
    /// the last call. Must be called in the thread that created the parker.
    pub(crate) fn park(&self, limit: Option<Duration>) -> Unparked {
        self.shared.park(limit)
    }
}

impl Wake for imp::ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

/// On Linux, a futex as in the parker of the standard library, which hides interruptions by signals. So the system calls are
/// the same.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use super::Unparked;
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use core::time::Duration;
    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Wait, WaitFlags, WaitPtr, WaitvFlags};
    use rustix::time::{ClockId, Timespec, clock_gettime};

    const EMPTY: u32 = 0;
    const NOTIFIED: u32 = 1;
    const PARKED: u32 = 2;

    #[derive(Debug)]
    pub(crate) struct ThreadWaker(AtomicU32);

    impl ThreadWaker {
        pub(super) const fn new() -> Self {
            Self(AtomicU32::new(EMPTY))
        }

        pub(super) fn unpark(&self) {
            // A release, so that the parked thread sees what this thread did before.
            if self.0.swap(NOTIFIED, Ordering::Release) == PARKED {
                // An error would mean that the address is invalid.
                let _ = futex::wake(&self.0, Flags::PRIVATE, 1);
            }
        }

        pub(super) fn park(&self, limit: Option<Duration>) -> Unparked {
            if self.0.compare_exchange(EMPTY, PARKED, Ordering::Acquire, Ordering::Acquire).is_err() {
                self.0.swap(EMPTY, Ordering::Acquire);
                return Unparked::Woken;
            }
            let waited = match limit {
                None => futex::wait(&self.0, Flags::PRIVATE, PARKED, None),
                Some(limit) => self.wait_for(limit),
            };
            let is_notified = self.0.swap(EMPTY, Ordering::Acquire) == NOTIFIED;
            // The caller checks its condition and its deadline after every other result.
            if waited == Err(Errno::INTR) && !is_notified { Unparked::Interrupted } else { Unparked::Woken }
        }

        fn wait_for(&self, limit: Duration) -> rustix::io::Result<()> {
            static HAS_WAITV: AtomicBool = AtomicBool::new(true);
            let Ok(limit) = Timespec::try_from(limit) else {
                return futex::wait(&self.0, Flags::PRIVATE, PARKED, None);
            };
            // Unlike a `futex` with a timeout, `futex_waitv` continues after a signal handler with `SA_RESTART`.
            if HAS_WAITV.load(Ordering::Relaxed) {
                let mut waiter = Wait::new();
                waiter.val = PARKED.into();
                waiter.uaddr = WaitPtr::new(self.0.as_ptr().cast());
                waiter.flags = WaitFlags::PRIVATE | WaitFlags::SIZE_U32;
                let end = clock_gettime(ClockId::Monotonic).checked_add(limit);
                match futex::waitv(&[waiter], WaitvFlags::empty(), end.as_ref(), ClockId::Monotonic) {
                    // Linux before 5.16, or a filter of system calls.
                    Err(Errno::NOSYS | Errno::PERM) => HAS_WAITV.store(false, Ordering::Relaxed),
                    result => return result.map(drop),
                }
            }
            futex::wait(&self.0, Flags::PRIVATE, PARKED, Some(&limit))
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod imp {
    use super::Unparked;
    use core::time::Duration;
    use std::thread::{self, Thread};

    #[derive(Debug)]
    pub(crate) struct ThreadWaker(Thread);

    impl ThreadWaker {
        pub(super) fn new() -> Self {
            Self(thread::current())
        }

        pub(super) fn unpark(&self) {
            self.0.unpark();
        }

        #[expect(clippy::unused_self, reason = "the same interface on each system")]
        pub(super) fn park(&self, limit: Option<Duration>) -> Unparked {
            limit.map_or_else(thread::park, thread::park_timeout);
            Unparked::Woken
        }
    }
}
