//! Streams and listeners of both transports, with the handshake, and epoll.

use super::frames::hello;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub fn bind(endpoint: &str) -> Self {
        if let Some(address) = endpoint.strip_prefix("tcp://") {
            Self::Tcp(TcpListener::bind(address).expect("bind"))
        } else if let Some(path) = endpoint.strip_prefix("ipc://") {
            // Left over from another run.
            let _ = std::fs::remove_file(path);
            Self::Unix(UnixListener::bind(path).expect("bind"))
        } else {
            panic!("endpoint {endpoint}: expected tcp:// or ipc://")
        }
    }

    pub fn accept(&self) -> std::io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }

    pub fn set_nonblocking(&self) -> RawFd {
        let (set, fd) = match self {
            Self::Tcp(listener) => (listener.set_nonblocking(true), listener.as_raw_fd()),
            Self::Unix(listener) => (listener.set_nonblocking(true), listener.as_raw_fd()),
        };
        set.expect("set_nonblocking");
        fd
    }
}

impl Stream {
    pub fn connect(endpoint: &str) -> Self {
        if let Some(address) = endpoint.strip_prefix("tcp://") {
            let stream = TcpStream::connect(address).expect("connect");
            stream.set_nodelay(true).expect("TCP_NODELAY");
            Self::Tcp(stream)
        } else {
            let path = endpoint.strip_prefix("ipc://").expect("the endpoint is tcp:// or ipc://");
            Self::Unix(UnixStream::connect(path).expect("connect"))
        }
    }

    pub fn set_nonblocking(&self) {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
        .expect("set_nonblocking");
    }

    pub fn fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    /// Writes everything, and waits where a nonblocking write would block.
    pub fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait_writable(&mut [writable(self.fd())]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => ended(),
            }
        }
    }

    /// Reads what is there. Returns 0 if a nonblocking read would block.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            match self.read(buffer) {
                Ok(0) => ended(),
                Ok(n) => return n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => ended(),
            }
        }
    }

    pub fn exact(&mut self, buffer: &mut [u8]) {
        let mut at = 0;
        while at < buffer.len() {
            at += self.read_some(&mut buffer[at..]);
        }
    }

    /// Exchanges greetings and READY. The stream must be blocking.
    pub fn handshake(&mut self, socket_type: &str) {
        self.put(&hello(socket_type));
        self.finish_handshake();
    }

    /// Reads the greeting and the READY of the peer.
    pub fn finish_handshake(&mut self) {
        let mut greeting = [0u8; 64];
        self.exact(&mut greeting);
        assert!(greeting[0] == 0xff && greeting[9] == 0x7f && greeting[10] >= 3, "expected a greeting of ZMTP 3");
        let (flags, _) = self.frame();
        assert!(flags & 4 != 0, "expected READY");
    }

    /// Reads one small frame. The stream must be blocking.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0u8; 2];
        self.exact(&mut head);
        let len = if head[0] & 2 == 0 {
            usize::from(head[1])
        } else {
            let mut long = [0u8; 8];
            long[0] = head[1];
            self.exact(&mut long[1..]);
            u64::from_be_bytes(long) as usize
        };
        let mut body = vec![0; len];
        self.exact(&mut body);
        (head[0], body)
    }
}

/// Ends the process, because the peer closed the connection. The driver treats this as a failure if the result is missing.
fn ended() -> ! {
    std::process::exit(4)
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn writable(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLOUT, revents: 0 }
}

/// Waits until at least one descriptor is ready.
pub fn wait_writable(polls: &mut [libc::pollfd]) {
    // SAFETY: the pointer and the length are those of a slice of valid entries.
    unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, -1) };
}

pub struct Epoll(RawFd);

impl Epoll {
    pub fn new() -> Self {
        // SAFETY: a system call without pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "epoll_create1: {}", std::io::Error::last_os_error());
        Self(fd)
    }

    pub fn add(&self, fd: RawFd, token: u64) {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: the event is valid for the call.
        let result = unsafe { libc::epoll_ctl(self.0, libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        assert_eq!(result, 0, "epoll_ctl: {}", std::io::Error::last_os_error());
    }

    /// Waits for input, and replaces `ready` by the tokens that have some.
    pub fn wait(&self, ready: &mut Vec<u64>) {
        self.wait_at_most(-1, ready);
    }

    /// Replaces `ready` by the tokens that have input, without waiting.
    pub fn check(&self, ready: &mut Vec<u64>) {
        self.wait_at_most(0, ready);
    }

    fn wait_at_most(&self, timeout: i32, ready: &mut Vec<u64>) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: `events` has room for 256 events.
        let n = unsafe { libc::epoll_wait(self.0, events.as_mut_ptr(), 256, timeout) };
        ready.clear();
        ready.extend(events[..n.max(0) as usize].iter().map(|event| event.u64));
    }
}
