//! A socket in a custom event loop: `poll(2)`, one thread, no runtime. A ROUTER echoes the messages of any number of clients until
//! it receives "bye". The guide `sansmq::proto::embedding` explains this file line by line.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::{io::Errno, net};
use sansmq::proto::{Action, Instant, IoStream, SessionSet, Socket, SystemEntropy, time::earliest};
use sansmq::{Endpoint, NetworkError, Options, kind::Router};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::{collections::BTreeMap, error::Error, io, time, vec};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut server = Socket::new(Options::<Router>::new(), SystemEntropy);
    let listener = server.bind("tcp://127.0.0.1:5555".parse()?);
    drive(&mut server, |server, now| match server.listener(listener) {
        Some(Err(error)) => Err(error.into()),
        _ => echo(server, now),
    })
}

pub(crate) fn echo(server: &mut Socket, now: Instant) -> Outcome {
    while let Ok(request) = server.recv() {
        let last = request.body() == "bye";
        server.send(request)?; // its first frame is the routing id of the client
        if last {
            server.close(now); // queued messages are still sent, for at most `linger`
        }
    }
    Ok(())
}

/// Drives a socket until it is closed. Calls `application` in each round.
pub(crate) fn drive(socket: &mut Socket, mut application: impl FnMut(&mut Socket, Instant) -> Outcome) -> Outcome {
    let start = time::Instant::now();
    let now = || Instant::from_elapsed(start.elapsed());
    let mut listeners = BTreeMap::new(); // each with the flags to poll for: none while accepting pauses
    let mut sessions = SessionSet::new();
    while !socket.is_closed() {
        application(socket, now())?;

        let mut hurry = None;
        while let Some(action) = socket.poll_action() {
            hurry = Some(now()); // the application may have work now, so the next poll must not wait
            match action {
                Action::Listen(id, endpoint) => match listen(&endpoint) {
                    Ok((listener, bound)) => {
                        listeners.insert(id, (listener, PollFlags::IN));
                        socket.listening(id, bound);
                    }
                    Err(error) => socket.listen_failed(id, error),
                },
                Action::CloseListener(id) => drop(listeners.remove(&id)),
                Action::Accept(id) => drop(listeners.get_mut(&id).map(|(_, flags)| *flags = PollFlags::IN)),
                Action::Dial(pipe, endpoint) => match addresses(&endpoint) {
                    Ok(addresses) => sessions.dial(pipe, addresses.map(connect)),
                    Err(error) => socket.dial_failed(pipe, error, now()),
                },
                Action::CancelDial(pipe) => sessions.cancel_dial(pipe),
                Action::Service(pipe) => sessions.set_ready(pipe),
                Action::Readable | Action::Writable => {}
            }
        }

        let deadline = earliest([hurry, sessions.poll_timeout(), socket.poll_timeout()]);
        let patience = deadline.and_then(|at| Timespec::try_from(at.since(now())).ok());
        let waiting = sessions.waiting(PollFlags::IN, PollFlags::OUT);
        let waiting = waiting.map(|(pipe, stream, flags)| (pipe, PollFd::new(stream.get_ref(), flags)));
        let (pipes, mut fds): (Vec<_>, Vec<_>) = waiting.unzip();
        fds.extend(listeners.values().map(|(listener, flags)| PollFd::new(listener, *flags)));
        // After a signal the loop continues with a new time.
        poll(&mut fds, patience.as_ref()).or_else(|error| if error == Errno::INTR { Ok(0) } else { Err(error) })?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();

        pipes.into_iter().filter(|_| ready.next() == Some(true)).for_each(|pipe| sessions.set_ready(pipe));
        sessions.turn(socket, now());
        for (&id, (listener, flags)) in listeners.iter_mut().filter(|_| ready.next() == Some(true)) {
            match listener.accept().and_then(|(stream, from)| Ok((tcp(stream)?, from))) {
                Ok((stream, from)) => drop(sessions.accepted(socket, id, from.into(), stream, now())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {} // the client has disconnected already
                Err(error) => {
                    socket.accept_failed(id, error.into(), now());
                    *flags = PollFlags::empty(); // until `Action::Accept`
                }
            }
        }
        socket.handle_timeout(now());
    }
    Ok(())
}

/// Returns every address of an endpoint. The name lookup blocks: a loop that must never block does it on another thread.
fn addresses(endpoint: &Endpoint) -> Result<vec::IntoIter<SocketAddr>, NetworkError> {
    endpoint.host_and_port()?.to_socket_addrs().map_err(|_| NetworkError::UnknownHost)
}

fn listen(endpoint: &Endpoint) -> Result<(TcpListener, Endpoint), NetworkError> {
    let listener = TcpListener::bind(addresses(endpoint)?.as_slice())?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?.into(); // has the actual port if a wildcard was requested
    Ok((listener, bound))
}

/// Starts to connect. Once the stream is writable, `take_error` returns the result.
fn connect(address: SocketAddr) -> io::Result<IoStream<TcpStream>> {
    let family = net::SocketAddrAny::from(address).address_family();
    let stream = tcp(net::socket(family, net::SocketType::STREAM, None)?.into())?;
    match net::connect(stream.get_ref(), &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(stream),
        Err(error) => Err(error.into()),
    }
}

fn tcp(stream: TcpStream) -> io::Result<IoStream<TcpStream>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?; // messages are batched already; Nagle's algorithm would only delay them
    Ok(IoStream::new(stream, |it| it.shutdown(Shutdown::Write)).dialled(|it| it.take_error()))
}
