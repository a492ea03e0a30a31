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
    pub(crate) socket: *mut c_void,
    pub(crate) fd: c_int,
    pub(crate) events: c_short,
    pub(crate) revents: c_short,
}

/// A socket or a descriptor to wait for.
#[derive(Debug)]
pub(crate) enum Item {
    Socket(Arc<Socket>, c_short),
    Descriptor(c_int, c_short),
}

impl Item {
    /// Returns true if C code waits for no event.
    pub(crate) const fn has_no_events(&self) -> bool {
        matches!(self, Self::Socket(_, 0) | Self::Descriptor(_, 0))
    }

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

/// Returns the events for `poll` of the operating system.
fn system_events(events: c_short) -> c_short {
    EVENTS.iter().filter(|(ours, _)| events & ours != 0).fold(0, |sum, (_, system)| sum | system)
}

/// Returns the requested events of a descriptor, by `poll` of the operating system.
fn descriptor_events(descriptor: c_int, events: c_short) -> Result<c_short, Errno> {
    let mut polled = libc::pollfd { fd: descriptor, events: system_events(events), revents: 0 };
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
    wait_by(items, ready, timeout, |left| block(items, left))
}

/// Does the same as [`wait`]. `block` waits until an item may be ready, for at most the time of its argument.
fn wait_by(
    items: &[Item],
    ready: &mut Vec<c_short>,
    timeout: Option<Duration>,
    mut block: impl FnMut(Option<Duration>) -> Result<(), Errno>,
) -> Result<usize, Errno> {
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
        block(left)?;
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

/// Waits as `zmq_poll` does. `wait` is [`wait`], or does the same.
fn poll_items(
    items: &mut [zmq_pollitem_t],
    wait: impl FnOnce(&[Item], &mut Vec<c_short>) -> Result<usize, Errno>,
) -> Result<c_int, Errno> {
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
    let count = wait(&to_wait, &mut ready)?;
    for (item, events) in items.iter_mut().zip(ready) {
        item.revents = events;
    }
    Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
}

/// Returns the items in the memory of C code.
///
/// # Errors
/// `EFAULT`, and `EINVAL` for a negative number.
///
/// # Safety
/// `items` must be null, or point to `count` elements that nothing else uses during `'a`.
unsafe fn items_at<'a>(items: *mut zmq_pollitem_t, count: c_int) -> Result<&'a mut [zmq_pollitem_t], Errno> {
    match usize::try_from(count) {
        Ok(0) => Ok(&mut []),
        Ok(_) if items.is_null() => Err(Errno::FAULT),
        // SAFETY: As promised by the caller.
        Ok(count) => Ok(unsafe { core::slice::from_raw_parts_mut(items, count) }),
        Err(_) => Err(Errno::INVALID),
    }
}

/// `zmq_poll`: waits until a socket or descriptor is ready, for at most `timeout` milliseconds; -1 for no limit.
///
/// # Safety
/// `items` must be null, or point to `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poll(items: *mut zmq_pollitem_t, count: c_int, timeout: c_long) -> c_int {
    // SAFETY: As promised by the caller.
    let items = unsafe { items_at(items, count) };
    number(items.and_then(|items| poll_items(items, |items, ready| wait(items, ready, time_of(timeout)))))
}

/// `zmq_ppoll`: waits as `zmq_poll` does. While it waits, the signals in `mask` are blocked instead of those that the thread blocks.
///
/// # Safety
/// As [`zmq_poll`], and `mask` must be null, or point to a set of signals.
// libzmq has it where the operating system has `ppoll`, which changes the signals and waits in one step.
#[cfg(not(target_vendor = "apple"))]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ppoll(
    items: *mut zmq_pollitem_t,
    count: c_int,
    timeout: c_long,
    mask: *const c_void,
) -> c_int {
    // SAFETY: As promised by the caller.
    let Some(mask) = (unsafe { mask.cast::<libc::sigset_t>().as_ref() }) else {
        // SAFETY: As promised by the caller.
        return unsafe { zmq_poll(items, count, timeout) };
    };
    // SAFETY: As promised by the caller.
    let items = unsafe { items_at(items, count) };
    number(items.and_then(|items| {
        poll_items(items, |items, ready| {
            let mut polled = descriptors(items)?;
            wait_by(items, ready, time_of(timeout), |left| block_with(&mut polled, items, left, mask))
        })
    }))
}

/// Returns the descriptors to poll: that of `ZMQ_FD` for each socket.
#[cfg(not(target_vendor = "apple"))]
fn descriptors(items: &[Item]) -> Result<Vec<libc::pollfd>, Errno> {
    let descriptor = |item: &Item| {
        Ok(match item {
            Item::Socket(socket, _) => {
                libc::pollfd { fd: socket.readiness.descriptor(socket)?, events: libc::POLLIN, revents: 0 }
            }
            Item::Descriptor(descriptor, events) => {
                libc::pollfd { fd: *descriptor, events: system_events(*events), revents: 0 }
            }
        })
    };
    items.iter().map(descriptor).collect()
}

/// Waits until an item may be ready, with the signals in `mask` blocked.
#[cfg(not(target_vendor = "apple"))]
fn block_with(
    polled: &mut [libc::pollfd],
    items: &[Item],
    timeout: Option<Duration>,
    mask: &libc::sigset_t,
) -> Result<(), Errno> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    let count = libc::nfds_t::try_from(polled.len()).map_err(|_| Errno::INVALID)?;
    // SAFETY: Each pointer is null or valid during the call, the first for as many elements.
    if unsafe { libc::ppoll(polled.as_mut_ptr(), count, timeout, mask) } < 0 {
        return Err(Errno::stored());
    }
    for item in items {
        if let Item::Socket(socket, _) = item {
            // Prepares the descriptor for the next change.
            readiness::events(socket);
        }
    }
    Ok(())
}

const _: () = assert!(POLLIN == POLLIN_SHORT as c_int && POLLOUT == POLLOUT_SHORT as c_int);
