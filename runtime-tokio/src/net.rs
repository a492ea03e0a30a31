//! Listening, dialling, and a TCP stream as `sansmq_proto` wants to see it.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::{Endpoint, Host, NetworkError, Stream};
use std::io::{self, ErrorKind, IoSlice};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// Listens there; gives the bound address back too.
pub(crate) async fn listen(endpoint: &Endpoint) -> Result<(TcpListener, Endpoint), NetworkError> {
    let mut failure = NetworkError::UnknownHost;
    for address in resolve(endpoint).await? {
        let listener = TcpListener::bind(address).await;
        match listener.and_then(|listener| listener.local_addr().map(|address| (listener, address))) {
            Ok((listener, address)) => return Ok((listener, address.into())),
            Err(error) => failure = error.kind().into(),
        }
    }
    Err(failure)
}

/// Connects there, trying every address of the host in turn. The last failure counts.
pub(crate) async fn dial(endpoint: &Endpoint) -> Result<TcpStream, NetworkError> {
    let mut failure = NetworkError::UnknownHost;
    for address in resolve(endpoint).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.kind().into(),
        }
    }
    Err(failure)
}

/// Names are looked up on tokio's blocking threads, never on the loop, and anew each time.
async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetworkError> {
    let Endpoint::Tcp { host, port } = endpoint else {
        return Err(NetworkError::Unreachable);
    };
    match host {
        Host::Any => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), *port)]),
        Host::Ip(address) => Ok(vec![SocketAddr::new(*address, *port)]),
        Host::Name(name) => match lookup_host((name.as_str(), *port)).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(_) => Err(NetworkError::UnknownHost),
        },
    }
}

/// Lends this thread's room for reading: idle connections need none of their own.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    thread_local! {
        static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 << 10].into());
    }
    SCRATCH.with_borrow_mut(|scratch| work(scratch))
}

/// A stream during one poll of its task: what would block has remembered to wake it.
pub(crate) struct Polled<'a> {
    stream: Pin<&'a mut TcpStream>,
    cx: Context<'a>,
}

impl<'a> Polled<'a> {
    pub(crate) fn new(stream: &'a mut TcpStream, waker: &'a Waker) -> Self {
        Self { stream: Pin::new(stream), cx: Context::from_waker(waker) }
    }
}

impl Stream for Polled<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut room = ReadBuf::new(room);
        ready(self.stream.as_mut().poll_read(&mut self.cx, &mut room))?;
        Ok(room.filled().len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        ready(match slices {
            [one] => self.stream.as_mut().poll_write(&mut self.cx, one),
            _ => self.stream.as_mut().poll_write_vectored(&mut self.cx, slices),
        })
    }

    fn close_write(&mut self) -> io::Result<()> {
        ready(self.stream.as_mut().poll_shutdown(&mut self.cx))
    }
}

fn ready<R>(poll: Poll<io::Result<R>>) -> io::Result<R> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
