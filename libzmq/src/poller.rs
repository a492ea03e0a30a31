//! `zmq_poller_new` and the functions of pollers.

use crate::errno::{Errno, number, status};
use crate::handles::Table;
use crate::options::is_thread_safe;
use crate::poll::{Item, time_of, wait};
#[cfg(target_os = "linux")]
use crate::readiness::events;
use crate::socket::{self, Socket};
use core::ffi::{c_int, c_long, c_short, c_void};
use core::ptr;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static POLLERS: Table<Mutex<Poller>> = Table::new();

/// Sockets and descriptors that C code waits for together.
#[derive(Debug, Default)]
struct Poller {
    registrations: Vec<Registration>,
    /// Descriptor of `zmq_poller_fd`, if C code has asked for it: an `epoll` of the descriptors of the sockets.
    #[cfg(target_os = "linux")]
    descriptor: Option<OwnedFd>,
}

#[derive(Debug)]
struct Registration {
    target: Target,
    item: Item,
    /// Address that C code has given for its own use.
    user_data: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Handle of a socket.
    Socket(usize),
    Descriptor(c_int),
}

impl Target {
    /// # Errors
    /// `ENOTSOCK` or `EBADF`.
    fn check(self) -> Result<(), Errno> {
        match self {
            Self::Socket(handle) => socket::find(ptr::without_provenance(handle)).map(drop),
            Self::Descriptor(descriptor) if descriptor < 0 => Err(Errno(libc::EBADF)),
            Self::Descriptor(_) => Ok(()),
        }
    }
}

/// `zmq_poller_event_t` of C.
#[allow(non_camel_case_types, reason = "the name in C")]
#[derive(Debug)]
#[repr(C)]
pub struct zmq_poller_event_t {
    socket: *mut c_void,
    fd: c_int,
    user_data: *mut c_void,
    events: c_short,
}

impl Registration {
    /// Returns the socket, if several threads may use it.
    fn shared_socket(&self) -> Option<&Arc<Socket>> {
        match &self.item {
            Item::Socket(socket, _) if is_thread_safe(socket.kind) => Some(socket),
            Item::Socket(..) | Item::Descriptor(..) => None,
        }
    }

    fn event(&self, events: c_short) -> zmq_poller_event_t {
        let (socket, fd) = match self.target {
            Target::Socket(handle) => (ptr::without_provenance_mut(handle), -1),
            Target::Descriptor(descriptor) => (ptr::null_mut(), descriptor),
        };
        zmq_poller_event_t { socket, fd, user_data: ptr::with_exposed_provenance_mut(self.user_data), events }
    }
}

fn find(poller: *const c_void) -> Result<Arc<Mutex<Poller>>, Errno> {
    POLLERS.get(poller).ok_or(Errno::FAULT)
}

fn lock(poller: &Mutex<Poller>) -> MutexGuard<'_, Poller> {
    poller.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what waits for a target.
fn item(target: Target, events: c_short) -> Result<Item, Errno> {
    const ALL: c_short = 15;
    if events & !ALL != 0 {
        return Err(Errno::INVALID);
    }
    target.check()?;
    match target {
        Target::Socket(handle) => Ok(Item::Socket(socket::find(ptr::without_provenance(handle))?, events)),
        Target::Descriptor(descriptor) => Ok(Item::Descriptor(descriptor, events)),
    }
}

fn add(poller: *const c_void, target: Target, user_data: *mut c_void, events: c_short) -> Result<(), Errno> {
    let poller = find(poller)?;
    let item = item(target, events)?;
    let mut poller = lock(&poller);
    if poller.registrations.iter().any(|known| known.target == target) {
        return Err(Errno::INVALID);
    }
    poller.registrations.push(Registration { target, item, user_data: user_data.expose_provenance() });
    poller.watch()
}

fn modify(poller: *const c_void, target: Target, events: c_short) -> Result<(), Errno> {
    let poller = find(poller)?;
    let item = item(target, events)?;
    let mut poller = lock(&poller);
    let known = poller.registrations.iter_mut().find(|known| known.target == target).ok_or(Errno::INVALID)?;
    known.item = item;
    Ok(())
}

fn remove(poller: *const c_void, target: Target) -> Result<(), Errno> {
    let poller = find(poller)?;
    target.check()?;
    let mut poller = lock(&poller);
    let index = poller.registrations.iter().position(|known| known.target == target).ok_or(Errno::INVALID)?;
    let removed = poller.registrations.remove(index);
    poller.unwatch(&removed);
    Ok(())
}

/// `zmq_poller_new`: creates a poller.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_new() -> *mut c_void {
    POLLERS.add(Mutex::default())
}

/// `zmq_poller_destroy`: ends a poller, and stores null in place of its handle.
///
/// # Safety
/// `poller` must be null, or valid for reads and writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_destroy(poller: *mut *mut c_void) -> c_int {
    // SAFETY: As promised by the caller.
    status(unsafe { POLLERS.destroy(poller) })
}

/// `zmq_poller_size`: returns the number of sockets and descriptors.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_size(poller: *mut c_void) -> c_int {
    number(find(poller).map(|poller| c_int::try_from(lock(&poller).registrations.len()).unwrap_or(c_int::MAX)))
}

/// `zmq_poller_add`: adds a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_add(
    poller: *mut c_void,
    socket: *mut c_void,
    user_data: *mut c_void,
    events: c_short,
) -> c_int {
    status(add(poller, Target::Socket(socket.addr()), user_data, events))
}

/// `zmq_poller_modify`: changes the events of a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_modify(poller: *mut c_void, socket: *mut c_void, events: c_short) -> c_int {
    status(modify(poller, Target::Socket(socket.addr()), events))
}

/// `zmq_poller_remove`: removes a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_remove(poller: *mut c_void, socket: *mut c_void) -> c_int {
    status(remove(poller, Target::Socket(socket.addr())))
}

/// `zmq_poller_add_fd`: adds a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_add_fd(poller: *mut c_void, fd: c_int, user_data: *mut c_void, events: c_short) -> c_int {
    status(add(poller, Target::Descriptor(fd), user_data, events))
}

/// `zmq_poller_modify_fd`: changes the events of a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_modify_fd(poller: *mut c_void, fd: c_int, events: c_short) -> c_int {
    status(modify(poller, Target::Descriptor(fd), events))
}

/// `zmq_poller_remove_fd`: removes a descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_poller_remove_fd(poller: *mut c_void, fd: c_int) -> c_int {
    status(remove(poller, Target::Descriptor(fd)))
}

/// `zmq_poller_fd`: stores a descriptor that becomes readable when a socket of the poller may be ready, until the next
/// `zmq_poller_wait`. As in libzmq, the poller must have a socket that several threads may use; of other sockets, and of descriptors,
/// it does not notify.
///
/// # Safety
/// `fd` must be null, or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_fd(poller: *mut c_void, fd: *mut c_int) -> c_int {
    status(find(poller).and_then(|poller| {
        if fd.is_null() {
            return Err(Errno::FAULT);
        }
        let descriptor = lock(&poller).descriptor()?;
        // SAFETY: As promised by the caller.
        unsafe { fd.write(descriptor) };
        Ok(())
    }))
}

#[cfg(target_os = "linux")]
impl Poller {
    fn descriptor(&mut self) -> Result<c_int, Errno> {
        if !self.registrations.iter().any(|known| known.shared_socket().is_some()) {
            return Err(Errno::INVALID);
        }
        if self.descriptor.is_none() {
            // SAFETY: The call takes no pointer.
            let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
            if descriptor < 0 {
                return Err(Errno::stored());
            }
            // SAFETY: The descriptor is new, and nothing else owns it.
            self.descriptor = Some(unsafe { OwnedFd::from_raw_fd(descriptor) });
            self.watch()?;
        }
        self.descriptor.as_ref().map(AsRawFd::as_raw_fd).ok_or(Errno::INVALID)
    }

    /// Adds the descriptors of the sockets to that of the poller.
    fn watch(&self) -> Result<(), Errno> {
        let Some(descriptor) = &self.descriptor else { return Ok(()) };
        for socket in self.registrations.iter().filter_map(Registration::shared_socket) {
            let watched = socket.readiness.descriptor(socket)?;
            let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: 0 };
            // A descriptor that is watched already stays so.
            // SAFETY: Both descriptors are open, and the pointer is valid during the call.
            unsafe { libc::epoll_ctl(descriptor.as_raw_fd(), libc::EPOLL_CTL_ADD, watched, &raw mut event) };
        }
        Ok(())
    }

    fn unwatch(&self, removed: &Registration) {
        if let Some(descriptor) = &self.descriptor
            && let Some(socket) = removed.shared_socket()
            && let Ok(watched) = socket.readiness.descriptor(socket)
        {
            // SAFETY: Both descriptors are open; the call needs no event.
            unsafe { libc::epoll_ctl(descriptor.as_raw_fd(), libc::EPOLL_CTL_DEL, watched, ptr::null_mut()) };
        }
    }

    /// Makes the descriptor unreadable until the next change of a socket.
    fn rearm(&self) {
        if self.descriptor.is_some() {
            self.registrations.iter().filter_map(Registration::shared_socket).for_each(|socket| _ = events(socket));
        }
    }
}

/// Only Linux has `epoll`.
#[cfg(not(target_os = "linux"))]
impl Poller {
    fn descriptor(&mut self) -> Result<c_int, Errno> {
        Err(Errno::INVALID)
    }

    fn watch(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn unwatch(&self, _: &Registration) {}

    fn rearm(&self) {}
}

/// `zmq_poller_wait`: waits until a socket or descriptor is ready, and stores its event.
///
/// # Safety
/// `event` must be null, or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait(
    poller: *mut c_void,
    event: *mut zmq_poller_event_t,
    timeout: c_long,
) -> c_int {
    // SAFETY: As promised by the caller.
    let count = unsafe { zmq_poller_wait_all(poller, event, 1, timeout) };
    if count < 0 { count } else { 0 }
}

/// `zmq_poller_wait_all`: waits until a socket or descriptor is ready, and stores the events of at most `count`. Returns their
/// number.
///
/// # Safety
/// `events` must be null, or valid for writes of `count` elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_poller_wait_all(
    poller: *mut c_void,
    events: *mut zmq_poller_event_t,
    count: c_int,
    timeout: c_long,
) -> c_int {
    number(find(poller).and_then(|poller| {
        let room = usize::try_from(count).map_err(|_| Errno::INVALID)?;
        if events.is_null() {
            return Err(Errno::FAULT);
        }
        let timeout = time_of(timeout);
        // The sockets are found again at each call, so that the poller can change while it waits.
        let (items, targets): (Vec<_>, Vec<_>) = {
            let poller = lock(&poller);
            poller.rearm();
            let items = poller.registrations.iter().map(|known| match &known.item {
                Item::Socket(socket, events) => (Item::Socket(Arc::clone(socket), *events), known.event(0)),
                Item::Descriptor(descriptor, events) => (Item::Descriptor(*descriptor, *events), known.event(0)),
            });
            items.unzip()
        };
        if timeout.is_none() && items.iter().all(Item::has_no_events) {
            // The call would never return.
            return Err(Errno::FAULT);
        }
        let mut ready = Vec::new();
        wait(&items, &mut ready, timeout)?;
        let found = targets.into_iter().zip(ready).filter(|(_, events)| *events != 0);
        let mut stored = 0;
        for (mut event, ready) in found.take(room) {
            event.events = ready;
            // SAFETY: The array has `room` elements, and `stored` is less.
            unsafe { events.wrapping_add(stored).write(event) };
            stored += 1;
        }
        if stored == 0 { Err(Errno::AGAIN) } else { Ok(c_int::try_from(stored).unwrap_or(c_int::MAX)) }
    }))
}
