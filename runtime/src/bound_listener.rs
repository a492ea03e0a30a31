//! [`BoundListener`]: a listener that somebody else opened, on its way to the runtime that is to serve it.

use crate::handle::Handle;
use core::any::Any;
use sansmq_proto::Endpoint;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;

/// A listener that is open already, of a kind that the runtime knows and this crate does not: for
/// [`Handle::bind_existing`].
#[derive(Debug)]
pub struct BoundListener {
    endpoint: Endpoint,
    listener: Box<dyn Any + Send>,
}

impl BoundListener {
    /// A listener that is open at this endpoint.
    pub fn new(endpoint: Endpoint, listener: impl Any + Send) -> Self {
        Self { endpoint, listener: Box::new(listener) }
    }

    /// Where it listens.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The listener, if it is of this kind.
    pub fn into_listener<L: Any>(self) -> Option<L> {
        self.listener.downcast().ok().map(|listener| *listener)
    }
}

impl<T: Kind> Handle<T> {
    /// As [`bind`](Self::bind), at a listener that is open already (`USE_FD`), of a kind that the socket's runtime knows. The
    /// runtimes of this project have `bind_listener` for those of the standard library.
    ///
    /// It is closed as others are; the file of a Unix domain socket stays, because it is its maker's. `backlog`,
    /// `bind_to_device` and `dual_stack` of the [`Options`](sansmq_proto::Options) were its maker's to choose; the others hold.
    ///
    /// # Errors
    /// [`BindError`]: the runtime does not know such listeners, or it does not listen at all.
    pub async fn bind_existing(&self, listener: BoundListener) -> Result<Endpoint, BindError> {
        let endpoint = listener.endpoint.clone();
        let bound_listeners = self.shared().with(|state| state.bind_existing(listener));
        self.bound(bound_listeners?, endpoint).await
    }
}
