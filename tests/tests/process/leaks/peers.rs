//! Peers that are not ZeroMQ sockets: listeners that do not answer, and TCP streams to which a test writes bytes. Also
//! a guard that uses all file descriptors of the process.

use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, SocketType, connect, listen, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sansmq::kind::Router;
use sansmq::{Endpoint, Event, Frame, Handle};
use sansmq_tests::raw_peer::{frame, greeting_and_ready};
use std::io::Write;
use std::net::{TcpListener, TcpStream};

/// Two TCP listeners that are not ZeroMQ sockets and never send.
pub(crate) struct RawPeers {
    /// Listener that accepts connections in the operating system and never sends.
    silent: TcpListener,
    /// Listener with a full queue of waiting connections, so that further connects do not complete.
    busy: TcpListener,
    _queue: Vec<OwnedFd>,
}

impl RawPeers {
    pub(crate) fn new() -> Self {
        let (silent, busy) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        listen(&busy, 0).unwrap();
        let queue = (0..8).map(|_| {
            let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            rustix::io::ioctl_fionbio(&stream, true).unwrap();
            let _ = connect(&stream, &busy.local_addr().unwrap());
            stream
        });
        Self { _queue: queue.collect(), silent, busy }
    }

    pub(crate) fn silent(&self) -> Endpoint {
        self.silent.local_addr().unwrap().into()
    }

    pub(crate) fn busy(&self) -> Endpoint {
        self.busy.local_addr().unwrap().into()
    }
}

/// Returns an endpoint without a listener.
pub(crate) fn closed_endpoint() -> Endpoint {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().into()
}

/// Binds `router`, connects a TCP stream to the router, and sends `bytes`. Returns the stream as soon as the router has
/// accepted the connection.
pub(crate) async fn raw_peer(router: &Handle<Router>, bytes: &[u8]) -> TcpStream {
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut stream = TcpStream::connect(endpoint.socket_addr().unwrap()).unwrap();
    stream.write_all(bytes).unwrap();
    monitor.find(|event| matches!(event, Event::Accepted { .. }).then_some(())).await.unwrap();
    stream
}

/// Binds `router`, and connects a TCP stream that acts as a DEALER: the stream completes the handshake, sends one
/// message, and never reads. Returns the stream, and the routing id that the router has assigned to the stream.
pub(crate) async fn greeted_peer(router: &Handle<Router>) -> (TcpStream, Frame) {
    let stream = raw_peer(router, &[greeting_and_ready("DEALER"), frame(0, b"hi")].concat()).await;
    let [id, _hi] = router.recv().await.unwrap().into_array().unwrap();
    (stream, id)
}

/// Guard that uses all free file descriptors of the process. Drop closes them.
pub(crate) struct Descriptors {
    descriptors: Vec<OwnedFd>,
    limit: Rlimit,
}

impl Descriptors {
    pub(crate) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(200), ..limit }).unwrap();
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let more = std::iter::from_fn(|| first.as_fd().try_clone_to_owned().ok());
        let mut descriptors: Vec<_> = more.collect();
        descriptors.push(first.into());
        Self { descriptors, limit }
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        self.descriptors.clear();
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}
