//! [`Driver`]: the runtime's side of a shared socket.

use crate::adopt::Opened;
use crate::context::Bound;
use crate::passage::{self, Passage};
use crate::port::Port;
use crate::state::{Shared, State, Todo, remember};
use core::fmt;
use core::task::{Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Link;
use sansmq_proto::{
    Connection, ConnectionError, Endpoint, Instant, ListenerId, NetworkError, PipeId, Scratch, Session, Stream,
};
use std::sync::Arc;

/// The runtime's side of a shared socket: cheap to clone, held by every task that does IO for it.
///
/// There are three kinds of task. The *supervisor*, one per socket, does what [`poll_step`](Self::poll_step) says. A
/// *listener* accepts connections until its [`Listening`] is told to stop. A *link* dials if need be, and then drives one
/// [`Passage`]. [`launch`](super::launch) spawns them on any async
/// [`Runtime`](super::Runtime); other loops may call the same methods.
///
/// When the last driver is dropped before the socket is closed, as when a runtime shuts down, the socket closes at once
/// and nobody is left waiting.
#[derive(Clone)]
pub struct Driver(Arc<Tasks>);

/// Tells the application when no task is left.
struct Tasks(Arc<Shared>);

impl Drop for Tasks {
    fn drop(&mut self) {
        let now = self.0.now();
        let hosted = self.0.with(|state| {
            state.orphan(now);
            core::mem::take(&mut state.hosted)
        });
        // Others may have joined a port that nobody will open now.
        for (id, port) in hosted {
            drop(Listening::new(&self.0, id, port));
        }
    }
}

/// What the supervisor is to do next. A runtime has to know every step, so a new one is a breaking change.
#[derive(Debug)]
pub enum Step {
    /// Listen there, in a task of its own, and report.
    Listen(ListenerId, Endpoint, Listening),
    /// Accept at this listener, which is open there already, in a task of its own, and report.
    Adopt(ListenerId, Opened, Listening),
    /// Dial there, in a task of its own, and report.
    Dial(PipeId, Endpoint, Dialling),
    /// Set the timer to this deadline, or to none, and poll again when it is due.
    Rearm(Option<Instant>),
    /// The socket is closed and everything is done.
    Finished,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Tasks(shared)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    /// The time, by the clock given to [`share`](super::share).
    pub fn now(&self) -> Instant {
        self.shared().now()
    }

    /// See [`Socket::transport`](sansmq_proto::Socket::transport).
    pub fn transport(&self) -> &TransportConfig {
        &self.shared().transport
    }

    /// What the supervisor is to do next. `armed` is the deadline its timer is set to; a stale one yields
    /// [`Step::Rearm`], so that no changed deadline can be missed.
    pub fn poll_step(&self, waker: &Waker, armed: Option<Instant>) -> Poll<Step> {
        let now = self.now();
        // None: its port was closed before its turn came.
        let listening = |state: &State, id| {
            let port = Arc::clone(state.hosted.get(&id)?);
            Some(Listening::new(self.shared(), id, port))
        };
        self.shared().with(|state| {
            state.armed = armed;
            if state.socket.poll_timeout().is_some_and(|deadline| deadline <= now) {
                state.socket.handle_timeout(now);
            }
            let deadline = state.socket.poll_timeout();
            match state.todo.pop_front() {
                Some(Todo::Listen(id, endpoint)) => {
                    if let Some(listening) = listening(state, id) {
                        return Poll::Ready(Step::Listen(id, endpoint, listening));
                    }
                }
                Some(Todo::Adopt(id, listener)) => {
                    if let Some(listening) = listening(state, id) {
                        return Poll::Ready(Step::Adopt(id, listener, listening));
                    }
                }
                Some(Todo::Dial(pipe, endpoint, dial)) => {
                    let dialling = Dialling { shared: Arc::clone(&self.0.0), pipe, dial };
                    return Poll::Ready(Step::Dial(pipe, endpoint, dialling));
                }
                None => {}
            }
            if state.is_over() && state.listeners.is_empty() {
                return Poll::Ready(Step::Finished);
            }
            if deadline != armed {
                state.armed = deadline;
                return Poll::Ready(Step::Rearm(deadline));
            }
            state.spent.extend(remember(&mut state.supervisor, waker));
            Poll::Pending
        })
    }

    fn port(&self, id: ListenerId) -> Option<Arc<Port>> {
        self.shared().with(|state| state.hosted.get(&id).cloned())
    }

    /// The listener is open, at this address.
    pub fn listening(&self, id: ListenerId, endpoint: Endpoint) {
        let members = self.port(id).map(|port| port.opened(endpoint));
        for (endpoint, member) in members.into_iter().flatten() {
            member.with(|state| {
                state.socket.listening(member.listener, endpoint);
                state.tell_watchers();
            });
        }
    }

    /// The listener could not be opened.
    pub fn listen_failed(&self, id: ListenerId, error: NetworkError) {
        let Some(port) = self.port(id) else { return };
        let forsaken = self.shared().context.close(&port);
        for member in forsaken.members.into_iter().chain(forsaken.last) {
            member.with(|state| {
                state.socket.listen_failed(member.listener, error);
                state.port_closed(member.listener);
            });
        }
    }

    /// A connection came in; see [`Socket::accepted`](sansmq_proto::Socket::accepted). `None`: the listener is closed, so close the
    /// connection.
    pub fn accepted(&self, id: ListenerId, from: Endpoint) -> Option<Passage> {
        let port = self.port(id)?;
        if port.is_for(&Bound { socket: Arc::downgrade(self.shared()), listener: id }) {
            let accepted = self.shared().with_time(|socket, now| socket.accepted(id, from, now));
            return accepted.map(|(pipe, connection)| Passage::new(self.clone(), pipe, connection));
        }
        if port.has_room() { Passage::unclaimed(self.clone(), port, id, from) } else { None }
    }

    /// See [`Socket::accept_failed`](sansmq_proto::Socket::accept_failed). Accept again when [`Listening::poll_next`] says so.
    pub fn accept_failed(&self, id: ListenerId, error: NetworkError) {
        if let Some(member) = self.port(id).and_then(|port| port.pause())
            && let Some(socket) = member.socket.upgrade()
        {
            socket.with_time(|socket, now| socket.accept_failed(member.listener, error, now));
        }
    }

    /// See [`Socket::connected`](sansmq_proto::Socket::connected).
    pub fn connected(&self, pipe: PipeId) -> Option<Connection> {
        self.shared().with_time(|socket, now| socket.connected(pipe, now))
    }

    /// See [`Socket::dial_failed`](sansmq_proto::Socket::dial_failed).
    pub fn dial_failed(&self, pipe: PipeId, error: NetworkError) {
        self.shared().with_time(|socket, now| socket.dial_failed(pipe, error, now));
    }

    /// See [`Socket::disconnected`](sansmq_proto::Socket::disconnected).
    pub fn disconnected(&self, pipe: PipeId, session: Session, reason: &ConnectionError) {
        self.shared().disconnected(pipe, session, reason);
    }

    /// See [`Socket::exchange`](sansmq_proto::Socket::exchange). Messages move under the lock; all other work is done outside.
    ///
    /// # Errors
    /// The connection is to be closed for this reason.
    pub fn exchange(&self, pipe: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        self.shared().exchange(pipe, link, None)
    }

    /// Ready when this pipe's link has been called since it last asked: take a [`Session::turn`] then. The task is woken at
    /// the next call in any case.
    pub fn poll_serviced(&self, pipe: PipeId, waker: &Waker) -> Poll<()> {
        self.shared().with(|state| state.poll_link(pipe, waker))
    }

    /// One poll of a link's task, as [`Passage::poll`] is one. Ready with a reason when the connection is over: give it back
    /// with [`disconnected`](Self::disconnected). Ready without one when there is more to do, after the others.
    ///
    /// `waker` wakes the task. `stream` is expected to have it woken too where it answers `WouldBlock`. The caller keeps a
    /// timer at [`Session::poll_timeout`], which may have changed, and polls again when it is due.
    pub fn poll_session(
        &self,
        pipe: PipeId,
        session: &mut Session,
        stream: &mut impl Stream,
        scratch: &mut Scratch,
        waker: &Waker,
    ) -> Poll<Option<ConnectionError>> {
        passage::heed(session, waker);
        // The waker is left with the first exchange, which every turn begins with: a call after it wakes the task.
        let mut first = Some(waker);
        let exchange = |connection: &mut Connection| self.shared().exchange(pipe, connection, first.take());
        let turn = || session.turn(stream, scratch, self.now(), exchange);
        passage::outcome(self.shared().trace.within(pipe, turn))
    }
}

/// Held by a listener's task for as long as it listens; whoever waits in `unbind` learns from its drop that the address
/// is free.
pub struct Listening {
    pub(crate) shared: Arc<Shared>,
    id: ListenerId,
    pub(crate) port: Arc<Port>,
    /// How often it may still accept before others have their turn.
    budget: u8,
}

/// What a listener is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Accept connections.
    Accept,
    /// Close.
    Stop,
}

impl Listening {
    /// So many connections are accepted before others have their turn: while more come than that, those that are there
    /// already go on.
    const BUDGET: u8 = 16;

    fn new(shared: &Arc<Shared>, id: ListenerId, port: Arc<Port>) -> Self {
        Self { shared: Arc::clone(shared), id, port, budget: Self::BUDGET }
    }

    /// What to do now. Pending while accepting pauses because it failed; the task is woken whenever the answer changes. Once
    /// in a while it is pending, and the task woken, only to let others have their turn: ask again before each connection.
    pub fn poll_next(&mut self, waker: &Waker) -> Poll<Order> {
        if self.poll_stopped(waker).is_ready() {
            return Poll::Ready(Order::Stop);
        }
        let pausing = self.port.pausing();
        if pausing.and_then(|member| member.with(|state| state.socket.is_accept_paused(member.listener))) == Some(true)
        {
            return Poll::Pending;
        }
        let Some(rest) = self.budget.checked_sub(1) else {
            self.budget = Self::BUDGET;
            waker.wake_by_ref();
            return Poll::Pending;
        };
        self.budget = rest;
        Poll::Ready(Order::Accept)
    }

    /// Ready when nobody wants it any more: close it, or give up opening it. The task is woken then.
    pub fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        if self.port.goes_on(waker) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The listener, which was open at `endpoint`, is closed now, but not all was well with it.
    pub fn close_failed(&self, endpoint: Endpoint, error: NetworkError) {
        let _ = self.port.failure.set(error);
        if let Some(last) = self.port.last() {
            last.with(|state| state.socket.unlisten_failed(endpoint, error));
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.end();
        drop(self.shared.with(|state| state.hosted.remove(&self.id)));
    }
}

/// Held by a task that dials.
pub struct Dialling {
    shared: Arc<Shared>,
    pipe: PipeId,
    dial: u64,
}

impl Dialling {
    /// Ready when the dial is not wanted any more: drop it, nothing needs to be reported.
    pub fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        self.shared.with(|state| state.poll_dial(self.pipe, self.dial, waker))
    }
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialling").field(&self.pipe).finish()
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.id).finish()
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driver").field(self.shared()).finish()
    }
}
