//! Operating system calls that the runtimes of sansmq share, and those of a hand-written event loop ([`guest`]): TCP sockets with their options ([`tcp`]), Unix domain sockets
//! ([`ipc`]), the credentials of a peer process ([`credentials`]), the conversion of errors ([`error`]), and, with the feature
//! `curve`, certificate files (`keys`).
//!
//! No call blocks, except those of `keys` and name lookups of `guest`. The crate is independent of runtimes and event loops, and returns non-blocking types of
//! `std`. On systems without Unix domain sockets, runtimes return [`NetworkError::NoIpc`] for `ipc` endpoints.

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod guest;
#[cfg(unix)]
mod interface;
#[cfg(unix)]
pub mod ipc;
#[cfg(feature = "curve")]
pub mod keys;
mod lookup;
#[cfg(feature = "runtime")]
mod net;
mod open;
mod std_listener;
pub mod tcp;
#[cfg(any(windows, test))]
mod windows_numbers;

pub use lookup::{MAX_LOOKUPS, lookup_addresses};
#[cfg(feature = "runtime")]
pub use net::{BindListener, dial, listen};
pub use open::{OpenListener, StdStream};
pub use std_listener::StdListener;

use sansmq_proto::NetworkError;
use sansmq_proto::address::TransportConfig;
use socket2::Socket;
use std::io;

#[cfg(unix)]
pub use peer::credentials;

/// Converts the error of a network call to a [`NetworkError`]. On Unix and on Windows, more exact than
/// `NetworkError::from(error.kind())`: recognizes, for example, that too many files are open.
pub fn error(error: &io::Error) -> NetworkError {
    #[cfg(unix)]
    if let Some(number) = error.raw_os_error() {
        use nix::errno::Errno;
        #[expect(clippy::wildcard_enum_match_arm, reason = "there are more than a hundred variants")]
        match Errno::from_raw(number) {
            Errno::EMFILE | Errno::ENFILE => return NetworkError::TooManyFiles,
            Errno::ENODEV => return NetworkError::NoSuchDevice,
            // For example on a system without IPv6.
            Errno::EAFNOSUPPORT => return NetworkError::AddressUnavailable,
            // The backlog of a Unix domain socket is full. Over TCP, the same situation leads to a timeout.
            Errno::EAGAIN => return NetworkError::TimedOut,
            _ => {}
        }
    }
    #[cfg(windows)]
    if let Some(exact) = error.raw_os_error().and_then(windows_numbers::network_error) {
        return exact;
    }
    error.kind().into()
}

/// Sets the buffer sizes of an operating system socket to the sizes in `transport`. A size that is not configured there
/// is not changed.
fn size_buffers(socket: &Socket, transport: &TransportConfig) -> io::Result<()> {
    if let Some(bytes) = transport.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = transport.recv_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

/// Returns the configured backlog for the system call `listen`, or the maximum if none is configured. The operating
/// system reduces the value to its own limit.
fn backlog(transport: &TransportConfig) -> i32 {
    transport.backlog.and_then(|backlog| i32::try_from(backlog).ok()).unwrap_or(i32::MAX)
}

/// Returns [`NetworkError::NotListening`] if the operating system socket is not in the listening state. Variant for
/// Linux, Android and FreeBSD.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check_listens(socket: &Socket) -> Result<(), NetworkError> {
    match socket.is_listener() {
        Ok(true) => Ok(()),
        Ok(false) => Err(NetworkError::NotListening),
        Err(failure) => Err(error(&failure)),
    }
}

/// Returns `Ok` for any operating system socket. Variant for systems other than Linux, Android and FreeBSD, because
/// those systems do not report if a socket is in the listening state.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
#[expect(clippy::unnecessary_wraps, reason = "other systems report it")]
fn check_listens(_: &Socket) -> Result<(), NetworkError> {
    Ok(())
}

#[cfg(unix)]
mod peer {
    use sansmq_proto::connection::Credentials;
    use std::os::fd::AsFd;

    /// Returns the credentials of the process at the other end of a Unix domain socket. Variant for Linux and Android,
    /// which uses `SO_PEERCRED`. On other systems, this function always returns `None`.
    ///
    /// The credentials are those of the process that called `connect` or `listen`. This is not necessarily the process
    /// that owns the other end now. `pid` is `None` if the process is not visible from this one, for example in another
    /// container.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn credentials(stream: &impl AsFd) -> Option<Credentials> {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        let peer = getsockopt(stream, PeerCredentials).ok()?;
        let pid = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0);
        Some(Credentials { pid, uid: peer.uid(), gid: peer.gid() })
    }

    /// Returns `None`. Variant for Unix systems other than Linux and Android. On Linux and Android, this function
    /// returns the credentials of the process at the other end of a Unix domain socket.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub fn credentials(_: &impl AsFd) -> Option<Credentials> {
        None
    }
}

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
