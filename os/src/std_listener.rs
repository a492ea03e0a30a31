//! [`StdListener`]: a listener of the standard library that is already open.

#[cfg(unix)]
use sansmq_proto::address::IpcName;
use sansmq_proto::{Endpoint, NetworkError};
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// Listener of the standard library that is already open, for `BindListener::bind_listener` (feature `runtime`).
#[derive(Debug)]
pub enum StdListener {
    /// Listener of a `tcp` endpoint.
    Tcp(TcpListener),
    /// Listener of an `ipc` endpoint, which is a Unix domain socket.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl StdListener {
    /// Returns the endpoint to which the listener is bound.
    ///
    /// # Errors
    /// [`NetworkError::InvalidPath`] if a Unix domain socket listener has no name, or a name that is not UTF-8; or
    /// another error of the operating system.
    pub fn endpoint(&self) -> Result<Endpoint, NetworkError> {
        match self {
            Self::Tcp(listener) => Ok(listener.local_addr()?.into()),
            #[cfg(unix)]
            Self::Unix(listener) => name(listener).map(Endpoint::Ipc),
        }
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
            let name = core::str::from_utf8(name).map_err(|_| NetworkError::InvalidPath)?;
            return Ok(IpcName::Abstract(name.to_owned()));
        }
    }
    let path = address.as_pathname().and_then(std::path::Path::to_str).ok_or(NetworkError::InvalidPath)?;
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
