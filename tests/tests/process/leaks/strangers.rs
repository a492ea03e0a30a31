//! Peers that are of no help, and a hoarder of descriptors.

use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, SocketType, connect, listen, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sansmq::kind::Router;
use sansmq::{Endpoint, Event, Frame, Handle};
use sansmq_tests::raw_peer::{frame, opening};
use std::io::Write;
use std::net::{TcpListener, TcpStream};

/// Peers that are of no help.
pub(crate) struct World {
    /// Its connections are made, but nobody ever answers.
    silent: TcpListener,
    /// Connecting to it takes for ever: its queue is full.
    busy: TcpListener,
    _queue: Vec<OwnedFd>,
}

impl World {
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

/// An address where nobody listens.
pub(crate) fn nobody() -> Endpoint {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().into()
}

/// Somebody else connects and says this.
pub(crate) async fn stranger(router: &Handle<Router>, octets: &[u8]) -> TcpStream {
    let mut monitor = router.monitor();
    let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
    let mut stream = TcpStream::connect(endpoint.socket_addr().unwrap()).unwrap();
    stream.write_all(octets).unwrap();
    monitor.find(|event| matches!(event, Event::Accepted { .. }).then_some(())).await.unwrap();
    stream
}

/// Somebody else connects, says hello, and reads nothing. With the name it is known by.
pub(crate) async fn shaken(router: &Handle<Router>) -> (TcpStream, Frame) {
    let stream = stranger(router, &[opening("DEALER"), frame(0, b"hi")].concat()).await;
    let [id, _hi] = router.recv().await.unwrap().into_array().unwrap();
    (stream, id)
}

/// Descriptors that leave none for others, until it is dropped.
pub(crate) struct Hoard {
    descriptors: Vec<OwnedFd>,
    limit: Rlimit,
}

impl Hoard {
    pub(crate) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(200), ..limit }).unwrap();
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let more = std::iter::from_fn(|| one.as_fd().try_clone_to_owned().ok());
        let mut descriptors: Vec<_> = more.collect();
        descriptors.push(one.into());
        Self { descriptors, limit }
    }
}

impl Drop for Hoard {
    fn drop(&mut self) {
        self.descriptors.clear();
        setrlimit(Resource::Nofile, self.limit).unwrap();
    }
}
