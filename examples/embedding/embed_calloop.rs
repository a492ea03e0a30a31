//! A ROUTER in a third-party event loop: the echo server of `embed_poll`, on `calloop`. Unlike the supported runtimes,
//! `calloop` has no futures: it calls callbacks, owns the streams that it watches, and passes the same `&mut` state to
//! each callback.

use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction, RegistrationToken, generic::Generic};
use sansmq::proto::{Action, Instant, IoStream, ListenerId, PipeId, SessionSet, Socket, SystemEntropy, time::earliest};
use sansmq::{Endpoint, NetworkError, Options, kind::Router};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{collections::BTreeMap, error::Error, io, time};

fn main() -> Result<(), Box<dyn Error>> {
    let mut events = EventLoop::try_new()?;
    let mut server = Guest::new(Options::new(), events.handle());
    let listener = server.socket.bind("tcp://127.0.0.1:5555".parse()?);
    server.round();
    println!("ROUTER at {}", server.socket.listener(listener).ok_or("the listener is not bound")??);
    serve(&mut events, &mut server)
}

pub(crate) fn serve(events: &mut EventLoop<'static, Guest>, server: &mut Guest) -> Result<(), Box<dyn Error>> {
    while !server.socket.is_closed() {
        events.dispatch(None, server)?;
        server.round();
    }
    Ok(())
}

/// State that the event loop passes to each callback: a ROUTER that echoes messages until it receives "bye".
pub(crate) struct Guest {
    pub(crate) socket: Socket,
    events: LoopHandle<'static, Self>,
    listeners: BTreeMap<ListenerId, RegistrationToken>,
    sessions: SessionSet<IoStream<TcpStream>>,
    watched: BTreeMap<PipeId, RegistrationToken>,
    timer: Option<RegistrationToken>,
    start: time::Instant,
}

impl Guest {
    pub(crate) fn new(options: Options<Router>, events: LoopHandle<'static, Self>) -> Self {
        let (socket, sessions, start) = (Socket::new(options, SystemEntropy), SessionSet::new(), time::Instant::now());
        Self { socket, events, listeners: BTreeMap::new(), sessions, watched: BTreeMap::new(), timer: None, start }
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.start.elapsed())
    }

    /// Does the work that is due, and sets the next timer. Callbacks only accept connections and record readiness.
    pub(crate) fn round(&mut self) {
        let now = self.now();
        self.socket.handle_timeout(now);
        while let Ok(request) = self.socket.recv() {
            let last = request.body() == "bye";
            let _ = self.socket.send(request); // a disconnected client does not end the server
            if last {
                self.socket.close(now);
            }
        }
        let mut busy = self.sessions.poll_timeout().is_some_and(|at| at <= now);
        while let Some(action) = self.socket.poll_action() {
            busy = true;
            match action {
                Action::Listen(id, endpoint) => match self.listen(id, &endpoint) {
                    Ok(bound) => self.socket.listening(id, bound),
                    Err(error) => self.socket.listen_failed(id, error),
                },
                Action::CloseListener(id) => drop(self.listeners.remove(&id).map(|token| self.events.remove(token))),
                Action::Accept(id) => drop(self.listeners.get(&id).map(|token| self.events.enable(token))),
                Action::Service(pipe) => self.sessions.set_ready(pipe),
                Action::Dial(pipe, _) => self.socket.dial_failed(pipe, NetworkError::Unsupported, now), // this server only binds
                Action::CancelDial(_) | Action::Readable | Action::Writable => {}
            }
        }
        self.sessions.turn(&mut self.socket, now);

        // Each stream has two descriptors, of `SessionSet` and of the loop; the connection closes with the second.
        let ended = self.watched.extract_if(.., |pipe, _| self.sessions.get(*pipe).is_none());
        ended.for_each(|(_, token)| self.events.remove(token));
        // This round may have caused more work, which the next round does, after the other sources of the loop.
        let deadline = earliest([self.sessions.poll_timeout(), self.socket.poll_timeout(), busy.then_some(now)]);
        self.timer.take().into_iter().for_each(|timer| self.events.remove(timer)); // no effect if it has expired
        let timer = deadline.map(|at| Timer::from_duration(at.since(now)));
        self.timer = timer.and_then(|it| self.events.insert_source(it, |_, (), _| TimeoutAction::Drop).ok());
    }

    fn listen(&mut self, id: ListenerId, endpoint: &Endpoint) -> Result<Endpoint, NetworkError> {
        let listener = TcpListener::bind(endpoint.host_and_port()?)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?.into();
        let source = Generic::new(listener, Interest::READ, Mode::Level);
        let token = self.events.insert_source(source, move |_, listener, guest| match guest.accept(id, listener) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                guest.socket.accept_failed(id, error.into(), guest.now());
                Ok(PostAction::Disable) // until `Action::Accept`
            }
            _ => Ok(PostAction::Continue),
        });
        self.listeners.insert(id, token.map_err(|failed| io::Error::from(failed.error))?);
        Ok(bound)
    }

    fn accept(&mut self, id: ListenerId, listener: &TcpListener) -> io::Result<()> {
        let ((stream, from), now) = (listener.accept()?, self.now());
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?; // messages are batched already; Nagle's algorithm would only delay them
        let source = Generic::new(stream.try_clone()?, Interest::BOTH, Mode::Edge);
        let stream = IoStream::new(stream, |it| it.shutdown(Shutdown::Write));
        if let Some(pipe) = self.sessions.accepted(&mut self.socket, id, from.into(), stream, now) {
            let token = self.events.insert_source(source, move |_, _, guest| {
                guest.sessions.set_ready(pipe); // sessions need no level trigger
                Ok(PostAction::Continue)
            });
            self.watched.insert(pipe, token.map_err(|failed| io::Error::from(failed.error))?);
        }
        Ok(())
    }
}
