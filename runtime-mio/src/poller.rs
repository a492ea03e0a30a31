//! [`poll`]: waiting for several sockets and for other descriptors at once.

use core::cell::OnceCell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use sansmq_proto::kind::{Receives, Sends};
use sansmq_runtime::Handle;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;
use std::time::Instant;

/// Something to wait for; see [`poll`].
pub struct PollItem<'a> {
    source: Source<'a>,
    ready: bool,
}

enum Source<'a> {
    /// Asks a socket to tell when it has something to say; anew for each poll.
    Socket(Box<dyn Fn() -> Look<'a> + 'a>),
    Descriptor(BorrowedFd<'a>, PollFlags),
}

type Look<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<'a> PollItem<'a> {
    /// A socket, on whichever runtime, that is to have something to say to `recv`.
    pub fn readable<T: Receives>(socket: &'a Handle<T>) -> Self {
        Self::of(Source::Socket(Box::new(|| Box::pin(socket.readable()))))
    }

    /// A socket, on whichever runtime, that is to have something to say to `send`.
    pub fn writable<T: Sends>(socket: &'a Handle<T>) -> Self {
        Self::of(Source::Socket(Box::new(|| Box::pin(socket.writable()))))
    }

    /// A descriptor that is to be read from, or has failed.
    pub fn input(descriptor: &'a impl AsFd) -> Self {
        Self::of(Source::Descriptor(descriptor.as_fd(), PollFlags::IN))
    }

    /// A descriptor that is to be written to, or has failed.
    pub fn output(descriptor: &'a impl AsFd) -> Self {
        Self::of(Source::Descriptor(descriptor.as_fd(), PollFlags::OUT))
    }

    const fn of(source: Source<'a>) -> Self {
        Self { source, ready: false }
    }

    /// Whether the last [`poll`] found it ready.
    pub const fn is_ready(&self) -> bool {
        self.ready
    }
}

/// Waits until one of these is ready, but no longer than `timeout` (`None`: as long as it takes), and gives back how many
/// are (`zmq_poll`). What is ready stays so until it is used: readiness is a level, not an edge.
///
/// Several threads may wait for the same socket; whoever is quicker takes the message.
///
/// ```
/// use sansmq_mio::{PollItem, PullSocket, PushSocket, poll};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (jobs, orders) = (PullSocket::new(), PullSocket::new());
/// let push = PushSocket::new();
/// push.connect(&orders.bind("tcp://127.0.0.1:*")?)?;
/// push.send("stop")?;
/// let (wake_pipe, _writer) = std::io::pipe()?; // any descriptor
///
/// let mut items = [PollItem::readable(jobs.handle()), PollItem::readable(orders.handle()), PollItem::input(&wake_pipe)];
/// assert_eq!(poll(&mut items, None)?, 1);
/// assert!(items[1].is_ready() && !items[2].is_ready());
/// assert_eq!(orders.try_recv()?.body(), "stop");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The system's `poll` failed, or it has no descriptors for this thread's first one.
pub fn poll(items: &mut [PollItem<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    with_wake_pipe(|mut wakes, waker| {
        let mut looks: Vec<_> = items
            .iter()
            .map(|item| match &item.source {
                Source::Socket(look) => Some(look()),
                Source::Descriptor(..) => None,
            })
            .collect();
        loop {
            // What rang before this look is seen by it; what rings after it ends the wait.
            while wakes.read(&mut [0; 64]).is_ok_and(|count| count == 64) {}
            let mut cx = Context::from_waker(waker);
            for (item, look) in items.iter_mut().zip(&mut looks) {
                item.ready = look.as_mut().is_some_and(|look| look.as_mut().poll(&mut cx).is_ready());
            }
            let found = items.iter().any(|item| item.ready);
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            wait(items, wakes, if found { Some(Duration::ZERO) } else { left })?;
            let count = items.iter().filter(|item| item.ready).count();
            if count > 0 || left.is_some_and(|left| left.is_zero()) {
                return Ok(count);
            }
        }
    })
}

/// Waits for the descriptors and for the bell.
fn wait(items: &mut [PollItem<'_>], wakes: &UnixStream, timeout: Option<Duration>) -> io::Result<()> {
    let descriptors = items.iter().filter_map(|item| match &item.source {
        Source::Descriptor(descriptor, flags) => Some(PollFd::from_borrowed_fd(*descriptor, *flags)),
        Source::Socket(_) => None,
    });
    let mut polled: Vec<_> = descriptors.chain([PollFd::new(wakes, PollFlags::IN)]).collect();
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut found = polled.iter().map(|polled| !polled.revents().is_empty()).collect::<Vec<_>>().into_iter();
    for item in items.iter_mut().filter(|item| matches!(item.source, Source::Descriptor(..))) {
        item.ready = found.next().unwrap_or_default();
    }
    Ok(())
}

/// Interrupts a thread's `poll`.
struct PipeWaker(UnixStream);

impl Wake for PipeWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If there is no room, it has rung often enough.
        let _ = (&self.0).write(&[0]);
    }
}

/// Works with this thread's bell: where it is heard, and what rings it.
fn with_wake_pipe<R>(work: impl FnOnce(&UnixStream, &Waker) -> io::Result<R>) -> io::Result<R> {
    thread_local! {
        static WAKE_PIPE: OnceCell<(UnixStream, Waker)> = const { OnceCell::new() };
    }
    WAKE_PIPE.with(|wake_pipe| {
        if wake_pipe.get().is_none() {
            let _ = wake_pipe.set(make_wake_pipe()?);
        }
        let (wakes, waker) = wake_pipe.get().expect("it has just been made");
        work(wakes, waker)
    })
}

fn make_wake_pipe() -> io::Result<(UnixStream, Waker)> {
    let (wakes, wake_end) = UnixStream::pair()?;
    wakes.set_nonblocking(true)?;
    wake_end.set_nonblocking(true)?;
    Ok((wakes, Arc::new(PipeWaker(wake_end)).into()))
}

impl fmt::Debug for PollItem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollItem").field("ready", &self.ready).finish_non_exhaustive()
    }
}
