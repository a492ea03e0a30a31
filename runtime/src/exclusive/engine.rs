//! [`Engine`]: the guest of an exclusive socket with all that it waits for. It does not depend on the socket type.

use crate::budget::{Completed, Spent};
use crate::exclusive::driven::{Driven, DrivenListener};
use crate::exclusive::ready::ReadyQueue;
use crate::exclusive::requests::{Answer, Requests};
use crate::runtime::{AsyncTimer, TimedRuntime};
use crate::trace::Trace;
use core::task::{Context, Poll, ready};
use sansmq_proto::guest::{Cause, Guest, Key, Output, SocketId, Source};
use sansmq_proto::socket::EventQueue;
use sansmq_proto::{Event, Instant, NetworkError, Socket};
use std::sync::Arc;

pub(crate) struct Engine<R: TimedRuntime> {
    guest: Guest<Driven<R::Stream>, DrivenListener<R::Listener>>,
    id: SocketId,
    runtime: R,
    queue: Arc<ReadyQueue>,
    /// Keys that were taken from `queue`. Empty between rounds.
    woken: Vec<Key>,
    requests: Requests<R>,
    /// `None` if the runtime has no timers; the socket is then closed.
    timer: Option<R::Timer>,
    /// Time to which the timer is set; `None` if it is cleared or has expired.
    armed: Option<Instant>,
    /// Time at which the next round must begin; `None` if only a waker or a call can cause work.
    deadline: Option<Instant>,
    /// True if a call may have changed the socket since the last round.
    has_calls: bool,
    spent: Spent,
    trace: Trace,
    /// Events for the application; `None` if it does not monitor them.
    events: Option<EventQueue>,
    /// Error of a listener that was closed, until [`take_close_failure`](Self::take_close_failure).
    close_failure: Option<NetworkError>,
}

/// Outcome of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing has happened, and nothing is left to do until the deadline.
    Idle,
    /// Something has happened, so a condition that was not fulfilled before may be now.
    Progress,
}

/// Outcome of a poll of the guest.
enum Step {
    /// Something other than a turn has happened.
    Handled,
    /// Only a question without an effect was answered.
    Unchanged,
    /// A stream has had a turn.
    Turned,
    /// The round has ended, and the guest has work left.
    Work,
    /// The guest has nothing to do until this time.
    Wait(Option<Instant>),
}

/// Number of rounds in one poll of a future, after which it yields.
const ROUNDS: usize = 8;

/// Number of turns of streams in one round, between which the future checks whether it is ready.
const TURNS: usize = 32;

impl<R: TimedRuntime> Engine<R> {
    pub(crate) fn new(mut socket: Socket, runtime: &R) -> Self {
        let trace = Trace::new(socket.socket_type());
        socket.monitor(trace.is_on());
        let timer = match runtime.new_timer() {
            Ok(timer) => Some(timer),
            Err(error) => {
                socket.runtime_failed(error, runtime.now());
                None
            }
        };
        let queue = ReadyQueue::new();
        let mut guest = Guest::with_waker(Arc::clone(&queue).into());
        Self {
            id: guest.add(socket),
            guest,
            runtime: runtime.clone(),
            queue,
            woken: Vec::new(),
            requests: Requests::new(),
            timer,
            armed: None,
            deadline: None,
            has_calls: false,
            spent: Spent::default(),
            trace,
            events: None,
            close_failure: None,
        }
    }

    /// Returns the time at which the next round must begin.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.guest.socket(self.id).expect(NEVER_REMOVED)
    }

    /// Returns the socket for a call. The next round handles the consequences.
    pub(crate) fn socket_mut(&mut self) -> &mut Socket {
        self.has_calls = true;
        self.waiting_socket()
    }

    /// Returns the socket for an operation of [`poll_until`](Self::poll_until), which checks whether its future is ready.
    pub(crate) fn waiting_socket(&mut self) -> &mut Socket {
        self.guest.socket_mut(self.id).expect(NEVER_REMOVED)
    }

    /// Returns the error of a listener that was closed since the last call.
    pub(crate) const fn take_close_failure(&mut self) -> Option<NetworkError> {
        self.close_failure.take()
    }

    /// Begins to store the events of the socket for the application.
    pub(crate) fn monitor(&mut self) {
        if self.events.is_none() {
            self.events = Some(EventQueue::new());
            self.socket_mut().monitor(true);
        }
    }

    pub(crate) fn take_event(&mut self) -> Option<Event> {
        self.publish();
        self.events.as_mut()?.pop()
    }

    /// Passes the events of the socket to the application and to `tracing`.
    fn publish(&mut self) {
        if self.events.is_none() && !self.trace.is_on() {
            return;
        }
        while let Some(event) = self.waiting_socket().poll_event() {
            self.trace.note(&event);
            if let Some(events) = &mut self.events {
                events.push(event);
            }
        }
        self.trace.emit();
    }

    /// Drives the connections until `operation` returns `Ready`, and returns its value. `operation` is called again whenever its
    /// result may have changed.
    #[inline]
    pub(crate) fn poll_until<V>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&mut Self) -> Poll<V>,
    ) -> Poll<V> {
        self.poll_until_counted(cx, |_| Completed::One, operation)
    }

    /// Does the same as [`poll_until`](Self::poll_until), and counts the operations that `count` returns for the result.
    #[inline]
    pub(crate) fn poll_until_counted<V>(
        &mut self,
        cx: &mut Context<'_>,
        count: impl FnOnce(&V) -> Completed,
        mut operation: impl FnMut(&mut Self) -> Poll<V>,
    ) -> Poll<V> {
        ready!(self.spent.poll(R::BUDGET, cx));
        for round in 0..ROUNDS {
            if let Poll::Ready(value) = operation(self) {
                // A program that always finds the next message drives the connections nevertheless.
                if self.spent.count(count(&value), R::BUDGET, cx) {
                    self.round();
                }
                return Poll::Ready(value);
            }
            ready!(self.wait(cx, round));
        }
        self.runtime.requeue(cx);
        Poll::Pending
    }

    /// Drives the connections once. Returns `Ready` if the result of an operation may have changed.
    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>, round: usize) -> Poll<()> {
        if round == 0 {
            self.queue.register(cx.waker());
        }
        if self.round() == Round::Idle {
            ready!(self.poll_timer(cx));
        }
        if round + 1 < ROUNDS { self.poll_budget(cx) } else { Poll::Ready(()) }
    }

    /// Returns `Ready` if the next round can write to a stream.
    pub(crate) fn poll_budget(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.spent.poll_exactly(R::BUDGET, cx)
    }

    /// Waits for the deadline of the socket.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (deadline, Some(timer)) = (self.deadline, &mut self.timer) else { return Poll::Pending };
        if core::mem::replace(&mut self.armed, deadline) != deadline {
            timer.set(deadline);
        }
        if deadline.is_none() {
            return Poll::Pending;
        }
        ready!(timer.poll(cx));
        self.armed = None;
        Poll::Ready(())
    }

    /// Lets all streams that are ready take their turns, up to a limit, and continues the requests that are ready.
    pub(crate) fn round(&mut self) -> Round {
        let now = self.runtime.now();
        // Consequences of calls and timeouts may have no output.
        let is_due = core::mem::take(&mut self.has_calls) || self.deadline.is_some_and(|at| at <= now);
        let mut round = if is_due { Round::Progress } else { Round::Idle };
        let mut woken = core::mem::take(&mut self.woken);
        self.queue.take(&mut woken);
        for key in woken.drain(..) {
            self.guest.ready(key);
            if self.continue_request(key, now) {
                round = Round::Progress;
            }
        }
        self.woken = woken;
        while let Some(key) = self.requests.pop_due(now) {
            if self.continue_request(key, now) {
                round = Round::Progress;
            }
        }
        let mut turns = 0;
        loop {
            match self.step(now) {
                Step::Unchanged => {}
                Step::Handled => round = Round::Progress,
                Step::Turned => {
                    round = Round::Progress;
                    turns += 1;
                    if turns == TURNS {
                        break;
                    }
                }
                Step::Work => {
                    round = Round::Progress;
                    break;
                }
                Step::Wait(at) => {
                    self.deadline = at.into_iter().chain(self.requests.deadline()).min();
                    break;
                }
            }
        }
        self.publish();
        round
    }

    /// Executes what the last call has requested, such as closing a listener, without a round.
    pub(crate) fn settle(&mut self) {
        let now = self.runtime.now();
        // Requests of the socket come before turns of streams, and a round ends only where no output is left.
        while let Step::Handled | Step::Unchanged = self.step(now) {}
        self.requests.retain(|key| self.guest.awaits_answer(key));
        self.publish();
    }

    /// Executes the next output of the guest.
    fn step(&mut self, now: Instant) -> Step {
        match self.guest.poll(now) {
            Output::Wait(Some(deadline)) if deadline.cause == Cause::Work => return Step::Work,
            Output::Wait(deadline) => return Step::Wait(deadline.map(|deadline| deadline.at)),
            Output::Turned(..) => return Step::Turned,
            Output::Accept(key, listener) => {
                let accepted = listener.accept(&self.queue);
                let is_accepted = accepted.is_ok();
                self.guest.accepted(key, accepted);
                return if is_accepted { Step::Handled } else { Step::Unchanged };
            }
            Output::Listen(key, endpoint) => {
                let transport = self.socket().transport().clone();
                self.requests.listen(key, &self.queue, &self.runtime, endpoint, transport);
                self.begin_request(key, now);
            }
            Output::Dial(key, _) | Output::Resolve(key, _) => self.dial(key, now),
            Output::StopListening(_, listener) => {
                if let Err((bound, error)) = listener.close() {
                    self.close_failure = Some(error);
                    self.socket_mut().listener_close_failed(bound, error);
                }
            }
            Output::Register(key, Source::Stream(stream), _) => stream.set_key(key),
            Output::Register(_, Source::Listener(_), _)
            | Output::Interest(..)
            | Output::Gone(..)
            | Output::Readable(_)
            | Output::Writable(_) => {}
        }
        Step::Handled
    }

    /// Begins to dial. The runtime looks names up, and tries the addresses.
    fn dial(&mut self, key: Key, now: Instant) {
        let Some(endpoint) = self.guest.dialled_endpoint(key).cloned() else { return };
        let transport = self.socket().transport().clone();
        self.requests.dial(key, &self.queue, &self.runtime, endpoint, transport);
        self.begin_request(key, now);
    }

    fn begin_request(&mut self, key: Key, now: Instant) {
        if self.requests.are_many() {
            self.requests.retain(|key| self.guest.awaits_answer(key));
        }
        self.continue_request(key, now);
    }

    /// Continues a request, if there is one with this key, and passes its answer to the guest. Returns true if there is an answer.
    fn continue_request(&mut self, key: Key, now: Instant) -> bool {
        match self.requests.poll(key, now) {
            None => return false,
            Some(Answer::Listening(outcome)) => self.guest.listening(key, outcome),
            Some(Answer::Dialled(outcome)) => {
                self.guest.dialled(key, outcome);
                // The stream is connected already.
                self.guest.ready(key);
            }
        }
        true
    }
}

const NEVER_REMOVED: &str = "the socket is removed only together with its guest";
