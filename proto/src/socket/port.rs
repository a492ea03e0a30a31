//! [`Port`]: a listener of the operating system, and the sockets that are bound to it.

use super::Socket;
use crate::address::{Endpoint, NetworkError, Resource};
use crate::connection::{ConnectionConfig, PendingPeer};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Port: a listener of the operating system, and the sockets that are bound to it (RFC 37, "The Resource Property"). `M`
/// identifies one of these sockets, with its listener.
///
/// Usually one socket is bound to a port, without a resource: then each connection belongs to this socket from the first byte
/// ([`owner`](Self::owner)). Otherwise a connection belongs to no socket until its peer has requested a resource, and then to the
/// socket that is bound to this resource ([`find`](Self::find)).
#[derive(Debug)]
pub struct Port<M> {
    requested: Endpoint,
    limits: Arc<ConnectionConfig>,
    bound: Option<Endpoint>,
    members: BTreeMap<Option<Resource>, M>,
    pausing: Option<M>,
}

impl<M: Clone + PartialEq> Port<M> {
    /// Maximum number of connections at one port that belong to no socket yet. A further connection must be closed at once.
    pub const MAX_UNASSIGNED: usize = 1024;

    /// Creates a port for the first socket that binds to it. `endpoint` is that of [`Action::Listen`](super::Action::Listen).
    pub fn new(endpoint: Endpoint, member: M, socket: &Socket) -> Self {
        let resource = endpoint.resource().cloned();
        Self {
            requested: endpoint.with_resource(None),
            limits: Arc::clone(socket.config()),
            bound: None,
            members: BTreeMap::from([(resource, member)]),
            pausing: None,
        }
    }

    /// Returns the endpoint at which the listener must be opened. Its port number may be a wildcard.
    pub const fn requested(&self) -> &Endpoint {
        &self.requested
    }

    /// Returns the endpoint at which the listener is open, without a resource; `None` until it is open.
    pub const fn bound(&self) -> Option<&Endpoint> {
        self.bound.as_ref()
    }

    /// Returns the settings of the socket that opened the port. They apply to a connection that belongs to no socket yet.
    pub const fn limits(&self) -> &Arc<ConnectionConfig> {
        &self.limits
    }

    /// Returns true if a socket that binds to `endpoint` must [join](Self::join) this port: the port is at this endpoint, and the
    /// socket or one of those at the port has a resource. Without a resource, nothing distinguishes the sockets. Such a bind
    /// opens another listener, and the operating system decides if it allows two at this address. The same happens if another
    /// socket at the port has the resource of `endpoint`, and `socket`, the socket that binds, has the option
    /// [`reuse_port`](crate::Options::reuse_port).
    ///
    /// A port is at the endpoint that was requested for it, and at that to which it is bound. Endpoints that are not of TCP, or
    /// that have a wildcard port, are not shared.
    pub fn is_shared_with(&self, endpoint: &Endpoint, socket: &Socket) -> bool {
        let resource = endpoint.resource().cloned();
        if socket.transport().reuse_port && self.members.contains_key(&resource) {
            return false;
        }
        let is_plain = resource.is_none() && self.members.keys().all(Option::is_none);
        let endpoint = endpoint.clone().with_resource(None);
        let Endpoint::Tcp { port: 1.., .. } = endpoint else { return false };
        let address = endpoint.socket_addr();
        let matches = |known: &Endpoint| *known == endpoint || (address.is_some() && known.socket_addr() == address);
        !is_plain && (matches(&self.requested) || self.bound.as_ref().is_some_and(matches))
    }

    /// Binds a further socket to this port. `endpoint` is that of [`Action::Listen`](super::Action::Listen). If the listener is
    /// open already, returns the endpoint to which the socket is now bound.
    ///
    /// # Errors
    /// [`NetworkError::AddressInUse`]: another socket at the port has the same resource, or the settings of the socket do not
    /// allow sharing the port; see [`ConnectionConfig::may_share_with`].
    pub fn join(&mut self, endpoint: &Endpoint, member: M, socket: &Socket) -> Result<Option<Endpoint>, NetworkError> {
        let resource = endpoint.resource().cloned();
        if self.members.contains_key(&resource) || !self.limits.may_share_with(socket.config()) {
            return Err(NetworkError::AddressInUse);
        }
        self.members.insert(resource.clone(), member);
        Ok(self.bound.clone().map(|bound| bound.with_resource(resource)))
    }

    /// Unbinds a socket from the port. Returns false if no socket with this `member` was bound.
    pub fn leave(&mut self, member: &M) -> bool {
        let before = self.members.len();
        self.members.retain(|_, other| other != member);
        self.pausing.take_if(|pausing| pausing == member);
        self.members.len() < before
    }

    /// Unbinds all sockets, and returns them: the listener is closed, or could not be opened.
    pub fn close(&mut self) -> Vec<M> {
        core::mem::take(&mut self.members).into_values().collect()
    }

    /// Stores the endpoint at which the listener is open. Returns each socket with the endpoint to which it is now bound.
    pub fn opened(&mut self, bound: Endpoint) -> Vec<(M, Endpoint)> {
        let with_endpoint = |(resource, member): (&Option<Resource>, &M)| {
            (member.clone(), bound.clone().with_resource(resource.clone()))
        };
        let members = self.members.iter().map(with_endpoint).collect();
        self.bound = Some(bound);
        members
    }

    /// Returns the sockets that are bound to the port.
    pub fn members(&self) -> impl Iterator<Item = &M> {
        self.members.values()
    }

    /// Returns true if a socket is bound to the port.
    pub fn is_in_use(&self) -> bool {
        !self.members.is_empty()
    }

    /// Returns the only socket at this port, if it is bound without a resource: every accepted connection belongs to it. Returns
    /// `None` if a connection belongs to no socket before its peer has requested a resource.
    pub fn owner(&self) -> Option<&M> {
        self.members.get(&None).filter(|_| self.members.len() == 1)
    }

    /// Returns the socket that is bound to the resource which the peer requests, or `None` if there is none.
    pub fn find(&self, peer: &PendingPeer) -> Option<&M> {
        self.members.get(&peer.resource().cloned())
    }

    /// Begins a pause in accepting connections, after an accept has failed. Returns the socket with the timer that ends the pause, to
    /// which the caller must report the failure. Returns `None` if no socket is bound to the port.
    pub fn pause(&mut self) -> Option<M> {
        // One timer is enough, so any member will do.
        self.pausing = self.members.values().next().cloned();
        self.pausing.clone()
    }

    /// Returns the socket with the timer of the latest pause, which may have ended. Returns `None` if there was no pause, or if
    /// this socket has unbound.
    pub const fn pausing(&self) -> Option<&M> {
        self.pausing.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::kind::{Router, Stream};
    use crate::socket::Options;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    fn router() -> Socket {
        Socket::new(Options::<Router>::new(), SeededEntropy::new(1))
    }

    #[test]
    fn port_is_shared_by_its_names_if_there_is_a_resource() {
        let mut port = Port::new(endpoint("tcp://localhost:1/a"), 1, &router());
        assert_eq!(port.requested(), &endpoint("tcp://localhost:1"));
        for (other, is_shared) in [
            ("tcp://localhost:1", true),
            ("tcp://localhost:1/a", true),
            ("tcp://localhost:2/a", false),
            ("tcp://127.0.0.1:1", false),
            ("tcp://localhost:*/a", false),
            ("ipc:///localhost", false),
        ] {
            assert_eq!(port.is_shared_with(&endpoint(other), &router()), is_shared, "{other}");
        }
        assert_eq!(port.join(&endpoint("tcp://localhost:1"), 2, &router()), Ok(None), "it is not open yet");
        let bound = endpoint("tcp://127.0.0.1:1");
        assert_eq!(port.opened(bound.clone()), [(2, bound.clone()), (1, endpoint("tcp://127.0.0.1:1/a"))]);
        assert!(port.is_shared_with(&bound, &router()), "the bound endpoint is a name of the port");
        assert_eq!(
            port.join(&endpoint("tcp://127.0.0.1:1/b"), 3, &router()),
            Ok(Some(endpoint("tcp://127.0.0.1:1/b")))
        );

        let plain = Port::new(bound.clone(), 1, &router());
        assert!(!plain.is_shared_with(&bound, &router()));
        assert!(plain.is_shared_with(&endpoint("tcp://127.0.0.1:1/a"), &router()));
    }

    #[test]
    fn same_resource_is_not_shared_with_reuse_port() {
        let reusing = Socket::new(Options::<Router>::new().reuse_port(true), SeededEntropy::new(1));
        let port = Port::new(endpoint("tcp://1.2.3.4:1/a"), 1, &reusing);
        let [same, other] = ["tcp://1.2.3.4:1/a", "tcp://1.2.3.4:1/b"].map(endpoint);
        assert!(!port.is_shared_with(&same, &reusing) && port.is_shared_with(&other, &reusing));
        assert!(port.is_shared_with(&same, &router()), "`join` refuses it, because the option is off");
    }

    #[test]
    fn same_resource_or_other_settings_are_refused() {
        let mut port = Port::new(endpoint("tcp://1.2.3.4:1/a"), 1, &router());
        let raw = Socket::new(Options::<Stream>::new(), SeededEntropy::new(1));
        assert_eq!(port.join(&endpoint("tcp://1.2.3.4:1/a"), 2, &router()), Err(NetworkError::AddressInUse));
        assert_eq!(port.join(&endpoint("tcp://1.2.3.4:1"), 2, &raw), Err(NetworkError::AddressInUse));
        assert_eq!(port.members().collect::<Vec<_>>(), [&1]);
    }

    #[test]
    fn connections_have_an_owner_while_nothing_else_is_bound() {
        let mut port = Port::new(endpoint("tcp://1.2.3.4:1"), 1, &router());
        assert_eq!(port.owner(), Some(&1));
        port.join(&endpoint("tcp://1.2.3.4:1/a"), 2, &router()).unwrap();
        assert_eq!(port.owner(), None);
        assert!(port.leave(&1) && !port.leave(&1));
        assert_eq!(port.owner(), None, "the other socket has a resource");
        assert_eq!((port.close(), port.is_in_use()), (vec![2], false));
    }

    #[test]
    fn pause_ends_with_the_socket_that_has_its_timer() {
        let mut port = Port::new(endpoint("tcp://1.2.3.4:1"), 1, &router());
        port.join(&endpoint("tcp://1.2.3.4:1/a"), 2, &router()).unwrap();
        assert_eq!((port.pausing().copied(), port.pause()), (None, Some(1)));
        assert!(port.leave(&2));
        assert_eq!(port.pausing(), Some(&1));
        assert!(port.leave(&1));
        assert_eq!((port.pausing().copied(), port.pause()), (None, None));
    }
}
