//! [`poll`]: waits for several sockets and descriptors at the same time, by `poll` on Unix and `WSAPoll` on Windows.

use core::cell::RefCell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use sansmq_proto::RecvError;
use sansmq_proto::kind::{Receives, Sends};
use sansmq_runtime::{Handle, ProcessId};
use std::io;
use std::rc::Rc;
use std::time::Instant;
use system::{AsDescriptor, BorrowedDescriptor};

#[cfg_attr(unix, path = "poller/unix.rs")]
#[cfg_attr(windows, path = "poller/windows.rs")]
mod system;

/// Item of [`poll`]: a ZeroMQ socket, or a file descriptor (on Windows a `SOCKET`) to wait for. After `poll` has returned,
/// [`is_ready`](Self::is_ready) shows if the item was ready.
#[doc(alias("zmq_pollitem_t", "zmq_poller_event_t"))]
pub struct PollItem<'a> {
    source: Source<'a>,
    ready: bool,
}

enum Source<'a> {
    /// Function that creates the future of a ZeroMQ socket. For an item from [`PollItem::readable`], the future becomes
    /// ready when the socket can receive; for an item from [`PollItem::writable`], when the socket can send. The
    /// function is called once in each [`poll`]. The second function returns true in a forked child of the process that
    /// runs the tasks of the socket.
    Socket(Box<dyn Fn() -> Ready<'a> + 'a>, Box<dyn Fn() -> bool + 'a>),
    Descriptor(BorrowedDescriptor<'a>, PollFlags),
}

/// Future of an item that waits for a ZeroMQ socket. For an item from [`PollItem::readable`], it becomes ready when the
/// socket can receive; for an item from [`PollItem::writable`], when the socket can send.
type Ready<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<'a> PollItem<'a> {
    /// Creates an item that is ready when a receive on the socket would not wait. The socket can run on any runtime.
    #[doc(alias("ZMQ_POLLIN", "POLLIN"))]
    pub fn readable<T: Receives>(socket: &'a impl AsRef<Handle<T>>) -> Self {
        let socket = socket.as_ref();
        Self::of(Source::Socket(Box::new(|| Box::pin(socket.readable())), Box::new(|| socket.is_inherited())))
    }

    /// Creates an item that is ready when a send on the socket would not wait. The socket can run on any runtime.
    #[doc(alias("ZMQ_POLLOUT", "POLLOUT"))]
    pub fn writable<T: Sends>(socket: &'a impl AsRef<Handle<T>>) -> Self {
        let socket = socket.as_ref();
        Self::of(Source::Socket(Box::new(|| Box::pin(socket.writable())), Box::new(|| socket.is_inherited())))
    }

    /// Creates an item that is ready when a file descriptor is readable or has an error. The trait is `AsFd` on
    /// Unix. On Windows, it is `AsSocket`: only sockets can be polled, such as those of `std::net`.
    pub fn input(descriptor: &'a impl AsDescriptor) -> Self {
        Self::of(Source::Descriptor(system::borrow(descriptor), PollFlags::IN))
    }

    /// Creates an item that is ready when a file descriptor is writable or has an error. The trait is `AsFd` on
    /// Unix. On Windows, it is `AsSocket`, and a failed attempt to connect is an error of the socket since Windows 10 version 2004.
    pub fn output(descriptor: &'a impl AsDescriptor) -> Self {
        Self::of(Source::Descriptor(system::borrow(descriptor), PollFlags::OUT))
    }

    fn is_inherited(&self) -> bool {
        match &self.source {
            Source::Socket(_, is_inherited) => is_inherited(),
            Source::Descriptor(..) => false,
        }
    }

    const fn of(source: Source<'a>) -> Self {
        Self { source, ready: false }
    }

    /// Returns true if the item was ready in the last [`poll`].
    pub const fn is_ready(&self) -> bool {
        self.ready
    }
}

/// Waits until at least one item is ready, at most for `timeout` (`None`: no limit). Returns the number of ready items
/// (`zmq_poll`). Readiness is level-triggered: for example, as long as a socket has a message to receive, every call of
/// `poll` reports the socket as readable.
///
/// Several threads can wait for the same socket; only the first thread that receives gets the message.
///
/// ```
/// use sansmq::mio::{PollItem, PullSocket, PushSocket, poll};
/// use std::net::UdpSocket;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (jobs, orders) = (PullSocket::new(), PullSocket::new());
/// let push = PushSocket::new();
/// push.connect(&orders.bind("tcp://127.0.0.1:*")?)?;
/// push.send("stop")?;
/// let foreign = UdpSocket::bind("127.0.0.1:0")?; // any descriptor; on Windows, any socket
///
/// let mut items = [PollItem::readable(&jobs), PollItem::readable(&orders), PollItem::input(&foreign)];
/// assert_eq!(poll(&mut items, None)?, 1);
/// assert!(items[1].is_ready() && !items[2].is_ready());
/// assert_eq!(orders.try_recv()?.body(), "stop");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The `poll` of the operating system failed. Also if the process has no free file descriptors for the first `poll` of
/// the current thread, which creates a pair of streams (on Windows a socket). In a forked child, an error with [`RecvError::Forked`] inside
/// if no item is ready and the tasks of a socket run in the parent. An error of the kind
/// [`Interrupted`](io::ErrorKind::Interrupted) if a signal handler ran in this thread, with or without `SA_RESTART`
/// (`EINTR`); see [`Socket`](crate::Socket#signals).
#[doc(alias("zmq_poll", "zmq_poller_new", "zmq_poller_add", "zmq_poller_wait", "zmq_poller_wait_all"))]
#[doc(alias("zmq_poller_add_fd", "Poller", "zpoller"))]
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    with_wake_pipe(|read_end, waker| {
        let mut futures: Vec<_> = items
            .iter()
            .map(|item| match &item.source {
                Source::Socket(ready, _) => Some(ready()),
                Source::Descriptor(..) => None,
            })
            .collect();
        loop {
            // Wake-ups are drained before the futures are polled, so that a later wake-up ends the wait.
            system::drain(read_end);
            let mut cx = Context::from_waker(waker);
            for (item, future) in items.iter_mut().zip(&mut futures) {
                item.ready = future.as_mut().is_some_and(|future| future.as_mut().poll(&mut cx).is_ready());
            }
            let found = items.iter().any(|item| item.ready);
            let inherited = !found && items.iter().any(PollItem::is_inherited);
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let waited = wait(items, read_end, if found || inherited { Some(Duration::ZERO) } else { left });
            let interrupted = match waited {
                Err(Errno::INTR) => true,
                waited => {
                    waited?;
                    false
                }
            };
            let count = items.iter().filter(|item| item.ready).count();
            if count > 0 || left.is_some_and(|left| left.is_zero()) {
                return Ok(count);
            }
            if inherited {
                return Err(io::Error::other(RecvError::Forked));
            }
            if interrupted {
                return Err(io::Error::new(io::ErrorKind::Interrupted, RecvError::Interrupted));
            }
        }
    })
}

/// Waits until a file descriptor of `items` is ready, or a wake-up arrives at `read_end`, at most for `timeout`
/// (`None`: no limit). Sets the readiness of the items with file descriptors.
fn wait(items: &mut [PollItem<'_>], read_end: &system::ReadEnd, timeout: Option<Duration>) -> rustix::io::Result<()> {
    let descriptors = items.iter().filter_map(|item| match &item.source {
        Source::Descriptor(descriptor, flags) => Some(PollFd::from_borrowed_fd(*descriptor, *flags)),
        Source::Socket(..) => None,
    });
    let mut polled: Vec<_> = descriptors.chain([PollFd::new(read_end, PollFlags::IN)]).collect();
    // Some systems limit the time-out, and the caller waits again after a shorter one.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout.min(LONGEST_WAIT)).ok());
    rustix::event::poll(&mut polled, timeout.as_ref())?;
    let mut found = polled.iter().map(|polled| !polled.revents().is_empty()).collect::<Vec<_>>().into_iter();
    for item in items.iter_mut().filter(|item| matches!(item.source, Source::Descriptor(..))) {
        item.ready = found.next().unwrap_or_default();
    }
    Ok(())
}

/// Longest time-out of one system call. Windows and macOS count milliseconds in 31 bits.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Calls `work` with the waker of the current thread, and with a stream that becomes readable when this waker is woken.
/// If `work` waits for the stream too, a wake-up ends the wait.
fn with_wake_pipe<R>(work: impl FnOnce(&system::ReadEnd, &Waker) -> io::Result<R>) -> io::Result<R> {
    // A forked child has the streams of its parent too, and would take the wake-ups of the parent from them.
    thread_local! {
        static WAKER: RefCell<Option<(ProcessId, Rc<WakePipe>)>> = const { RefCell::new(None) };
    }
    let process = ProcessId::current();
    let kept = WAKER.try_with(|kept| match &mut *kept.borrow_mut() {
        Some((owner, pipe)) if *owner == process => Ok(Rc::clone(pipe)),
        kept => system::pipe().map(|pipe| Rc::clone(&kept.insert((process, Rc::new(pipe))).1)),
    });
    // The local variables of the thread may have been dropped.
    let pipe = kept.unwrap_or_else(|_| system::pipe().map(Rc::new))?;
    let (read_end, waker) = &*pipe;
    work(read_end, waker)
}

/// Stream to wait for, and the waker that makes it readable.
type WakePipe = (system::ReadEnd, Waker);

impl fmt::Debug for PollItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollItem").field("ready", &self.ready).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PullSocket, PushSocket};
    use std::net::UdpSocket;
    use std::thread;

    #[test]
    fn poll_reports_sockets_and_foreign_sockets() {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        let foreign = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut items = [PollItem::readable(&pull), PollItem::input(&foreign), PollItem::output(&foreign)];
        assert_eq!(poll(&mut items[..2], Some(Duration::from_millis(10))).unwrap(), 0);
        assert_eq!(poll(&mut items, None).unwrap(), 1);
        assert!(items[2].is_ready());
        foreign.send_to(b"datagram", foreign.local_addr().unwrap()).unwrap();
        assert_eq!(poll(&mut items[..2], None).unwrap(), 1);
        assert!(items[1].is_ready());
        push.send("message").unwrap();
        assert_eq!(poll(&mut items[..1], None).unwrap(), 1);
        assert_eq!(pull.recv().unwrap().body(), "message");
    }

    /// Also with a time-out that is longer than one system call allows.
    #[test]
    fn message_from_another_thread_ends_poll() {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        for timeout in [None, Some(Duration::from_secs(60 * 60 * 24 * 365))] {
            assert_eq!(poll(&mut [PollItem::readable(&pull)], Some(Duration::ZERO)).unwrap(), 0);
            thread::scope(|scope| {
                scope.spawn(|| push.send("message").unwrap());
                assert_eq!(poll(&mut [PollItem::readable(&pull)], timeout).unwrap(), 1);
            });
            assert_eq!(pull.recv().unwrap().body(), "message");
        }
    }
}
