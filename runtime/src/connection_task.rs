//! [`ConnectionTask`]: drives one connection over its stream, and keeps the socket that it belongs to.

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

/// Most connections belong to the socket of the task. A connection at a port that several sockets share belongs to no socket
/// until its peer has named one, which may live on another runtime; the task stays where it is.
pub(crate) struct ConnectionTask<S> {
    /// `None` once the connection has ended.
    stream: Option<S>,
    /// `None` once it was returned to its socket.
    session: Option<Session>,
    owner: Owner,
    /// Of the socket on whose runtime the task runs: the session's time is the time of this one.
    driver: Driver,
}

enum Owner {
    /// The driver's own socket.
    Local(PipeId),
    /// No socket yet.
    Unassigned { port: Arc<SharedListener>, from: Endpoint, ticket: u64, _counted: Arc<()> },
    /// Another socket that shares the port, on any runtime.
    Remote(Arc<Shared>, PipeId),
}

impl<S: PollStream> ConnectionTask<S> {
    pub(crate) fn new(driver: Driver, pipe: PipeId, connection: Connection, stream: S) -> Self {
        Self::with_owner(driver, Owner::Local(pipe), connection, stream)
    }

    /// A connection at a shared port; `None` if it is rejected.
    pub(crate) fn unassigned(
        driver: Driver,
        port: Arc<SharedListener>,
        (id, from): (ListenerId, Endpoint),
        stream: S,
    ) -> Option<Self> {
        let received = driver.shared().with_time(|socket, now| socket.receive(id, &from, &port.limits, now));
        let mut connection = received?;
        connection.set_peer_address(from.clone());
        let (ticket, counted) = (port.ticket(), Arc::clone(&port.unassigned));
        let owner = Owner::Unassigned { port, from, ticket, _counted: counted };
        Some(Self::with_owner(driver, owner, connection, stream))
    }

    fn with_owner(driver: Driver, owner: Owner, mut connection: Connection, stream: S) -> Self {
        connection.set_peer_credentials(stream.credentials());
        Self { stream: Some(stream), session: Some(Session::new(connection)), owner, driver }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, buffers: &mut SessionBuffers) -> TaskState {
        let Self { stream: Some(stream), session: Some(session), owner, driver } = self else {
            return TaskState::Finished;
        };
        let waker = cx.waker();
        // While a decision about the peer may be pending, it wakes the task.
        if session.connection().may_ask() {
            session.connection().wake_with(waker);
        }
        let mut polled = Polled { stream, cx: Context::from_waker(waker) };
        // The waker is left with the first exchange, with which every turn begins: a later request wakes the task.
        let mut first = Some(waker);
        let turn = match owner {
            Owner::Local(pipe) => {
                let (pipe, shared) = (*pipe, driver.shared());
                let exchange = |connection: &mut Connection| shared.exchange(pipe, connection, first.take());
                shared.trace.within(pipe, || session.turn(&mut polled, buffers, driver.now(), exchange))
            }
            Owner::Remote(shared, pipe) => {
                let exchange = |connection: &mut Connection| shared.exchange(*pipe, connection, first.take());
                shared.trace.within(*pipe, || session.turn(&mut polled, buffers, driver.now(), exchange))
            }
            Owner::Unassigned { .. } => session.turn(&mut polled, buffers, driver.now(), |connection| {
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
                // Closed before the socket reports its end.
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
                    member.with(|state| state.socket.rejected(member.listener, from, reason));
                }
            }
        }
    }
}

impl<S> Drop for ConnectionTask<S> {
    /// The task's runtime has ended; the runtime of another socket may live on, and would wait for the connection.
    fn drop(&mut self) {
        match &self.owner {
            Owner::Local(_) => {}
            Owner::Remote(..) => self.give_back(&ConnectionError::PeerClosed),
            Owner::Unassigned { port, ticket, .. } => port.forget(*ticket),
        }
    }
}

impl Owner {
    /// Assigns the connection to the socket that the peer has named, if it has.
    ///
    /// # Errors
    /// The port is closed.
    fn assign(&mut self, connection: &mut Connection, waker: &Waker) -> Result<(), ConnectionError> {
        let Self::Unassigned { port, from, ticket, .. } = self else { return Ok(()) };
        let Some(bound) = port.find(connection.pending_peer(), *ticket, waker)? else { return Ok(()) };
        let Some(socket) = bound.socket.upgrade() else { return Ok(()) };
        let from = from.clone();
        let pipe = socket.with_time(|socket, now| socket.received(bound.listener, from, connection, now));
        match pipe {
            Some(pipe) => *self = Self::Remote(socket, pipe),
            // The socket has left the port meanwhile, and another may join.
            None => waker.wake_by_ref(),
        }
        Ok(())
    }
}

/// A stream during one poll of its task.
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
