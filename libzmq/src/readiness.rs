//! [`events`]: `ZMQ_EVENTS`, and [`Readiness`]: the descriptor of `ZMQ_FD`.

use crate::errno::Errno;
use crate::socket::Socket;
use core::ffi::c_int;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

pub(crate) const POLLIN: c_int = 1;
pub(crate) const POLLOUT: c_int = 2;

/// Returns the events for which the socket is ready, and prepares its descriptor to signal the next change.
pub(crate) fn events(socket: &Socket) -> c_int {
    socket.readiness.drain();
    socket.readiness.rearm(socket);
    ready(socket)
}

/// Returns the events for which the socket is ready.
pub(crate) fn ready(socket: &Socket) -> c_int {
    let handle = socket.handle();
    let can_receive = socket.has_unread.load(Ordering::Relaxed) || (socket.kind.can_receive() && handle.can_recv());
    let can_send = socket.is_sending.load(Ordering::Relaxed) || (socket.kind.can_send() && handle.can_send());
    (if can_receive { POLLIN } else { 0 }) | (if can_send { POLLOUT } else { 0 })
}

/// Descriptor that becomes readable when the events of a socket may have changed. It is created when C code asks for it.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    exists: AtomicBool,
    signal: Mutex<Option<Signal>>,
}

#[derive(Debug)]
struct Signal {
    read_end: UnixStream,
    waker: Waker,
    readable: Option<Watch>,
    writable: Option<Watch>,
}

/// Future that becomes ready when the socket is ready.
struct Watch(Pin<Box<dyn Future<Output = ()> + Send>>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// Other end of the stream of a descriptor.
struct Sender(UnixStream);

impl Wake for Sender {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the stream is full, the descriptor is readable already.
        let _ = (&self.0).write(&[1]);
    }
}

impl Readiness {
    fn signal(&self) -> MutexGuard<'_, Option<Signal>> {
        self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the descriptor.
    ///
    /// # Errors
    /// `EMFILE` if the operating system has no descriptors left.
    pub(crate) fn descriptor(&self, socket: &Socket) -> Result<c_int, Errno> {
        let mut signal = self.signal();
        if signal.is_none() {
            let (read_end, write_end) = UnixStream::pair().map_err(|_| Errno::NO_FILES)?;
            read_end.set_nonblocking(true).map_err(|_| Errno::NO_FILES)?;
            write_end.set_nonblocking(true).map_err(|_| Errno::NO_FILES)?;
            let waker = Waker::from(Arc::new(Sender(write_end)));
            // What has happened before is signalled too.
            waker.wake_by_ref();
            *signal = Some(Signal { read_end, waker, readable: None, writable: None });
            self.exists.store(true, Ordering::Release);
        }
        let descriptor = signal.as_ref().map(|signal| signal.read_end.as_raw_fd());
        drop(signal);
        self.rearm(socket);
        descriptor.ok_or(Errno::NO_FILES)
    }

    /// Makes the descriptor unreadable until the next signal.
    fn drain(&self) {
        if !self.exists.load(Ordering::Acquire) {
            return;
        }
        if let Some(signal) = &*self.signal() {
            let mut bytes = [0; 64];
            loop {
                match (&signal.read_end).read(&mut bytes) {
                    Ok(64) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return,
                }
            }
        }
    }

    /// Prepares the descriptor to signal when the socket becomes readable or writable.
    pub(crate) fn rearm(&self, socket: &Socket) {
        if !self.exists.load(Ordering::Acquire) {
            return;
        }
        let mut signal = self.signal();
        let Some(Signal { waker, readable, writable, .. }) = &mut *signal else { return };
        let waker = waker.clone();
        if socket.kind.can_receive() {
            let handle = socket.handle();
            watch(readable, &waker, || {
                let handle = handle.clone();
                Watch(Box::pin(async move { handle.readable().await }))
            });
        }
        if socket.kind.can_send() {
            let handle = socket.handle();
            watch(writable, &waker, || {
                let handle = handle.clone();
                Watch(Box::pin(async move { handle.writable().await }))
            });
        }
    }

    /// Releases the descriptor.
    pub(crate) fn close(&self) {
        self.exists.store(false, Ordering::Release);
        let signal = self.signal().take();
        drop(signal);
    }
}

/// Polls the future in `slot`, or a new one. A future that is ready is dropped, because [`events`] returns that the
/// socket is ready.
fn watch(slot: &mut Option<Watch>, waker: &Waker, new: impl FnOnce() -> Watch) {
    let mut watch = slot.take().unwrap_or_else(new);
    if watch.0.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
        *slot = Some(watch);
    }
}
