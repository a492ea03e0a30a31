//! What adapters of `sansmq-runtime` do alike with the operating system's sockets: opening listeners, dialling, and
//! [`BindListener`].

use crate::{StdListener, tcp};
#[cfg(unix)]
use crate::{error, ipc};
use core::future::Future;
use core::net::SocketAddr;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{BoundListener, Handle, lookup_addresses};
use std::io;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;

/// A listener that is open and does not block, for an adapter to register with its poller.
#[derive(Debug)]
pub struct OpenListener {
    /// The listener.
    pub listener: StdListener,
    /// Its endpoint.
    pub bound: Endpoint,
    /// The right to the name of a Unix domain socket. Must be dropped before the listener.
    #[cfg(unix)]
    pub claim: Option<ipc::Claim>,
}

/// A stream that does not block and is connected, or connecting until it is writable; `take_error` tells then.
#[derive(Debug)]
pub enum StdStream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Through a Unix domain socket; connected.
    #[cfg(unix)]
    Unix(UnixStream),
}

impl OpenListener {
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
        let (listener, bound, claim) = ipc::bind(name, transport).map_err(|failure| error(&failure))?;
        Ok(Self { listener: StdListener::Unix(listener), bound: Endpoint::Ipc(bound), claim: Some(claim) })
    }

    /// Takes over a listener that is already open. Its name is not removed when it is closed.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] if it is of another kind; [`NetworkError::NotListening`] where the operating system
    /// tells; or an option of `transport` that it rejects.
    pub fn from_listener(listener: BoundListener, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let bound = listener.endpoint().clone();
        let listener: StdListener = listener.into_listener().ok_or(NetworkError::Unsupported)?;
        Ok(match listener {
            StdListener::Tcp(listener) => Self {
                listener: StdListener::Tcp(tcp::from_listener(listener, transport)?),
                bound,
                #[cfg(unix)]
                claim: None,
            },
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let (listener, claim) = ipc::from_listener(listener, transport)?;
                Self { listener: StdListener::Unix(listener), bound, claim: Some(claim) }
            }
        })
    }
}

/// Opens a listener. `lookup` returns the addresses of a host name, and must not block.
///
/// # Errors
/// The last failure of all addresses.
pub async fn listen<A: IntoIterator<Item = SocketAddr>>(
    endpoint: &Endpoint,
    transport: &TransportConfig,
    lookup: impl AsyncFn(&str, u16) -> io::Result<A>,
) -> Result<OpenListener, NetworkError> {
    #[cfg(unix)]
    if let Endpoint::Ipc(name) = endpoint {
        return OpenListener::ipc(name, transport);
    }
    let mut failure = NetworkError::UnknownHost;
    for address in lookup_addresses(endpoint, lookup).await? {
        match OpenListener::tcp(address, transport) {
            Ok(open) => return Ok(open),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Connects by the first route that succeeds. `lookup` returns the addresses of a host name, and must not block; `establish`
/// waits until a stream is connected.
///
/// # Errors
/// The last failure of all routes.
pub async fn dial<A: IntoIterator<Item = SocketAddr>, S, F: Future<Output = Result<S, NetworkError>>>(
    endpoint: &Endpoint,
    transport: &TransportConfig,
    lookup: impl AsyncFn(&str, u16) -> io::Result<A>,
    establish: impl Fn(StdStream) -> F,
) -> Result<S, NetworkError> {
    #[cfg(unix)]
    if let Endpoint::Ipc(name) = endpoint {
        let stream = ipc::connect(name, transport).map_err(|failure| error(&failure))?;
        return establish(StdStream::Unix(stream)).await;
    }
    let mut failure = NetworkError::UnknownHost;
    for route in endpoint.routes(lookup_addresses(endpoint, lookup).await?) {
        match tcp::connect(route, transport) {
            Ok(stream) => match establish(StdStream::Tcp(stream)).await {
                Ok(stream) => return Ok(stream),
                Err(refusal) => failure = refusal,
            },
            Err(refusal) => failure = refusal,
        }
    }
    Err(failure)
}

/// Sockets that listen where somebody else has begun to.
pub trait BindListener {
    /// As `bind`, at a listener that is open already (`USE_FD`): one that a service manager hands over, so that nobody is
    /// refused while the program starts, or one whose making was special. Gives back where it listens, for `unbind`. What
    /// else is to know stands at [`Handle::bind_existing`].
    ///
    /// # Errors
    /// [`BindError`]: it does not say where it listens, or does not listen at all.
    fn bind_listener(
        &self,
        listener: impl Into<StdListener> + Send,
    ) -> impl Future<Output = Result<Endpoint, BindError>> + Send;
}

impl<T: Kind> BindListener for Handle<T> {
    async fn bind_listener(&self, listener: impl Into<StdListener> + Send) -> Result<Endpoint, BindError> {
        let listener = listener.into();
        let endpoint = listener.endpoint().map_err(BindError::Listener)?;
        self.bind_existing(BoundListener::new(endpoint, listener)).await
    }
}
