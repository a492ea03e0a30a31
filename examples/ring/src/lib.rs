//! A safe ring of completions over `io_uring`. Each operation owns what the kernel uses until the operation is complete: the
//! buffer, the address and the descriptor. The loop in the example `embed_uring` therefore needs no `unsafe`.
#![cfg(target_os = "linux")]

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use socket2::SockAddr;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;
use std::{fmt, io, mem};

/// First bit of the kind of an operation in its user data. Higher bits of the words of the caller are ignored.
const KIND: u32 = 56;

/// User data of operations that cancel others. Not that of any other operation.
const CANCEL: u64 = u64::MAX;

/// Ring of operations. Each has a word of the caller, which [`wait`](Self::wait) returns. Its highest eight bits are ignored.
pub struct Ring {
    ring: IoUring,
    pending: BTreeMap<u64, Pending>,
}

/// Completed operation.
#[derive(Debug)]
pub enum Done {
    /// A connection was accepted.
    Accepted(io::Result<TcpStream>),
    /// A stream is connected.
    Connected(io::Result<()>),
    /// Bytes were received; none at the end of the stream.
    Received(io::Result<Vec<u8>>),
    /// This number of bytes was sent.
    Sent(io::Result<usize>),
}

/// Memory and file that the kernel uses until an operation is complete.
struct Pending {
    kind: Kind,
    /// Keeps the descriptor open, so that its number refers to no other file.
    _file: Rc<dyn AsRawFd>,
    buffer: Vec<u8>,
    _address: Option<Box<SockAddr>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Accept,
    Connect,
    Receive,
    Send,
}

impl Ring {
    /// Creates a ring. An error means that the kernel does not support `io_uring`, or forbids it.
    ///
    /// # Errors
    /// The error of `io_uring_setup`.
    pub fn new(entries: u32) -> io::Result<Self> {
        Ok(Self { ring: IoUring::new(entries)?, pending: BTreeMap::new() })
    }

    /// Accepts one connection. Has no effect while the previous such operation of `word` is pending; the same applies to each
    /// other method.
    ///
    /// # Errors
    /// The ring accepts no operations. The same applies to each other method.
    pub fn accept(&mut self, word: u64, listener: &Rc<TcpListener>) -> io::Result<()> {
        self.start(word, Kind::Accept, Rc::<TcpListener>::clone(listener), Vec::new(), None)
    }

    /// Connects a stream.
    ///
    /// # Errors
    /// Like [`accept`](Self::accept).
    pub fn connect(&mut self, word: u64, stream: &Rc<TcpStream>, to: SocketAddr) -> io::Result<()> {
        let address = Some(Box::new(SockAddr::from(to)));
        self.start(word, Kind::Connect, Rc::<TcpStream>::clone(stream), Vec::new(), address)
    }

    /// Receives at most `length` bytes. Has no effect if `length` is 0.
    ///
    /// # Errors
    /// Like [`accept`](Self::accept).
    pub fn receive(&mut self, word: u64, stream: &Rc<TcpStream>, length: usize) -> io::Result<()> {
        if length == 0 {
            return Ok(());
        }
        self.start(word, Kind::Receive, Rc::<TcpStream>::clone(stream), vec![0; length], None)
    }

    /// Sends bytes, possibly not all. Has no effect if there are none.
    ///
    /// # Errors
    /// Like [`accept`](Self::accept).
    pub fn send(&mut self, word: u64, stream: &Rc<TcpStream>, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() || self.is_pending(word, Kind::Send) {
            return Ok(()); // without a copy
        }
        self.start(word, Kind::Send, Rc::<TcpStream>::clone(stream), bytes.to_vec(), None)
    }

    /// Cancels every operation of `word`. They complete with an error, or as if they were not cancelled.
    ///
    /// # Errors
    /// Like [`accept`](Self::accept).
    pub fn cancel(&mut self, word: u64) -> io::Result<()> {
        for kind in [Kind::Accept, Kind::Connect, Kind::Receive, Kind::Send] {
            if self.is_pending(word, kind) {
                let cancel = opcode::AsyncCancel::new(user_data(word, kind)).build().user_data(CANCEL);
                // SAFETY: the entry refers to no memory.
                unsafe { self.push(&cancel) }?;
            }
        }
        Ok(())
    }

    /// Submits the operations, and waits until one is complete, at most for `patience`. Returns those that are complete, each
    /// with the word of the caller.
    ///
    /// # Errors
    /// The error of `io_uring_enter`.
    pub fn wait(&mut self, patience: Option<Duration>) -> io::Result<Vec<(u64, Done)>> {
        let timespec = patience.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            args = args.timespec(timespec);
        }
        match self.ring.submitter().submit_with_args(1, &args) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // ETIME: the time is over. EBUSY: completions must be taken first.
            Err(error) if matches!(error.raw_os_error(), Some(62 | 16)) => {}
            Err(error) => return Err(error),
        }
        let mut done = Vec::new();
        for entry in self.ring.completion() {
            if let Some(pending) = self.pending.remove(&entry.user_data()) {
                let word = word_of(entry.user_data());
                done.push((word, pending.complete(entry.result())));
            }
        }
        Ok(done)
    }

    fn is_pending(&self, word: u64, kind: Kind) -> bool {
        self.pending.contains_key(&user_data(word, kind))
    }

    fn start(
        &mut self,
        word: u64,
        kind: Kind,
        file: Rc<dyn AsRawFd>,
        mut buffer: Vec<u8>,
        address: Option<Box<SockAddr>>,
    ) -> io::Result<()> {
        // A second operation with the same user data would drop the memory of the first, which the kernel still uses.
        if self.is_pending(word, kind) {
            return Ok(());
        }
        let (fd, bytes) = (Fd(file.as_raw_fd()), buffer.as_mut_ptr());
        let length = u32::try_from(buffer.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let entry = match (kind, &address) {
            (Kind::Connect, Some(address)) => opcode::Connect::new(fd, address.as_ptr().cast(), address.len()).build(),
            (Kind::Accept | Kind::Connect, _) => {
                opcode::Accept::new(fd, std::ptr::null_mut(), std::ptr::null_mut()).build()
            }
            (Kind::Receive, _) => opcode::Recv::new(fd, bytes, length).build(),
            (Kind::Send, _) => opcode::Send::new(fd, bytes, length).build(),
        };
        let user_data = user_data(word, kind);
        // Stored first, so that the memory outlives the operation in any case. Moving the owners does not move it.
        self.pending.insert(user_data, Pending { kind, _file: file, buffer, _address: address });
        // SAFETY: the entry refers to the descriptor, the buffer and the address in `pending`, which `wait` removes when the
        // operation is complete, and which `drop` never frees before.
        unsafe { self.push(&entry.user_data(user_data)) }
    }

    /// Queues an entry. If the queue is full, submits it first.
    ///
    /// # Safety
    /// What the entry refers to must stay valid until the operation is complete.
    unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller ensures that the entry stays valid.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }
}

impl Pending {
    fn complete(mut self, result: i32) -> Done {
        let outcome = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        match self.kind {
            Kind::Accept => Done::Accepted(outcome.map(|_| {
                let fd: RawFd = result;
                // SAFETY: the result of this operation is a new descriptor, which nothing else owns.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            })),
            Kind::Connect => Done::Connected(outcome.map(|_| ())),
            Kind::Receive => Done::Received(outcome.map(|length| {
                self.buffer.truncate(length);
                self.buffer
            })),
            Kind::Send => Done::Sent(outcome),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let words: Vec<u64> = self.pending.keys().map(|&data| word_of(data)).collect();
        let is_cancelled = words.into_iter().all(|word| self.cancel(word).is_ok());
        while is_cancelled && !self.pending.is_empty() {
            match self.wait(Some(Duration::from_secs(1))) {
                Ok(done) if !done.is_empty() => {}
                Ok(_) | Err(_) => break,
            }
        }
        // The kernel may still write to these.
        mem::forget(mem::take(&mut self.pending));
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

const fn user_data(word: u64, kind: Kind) -> u64 {
    word_of(word) | (kind as u64) << KIND
}

const fn word_of(user_data: u64) -> u64 {
    user_data & ((1 << KIND) - 1)
}
