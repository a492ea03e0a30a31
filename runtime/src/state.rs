//! State that the handle and the driver of a socket share: the socket, and the wakers of the tasks that wait for the
//! socket. Both are behind one lock. Tasks are woken only after the lock is released.

use crate::background::Background;
use crate::bound_listener::BoundListener;
use crate::budget::Budget;
use crate::context::Context;
use crate::inproc::End;
use crate::line::Lines;
use crate::process::ProcessId;
use crate::shared_listener::SharedListener;
use crate::sync::Mutex;
use crate::trace::Trace;
use crate::waiters::Waiters;
use crate::wakes::{DeferredCall, Wakes};
use core::fmt;
use core::sync::atomic::AtomicU32;
use core::task::{self, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Link;
use sansmq_proto::socket::{BindError, EventQueue, UnbindError};
use sansmq_proto::{Action, ConnectionError, Endpoint, Event, Instant, ListenerId, PipeId, Session, Socket};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, Weak};

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Context of the socket: the registry of `inproc` names and shared ports.
    pub(crate) context: Context,
    pub(crate) trace: Trace,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    pub(crate) budget: Budget,
    /// Number of operations of the handles that have completed since one of them yielded because of the [`Budget`].
    pub(crate) completed: AtomicU32,
    /// Connections that have background work, which the tasks of this socket do one after the other.
    pub(crate) background: Background,
    /// Process that runs the tasks of the socket.
    process: ProcessId,
}

/// Mutable part of [`Shared`], behind its lock.
pub(crate) struct State {
    pub(crate) socket: Socket,
    /// Weak reference to the [`Shared`] that contains this state.
    pub(crate) me: Weak<Shared>,
    /// `inproc` name of each listener that is bound to one.
    pub(crate) names: BTreeMap<ListenerId, String>,
    /// `inproc` name of each pipe that waits for a socket to bind to this name.
    pub(crate) sought: BTreeMap<PipeId, String>,
    /// Entry of each pipe: the state of its task, or its end of an `inproc` connection. The position in the vector is
    /// the index of the [`PipeId`].
    tasks: Vec<Task>,
    /// Listeners for `bind_existing`, which were bound outside of this library. Each is kept here until its listener
    /// task is spawned.
    pub(crate) bound_listeners: BTreeMap<ListenerId, BoundListener>,
    /// Port of each listener of this socket: the open listener and all sockets that share it. If this socket was the
    /// last to unbind from a port, the port stays in this map until it is closed.
    pub(crate) listeners: BTreeMap<ListenerId, Arc<SharedListener>>,
    /// Ports that this socket has opened or must open. The listener tasks of these ports run on this socket's runtime,
    /// even if this socket has unbound and other sockets still use the port.
    pub(crate) hosted: BTreeMap<ListenerId, Arc<SharedListener>>,
    /// Actions for the supervisor, the first task of the socket: for each action, it must spawn a task that opens a
    /// listener or connects. The number is that of the attempt to connect, or 0 for a listener.
    pub(crate) actions: VecDeque<(Action, u64)>,
    /// Number of attempts to connect since the socket was created. Attempts over `inproc` are not counted. The number
    /// after each increment identifies the new attempt. By this number, the task of an attempt detects that the attempt
    /// was cancelled or replaced.
    dials: u64,
    /// Number of exchanges with peers after their handshakes. Wraps around.
    pub(crate) exchanges: u32,
    pub(crate) supervisor: Option<Waker>,
    /// Deadline of the socket at the last poll of the supervisor, the task that handles the socket's timeouts. If the
    /// deadline of the socket has changed since then, the supervisor is woken. `None` if the socket had no deadline.
    pub(crate) armed: Option<Instant>,
    /// True after the last [`Driver`](crate::Driver) of the socket was dropped. Then the socket has no tasks any more
    /// that open listeners, connect, or move bytes.
    pub(crate) orphaned: bool,
    /// Futures that wait in turn to receive or to send.
    pub(crate) lines: Lines,
    /// Futures that wait until a message can be received, without receiving it.
    pub(crate) readable: Waiters,
    /// Futures that wait until a message can be sent, without sending it.
    pub(crate) writable: Waiters,
    /// Futures that wait until a listener is open or closed, until there are enough peers or subscribers, or until the
    /// socket is closed.
    pub(crate) watchers: Waiters,
    /// Wakers that were replaced by newer ones. They are dropped after the lock is released, because dropping a waker
    /// may run arbitrary code.
    pub(crate) spent: Vec<Waker>,
    /// True if the futures in `watchers` must be woken after the lock is released.
    wake_watchers: bool,
    /// True after the futures in `watchers` were woken because the socket has closed or its last driver was dropped.
    /// They are woken only once for this reason.
    over: bool,
    monitors: BTreeMap<u64, Watch>,
    next_monitor: u64,
}

/// Listener for which a call of `unbind` waits until the listener is closed: its id and its port. If closing causes an
/// error, the error is stored in [`SharedListener::failure`].
pub(crate) type Ending = (ListenerId, Arc<SharedListener>);

/// Entry of one pipe: the waker and state of the task that runs its connection, or this socket's end of an `inproc`
/// connection.
struct Task {
    pipe: PipeId,
    due: bool,
    /// Number of the current attempt to connect, as in [`State::dials`]; 0 if there is none.
    dial: u64,
    waker: Option<Waker>,
    /// This socket's end of the `inproc` connection, which needs no task. `None` for other transports.
    end: Option<End>,
}

/// Unread events of one monitor, and the waker of the task that waits for the next event.
struct Watch {
    events: EventQueue,
    waker: Option<Waker>,
}

impl Shared {
    pub(crate) fn new(
        mut socket: Socket,
        context: Context,
        trace: Trace,
        clock: Box<dyn Fn() -> Instant + Send + Sync>,
        budget: Budget,
        process: ProcessId,
    ) -> Arc<Self> {
        socket.monitor(trace.is_on());
        let state = |me: &Weak<Self>| State {
            socket,
            me: Weak::clone(me),
            names: BTreeMap::new(),
            sought: BTreeMap::new(),
            tasks: Vec::new(),
            listeners: BTreeMap::new(),
            bound_listeners: BTreeMap::new(),
            hosted: BTreeMap::new(),
            actions: VecDeque::new(),
            dials: 0,
            exchanges: 0,
            supervisor: None,
            armed: None,
            orphaned: false,
            lines: Lines::default(),
            readable: Waiters::default(),
            writable: Waiters::default(),
            watchers: Waiters::default(),
            spent: Vec::new(),
            wake_watchers: false,
            over: false,
            monitors: BTreeMap::new(),
            next_monitor: 0,
        };
        Arc::new_cyclic(|me| Self {
            state: Mutex::new(state(me)),
            context,
            trace,
            clock,
            budget,
            process,
            completed: AtomicU32::new(0),
            background: Background::default(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Returns the settings for operating system sockets, as they are now.
    pub(crate) fn transport(&self) -> TransportConfig {
        self.with(|state| state.socket.transport().clone())
    }

    /// Returns true if the current process is a forked child of the process that runs the tasks of this socket.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != ProcessId::current()
    }

    /// Locks the state and calls `work` with it. Then executes the actions that the socket has requested, and releases
    /// the lock. Last, wakes tasks, and locks other sockets that must exchange messages over `inproc`. The caller must
    /// hold no lock.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = self.locked(&mut wakes, |state, _| work(state));
        wakes.run();
        // Nothing is left that must be dropped, which the compiler does not know.
        core::mem::forget(wakes);
        result
    }

    /// Locks the state and calls `work` with it. Then executes the actions that the socket has requested. Adds the
    /// tasks to wake, and the calls that lock other sockets, to `wakes`. After all locks are released, the caller must
    /// [run](Wakes::run) `wakes`.
    #[inline]
    pub(crate) fn locked<R>(&self, wakes: &mut Wakes, work: impl FnOnce(&mut State, &mut Wakes) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "meter")]
        let _locked = sansmq_proto::cost::locked("the lock of a socket");
        let result = work(&mut state, wakes);
        state.settle(self, wakes);
        result
    }

    pub(crate) fn with_time<R>(&self, work: impl FnOnce(&mut Socket, Instant) -> R) -> R {
        let now = self.now();
        self.with(|state| work(&mut state.socket, now))
    }

    /// Reports to the socket that the connection of `pipe` has ended because of `reason`, and gives the connection back
    /// to the socket; see [`Socket::disconnected`].
    pub(crate) fn disconnected(&self, pipe: PipeId, session: Session, reason: &ConnectionError) {
        let (connection, now) = (session.into_connection(), self.now());
        drop(self.with(|state| {
            state.socket.disconnected(pipe, connection, reason, now);
            state.release(pipe)
        }));
    }

    /// Moves messages between `pipe` and its connection `link`, in both directions; see [`Socket::exchange`]. If
    /// `waker` is given, it is woken when the socket requests the next call of this method for the pipe.
    pub(crate) fn exchange(
        &self,
        pipe: PipeId,
        link: &mut impl Link,
        waker: Option<&Waker>,
    ) -> Result<(), ConnectionError> {
        self.with(|state| {
            if let Some(waker) = waker {
                let _ = state.poll_link(pipe, waker);
            }
            state.exchanges = state.exchanges.wrapping_add(u32::from(link.peer().is_some()));
            state.socket.exchange(pipe, link)
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.context.unregister(self);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| state.socket.fmt(f))
    }
}

impl State {
    /// Returns true if the socket is closed, or if its last driver was dropped, so that no task works for the socket
    /// any more.
    pub(crate) fn is_over(&self) -> bool {
        self.orphaned || self.socket.is_closed()
    }

    pub(crate) fn bind(&mut self, endpoint: Endpoint) -> Result<ListenerId, BindError> {
        bind(&mut self.socket, endpoint)
    }

    /// Binds to the endpoint of a listener that was bound outside of this library, and stores the listener for its
    /// task.
    pub(crate) fn bind_existing(&mut self, listener: BoundListener) -> Result<ListenerId, BindError> {
        let id = self.bind(listener.endpoint().clone())?;
        self.bound_listeners.insert(id, listener);
        Ok(id)
    }

    /// Unbinds the socket from `endpoint`. Returns the listeners for which the caller must wait, each with its
    /// [`SharedListener`]. These are all closed or failed listeners that are still in [`State::listeners`]: the
    /// listeners that this call closes, and listeners that were closed before or could not be opened.
    pub(crate) fn unbind(&mut self, endpoint: &Endpoint, now: Instant) -> Result<Vec<Ending>, UnbindError> {
        self.socket.unbind(endpoint, now)?;
        let closed = |id: &ListenerId| self.socket.listener(*id).is_some_and(|outcome| outcome.is_err());
        let ending = self.listeners.iter().filter(|(id, _)| closed(id));
        Ok(ending.map(|(&id, port)| (id, Arc::clone(port))).collect())
    }

    /// Executes the actions that the socket has requested. If an action needs a new task, queues the action for the
    /// supervisor, which spawns the tasks of listeners and of attempts to connect. Adds the tasks to wake to `wakes`.
    #[inline]
    fn settle(&mut self, shared: &Shared, wakes: &mut Wakes) {
        // Most calls send or receive one of many queued messages, and have no consequences.
        let has_work = self.wake_watchers || !self.spent.is_empty() || self.is_over() != self.over;
        if has_work || self.socket.has_output() || self.socket.poll_timeout() != self.armed {
            self.settle_now(shared, wakes);
        }
    }

    #[inline(never)]
    fn settle_now(&mut self, shared: &Shared, wakes: &mut Wakes) {
        while let Some(action) = self.socket.poll_action() {
            match action {
                Action::Service(pipe) => {
                    let task = self.task(pipe);
                    if task.end.is_none() {
                        task.request_service(wakes);
                    } else {
                        self.visit(pipe, shared, wakes);
                    }
                }
                Action::Readable if self.lines.has_no_receiver() && self.readable.is_idle() => {}
                Action::Writable if self.lines.has_no_sender() && self.writable.is_idle() => {}
                Action::Readable => self.wake_receivers(wakes),
                Action::Writable => self.wake_senders(wakes),
                rare @ (Action::Listen(..)
                | Action::Accept(_)
                | Action::CloseListener(_)
                | Action::Dial(..)
                | Action::CancelDial(_)) => self.act(rare, shared, wakes),
            }
        }
        if self.socket.poll_timeout() != self.armed {
            wakes.add(self.supervisor.take());
        }
        // The watchers are woken only once for the end. A watcher that waits for more would otherwise wake itself each time it
        // locks the state.
        let over = self.is_over();
        let ends = over && !core::mem::replace(&mut self.over, over);
        let wake_watchers = core::mem::take(&mut self.wake_watchers) || ends;
        if wake_watchers {
            wakes.add(self.supervisor.take());
        }
        if self.socket.take_peers_changed() || wake_watchers {
            self.watchers.wake(wakes);
        }
        if !self.monitors.is_empty() || shared.trace.is_on() {
            self.publish(shared, wakes);
        }
        wakes.drop_later(&mut self.spent);
    }

    #[inline(never)]
    fn wake_receivers(&mut self, wakes: &mut Wakes) {
        self.lines.on_readable(&mut self.socket, wakes);
        self.readable.wake(wakes);
    }

    #[inline(never)]
    fn wake_senders(&mut self, wakes: &mut Wakes) {
        self.lines.on_writable(&mut self.socket, wakes);
        self.writable.wake(wakes);
    }

    /// Executes an action of a listener or of an attempt to connect. If the action needs a new task, queues the action
    /// for the supervisor, which spawns the tasks of listeners and of attempts to connect.
    #[inline(never)]
    fn act(&mut self, action: Action, shared: &Shared, wakes: &mut Wakes) {
        match action {
            Action::Service(_) | Action::Readable | Action::Writable => {}
            Action::CancelDial(pipe) => {
                if let Some(name) = self.sought.remove(&pipe) {
                    shared.context.forget(&name, &self.connector(pipe));
                }
                if let Some(task) = self.tasks.get_mut(pipe.index()).filter(|task| task.pipe == pipe) {
                    task.dial = 0;
                    task.request_service(wakes);
                }
            }
            Action::Accept(id) => {
                if let Some(port) = self.listeners.get(&id) {
                    wakes.add(port.take_task());
                }
            }
            Action::CloseListener(id) => {
                if let Some(name) = self.names.remove(&id) {
                    shared.context.unbind(&name);
                }
                self.quit(id, shared, wakes);
            }
            Action::Listen(id, Endpoint::Inproc(name)) => self.listen(id, name, shared, wakes),
            Action::Dial(pipe, Endpoint::Inproc(name)) => self.seek(pipe, &name, shared, wakes),
            Action::Listen(id, endpoint) => self.open(id, endpoint, shared, wakes),
            Action::Dial(pipe, endpoint) => {
                self.dials += 1;
                let dial = self.dials;
                let task = self.task(pipe);
                task.dial = dial;
                task.request_service(wakes);
                self.add_action((Action::Dial(pipe, endpoint), dial), wakes);
            }
        }
    }

    /// Requests that the futures in [`State::watchers`] are woken after the lock is released. They wait for a change of
    /// a listener, of the peers or of the subscribers, or for the end of the socket.
    pub(crate) const fn notify_watchers(&mut self) {
        self.wake_watchers = true;
    }

    /// Queues an action, with the number of the attempt to connect (0 for a listener), and wakes the supervisor. The
    /// supervisor then spawns the task of the listener or of the attempt to connect.
    pub(crate) fn add_action(&mut self, action: (Action, u64), wakes: &mut Wakes) {
        self.actions.push_back(action);
        wakes.add(self.supervisor.take());
    }

    /// Closes the socket at once, because its last [`Driver`](crate::Driver) was dropped, so that no task works for the
    /// socket any more. All calls that wait for a listener, for peers or for the end of the socket then return. Returns
    /// the wakers of connections that the runtimes of other sockets run; the caller must wake them.
    pub(crate) fn orphan(&mut self, now: Instant) -> Vec<Waker> {
        self.orphaned = true;
        self.notify_watchers();
        self.socket.driver_lost(now);
        self.tasks.iter_mut().filter_map(|task| task.waker.take()).collect()
    }

    /// Returns the entry of `pipe` in [`State::tasks`], which is stored at the index of `pipe`. Creates the entry if
    /// there is none. If the stored entry belongs to an earlier pipe with the same index, replaces this entry with a
    /// new entry of `pipe`. The socket must contain `pipe`.
    fn task(&mut self, pipe: PipeId) -> &mut Task {
        let index = pipe.index();
        while self.tasks.len() <= index {
            self.tasks.push(Task::new(pipe));
        }
        let task = &mut self.tasks[index];
        if task.pipe != pipe {
            self.spent.extend(core::mem::replace(task, Task::new(pipe)).waker);
        }
        task
    }

    /// Returns the field that can hold this socket's end of the `inproc` connection of `pipe`. Returns `None` if the
    /// pipe has no entry in [`State::tasks`].
    pub(crate) fn end(&mut self, pipe: PipeId) -> Option<&mut Option<End>> {
        self.tasks.get_mut(pipe.index()).filter(|task| task.pipe == pipe).map(|task| &mut task.end)
    }

    /// Returns the memory in bytes of the messages that this socket has sent over `inproc` and that are under way.
    pub(crate) fn held_inproc(&self) -> u64 {
        self.tasks.iter().filter_map(|task| task.end.as_ref()).map(End::held_bytes).sum()
    }

    /// Stores `end`, this socket's end of a new `inproc` connection, for `pipe`.
    pub(crate) fn attach(&mut self, pipe: PipeId, end: End) {
        self.socket.set_reader(pipe, end.reader());
        self.task(pipe).end = Some(end);
    }

    /// Stores `waker`, the waker of the task that runs the connection of `pipe`. It is woken when the socket next
    /// requests to move messages between the pipe and its connection ([`Action::Service`]). Returns `Ready` if the
    /// socket has made such a request since the previous call for this pipe, or if the pipe no longer exists.
    pub(crate) fn poll_link(&mut self, pipe: PipeId, waker: &Waker) -> Poll<()> {
        if !self.socket.contains(pipe) {
            return Poll::Ready(());
        }
        let task = self.task(pipe);
        let due = core::mem::take(&mut task.due);
        let spent = remember(&mut task.waker, waker);
        self.spent.extend(spent);
        if due { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Returns `Ready` if an attempt to connect was cancelled, was replaced by a later attempt of the same pipe, or
    /// belongs to a pipe that no longer exists. `pipe` is the pipe of the attempt, and `dial` is its number, as in
    /// [`State::dials`]. Otherwise registers `waker`, to be woken when the attempt is cancelled or replaced.
    pub(crate) fn poll_dial(&mut self, pipe: PipeId, dial: u64, waker: &Waker) -> Poll<()> {
        // A late task must not replace the task of a newer pipe with the same index.
        if !self.socket.contains(pipe) {
            return Poll::Ready(());
        }
        let task = self.task(pipe);
        if task.dial != dial {
            return Poll::Ready(());
        }
        let spent = remember(&mut task.waker, waker);
        self.spent.extend(spent);
        Poll::Pending
    }

    /// Removes and returns the waker of a pipe's task, which has ended. Otherwise the stored waker would keep the ended
    /// task in memory. The caller must drop the waker outside of the lock.
    pub(crate) fn release(&mut self, pipe: PipeId) -> Option<Waker> {
        self.tasks.get_mut(pipe.index()).filter(|task| task.pipe == pipe)?.waker.take()
    }

    pub(crate) fn add_monitor(&mut self) -> u64 {
        let id = self.next_monitor;
        self.next_monitor += 1;
        self.monitors.insert(id, Watch { events: EventQueue::new(), waker: None });
        self.socket.monitor(true);
        id
    }

    /// Removes a monitor and returns its waker. The caller must drop the waker outside of the lock, because dropping a waker may
    /// run arbitrary code.
    pub(crate) fn remove_monitor(&mut self, id: u64, trace: &Trace) -> Option<Waker> {
        let watch = self.monitors.remove(&id);
        self.socket.monitor(trace.is_on() || !self.monitors.is_empty());
        watch?.waker
    }

    pub(crate) fn poll_monitor(&mut self, id: u64, cx: &task::Context<'_>) -> Poll<Option<Event>> {
        let over = self.is_over();
        let Some(watch) = self.monitors.get_mut(&id) else {
            return Poll::Ready(None);
        };
        match watch.events.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if over => Poll::Ready(None),
            None => {
                self.spent.extend(remember(&mut watch.waker, cx.waker()));
                Poll::Pending
            }
        }
    }

    /// Takes the events that the socket has emitted, and adds each to the queue of every monitor and to the queue for
    /// `tracing`. Adds the tasks that wait for these events to `wakes`.
    fn publish(&mut self, shared: &Shared, wakes: &mut Wakes) {
        let over = self.is_over();
        let mut traced = false;
        while let Some(event) = self.socket.poll_event() {
            shared.trace.note(&event);
            traced = shared.trace.is_on();
            for watch in self.monitors.values_mut() {
                watch.events.push(event.clone());
            }
        }
        for watch in self.monitors.values_mut().filter(|watch| over || !watch.events.is_empty()) {
            wakes.add(watch.waker.take());
        }
        if traced && let Some(me) = self.me.upgrade() {
            wakes.call(DeferredCall::Trace(me));
        }
    }
}

impl Task {
    const fn new(pipe: PipeId) -> Self {
        Self { pipe, due: false, dial: 0, waker: None, end: None }
    }

    fn request_service(&mut self, wakes: &mut Wakes) {
        self.due = true;
        wakes.add(self.waker.take());
    }
}

/// Begins to listen at an endpoint, if the socket is open and supports it.
pub(crate) fn bind(socket: &mut Socket, endpoint: Endpoint) -> Result<ListenerId, BindError> {
    if socket.is_closing() {
        return Err(match socket.runtime_error() {
            Some(error) => BindError::Network { endpoint, error },
            None => BindError::Closed,
        });
    }
    if !socket.supports(&endpoint) {
        return Err(BindError::Transport(socket.socket_type(), endpoint));
    }
    Ok(socket.bind(endpoint))
}

/// Stores a waker in `slot`, and clones it only if it differs from the stored one. Returns the waker that was replaced.
pub(crate) fn remember(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match slot {
        Some(known) if known.will_wake(waker) => None,
        Some(_) | None => slot.replace(waker.clone()),
    }
}
