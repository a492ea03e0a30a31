//! [`Sources`]: the event sources (listeners and streams) that a reactor has registered with mio, and [`Registered`],
//! one source with its readiness.

use crate::slots::Slots;
use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::{Context, Poll, Waker};
use mio::event::{Event, Source};
use mio::{Interest, Registry, Token};
use sansmq_proto::NetworkError;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Sources {
    registry: Registry,
    tokens: Range<usize>,
    slots: Mutex<Slots<Arc<Readiness>>>,
}

/// Readiness of an event source. Stored, because mio reports each change only once (edge-triggered). While a source is
/// not ready, no system call is made for the source.
#[derive(Debug)]
struct Readiness {
    flags: AtomicU8,
    /// Waker of the last task that waited for the source; `None` before the first wait.
    waker: Mutex<Option<Waker>>,
}

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// Flag of a source: the peer sends no more bytes, or the source has an error. Received bytes may still be unread, but
/// mio reports no further event. So [`READABLE`] must stay set then, even after a read that does not fill its buffer.
const ENDED: u8 = 4;

impl Sources {
    pub(crate) fn new(registry: Registry, tokens: Range<usize>) -> Self {
        Self { registry, tokens, slots: Mutex::default() }
    }

    fn slots(&self) -> MutexGuard<'_, Slots<Arc<Readiness>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn tokens(&self) -> &Range<usize> {
        &self.tokens
    }

    /// Handles an event of mio: stores the new readiness of the source, and wakes the task that waits for the source.
    /// Returns false if the token of the event is not in the range of this reactor.
    pub(crate) fn handle_event(&self, event: &Event) -> bool {
        let Token(token) = event.token();
        if !self.tokens.contains(&token) {
            return false;
        }
        // An event may belong to a dropped source, and another source may have its token by now. That only causes a needless poll.
        let readiness = self.slots().get(token - self.tokens.start).cloned();
        if let Some(readiness) = readiness {
            readiness.handle_event(event);
        }
        true
    }
}

impl Readiness {
    fn handle_event(&self, event: &Event) {
        let ended = event.is_read_closed() || event.is_error();
        let mut flags = 0;
        if event.is_readable() || ended {
            flags |= READABLE;
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            flags |= WRITABLE;
        }
        if ended {
            flags |= ENDED;
        }
        self.flags.fetch_or(flags, Ordering::AcqRel);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns `Ready` if the source has the readiness `flag`, which is [`READABLE`] or [`WRITABLE`]. Otherwise returns
    /// `Pending`, and the next event of the source wakes the task of `cx`.
    fn poll(&self, flag: u8, cx: &Context<'_>) -> Poll<()> {
        if self.flags.load(Ordering::Acquire) & flag != 0 {
            return Poll::Ready(());
        }
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        drop(waker);
        if self.flags.load(Ordering::Acquire) & flag != 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn clear(&self, flag: u8) {
        self.flags.fetch_and(!flag, Ordering::AcqRel);
    }

    fn has_ended(&self) -> bool {
        self.flags.load(Ordering::Acquire) & ENDED != 0
    }
}

/// Event source that is registered with the `mio::Poll` of a reactor until this value is dropped.
pub(crate) struct Registered<S: Source> {
    source: S,
    token: usize,
    readiness: Arc<Readiness>,
    sources: Arc<Sources>,
}

impl<S: Source> Registered<S> {
    /// Registers an event source with the reactor. The source counts as ready until a call on it returns `WouldBlock`.
    ///
    /// # Errors
    /// [`NetworkError::TooManyFiles`] if there is no token left; or the error of the operating system.
    pub(crate) fn new(sources: &Arc<Sources>, mut source: S, interest: Interest) -> Result<Self, NetworkError> {
        let readiness = Arc::new(Readiness { flags: AtomicU8::new(READABLE | WRITABLE), waker: Mutex::default() });
        let mut slots = sources.slots();
        let token = slots.next_index();
        if token >= sources.tokens.len() {
            return Err(NetworkError::TooManyFiles);
        }
        let registered = sources.registry.register(&mut source, Token(sources.tokens.start + token), interest);
        registered.map_err(|failure| sansmq_os::error(&failure))?;
        slots.insert(Arc::clone(&readiness));
        drop(slots);
        Ok(Self { source, token, readiness, sources: Arc::clone(sources) })
    }

    pub(crate) const fn get_ref(&self) -> &S {
        &self.source
    }

    /// Calls `read` and returns its result if the source is readable, or returns `Pending` until it is. `len` is the
    /// size of the buffer that `read` fills, in bytes.
    pub(crate) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        len: usize,
        read: impl FnOnce(&mut S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.readiness.poll(READABLE, cx).is_pending() {
            return Poll::Pending;
        }
        match read(&mut self.source) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readiness.clear(READABLE);
                self.readiness.poll(READABLE, cx).map(|()| Err(error))
            }
            Ok(count) => {
                // A read that does not fill the buffer has read everything, and later bytes cause a new event. On Windows, they
                // cause an event only after `WouldBlock`.
                if cfg!(unix) && count < len && !self.readiness.has_ended() {
                    self.readiness.clear(READABLE);
                }
                Poll::Ready(Ok(count))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Calls `write` and returns its result if the source is writable, or returns `Pending` until it is.
    pub(crate) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        write: impl FnOnce(&mut S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.readiness.poll(WRITABLE, cx).is_pending() {
            return Poll::Pending;
        }
        match write(&mut self.source) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readiness.clear(WRITABLE);
                self.readiness.poll(WRITABLE, cx).map(|()| Err(error))
            }
            result => Poll::Ready(result),
        }
    }

    /// Calls `attempt` and returns its result if the source has the readiness `interest` (readable or writable).
    /// Otherwise, or if `attempt` returns `WouldBlock`, returns `Pending` until the source is ready again.
    pub(crate) fn poll_attempt<R>(
        &self,
        cx: &Context<'_>,
        interest: Interest,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let flag = if interest.is_writable() { WRITABLE } else { READABLE };
        loop {
            if self.readiness.poll(flag, cx).is_pending() {
                return Poll::Pending;
            }
            match attempt(&self.source) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readiness.clear(flag),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<S: Source> Drop for Registered<S> {
    fn drop(&mut self) {
        // The source is closed next, so an error has no effect.
        let _ = self.sources.registry.deregister(&mut self.source);
        drop(self.sources.slots().remove(self.token));
    }
}

impl<S: Source + fmt::Debug> fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
