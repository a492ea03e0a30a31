//! [`Proxy`]: what one socket receives another one sends. Knows no octets, no runtime, and no rule of a socket type.

use crate::control::Control;
use crate::handle::Handle;
use crate::lane::{End, Lane, Moving};
use crate::proxy_control::{ProxyControl, ProxyState, ProxyStatistics};
use crate::state::State;
use crate::waiters::WaiterKey;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
#[cfg(doc)]
use sansmq_proto::RecvError;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::{Message, SocketType};
use std::sync::Arc;
use thiserror::Error;

/// Passes on what one socket receives to another one, and back (`zmq_proxy`, `zmq_proxy_steerable`).
///
/// - ROUTER and DEALER are a queue: the requests of many clients go to many workers in turn, each reply to its client.
/// - XSUB and XPUB are a forwarder: publications go down, and subscriptions, which an XPUB receives as messages, go up.
/// - PULL and PUSH are a streamer.
/// - Any other two will do if one of them receives and the other sends, on whatever runtimes they are, and so will one
///   socket given twice, which sends everything back. Messages go on as they are, all frames together.
///
/// Both directions have their turns, so that none starves the other, and after a burst the proxy lets other tasks have
/// theirs. From a side whose sink is full nothing is received, so that the marks on both sides hold its senders back. A
/// sink that tells only of a certain peer whether it has room (a SERVER or a PEER, a ROUTER with `mandatory`) may
/// refuse what has been received already: that waits in the proxy, and with it its direction, until there is room. What
/// the sink will never take, for want of such a peer or by its form, is dropped and
/// [counted](ProxyStatistics::dropped); what a socket drops by its own rules, its monitor tells.
///
/// ```
/// use sansmq_runtime::{Handle, Proxy, ProxyError, ProxyStatistics};
/// use sansmq_proto::kind;
///
/// async fn queue(clients: &Handle<kind::Router>, workers: &Handle<kind::Dealer>) -> Result<ProxyStatistics, ProxyError> {
///     Proxy::new(clients, workers).run().await
/// }
/// ```
pub struct Proxy {
    frontend: Handle,
    backend: Handle,
    capture: Option<Handle>,
    control: Option<Handle>,
    proxy_control: ProxyControl,
    lanes: Vec<Lane>,
}

/// Why a proxy does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Neither socket can send what the other receives.
    #[error("between a {0} and a {1} socket nothing can be passed on: one has to receive, and the other to send")]
    NoDirection(SocketType, SocketType),
    /// The peer that a REQ's request went to is gone, and there will be no reply ([`RecvError::PeerLost`]). The proxy
    /// may be run again, once a REP that owes the reply has been made to give one. A DEALER instead of the REQ has no
    /// such errors.
    #[error(
        "the peer that had the request of the proxy's REQ socket is gone; use a DEALER, or answer and run it again"
    )]
    PeerLost,
}

impl Proxy {
    /// A proxy between these sockets, which it keeps open. It does nothing until it is [run](Self::run).
    ///
    /// Front and back mean nothing but names in the statistics.
    pub fn new<F: Kind, B: Kind>(frontend: &Handle<F>, backend: &Handle<B>) -> Self {
        let (frontend, backend) = (frontend.erase(), backend.erase());
        let mut lanes = Vec::from_iter(Lane::between(&frontend, &backend, End::Frontend));
        if !Arc::ptr_eq(frontend.shared(), backend.shared()) {
            lanes.extend(Lane::between(&backend, &frontend, End::Backend));
        }
        Self { frontend, backend, capture: None, control: None, proxy_control: ProxyControl::new(), lanes }
    }

    /// Sends a copy of every message of both directions to this socket too: a PUB, PUSH, PAIR or DEALER.
    ///
    /// It never holds the proxy up, for who watches must not decide over those who are watched: a copy that it has no
    /// room for is dropped and [counted](ProxyStatistics::missed). (libzmq says nothing about this. There a PUB drops,
    /// and others stop the proxy while they have no peer.)
    #[must_use]
    pub fn capture<T: Sends>(mut self, socket: &Handle<T>) -> Self {
        self.capture = Some(socket.erase());
        self
    }

    /// Does what this socket is told: a REP or PAIR as a rule, or a PULL or SUB, which cannot answer.
    ///
    /// Messages of one frame are commands (`zmq_proxy_steerable`): `PAUSE`, `RESUME` and `TERMINATE` do what the
    /// methods of [`ProxyControl`] do. `STATISTICS` is answered with eight frames, each a 64-bit number in this machine's byte
    /// order: how many frames and then octets the frontend received, sent, and likewise the backend. Everything else
    /// changes nothing. A REP answers that, and all but `STATISTICS`, with an empty message; others do not answer it.
    /// An answer for which there is no room is dropped.
    ///
    /// Commands are taken while the proxy runs, paused or not. When this socket is closed the proxy runs on.
    #[must_use]
    pub fn control<T: Receives>(mut self, socket: &Handle<T>) -> Self {
        self.control = Some(socket.erase());
        self
    }

    /// What steers this proxy, from any task or thread.
    pub fn control_handle(&self) -> ProxyControl {
        self.proxy_control.clone()
    }

    /// Runs until it is [terminated](ProxyControl::terminate) or one of the two sockets is closed; then gives the statistics
    /// of all runs.
    ///
    /// Cancel-safe: when the future is dropped no message is lost. One that was received and found no room, as may
    /// happen with the sinks named above, stays in this `Proxy`: the next run goes on with it, or
    /// [`take_held`](Self::take_held) gives it out. Keep the `Proxy` for that: it dies with a task that owns it.
    ///
    /// # Errors
    /// [`ProxyError`]. Nothing else that happens to a message or a peer ends it.
    pub async fn run(&mut self) -> Result<ProxyStatistics, ProxyError> {
        if self.lanes.is_empty() {
            let [front, back] =
                [&self.frontend, &self.backend].map(|end| end.shared().with(|s| s.socket.socket_type()));
            return Err(ProxyError::NoDirection(front, back));
        }
        let mut run = Run {
            ends: [&self.frontend, &self.backend].map(|end| WaiterKey::new(end.shared(), |state| &mut state.watchers)),
            control: self.control.as_ref().map(Control::new),
            capture: self.capture.as_ref(),
            proxy_control: &self.proxy_control,
            lanes: self.lanes.iter_mut().map(Moving::new).collect(),
        };
        poll_fn(|cx| run.turn(cx)).await
    }

    /// The messages, two at most, that were received and have found no room before the last run ended, and now are the
    /// caller's. Most often there is none.
    pub fn take_held(&mut self) -> Vec<Message> {
        self.lanes.iter_mut().filter_map(|lane| lane.held.take()).collect()
    }
}

/// A proxy while it runs, with its places among those who wait.
struct Run<'a> {
    /// For news of the sockets' end.
    ends: [WaiterKey<'a>; 2],
    control: Option<Control<'a>>,
    capture: Option<&'a Handle>,
    proxy_control: &'a ProxyControl,
    lanes: Vec<Moving<'a>>,
}

impl Run<'_> {
    /// Does everything there is to do now, but no more than a burst of each kind.
    fn turn(&mut self, cx: &Context<'_>) -> Poll<Result<ProxyStatistics, ProxyError>> {
        let proxy_control = self.proxy_control;
        let mut again = self.control.as_mut().is_some_and(|control| control.obey(cx, proxy_control).is_ready());
        let (mode, mut statistics) = proxy_control.look(cx.waker());
        let is_closing = |state: &mut State| if state.socket.is_closing() { Poll::Ready(()) } else { Poll::Pending };
        let closed = self.ends.iter_mut().any(|end| end.wait(cx, is_closing).is_ready());
        let mut outcome = Ok(());
        match mode {
            ProxyState::Terminated => return Poll::Ready(Ok(statistics)),
            ProxyState::Running | ProxyState::Paused if closed => return Poll::Ready(Ok(statistics)),
            ProxyState::Paused => {}
            ProxyState::Running => {
                for lane in &mut self.lanes {
                    match lane.burst(cx, self.capture, &mut statistics) {
                        Poll::Ready(Ok(())) => again = true,
                        Poll::Ready(Err(error)) => outcome = Err(error),
                        Poll::Pending => {}
                    }
                }
                proxy_control.record(statistics);
            }
        }
        if let Err(error) = outcome {
            return Poll::Ready(Err(error));
        }
        if again {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.frontend).field(&self.backend).finish()
    }
}

#[cfg(test)]
mod tests;
