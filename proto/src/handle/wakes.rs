//! [`Wakes`]: what follows from a change, to be done once no lock is held.

use super::context::{Bound, Seeker};
use super::inproc;
use super::state::Shared;
use crate::pipe::PipeId;
use core::task::Waker;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is to be done once the lock is open again.
#[derive(Default)]
pub(super) struct Wakes {
    wakers: Few<Waker>,
    calls: Few<Call>,
    /// Only to be dropped, in the end.
    spent: Vec<Waker>,
}

/// Something to do with another socket.
pub(super) enum Call {
    /// Its pipe may have something to take, or room again.
    Visit(Arc<Shared>, PipeId),
    /// Somebody is bound to the name that somebody looks for.
    Meet(Seeker, Bound, String),
    /// Something has happened to it that a subscriber of `tracing` is to hear.
    Tell(Arc<Shared>),
}

impl Wakes {
    #[inline]
    pub(super) fn add(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.wakers.push(waker);
        }
    }

    #[inline]
    pub(super) fn drop_later(&mut self, spent: &mut Vec<Waker>) {
        if !spent.is_empty() {
            self.spent.append(spent);
        }
    }

    pub(super) fn call(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// Wakes, and goes from socket to socket until none has to do with another any more.
    #[inline]
    pub(super) fn run(mut self) {
        loop {
            while let Some(waker) = self.wakers.pop() {
                waker.wake();
            }
            match self.calls.pop() {
                None => return,
                Some(Call::Visit(socket, pipe)) => {
                    socket.locked(&mut self, |state, wakes| state.visit(pipe, &socket, wakes));
                }
                Some(Call::Meet(seeker, bound, name)) => inproc::meet(&seeker, &bound, &name, &mut self),
                Some(Call::Tell(socket)) => socket.trace.tell(),
            }
        }
    }
}

/// A queue of one most often, which then needs no memory.
struct Few<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }
}

impl<T> Few<T> {
    #[inline]
    fn push(&mut self, item: T) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(item);
        } else {
            self.rest.push_back(item);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.first.take().or_else(|| self.rest.pop_front())
    }
}
