//! [`Exclusive`]: a socket that its caller drives, without a lock and without a task.

mod batch;
mod driven;
mod endpoints;
mod engine;
mod messages;
mod observe;
mod ready;
mod requests;
#[cfg(all(test, not(sansmq_loom)))]
mod tests;
mod topics;

use crate::context::Context;
use crate::runtime::TimedRuntime;
use crate::served::CurrentRuntime;
use crate::zap::ContextZapHandler;
use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{self, Poll};
use engine::Engine;
use sansmq_proto::kind::{Any, Kind, Typed};
use sansmq_proto::{Instant, Options, Socket};
use std::sync::Arc;

/// Socket that its caller drives: every method takes `&mut self`, and no lock and no task are behind it. For a program in which
/// one task owns the socket, this saves the switches to other tasks that a [`Handle`](crate::Handle) needs for each message.
///
/// The methods have the names and the contracts of those of `Handle`, with these differences:
///
/// - **The connections make progress only while a method is polled.** Each `async` method drives all connections of the socket
///   while it waits: it accepts, dials, reads, writes, and handles timers, so reconnects and heartbeats need such a call. While
///   the program waits for something else, let it wait in a `select!` with [`drive`](Self::drive). A peer with heartbeats closes
///   the connection of a socket that is not driven for longer than its `heartbeat_timeout`, and a peer of a socket that is not
///   driven soon has to wait with its messages.
/// - Methods that are not `async`, such as [`connect`](Self::connect), [`subscribe`](Self::subscribe) and
///   [`try_send`](Self::try_send), take effect with the next call that drives.
/// - [`send`](Self::send) hands the message to the operating system if this is possible at once, so a program needs no further
///   call after it. Each `send` is a system call: for many small messages, [`feed`](Self::feed) and then [`flush`](Self::flush)
///   are several times faster.
/// - **Dropping the socket drops its queued messages** and closes its connections at once. [`close`](Self::close) sends them.
///   The `close` of a [`Context`] does not know of the socket.
/// - No other socket can reach into this socket, so it has no `inproc`: a `bind` or a dial there fails with
///   [`NetworkError::Unsupported`](sansmq_proto::NetworkError::Unsupported). It shares no port with another socket, but peers may
///   request its resource. A ZAP handler of its context is asked as usual, but the socket cannot be that handler.
/// - It cannot be passed to a [`Proxy`](crate::Proxy).
///
/// The futures are cancel-safe, as at each method: when a future is dropped, no message is lost and no message is sent twice.
/// They also yield to other tasks from time to time, see [`Budget`](crate::Budget).
///
/// The `poll_…` methods are for hand-written futures. Each call registers the waker of the task in place of that of the last
/// call.
pub struct Exclusive<T: Kind, R: TimedRuntime> {
    engine: Engine<R>,
    kind: PhantomData<fn() -> T>,
}

impl<T: Typed, R: TimedRuntime + CurrentRuntime> Exclusive<T, R> {
    /// Creates a socket with the default [`Options`] on the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_options(Options::new())
    }
}

impl<T: Typed, R: TimedRuntime + CurrentRuntime> Default for Exclusive<T, R> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kind, R: TimedRuntime + CurrentRuntime> Exclusive<T, R> {
    /// Creates a socket with the given options on the current runtime.
    ///
    /// # Panics
    /// If there is no current runtime.
    #[track_caller]
    pub fn with_options(options: Options<T>) -> Self {
        Self::on(&R::current(), options)
    }
}

impl<T: Kind, R: TimedRuntime> Exclusive<T, R> {
    /// Creates a socket on the given runtime, in which all its futures must be polled.
    pub fn on(runtime: &R, options: Options<T>) -> Self {
        Self::in_context(&Context::global(), runtime, options)
    }

    /// Creates a socket on the given runtime. It sends its authentication requests to the ZAP handler of `context`, and its
    /// memory counts towards the limit of `context`.
    pub fn in_context(context: &Context, runtime: &R, options: Options<T>) -> Self {
        let options = options.zap_handler(Arc::new(ContextZapHandler::new(context)));
        let mut socket = Socket::new(options, runtime.entropy());
        if let Some(budget) = context.memory_budget() {
            socket.set_memory_budget(budget);
        }
        Self { engine: Engine::new(socket, runtime), kind: PhantomData }
    }

    /// Removes the static socket type. On the returned socket, a `send` or `recv` that the socket type does not support returns
    /// an error.
    pub fn erase(self) -> Exclusive<Any, R> {
        Exclusive { engine: self.engine, kind: PhantomData }
    }

    /// Returns the socket of `sansmq-proto`, to read its state: its peers, subscriptions, endpoints, and failing dials.
    pub fn socket(&self) -> &Socket {
        self.engine.socket()
    }

    /// Drives the connections, and never completes. For a `select!`, while the program waits for something else. Without such a
    /// macro, a future calls [`poll_drive`](Self::poll_drive):
    ///
    /// ```
    /// # use sansmq::runtime::{Exclusive, TimedRuntime};
    /// # use sansmq::kind::Push;
    /// use std::{future::poll_fn, pin::pin, task::Poll};
    ///
    /// /// Waits for `other`, and drives the connections of the socket meanwhile.
    /// async fn wait<V>(socket: &mut Exclusive<Push, impl TimedRuntime>, other: impl Future<Output = V>) -> V {
    ///     let mut other = pin!(other);
    ///     poll_fn(|cx| match other.as_mut().poll(cx) {
    ///         Poll::Pending => socket.poll_drive(cx),
    ///         ready => ready,
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// Cancel-safe.
    pub async fn drive(&mut self) -> Infallible {
        poll_fn(|cx| self.poll_drive(cx)).await
    }

    /// Drives the connections as far as they are ready. Returns `Pending`; the waker of `cx` is woken when the method should be
    /// called again.
    pub fn poll_drive<V>(&mut self, cx: &mut task::Context<'_>) -> Poll<V> {
        self.engine.poll_until(cx, |_| Poll::Pending)
    }

    /// Returns the time at which the socket must be polled next, as known after the last poll that returned `Pending`. `None`: only
    /// when its waker is woken. Needed by event loops with a [`Timer`](TimedRuntime::Timer) that does nothing.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.engine.deadline()
    }

    /// Drives the connections until `operation` returns `Ready`, and returns its value. `operation` is called again whenever its
    /// result may have changed. For what no other method covers.
    pub fn poll_with<V>(
        &mut self,
        cx: &mut task::Context<'_>,
        mut operation: impl FnMut(&mut Socket) -> Poll<V>,
    ) -> Poll<V> {
        self.engine.poll_until(cx, |engine| operation(engine.waiting_socket()))
    }
}

impl<T: Kind, R: TimedRuntime> fmt::Debug for Exclusive<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(f)
    }
}
