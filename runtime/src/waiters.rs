//! [`Waiters`]: futures that wait for news of a socket.

use crate::state::{Shared, State};
use crate::wakes::Wakes;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

/// Futures that wait for one kind of news. All are woken by it, so that none can miss what another did not use.
#[derive(Default)]
pub(crate) struct Waiters {
    places: Vec<WaiterSlot>,
    free: Vec<usize>,
    asleep: usize,
}

enum WaiterSlot {
    Free,
    /// Woken and not yet back.
    Awake,
    Asleep(Waker),
}

impl Waiters {
    /// Gives a waker back that was replaced, as [`leave`](Self::leave) does.
    fn sleep(&mut self, place: &mut Option<usize>, cx: &Context<'_>) -> Option<Waker> {
        let index = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.places.push(WaiterSlot::Free);
                self.places.len() - 1
            })
        });
        match &mut self.places[index] {
            WaiterSlot::Asleep(known) if known.will_wake(cx.waker()) => None,
            WaiterSlot::Asleep(known) => Some(core::mem::replace(known, cx.waker().clone())),
            other @ (WaiterSlot::Free | WaiterSlot::Awake) => {
                *other = WaiterSlot::Asleep(cx.waker().clone());
                self.asleep += 1;
                None
            }
        }
    }

    /// Gives the waker back, to be dropped outside the lock: that may run anything.
    fn leave(&mut self, place: &mut Option<usize>) -> Option<Waker> {
        let index = place.take()?;
        self.free.push(index);
        match core::mem::replace(&mut self.places[index], WaiterSlot::Free) {
            WaiterSlot::Asleep(waker) => {
                self.asleep -= 1;
                Some(waker)
            }
            WaiterSlot::Free | WaiterSlot::Awake => None,
        }
    }

    #[inline]
    pub(crate) fn wake(&mut self, wakes: &mut Wakes) {
        if self.asleep == 0 {
            return;
        }
        self.asleep = 0;
        for place in &mut self.places {
            if matches!(place, WaiterSlot::Asleep(_))
                && let WaiterSlot::Asleep(waker) = core::mem::replace(place, WaiterSlot::Awake)
            {
                wakes.add(Some(waker));
            }
        }
    }
}

/// One future's place among the [`Waiters`], which it leaves when it is done or dropped.
pub(crate) struct WaiterKey<'a> {
    shared: &'a Arc<Shared>,
    among: fn(&mut State) -> &mut Waiters,
    place: Option<usize>,
}

impl<'a> WaiterKey<'a> {
    pub(crate) const fn new(shared: &'a Arc<Shared>, among: fn(&mut State) -> &mut Waiters) -> Self {
        Self { shared, among, place: None }
    }

    /// Tries `work`; sleeps if it is pending.
    #[inline(never)]
    pub(crate) fn wait<R>(&mut self, cx: &Context<'_>, work: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        self.shared.with(|state| wait(state, self.among, &mut self.place, cx, work))
    }
}

impl Drop for WaiterKey<'_> {
    fn drop(&mut self) {
        leave(self.shared, self.among, &mut self.place);
    }
}

/// See [`WaiterKey::wait`].
#[inline]
pub(crate) fn wait<R>(
    state: &mut State,
    among: fn(&mut State) -> &mut Waiters,
    place: &mut Option<usize>,
    cx: &Context<'_>,
    work: impl FnOnce(&mut State) -> Poll<R>,
) -> Poll<R> {
    let result = work(state);
    let spent = match result {
        Poll::Pending => among(state).sleep(place, cx),
        // It may be another task's, which waited here before.
        Poll::Ready(_) => among(state).leave(place),
    };
    state.spent.extend(spent);
    result
}

/// Leaves the place, if there is one.
pub(crate) fn leave(shared: &Shared, among: fn(&mut State) -> &mut Waiters, place: &mut Option<usize>) {
    if place.is_some() {
        drop(shared.with(|state| among(state).leave(place)));
    }
}
