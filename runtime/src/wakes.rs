//! [`Wakes`]: work that remains after a change of a socket, and that must be done when the socket's lock is released.

use crate::context::{InprocConnector, SocketListener};
use crate::inproc;
use crate::state::Shared;
use core::task::Waker;
use sansmq_proto::PipeId;
use std::collections::VecDeque;
use std::sync::Arc;

/// Wakers to wake and [calls](DeferredCall) to make after the lock of a socket is released.
// Most changes need at most one waker and one call. They are stored inline, without an allocation, and `run` only has to check
// three fields.
#[derive(Default)]
pub(crate) struct Wakes {
    waker: Option<Waker>,
    call: Option<DeferredCall>,
    more: Option<Box<More>>,
}

/// Wakers and calls that do not fit into the inline fields of [`Wakes`].
#[derive(Default)]
struct More {
    wakers: VecDeque<Waker>,
    calls: VecDeque<DeferredCall>,
    /// Wakers that must be dropped after the lock is released, but not woken.
    spent: Vec<Waker>,
}

/// Call that must be made when no lock is held, because it locks a socket or runs code of a `tracing` subscriber.
pub(crate) enum DeferredCall {
    /// Locks a socket and moves messages between one of its pipes and the `inproc` connection of this pipe. This call
    /// is added to [`Wakes`] when the connection is new. It is also added after the other socket of the connection has
    /// queued messages, has emptied a full queue, or has closed its sending direction, and when the other socket holds
    /// few messages again and therefore needs further ones.
    Exchange(Arc<Shared>, PipeId),
    /// Connects a pipe to the listener that is bound to an `inproc` name. Carries the pipe and its socket, the listener,
    /// and the name.
    ConnectInproc(Box<(InprocConnector, SocketListener, String)>),
    /// Emits the queued events of a socket to the subscriber of `tracing`.
    Trace(Arc<Shared>),
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        #[cfg(feature = "meter")]
        sansmq_proto::cost::wakes(1);
        match waker {
            None => {}
            Some(waker) if self.waker.is_none() => self.waker = Some(waker),
            Some(waker) => self.more().wakers.push_back(waker),
        }
    }

    #[inline]
    pub(crate) fn drop_later(&mut self, spent: &mut Vec<Waker>) {
        if !spent.is_empty() {
            self.more().spent.append(spent);
        }
    }

    #[inline]
    pub(crate) fn call(&mut self, call: DeferredCall) {
        // Calls are made in the order in which they were added.
        if self.call.is_none() && self.more.as_ref().is_none_or(|more| more.calls.is_empty()) {
            self.call = Some(call);
        } else {
            self.more().calls.push_back(call);
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Wakes all wakers and makes all [calls](DeferredCall) that were added to this `Wakes`. Such a call can add
    /// further wakers and calls, which are then woken and made too. Afterwards, the `Wakes` is empty.
    // By reference: a move of the fields would wait until they are stored.
    #[inline]
    pub(crate) fn run(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        if self.call.is_some() || self.more.is_some() {
            self.run_all();
        }
    }

    #[inline(never)]
    fn run_all(&mut self) {
        loop {
            while let Some(waker) = self.waker.take().or_else(|| self.more.as_mut()?.wakers.pop_front()) {
                waker.wake();
            }
            match self.call.take().or_else(|| self.more.as_mut()?.calls.pop_front()) {
                None => {
                    self.more = None;
                    return;
                }
                Some(DeferredCall::Exchange(socket, pipe)) => {
                    socket.locked(self, |state, wakes| state.visit(pipe, &socket, wakes));
                }
                Some(DeferredCall::ConnectInproc(join)) => {
                    let (connector, bound, name) = *join;
                    inproc::connect(&connector, &bound, &name, self);
                }
                Some(DeferredCall::Trace(socket)) => socket.trace.emit(),
            }
        }
    }
}
