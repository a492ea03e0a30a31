//! [`Wakes`]: what follows from a change, to be done once no lock is held.

use crate::context::{InprocConnector, InprocListener};
use crate::inproc;
use crate::state::Shared;
use core::task::Waker;
use sansmq_proto::PipeId;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is to be done once the lock is open again. Most often it is one waker or one call at most, for which no memory is
/// asked, and nothing but a look at three places is spent.
#[derive(Default)]
pub(crate) struct Wakes {
    waker: Option<Waker>,
    call: Option<DeferredCall>,
    more: Option<Box<More>>,
}

/// What else there is to be done.
#[derive(Default)]
struct More {
    wakers: VecDeque<Waker>,
    calls: VecDeque<DeferredCall>,
    /// Only to be dropped, in the end.
    spent: Vec<Waker>,
}

/// Something to do with another socket.
pub(crate) enum DeferredCall {
    /// Its pipe may have something to take, or room again.
    Visit(Arc<Shared>, PipeId),
    /// Somebody is bound to the name that somebody looks for.
    ConnectInproc(Box<(InprocConnector, InprocListener, String)>),
    /// Something has happened to it that a subscriber of `tracing` is to hear.
    Trace(Arc<Shared>),
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
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
        // In the order they were made: a later one must not overtake those that wait.
        if self.call.is_none() && self.more.as_ref().is_none_or(|more| more.calls.is_empty()) {
            self.call = Some(call);
        } else {
            self.more().calls.push_back(call);
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Wakes, and goes from socket to socket until none has to do with another any more.
    #[inline]
    pub(crate) fn run(mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        if self.call.is_some() || self.more.is_some() {
            self.run_all();
        }
    }

    fn run_all(mut self) {
        loop {
            while let Some(waker) = self.waker.take().or_else(|| self.more.as_mut()?.wakers.pop_front()) {
                waker.wake();
            }
            match self.call.take().or_else(|| self.more.as_mut()?.calls.pop_front()) {
                None => return,
                Some(DeferredCall::Visit(socket, pipe)) => {
                    socket.locked(&mut self, |state, wakes| state.visit(pipe, &socket, wakes));
                }
                Some(DeferredCall::ConnectInproc(those)) => {
                    let (connector, bound, name) = *those;
                    inproc::connect(&connector, &bound, &name, &mut self);
                }
                Some(DeferredCall::Trace(socket)) => socket.trace.emit(),
            }
        }
    }
}
