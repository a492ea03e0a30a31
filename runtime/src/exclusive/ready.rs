//! [`ReadyQueue`]: the part of an exclusive socket that wakers reach from other threads.

use crate::state::remember;
use crate::sync::{Mutex, MutexGuard};
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Waker;
use sansmq_proto::guest::Key;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

/// Keys of the streams, listeners and requests of a socket that were woken, and the waker of the task that drives the socket.
///
/// The only state that the socket shares. Its lock is held for a push or a swap, and never while other code runs: a waker is
/// woken, cloned and dropped outside. A lock-free list would need a node per wake-up, and a second place for the waker of the
/// task with an order between both.
pub(crate) struct ReadyQueue(Mutex<Woken>);

#[derive(Default)]
struct Woken {
    keys: Vec<Key>,
    /// `None` after the task was woken, until it is polled again.
    task: Option<Waker>,
}

impl ReadyQueue {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Woken::default())))
    }

    /// Stores the waker of the task that drives the socket. Must be called before [`take`](Self::take): a key that is added
    /// afterwards wakes the task.
    pub(crate) fn register(&self, waker: &Waker) {
        let spent = remember(&mut self.lock().task, waker);
        drop(spent);
    }

    /// Exchanges the queued keys for the empty list `keys`, so that both lists are used again.
    pub(crate) fn take(&self, keys: &mut Vec<Key>) {
        core::mem::swap(&mut self.lock().keys, keys);
    }

    fn push(&self, key: Key) {
        let task = {
            let mut woken = self.lock();
            // A key may be added several times before the socket is driven. So that the list does not grow with each of them, the
            // repetitions are removed before it grows.
            if woken.keys.len() == woken.keys.capacity() {
                woken.keys.sort_unstable();
                woken.keys.dedup();
            }
            woken.keys.push(key);
            woken.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task that drives the socket.
impl Wake for ReadyQueue {
    fn wake(self: Arc<Self>) {
        let task = self.lock().task.take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Waker of one stream, listener or request: adds its key to the [`ReadyQueue`], and wakes the task that drives the socket.
pub(crate) struct Notice {
    /// Number of the key; [`UNNAMED`] or [`MISSED`] until the key is set.
    key: AtomicU64,
    queue: Arc<ReadyQueue>,
}

/// The key is not set yet: the stream was accepted, and the guest has not returned its key.
const UNNAMED: u64 = u64::MAX;

/// The key is not set yet, and the stream was woken. No key has such a number, because the highest byte of a key is 0.
const MISSED: u64 = u64::MAX - 1;

impl Notice {
    /// Creates the waker of an accepted stream, which has no key yet.
    pub(crate) fn unnamed(queue: &Arc<ReadyQueue>) -> Arc<Self> {
        Arc::new(Self { key: AtomicU64::new(UNNAMED), queue: Arc::clone(queue) })
    }

    pub(crate) fn new(key: Key, queue: &Arc<ReadyQueue>) -> Arc<Self> {
        Arc::new(Self { key: AtomicU64::new(key.to_u64()), queue: Arc::clone(queue) })
    }

    /// Sets the key. If the stream was woken before, reports it now.
    pub(crate) fn set_key(&self, key: Key) {
        if self.key.swap(key.to_u64(), Ordering::AcqRel) == MISSED {
            self.queue.push(key);
        }
    }
}

impl Wake for Notice {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.key.compare_exchange(UNNAMED, MISSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(MISSED) => {}
            Err(key) => self.queue.push(Key::from_u64(key)),
        }
    }
}

#[cfg(all(test, not(sansmq_loom)))]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn taken(queue: &ReadyQueue) -> Vec<Key> {
        let mut keys = Vec::new();
        queue.take(&mut keys);
        keys
    }

    fn wake(notices: &[Arc<Notice>]) {
        for notice in notices {
            notice.wake_by_ref();
        }
    }

    #[test]
    fn stream_woken_before_it_has_a_key_is_reported_with_it() {
        let (queue, key) = (ReadyQueue::new(), Key::from_u64(7));
        let notice = Notice::unnamed(&queue);
        notice.wake_by_ref();
        notice.wake_by_ref();
        assert_eq!(taken(&queue), []);
        notice.set_key(key);
        assert_eq!(taken(&queue), [key]);
        notice.wake_by_ref();
        assert_eq!(taken(&queue), [key]);
    }

    #[test]
    fn task_is_woken_once_per_registration() {
        let (queue, count) = (ReadyQueue::new(), Arc::new(Count::default()));
        let notices = [1, 2].map(|key| Notice::new(Key::from_u64(key), &queue));
        let woken = || count.0.load(Ordering::Relaxed);
        for round in 1..=3 {
            queue.register(&Arc::clone(&count).into());
            wake(&notices);
            assert_eq!((woken(), taken(&queue).len()), (round, 2));
        }
    }

    #[test]
    fn key_that_is_woken_again_and_again_uses_little_memory() {
        let queue = ReadyQueue::new();
        let notices = [1, 2].map(|key| Notice::new(Key::from_u64(key), &queue));
        for _ in 0..10_000 {
            wake(&notices);
        }
        let keys = taken(&queue);
        assert!(keys.capacity() <= 8, "{}", keys.capacity());
    }
}
