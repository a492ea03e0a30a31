//! A socket on `io_uring`: the kernel completes operations, instead of reporting that a stream is ready. The streams are buffers, and
//! the keys of the guest are the user data of the operations. `sansmq-ring` contains the `unsafe` code for the kernel.

use rustix::net;
use sansmq::os::{guest::resolve, tcp};
use sansmq::proto::address::TransportConfig;
use sansmq::proto::guest::{Guest, Key, Output, Target};
use sansmq::proto::{BufferStream, Instant, Socket, SystemEntropy};
use sansmq::{Endpoint, NetworkError, Options, kind::Router};
use sansmq_ring::{Done, Ring};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{error::Error, io, rc::Rc, time};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
/// The operations share the descriptors, because they must stay open until an operation is complete.
type Streams = Guest<BufferStream<Rc<TcpStream>>, Rc<TcpListener>>;

fn main() -> Outcome {
    let mut server = Socket::new(Options::<Router>::new(), SystemEntropy);
    server.bind("tcp://127.0.0.1:5555".parse()?);
    let echo = |server: &mut Socket, now: Instant| {
        while let Ok(request) = server.recv() {
            let last = request.body() == "bye";
            let _ = server.send(request); // a disconnected client does not end the server
            if last {
                server.close(now);
            }
        }
        Ok(())
    };
    drive(server, echo).map(drop)
}

/// Drives a socket until it is closed, and returns it. Calls `application` before each step.
pub(crate) fn drive(socket: Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome<Socket> {
    let (start, mut ring, mut guest) = (time::Instant::now(), Ring::new(256)?, Streams::new());
    let id = guest.add(socket);
    loop {
        let now = Instant::from_elapsed(start.elapsed());
        application(guest.socket_mut(id).ok_or("the socket is gone")?, now)?;
        if let Some(socket) = guest.remove(id) {
            return Ok(socket); // it is closed
        }
        match guest.poll(now) {
            Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
            Output::Accept(key, listener) => ring.accept(key.to_u64(), listener)?,
            Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
            Output::Dial(key, target) => guest.dialled(key, connect(&mut ring, key, &target)),
            Output::Turned(key, stream) => {
                ring.send(key.to_u64(), &stream.handle, stream.output())?;
                ring.receive(key.to_u64(), &stream.handle, stream.room())?;
                let _ = stream.is_finished().then(|| stream.handle.shutdown(Shutdown::Write));
            }
            Output::Gone(key, _) | Output::StopListening(key, _) => ring.cancel(key.to_u64())?,
            Output::Wait(deadline) => complete(&mut guest, ring.wait(deadline.map(|it| it.at.since(now)))?),
            _ => {} // a ring needs no interest
        }
    }
}

/// Reports the completion of operations.
fn complete(guest: &mut Streams, done: Vec<(u64, Done)>) {
    for (word, done) in done {
        let key = Key::from_u64(word);
        match (done, guest.stream_mut(key)) {
            (Done::Accepted(outcome), _) => guest.accepted(key, outcome.and_then(accepted)),
            (Done::Connected(Ok(())), Some(stream)) => stream.establish(),
            (Done::Received(Ok(bytes)), Some(stream)) if bytes.is_empty() => stream.end(),
            (Done::Received(Ok(bytes)), Some(stream)) => stream.receive(&bytes),
            (Done::Sent(Ok(count)), Some(stream)) => stream.sent(count),
            (Done::Connected(Err(e)) | Done::Received(Err(e)) | Done::Sent(Err(e)), Some(it)) => it.fail(e.into()),
            (_, None) => {} // the stream has ended
        }
        guest.ready(key);
    }
}

fn listen(endpoint: &Endpoint, transport: &TransportConfig) -> Result<(Rc<TcpListener>, Endpoint), NetworkError> {
    let address = resolve(endpoint)?.next().ok_or(NetworkError::UnknownHost)?;
    let listener = tcp::listen(address, transport)?;
    listener.set_nonblocking(false)?; // otherwise the ring would not wait for a connection
    let bound = listener.local_addr()?.into(); // has the actual port if a wildcard was requested
    Ok((listener.into(), bound))
}

fn accepted(stream: TcpStream) -> io::Result<(BufferStream<Rc<TcpStream>>, Endpoint)> {
    stream.set_nodelay(true)?; // messages are batched already; Nagle's algorithm would only delay them
    let from = stream.peer_addr()?.into();
    Ok((BufferStream::new(stream.into(), 64 << 10), from))
}

fn connect(ring: &mut Ring, key: Key, target: &Target) -> io::Result<BufferStream<Rc<TcpStream>>> {
    let Target::Tcp(route) = target else { return Err(io::ErrorKind::Unsupported.into()) };
    let family = net::SocketAddrAny::from(route.to).address_family();
    let socket = net::socket(family, net::SocketType::STREAM, None)?;
    let stream = Rc::new(TcpStream::from(socket));
    stream.set_nodelay(true)?;
    ring.connect(key.to_u64(), &stream, route.to)?;
    Ok(BufferStream::new(stream, 64 << 10).connecting())
}
