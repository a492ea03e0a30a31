//! [`BindListener`]: handles of `sansmq-runtime` at listeners that are already open.

use crate::StdListener;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{Handle, Opened};

impl StdListener {
    /// In the form in which it goes to a runtime.
    ///
    /// # Errors
    /// [`BindError::Listener`]: it does not say where it listens.
    pub fn opened(self) -> Result<Opened, BindError> {
        let endpoint = self.endpoint().map_err(BindError::Listener)?;
        Ok(Opened::new(endpoint, self))
    }

    /// What a runtime has been given, and where it listens.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`]: it is of another kind.
    pub fn arrived(opened: Opened) -> Result<(Self, Endpoint), NetworkError> {
        let endpoint = opened.endpoint().clone();
        opened.into_listener().map(|listener| (listener, endpoint)).ok_or(NetworkError::Unsupported)
    }
}

/// Sockets that listen where somebody else has begun to.
pub trait BindListener {
    /// As `bind`, at a listener that is open already (`USE_FD`): one that a service manager hands over, so that nobody is
    /// refused while the program starts, or one whose making was special. Gives back where it listens, for `unbind`. What
    /// else is to know stands at [`Handle::bind_opened`].
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
        self.bind_opened(listener.into().opened()?).await
    }
}
