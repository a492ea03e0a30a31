//! [`Driver`]: the reference to a socket that the tasks of its runtime hold.

use crate::connection_task::{ConnectionTask, Owner};
use crate::context::SocketListener;
use crate::listener_task::ListenGuard;
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use core::fmt;
use sansmq_proto::{Endpoint, ListenerId, NetworkError};
use std::sync::Arc;

/// Reference to a socket that the tasks of its runtime hold. The application holds a [`Handle`](crate::Handle) of the
/// same socket. Cheap to clone; every [`Task`](crate::Task) of the socket has a clone.
///
/// If the last driver is dropped before the socket is closed, for example because the runtime shuts down, the socket
/// closes at once. Every call that waits for the socket then returns.
#[derive(Clone)]
pub struct Driver(Arc<Tasks>);

/// Value that all clones of a [`Driver`] share. It is dropped after the last clone, and then closes the socket.
struct Tasks(Arc<Shared>);

impl Drop for Tasks {
    fn drop(&mut self) {
        let now = self.0.now();
        let hosted = self.0.with(|state| {
            state.orphan(now);
            core::mem::take(&mut state.hosted)
        });
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

    /// Reports that listener `id` of the driver's socket is open, to all sockets that share this listener. `endpoint`
    /// is the endpoint to which the listener is bound.
    pub(crate) fn listening(&self, id: ListenerId, endpoint: Endpoint) {
        let members = self.port(id).map(|port| port.opened(endpoint));
        for (endpoint, member) in members.into_iter().flatten() {
            member.with(|state| {
                state.socket.listening(member.listener, endpoint);
                state.notify_watchers();
            });
        }
    }

    /// Reports that listener `id` of the driver's socket could not be opened, to all sockets that share this listener.
    /// `error` is the reason.
    pub(crate) fn listen_failed(&self, id: ListenerId, error: NetworkError) {
        let Some(port) = self.port(id) else { return };
        let closed = self.shared().context.close(&port);
        for member in closed.members.into_iter().chain(closed.last) {
            member.with(|state| {
                state.socket.listen_failed(member.listener, error);
                state.port_closed(member.listener);
            });
        }
    }

    /// Creates the task of a connection that listener `id` has accepted. `from` is the address of the peer. Drops the
    /// stream and returns `None` if the listener is closed, or if a limit on the number or the rate of new connections
    /// is reached.
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

    /// Reports that listener `id` failed to accept a connection. The report goes to one of the sockets that share the
    /// listener. This socket then pauses the accepting of connections for all of them; see
    /// [`Socket::accept_failed`](sansmq_proto::Socket::accept_failed).
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
