//! [`IoThread`]: a thread that runs the event loop of sockets.

use crate::errno::Errno;
use crate::notify::Stop;
use sansmq::mio::{EventLoop, Remote};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A thread of a context.
#[derive(Debug)]
pub(crate) struct IoThread {
    pub(crate) remote: Remote,
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
    process: u32,
}

impl IoThread {
    /// Starts thread number `index` of a context.
    ///
    /// # Errors
    /// `EMFILE` if the operating system has no descriptors or no threads left.
    pub(crate) fn start(index: usize) -> Result<Self, Errno> {
        let mut events = EventLoop::new().map_err(|_| Errno::NO_FILES)?;
        let (remote, stop) = (events.remote(), Arc::<Stop>::default());
        let stopped = Arc::clone(&stop);
        let run = move || events.block_on(stopped.requested());
        let thread = spawn(format!("ZMQbg/IO/{index}"), run)?;
        Ok(Self { remote, stop, thread, process: std::process::id() })
    }

    /// Returns true if the current process is a forked child of the process in which the thread runs.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Ends the thread, and waits for its end.
    pub(crate) fn stop(self) {
        self.stop.request();
        // A message of the application may call `zmq_ctx_term` when it is released, in this thread.
        if self.thread.thread().id() != thread::current().id() {
            // The thread ends by a panic only if the poll of the operating system fails.
            let _ = self.thread.join();
        }
    }

    /// Gives up a thread that runs in the parent process.
    pub(crate) fn forget(self) {
        core::mem::forget(self);
    }
}

/// Starts a thread in which no signal is handled: signals interrupt the calls of the application, in its own threads.
///
/// # Errors
/// `EAGAIN` if the operating system has no threads left.
pub(crate) fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Errno> {
    let before = block_signals();
    let thread = thread::Builder::new().name(name).spawn(run);
    restore_signals(&before);
    thread.map_err(|_| Errno::AGAIN)
}

/// Blocks all signals in the current thread, which a new thread inherits. Returns the signals that were blocked before.
fn block_signals() -> libc::sigset_t {
    // SAFETY: A set of signals is plain data.
    let mut all: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: As above.
    let mut before: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: The pointer is valid.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: Both pointers are valid.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
    before
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: The pointer is valid; the null pointer means that the present set is not returned.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, core::ptr::null_mut()) };
}
