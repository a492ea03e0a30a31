//! [`BoundListener`]: a listener that was bound outside of this library and that a socket takes over.

use crate::handle::Handle;
use core::any::Any;
use sansmq_proto::Endpoint;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;

/// Listener that was bound outside of this library, with its endpoint. [`Handle::bind_existing`] passes the listener to
/// a socket. The runtime of this socket must support the type of the listener.
#[derive(Debug)]
pub struct BoundListener {
    endpoint: Endpoint,
    listener: Box<dyn Any + Send>,
}

impl BoundListener {
    /// Creates a `BoundListener` from `listener`, which must already be bound to `endpoint`. The runtime of the socket
    /// that takes over `listener` must support its type.
    pub fn new(endpoint: Endpoint, listener: impl Any + Send) -> Self {
        Self { endpoint, listener: Box::new(listener) }
    }

    /// Returns the endpoint to which the listener is bound.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the listener if its type is `L`. Otherwise drops the listener and returns `None`. A runtime calls this
    /// method with the type of listener that it supports.
    pub fn into_listener<L: Any>(self) -> Option<L> {
        self.listener.downcast().ok().map(|listener| *listener)
    }
}

impl<T: Kind> Handle<T> {
    /// Takes over `listener`, which is already bound, and accepts the connections of peers at it (`ZMQ_USE_FD`).
    /// Returns the bound endpoint. The runtime of this socket must support the type of the listener. For listeners of
    /// the standard library, the runtimes of this project have `bind_listener`.
    ///
    /// The socket closes the listener on `unbind` and `close`, but does not remove the file of a Unix domain socket:
    /// the code that created the file must remove it. The options `backlog`, `bind_to_device`, `dual_stack` and `reuse_port` have
    /// no effect here, because the listener is bound already; all other [`Options`](sansmq_proto::Options) apply.
    ///
    /// # Errors
    /// [`BindError`]: the runtime does not support this type of listener, the listener is not in the listening state,
    /// or an error that is listed at [`bind`](Self::bind) occurred.
    pub async fn bind_existing(&self, listener: BoundListener) -> Result<Endpoint, BindError> {
        let endpoint = listener.endpoint.clone();
        let bound_listeners = self.shared().with(|state| state.bind_existing(listener));
        self.bound(bound_listeners?, endpoint).await
    }
}
