//! [`Socket`]: what `zmq_socket` creates.

use crate::context::{self, Context, ContextOptions};
use crate::endpoint;
use crate::errno::{Errno, number, pointer, status};
use crate::handles::{Table, new_handle, to_pointer};
use crate::io_thread::IoThread;
use crate::memory;
use crate::monitor::SocketMonitor;
use crate::options::Values;
use crate::readiness::{POLLOUT, Readiness};
use crate::unread::Unread;
use core::cell::Cell;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use core::time::Duration;
use sansmq::kind::Any;
use sansmq::mio::{self, StdListener};
use sansmq::{Endpoint, Frame, Handle, Options, SocketOption, SocketType};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sockets that are not closed, by their handles.
static SOCKETS: Table<Socket> = Table::new();

/// A socket of C code.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) blocking: mio::Socket<Any>,
    pub(crate) kind: SocketType,
    pub(crate) context: Arc<Context>,
    is_closed: AtomicBool,
    /// True if `frames` has frames, so that most calls need not lock them.
    pub(crate) is_sending: AtomicBool,
    /// True if C code has received a part of a message.
    pub(crate) is_receiving: AtomicBool,
    /// True if frames wait for C code.
    pub(crate) has_unread: AtomicBool,
    pub(crate) frames: Mutex<Frames>,
    /// `ZMQ_SNDTIMEO` and `ZMQ_RCVTIMEO`.
    pub(crate) send_timeout: AtomicI32,
    pub(crate) recv_timeout: AtomicI32,
    state: Mutex<State>,
    pub(crate) readiness: Readiness,
}

/// Frames between C code, which sends and receives one at a time, and the socket.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Frames of a message of which C code has sent a part.
    pub(crate) outgoing: Vec<Frame>,
    pub(crate) unread: Unread,
}

/// Settings of a socket that its calls seldom need.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) values: Values,
    /// Bound endpoints, by the text that was given to `zmq_bind`.
    bound: BTreeMap<String, Endpoint>,
    pub(crate) last_endpoint: String,
    /// True if the address of the SOCKS proxy is not one.
    pub(crate) has_unusable_proxy: bool,
    /// True after the first `bind` or `connect`, from which on the options of security are fixed.
    pub(crate) has_endpoints: bool,
    pub(crate) monitor: Option<SocketMonitor>,
}

impl Socket {
    fn new(
        context: Arc<Context>,
        socket_type: SocketType,
        thread: &IoThread,
        defaults: ContextOptions,
    ) -> Result<Self, Errno> {
        let mut values = Values::new(socket_type);
        if !defaults.blocky {
            values.set_linger_zero();
        }
        if defaults.ipv6 {
            values.set_ipv6();
        }
        let mut options = Options::of(socket_type);
        for option in values.initial() {
            if option.exists_for(socket_type) {
                options = options.set(option)?;
            }
        }
        let handle: Handle<Any> = thread.remote.socket_in(&context.registry, options);
        Ok(Self {
            blocking: handle.into(),
            kind: socket_type,
            context,
            is_closed: AtomicBool::new(false),
            is_sending: AtomicBool::new(false),
            is_receiving: AtomicBool::new(false),
            has_unread: AtomicBool::new(false),
            frames: Mutex::default(),
            send_timeout: AtomicI32::new(-1),
            recv_timeout: AtomicI32::new(-1),
            state: Mutex::new(State { values, ..State::default() }),
            readiness: Readiness::default(),
        })
    }

    pub(crate) fn handle(&self) -> &Handle<Any> {
        self.blocking.handle()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn frames(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to close the socket. Queued messages are sent until the linger time expires.
    pub(crate) fn shut_down(&self) {
        if self.handle().is_inherited() {
            self.handle().abandon();
            return;
        }
        let linger = self.state().values.linger().unwrap_or(Duration::MAX);
        // The socket closes without the future.
        drop(self.handle().close_within(linger));
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.shut_down();
        let monitor = self.state().monitor.take();
        drop(monitor);
        self.readiness.close();
    }

    /// Applies options that depend on each other before the first endpoint fixes them.
    fn prepare(&self, state: &mut State) -> Result<(), Errno> {
        if !state.has_endpoints {
            self.apply(state.values.security()?)?;
        }
        state.has_endpoints = true;
        Ok(())
    }

    /// Sets an option, unless sockets of this type do not have it.
    pub(crate) fn apply(&self, option: SocketOption) -> Result<(), Errno> {
        if option.exists_for(self.kind) {
            self.handle().set_option(option)?;
        }
        Ok(())
    }

    fn bind(&self, text: &str) -> Result<(), Errno> {
        let endpoint = endpoint::parse(text)?;
        let descriptor = {
            let mut state = self.state();
            self.prepare(&mut state)?;
            state.values.take_descriptor()
        };
        let bound = match descriptor {
            Some(descriptor) => self.blocking.bind_listener(duplicate(descriptor, &endpoint)?)?,
            None => self.blocking.bind(endpoint)?,
        };
        let mut state = self.state();
        state.last_endpoint = bound.to_string();
        state.bound.insert(text.to_owned(), bound);
        Ok(())
    }

    fn connect(&self, text: &str) -> Result<(), Errno> {
        let endpoint = endpoint::parse(text)?;
        let mut state = self.state();
        if state.has_unusable_proxy {
            return Err(Errno::INVALID);
        }
        self.prepare(&mut state)?;
        match state.values.take_connect_id() {
            Some(id) if matches!(self.kind, SocketType::Router | SocketType::Stream) => {
                self.handle().connect_as(endpoint, id)?;
            }
            _ => self.blocking.connect(endpoint)?,
        }
        text.clone_into(&mut state.last_endpoint);
        Ok(())
    }

    /// Ends a `bind` or `connect`: the functions of libzmq for both do the same.
    fn end(&self, text: &str) -> Result<(), Errno> {
        let endpoint = endpoint::parse(text)?;
        if text.contains('*') {
            // A wildcard is not the address of a listener.
            return Err(Errno::NO_ENTRY);
        }
        let bound = {
            let mut state = self.state();
            let known = state.bound.get(text).cloned();
            let bound = known.unwrap_or_else(|| endpoint.clone());
            state.bound.retain(|_, known| *known != bound);
            bound
        };
        match self.blocking.unbind(bound).map_err(Errno::from) {
            Err(Errno::NO_ENTRY) => Ok(self.blocking.disconnect(endpoint)?),
            ended => ended,
        }
    }
}

/// Returns a listener for a descriptor that C code has given by `ZMQ_USE_FD`.
fn duplicate(descriptor: c_int, endpoint: &Endpoint) -> Result<StdListener, Errno> {
    if descriptor < 0 {
        return Err(Errno::INVALID);
    }
    // SAFETY: The descriptor is only borrowed for the duplication, which fails if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let owned = borrowed.try_clone_to_owned().map_err(|_| Errno(libc::EBADF))?;
    Ok(match endpoint {
        Endpoint::Ipc(_) => std::os::unix::net::UnixListener::from(owned).into(),
        _ => std::net::TcpListener::from(owned).into(),
    })
}

/// A socket and its handle.
type Recent = Option<(usize, Arc<Socket>)>;

thread_local! {
    /// Sockets that the current thread has used last, so that most calls need neither the lock of the table nor a counter that
    /// threads share.
    static RECENT: [Cell<Recent>; 4] = const { [const { Cell::new(None) }; 4] };
    static OLDEST: Cell<usize> = const { Cell::new(0) };
}

/// Calls `work` with the socket that has this handle.
///
/// # Errors
/// `ENOTSOCK` if there is none, and the errors of `work`.
pub(crate) fn with<R>(handle: *const c_void, work: impl FnOnce(&Arc<Socket>) -> Result<R, Errno>) -> Result<R, Errno> {
    let key = handle.addr();
    let kept = RECENT.try_with(|recent| {
        recent.iter().enumerate().find_map(|(index, cell)| {
            // The socket is taken out while it is used, because the work may call this function again.
            let (known, socket) = cell.take()?;
            if known == key {
                // A closed socket is forgotten: its handle may be that of a new one.
                return (!socket.is_closed.load(Ordering::Acquire)).then_some((index, (known, socket)));
            }
            cell.set(Some((known, socket)));
            None
        })
    });
    let (index, socket) = match kept {
        Ok(Some((index, (_, socket)))) => (Some(index), socket),
        Ok(None) => {
            let socket = SOCKETS.get(handle).ok_or(Errno::NOT_A_SOCKET)?;
            let index = OLDEST.try_with(|oldest| oldest.replace((oldest.get() + 1) % 4)).ok();
            (index, socket)
        }
        // The thread ends.
        Err(_) => (None, SOCKETS.get(handle).ok_or(Errno::NOT_A_SOCKET)?),
    };
    if socket.is_closed.load(Ordering::Acquire) {
        return Err(Errno::NOT_A_SOCKET);
    }
    let result = work(&socket);
    if let Some(index) = index
        && !socket.is_closed.load(Ordering::Acquire)
    {
        let _ = RECENT.try_with(|recent| recent[index].set(Some((key, socket))));
    }
    result
}

/// Calls `work` with the socket that has this handle, if its context is not terminated.
///
/// # Errors
/// `ENOTSOCK`, `ETERM`, and the errors of `work`.
pub(crate) fn with_open<R>(
    handle: *const c_void,
    work: impl FnOnce(&Arc<Socket>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    with(handle, |socket| {
        socket.context.check_open()?;
        work(socket)
    })
}

/// Returns the socket with this handle, for longer than a call.
pub(crate) fn find(handle: *const c_void) -> Result<Arc<Socket>, Errno> {
    SOCKETS.get(handle).ok_or(Errno::NOT_A_SOCKET)
}

/// Returns the socket type with a number of C, such as `ZMQ_PUB`.
fn type_of(number: c_int) -> Option<SocketType> {
    use SocketType::{
        Channel, Client, Dealer, Dish, Gather, Pair, Peer, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server,
        Stream, Sub, XPub, XSub,
    };
    const TYPES: [Option<SocketType>; 21] = [
        Some(Pair),
        Some(Pub),
        Some(Sub),
        Some(Req),
        Some(Rep),
        Some(Dealer),
        Some(Router),
        Some(Pull),
        Some(Push),
        Some(XPub),
        Some(XSub),
        Some(Stream),
        Some(Server),
        Some(Client),
        Some(Radio),
        Some(Dish),
        Some(Gather),
        Some(Scatter),
        // DGRAM, which needs UDP.
        None,
        Some(Peer),
        Some(Channel),
    ];
    TYPES.get(usize::try_from(number).ok()?).copied().flatten()
}

/// Returns the number of a socket type in C.
pub(crate) fn number_of(socket_type: SocketType) -> c_int {
    (0..=20).find(|&number| type_of(number) == Some(socket_type)).unwrap_or(-1)
}

/// Creates a socket and returns its handle.
pub(crate) fn create(context: &Arc<Context>, socket_type: SocketType) -> Result<*mut c_void, Errno> {
    let handle = new_handle();
    let owner = Arc::clone(context);
    let socket = context.add_socket(handle, |thread, defaults| Socket::new(owner, socket_type, thread, defaults))?;
    SOCKETS.insert(handle, socket);
    Ok(to_pointer(handle))
}

/// Closes the socket with this handle.
pub(crate) fn close(handle: *mut c_void) -> Result<(), Errno> {
    let socket = SOCKETS.remove(handle).ok_or(Errno::NOT_A_SOCKET)?;
    socket.close();
    socket.context.remove_socket(handle.addr());
    // The caches of other threads may keep the socket in memory, but it is closed.
    let _ = RECENT.try_with(|recent| {
        for cell in recent {
            let entry = cell.take().filter(|(known, _)| *known != handle.addr());
            cell.set(entry);
        }
    });
    Ok(())
}

/// `zmq_socket`: creates a socket.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_socket(context: *mut c_void, socket_type: c_int) -> *mut c_void {
    pointer(context::find(context).and_then(|context| {
        context.check_open()?;
        create(&context, type_of(socket_type).ok_or(Errno::INVALID)?)
    }))
}

/// `zmq_close`: closes a socket. Queued messages are sent in the background.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_close(socket: *mut c_void) -> c_int {
    status(close(socket))
}

/// Calls `work` with a socket and an endpoint.
///
/// # Safety
/// As [`memory::text`].
unsafe fn with_endpoint(
    socket: *mut c_void,
    endpoint: *const c_char,
    work: impl FnOnce(&Socket, &str) -> Result<(), Errno>,
) -> c_int {
    status(with_open(socket, |socket| {
        // SAFETY: The caller has promised that the text is readable.
        let endpoint = unsafe { memory::text(endpoint) }?;
        work(socket, endpoint)
    }))
}

/// `zmq_bind`: accepts peers at an endpoint.
///
/// # Safety
/// `endpoint` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_bind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_endpoint(socket, endpoint, Socket::bind) }
}

/// `zmq_connect`: connects to an endpoint.
///
/// # Safety
/// As [`zmq_bind`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_endpoint(socket, endpoint, Socket::connect) }
}

/// `zmq_unbind`: stops accepting peers at an endpoint.
///
/// # Safety
/// As [`zmq_bind`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_unbind(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_endpoint(socket, endpoint, Socket::end) }
}

/// `zmq_disconnect`: ends the connections to an endpoint.
///
/// # Safety
/// As [`zmq_bind`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_disconnect(socket: *mut c_void, endpoint: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_endpoint(socket, endpoint, Socket::end) }
}

/// `zmq_connect_peer`: connects a PEER, and returns the routing id of the new peer; 0 after an error.
///
/// # Safety
/// As [`zmq_bind`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_connect_peer(socket: *mut c_void, endpoint: *const c_char) -> u32 {
    let id = with_open(socket, |socket| {
        // SAFETY: As promised by the caller.
        let endpoint = endpoint::parse(unsafe { memory::text(endpoint) }?)?;
        if socket.kind != SocketType::Peer {
            return Err(Errno::NOT_SUPPORTED);
        }
        socket.prepare(&mut socket.state())?;
        let id = socket.handle().connect_peer(endpoint)?;
        id.as_ref().try_into().map(u32::from_be_bytes).map_err(|_| Errno::INVALID)
    });
    id.unwrap_or_else(|error| {
        error.store();
        0
    })
}

/// `zmq_socket_get_peer_state`: returns `ZMQ_POLLOUT` if the peer of a ROUTER with a routing id has room for a message, else 0.
///
/// # Safety
/// `routing_id` must be null, or valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_socket_get_peer_state(
    socket: *mut c_void,
    routing_id: *const c_void,
    len: usize,
) -> c_int {
    number(with(socket, |socket| {
        if socket.kind != SocketType::Router {
            return Err(Errno::NOT_SUPPORTED);
        }
        // SAFETY: As promised by the caller.
        let routing_id = unsafe { memory::bytes(routing_id, len) }?;
        match socket.handle().can_send_to(routing_id) {
            None => Err(Errno::HOST_UNREACHABLE),
            Some(true) => Ok(POLLOUT),
            Some(false) => Ok(0),
        }
    }))
}

/// `zmq_disconnect_peer`: ends the connection to the peer with a routing id.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_disconnect_peer(socket: *mut c_void, routing_id: u32) -> c_int {
    status(with_open(socket, |socket| Ok(socket.handle().disconnect_peer(&routing_id.to_be_bytes())?)))
}

/// Calls `work` with a DISH and a group.
///
/// # Safety
/// As [`memory::text`].
unsafe fn with_group(
    socket: *mut c_void,
    group: *const c_char,
    work: impl FnOnce(&Socket, &str) -> Result<(), Errno>,
) -> c_int {
    status(with_open(socket, |socket| {
        // SAFETY: The caller has promised that the text is readable.
        let group = unsafe { memory::text(group) }?;
        work(socket, group)
    }))
}

/// `zmq_join`: joins a group.
///
/// # Safety
/// `group` must be null, or a string that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_join(socket: *mut c_void, group: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_group(socket, group, |socket, group| Ok(socket.handle().join(group)?)) }
}

/// `zmq_leave`: leaves a group.
///
/// # Safety
/// As [`zmq_join`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_leave(socket: *mut c_void, group: *const c_char) -> c_int {
    // SAFETY: As promised by the caller.
    unsafe { with_group(socket, group, |socket, group| Ok(socket.handle().leave(group)?)) }
}
