//! The `inproc` transport: connections between two sockets of one process, without tasks and without encoding. Between
//! the two sockets are two queues, called lanes: one lane per direction. An exchange moves messages between the pipe of
//! one socket and the two lanes. The thread on which the application sends or receives also runs the exchanges: first
//! under the lock of the socket that the application uses, then under the lock of the other socket. No thread holds
//! both locks at the same time.
//!
//! ```text
//! pipe of one socket ──exchange──► lane ──exchange──► pipe of the other
//!                    ◄─exchange─── lane ◄─exchange───
//! ```

use crate::context::{InprocConnector, SocketListener};
use crate::state::{Shared, State};
use crate::sync::{Mutex, MutexGuard};
use crate::wakes::{DeferredCall, Wakes};
use core::cell::Cell;
use sansmq_proto::connection::{Inbound, Inbox, Link, Outbound, Peer};
use sansmq_proto::socket::{AcceptError, Demand, Reader, TrafficCount};
use sansmq_proto::{ConnectionError, Endpoint, Instant, ListenerId, Message, NetworkError, PipeId};
use std::sync::{Arc, OnceLock, PoisonError, Weak};

/// `inproc` connection between a pipe of one socket and a pipe of another. In each array, index 0 is the socket that
/// was bound to the name, and index 1 is the socket that connected.
#[derive(Default)]
struct Wire {
    /// Queues between the two sockets. Lane 0 holds the messages from the socket that was bound to the name, lane 1 the
    /// messages from the socket that connected.
    lanes: Mutex<[Lane; 2]>,
    /// Present [`Demand`] of each socket, which states how the socket receives: it must be notified of each message, or
    /// it fetches messages in batches, or it has no room. Index 0 is the socket that was bound to the name, index 1 the
    /// socket that connected. After a socket has queued a message, it reads the demand of the other socket to decide if
    /// it must notify the other socket.
    readers: [Arc<Reader>; 2],
    /// Socket and pipe at each of the two ends. The references are weak, because a connection must not keep a socket
    /// alive.
    ends: [OnceLock<(Weak<Shared>, PipeId)>; 2],
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, [Lane; 2]> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages of one direction of an `inproc` connection: put in by the sending socket, taken out by the receiving
/// socket.
#[derive(Default)]
struct Lane {
    queue: Inbox,
    /// Number of messages that the lane may hold: at most [`BATCH`], and no more than the receiving socket had room for
    /// at its latest exchange, so that the messages in the lane do not exceed the receive high-water mark. Zero before
    /// the first exchange.
    max_messages: usize,
    /// Number of bytes that the messages in the lane may hold ([`Message::held_bytes`]): as many as the receiving socket had
    /// room for.
    max_bytes: u64,
    /// True after the sending socket has closed this direction of the connection. The sending socket then puts no more
    /// messages into the lane.
    finished: bool,
    /// True while a call is scheduled in which the receiving socket takes the messages out of this lane. Cleared when
    /// this call begins. While this field is true, new messages need no further call.
    notified: bool,
    /// True if the sending socket has found the lane full. The receiving socket then schedules a call of the sending
    /// socket when the lane is empty again. In this call, the sending socket puts in further messages.
    blocked: bool,
}

impl Lane {
    /// Sets the number of messages and of bytes that the receiving socket has room for.
    fn set_room(&mut self, room: TrafficCount) {
        self.max_messages = usize::try_from(room.messages).map_or(BATCH, |messages| messages.min(BATCH));
        self.max_bytes = room.bytes;
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.queue.len() < self.max_messages && self.queue.message_bytes() < self.max_bytes
    }
}

/// Maximum number of messages in one lane: the queue of one direction of an `inproc` connection. Messages in the pipes
/// of the two sockets are not counted.
// With 128, two threads moved a third more messages per second than with 32, both of 16 bytes and of 1 KiB.
const BATCH: usize = if cfg!(sansmq_loom) { 2 } else { 128 };

/// One of the two ends of an `inproc` connection, stored by the socket at this end.
pub(crate) struct End {
    wire: Arc<Wire>,
    side: usize,
    /// Metadata of the socket at the other end, such as its socket type.
    peer: Arc<Peer>,
    /// Option `max_message_size` of the socket at the other end.
    max_message_size: usize,
}

impl End {
    /// Returns the [`Reader`] of the socket at the other end. There, the other socket stores its [`Demand`]: how this
    /// socket must notify it of messages.
    pub(crate) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.wire.readers[1 - self.side])
    }

    /// Returns the memory in bytes of the messages that this socket has sent and the other has not taken yet, and the unused
    /// memory of their queue.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.wire.lock()[self.side].queue.held_bytes()
    }

    fn lock(&self) -> Locked<'_> {
        Locked { lanes: self.wire.lock(), end: self, blocked: Cell::new(false), has_subscription: false }
    }

    /// Admits the other socket as the peer of `pipe`, a new pipe of the socket `state`.
    ///
    /// # Errors
    /// Reason why the socket has rejected the peer. The pipe is then removed.
    fn begin(&self, pipe: PipeId, state: &mut State, now: Instant) -> Result<(), ConnectionError> {
        let mut link = self.lock();
        let admitted = state.socket.exchange(pipe, &mut link);
        if let Err(reason) = &admitted {
            state.socket.disconnected(pipe, &mut link, reason, now);
        }
        admitted
    }
}

/// One end of an `inproc` connection while messages are moved between its pipe and the two lanes. A lane is the queue
/// of one direction of the connection. Both lanes are locked.
struct Locked<'a> {
    lanes: MutexGuard<'a, [Lane; 2]>,
    end: &'a End,
    /// True if the queue of messages from this socket to the other socket was full at the last call of
    /// [`Link::has_room`].
    blocked: Cell<bool>,
    /// True if this socket has put a subscription change into its lane since the lanes were locked. The other socket
    /// must then be called, so that it takes the change out of the lane, even if its demand is [`Demand::Batch`].
    /// Without such a change, a socket with this demand is usually not called, because it fetches messages itself when
    /// its application has received the previous ones.
    has_subscription: bool,
}

impl Locked<'_> {
    fn ours(&mut self) -> &mut Lane {
        &mut self.lanes[self.end.side]
    }

    fn theirs(&mut self) -> &mut Lane {
        &mut self.lanes[1 - self.end.side]
    }

    /// Returns an error if the connection must end, because one of the two sockets has closed the direction in which it
    /// sends: `LocallyClosed` if this socket has, otherwise `PeerClosed` if the other socket has.
    fn outcome(&mut self) -> Result<(), ConnectionError> {
        if self.ours().finished {
            return Err(ConnectionError::LocallyClosed);
        }
        if self.theirs().finished { Err(ConnectionError::PeerClosed) } else { Ok(()) }
    }

    /// Updates the flags `blocked` and `notified` of the lanes (the queues of the two directions) after messages were
    /// moved. Stores `demand`: how this socket must be notified of further messages. Returns true if the other socket
    /// must be called, to move messages between the lanes and its own pipe.
    fn leave(&mut self, demand: Demand) -> bool {
        let (blocked, has_subscription) = (self.blocked.get(), self.has_subscription);
        let [us, them] = [self.end.side, 1 - self.end.side].map(|side| &self.end.wire.readers[side]);
        // Messages that the other side queued while we had no demand are still in its pipe: it must exchange again.
        let hungry = demand == Demand::EachMessage && us.demand() != demand;
        us.set_demand(demand);
        let theirs = self.theirs();
        // Without room, a call would achieve nothing, and two sockets without room would call each other without end.
        let freed = theirs.blocked && theirs.queue.is_empty() && theirs.max_messages > 0 && theirs.max_bytes > 0;
        theirs.blocked &= !freed;
        let ours = self.ours();
        ours.blocked = blocked;
        let can_wait = ours.notified
            || match them.demand() {
                Demand::EachMessage => ours.queue.is_empty(),
                Demand::Batch => !blocked && !has_subscription,
                Demand::Full => true,
            };
        let must_notify = ours.finished || !can_wait;
        ours.notified |= must_notify;
        freed || must_notify || hungry
    }
}

impl Link for Locked<'_> {
    fn peer(&self) -> Option<&Arc<Peer>> {
        Some(&self.end.peer)
    }

    #[inline]
    fn has_room(&self) -> bool {
        let room = self.lanes[self.end.side].has_room();
        self.blocked.set(!room);
        room
    }

    #[inline]
    fn lane(&mut self) -> Option<(&mut Inbox, usize, u64)> {
        let lane = self.ours();
        let messages = lane.max_messages.saturating_sub(lane.queue.len());
        let bytes = lane.max_bytes.saturating_sub(lane.queue.message_bytes());
        Some((&mut lane.queue, messages, bytes))
    }

    #[inline]
    fn give(&mut self, item: Outbound) {
        let item = match item {
            Outbound::Message(message) => Inbound::Message(message),
            Outbound::Subscription(change) => {
                self.has_subscription = true;
                Inbound::Subscription(change)
            }
        };
        self.ours().queue.push(item);
    }

    #[inline]
    fn take(&mut self) -> Option<Inbound> {
        self.theirs().queue.pop()
    }

    #[inline]
    fn inbox(&mut self) -> Option<&mut Inbox> {
        Some(&mut self.theirs().queue)
    }

    fn finish(&mut self) {
        self.ours().finished = true;
    }

    fn max_message_size(&self) -> Option<usize> {
        Some(self.end.max_message_size)
    }

    fn unsent(&self) -> usize {
        // Queued messages count as sent, because the other side will take them, unless it has ended.
        if self.lanes[1 - self.end.side].finished { self.lanes[self.end.side].queue.len() } else { 0 }
    }

    fn reclaim(&mut self) -> Vec<Message> {
        let queue = &mut self.ours().queue;
        let messages = core::iter::from_fn(|| queue.pop()).filter_map(|item| match item {
            Inbound::Message(message) => Some(message),
            Inbound::Subscription(_) => None,
        });
        messages.collect()
    }
}

impl State {
    pub(crate) fn connector(&self, pipe: PipeId) -> InprocConnector {
        InprocConnector { socket: Weak::clone(&self.me), pipe }
    }

    /// Binds this socket to an `inproc` name, and connects the pipes that already wait for the name. `id` identifies
    /// the `bind`. If the name is already in use, reports the error to this socket.
    pub(crate) fn listen(&mut self, id: ListenerId, name: String, shared: &Shared, wakes: &mut Wakes) {
        let bound = SocketListener { socket: Weak::clone(&self.me), listener: id };
        match shared.context.bind(&name, bound.clone()) {
            Some(seekers) => {
                for connector in seekers {
                    wakes.call(DeferredCall::ConnectInproc(Box::new((connector, bound.clone(), name.clone()))));
                }
                self.names.insert(id, name.clone());
                self.socket.listening(id, Endpoint::Inproc(name));
            }
            None => self.socket.listen_failed(id, NetworkError::AddressInUse),
        }
    }

    /// Connects a pipe of this socket to an `inproc` name: at once if a socket is bound to the name, otherwise when a
    /// socket binds to it.
    pub(crate) fn seek(&mut self, pipe: PipeId, name: &str, shared: &Shared, wakes: &mut Wakes) {
        let connector = self.connector(pipe);
        match shared.context.find(name, connector.clone()) {
            Some(bound) => wakes.call(DeferredCall::ConnectInproc(Box::new((connector, bound, name.to_owned())))),
            None => drop(self.sought.insert(pipe, name.to_owned())),
        }
    }

    /// Moves messages between a pipe and the lanes of its `inproc` connection. Does nothing if the pipe has no such
    /// connection.
    pub(crate) fn visit(&mut self, pipe: PipeId, shared: &Shared, wakes: &mut Wakes) {
        let Some(end) = self.end(pipe).and_then(Option::take) else { return };
        let mut link = end.lock();
        link.theirs().notified = false;
        let outcome = self.socket.exchange(pipe, &mut link).and_then(|()| link.outcome());
        let is_over = outcome.is_err();
        if let Err(reason) = outcome {
            link.ours().finished = true;
            self.socket.disconnected(pipe, &mut link, &reason, shared.now());
        }
        // While several messages wait for the application, the demand is not `EachMessage`: later messages move in batches.
        let demand = self.socket.demand(pipe);
        link.theirs().set_room(self.socket.recv_room(pipe));
        if link.leave(demand)
            && let Some((socket, pipe)) = end.wire.ends[1 - end.side].get()
            && let Some(socket) = socket.upgrade()
        {
            wakes.call(DeferredCall::Exchange(socket, *pipe));
        }
        drop(link);
        if !is_over && let Some(slot) = self.end(pipe) {
            *slot = Some(end);
        }
    }
}

/// Returns the properties of a socket that the socket at the other end of an `inproc` connection needs: its metadata, and
/// its option `max_message_size`.
fn description(state: &State) -> (Peer, usize) {
    (state.socket.as_peer(), state.socket.config().max_message_size)
}

/// Creates the `inproc` connection between `connector`, a socket with its connecting pipe, and `bound`, the socket that
/// is bound to `name`, with the id of its `bind`. If `bound` has unbound in the meantime, `connector` waits until a
/// socket binds to `name`. The caller must hold no lock.
pub(crate) fn connect(connector: &InprocConnector, bound: &SocketListener, name: &str, wakes: &mut Wakes) {
    let Some(dialler) = connector.socket.upgrade() else { return };
    let wanted = |state: &mut State, _: &mut _| state.socket.is_dialling(connector.pipe).then(|| description(state));
    let Some((dialling, dialling_max)) = dialler.locked(wakes, wanted) else { return };
    let dialling = Arc::new(dialling);
    let endpoint = || Endpoint::Inproc(name.to_owned());

    let wire = Arc::new(Wire::default());
    let _ = wire.ends[1].set((Weak::clone(&connector.socket), connector.pipe));
    let binder = bound.socket.upgrade();
    let accepted = binder.as_ref().map_or(Err(AcceptError::ListenerClosed), |binder| {
        let now = binder.now();
        binder.locked(wakes, |state, _| {
            let (peer, max_message_size) = description(state);
            if !peer.socket_type.peers().contains(&dialling.socket_type) {
                let reason = ConnectionError::Incompatible { ours: dialling.socket_type, theirs: peer.socket_type };
                return Ok((peer, max_message_size, Err(reason)));
            }
            let pipe = state.socket.accepted_link(bound.listener, endpoint(), now)?;
            let _ = wire.ends[0].set((Weak::clone(&bound.socket), pipe));
            let (wire, other) = (Arc::clone(&wire), Arc::clone(&dialling));
            let end = End { wire, side: 0, peer: other, max_message_size: dialling_max };
            // The socket may reject the peer. It must do so before the peer moves messages into the lane.
            if let Err(reason) = end.begin(pipe, state, now) {
                return Ok((peer, max_message_size, Err(reason.at_peer())));
            }
            state.attach(pipe, end);
            Ok((peer, max_message_size, Ok(pipe)))
        })
    });
    let (peer, max_message_size, accepted) = match accepted {
        Ok(accepted) => accepted,
        Err(reason) => {
            let now = dialler.now();
            dialler.locked(wakes, |state, wakes| {
                if !state.socket.is_dialling(connector.pipe) {
                    return; // the dial was cancelled in the meantime
                }
                match reason {
                    // The socket is full now, and may have room after the back-off.
                    AcceptError::Rejected(_) => {
                        state.sought.remove(&connector.pipe);
                        state.socket.dial_failed(connector.pipe, NetworkError::Refused, now);
                    }
                    // The listener was closed in the meantime: the pipe waits for the next one.
                    AcceptError::ListenerClosed | AcceptError::NotPending | _ => {
                        state.seek(connector.pipe, name, &dialler, wakes);
                    }
                }
            });
            return;
        }
    };
    let now = dialler.now();
    dialler.locked(wakes, |state, _| {
        state.sought.remove(&connector.pipe);
        if let Err(reason) = &accepted {
            if let Some(connection) = state.socket.connected(connector.pipe, now) {
                state.socket.disconnected(connector.pipe, connection, reason, now);
            }
        } else if state.socket.connected_link(connector.pipe, now) {
            let (wire, peer) = (Arc::clone(&wire), Arc::new(peer));
            state.attach(connector.pipe, End { wire, side: 1, peer, max_message_size });
        } else {
            let mut lanes = wire.lock();
            lanes[1].finished = true;
        }
    });
    if let (Some(binder), Ok(pipe)) = (binder, accepted) {
        wakes.call(DeferredCall::Exchange(binder, pipe));
        wakes.call(DeferredCall::Exchange(dialler, connector.pipe));
    }
}
