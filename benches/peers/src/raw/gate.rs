//! Ways to wait for the input of one connection.

use super::net::{Epoll, Stream};

/// Way to wait for input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Blocking reads.
    Read,
    /// epoll, called directly.
    Epoll,
    /// `mio::Poll`.
    #[cfg(feature = "sansmq")]
    Mio,
}

/// Reads from a stream after waiting for its input.
pub(super) enum Gate {
    Read,
    Epoll(Epoll, Vec<u64>),
    #[cfg(feature = "sansmq")]
    Mio(mio::Poll, mio::Events),
}

impl Gate {
    pub(super) fn new(stream: &Stream, wait: Wait) -> Self {
        if wait != Wait::Read {
            stream.set_nonblocking();
        }
        match wait {
            Wait::Read => Self::Read,
            Wait::Epoll => {
                let epoll = Epoll::new();
                epoll.add(stream.fd(), 0);
                Self::Epoll(epoll, Vec::new())
            }
            #[cfg(feature = "sansmq")]
            Wait::Mio => {
                let poll = mio::Poll::new().expect("a poll");
                let mut source = mio::unix::SourceFd(&stream.fd());
                poll.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).expect("register");
                Self::Mio(poll, mio::Events::with_capacity(64))
            }
        }
    }

    /// Waits for input and reads it.
    pub(super) fn some(&mut self, stream: &mut Stream, buffer: &mut [u8]) -> usize {
        match self {
            Self::Read => {}
            Self::Epoll(epoll, ready) => epoll.wait(ready),
            #[cfg(feature = "sansmq")]
            Self::Mio(poll, events) => {
                // Each arrival is an event on Linux, so the stream need not be read until it would block.
                poll.poll(events, None).expect("poll");
            }
        }
        stream.read_some(buffer)
    }

    pub(super) fn exact(&mut self, stream: &mut Stream, buffer: &mut [u8]) {
        let mut at = 0;
        while at < buffer.len() {
            at += self.some(stream, &mut buffer[at..]);
        }
    }
}
