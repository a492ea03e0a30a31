//! `zmq_poll`, and the waiting of `zmq_poller_wait`.

use crate::errno::{Errno, number};
use crate::readiness::{self, POLLIN, POLLOUT};
use crate::socket::{self, Socket};
use core::ffi::{c_int, c_long, c_short, c_void};
use core::time::Duration;
use sansmq::mio::{PollItem, poll};
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

const POLLERR: c_short = 4;
const POLLPRI: c_short = 8;

/// `zmq_pollitem_t` of C.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Debug)]
#[repr(C)]
pub struct zmq_pollitem_t {
    socket: *mut c_void,
    fd: c_int,
    events: c_short,
    revents: c_short,
}

/// A socket or a descriptor to wait for.
#[derive(Debug)]
pub(crate) enum Item {
    Socket(Arc<Socket>, c_short),
    Descriptor(c_int, c_short),
}

impl Item {
    /// Returns the requested events that are ready.
    ///
    /// # Errors
    /// `ETERM` if the context of the socket is terminated.
    pub(crate) fn ready(&self) -> Result<c_short, Errno> {
        match self {
            Self::Socket(socket, events) => {
                socket.context.check_open()?;
                let ready = c_short::try_from(readiness::ready(socket)).unwrap_or(0);
                Ok(ready & events)
            }
            Self::Descriptor(descriptor, events) => descriptor_events(*descriptor, *events),
        }
    }
}

/// Events of libzmq, and those of `poll` of the operating system.
const EVENTS: [(c_short, c_short); 3] =
    [(POLLIN_SHORT, libc::POLLIN), (POLLOUT_SHORT, libc::POLLOUT), (POLLPRI, libc::POLLPRI)];

/// Returns the requested events of a descriptor, by `poll` of the operating system.
fn descriptor_events(descriptor: c_int, events: c_short) -> Result<c_short, Errno> {
    let mut polled = libc::pollfd { fd: descriptor, events: 0, revents: 0 };
    for (ours, system) in EVENTS {
        if events & ours != 0 {
            polled.events |= system;
        }
    }
    // SAFETY: The pointer is valid for one element.
    if unsafe { libc::poll(&raw mut polled, 1, 0) } < 0 {
        return Err(Errno::stored());
    }
    let mut ready = 0;
    for (ours, system) in EVENTS {
        if polled.revents & system != 0 {
            ready |= ours;
        }
    }
    if polled.revents & !(libc::POLLIN | libc::POLLOUT | libc::POLLPRI) != 0 {
        ready |= POLLERR;
    }
    Ok(ready)
}

const POLLIN_SHORT: c_short = 1;
const POLLOUT_SHORT: c_short = 2;

/// Waits until an item is ready, and stores the ready events of each in `ready`. Returns the number of ready items.
///
/// # Errors
/// `ETERM`, and `EINTR` after a signal.
pub(crate) fn wait(items: &[Item], ready: &mut Vec<c_short>, timeout: Option<Duration>) -> Result<usize, Errno> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        ready.clear();
        for item in items {
            ready.push(item.ready()?);
        }
        let count = ready.iter().filter(|&&events| events != 0).count();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if count > 0 || left.is_some_and(|left| left.is_zero()) {
            return Ok(count);
        }
        block(items, left)?;
    }
}

/// Waits until an item may be ready.
fn block(items: &[Item], timeout: Option<Duration>) -> Result<(), Errno> {
    let descriptors: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            Item::Descriptor(descriptor, events) if *descriptor >= 0 => {
                // SAFETY: The descriptor is used during the call only, and C code must keep it open meanwhile.
                Some((unsafe { BorrowedFd::borrow_raw(*descriptor) }, *events))
            }
            Item::Descriptor(..) | Item::Socket(..) => None,
        })
        .collect();
    let mut polled = Vec::with_capacity(items.len());
    for item in items {
        let Item::Socket(socket, events) = item else { continue };
        // A socket that cannot send is always ready here, because `send` returns at once, and never in libzmq.
        if events & POLLIN_SHORT != 0 && socket.kind.can_receive() {
            polled.push(PollItem::readable(socket.handle()));
        }
        if events & POLLOUT_SHORT != 0 && socket.kind.can_send() {
            polled.push(PollItem::writable(socket.handle()));
        }
    }
    for (descriptor, events) in &descriptors {
        if events & POLLOUT_SHORT != 0 {
            polled.push(PollItem::output(descriptor));
        }
        if events & !POLLOUT_SHORT != 0 {
            polled.push(PollItem::input(descriptor));
        }
    }
    match poll(&mut polled, timeout) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Errno::INTERRUPTED),
        Err(error) => Err(Errno(error.raw_os_error().unwrap_or(libc::EINVAL))),
    }
}

/// Returns the time of a timeout in milliseconds, in which -1 means no limit.
pub(crate) fn time_of(millis: c_long) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn poll_items(items: &mut [zmq_pollitem_t], timeout: Option<Duration>) -> Result<c_int, Errno> {
    let to_wait = items
        .iter()
        .map(|item| {
            if item.socket.is_null() {
                return Ok(Item::Descriptor(item.fd, item.events));
            }
            Ok(Item::Socket(socket::find(item.socket)?, item.events))
        })
        .collect::<Result<Vec<_>, Errno>>()?;
    let mut ready = Vec::with_capacity(items.len());
    let count = wait(&to_wait, &mut ready, timeout)?;
    for (item, events) in items.iter_mut().zip(ready) {
        item.revents = events;
    }
    Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
}

/// `zmq_poll`: waits until a socket or descriptor is ready, for at most `timeout` milliseconds; -1 for no limit.
///
/// # Safety
/// `items` must be null, or point to `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int {
    number(match usize::try_from(count) {
        Ok(0) => poll_items(&mut [], time_of(timeout)),
        Ok(_) if items.is_null() => Err(Errno::FAULT),
        // SAFETY: As promised by the caller.
        Ok(count) => poll_items(unsafe { core::slice::from_raw_parts_mut(items, count) }, time_of(timeout)),
        Err(_) => Err(Errno::INVALID),
    })
}

/// `zmq_ppoll`: waits as `zmq_poll` does, with other signals blocked meanwhile.
///
/// # Safety
/// As [`zmq_poll`], and `mask` must be null, or point to a set of signals.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ppoll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
    mask: *const c_void,
) -> c_int {
    let Some(mask) = core::ptr::NonNull::new(mask.cast_mut().cast::<libc::sigset_t>()) else {
        // SAFETY: As promised by the caller.
        return unsafe { zmq_poll(items, count, timeout) };
    };
    // SAFETY: A set of signals is plain data.
    let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: Both pointers are valid.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), &raw mut before) };
    // SAFETY: As promised by the caller.
    let result = unsafe { zmq_poll(items, count, timeout) };
    let error = Errno::stored();
    // SAFETY: The pointer is valid; the present set is not returned.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, core::ptr::null_mut()) };
    error.store();
    result
}

const _: () = assert!(POLLIN == POLLIN_SHORT as c_int && POLLOUT == POLLOUT_SHORT as c_int);
