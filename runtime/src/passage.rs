//! [`Passage`]: one connection as the task has it that drives it, and where it belongs.

use crate::driver::Driver;
use crate::port::Port;
use crate::state::Shared;
use core::fmt;
use core::task::{Poll, Waker};
use sansmq_proto::connection::Credentials;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Instant, ListenerId, PipeId, Scratch, Session, Stream, Turn,
};
use std::sync::Arc;

/// One connection, for the task that drives it: a [`Session`], and the socket that it belongs to.
///
/// Most belong to the socket of the task. One that came in to a port that several sockets share belongs to nobody until its
/// peer has said which it wants, and that one may live on another runtime; the task goes on where it is.
pub struct Passage {
    /// `None` once it was given back.
    session: Option<Session>,
    seat: Seat,
    /// Of the socket whose runtime the task is on: the session's time is that one's.
    driver: Driver,
}

enum Seat {
    /// The driver's own socket's.
    Own(PipeId),
    /// Nobody's yet.
    Nobody { port: Arc<Port>, from: Endpoint, ticket: u64, _counted: Arc<()> },
    /// That of a socket that shares the port, on whatever runtime.
    Guest(Arc<Shared>, PipeId),
}

impl Passage {
    /// A connection that [`Driver::connected`] gave for this pipe.
    pub const fn new(driver: Driver, pipe: PipeId, connection: Connection) -> Self {
        Self { session: Some(Session::new(connection)), seat: Seat::Own(pipe), driver }
    }

    /// A connection to a port that is shared.
    pub(crate) fn unclaimed(driver: Driver, port: Arc<Port>, id: ListenerId, from: Endpoint) -> Option<Self> {
        let received = driver.shared().with_time(|socket, now| socket.receive(id, &from, &port.limits, now));
        let mut connection = received?;
        connection.came_from(from.clone());
        let (ticket, counted) = (port.ticket(), Arc::clone(&port.unclaimed));
        let seat = Seat::Nobody { port, from, ticket, _counted: counted };
        Some(Self { session: Some(Session::new(connection)), seat, driver })
    }

    /// What the operating system says of the peer: see [`Connection::identify`]. To be said before the first
    /// [`poll`](Self::poll).
    pub fn identify(&mut self, credentials: Option<Credentials>) {
        if let Some(session) = &mut self.session {
            session.connection().identify(credentials);
        }
    }

    /// One poll of the task: what there is to do now, within a budget. Ready with a reason when the connection is over: give it
    /// back with [`disconnected`](Self::disconnected). Ready without one when there is more to do: let others have their turn,
    /// whoever waits for what has come first of all, and poll again.
    ///
    /// `waker` wakes the task. `stream` is expected to have it woken too where it answers `WouldBlock`. The caller keeps a
    /// timer at [`poll_timeout`](Self::poll_timeout), which may have changed, and polls again when it is due.
    pub fn poll(
        &mut self,
        stream: &mut impl Stream,
        scratch: &mut Scratch,
        waker: &Waker,
    ) -> Poll<Option<ConnectionError>> {
        let Self { session: Some(session), seat, driver } = self else {
            return Poll::Ready(Some(ConnectionError::HungUp));
        };
        let mut first = Some(waker);
        match seat {
            Seat::Own(pipe) => driver.poll_session(*pipe, session, stream, scratch, waker),
            Seat::Guest(socket, pipe) => {
                let exchange = |connection: &mut Connection| socket.exchange(*pipe, connection, first.take());
                let turn = || session.turn(stream, scratch, driver.now(), exchange);
                outcome(socket.trace.within(*pipe, turn))
            }
            Seat::Nobody { .. } => {
                heed(session, waker);
                let turn = session.turn(stream, scratch, driver.now(), |connection| {
                    seat.claim(connection, waker)?;
                    match seat {
                        Seat::Guest(socket, pipe) => socket.exchange(*pipe, connection, first.take()),
                        Seat::Own(_) | Seat::Nobody { .. } => Ok(()),
                    }
                });
                outcome(turn)
            }
        }
    }

    /// When [`poll`](Self::poll) wants to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    /// The connection is over, for this reason.
    pub fn disconnected(mut self, reason: &ConnectionError) {
        self.give_back(reason);
    }

    fn give_back(&mut self, reason: &ConnectionError) {
        let Some(session) = self.session.take() else { return };
        match &self.seat {
            Seat::Own(pipe) => self.driver.disconnected(*pipe, session, reason),
            Seat::Guest(socket, pipe) => socket.disconnected(*pipe, session, reason),
            Seat::Nobody { port, from, .. } => {
                for member in port.members() {
                    member.with(|state| state.socket.turned_away(member.listener, from, reason));
                }
            }
        }
    }
}

impl Drop for Passage {
    /// The task's runtime is gone, but that of the socket may live on, and would wait for the connection.
    fn drop(&mut self) {
        match &self.seat {
            Seat::Own(_) => {}
            Seat::Guest(..) => self.give_back(&ConnectionError::HungUp),
            Seat::Nobody { port, ticket, .. } => port.forget(*ticket),
        }
    }
}

impl Seat {
    /// Looks for the socket that the peer wants, if it has said which.
    ///
    /// # Errors
    /// The port is closed.
    fn claim(&mut self, connection: &mut Connection, waker: &Waker) -> Result<(), ConnectionError> {
        let Self::Nobody { port, from, ticket, .. } = self else { return Ok(()) };
        let Some(bound) = port.find(connection.caller(), *ticket, waker)? else { return Ok(()) };
        let Some(socket) = bound.socket.upgrade() else { return Ok(()) };
        let from = from.clone();
        let pipe = socket.with_time(|socket, now| socket.received(bound.listener, from, connection, now));
        match pipe {
            Some(pipe) => *self = Self::Guest(socket, pipe),
            // It has left in this moment, and another may come.
            None => waker.wake_by_ref(),
        }
        Ok(())
    }
}

/// Has the task woken when somebody has decided about the peer, as long as that is open.
pub(crate) fn heed(session: &mut Session, waker: &Waker) {
    if session.connection().may_ask() {
        session.connection().wake_with(waker);
    }
}

/// What a turn means for its task.
pub(crate) fn outcome(turn: Result<Turn, ConnectionError>) -> Poll<Option<ConnectionError>> {
    match turn {
        Ok(Turn::Wait(_)) => Poll::Pending,
        Ok(Turn::Again) => Poll::Ready(None),
        Err(reason) => Poll::Ready(Some(reason)),
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut passage = f.debug_tuple("Passage");
        match &self.seat {
            Seat::Own(pipe) | Seat::Guest(_, pipe) => passage.field(pipe),
            Seat::Nobody { from, .. } => passage.field(from),
        };
        passage.finish()
    }
}
