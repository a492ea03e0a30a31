//! [`Driver`]: the reference to a socket that the tasks of its runtime hold.

use crate::connection_task::{ConnectionTask, Owner};
use crate::context::SocketListener;
use crate::listener_task::ListenGuard;
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use core::fmt;
use core::task::Waker;
use sansmq_proto::{Endpoint, ListenerId, NetworkError};
use std::sync::Arc;

/// Reference through which the background tasks of a socket access the socket. The application accesses the same socket
/// through a [`Handle`](crate::Handle). Cheap to clone; every [`Task`](crate::Task) of the socket has a clone.
///
/// If the last clone is dropped before the socket is closed, for example because the runtime shuts down, the socket
/// closes at once. Every waiting call of the application then returns.
#[derive(Clone)]
pub struct Driver(Arc<Tasks>);

/// Value that all clones of a [`Driver`] share. It is dropped after the last clone, and then closes the socket.
struct Tasks(Arc<Shared>);

impl Drop for Tasks {
    fn drop(&mut self) {
        let now = self.0.now();
        let (connections, hosted) = self.0.with(|state| (state.orphan(now), core::mem::take(&mut state.hosted)));
        connections.into_iter().for_each(Waker::wake);
        // Other sockets may have joined a port before its listener task was spawned. The drop of the guard reports to them that
        // the port is closed.
        for (id, port) in hosted {
            drop(ListenGuard::new(&self.0, id, port));
        }
    }
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Tasks(shared)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }

    fn port(&self, id: ListenerId) -> Option<Arc<SharedListener>> {
        self.shared().with(|state| state.hosted.get(&id).cloned())
    }

    /// Reports that the operating system's listener of a port is open. Reports it to every socket that shares the port.
    /// `id` identifies the `bind` with which this driver's socket opened the port. `endpoint` is the endpoint to which
    /// the listener is bound.
    pub(crate) fn listening(&self, id: ListenerId, endpoint: Endpoint) {
        let members = self.port(id).map(|port| port.opened(endpoint));
        for (member, endpoint) in members.into_iter().flatten() {
            member.with(|state| {
                state.socket.listening(member.listener, endpoint);
                state.notify_watchers();
            });
        }
    }

    /// Reports that the operating system's listener of a port could not be opened because of `error`. Reports it to
    /// every socket that shares the port, or to the last socket that unbound from it. `id` identifies the `bind` with
    /// which this driver's socket requested the port.
    pub(crate) fn listen_failed(&self, id: ListenerId, error: NetworkError) {
        let Some(port) = self.port(id) else { return };
        let closed = self.shared().context.close_port(&port);
        for member in closed.members.into_iter().chain(closed.last) {
            member.with(|state| {
                state.socket.listen_failed(member.listener, error);
                state.port_closed(member.listener);
            });
        }
    }

    /// Creates the task of a connection that was accepted at a port. `id` identifies the `bind` with which this
    /// driver's socket opened the port. `from` is the address of the peer. Drops the stream and returns `None` if the
    /// port is closed, or if a limit on the number or the rate of new connections is reached.
    pub(crate) fn accepted<S: crate::PollStream>(
        &self,
        id: ListenerId,
        from: Endpoint,
        stream: S,
    ) -> Option<ConnectionTask<S>> {
        let port = self.port(id)?;
        if port.is_for(&SocketListener { socket: Arc::downgrade(self.shared()), listener: id }) {
            let accepted = self.shared().with_time(|socket, now| socket.accepted(id, from, now));
            return accepted
                .map(|(pipe, connection)| ConnectionTask::new(self.clone(), Owner::Local(pipe), connection, stream));
        }
        if port.has_room() { ConnectionTask::unassigned(self.clone(), port, (id, from), stream) } else { None }
    }

    /// Reports to one of the sockets that share a port that accepting a connection there has failed. This socket then
    /// pauses the accepting of connections for all sockets at the port; see
    /// [`Socket::accept_failed`](sansmq_proto::Socket::accept_failed). `id` identifies the `bind` with which this
    /// driver's socket opened the port.
    pub(crate) fn accept_failed(&self, id: ListenerId, error: NetworkError) {
        if let Some(member) = self.port(id).and_then(|port| port.pause())
            && let Some(socket) = member.socket.upgrade()
        {
            socket.with_time(|socket, now| socket.accept_failed(member.listener, error, now));
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Driver").field(self.shared()).finish()
    }
}
