//! Two sockets of one process joined directly. No task and no octet is involved: whoever sends carries the messages over,
//! under one socket's lock after the other's and never under both.
//!
//! ```text
//! pipe of one socket ──exchange──► lane ──exchange──► pipe of the other
//!                    ◄─exchange─── lane ◄─exchange───
//! ```

use crate::context::{InprocConnector, InprocListener};
use crate::state::{Shared, State};
use crate::sync::{Mutex, MutexGuard};
use crate::wakes::{DeferredCall, Wakes};
use core::cell::Cell;
use sansmq_proto::connection::{Inbound, Link, Outbound, Peer};
use sansmq_proto::socket::{Need, Reader};
use sansmq_proto::{ConnectionError, Endpoint, ListenerId, Message, NetworkError, PipeId};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

/// What joins two pipes.
#[derive(Default)]
struct Wire {
    /// What each side has sent.
    lanes: Mutex<[Lane; 2]>,
    /// What each side says of its needs as a reader.
    readers: [Arc<Reader>; 2],
    /// Who is at each side. A wire must not keep a socket.
    ends: [OnceLock<(Weak<Shared>, PipeId)>; 2],
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, [Lane; 2]> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One direction.
#[derive(Default)]
struct Lane {
    queue: VecDeque<Inbound>,
    /// Nothing more will come.
    finished: bool,
    /// The reader has been called and has not looked yet.
    told: bool,
    /// The writer found no room.
    blocked: bool,
}

/// So many messages go over at a time. More of them keep both sockets locked for longer while their threads wait for each
/// other; this is where two threads are fastest, and channels have blocks of this size too.
const BATCH: usize = if cfg!(sansmq_loom) { 2 } else { 32 };

/// One socket's side of a wire.
pub(crate) struct End {
    wire: Arc<Wire>,
    side: usize,
    /// The other socket.
    peer: Arc<Peer>,
}

impl End {
    /// Who reads what is sent at this end.
    pub(crate) fn reader(&self) -> Arc<Reader> {
        Arc::clone(&self.wire.readers[1 - self.side])
    }
}

/// An end during one exchange.
struct Locked<'a> {
    lanes: MutexGuard<'a, [Lane; 2]>,
    end: &'a End,
    /// Room was asked for and there was none.
    blocked: Cell<bool>,
    /// A wish was given, which is no message to wait until others are received.
    wished: bool,
}

impl Locked<'_> {
    fn ours(&mut self) -> &mut Lane {
        &mut self.lanes[self.end.side]
    }

    fn theirs(&mut self) -> &mut Lane {
        &mut self.lanes[1 - self.end.side]
    }

    /// Whether the wire has come to its end for this side.
    fn outcome(&mut self) -> Result<(), ConnectionError> {
        if self.ours().finished {
            return Err(ConnectionError::PeerClosed);
        }
        if self.theirs().finished { Err(ConnectionError::Eof) } else { Ok(()) }
    }

    /// Leaves the lanes as the other side should find them. True if it is to be called.
    fn leave(&mut self, need: Need) -> bool {
        let (blocked, wished) = (self.blocked.get(), self.wished);
        let [us, them] = [self.end.side, 1 - self.end.side].map(|side| &self.end.wire.readers[side]);
        // What was sent while we had no need of it lies with the sender.
        let hungry = need == Need::Hungry && us.need() != need;
        us.set_need(need);
        let theirs = self.theirs();
        let freed = theirs.blocked && theirs.queue.is_empty();
        theirs.blocked &= !freed;
        let ours = self.ours();
        ours.blocked = blocked;
        let can_wait = ours.told
            || match them.need() {
                Need::Hungry => ours.queue.is_empty(),
                Need::Sated => !blocked && !wished,
                Need::Full => true,
            };
        let news = ours.finished || !can_wait;
        ours.told |= news;
        freed || news || hungry
    }
}

impl Link for Locked<'_> {
    fn peer(&self) -> Option<&Arc<Peer>> {
        Some(&self.end.peer)
    }

    fn has_room(&self) -> bool {
        let lane = &self.lanes[self.end.side];
        let room = lane.queue.len() < BATCH;
        self.blocked.set(!room);
        room
    }

    fn give(&mut self, item: Outbound) {
        let item = match item {
            Outbound::Message(message) => Inbound::Message(message),
            Outbound::Subscription(wish) => {
                self.wished = true;
                Inbound::Subscription(wish)
            }
        };
        self.ours().queue.push_back(item);
    }

    fn take(&mut self) -> Option<Inbound> {
        self.theirs().queue.pop_front()
    }

    fn finish(&mut self) {
        self.ours().finished = true;
    }

    /// What is on its way is out: the other side will find it, unless it is gone.
    fn unsent(&self) -> usize {
        if self.lanes[1 - self.end.side].finished { self.lanes[self.end.side].queue.len() } else { 0 }
    }

    fn reclaim(&mut self) -> Vec<Message> {
        let messages = self.ours().queue.drain(..).filter_map(|item| match item {
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

    /// Takes an `inproc` name.
    pub(crate) fn listen(&mut self, id: ListenerId, name: String, shared: &Shared, wakes: &mut Wakes) {
        let bound = InprocListener { socket: Weak::clone(&self.me), listener: id };
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

    /// Looks for an `inproc` name, now and when somebody takes it.
    pub(crate) fn seek(&mut self, pipe: PipeId, name: &str, shared: &Shared, wakes: &mut Wakes) {
        let connector = self.connector(pipe);
        match shared.context.find(name, connector.clone()) {
            Some(bound) => wakes.call(DeferredCall::ConnectInproc(Box::new((connector, bound, name.to_owned())))),
            None => drop(self.sought.insert(pipe, name.to_owned())),
        }
    }

    /// Exchanges with the other socket's lanes, if this pipe has such a link still.
    pub(crate) fn visit(&mut self, pipe: PipeId, shared: &Shared, wakes: &mut Wakes) {
        let Some(end) = self.end(pipe).and_then(Option::take) else { return };
        let lanes = end.wire.lock();
        let mut link = Locked { lanes, end: &end, blocked: Cell::new(false), wished: false };
        link.theirs().told = false;
        let outcome = self.socket.exchange(pipe, &mut link).and_then(|()| link.outcome());
        let is_over = outcome.is_err();
        if let Err(reason) = outcome {
            link.ours().finished = true;
            self.socket.disconnected(pipe, &mut link, &reason, shared.now());
        }
        // Whoever has messages to receive takes the next ones when those are gone, many at a time.
        let need = self.socket.need(pipe);
        if link.leave(need)
            && let Some((socket, pipe)) = end.wire.ends[1 - end.side].get()
            && let Some(socket) = socket.upgrade()
        {
            wakes.call(DeferredCall::Visit(socket, *pipe));
        }
        drop(link);
        if !is_over && let Some(slot) = self.end(pipe) {
            *slot = Some(end);
        }
    }
}

/// Joins a dialling pipe to the listener of its name. Called while neither socket is locked.
pub(crate) fn connect(connector: &InprocConnector, bound: &InprocListener, name: &str, wakes: &mut Wakes) {
    let Some(dialler) = connector.socket.upgrade() else { return };
    let wanted =
        |state: &mut State, _: &mut _| state.socket.is_dialling(connector.pipe).then(|| state.socket.as_peer());
    let Some(dialling) = dialler.locked(wakes, wanted) else { return };
    let dialling = Arc::new(dialling);
    let endpoint = || Endpoint::Inproc(name.to_owned());

    let wire = Arc::new(Wire::default());
    let _ = wire.ends[1].set((Weak::clone(&connector.socket), connector.pipe));
    let binder = bound.socket.upgrade();
    let accepted = binder.as_ref().and_then(|binder| {
        let now = binder.now();
        binder.locked(wakes, |state, _| {
            let peer = state.socket.as_peer();
            if !peer.socket_type.peers().contains(&dialling.socket_type) {
                return Some((peer, None));
            }
            let pipe = state.socket.accepted_link(bound.listener, endpoint(), now)?;
            let _ = wire.ends[0].set((Weak::clone(&bound.socket), pipe));
            state.place(pipe, End { wire: Arc::clone(&wire), side: 0, peer: Arc::clone(&dialling) });
            Some((peer, Some(pipe)))
        })
    });
    let Some((peer, accepted)) = accepted else {
        // The listener has gone meanwhile: wait for the next one, unless the dial was given up meanwhile, too.
        dialler.locked(wakes, |state, wakes| {
            if state.socket.is_dialling(connector.pipe) {
                state.seek(connector.pipe, name, &dialler, wakes);
            }
        });
        return;
    };
    let now = dialler.now();
    dialler.locked(wakes, |state, _| {
        state.sought.remove(&connector.pipe);
        if accepted.is_none() {
            let reason = ConnectionError::Incompatible { ours: dialling.socket_type, theirs: peer.socket_type };
            if let Some(connection) = state.socket.connected(connector.pipe, now) {
                state.socket.disconnected(connector.pipe, connection, &reason, now);
            }
        } else if state.socket.connected_link(connector.pipe, now) {
            state.place(connector.pipe, End { wire: Arc::clone(&wire), side: 1, peer: Arc::new(peer) });
        } else {
            let mut lanes = wire.lock();
            lanes[1].finished = true;
        }
    });
    if let (Some(binder), Some(pipe)) = (binder, accepted) {
        wakes.call(DeferredCall::Visit(binder, pipe));
        wakes.call(DeferredCall::Visit(dialler, connector.pipe));
    }
}
