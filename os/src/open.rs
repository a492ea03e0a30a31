//! [`OpenListener`] and [`StdStream`]: listeners and streams of the operating system, before an event loop registers them.

#[cfg(unix)]
use crate::ipc;
use crate::{StdListener, tcp};
#[cfg(unix)]
use sansmq_proto::address::Host;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::{Endpoint, NetworkError};
use std::net::{SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// Bound, non-blocking listener, before a runtime registers the listener with its event loop.
#[derive(Debug)]
pub struct OpenListener {
    /// Listener of the standard library, already bound and in non-blocking mode.
    pub listener: StdListener,
    /// Endpoint to which the listener is bound. If the requested endpoint was a wildcard, this endpoint has the port or
    /// path that was chosen.
    pub bound: Endpoint,
    /// Ownership of the file of a Unix domain socket; `None` for TCP. Dropping the claim removes the file, and must
    /// happen while the listener is still open, as [`ipc::Claim`] explains.
    #[cfg(unix)]
    pub claim: Option<ipc::Claim>,
}

/// Non-blocking stream of the standard library, connected or still connecting.
#[derive(Debug)]
pub enum StdStream {
    /// TCP stream, possibly still connecting. The attempt to connect has ended when the stream becomes writable. Then
    /// `take_error` returns the error of a failed attempt.
    Tcp(TcpStream),
    /// Unix domain socket stream, already connected.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl OpenListener {
    /// Opens a listener at the first address that works.
    ///
    /// # Errors
    /// The error of the last address; [`NetworkError::UnknownHost`] if there are no addresses.
    pub(crate) fn at_first(
        addresses: impl IntoIterator<Item = SocketAddr>,
        transport: &TransportConfig,
    ) -> Result<Self, NetworkError> {
        let mut failure = NetworkError::UnknownHost;
        for address in addresses {
            match Self::tcp(address, transport) {
                Ok(open) => return Ok(open),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Opens a listener, unless the host is a name that must be looked up.
    pub(crate) fn without_lookup(
        endpoint: &Endpoint,
        transport: &TransportConfig,
    ) -> Option<Result<Self, NetworkError>> {
        #[cfg(unix)]
        if let Endpoint::Ipc(name) = endpoint {
            return Some(Self::ipc(name, transport));
        }
        #[cfg(not(unix))]
        if let Endpoint::Ipc(_) = endpoint {
            return Some(Err(NetworkError::NoIpc));
        }
        let addresses = endpoint.socket_addr().map_or_else(|| interface_addresses(endpoint), |address| vec![address]);
        (!addresses.is_empty()).then(|| Self::at_first(addresses, transport))
    }

    fn tcp(address: SocketAddr, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let listener = tcp::listen(address, transport)?;
        let bound = listener.local_addr()?.into();
        Ok(Self {
            listener: StdListener::Tcp(listener),
            bound,
            #[cfg(unix)]
            claim: None,
        })
    }

    #[cfg(unix)]
    fn ipc(name: &sansmq_proto::address::IpcName, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let (listener, bound, claim) = ipc::bind(name, transport)?;
        Ok(Self { listener: StdListener::Unix(listener), bound: Endpoint::Ipc(bound), claim: Some(claim) })
    }
}

/// Returns the addresses of the network interface that `endpoint` names; empty if there is no such interface.
fn interface_addresses(endpoint: &Endpoint) -> Vec<SocketAddr> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Tcp { host: Host::Name(name), port, .. } => crate::interface::addresses(name, *port),
        _ => Vec::new(),
    }
}
