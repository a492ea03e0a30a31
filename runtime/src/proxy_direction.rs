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

/// One direction of a proxy: the socket that receives (the source), the socket that sends (the sink), and the message
/// that the proxy holds between receiving and sending.
pub(crate) struct ProxyDirection {
    end: End,
    from: Handle,
    to: Handle,
    /// Message that was received with the source and not sent with the sink yet. Stays here while the sink has no room.
    pub(crate) held: Option<Message>,
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
        (receives && sends).then(|| Self { end, from: from.clone(), to: to.clone(), held: None })
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
    held: &'a mut Option<Message>,
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
        for _ in 0..BURST {
            ready!(self.receive(cx, capture, statistics))?;
            ready!(self.send(cx, statistics));
        }
        Poll::Ready(Ok(()))
    }

    /// Receives the next message of the source (the socket that receives) into `held`, and sends a copy to the capture
    /// socket. Does nothing if a message is held already. Returns `Pending` if the source has no message, or the sink
    /// (the socket that sends) has no room. If the source and the sink are the same socket, the room is not checked,
    /// because a REP, for example, must receive before it can send.
    fn receive(
        &mut self,
        cx: &mut Context<'_>,
        capture: Option<&Handle>,
        statistics: &mut ProxyStatistics,
    ) -> Poll<Result<(), ProxyError>> {
        if self.held.is_some() {
            return Poll::Ready(Ok(()));
        }
        // While the sink is full, messages stay in the source, where its high-water marks count them. A socket that is both
        // source and sink is exempt: it may have to receive before it can send, as a REP does.
        if !Arc::ptr_eq(self.from, self.to) {
            ready!(self.writable.wait(cx, |state| if state.socket.can_send() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }));
        }
        let message = ready!(self.arrival.receive(cx, take))?;
        self.received(statistics).add(&message);
        if let Some(capture) = capture {
            match capture.try_send(message.clone()) {
                Ok(()) => statistics.captured += 1,
                Err(_) => statistics.missed += 1,
            }
        }
        *self.held = Some(message);
        Poll::Ready(Ok(()))
    }

    /// Sends the held message with the sink, the socket that sends. Drops the message if the sink can never send it.
    /// Returns `Pending` and keeps the message while the sink has no room.
    fn send(&mut self, cx: &mut Context<'_>, statistics: &mut ProxyStatistics) -> Poll<()> {
        let mut size = ProxyTraffic::default();
        self.held.iter().for_each(|message| size.add(message));
        match ready!(self.room.send(cx, self.held, give)) {
            Given::Sent => *self.sent(statistics) += size,
            Given::Refused => statistics.dropped += 1,
        }
        Poll::Ready(())
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

/// Outcome of sending a held message, which one direction of the proxy has received but not sent yet. The message is
/// sent with the sink, the socket that sends in this direction.
enum Given {
    Sent,
    /// The sink can never send the message, which was therefore dropped.
    Refused,
}

/// Receives the next message of a source, the socket from which one direction of a proxy receives. Returns
/// [`ProxyError::PeerLost`] if the receive fails with [`RecvError::PeerLost`]. After any other error, returns
/// `Pending`, so that the proxy continues to run.
fn take(state: &mut State) -> Poll<Result<Message, ProxyError>> {
    match state.socket.recv() {
        Ok(message) => Poll::Ready(Ok(message)),
        Err(RecvError::PeerLost { cause, .. }) => Poll::Ready(Err(ProxyError::PeerLost(cause))),
        // `Empty` and `OutOfTurn` may change, `Run::turn` checks for closed sockets, and an error that a later version adds
        // must not end the proxy.
        Err(_) => Poll::Pending,
    }
}

/// Sends the message in `held` with the sink, the socket with which one direction of a proxy sends. Clears `held` if
/// the message was sent or can never be sent. Returns `Pending` while the sink cannot send the message yet.
fn give(state: &mut State, held: &mut Option<Message>) -> Poll<Given> {
    let Some(message) = held else { return Poll::Pending };
    let given = match state.socket.offer(message) {
        Ok(()) => Given::Sent,
        Err(Unsent::Full | Unsent::OutOfTurn | Unsent::Closed | Unsent::Unreachable) => return Poll::Pending,
        Err(
            Unsent::Unroutable
            | Unsent::Unaddressed
            | Unsent::NotGrouped
            | Unsent::SingleFrame
            | Unsent::TooLarge
            | Unsent::FrameCount
            | Unsent::Unsupported(_),
        ) => Given::Refused,
    };
    *held = None;
    Poll::Ready(given)
}

/// Maximum number of messages that a proxy forwards in each direction each time its future is polled (libzmq: 1000).
pub(crate) const BURST: usize = 100;
