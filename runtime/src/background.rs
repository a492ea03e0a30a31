//! [`Background`]: lets the tasks of a socket do work that no high-water mark limits one after the other, so that many
//! peers with such work do not delay the others.

use crate::sync::Mutex;
use core::task::Waker;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Line of the connections of a socket with [background work](sansmq_proto::Turn::Background). The first in line has the
/// turn: it works once, and passes the turn on when its task is polled again. In between, all other ready tasks run.
#[derive(Debug, Default)]
pub(crate) struct Background(Mutex<Line>);

/// Place in the line.
pub(crate) type Place = u64;

#[derive(Debug, Default)]
struct Line {
    /// Place of the next connection that joins.
    next: Place,
    /// Place that has the turn, and whether its connection has worked since it got the turn; `None` if the line is empty.
    turn: Option<(Place, bool)>,
    /// Wakers of the tasks at all other places.
    waiting: BTreeMap<Place, Waker>,
}

impl Background {
    /// Appends a connection that has just worked to the line, and returns its place. Returns true if it has the turn; its
    /// task must then be polled again after all other ready tasks. Otherwise `waker` is woken when it gets the turn.
    pub(crate) fn join(&self, waker: &Waker) -> (Place, bool) {
        self.with(|line| line.join(waker))
    }

    /// Returns true if the connection at `place` has the turn, and may work now. If it has worked before in this turn, passes
    /// the turn on, and moves the connection to the end of the line. Otherwise `waker` is woken when it gets the turn.
    pub(crate) fn poll(&self, place: &mut Place, waker: &Waker) -> bool {
        let (has_turn, next) = self.with(|line| match &mut line.turn {
            Some((first, has_worked)) if *first == *place => {
                if !core::mem::replace(has_worked, true) || line.waiting.is_empty() {
                    return (true, None);
                }
                let next = line.pass();
                (*place, _) = line.join(waker);
                (false, next)
            }
            Some(_) | None => {
                line.waiting.insert(*place, waker.clone());
                (false, None)
            }
        });
        if let Some(next) = next {
            next.wake();
        }
        has_turn
    }

    /// Removes the connection at `place` from the line. If it had the turn, passes the turn on.
    pub(crate) fn leave(&self, place: Place) {
        let (next, removed) = self.with(|line| match line.turn {
            Some((first, _)) if first == place => (line.pass(), None),
            Some(_) | None => (None, line.waiting.remove(&place)),
        });
        drop(removed);
        if let Some(next) = next {
            next.wake();
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Line) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Line {
    fn join(&mut self, waker: &Waker) -> (Place, bool) {
        let place = self.next;
        self.next += 1;
        if self.turn.is_none() {
            self.turn = Some((place, true));
            return (place, true);
        }
        self.waiting.insert(place, waker.clone());
        (place, false)
    }

    /// Passes the turn to the next place, and returns the waker of its task.
    fn pass(&mut self) -> Option<Waker> {
        let next = self.waiting.pop_first();
        self.turn = next.as_ref().map(|&(place, _)| (place, false));
        next.map(|(_, waker)| waker)
    }
}
