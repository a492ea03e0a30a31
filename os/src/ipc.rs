//! Unix domain sockets: binding without taking over a name in use, releasing the name, and connecting without blocking.

use crate::{backlog, check_listens, error, size_buffers};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};
use sansmq_proto::NetworkError;
use sansmq_proto::address::{IpcName, TransportConfig};
use socket2::{SockRef, Socket};
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Listens at the name of a Unix domain socket. Returns the listener, the name to which it is bound, and the [`Claim`]
/// that removes the socket file. The bound name differs from `name` only for [`IpcName::Any`].
///
/// The listener is non-blocking. The umask of the process and the permissions of the directory decide which users may connect,
/// as for any file.
///
/// A stale socket file, at which no process listens any more, is replaced. A killed process leaves such a file behind.
/// A live socket is never replaced, even if its process does not accept connections, and neither is another type of
/// file. If several processes find the same stale file, only one of them replaces the file, because a process must lock
/// the directory first (`flock`).
///
/// Only the backlog and the buffer sizes of `transport` are used.
///
/// For [`IpcName::Any`], the name is the file `socket` in a new directory in [`std::env::temp_dir`], which only the current user
/// can access.
///
/// # Errors
/// - [`NetworkError::AddressInUse`]: a process listens at the name, or it could not be determined that the file is stale;
/// - [`NetworkError::NotASocket`]: the name is that of a file of another type, or of a symbolic link;
/// - [`NetworkError::NoDirectory`] or [`NetworkError::NotADirectory`]: a directory of the path does not exist, or is a file of
///   another type;
/// - [`NetworkError::DirectoryNotWritable`]: this process may not create a file in the directory;
/// - [`NetworkError::InvalidPath`]: the name is empty, too long for this system, or contains a zero byte;
/// - [`NetworkError::NoAbstractNames`]: the name is abstract, and this system is neither Linux nor Android;
/// - any other error of the operating system.
pub fn bind(name: &IpcName, transport: &TransportConfig) -> Result<(UnixListener, IpcName, Claim), NetworkError> {
    check_supported(name)?;
    open(name, transport).map_err(|failure| {
        let kind = failure.kind();
        match (kind, name) {
            (ErrorKind::AddrInUse, IpcName::Path(path)) if is_other_file(Path::new(path)) => NetworkError::NotASocket,
            (_, IpcName::Abstract(_)) => error(&failure),
            (_, IpcName::Path(_) | IpcName::Any) => bind_error(kind).unwrap_or_else(|| error(&failure)),
        }
    })
}

/// Returns the error of creating a socket file if `kind` has a special meaning there, and otherwise `None`.
fn bind_error(kind: ErrorKind) -> Option<NetworkError> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind has dozens of variants and is non-exhaustive")]
    match kind {
        ErrorKind::NotFound => Some(NetworkError::NoDirectory),
        ErrorKind::NotADirectory => Some(NetworkError::NotADirectory),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some(NetworkError::DirectoryNotWritable),
        _ => None,
    }
}

/// Returns true if `path` is a file that is not a socket. A symbolic link is not followed.
fn is_other_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| !file.file_type().is_socket())
}

fn open(name: &IpcName, transport: &TransportConfig) -> io::Result<(UnixListener, IpcName, Claim)> {
    match name {
        IpcName::Abstract(_) => Ok((listen(name, transport)?, name.clone(), Claim(None))),
        IpcName::Path(path) => {
            let path = Path::new(path);
            // The working directory may change before the file is removed.
            let absolute = std::path::absolute(path)?;
            let directory = absolute.parent().ok_or(ErrorKind::InvalidInput)?;
            let listener = listen_or_replace(name, path, directory, transport)?;
            Ok((listener, name.clone(), Claim::new(absolute, None)?))
        }
        IpcName::Any => {
            let directory = Directory::new()?;
            let path = directory.0.join("socket");
            let bound = path.to_str().ok_or(ErrorKind::InvalidFilename)?;
            let bound = IpcName::Path(bound.to_owned());
            let listener = listen(&bound, transport)?;
            Ok((listener, bound, Claim::new(path, Some(directory))?))
        }
    }
}

/// Ownership of the socket file of a bound Unix domain socket. Dropping the claim removes the file. For a wildcard
/// endpoint (`ipc://*`), it also removes the directory of the file. An abstract name has no file, so its claim removes
/// nothing.
///
/// Must be dropped *before* the listener. The claim recognizes its file by the inode number. While the listener is
/// open, the operating system gives this number to no other file, and no other process replaces the file as stale. Once
/// the listener is closed, the claim could remove the file of another listener.
#[derive(Debug)]
pub struct Claim(Option<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    identity: (u64, u64),
    /// Directory that was created for a wildcard endpoint (`ipc://*`), otherwise `None`. Removed when dropped, which is
    /// after the socket file was removed.
    _directory: Option<Directory>,
}

impl Claim {
    fn new(path: PathBuf, directory: Option<Directory>) -> io::Result<Self> {
        let identity = identity(&fs::symlink_metadata(&path)?);
        Ok(Self(Some(Held { path, identity, _directory: directory })))
    }

    /// Removes the socket file and, for a wildcard endpoint (`ipc://*`), its directory. Does nothing if the claim owns
    /// no file: the name is abstract, or the listener was taken over by [`from_listener`]. Dropping the claim has the
    /// same effect, but returns no error.
    ///
    /// # Errors
    /// - [`NetworkError::PathReplaced`]: the file was removed or replaced by another file, which is not removed.
    /// - Any other error of removing the file.
    pub fn release(mut self) -> Result<(), NetworkError> {
        self.remove().map_err(|failure| match failure.kind() {
            ErrorKind::NotFound => NetworkError::PathReplaced,
            _ => error(&failure),
        })
    }

    fn remove(&mut self) -> io::Result<()> {
        let Some(held) = self.0.take() else { return Ok(()) };
        if identity(&fs::symlink_metadata(&held.path)?) != held.identity {
            return Err(ErrorKind::NotFound.into());
        }
        fs::remove_file(&held.path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Connects to a Unix domain socket. The returned stream is non-blocking and already connected, because connecting to a
/// local socket succeeds or fails at once.
///
/// # Errors
/// - [`NetworkError::PathNotFound`]: there is no such file;
/// - [`NetworkError::Refused`]: no process listens at the file;
/// - [`NetworkError::TimedOut`]: the backlog of the listener is full, and a later call can succeed;
/// - [`NetworkError::NoAbstractNames`]: the name is abstract, and this system is neither Linux nor Android;
/// - any other error of the operating system.
pub fn connect(name: &IpcName, transport: &TransportConfig) -> Result<UnixStream, NetworkError> {
    check_supported(name)?;
    open_stream(name, transport).map_err(|failure| error(&failure))
}

fn open_stream(name: &IpcName, transport: &TransportConfig) -> io::Result<UnixStream> {
    let address = address(name)?;
    let stream = UnixStream::from(socket()?);
    stream.set_nonblocking(true)?;
    size_buffers(&SockRef::from(&stream), transport)?;
    nix::sys::socket::connect(stream.as_raw_fd(), &address)?;
    Ok(stream)
}

/// Takes over a Unix domain listener that is already open: makes the listener non-blocking, and sets the buffer sizes
/// of `transport`. The returned [`Claim`] owns no file, so dropping the claim does not remove the socket file.
///
/// # Errors
/// - [`NetworkError::NotListening`]: the listener is not in the listening state, on systems that report this state;
/// - another error of the operating system.
pub fn from_listener(
    listener: UnixListener,
    transport: &TransportConfig,
) -> Result<(UnixListener, Claim), NetworkError> {
    let socket = Socket::from(listener);
    check_listens(&socket)?;
    let prepared = socket.set_nonblocking(true).and_then(|()| size_buffers(&socket, transport));
    prepared.map_err(|failure| error(&failure))?;
    Ok((socket.into(), Claim(None)))
}

/// Sets the buffer sizes of `transport` on an accepted connection. Unix domain sockets do not inherit these sizes from
/// their listener.
pub fn accepted<'s>(stream: impl Into<SockRef<'s>>, transport: &TransportConfig) {
    // The operating system has accepted the same sizes for the listener. So an error means that the connection has ended.
    let _ = size_buffers(&stream.into(), transport);
}

fn listen_or_replace(
    name: &IpcName,
    path: &Path,
    directory: &Path,
    transport: &TransportConfig,
) -> io::Result<UnixListener> {
    match listen(name, transport) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {}
        result => return result,
    }
    // Only the process that holds the lock may replace the file.
    let lock = File::open(directory).map_err(|_| ErrorKind::AddrInUse)?;
    lock.try_lock().map_err(|_| ErrorKind::AddrInUse)?;
    // Another process may have replaced the file before the lock was taken.
    match listen(name, transport) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {}
        result => return result,
    }
    fs::remove_file(path)?;
    listen(name, transport)
}

/// Returns true if `path` is a stale socket file: a socket file at which no process listens any more. Returns false if
/// this is not certain.
fn is_stale(path: &Path) -> bool {
    // A symbolic link is not followed, because it is another type of file.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // The probe is a datagram socket, which cannot connect to a stream socket. So a live listener does not see a connection that
    // ends at once, and a socket between its `bind` and its `listen` does not look stale.
    let probed = || UnixDatagram::unbound()?.connect(path);
    is_socket && probed().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn listen(name: &IpcName, transport: &TransportConfig) -> io::Result<UnixListener> {
    let address = address(name)?;
    let socket = socket()?;
    nix::sys::socket::bind(socket.as_raw_fd(), &address)?;
    let listener = UnixListener::from(socket);
    let socket = SockRef::from(&listener);
    size_buffers(&socket, transport)?;
    socket.listen(backlog(transport))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Returns an error if this system has no names of this kind.
fn check_supported(name: &IpcName) -> Result<(), NetworkError> {
    match name {
        IpcName::Abstract(_) if !cfg!(any(target_os = "linux", target_os = "android")) => {
            Err(NetworkError::NoAbstractNames)
        }
        IpcName::Path(_) | IpcName::Abstract(_) | IpcName::Any => Ok(()),
    }
}

fn address(name: &IpcName) -> io::Result<UnixAddr> {
    match name {
        // For an empty name, the operating system would choose a name.
        IpcName::Path(name) | IpcName::Abstract(name) if name.is_empty() => Err(ErrorKind::InvalidInput.into()),
        IpcName::Path(path) => Ok(UnixAddr::new(path.as_str())?),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        IpcName::Abstract(name) => Ok(UnixAddr::new_abstract(name.as_bytes())?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        IpcName::Abstract(_) => Err(ErrorKind::Unsupported.into()),
        IpcName::Any => Err(ErrorKind::InvalidInput.into()),
    }
}

/// Creates an operating system socket for Unix domain streams. Child processes do not inherit it (close-on-exec).
fn socket() -> Result<OwnedFd, Errno> {
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    const FLAGS: SockFlag = SockFlag::empty();
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, FLAGS, None)?;
    // Apple's systems do not have this flag, but `try_clone` sets close-on-exec on the copy.
    #[cfg(target_vendor = "apple")]
    let socket = socket.try_clone().map_err(|_| Errno::EMFILE)?;
    Ok(socket)
}

/// New directory in the temporary directory of the system. Only the current user can access the directory. Removed when
/// dropped, if it is empty.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> io::Result<Self> {
        // `create` fails if the directory exists, so no other user can have prepared it. The random name prevents other users
        // from occupying the name in advance.
        let number = getrandom::u64()?;
        let path = std::path::absolute(std::env::temp_dir())?.join(format!("sansmq-{number:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests;
