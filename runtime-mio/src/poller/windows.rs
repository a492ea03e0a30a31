//! Sockets of Windows for [`poll`](super::poll), and a datagram socket by which a waker interrupts it.

use super::WakePipe;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
pub(super) use std::os::windows::io::AsSocket as AsDescriptor;
pub(super) use std::os::windows::io::BorrowedSocket as BorrowedDescriptor;
use std::sync::Arc;
use std::task::Wake;

pub(super) type ReadEnd = Arc<UdpSocket>;

pub(super) fn borrow(descriptor: &impl AsDescriptor) -> BorrowedDescriptor<'_> {
    descriptor.as_socket()
}

/// Waker that interrupts the `poll` of a thread. Its socket is connected to itself, because Windows can poll no pipe, and `std`
/// has no pair of streams there. A connected socket accepts no datagram of another socket.
struct PipeWaker(ReadEnd);

impl Wake for PipeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the buffer is full, enough wake-ups are queued.
        let _ = self.0.send(&[0]);
    }
}

pub(super) fn pipe() -> io::Result<WakePipe> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(socket.local_addr()?)?;
    socket.set_nonblocking(true)?;
    let socket = Arc::new(socket);
    Ok((Arc::clone(&socket), Arc::new(PipeWaker(socket)).into()))
}

/// Reads all wake-ups.
pub(super) fn drain(read_end: &ReadEnd) {
    while read_end.recv(&mut [0; 1]).is_ok() {}
}
