//! [`Context`]: what `zmq_ctx_new` creates. It owns the threads of the event loops and the names of `inproc`.

use crate::errno::{Errno, number, pointer, status};
use crate::handles::Table;
use crate::io_thread::IoThread;
use crate::notify::Notify;
use crate::socket::Socket;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use sansmq::kind::Any;
use sansmq::mio::block_on_timeout;
use sansmq::{Handle, Options};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Contexts by their handles.
static CONTEXTS: Table<Context> = Table::new();

/// A context of C code.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) registry: sansmq::Context,
    state: Mutex<State>,
    is_terminated: AtomicBool,
    /// Notified when the last socket is closed.
    empty: Notify,
}

#[derive(Debug)]
struct State {
    options: ContextOptions,
    threads: Vec<IoThread>,
    /// Sockets that are not closed, by their handles.
    sockets: BTreeMap<usize, Arc<Socket>>,
}

/// Options of `zmq_ctx_set`. The limits of libzmq.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextOptions {
    io_threads: c_int,
    max_sockets: c_int,
    max_message_size: c_int,
    thread_priority: c_int,
    thread_policy: c_int,
    thread_name: c_int,
    zero_copy: c_int,
    pub(crate) ipv6: bool,
    /// False if new sockets have a linger time of zero.
    pub(crate) blocky: bool,
}

/// Number of sockets that a context has at most: `ZMQ_SOCKET_LIMIT`.
const SOCKET_LIMIT: c_int = 65_535;

impl State {
    /// Starts the threads, with the first socket as in libzmq.
    fn start_threads(&mut self) -> Result<(), Errno> {
        // Without threads, only inproc works; one thread that never has work costs little.
        let threads = usize::try_from(self.options.io_threads.max(1)).unwrap_or(1);
        if self.threads.is_empty() {
            self.threads = (0..threads).map(IoThread::start).collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

impl Context {
    fn new() -> Self {
        let options = ContextOptions {
            io_threads: 1,
            max_sockets: 1023,
            max_message_size: c_int::MAX,
            thread_priority: -1,
            thread_policy: -1,
            thread_name: 0,
            zero_copy: 1,
            ipv6: false,
            blocky: true,
        };
        let state = State { options, threads: Vec::new(), sockets: BTreeMap::new() };
        Self {
            registry: sansmq::Context::new(),
            state: Mutex::new(state),
            is_terminated: AtomicBool::new(false),
            empty: Notify::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// `ETERM` after `zmq_ctx_term` or `zmq_ctx_shutdown`.
    pub(crate) fn check_open(&self) -> Result<(), Errno> {
        if self.is_terminated.load(Ordering::Acquire) { Err(Errno::TERMINATED) } else { Ok(()) }
    }

    /// Adds a socket that `create` creates on one of the event loops.
    ///
    /// # Errors
    /// `ETERM`, `EMFILE`, and the errors of `create`.
    pub(crate) fn add_socket(
        self: &Arc<Self>,
        handle: usize,
        create: impl FnOnce(&IoThread, ContextOptions) -> Result<Socket, Errno>,
    ) -> Result<Arc<Socket>, Errno> {
        let mut state = self.state();
        self.check_open()?;
        if c_int::try_from(state.sockets.len()).is_ok_and(|open| open >= state.options.max_sockets) {
            return Err(Errno::NO_FILES);
        }
        state.start_threads()?;
        let index = state.sockets.len() % state.threads.len();
        let socket = Arc::new(create(&state.threads[index], state.options)?);
        state.sockets.insert(handle, Arc::clone(&socket));
        Ok(socket)
    }

    /// Creates a socket that C code does not see.
    ///
    /// # Errors
    /// `ETERM`, and `EMFILE` if no thread can start.
    pub(crate) fn new_handle(&self, options: Options) -> Result<Handle<Any>, Errno> {
        let mut state = self.state();
        self.check_open()?;
        state.start_threads()?;
        Ok(state.threads[0].remote.socket_in(&self.registry, options))
    }

    /// Removes a closed socket.
    pub(crate) fn remove_socket(&self, handle: usize) {
        let mut state = self.state();
        state.sockets.remove(&handle);
        if state.sockets.is_empty() {
            self.empty.notify();
        }
    }

    /// Makes every call for the sockets return `ETERM`, except `zmq_close`.
    fn shut_down(&self) {
        let sockets: Vec<_> = {
            let state = self.state();
            self.is_terminated.store(true, Ordering::Release);
            state.sockets.values().cloned().collect()
        };
        for socket in sockets {
            socket.shut_down();
        }
    }

    /// Waits until all sockets are closed, and have sent their messages or given up.
    ///
    /// # Errors
    /// `EINTR` after a signal; the call can be repeated.
    fn wait_closed(&self) -> Result<(), Errno> {
        let closed = async {
            self.empty.until(|| self.state().sockets.is_empty()).await;
            self.registry.close(Duration::MAX).await;
        };
        block_on_timeout(closed, None).map_err(Errno::from)
    }

    fn terminate(&self) -> Result<(), Errno> {
        self.shut_down();
        let mut threads = {
            let mut state = self.state();
            let is_inherited = state.threads.iter().any(IoThread::is_inherited);
            if is_inherited {
                // The threads run in the parent process, and there only.
                state.threads.drain(..).for_each(IoThread::forget);
                return Ok(());
            }
            core::mem::take(&mut state.threads)
        };
        let closed = self.wait_closed();
        if closed.is_err() {
            self.state().threads = threads;
            return closed;
        }
        threads.drain(..).for_each(IoThread::stop);
        Ok(())
    }

    fn set(&self, option: c_int, value: c_int) -> Result<(), Errno> {
        let options = &mut self.state().options;
        match (option, value) {
            (1, 0..) => options.io_threads = value,
            (2, 1..=SOCKET_LIMIT) => options.max_sockets = value,
            (3, 0..) => options.thread_priority = value,
            (4, 0..) => options.thread_policy = value,
            (5, 0..) => options.max_message_size = value,
            // Processors of the threads, which this library leaves to the operating system.
            (7 | 8, 0..) => {}
            (9, 0..) => options.thread_name = value,
            (10, 0..) => options.zero_copy = i32::from(value != 0),
            (42, 0..) => options.ipv6 = value != 0,
            (70, 0..) => options.blocky = value != 0,
            _ => return Err(Errno::INVALID),
        }
        Ok(())
    }

    fn get(&self, option: c_int) -> Result<c_int, Errno> {
        let options = self.state().options;
        Ok(match option {
            1 => options.io_threads,
            2 => options.max_sockets,
            3 => SOCKET_LIMIT,
            4 => options.thread_policy,
            5 => options.max_message_size,
            6 => c_int::try_from(size_of::<crate::message::zmq_msg_t>()).unwrap_or(c_int::MAX),
            9 => options.thread_name,
            10 => options.zero_copy,
            42 => options.ipv6.into(),
            70 => options.blocky.into(),
            _ => return Err(Errno::INVALID),
        })
    }
}

/// Returns the context with this handle.
///
/// # Errors
/// `EFAULT` if there is none.
pub(crate) fn find(handle: *const c_void) -> Result<Arc<Context>, Errno> {
    CONTEXTS.get(handle).ok_or(Errno::FAULT)
}

/// `zmq_ctx_new`: creates a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_new() -> *mut c_void {
    CONTEXTS.add(Context::new())
}

/// `zmq_ctx_term`: ends a context, and waits until its sockets are closed.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_term(context: *mut c_void) -> c_int {
    status(find(context).and_then(|found| {
        found.terminate()?;
        CONTEXTS.remove(context);
        Ok(())
    }))
}

/// `zmq_ctx_shutdown`: makes calls for the sockets of a context return `ETERM`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_shutdown(context: *mut c_void) -> c_int {
    status(find(context).map(|context| context.shut_down()))
}

/// `zmq_ctx_set`: sets an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_set(context: *mut c_void, option: c_int, value: c_int) -> c_int {
    status(find(context).and_then(|context| context.set(option, value)))
}

/// `zmq_ctx_get`: returns an option of a context.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_get(context: *mut c_void, option: c_int) -> c_int {
    number(find(context).and_then(|context| context.get(option)))
}

/// `zmq_ctx_set_ext`: sets an option of a context by a pointer to its value.
///
/// # Safety
/// `value` must be null, or valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_set_ext(
    context: *mut c_void,
    option: c_int,
    value: *const c_void,
    len: usize,
) -> c_int {
    status(find(context).and_then(|context| {
        // SAFETY: The caller has promised that the bytes are readable.
        let value = unsafe { crate::memory::bytes(value, len) }?;
        let value = value.try_into().map(c_int::from_ne_bytes).map_err(|_| Errno::INVALID)?;
        context.set(option, value)
    }))
}

/// `zmq_ctx_get_ext`: copies an option of a context.
///
/// # Safety
/// `len` must be null, or valid for reads and writes, and `value` valid for writes of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zmq_ctx_get_ext(
    context: *mut c_void,
    option: c_int,
    value: *mut c_void,
    len: *mut usize,
) -> c_int {
    status(find(context).and_then(|context| {
        let number = context.get(option)?.to_ne_bytes();
        // SAFETY: The caller has promised that both pointers are valid.
        unsafe { crate::memory::write_option(&number, value, len) }
    }))
}

/// `zmq_ctx_destroy`, the earlier name of `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_ctx_destroy(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// `zmq_term`, the earlier name of `zmq_ctx_term`.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_term(context: *mut c_void) -> c_int {
    zmq_ctx_term(context)
}

/// `zmq_init`: creates a context with a number of threads.
#[unsafe(no_mangle)]
pub extern "C" fn zmq_init(io_threads: c_int) -> *mut c_void {
    pointer(if io_threads < 0 { Err(Errno::INVALID) } else { Ok(()) }.and_then(|()| {
        let context = Context::new();
        context.set(1, io_threads)?;
        Ok(CONTEXTS.add(context))
    }))
}
