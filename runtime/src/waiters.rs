//! [`Waiters`]: futures that wait for a change of a socket.

use crate::state::{Shared, State};
use crate::wakes::Wakes;
use core::task::{Context, Poll, Waker};

/// Futures that wait for the same kind of change of a socket, and that take nothing from the socket. A change wakes all
/// of them. Futures that receive or send wait in [`Lines`](crate::line::Lines) instead.
#[derive(Default)]
pub(crate) struct Waiters {
    slots: Vec<WaiterSlot>,
    free: Vec<usize>,
    asleep: usize,
}

enum WaiterSlot {
    Free,
    /// The future to which this slot belongs was woken, and has not been polled since.
    Awake,
    Asleep(Waker),
}

impl Waiters {
    /// Registers the waker of a future in this list. `slot` is the index of the registration. The caller passes `None`
    /// in the first call for a future, and this call stores the index in `slot`. Returns the previously registered
    /// waker if the new waker replaces it. The caller must drop the returned waker outside of the lock.
    fn sleep(&mut self, slot: &mut Option<usize>, cx: &Context<'_>) -> Option<Waker> {
        let index = *slot.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.slots.push(WaiterSlot::Free);
                self.slots.len() - 1
            })
        });
        match &mut self.slots[index] {
            WaiterSlot::Asleep(known) if known.will_wake(cx.waker()) => None,
            WaiterSlot::Asleep(known) => Some(core::mem::replace(known, cx.waker().clone())),
            other @ (WaiterSlot::Free | WaiterSlot::Awake) => {
                *other = WaiterSlot::Asleep(cx.waker().clone());
                self.asleep += 1;
                None
            }
        }
    }

    /// Removes the registration `slot` of a future, and returns its waker. The caller must drop the waker outside of
    /// the lock, because dropping a waker may run arbitrary code.
    fn leave(&mut self, slot: &mut Option<usize>) -> Option<Waker> {
        let index = slot.take()?;
        self.free.push(index);
        match core::mem::replace(&mut self.slots[index], WaiterSlot::Free) {
            WaiterSlot::Asleep(waker) => {
                self.asleep -= 1;
                Some(waker)
            }
            WaiterSlot::Free | WaiterSlot::Awake => None,
        }
    }

    /// Returns true if no future is asleep.
    #[inline]
    pub(crate) const fn is_idle(&self) -> bool {
        self.asleep == 0
    }

    /// Moves the wakers of all waiting futures to `wakes`, to be woken after the lock is released.
    #[inline]
    pub(crate) fn wake(&mut self, wakes: &mut Wakes) {
        if self.is_idle() {
            return;
        }
        self.asleep = 0;
        for slot in &mut self.slots {
            if matches!(slot, WaiterSlot::Asleep(_))
                && let WaiterSlot::Asleep(waker) = core::mem::replace(slot, WaiterSlot::Awake)
            {
                wakes.add(Some(waker));
            }
        }
    }
}

/// Registration of one future in a [`Waiters`] list of a socket. Removed when the future is ready or dropped.
pub(crate) struct WaiterKey<S: AsRef<Shared>> {
    shared: S,
    among: fn(&mut State) -> &mut Waiters,
    slot: Option<usize>,
    has_budget: bool,
}

impl<S: AsRef<Shared>> WaiterKey<S> {
    pub(crate) const fn new(shared: S, among: fn(&mut State) -> &mut Waiters) -> Self {
        Self { shared, among, slot: None, has_budget: true }
    }

    /// Lifts the [`Budget`](crate::Budget), for a future that yields by itself.
    pub(crate) fn without_budget(mut self) -> Self {
        self.has_budget = false;
        self
    }

    /// Locks the state of the socket and calls `work` with it. If the result is `Pending`, registers the waker of `cx`
    /// in the [`Waiters`] list of this registration. Otherwise removes the registration.
    pub(crate) fn wait<R>(&mut self, cx: &mut Context<'_>, work: impl FnOnce(&mut State) -> Poll<R>) -> Poll<R> {
        let (among, slot) = (self.among, &mut self.slot);
        self.shared.as_ref().poll_locked(cx, self.has_budget, |state, cx, _| {
            let result = work(state);
            let spent = match result {
                Poll::Pending => among(state).sleep(slot, cx),
                // The returned waker may belong to another task, which polled the same future before. So it is dropped later.
                Poll::Ready(_) => among(state).leave(slot),
            };
            state.spent.extend(spent);
            result
        })
    }
}

impl<S: AsRef<Shared>> Drop for WaiterKey<S> {
    /// Removes the future's registration from the socket's list, if there is one.
    fn drop(&mut self) {
        if self.slot.is_some() {
            drop(self.shared.as_ref().with(|state| (self.among)(state).leave(&mut self.slot)));
        }
    }
}
