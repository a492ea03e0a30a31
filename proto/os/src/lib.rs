//! What every runtime of sansmq needs of the operating system alike, as plain calls that do not wait: Unix domain sockets
//! ([`ipc`]), who is at the other end of one ([`credentials`]), and what an error means ([`error`]).
//!
//! It knows no runtime and no event loop; what it returns is of `std` and non-blocking. Where there are no Unix domain
//! sockets only [`error`] is left, and a runtime answers `ipc` endpoints with [`NetworkError::Unsupported`].

#[cfg(unix)]
pub mod ipc;

use sansmq_proto::NetworkError;
use std::io;

#[cfg(unix)]
pub use peer::credentials;

/// What an error of a network call means. It knows more than `NetworkError::from(error.kind())`: that too many files are
/// open, and that there is no such directory either.
pub fn error(error: &io::Error) -> NetworkError {
    #[cfg(unix)]
    if let Some(number) = error.raw_os_error() {
        use nix::errno::Errno;
        #[expect(clippy::wildcard_enum_match_arm, reason = "there are more than a hundred")]
        match Errno::from_raw(number) {
            Errno::EMFILE | Errno::ENFILE => return NetworkError::TooManyFiles,
            Errno::ENOTDIR => return NetworkError::NoSuchName,
            // Somebody listens and does not accept: over tcp the same would be silence.
            Errno::EAGAIN => return NetworkError::TimedOut,
            _ => {}
        }
    }
    error.kind().into()
}

#[cfg(unix)]
mod peer {
    use sansmq_proto::Credentials;
    use std::os::fd::AsFd;

    /// Whose process is at the other end of a Unix domain socket: on Linux what `SO_PEERCRED` says, elsewhere `None`.
    ///
    /// It is who connected, or called `listen`, and not necessarily who holds the socket now. A process that this one cannot
    /// see, being in another container, has no `pid`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn credentials(stream: &impl AsFd) -> Option<Credentials> {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        let peer = getsockopt(stream, PeerCredentials).ok()?;
        let pid = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0);
        Some(Credentials { pid, uid: peer.uid(), gid: peer.gid() })
    }

    /// Whose process is at the other end of a Unix domain socket: on Linux what `SO_PEERCRED` says, elsewhere `None`.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn credentials(_: &impl AsFd) -> Option<Credentials> {
        None
    }
}
