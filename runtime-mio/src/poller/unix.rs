//! Descriptors of Unix for [`poll`](super::poll), and a pair of streams by which a waker interrupts it.

use super::WakePipe;
use std::io::{self, Read, Write};
pub(super) use std::os::fd::AsFd as AsDescriptor;
pub(super) use std::os::fd::BorrowedFd as BorrowedDescriptor;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;

pub(super) type ReadEnd = UnixStream;

pub(super) fn borrow(descriptor: &impl AsDescriptor) -> BorrowedDescriptor<'_> {
    descriptor.as_fd()
}

/// Waker that interrupts the `poll` of a thread. It writes a byte to a stream; `poll` also waits for the other end of
/// this stream.
struct PipeWaker(UnixStream);

impl Wake for PipeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the buffer is full, enough wake-ups are queued.
        let _ = (&self.0).write(&[0]);
    }
}

pub(super) fn pipe() -> io::Result<WakePipe> {
    let (read_end, sender) = UnixStream::pair()?;
    read_end.set_nonblocking(true)?;
    sender.set_nonblocking(true)?;
    Ok((read_end, Arc::new(PipeWaker(sender)).into()))
}

/// Reads all wake-ups.
pub(super) fn drain(mut read_end: &ReadEnd) {
    while read_end.read(&mut [0; 64]).is_ok_and(|count| count == 64) {}
}
