//! `zmq_timers_new` and the functions of timers.

use crate::errno::{Errno, number, status};
use crate::handles::Table;
use core::ffi::{c_int, c_long, c_void};
use core::ptr;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

static TIMERS: Table<Mutex<Timers>> = Table::new();

/// Function of C code that a timer calls.
type Handler = unsafe extern "C" fn(timer: c_int, argument: *mut c_void);

/// Timers that repeat until they are cancelled.
#[derive(Debug, Default)]
struct Timers {
    next_id: c_int,
    timers: Vec<Timer>,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    id: c_int,
    interval: Duration,
    due: Instant,
    handler: Handler,
    /// Address that C code has given for its own use.
    argument: usize,
}

impl Timers {
    fn find(&mut self, id: c_int) -> Result<&mut Timer, Errno> {
        self.timers.iter_mut().find(|timer| timer.id == id).ok_or(Errno::INVALID)
    }

    /// Returns the timer that is due first at the time `now`, and sets its next time.
    fn next_due(&mut self, now: Instant) -> Option<Timer> {
        let timer =
            self.timers.iter_mut().filter(|timer| timer.due <= now).min_by_key(|timer| (timer.due, timer.id))?;
        timer.due = now + timer.interval;
        Some(*timer)
    }
}

fn find(timers: *const c_void) -> Result<Arc<Mutex<Timers>>, Errno> {
    TIMERS.get(timers).ok_or(Errno::FAULT)
}

fn lock(timers: &Mutex<Timers>) -> MutexGuard<'_, Timers> {
    timers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with(timers: *const c_void, id: c_int, work: impl FnOnce(&mut Timer)) -> c_int {
    status(find(timers).and_then(|timers| {
        let mut timers = lock(&timers);
        timers.find(id).map(work)
    }))
}

/// `zmq_timers_new`: creates a list of timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_new() -> *mut c_void {
    TIMERS.add(Mutex::default())
}

/// `zmq_timers_destroy`: ends a list of timers, and stores null in place of its handle.
///
/// # Safety
/// `timers` must be null, or valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_timers_destroy(timers: *mut *mut c_void) -> c_int {
    // SAFETY: As promised by the caller.
    status(unsafe { TIMERS.destroy(timers) })
}

/// `zmq_timers_add`: adds a timer that calls `handler` every `interval` milliseconds. Returns its number.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_add(
    timers: *mut c_void,
    interval: usize,
    handler: Option<Handler>,
    argument: *mut c_void,
) -> c_int {
    number(find(timers).and_then(|timers| {
        let handler = handler.ok_or(Errno::FAULT)?;
        let interval = Duration::from_millis(interval as u64);
        let due = Instant::now().checked_add(interval).ok_or(Errno::INVALID)?;
        let mut timers = lock(&timers);
        timers.next_id = timers.next_id.checked_add(1).ok_or(Errno::NO_MEMORY)?;
        let id = timers.next_id;
        timers.timers.push(Timer { id, interval, due, handler, argument: argument.expose_provenance() });
        Ok(id)
    }))
}

/// `zmq_timers_cancel`: removes a timer.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_cancel(timers: *mut c_void, timer: c_int) -> c_int {
    status(find(timers).and_then(|timers| {
        let timers = &mut lock(&timers).timers;
        let index = timers.iter().position(|known| known.id == timer).ok_or(Errno::INVALID)?;
        timers.remove(index);
        Ok(())
    }))
}

/// `zmq_timers_set_interval`: changes the interval of a timer, which begins now.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_set_interval(timers: *mut c_void, timer: c_int, interval: usize) -> c_int {
    with(timers, timer, |timer| {
        timer.interval = Duration::from_millis(interval as u64);
        timer.due = Instant::now() + timer.interval;
    })
}

/// `zmq_timers_reset`: begins the interval of a timer again.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_reset(timers: *mut c_void, timer: c_int) -> c_int {
    with(timers, timer, |timer| timer.due = Instant::now() + timer.interval)
}

/// `zmq_timers_timeout`: returns the milliseconds until the next timer is due; -1 without timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_timeout(timers: *mut c_void) -> c_long {
    let next = find(timers).map(|timers| lock(&timers).timers.iter().map(|timer| timer.due).min());
    match next {
        Ok(Some(due)) => {
            let left = due.saturating_duration_since(Instant::now());
            // Rounded up, because a timer is not due before its time.
            c_long::try_from(left.as_micros().div_ceil(1000)).unwrap_or(c_long::MAX)
        }
        Ok(None) => -1,
        Err(error) => {
            error.store();
            -1
        }
    }
}

/// `zmq_timers_execute`: calls the functions of the timers that are due, which may add and remove timers.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_timers_execute(timers: *mut c_void) -> c_int {
    status(find(timers).map(|timers| {
        let now = Instant::now();
        // The next time of each timer is after `now`, so each is called once, unless its interval is zero.
        let count = lock(&timers).timers.len();
        for _ in 0..count {
            let Some(timer) = lock(&timers).next_due(now) else { break };
            // SAFETY: C code has given the function for this call. The lock is released meanwhile.
            unsafe { (timer.handler)(timer.id, ptr::with_exposed_provenance_mut(timer.argument)) };
        }
    }))
}
