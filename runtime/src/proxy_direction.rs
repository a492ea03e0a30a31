//! [`ProxyDirection`]: one direction of a proxy, from the socket that receives to the socket that sends.

use crate::handle::Handle;
use crate::proxy::ProxyError;
use crate::proxy_control::{ProxyStatistics, ProxyTraffic};
use crate::state::{Shared, State};
use crate::turn::TurnKey;
use crate::waiters::WaiterKey;
use core::task::{Context, Poll, ready};
use sansmq_proto::socket::Unsent;
use sansmq_proto::{Message, RecvError};
use std::sync::Arc;

/// One direction of a proxy: the socket that receives (the source), the socket that sends (the sink), and the messages
/// that the proxy holds between receiving and sending.
pub(crate) struct ProxyDirection {
    end: End,
    from: Handle,
    to: Handle,
    /// Messages that were received with the source and not sent with the sink yet. They stay here while the sink has no room.
    pub(crate) held: Vec<Message>,
}

/// Role of a socket in the proxy: the first socket (frontend) or the second socket (backend) of
/// [`Proxy::new`](crate::Proxy::new). Each direction of the proxy stores the role of the socket from which it receives.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Frontend,
    Backend,
}

impl ProxyDirection {
    /// Creates the direction of a proxy that receives with `from` and sends with `to`. Returns `None` if `from` cannot
    /// receive or `to` cannot send. `end` is the role of `from` in the proxy, and selects the statistics in which
    /// messages are counted.
    pub(crate) fn between(from: &Handle, to: &Handle, end: End) -> Option<Self> {
        let receives = from.shared().with(|state| state.socket.socket_type().can_receive());
        let sends = to.shared().with(|state| state.socket.socket_type().can_send());
        (receives && sends).then(|| Self { end, from: from.clone(), to: to.clone(), held: Vec::new() })
    }
}

/// One direction of a proxy (a [`ProxyDirection`]) while the proxy runs. Registers the proxy's waker with both sockets,
/// so that a new message at the source and new room at the sink wake the proxy.
pub(crate) struct Moving<'a> {
    end: End,
    from: &'a Arc<Shared>,
    to: &'a Arc<Shared>,
    arrival: TurnKey<&'a Arc<Shared>>,
    writable: WaiterKey<&'a Arc<Shared>>,
    room: TurnKey<&'a Arc<Shared>>,
    held: &'a mut Vec<Message>,
}

impl<'a> Moving<'a> {
    pub(crate) fn new(lane: &'a mut ProxyDirection) -> Self {
        let (from, to) = (lane.from.shared(), lane.to.shared());
        Self {
            end: lane.end,
            from,
            to,
            arrival: TurnKey::new(from).without_budget(),
            writable: WaiterKey::new(to, |state| &mut state.writable).without_budget(),
            room: TurnKey::new(to).without_budget(),
            held: &mut lane.held,
        }
    }

    /// Forwards messages from the source (the socket that receives) to the sink (the socket that sends). Sends a copy
    /// of each message to `capture`, and counts the messages in `statistics`. Returns `Pending` when the source has no
    /// message or the sink has no room. Returns `Ready` with an error, or after [`BURST`] messages; more messages may
    /// then be queued.
    pub(crate) fn burst(
        &mut self,
        cx: &mut Context<'_>,
        capture: Option<&Handle>,
        statistics: &mut ProxyStatistics,
    ) -> Poll<Result<(), ProxyError>> {
        let mut left = BURST;
        while left > 0 {
            if self.held.is_empty() {
                left -= ready!(self.receive(cx, left, capture, statistics))?;
            }
            ready!(self.send(cx, statistics));
        }
        Poll::Ready(Ok(()))
    }

    /// Receives messages of the source (the socket that receives) into `held`, at most `limit` and at most as many as the sink
    /// (the socket that sends) has room for, and sends copies to the capture socket. Returns their number, or `Pending` if the
    /// source has no message or the sink has no room. If the source and the sink are the same socket, receives one message
    /// without checking the room, because a REP, for example, must receive before it can send.
    fn receive(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        capture: Option<&Handle>,
        statistics: &mut ProxyStatistics,
    ) -> Poll<Result<usize, ProxyError>> {
        // While the sink is full, messages stay in the source, where its high-water marks count them. A socket that is both
        // source and sink is exempt: it may have to receive before it can send, as a REP does.
        let is_sink = Arc::ptr_eq(self.from, self.to);
        let most = if is_sink { 1 } else { ready!(self.writable.wait(cx, |state| room(state, limit))) };
        let held = &mut *self.held;
        let received = ready!(self.arrival.receive_many(cx, most, |state, most| take(state, held, most)))?;
        let traffic = self.held_traffic();
        *self.received(statistics) += traffic;
        if let Some(capture) = capture {
            copy(self.held.clone(), capture, statistics);
        }
        Poll::Ready(Ok(received))
    }

    /// Sends the held messages with the sink, the socket that sends. Drops the messages that the sink can never send. Returns
    /// `Pending` and keeps the rest while the sink has no room.
    fn send(&mut self, cx: &mut Context<'_>, statistics: &mut ProxyStatistics) -> Poll<()> {
        let mut before = self.held_traffic();
        while !self.held.is_empty() {
            if let Err(Refused) = ready!(self.room.send_many(cx, self.held, give)) {
                self.held.remove(0);
                statistics.dropped += 1;
                before = self.held_traffic();
            } else {
                let left = self.held_traffic();
                *self.sent(statistics) += before - left;
                before = left;
            }
        }
        Poll::Ready(())
    }

    /// Returns the number and the size of the held messages.
    fn held_traffic(&self) -> ProxyTraffic {
        let mut traffic = ProxyTraffic::default();
        self.held.iter().for_each(|message| traffic.add(message));
        traffic
    }

    const fn received<'s>(&self, statistics: &'s mut ProxyStatistics) -> &'s mut ProxyTraffic {
        match self.end {
            End::Frontend => &mut statistics.frontend.received,
            End::Backend => &mut statistics.backend.received,
        }
    }

    const fn sent<'s>(&self, statistics: &'s mut ProxyStatistics) -> &'s mut ProxyTraffic {
        match self.end {
            End::Frontend => &mut statistics.backend.sent,
            End::Backend => &mut statistics.frontend.sent,
        }
    }
}

/// The sink, the socket with which one direction of a proxy sends, can never send the first held message.
struct Refused;

/// Returns the number of messages, at most `limit`, that a sink can send now. Returns `Pending` while it can send none.
fn room(state: &mut State, limit: usize) -> Poll<usize> {
    if !state.socket.can_send() {
        return Poll::Pending;
    }
    let mut room = limit;
    while room > 1 && !state.socket.can_complete_sends(room, None) {
        room /= 2;
    }
    Poll::Ready(room)
}

/// Receives the next messages of a source, the socket from which one direction of a proxy receives, at most `most`. Returns
/// [`ProxyError::PeerLost`] if the receive fails with [`RecvError::PeerLost`]. After any other error, returns
/// `Pending`, so that the proxy continues to run.
fn take(state: &mut State, held: &mut Vec<Message>, most: usize) -> Poll<Result<usize, ProxyError>> {
    match state.socket.recv_many(held, most) {
        Ok(received) => Poll::Ready(Ok(received)),
        Err(RecvError::PeerLost { cause, .. }) => Poll::Ready(Err(ProxyError::PeerLost(cause))),
        // `Empty` and `OutOfTurn` may change, `Run::turn` checks for closed sockets, and an error that a later version adds
        // must not end the proxy.
        Err(_) => Poll::Pending,
    }
}

/// Sends messages from the start of `held` with the sink, the socket with which one direction of a proxy sends, at most `most`.
/// Removes the sent messages. Returns `Pending` while the sink cannot send the first message yet.
fn give(state: &mut State, held: &mut Vec<Message>, most: usize) -> Poll<Result<usize, Refused>> {
    match state.socket.offer_many(held, most) {
        Ok(sent) => Poll::Ready(Ok(sent)),
        Err(Unsent::Full | Unsent::OutOfTurn | Unsent::Closed | Unsent::Unreachable) => Poll::Pending,
        Err(
            Unsent::Unroutable
            | Unsent::Unaddressed
            | Unsent::NotGrouped
            | Unsent::SingleFrame
            | Unsent::TooLarge
            | Unsent::FrameCount
            | Unsent::Unsupported(_),
        ) => Poll::Ready(Err(Refused)),
    }
}

/// Sends copies of messages to the capture socket. Drops those for which it has no room or which it cannot send.
fn copy(mut copies: Vec<Message>, capture: &Handle, statistics: &mut ProxyStatistics) {
    while !copies.is_empty() {
        match capture.try_send_many(&mut copies) {
            Ok(0) => {
                statistics.missed += copies.len() as u64;
                return;
            }
            Ok(sent) => statistics.captured += sent as u64,
            Err(_) => statistics.missed += 1,
        }
    }
}

/// Maximum number of messages that a proxy forwards in each direction each time its future is polled (libzmq: 1000).
pub(crate) const BURST: usize = 100;
