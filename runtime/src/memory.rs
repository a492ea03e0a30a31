//! [`Memory`]: a runtime and a network in memory, which count what sockets do. For tests.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use crate::{AsyncTimer, BoundListener, DialTimer, PollListener, PollStream, Runtime, Task, TimedRuntime};
use core::future::{pending, poll_fn};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::{Endpoint, Instant, NetworkError};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Wake;

/// Runtime and network in memory. Its clock stands still.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<World>>);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    /// True if the runtime has no timers.
    pub(crate) has_no_timers: bool,
    /// Connections that the listener has not accepted.
    pub(crate) backlog: VecDeque<MemoryStream>,
    pub(crate) acceptor: Option<Waker>,
    /// Outcome of the next `listen`, which waits for it, and the waker of that future.
    pub(crate) listening: Option<Result<(), NetworkError>>,
    pub(crate) listener: Option<Waker>,
    /// Number of reads from all streams.
    pub(crate) reads: usize,
    pub(crate) writes: usize,
    /// Number of dials, which never end by themselves.
    pub(crate) dials: usize,
    /// Tasks that were spawned, and that the test has not taken yet.
    pub(crate) tasks: Vec<Task<Memory>>,
    /// Deadline of the timer.
    pub(crate) deadline: Option<Instant>,
}

impl Memory {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Connects a peer that sends `bytes`.
    pub(crate) fn connect(&self, bytes: &[u8]) -> MemoryStream {
        let stream = MemoryStream { memory: self.clone(), input: Arc::default() };
        stream.input.lock().unwrap().0.extend(bytes);
        let mut world = self.world();
        world.backlog.push_back(stream.clone());
        let acceptor = world.acceptor.take();
        drop(world);
        acceptor.into_iter().for_each(Waker::wake);
        stream
    }
}

impl Runtime for Memory {
    type Stream = MemoryStream;
    type Listener = Self;

    fn spawn(&self, task: Task<Self>) {
        self.world().tasks.push(task);
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.world().now)
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(Self, Endpoint), NetworkError> {
        poll_fn(|cx| {
            let mut world = self.world();
            world.listener = Some(cx.waker().clone());
            world.listening.map_or(Poll::Pending, Poll::Ready)
        })
        .await?;
        Ok((self, endpoint))
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<Self, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig, _: DialTimer) -> Result<MemoryStream, NetworkError> {
        self.world().dials += 1;
        let _dial = Dial(self);
        pending().await
    }
}

struct Dial(Memory);

impl Drop for Dial {
    fn drop(&mut self) {
        self.0.world().dials -= 1;
    }
}

impl TimedRuntime for Memory {
    type Timer = Self;

    fn new_timer(&self) -> Result<Self, NetworkError> {
        if self.world().has_no_timers { Err(NetworkError::NoTimeDriver) } else { Ok(self.clone()) }
    }
}

impl AsyncTimer for Memory {
    fn set(&mut self, deadline: Option<Instant>) {
        self.world().deadline = deadline;
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        let world = self.world();
        if world.deadline.is_some_and(|at| at.as_nanos() <= world.now) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl PollListener for Memory {
    type Stream = MemoryStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(MemoryStream, Endpoint), NetworkError>> {
        let mut world = self.world();
        let Some(stream) = world.backlog.pop_front() else {
            world.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(Ok((stream, ENDPOINT.parse().unwrap())))
    }
}

/// Stream with the input of the test. It discards its output.
#[derive(Clone)]
pub(crate) struct MemoryStream {
    memory: Memory,
    input: Arc<Mutex<(VecDeque<u8>, Option<Waker>)>>,
}

impl MemoryStream {
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut input = self.input.lock().unwrap();
        input.0.extend(bytes);
        let reader = input.1.take();
        drop(input);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl PollStream for MemoryStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.memory.world().reads += 1;
        let (input, reader) = &mut *self.input.lock().unwrap();
        if input.is_empty() {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = input.len().min(buffer.len());
        buffer.iter_mut().zip(input.drain(..count)).for_each(|(to, byte)| *to = byte);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.memory.world().writes += 1;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(crate) const ENDPOINT: &str = "tcp://10.0.0.1:1";

/// Returns the greeting and the READY command of a socket of this type.
pub(crate) fn hello(socket_type: &str) -> Vec<u8> {
    let len = u8::try_from(socket_type.len()).unwrap();
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9..11].copy_from_slice(&[0x7f, 3]);
    greeting[12..16].copy_from_slice(b"NULL");
    let ready = b"\x05READY\x0bSocket-Type\0\0\0";
    [&greeting[..], &[4, 22 + len], ready, &[len], socket_type.as_bytes()].concat()
}

/// Waker of a task, which counts how often it is woken.
#[derive(Default)]
pub(crate) struct Count(pub(crate) AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
