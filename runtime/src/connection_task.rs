//! [`ConnectionTask`]: drives one connection over its stream, for the socket that owns the connection.

use crate::driver::Driver;
use crate::runtime::PollStream;
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use crate::task::TaskState;
use core::fmt;
use core::task::{Context, Poll, Waker};
use sansmq_proto::connection::Outbox;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Instant, ListenerId, PipeId, Session, SessionBuffers, Stream, StreamError,
    Turn,
};
use std::io;
use std::sync::Arc;

/// Task of one connection.
///
/// Most connections belong to the socket of the task. A connection to a port that several sockets share belongs to no socket
/// until its peer has requested a resource. The socket of that resource may run on another runtime; the task does not move.
pub(crate) struct ConnectionTask<S> {
    /// `None` after the connection has ended.
    stream: Option<S>,
    /// `None` after the session was returned to its socket.
    session: Option<Session>,
    owner: Owner,
    /// Driver of the socket that has spawned the task. The clock of this socket is the clock of the session, even if the owner
    /// is another socket.
    driver: Driver,
}

pub(crate) enum Owner {
    /// The driver's own socket.
    Local(PipeId),
    /// No socket yet.
    Unassigned { port: Arc<SharedListener>, from: Endpoint, ticket: u64, _counted: Arc<()> },
    /// Another socket that shares the port, on any runtime.
    Remote(Arc<Shared>, PipeId),
}

impl<S: PollStream> ConnectionTask<S> {
    pub(crate) fn new(driver: Driver, owner: Owner, mut connection: Connection, stream: S) -> Self {
        connection.set_peer_credentials(stream.credentials());
        Self { stream: Some(stream), session: Some(Session::new(connection)), owner, driver }
    }

    /// Creates the task of a connection to a shared port. Returns `None` if the connection is rejected.
    pub(crate) fn unassigned(
        driver: Driver,
        port: Arc<SharedListener>,
        (id, from): (ListenerId, Endpoint),
        stream: S,
    ) -> Option<Self> {
        let received = driver.shared().with_time(|socket, now| socket.accept_shared(id, &from, &port.limits, now));
        let mut connection = received?;
        connection.set_peer_address(from.clone());
        let (ticket, counted) = (port.ticket(), Arc::clone(&port.unassigned));
        let owner = Owner::Unassigned { port, from, ticket, _counted: counted };
        Some(Self::new(driver, owner, connection, stream))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, buffers: &mut SessionBuffers) -> TaskState {
        let Self { stream: Some(stream), session: Some(session), owner, driver } = self else {
            return TaskState::Finished;
        };
        let waker = cx.waker();
        // An authentication decision that is still pending wakes the task when it is made.
        if session.connection().may_wait_for_auth() {
            session.connection().set_auth_waker(waker);
        }
        let mut polled = Polled { stream, cx: Context::from_waker(waker) };
        // Each turn begins with an exchange, which registers the waker: a later request for service wakes the task.
        let mut first = Some(waker);
        let turn = match owner {
            Owner::Local(pipe) => {
                let (pipe, shared) = (*pipe, driver.shared());
                let exchange = |connection: &mut Connection| shared.exchange(pipe, connection, first.take());
                shared.trace.within(pipe, || session.turn(&mut polled, buffers, driver.shared().now(), exchange))
            }
            Owner::Remote(shared, pipe) => {
                let exchange = |connection: &mut Connection| shared.exchange(*pipe, connection, first.take());
                shared.trace.within(*pipe, || session.turn(&mut polled, buffers, driver.shared().now(), exchange))
            }
            Owner::Unassigned { .. } => session.turn(&mut polled, buffers, driver.shared().now(), |connection| {
                owner.assign(connection, waker)?;
                match owner {
                    Owner::Remote(shared, pipe) => shared.exchange(*pipe, connection, first.take()),
                    Owner::Local(_) | Owner::Unassigned { .. } => Ok(()),
                }
            }),
        };
        match turn {
            Ok(Turn::Wait(_)) => TaskState::Waiting,
            Ok(Turn::Again) => TaskState::Runnable,
            Err(reason) => {
                // The stream is closed before the socket emits the event of the disconnect.
                self.stream = None;
                self.give_back(&reason);
                TaskState::Finished
            }
        }
    }
}

impl<S> ConnectionTask<S> {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    fn give_back(&mut self, reason: &ConnectionError) {
        let Some(session) = self.session.take() else { return };
        match &self.owner {
            Owner::Local(pipe) => self.driver.shared().disconnected(*pipe, session, reason),
            Owner::Remote(socket, pipe) => socket.disconnected(*pipe, session, reason),
            Owner::Unassigned { port, from, .. } => {
                for member in port.members() {
                    member.with(|state| state.socket.reject_shared(member.listener, from, reason));
                }
            }
        }
    }
}

impl<S> Drop for ConnectionTask<S> {
    fn drop(&mut self) {
        // The runtime of the task has shut down. The owner may be on another runtime that still runs, and would otherwise
        // wait for the connection.
        match &self.owner {
            Owner::Local(_) => {}
            Owner::Remote(..) => self.give_back(&ConnectionError::LocallyClosed),
            Owner::Unassigned { port, ticket, .. } => port.forget(*ticket),
        }
    }
}

impl Owner {
    /// Assigns the connection to the socket of the resource that the peer has requested, if the request was received.
    ///
    /// # Errors
    /// The port is closed.
    fn assign(&mut self, connection: &mut Connection, waker: &Waker) -> Result<(), ConnectionError> {
        let Self::Unassigned { port, from, ticket, .. } = self else { return Ok(()) };
        let Some(bound) = port.find(connection.pending_peer(), *ticket, waker)? else { return Ok(()) };
        let Some(socket) = bound.socket.upgrade() else { return Ok(()) };
        let from = from.clone();
        let pipe = socket.with_time(|socket, now| socket.attach(bound.listener, from, connection, now));
        match pipe {
            Some(pipe) => *self = Self::Remote(socket, pipe),
            // The socket has left the port in the meantime. Another socket may join, so the task must check again.
            None => waker.wake_by_ref(),
        }
        Ok(())
    }
}

/// Stream during one poll of its task.
struct Polled<'a, S> {
    stream: &'a mut S,
    cx: Context<'a>,
}

impl<S: PollStream> Stream for Polled<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        ready(self.stream.poll_read(&mut self.cx, buffer))
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        ready(data.with_io_slices(|slices| self.stream.poll_write_vectored(&mut self.cx, slices)))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        ready(self.stream.poll_close_write(&mut self.cx))
    }
}

fn ready<R>(poll: Poll<io::Result<R>>) -> Result<R, StreamError> {
    match poll {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err(StreamError::WouldBlock),
    }
}

impl<S> fmt::Debug for ConnectionTask<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut task = f.debug_tuple("ConnectionTask");
        match &self.owner {
            Owner::Local(pipe) | Owner::Remote(_, pipe) => task.field(pipe),
            Owner::Unassigned { from, .. } => task.field(from),
        };
        task.finish()
    }
}
