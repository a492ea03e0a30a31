//! Listeners of the standard library that are open already, for sockets to listen at.

use sansmq_proto::kind::Kind;
use sansmq_proto::{BindError, Endpoint, Handle, IpcName, NetworkError, Opened};
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// A listener that is open already, for [`BindListener::bind_listener`].
#[derive(Debug)]
pub enum StdListener {
    /// At a TCP port.
    Tcp(TcpListener),
    /// At a Unix domain socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl StdListener {
    /// Where it listens.
    ///
    /// # Errors
    /// What the system answers; [`NetworkError::BadName`] if the name is no text.
    pub fn endpoint(&self) -> Result<Endpoint, NetworkError> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.into()),
            #[cfg(unix)]
            Self::Unix(listener) => name(listener).map(Endpoint::Ipc),
        }
    }

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

#[cfg(unix)]
fn name(listener: &UnixListener) -> Result<IpcName, NetworkError> {
    let address = listener.local_addr()?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        if let Some(name) = address.as_abstract_name() {
            let name = core::str::from_utf8(name).map_err(|_| NetworkError::BadName)?;
            return Ok(IpcName::Abstract(name.to_owned()));
        }
    }
    let path = address.as_pathname().and_then(std::path::Path::to_str).ok_or(NetworkError::BadName)?;
    Ok(IpcName::Path(path.to_owned()))
}

impl From<TcpListener> for StdListener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for StdListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
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
