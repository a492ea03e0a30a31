//! Common code of the mio, tokio and smol runtimes: opening listeners, connecting, and [`BindListener`].

#[cfg(unix)]
use crate::ipc;
use crate::{OpenListener, StdListener, StdStream, lookup_addresses, tcp};
use core::future::Future;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{BoundListener, DialTimer, Handle, race};

impl OpenListener {
    /// Takes over a listener that the application has opened. For an `ipc` endpoint, closing the returned listener does
    /// not remove the socket file.
    ///
    /// # Errors
    /// - [`NetworkError::Unsupported`]: `listener` does not contain a [`StdListener`];
    /// - [`NetworkError::NotListening`]: the listener is not in the listening state, on systems that report this state;
    /// - the error of setting an option of `transport`.
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

/// Opens a listener at `endpoint`. The host can be the name of a network interface of this machine, such as `eth0`, or a
/// host name; if both exist, the interface is used. Such a name can have several addresses; the listener is bound to the
/// first address that works. Does not block; see [`lookup_addresses`].
///
/// # Errors
/// The error of the last address, if listening failed at every address of the host name.
pub async fn listen(endpoint: &Endpoint, transport: &TransportConfig) -> Result<OpenListener, NetworkError> {
    match OpenListener::without_lookup(endpoint, transport) {
        Some(outcome) => outcome,
        None => OpenListener::at_first(lookup_addresses(endpoint).await?, transport),
    }
}

/// Connects to `endpoint`. For TCP, tries the [routes](Endpoint::routes) to the addresses of the host in a [`race`].
/// Does not block; see [`lookup_addresses`]. `establish` registers a stream with the runtime, and
/// waits until the stream is connected. `timer` is the timer that [`Runtime::dial`](sansmq_runtime::Runtime::dial) received.
///
/// # Errors
/// The error of the attempt that failed last, if connecting failed by every route.
pub async fn dial<S, F: Future<Output = Result<S, NetworkError>>>(
    endpoint: &Endpoint,
    transport: &TransportConfig,
    establish: impl Fn(StdStream) -> F,
    timer: &DialTimer,
) -> Result<S, NetworkError> {
    #[cfg(unix)]
    if let Endpoint::Ipc(name) = endpoint {
        let stream = ipc::connect(name, transport)?;
        return establish(StdStream::Unix(stream)).await;
    }
    #[cfg(not(unix))]
    if let Endpoint::Ipc(_) = endpoint {
        return Err(NetworkError::NoIpc);
    }
    let routes = endpoint.routes(lookup_addresses(endpoint).await?);
    let establish = &establish;
    let attempts = routes.into_iter().map(|route| async move {
        let stream = tcp::connect(route, transport)?;
        establish(StdStream::Tcp(stream)).await
    });
    race(attempts, timer).await
}

/// Extension of [`Handle`] with the method [`bind_listener`](Self::bind_listener), by which a ZeroMQ socket accepts
/// connections from a listener of the standard library that is already open.
pub trait BindListener {
    /// Takes over a listener that is already open, and accepts connections from it (`ZMQ_USE_FD`). For example, a
    /// service manager can open the listener before it starts the program, so that no connection is refused while the
    /// program starts.
    ///
    /// Returns the endpoint of the listener. To close the listener, pass this endpoint to `unbind`. See
    /// [`Handle::bind_existing`] for the options that apply.
    ///
    /// # Errors
    /// [`BindError`]: the address of the listener is not known, or the listener is not in the listening state.
    #[doc(alias("ZMQ_USE_FD", "USE_FD"))]
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
