//! [`StdListener`]: a listener that somebody else opened, on its way to the runtime that is to serve it.

use super::Handle;
use crate::endpoint::{Endpoint, IpcName};
use crate::error::{BindError, NetworkError};
use crate::kind::Kind;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// A listener that is open already, for [`Handle::bind_listener`]. A runtime has to know every kind, so a new one is a
/// breaking change.
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

impl<T: Kind> Handle<T> {
    /// As [`bind`](Self::bind), at a listener that is open already (`USE_FD`): one that a service manager hands over, so
    /// that nobody is refused while the program starts, or one whose making was special. Gives back where it listens, for
    /// `unbind`.
    ///
    /// It is closed as others are; the file of a Unix domain socket stays, because it is its maker's. `backlog`,
    /// `bind_to_device` and `dual_stack` of the [`Options`](crate::Options) were its maker's to choose; the others hold.
    ///
    /// ```no_run
    /// # use sansmq_proto::{BindError, Handle, kind::Rep};
    /// # async fn example(rep: Handle<Rep>) -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let endpoint = rep.bind_listener(listener).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BindError`]: it does not say where it listens, or does not listen at all.
    pub async fn bind_listener(&self, listener: impl Into<StdListener>) -> Result<Endpoint, BindError> {
        let listener = listener.into();
        let endpoint = listener.endpoint().map_err(BindError::Listener)?;
        let adopted = self.shared().with(|state| state.adopt(endpoint.clone(), listener));
        self.bound(adopted?, endpoint).await
    }
}
