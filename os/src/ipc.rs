//! Unix domain sockets by name: binding without stealing a name, giving it back, connecting without waiting.

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

/// Listens there; gives the bound name back too, which differs for [`IpcName::Any`], and the [`Claim`] on it.
///
/// The listener does not block. Who may connect is decided by the process's umask and the directory, as for any file.
///
/// A socket file that nobody listens at any more, as a killed process leaves behind, is replaced. Nothing else ever is:
/// not a socket that is alive, even if it does not accept, and no other kind of file. Of several who find the same stale
/// file only one replaces it; a lock on the directory (`flock`) sees to that.
///
/// Of `transport` the backlog and the sizes of buffers count.
///
/// [`IpcName::Any`] is a file `socket` in a new directory for this user alone, in [`std::env::temp_dir`].
///
/// # Errors
/// - [`ErrorKind::AddrInUse`]: the name is taken, or a stale file could not be made sure of;
/// - [`ErrorKind::InvalidInput`] or [`ErrorKind::InvalidFilename`]: the name is too long for this system, or contains a zero;
/// - whatever else the system answers. [`error`] tells them apart.
pub fn bind(name: &IpcName, transport: &TransportConfig) -> io::Result<(UnixListener, IpcName, Claim)> {
    match name {
        IpcName::Abstract(_) => Ok((listen(name, transport)?, name.clone(), Claim(None))),
        IpcName::Path(path) => {
            let path = Path::new(path);
            // The working directory may be another by the time that the file is to be removed.
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

/// The right to remove a bound name: its file, and for a wildcard the directory around it. Dropping it does.
///
/// It goes *before* its listener. As long as that is open, the system gives the file's identity to no other file, and nobody
/// takes the file for a stale one.
#[derive(Debug)]
pub struct Claim(Option<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    identity: (u64, u64),
    /// Removed when dropped, after the file.
    _directory: Option<Directory>,
}

impl Claim {
    fn new(path: PathBuf, directory: Option<Directory>) -> io::Result<Self> {
        let identity = identity(&fs::symlink_metadata(&path)?);
        Ok(Self(Some(Held { path, identity, _directory: directory })))
    }

    /// Removes the name, if it is still this listener's; for an abstract one there is nothing to do.
    ///
    /// # Errors
    /// - [`NetworkError::NameLost`]: while it was bound, somebody else removed the name or took it. It is left as it is.
    /// - Whatever the system answers to the removal.
    pub fn release(mut self) -> Result<(), NetworkError> {
        self.remove().map_err(|failure| match failure.kind() {
            ErrorKind::NotFound => NetworkError::NameLost,
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

/// Connects there. The stream does not block. A local connection is made at once or not at all, so nothing is left to wait
/// for.
///
/// # Errors
/// - [`ErrorKind::NotFound`]: there is no such file;
/// - [`ErrorKind::ConnectionRefused`]: nobody listens at it;
/// - [`ErrorKind::WouldBlock`]: somebody does, but the backlog is full. Try again later;
/// - whatever else the system answers. [`error`] tells them apart.
pub fn connect(name: &IpcName, transport: &TransportConfig) -> io::Result<UnixStream> {
    let address = address(name)?;
    let stream = UnixStream::from(socket()?);
    stream.set_nonblocking(true)?;
    size_buffers(&SockRef::from(&stream), transport)?;
    nix::sys::socket::connect(stream.as_raw_fd(), &address)?;
    Ok(stream)
}

/// Takes a listener that somebody else opened. Its name remains theirs, so the claim is to nothing.
///
/// # Errors
/// What the system answers; [`NetworkError::NotListening`] where it tells.
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

/// Gives a connection that came in buffers as large as its listener's, which it does not inherit. The system has taken those
/// sizes for the listener; what fails now fails because the connection is over.
pub fn accepted<'s>(stream: impl Into<SockRef<'s>>, transport: &TransportConfig) {
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
    // Who cannot have the lock does not replace.
    let lock = File::open(directory).map_err(|_| ErrorKind::AddrInUse)?;
    lock.try_lock().map_err(|_| ErrorKind::AddrInUse)?;
    // Another one may have replaced it before there was the lock.
    match listen(name, transport) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {}
        result => return result,
    }
    fs::remove_file(path)?;
    listen(name, transport)
}

/// True if it is certain that this is a socket's file, and that the socket exists no more.
fn is_stale(path: &Path) -> bool {
    // Not through a symbolic link, which is another kind of file.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // A datagram socket cannot connect to a stream socket, and the system says so before that one listens, too: between its
    // `bind` and its `listen` it is not taken for dead. Nor does it see a connection that ends at once.
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

fn address(name: &IpcName) -> io::Result<UnixAddr> {
    match name {
        // The system would choose a name.
        IpcName::Path(name) | IpcName::Abstract(name) if name.is_empty() => Err(ErrorKind::InvalidInput.into()),
        IpcName::Path(path) => Ok(UnixAddr::new(path.as_str())?),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        IpcName::Abstract(name) => Ok(UnixAddr::new_abstract(name.as_bytes())?),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        IpcName::Abstract(_) => Err(ErrorKind::Unsupported.into()),
        IpcName::Any => Err(ErrorKind::InvalidInput.into()),
    }
}

/// A stream socket that programs started by this one do not inherit.
fn socket() -> Result<OwnedFd, Errno> {
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    const FLAGS: SockFlag = SockFlag::empty();
    let socket = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, FLAGS, None)?;
    // Apple's systems know no such flag, but std's copies have it set.
    #[cfg(target_vendor = "apple")]
    let socket = socket.try_clone().map_err(|_| Errno::EMFILE)?;
    Ok(socket)
}

/// A new directory for this user alone. Removed when dropped, if it is empty.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> io::Result<Self> {
        // The directory must not exist yet, so nobody can have laid it out; that nobody guesses it keeps it free.
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
