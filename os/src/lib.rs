//! What every runtime of sansmq needs of the operating system alike, as plain calls that do not wait: TCP sockets as the
//! options ask for them ([`tcp`]), Unix domain sockets ([`ipc`]), who is at the other end of one ([`credentials`]), what an
//! error means ([`error`]), and with the feature `curve` the files that keys are kept in (`keys`).
//!
//! It knows no runtime and no event loop; what it returns is of `std` and non-blocking. Where there are no Unix domain
//! sockets, a runtime answers `ipc` endpoints with [`NetworkError::Unsupported`].

#[cfg(unix)]
pub mod ipc;
#[cfg(feature = "curve")]
pub mod keys;
#[cfg(feature = "runtime")]
mod opened;
mod std_listener;
pub mod tcp;

#[cfg(feature = "runtime")]
pub use opened::{BindListener, OpenListener, StdStream, dial, listen};
pub use std_listener::StdListener;

use sansmq_proto::NetworkError;
use sansmq_proto::address::TransportConfig;
use socket2::Socket;
use std::io;

#[cfg(unix)]
pub use peer::credentials;

/// What an error of a network call means. It knows more than `NetworkError::from(error.kind())`: that too many files are
/// open, say, and that there is no such directory either.
pub fn error(error: &io::Error) -> NetworkError {
    #[cfg(unix)]
    if let Some(number) = error.raw_os_error() {
        use nix::errno::Errno;
        #[expect(clippy::wildcard_enum_match_arm, reason = "there are more than a hundred")]
        match Errno::from_raw(number) {
            Errno::EMFILE | Errno::ENFILE => return NetworkError::TooManyFiles,
            Errno::ENOTDIR => return NetworkError::NoSuchName,
            Errno::ENODEV => return NetworkError::NoSuchDevice,
            // There is no IPv6 here, say.
            Errno::EAFNOSUPPORT => return NetworkError::AddressUnavailable,
            // Somebody listens and does not accept: over tcp the same would be silence.
            Errno::EAGAIN => return NetworkError::TimedOut,
            _ => {}
        }
    }
    error.kind().into()
}

/// Sets the sizes of the system's own buffers, if they were asked for.
fn size_buffers(socket: &Socket, transport: &TransportConfig) -> io::Result<()> {
    if let Some(octets) = transport.send_buffer {
        socket.set_send_buffer_size(octets)?;
    }
    if let Some(octets) = transport.recv_buffer {
        socket.set_recv_buffer_size(octets)?;
    }
    Ok(())
}

/// What the system's `listen` is told. It makes of too many as many as it allows.
fn backlog(transport: &TransportConfig) -> i32 {
    transport.backlog.and_then(|backlog| i32::try_from(backlog).ok()).unwrap_or(i32::MAX)
}

/// Returns an error if the socket does not listen.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check_listens(socket: &Socket) -> Result<(), NetworkError> {
    match socket.is_listener() {
        Ok(true) => Ok(()),
        Ok(false) => Err(NetworkError::NotListening),
        Err(failure) => Err(error(&failure)),
    }
}

/// Accepts any socket: this system does not report whether a socket listens.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
#[expect(clippy::unnecessary_wraps, reason = "other systems report it")]
fn check_listens(_: &Socket) -> Result<(), NetworkError> {
    Ok(())
}

#[cfg(unix)]
mod peer {
    use sansmq_proto::connection::Credentials;
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
