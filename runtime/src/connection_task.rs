//! [`ConnectionTask`]: the task that moves the bytes of one connection between its stream and its socket.

use crate::background::Place;
use crate::driver::Driver;
use crate::runtime::PollStream;
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use crate::task::TaskState;
use core::fmt;
use core::task::{Context, Poll, Waker};
use sansmq_proto::connection::Outbox;
use sansmq_proto::socket::AcceptError;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Instant, ListenerId, PipeId, Session, SessionBuffers, Stream, StreamError,
    Turn,
};
use std::io;
use std::sync::Arc;

/// Task that runs the protocol (ZMTP) of one connection over its byte stream.
///
/// Usually the connection belongs to the socket that spawned the task. At a port that several sockets share, a new
/// connection waits until its peer has requested a resource (RFC 37: a name that selects one of these sockets). Then
/// the connection is assigned to the socket that is bound to this resource. That socket may run on another runtime. The
/// task stays on the runtime that accepted the connection.
pub(crate) struct ConnectionTask<S> {
    /// Stream of the connection; `None` after the connection has ended.
    stream: Option<S>,
    /// State machine of the connection, which reads from the stream and writes to it. `None` after the connection has
    /// ended. The connection was then returned to its socket, which recovers unsent messages; a connection that had not
    /// been assigned to a socket was dropped.
    session: Option<Session>,
    owner: Owner,
    /// Place of the connection in the line for background work; `None` if it has no such work.
    place: Option<Place>,
    /// Reference to the socket that has spawned the task. The time comes from this socket's clock, even if the
    /// connection was assigned to another socket.
    driver: Driver,
}

pub(crate) enum Owner {
    /// The connection belongs to the socket that has spawned the task. Contains the socket's pipe for the connection.
    Local(PipeId),
    /// The connection was accepted at a port that several sockets share, and is not assigned to one of these sockets
    /// yet. `from` is the address of the peer. `ticket` identifies the connection among all connections that wait at
    /// `port`. `_counted` is a clone of the `Arc` in [`SharedListener::unassigned`]: the port counts the waiting
    /// connections by the number of clones.
    Unassigned { port: Arc<SharedListener>, from: Box<Endpoint>, ticket: u64, _counted: Arc<()> },
    /// The connection was accepted at a port that several sockets share, and was assigned to one of these sockets.
    /// Contains this socket and its pipe for the connection. The socket may run on another runtime, or may be the
    /// socket that has spawned the task.
    Remote(Arc<Shared>, PipeId),
    /// The connection was accepted at a port that several sockets share. The socket that is bound to the resource which
    /// the peer requested has rejected the connection, and has emitted the event that reports the rejection.
    Rejected,
}

impl<S: PollStream> ConnectionTask<S> {
    pub(crate) fn new(driver: Driver, owner: Owner, mut connection: Connection, stream: S) -> Self {
        connection.set_peer_credentials(stream.credentials());
        Self { stream: Some(stream), session: Some(Session::new(connection)), owner, place: None, driver }
    }

    /// Creates the task of a connection that was accepted at `port`, which several sockets share. The connection
    /// belongs to no socket until its peer has requested a resource. `driver` refers to the socket that opened the
    /// port, `id` identifies the `bind` with which that socket opened it, and `from` is the address of the peer.
    /// Returns `None` if the connection exceeds the `max_handshake_rate` of the socket that opened the port.
    pub(crate) fn unassigned(
        driver: Driver,
        port: Arc<SharedListener>,
        (id, from): (ListenerId, Endpoint),
        stream: S,
    ) -> Option<Self> {
        let received = driver.shared().with_time(|socket, now| socket.accept_shared(id, &from, &port.limits(), now));
        let mut connection = received?;
        connection.set_peer_address(from.clone());
        let (ticket, counted) = (port.ticket(), Arc::clone(&port.unassigned));
        let owner = Owner::Unassigned { port, from: Box::new(from), ticket, _counted: counted };
        Some(Self::new(driver, owner, connection, stream))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, buffers: &mut SessionBuffers) -> TaskState {
        let Self { stream: Some(stream), session: Some(session), owner, place, driver } = self else {
            return TaskState::Finished;
        };
        let waker = cx.waker();
        let background = &driver.shared().background;
        let has_turn = place.as_mut().is_some_and(|place| background.poll(place, waker));
        // Input that is already there shows that the peer is alive, so an expired timer must read it.
        let reads = place.is_none()
            || has_turn
            || session.poll_timeout().is_some_and(|deadline| deadline <= driver.shared().now());
        // An authentication decision that is still pending wakes the task when it is made.
        if session.connection().may_wait_for_auth() {
            session.connection().set_auth_waker(waker);
        }
        let mut polled = Polled { stream, cx: Context::from_waker(waker), reads };
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
                    Owner::Local(_) | Owner::Unassigned { .. } | Owner::Rejected => Ok(()),
                }
            }),
            Owner::Rejected => return TaskState::Finished,
        };
        match turn {
            Ok(Turn::Background) => match *place {
                Some(_) if has_turn => TaskState::Runnable,
                Some(_) => TaskState::Waiting,
                None => {
                    let (joined, has_turn) = background.join(waker);
                    *place = Some(joined);
                    if has_turn { TaskState::Runnable } else { TaskState::Waiting }
                }
            },
            Ok(turn) => {
                if reads {
                    self.leave_line();
                }
                if turn == Turn::Again { TaskState::Runnable } else { TaskState::Waiting }
            }
            Err(reason) => {
                self.leave_line();
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

    fn leave_line(&mut self) {
        if let Some(place) = self.place.take() {
            self.driver.shared().background.leave(place);
        }
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
            Owner::Rejected => {}
        }
    }
}

impl<S> Drop for ConnectionTask<S> {
    fn drop(&mut self) {
        self.leave_line();
        // The runtime of the task has shut down. The owner may be on another runtime that still runs, and would otherwise
        // wait for the connection.
        match &self.owner {
            Owner::Local(_) | Owner::Rejected => {}
            Owner::Remote(..) => self.give_back(&ConnectionError::LocallyClosed),
            Owner::Unassigned { port, ticket, .. } => port.forget(*ticket),
        }
    }
}

impl Owner {
    /// Assigns a connection that waits at a shared port to one of the sockets at this port: the socket that is bound to
    /// the resource requested by the peer. If the peer has not requested a resource yet, or if no socket is bound to
    /// the resource, the connection continues to wait, and `waker` is woken when a socket binds to the port or unbinds.
    /// Does nothing if the connection is not [`Owner::Unassigned`].
    ///
    /// # Errors
    /// No socket is bound to the port any more, or the socket that is bound to the resource has rejected the
    /// connection.
    fn assign(&mut self, connection: &mut Connection, waker: &Waker) -> Result<(), ConnectionError> {
        let Self::Unassigned { port, from, ticket, .. } = self else { return Ok(()) };
        let Some(bound) = port.find(connection.pending_peer(), *ticket, waker)? else { return Ok(()) };
        let Some(socket) = bound.socket.upgrade() else { return Ok(()) };
        let from = Endpoint::clone(from);
        match socket.with_time(|socket, now| socket.attach(bound.listener, from, connection, now)) {
            Ok(pipe) => *self = Self::Remote(socket, pipe),
            Err(AcceptError::Rejected(_)) => {
                *self = Self::Rejected;
                return Err(ConnectionError::LocallyClosed);
            }
            // The socket has left the port in the meantime. Another socket may join, so the task must check again.
            Err(_) => waker.wake_by_ref(),
        }
        Ok(())
    }
}

/// Adapter from a [`PollStream`] to the non-blocking [`Stream`] that a [`Session`] needs. Exists during one poll of the
/// task. Returns [`StreamError::WouldBlock`] when the `PollStream` returns `Pending`.
struct Polled<'a, S> {
    stream: &'a mut S,
    cx: Context<'a>,
    /// False if the connection must not read now, because it waits in line to do background work.
    reads: bool,
}

impl<S: PollStream> Stream for Polled<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        if !self.reads {
            return Err(StreamError::WouldBlock);
        }
        ready(self.stream.poll_read(&mut self.cx, buffer))
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        ready(data.with_io_slices(|slices| self.stream.poll_write_vectored(&mut self.cx, slices)))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        ready(self.stream.poll_close_write(&mut self.cx))
    }
}

pub(crate) fn ready<R>(poll: Poll<io::Result<R>>) -> Result<R, StreamError> {
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
            Owner::Rejected => &mut task,
        };
        task.finish()
    }
}
