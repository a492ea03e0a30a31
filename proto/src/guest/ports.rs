//! Listeners of a [`Guest`], each of which several of its sockets can share: [`Port`].

use crate::address::{Endpoint, NetworkError};
use crate::connection::{Connection, ConnectionError};
use crate::guest::link::{Link, Owner, Stage};
use crate::guest::output::Queued;
use crate::guest::{Guest, Key, Listener, PortMember, Slot, SocketId};
use crate::session::{Interest, Stream};
use crate::socket::{AcceptError, ListenerId, Port};
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

impl<S: Stream, L> Guest<S, L> {
    /// Executes [`Action::Listen`](crate::Action::Listen): requests a listener, or shares one that is there.
    pub(super) fn listen(&mut self, id: SocketId, listener: ListenerId, endpoint: Endpoint) {
        let Some(member) = self.sockets.get_mut(&id) else { return };
        if let Endpoint::Inproc(_) = endpoint {
            return member.socket.listen_failed(listener, NetworkError::Unsupported);
        }
        let mut ports = self.ports.iter().copied();
        let shared = ports
            .find(|&key| self.slots.listener(key).is_some_and(|at| at.port.is_shared_with(&endpoint, &member.socket)));
        let Some(key) = shared else {
            let port = Port::new(endpoint, (id, listener), &member.socket);
            let endpoint = port.requested().clone();
            let key = self.slots.insert(Slot::Listener(Listener {
                port,
                open: None,
                unassigned: BTreeSet::new(),
                is_accepting: false,
                is_paused: false,
            }));
            self.ports.insert(key);
            member.listeners.insert(listener, key);
            self.queued.push_back(Queued::Listen(key, endpoint));
            return;
        };
        let Some(at) = self.slots.listener_mut(key) else { return };
        match at.port.join(&endpoint, (id, listener), &member.socket) {
            Ok(bound) => {
                member.listeners.insert(listener, key);
                if let Some(bound) = bound {
                    member.socket.listening(listener, bound);
                }
                for link in at.unassigned.clone() {
                    self.assign(link);
                }
            }
            Err(error) => member.socket.listen_failed(listener, error),
        }
    }

    /// Executes [`Action::CloseListener`](crate::Action::CloseListener): the listener is closed after its last socket.
    pub(super) fn leave(&mut self, id: SocketId, listener: ListenerId) {
        let Some(key) = self.sockets.get_mut(&id).and_then(|member| member.listeners.remove(&listener)) else { return };
        let Some(at) = self.slots.listener_mut(key) else { return };
        at.port.leave(&(id, listener));
        if !at.port.is_in_use() {
            self.remove_listener(key);
        } else if at.is_paused && at.port.pausing().is_none() {
            // The timer of the pause was that of the socket.
            self.resume_accepting(key);
        }
    }

    /// Ends a pause in accepting connections.
    pub(super) fn resume_accepting(&mut self, key: Key) {
        if let Some(at) = self.slots.listener_mut(key) {
            at.is_paused = false;
            self.queued.push_back(Queued::Interest(key, Interest::READ));
            self.continue_listener(key);
        }
    }

    /// Removes a listener to which no socket is bound, and the connections that wait there for a socket.
    pub(super) fn remove_listener(&mut self, key: Key) {
        self.ports.remove(&key);
        let Some(Slot::Listener(at)) = self.slots.remove(key) else { return };
        for link in at.unassigned {
            self.end(link);
        }
        self.queued.extend(at.open.map(|listener| Queued::StopListening(key, listener)));
    }

    /// Creates the link of an accepted stream. Discards the stream if a limit is reached.
    pub(super) fn admit(&mut self, key: Key, stream: S, from: Endpoint) {
        let Some((owner, connection)) = self.begin_connection(key, from) else { return self.discard(stream) };
        let stage = Stage::connected(stream, connection);
        let link = if let Owner::Pipe(id, pipe) = owner {
            self.insert(id, pipe, stage)
        } else {
            let link = self.slots.insert(Slot::Link(Link::new(owner, stage)));
            self.slots.listener_mut(key).map(|at| at.unassigned.insert(link));
            link
        };
        self.continue_link(link);
    }

    /// Returns the connection of a peer that a listener has accepted, and its owner. Returns `None` if a limit is reached.
    fn begin_connection(&mut self, key: Key, from: Endpoint) -> Option<(Owner, Connection)> {
        let now = self.now;
        let at = self.slots.listener_mut(key)?;
        let owner = at.port.owner();
        let &(id, listener) = owner.or_else(|| at.port.members().next())?;
        let member = self.sockets.get_mut(&id)?;
        self.changed.insert(id);
        if owner.is_some() {
            let (pipe, connection) = member.socket.accepted(listener, from, now)?;
            return Some((Owner::Pipe(id, pipe), connection));
        }
        if at.unassigned.len() >= Port::<PortMember>::MAX_UNASSIGNED {
            return None;
        }
        let limits = Arc::clone(at.port.limits());
        let mut connection = member.socket.accept_shared(listener, &from, &limits, now)?;
        connection.set_peer_address(from.clone());
        Some((Owner::Port(key, from), connection))
    }

    /// Returns a stream that has no link to the loop, which may have to close it.
    pub(super) fn discard(&mut self, stream: S) {
        let key = self.slots.insert(Slot::Link(Link::new(Owner::Rejected, Stage::Ended)));
        self.slots.remove(key);
        self.queued.push_back(Queued::Gone(key, stream));
    }

    /// Assigns the connection of a link to the socket that is bound to the resource which its peer has requested, if there is
    /// one, and continues it.
    pub(super) fn assign(&mut self, key: Key) {
        let Some(link) = self.slots.link_mut(key) else { return };
        let Owner::Port(at, from) = link.owner.clone() else { return };
        let Some(peer) = link.connection().and_then(|connection| connection.pending_peer().cloned()) else { return };
        let found = self.slots.listener(at).and_then(|at| at.port.find(&peer).copied());
        let Some((id, listener)) = found else { return };
        let (Some(link), Some(member)) = (self.slots.link_mut(key), self.sockets.get_mut(&id)) else { return };
        let Some(connection) = link.connection() else { return };
        self.changed.insert(id);
        link.owner = match member.socket.attach(listener, from, connection, self.now) {
            Ok(pipe) => Owner::Pipe(id, pipe),
            Err(AcceptError::Rejected(_)) => Owner::Rejected,
            // The socket has unbound in the meantime. Another socket may bind.
            Err(AcceptError::ListenerClosed | AcceptError::NotPending) => return,
        };
        if let Owner::Pipe(_, pipe) = link.owner {
            self.set_link(id, pipe, key);
        }
        if let Some(at) = self.slots.listener_mut(at) {
            at.unassigned.remove(&key);
        }
        self.continue_link(key);
    }

    /// Reports the end of a connection that was not assigned to a socket to the sockets at its port.
    pub(super) fn reject(&mut self, key: Key, at: Key, from: &Endpoint, reason: &ConnectionError) {
        let Some(at) = self.slots.listener_mut(at) else { return };
        at.unassigned.remove(&key);
        for &(id, listener) in at.port.members() {
            if let Some(member) = self.sockets.get_mut(&id) {
                member.socket.reject_shared(listener, from, reason);
            }
        }
    }
}
