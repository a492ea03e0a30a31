//! A socket as sources of `calloop`: each listener, each link (`guest_link.rs`), and timers for their deadlines.

use super::guest_link::{Link, set};
use super::net;
use calloop::{Interest, LoopHandle, Mode, PostAction, RegistrationToken, generic::Generic};
use sansmq::proto::{Action, Instant, ListenerId, PipeId, Session, Socket, SystemEntropy};
use sansmq::{Endpoint, NetworkError, Options, kind::Router};
use std::net::TcpListener;
use std::{collections::BTreeMap, io, time};

/// The state that the loop lends to every callback: a ROUTER that echoes.
pub(crate) struct Guest {
    pub(crate) socket: Socket,
    pub(crate) echoed: usize,
    pub(super) handle: LoopHandle<'static, Self>,
    listeners: BTreeMap<ListenerId, RegistrationToken>,
    pub(super) links: BTreeMap<PipeId, Link>,
    alarm: Option<RegistrationToken>,
    pub(super) scratch: Vec<u8>,
    start: time::Instant,
}

impl Guest {
    pub(crate) fn new(options: Options<Router>, handle: LoopHandle<'static, Self>) -> Self {
        Self {
            socket: Socket::new(options, SystemEntropy),
            echoed: 0,
            handle,
            listeners: BTreeMap::new(),
            links: BTreeMap::new(),
            alarm: None,
            scratch: vec![0; 64 << 10],
            start: time::Instant::now(),
        }
    }

    pub(crate) fn bind(&mut self, endpoint: Endpoint) -> Result<Endpoint, NetworkError> {
        let id = self.socket.bind(endpoint);
        self.act();
        self.socket.listener(id).unwrap_or(Err(NetworkError::Other))
    }

    pub(crate) fn close(&mut self) {
        self.socket.close(self.now());
        self.act();
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_elapsed(self.start.elapsed())
    }

    /// Does what the socket wants; to be called whenever anybody has spoken to it.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.socket.poll_action() {
            match action {
                Action::Listen(id, endpoint) => match self.listen(id, &endpoint) {
                    Ok(bound) => self.socket.listening(id, bound),
                    Err(error) => self.socket.listen_failed(id, error.kind().into()),
                },
                Action::Unlisten(id) => {
                    if let Some(token) = self.listeners.remove(&id) {
                        self.handle.remove(token);
                    }
                }
                // Not at once: a client that never pauses would keep us here for ever.
                Action::Accept(id) => drop(self.listeners.get(&id).map(|token| self.handle.enable(token))),
                Action::Service(pipe) => self.turn_soon(pipe),
                Action::Readable => {
                    while let Ok(request) = self.socket.recv() {
                        self.echoed += usize::from(self.socket.send(request).is_ok());
                    }
                }
                // A ROUTER that is not `mandatory` never waits for room, and this server dials nobody.
                _ => {}
            }
        }
        let patience = self.socket.poll_timeout().map(|at| at.since(self.now()));
        set(&self.handle, &mut self.alarm, patience, |guest| {
            guest.socket.handle_timeout(guest.now());
            guest.act();
        });
    }

    fn listen(&mut self, id: ListenerId, endpoint: &Endpoint) -> io::Result<Endpoint> {
        let (listener, bound) = net::listen(endpoint)?;
        let source = Generic::new(listener, Interest::READ, Mode::Level);
        let token = self.handle.insert_source(source, move |_, listener, guest| Ok(guest.accept(id, listener)));
        self.listeners.insert(id, token.map_err(|failed| io::Error::other(failed.error))?);
        Ok(bound)
    }

    fn accept(&mut self, id: ListenerId, listener: &TcpListener) -> PostAction {
        let now = self.now();
        match net::accept(listener) {
            Ok(None) => {}
            Ok(Some((stream, from))) => {
                if let Some((pipe, connection)) = self.socket.accepted(id, from, now) {
                    self.link(pipe, stream, Session::new(connection));
                }
            }
            Err(error) => {
                self.socket.accept_failed(id, error.kind().into(), now);
                return PostAction::Disable;
            }
        }
        PostAction::Continue
    }
}
