//! What handle and driver share: the socket behind one lock, and who waits for what. Wakes only after unlocking.

use crate::bound_listener::BoundListener;
use crate::context::Context;
use crate::inproc::End;
use crate::shared_listener::SharedListener;
use crate::sync::Mutex;
use crate::trace::Trace;
use crate::waiters::Waiters;
use crate::wakes::{DeferredCall, Wakes};
use core::fmt;
use core::task::{self, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Link;
use sansmq_proto::socket::{BindError, EventQueue, UnbindError};
use sansmq_proto::{Action, ConnectionError, Endpoint, Event, Instant, ListenerId, PipeId, Session, Socket};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, Weak};

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Where `inproc` names live.
    pub(crate) context: Context,
    pub(crate) trace: Trace,
    pub(crate) transport: TransportConfig,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
}

/// Everything behind the lock.
pub(crate) struct State {
    pub(crate) socket: Socket,
    /// What this is the state of.
    pub(crate) me: Weak<Shared>,
    /// The names taken in the context.
    pub(crate) names: BTreeMap<ListenerId, String>,
    /// The names looked for in the context.
    pub(crate) sought: BTreeMap<PipeId, String>,
    /// Tasks that drive pipes, by the pipe's index.
    tasks: Vec<Task>,
    /// Listeners that are open already, until the socket asks for them to be opened.
    pub(crate) bound_listeners: BTreeMap<ListenerId, BoundListener>,
    /// The ports that this socket is bound to, or waits for to be closed.
    pub(crate) listeners: BTreeMap<ListenerId, Arc<SharedListener>>,
    /// The ports that are opened by tasks of this socket's runtime, be it bound to them still or not.
    pub(crate) hosted: BTreeMap<ListenerId, Arc<SharedListener>>,
    /// Actions that need a task, with the number of their dial if they are one, for the supervisor.
    pub(crate) actions: VecDeque<(Action, u64)>,
    /// Numbers dials, so that a task whose dial was given up can tell.
    dials: u64,
    pub(crate) supervisor: Option<Waker>,
    /// The deadline the supervisor's timer is set to.
    pub(crate) armed: Option<Instant>,
    /// No driver is left: nothing will ever move again.
    pub(crate) orphaned: bool,
    pub(crate) receivers: Waiters,
    pub(crate) senders: Waiters,
    /// Those who wait for a bind, an unbind or the end.
    pub(crate) watchers: Waiters,
    /// Wakers to be dropped once the lock is open, for that may run anything.
    pub(crate) spent: Vec<Waker>,
    /// The watchers are to look again.
    news: bool,
    /// Everybody was told that it is over.
    over: bool,
    monitors: BTreeMap<u64, Watch>,
    next_monitor: u64,
}

/// A listener that is to end, and its port, which tells what was wrong.
pub(crate) type Ending = (ListenerId, Arc<SharedListener>);

/// The task that drives one pipe.
struct Task {
    pipe: PipeId,
    due: bool,
    /// The dial that is wanted; 0: none.
    dial: u64,
    waker: Option<Waker>,
    /// A link that needs no task.
    end: Option<End>,
}

/// One monitor's events.
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
    ) -> Arc<Self> {
        let transport = socket.transport().clone();
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
            supervisor: None,
            armed: None,
            orphaned: false,
            receivers: Waiters::default(),
            senders: Waiters::default(),
            watchers: Waiters::default(),
            spent: Vec::new(),
            news: false,
            over: false,
            monitors: BTreeMap::new(),
            next_monitor: 0,
        };
        Arc::new_cyclic(|me| Self { state: Mutex::new(state(me)), context, trace, transport, clock })
    }

    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// Locks, works, sees what follows from the work, unlocks, and does it.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = self.locked(&mut wakes, |state, _| work(state));
        wakes.run();
        result
    }

    /// Locks and works. What follows from the work is for the caller to do, with no lock held.
    #[inline]
    pub(crate) fn locked<R>(&self, wakes: &mut Wakes, work: impl FnOnce(&mut State, &mut Wakes) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut state, wakes);
        state.settle(self, wakes);
        result
    }

    pub(crate) fn with_time<R>(&self, work: impl FnOnce(&mut Socket, Instant) -> R) -> R {
        let now = self.now();
        self.with(|state| work(&mut state.socket, now))
    }

    /// See [`Socket::disconnected`].
    pub(crate) fn disconnected(&self, pipe: PipeId, session: Session, reason: &ConnectionError) {
        let (connection, now) = (session.into_connection(), self.now());
        drop(self.with(|state| {
            state.socket.disconnected(pipe, connection, reason, now);
            state.release(pipe)
        }));
    }

    /// See [`Socket::exchange`]. A later request for service wakes the task whose waker is given.
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
            state.socket.exchange(pipe, link)
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| state.socket.fmt(f))
    }
}

impl State {
    /// Nothing will happen any more.
    pub(crate) fn is_over(&self) -> bool {
        self.orphaned || self.socket.is_closed()
    }

    pub(crate) fn bind(&mut self, endpoint: Endpoint) -> Result<ListenerId, BindError> {
        if self.socket.is_closing() {
            return Err(BindError::Closed);
        }
        if !self.socket.supports(&endpoint) {
            return Err(BindError::Transport(self.socket.socket_type(), endpoint));
        }
        Ok(self.socket.bind(endpoint))
    }

    /// Binds at a listener that is open already.
    pub(crate) fn bind_existing(&mut self, listener: BoundListener) -> Result<ListenerId, BindError> {
        let id = self.bind(listener.endpoint().clone())?;
        self.bound_listeners.insert(id, listener);
        Ok(id)
    }

    /// Unbinds; gives the listeners whose tasks are to end, each with the place where it tells what was wrong.
    pub(crate) fn unbind(&mut self, endpoint: &Endpoint, now: Instant) -> Result<Vec<Ending>, UnbindError> {
        self.socket.unbind(endpoint, now)?;
        let closed = |id: &ListenerId| self.socket.listener(*id).is_some_and(|outcome| outcome.is_err());
        let ending = self.listeners.iter().filter(|(id, _)| closed(id));
        Ok(ending.map(|(&id, port)| (id, Arc::clone(port))).collect())
    }

    /// Hands out what the socket wants done, and remembers whom to wake for it.
    #[inline]
    fn settle(&mut self, shared: &Shared, wakes: &mut Wakes) {
        while let Some(action) = self.socket.poll_action() {
            match action {
                Action::Service(pipe) => {
                    let task = self.task(pipe);
                    if task.end.is_none() {
                        task.call(wakes);
                    } else {
                        self.visit(pipe, shared, wakes);
                    }
                }
                Action::Readable => self.receivers.wake(wakes),
                Action::Writable => self.senders.wake(wakes),
                rare @ (Action::Listen(..)
                | Action::Accept(_)
                | Action::Unlisten(_)
                | Action::Dial(..)
                | Action::StopDialling(_)) => self.act(rare, shared, wakes),
            }
        }
        if self.socket.poll_timeout() != self.armed {
            wakes.add(self.supervisor.take());
        }
        // The end is news once: who waits for more than that would be woken by each look.
        let over = self.is_over();
        let ends = over && !core::mem::replace(&mut self.over, over);
        let news = core::mem::take(&mut self.news) || ends;
        if news {
            wakes.add(self.supervisor.take());
        }
        if self.socket.take_peers_changed() || news {
            self.watchers.wake(wakes);
        }
        if !self.monitors.is_empty() || shared.trace.is_on() {
            self.publish(shared, wakes);
        }
        wakes.drop_later(&mut self.spent);
    }

    /// Hands out what is seldom wanted.
    #[inline(never)]
    fn act(&mut self, action: Action, shared: &Shared, wakes: &mut Wakes) {
        match action {
            Action::Service(_) | Action::Readable | Action::Writable => {}
            Action::StopDialling(pipe) => {
                if let Some(name) = self.sought.remove(&pipe) {
                    shared.context.forget(&name, &self.connector(pipe));
                }
                if let Some(task) = self.tasks.get_mut(pipe.index()).filter(|task| task.pipe == pipe) {
                    task.dial = 0;
                    task.call(wakes);
                }
            }
            Action::Accept(id) => {
                if let Some(port) = self.listeners.get(&id) {
                    wakes.add(port.take_task());
                }
            }
            Action::Unlisten(id) => {
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
                task.call(wakes);
                self.add_action((Action::Dial(pipe, endpoint), dial), wakes);
            }
        }
    }

    /// Has those who wait for a bind, an unbind or the end look again.
    pub(crate) const fn notify_watchers(&mut self) {
        self.news = true;
    }

    /// Queues an action for the supervisor.
    pub(crate) fn add_action(&mut self, action: (Action, u64), wakes: &mut Wakes) {
        self.actions.push_back(action);
        wakes.add(self.supervisor.take());
    }

    /// Wakes everybody, for the last time.
    pub(crate) fn orphan(&mut self, now: Instant) {
        self.orphaned = true;
        self.notify_watchers();
        // Peers over `inproc` need no runtime to hear of it, and must not wait for what nobody will send.
        self.socket.abort(now);
    }

    /// The task of a pipe that is there, whose place may have been another's before.
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

    /// The place of a pipe's link that needs no task.
    pub(crate) fn end(&mut self, pipe: PipeId) -> Option<&mut Option<End>> {
        self.tasks.get_mut(pipe.index()).filter(|task| task.pipe == pipe).map(|task| &mut task.end)
    }

    /// Puts a link there that needs no task.
    pub(crate) fn place(&mut self, pipe: PipeId, end: End) {
        self.socket.set_reader(pipe, end.reader());
        self.task(pipe).end = Some(end);
    }

    /// Whether this link's task has been called since it last asked, or its pipe is gone. It will be woken at the next call.
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

    /// Ready when this dial is not wanted any more: given up, or followed by another.
    pub(crate) fn poll_dial(&mut self, pipe: PipeId, dial: u64, waker: &Waker) -> Poll<()> {
        // A late task must not touch the place of a pipe that came after its own.
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

    /// This link's task ends. Its waker, which would keep the runtime's memory of it, is given back to be dropped outside
    /// the lock.
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

    /// Gives the monitor's waker back, to be dropped outside the lock: that may run anything.
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

    fn publish(&mut self, shared: &Shared, wakes: &mut Wakes) {
        let over = self.is_over();
        let mut news = false;
        while let Some(event) = self.socket.poll_event() {
            shared.trace.note(&event);
            news = shared.trace.is_on();
            for watch in self.monitors.values_mut() {
                watch.events.push(event.clone());
            }
        }
        for watch in self.monitors.values_mut().filter(|watch| over || !watch.events.is_empty()) {
            wakes.add(watch.waker.take());
        }
        if news && let Some(me) = self.me.upgrade() {
            wakes.call(DeferredCall::Trace(me));
        }
    }
}

impl Task {
    const fn new(pipe: PipeId) -> Self {
        Self { pipe, due: false, dial: 0, waker: None, end: None }
    }

    fn call(&mut self, wakes: &mut Wakes) {
        self.due = true;
        wakes.add(self.waker.take());
    }
}

/// Keeps the task's waker, cloning it only if it is a new one. The one that it replaces is given back.
pub(crate) fn remember(slot: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match slot {
        Some(known) if known.will_wake(waker) => None,
        Some(_) | None => slot.replace(waker.clone()),
    }
}
