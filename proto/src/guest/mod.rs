//! [`Guest`]: sockets with their streams, for a hand-written event loop.

mod deadline;
mod link;
mod output;
mod ports;
mod slots;
mod work;

pub use deadline::{Cause, Deadline};
pub use output::{Output, Source, Target};
pub use slots::Key;

use crate::address::{Endpoint, NetworkError, TransportConfig};
use crate::session::{Interest, SessionBuffers, Stream, StreamError};
use crate::socket::{ListenerId, Port, Socket};
use crate::time::{Deadlines, Instant};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use link::{Link, Owner};
use output::Queued;
use slots::Slots;

/// Sockets that are guests in an event loop of the caller: one socket or several, their connections, and their deadlines. `S`
/// is the type of the streams, and `L` the type of the listeners, which the guest only keeps.
///
/// The guest opens nothing and never waits. [`poll`](Self::poll) does a limited amount of work, and returns the next
/// [`Output`]: a request, which the loop answers with the method that the variant names, or [`Output::Wait`], when the loop
/// should wait for events, and until when. The loop reports each event with [`ready`](Self::ready). All other calls, such as a
/// `send` of the application, may be made at any time; the next `poll` handles their consequences. A different order delays work,
/// but corrupts nothing, and a key of something that has ended has no effect.
///
/// Sockets of one guest can share a TCP port: peers select one of them by its
/// [resource](crate::address::Resource), a name that it has at this port. The guest then requests one listener for all of them.
/// `inproc` is not supported: such an endpoint fails with [`NetworkError::Unsupported`].
///
/// Events of the monitor are read with [`Socket::poll_event`], for example before each wait.
pub struct Guest<S, L = ()> {
    sockets: BTreeMap<SocketId, Member>,
    next_socket: u32,
    slots: Slots<Slot<S, L>>,
    /// Memory for the turns of all sessions.
    buffers: SessionBuffers,
    /// Requests that [`poll`](Self::poll) has not returned yet.
    queued: VecDeque<Queued<S, L>>,
    /// Sockets that may have actions or a new deadline.
    changed: BTreeSet<SocketId>,
    /// Listeners.
    ports: BTreeSet<Key>,
    /// Streams that may continue, first come, first served. The first `round` of them have their turn in this pass over the
    /// streams, the next `passes` of which ends the round.
    ready: VecDeque<Key>,
    round: usize,
    passes: u8,
    /// Streams with [background work](crate::Turn::Background). One of them has its turn in each round.
    background: VecDeque<Key>,
    /// Listeners with connections to accept. One connection of one listener is accepted in each round.
    accepting: VecDeque<Key>,
    may_work_in_background: bool,
    may_accept: bool,
    deadlines: Deadlines<Due>,
    /// Streams with a peer about which an asynchronous authenticator has not decided yet.
    undecided: BTreeSet<Key>,
    decided: Arc<Decided>,
    /// Waker of `decided`.
    waker: Waker,
    now: Instant,
}

/// Id of a socket of a [`Guest`], from [`Guest::add`]. Ids are not reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u32);

/// Socket of the guest.
struct Member {
    socket: Socket,
    listeners: BTreeMap<ListenerId, Key>,
    /// Key of the stream of each pipe, by [`PipeId::index`](crate::PipeId::index).
    links: Vec<Option<Key>>,
}

impl<S, L> Slots<Slot<S, L>> {
    fn listener(&self, key: Key) -> Option<&Listener<L>> {
        match self.get(key)? {
            Slot::Listener(listener) => Some(listener),
            Slot::Link(_) => None,
        }
    }

    fn listener_mut(&mut self, key: Key) -> Option<&mut Listener<L>> {
        match self.get_mut(key)? {
            Slot::Listener(listener) => Some(listener),
            Slot::Link(_) => None,
        }
    }

    fn link_mut(&mut self, key: Key) -> Option<&mut Link<S>> {
        match self.get_mut(key)? {
            Slot::Link(link) => Some(link),
            Slot::Listener(_) => None,
        }
    }
}

enum Slot<S, L> {
    Listener(Listener<L>),
    Link(Link<S>),
}

struct Listener<L> {
    port: Port<PortMember>,
    /// `None` until the loop has opened it.
    open: Option<L>,
    /// Links that belong to no socket yet.
    unassigned: BTreeSet<Key>,
    /// True while the listener is in the queue of those with connections to accept.
    is_accepting: bool,
    /// True after a failure, until the socket requests to accept again.
    is_paused: bool,
}

/// Socket that is bound to a port, and its listener.
type PortMember = (SocketId, ListenerId);

/// Flag that is set when a decision about a peer was made.
struct Decided {
    is_set: AtomicBool,
    outer: Waker,
}

impl Decided {
    fn take(&self) -> bool {
        // A load is enough while no authenticator is asynchronous.
        self.is_set.load(Ordering::Relaxed) && self.is_set.swap(false, Ordering::Acquire)
    }
}

impl Wake for Decided {
    fn wake(self: Arc<Self>) {
        self.is_set.store(true, Ordering::Release);
        self.outer.wake_by_ref();
    }
}

/// Owner of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Socket(SocketId),
    Link(Key),
}

impl<S: Stream, L> Guest<S, L> {
    /// Creates a guest without sockets.
    pub fn new() -> Self {
        Self::with_waker(Waker::noop().clone())
    }

    /// Creates a guest without sockets. `waker` is woken, on any thread, when an asynchronous
    /// [`Authenticator`](crate::security::Authenticator) has decided about a peer; the loop must then stop to wait, and call
    /// [`poll`](Self::poll). Without it, such a decision takes effect at the next event.
    pub fn with_waker(waker: Waker) -> Self {
        let decided = Arc::new(Decided { is_set: AtomicBool::new(false), outer: waker });
        Self {
            waker: Arc::clone(&decided).into(),
            decided,
            undecided: BTreeSet::new(),
            sockets: BTreeMap::new(),
            next_socket: 0,
            slots: Slots::new(),
            buffers: SessionBuffers::new(),
            queued: VecDeque::new(),
            changed: BTreeSet::new(),
            ports: BTreeSet::new(),
            ready: VecDeque::new(),
            round: 0,
            passes: 0,
            background: VecDeque::new(),
            accepting: VecDeque::new(),
            may_work_in_background: true,
            may_accept: true,
            deadlines: Deadlines::new(),
            now: Instant::ORIGIN,
        }
    }

    /// Adds a socket. It may have been used before; its streams must not have been opened yet.
    pub fn add(&mut self, socket: Socket) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        self.sockets.insert(id, Member { socket, listeners: BTreeMap::new(), links: Vec::new() });
        self.changed.insert(id);
        id
    }

    /// Returns a socket, to read its state.
    pub fn socket(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(&id).map(|member| &member.socket)
    }

    /// Calls a socket. The next [`poll`](Self::poll) executes its actions.
    fn call(&mut self, id: SocketId, call: impl FnOnce(&mut Socket)) {
        if let Some(socket) = self.socket_mut(id) {
            call(socket);
        }
    }

    /// Returns a socket, to send, receive, bind, connect or close. The loop must call [`poll`](Self::poll) before it waits.
    pub fn socket_mut(&mut self, id: SocketId) -> Option<&mut Socket> {
        let member = self.sockets.get_mut(&id)?;
        // A guest with one socket is called many times between two polls.
        if self.changed.first() != Some(&id) {
            self.changed.insert(id);
        }
        Some(&mut member.socket)
    }

    /// Returns the stream or listener with this key. Returns `None` if it has ended, or is not open yet.
    pub fn source(&self, key: Key) -> Option<Source<'_, S, L>> {
        self.slots.get(key)?.source()
    }

    /// Returns a stream. For streams without a poller: the loop moves their bytes itself.
    pub fn stream_mut(&mut self, key: Key) -> Option<&mut S> {
        self.slots.link_mut(key)?.stream_mut()
    }

    /// Does a limited amount of work, at most one turn of one stream, and returns the next output. The loop must call `poll`
    /// until it returns [`Output::Wait`]. A `now` before that of an earlier call counts as the time of the earlier call.
    pub fn poll(&mut self, now: Instant) -> Output<'_, S, L> {
        self.now = self.now.max(now);
        let queued = loop {
            match self.queued.pop_front() {
                Some(queued) if self.is_current(&queued) => break Some(queued),
                Some(_) => {}
                None if self.work() => {}
                None => break None,
            }
        };
        let deadline = self.deadline();
        queued.and_then(|queued| self.output(queued)).unwrap_or(Output::Wait(deadline))
    }

    /// Returns the time at which [`poll`](Self::poll) must be called next at the latest, and why. Nothing that the guest does
    /// by itself happens earlier. Returns `None` if only an event or a call can cause work.
    pub fn deadline(&self) -> Option<Deadline> {
        let has_work = self.decided.is_set.load(Ordering::Acquire)
            || !self.queued.is_empty()
            || !self.changed.is_empty()
            || !self.ready.is_empty()
            || !self.background.is_empty()
            || !self.accepting.is_empty();
        if has_work {
            return Some(Deadline { at: self.now, cause: Cause::Work });
        }
        let (at, due) = self.deadlines.first()?;
        let cause = match due {
            Due::Socket(id) => self.sockets.get(&id)?.socket.next_timer().map(|timer| Cause::Socket(id, timer)),
            Due::Link(key) => match self.slots.get(key)? {
                Slot::Link(link) => link.cause(key),
                Slot::Listener(_) => None,
            },
        };
        Some(Deadline { at, cause: cause.unwrap_or(Cause::Work) })
    }

    /// Reports that a stream or listener may be ready: it can be read or written, or has failed. May be called at any time, and
    /// more often than necessary.
    pub fn ready(&mut self, key: Key) {
        match self.slots.get_mut(key) {
            // The turn of a stream in line for background work will come.
            Some(Slot::Link(link)) if !link.is_in_background => self.continue_link(key),
            Some(Slot::Listener(listener)) if !listener.is_paused => self.continue_listener(key),
            Some(Slot::Link(_) | Slot::Listener(_)) | None => {}
        }
    }

    /// Reports every stream and listener as [ready](Self::ready). For loops without a poller, such as a game with a tick. A round
    /// then costs as much as all streams.
    pub fn all_ready(&mut self) {
        let watched: Vec<Key> = self.watched().map(|(key, ..)| key).collect();
        for key in watched {
            self.ready(key);
        }
    }

    /// Returns the options of the operating system's sockets for the request or the stream with this key: those of its socket. If
    /// the request has ended, returns the defaults, because its answer has no effect.
    pub fn transport(&self, key: Key) -> TransportConfig {
        let socket = match self.slots.get(key) {
            Some(Slot::Listener(listener)) => listener.port.members().next().map(|&(socket, _)| socket),
            Some(Slot::Link(Link { owner: Owner::Pipe(socket, _), .. })) => Some(*socket),
            Some(Slot::Link(_)) | None => None,
        };
        let member = socket.and_then(|socket| self.sockets.get(&socket));
        member.map_or_else(TransportConfig::new, |member| member.socket.transport().clone())
    }

    /// Answers [`Output::Listen`]: the listener and the endpoint at which it listens, with the port that the operating system
    /// has chosen for a wildcard; or the reason for which there is none.
    pub fn listening<E: Into<NetworkError>>(&mut self, key: Key, outcome: Result<(L, Endpoint), E>) {
        let Some(listener) = self.slots.listener_mut(key) else {
            return self.queued.extend(outcome.ok().map(|(open, _)| Queued::StopListening(key, open)));
        };
        if listener.open.is_some() {
            return;
        }
        match outcome {
            Ok((open, bound)) => {
                listener.open = Some(open);
                for ((socket, id), bound) in listener.port.opened(bound) {
                    self.call(socket, |socket| socket.listening(id, bound));
                }
                self.queued.push_back(Queued::Register(key, Interest::READ));
                self.continue_listener(key);
            }
            Err(error) => {
                let (members, error) = (listener.port.close(), error.into());
                for (socket, id) in members {
                    self.call(socket, |socket| socket.listen_failed(id, error));
                    self.sockets.get_mut(&socket).map(|member| member.listeners.remove(&id));
                }
                self.remove_listener(key);
            }
        }
    }

    /// Answers [`Output::Accept`]: a connection and the address of the peer, or an error. After `WouldBlock`, the guest accepts
    /// again when the listener is reported as [ready](Self::ready). After another error, it pauses for a short time, because
    /// such errors are usually caused by missing resources. A connection that exceeds a limit of the socket is returned by
    /// [`Output::Gone`].
    pub fn accepted<E: Into<StreamError>>(&mut self, key: Key, outcome: Result<(S, Endpoint), E>) {
        let Some(listener) = self.slots.listener_mut(key) else {
            return outcome.into_iter().for_each(|(stream, _)| self.discard(stream));
        };
        let error = match outcome.map_err(Into::into) {
            Ok((stream, from)) => {
                self.admit(key, stream, from);
                return self.continue_listener(key);
            }
            Err(StreamError::WouldBlock) => return,
            Err(StreamError::Interrupted) => return self.continue_listener(key),
            Err(StreamError::Eof) => NetworkError::Other,
            Err(StreamError::Failed(error)) => error,
        };
        if let Some((socket, id)) = listener.port.pause() {
            let now = self.now;
            listener.is_paused = true;
            self.call(socket, |socket| socket.accept_failed(id, error, now));
            self.queued.push_back(Queued::Interest(key, Interest::NONE));
        }
    }

    /// Answers [`Output::Resolve`]: the addresses of the host, or the reason why they are not known.
    pub fn resolved<A, E>(&mut self, key: Key, outcome: Result<A, E>)
    where
        A: IntoIterator<Item = SocketAddr>,
        E: Into<NetworkError>,
    {
        match outcome {
            Ok(addresses) => self.add_targets(key, addresses),
            Err(error) => self.attempt_failed(key, error.into()),
        }
    }

    /// Answers [`Output::Dial`]: a stream that has begun to connect, or an error. Answers [`Output::Resolve`] too, for loops that
    /// look a name up and connect in one step. The guest waits until the stream is reported as [ready](Self::ready), and then gets
    /// the outcome from [`Stream::established`]. Without a poller, the loop must report a stream that is already connected itself:
    /// otherwise both sides may wait for each other.
    ///
    /// After an error the guest requests an attempt with the next address of the peer. An address that does not answer within
    /// 250 ms delays the others no longer (RFC 8305): the guest returns its stream by [`Output::Gone`], tries the others, and then
    /// this address again for twice the time. Without another address the dial has failed, and the socket decides when to dial
    /// again.
    pub fn dialled<E: Into<NetworkError>>(&mut self, key: Key, outcome: Result<S, E>) {
        match outcome {
            Ok(stream) => {
                let Some(link) = self.slots.link_mut(key) else {
                    return self.queued.push_back(Queued::Gone(key, stream));
                };
                if link.connecting(stream, self.now) {
                    self.deadlines.set_or_clear(Due::Link(key), link.deadline());
                    link.watched = Some(Interest::WRITE);
                    self.queued.push_back(Queued::Register(key, Interest::WRITE));
                }
            }
            Err(error) => self.attempt_failed(key, error.into()),
        }
    }

    /// Returns true while [`Output::Listen`], [`Output::Resolve`] or [`Output::Dial`] with this key waits for its answer. Returns
    /// false when it was answered, and when its socket no longer needs it, for example after `disconnect` and the next
    /// [`poll`](Self::poll): a loop can then cancel its work for the answer. The stream or listener of a later answer is
    /// returned by [`Output::Gone`] or [`Output::StopListening`].
    pub fn awaits_answer(&self, key: Key) -> bool {
        match self.slots.get(key) {
            Some(Slot::Link(link)) => link.dial().is_some(),
            Some(Slot::Listener(listener)) => listener.open.is_none(),
            None => false,
        }
    }

    /// Returns the endpoint of a dial that [waits for an answer](Self::awaits_answer). For loops that connect to an endpoint, and
    /// not to a [`Target`].
    pub fn dialled_endpoint(&self, key: Key) -> Option<&Endpoint> {
        match self.slots.get(key)? {
            Slot::Link(link) => link.dial().map(|dial| &dial.endpoint),
            Slot::Listener(_) => None,
        }
    }

    /// Returns the events that the loop must wait for at the stream or listener with this key, and [`Interest::NONE`] after its end:
    /// those of the latest [`Output::Register`] or [`Output::Interest`]. For pollers that report one event of an entry, and then
    /// disarm it (`EPOLLONESHOT`, and the default of the crate `polling`): arm each reported entry again before the next wait.
    pub fn interest(&self, key: Key) -> Interest {
        match self.slots.get(key) {
            Some(Slot::Link(link)) => link.watched.unwrap_or(Interest::NONE),
            Some(Slot::Listener(listener)) if listener.open.is_some() && !listener.is_paused => Interest::READ,
            Some(Slot::Listener(_)) | None => Interest::NONE,
        }
    }

    /// Removes a socket that is [closed](Socket::is_closed). Returns `None`, and removes nothing, if it is not closed. Its streams and
    /// listeners end: `poll` still returns [`Output::Gone`] and [`Output::StopListening`] for those that are left.
    pub fn remove(&mut self, id: SocketId) -> Option<Socket> {
        self.sockets.get(&id).filter(|member| member.socket.is_closed())?;
        // The actions that end its listeners and streams may still be queued.
        while let Some(&listener) = self.sockets.get(&id).and_then(|member| member.listeners.keys().next()) {
            self.leave(id, listener);
        }
        self.changed.remove(&id);
        self.deadlines.clear(Due::Socket(id));
        let member = self.sockets.remove(&id)?;
        for key in member.links.into_iter().flatten() {
            match self.slots.link_mut(key) {
                // Its next turn ends the connection, but first sends what remains.
                Some(link) if link.is_connected() => self.continue_link(key),
                Some(_) | None => self.end(key),
            }
        }
        Some(member.socket)
    }

    /// Returns the streams and listeners that the loop must wait for, each with its key and the events. For pollers that get all
    /// of them in each call, such as `poll(2)`, instead of [`Output::Register`] and [`Output::Interest`].
    pub fn watched(&self) -> impl Iterator<Item = (Key, Source<'_, S, L>, Interest)> {
        self.slots.iter().filter_map(|(key, slot)| {
            // Those in line for a turn need no event.
            let is_waiting = match slot {
                Slot::Link(link) => !link.is_ready && !link.is_in_background,
                Slot::Listener(listener) => !listener.is_accepting,
            };
            let interest = self.interest(key);
            (is_waiting && interest != Interest::NONE).then_some(())?;
            Some((key, slot.source()?, interest))
        })
    }
}

impl<S: Stream, L> Default for Guest<S, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S, L> fmt::Debug for Guest<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("sockets", &self.sockets.keys()).finish_non_exhaustive()
    }
}
