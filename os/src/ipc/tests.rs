//! Tests that binding replaces stale files only, and that a [`Claim`] removes only its own file.

use super::*;
use crate::credentials;
use nix::sys::socket::Backlog;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

#[test]
fn bind_replaces_stale_file() {
    let temp = TempSocket::new();
    drop(UnixListener::bind(&temp.path).unwrap());
    assert!(temp.path.exists(), "std does not remove the file, like a killed process");
    let (listener, bound, _claim) = bind(&temp.name).unwrap();
    assert_eq!(bound, temp.name);
    assert_reaches(&bound, &listener);
}

#[test]
fn bind_does_not_disturb_live_listener() {
    let temp = TempSocket::new();
    let (listener, bound, _claim) = bind(&temp.name).unwrap();
    assert_in_use(&temp.name);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "the probe must not be visible");
    assert_reaches(&bound, &listener);
}

#[test]
fn bound_socket_before_listen_is_not_stale() {
    let temp = TempSocket::new();
    let socket = socket().unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &address(&temp.name).unwrap()).unwrap();
    assert_in_use(&temp.name);
    nix::sys::socket::listen(&socket, Backlog::MAXCONN).unwrap();
    assert_reaches(&temp.name, &UnixListener::from(socket));
}

#[test]
fn listener_with_full_backlog_is_not_stale() {
    let temp = TempSocket::new();
    let socket = socket().unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &address(&temp.name).unwrap()).unwrap();
    nix::sys::socket::listen(&socket, Backlog::new(1).unwrap()).unwrap();
    let mut connected = Vec::new();
    let full = loop {
        match connect(&temp.name) {
            Ok(stream) => connected.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(full, NetworkError::TimedOut);
    assert_in_use(&temp.name);
    let listener = UnixListener::from(socket);
    listener.accept().unwrap();
    connect(&temp.name).unwrap();
}

#[test]
fn bind_replaces_no_other_type_of_file() {
    let temp = TempSocket::new();
    fs::write(&temp.path, "precious").unwrap();
    assert_eq!(bind(&temp.name).unwrap_err(), NetworkError::NotASocket);
    assert_eq!(fs::read_to_string(&temp.path).unwrap(), "precious");
    assert_eq!(connect(&temp.name).unwrap_err(), NetworkError::Refused);

    // A symbolic link is not replaced either, even if its target is a stale socket.
    let stale = temp.path.with_extension("stale");
    drop(UnixListener::bind(&stale).unwrap());
    fs::remove_file(&temp.path).unwrap();
    std::os::unix::fs::symlink(&stale, &temp.path).unwrap();
    assert_eq!(bind(&temp.name).unwrap_err(), NetworkError::NotASocket);
    assert!(temp.path.is_symlink() && stale.exists());
}

#[test]
fn bind_does_not_replace_stale_file_in_locked_directory() {
    let temp = TempSocket::new();
    drop(UnixListener::bind(&temp.path).unwrap());
    let other = File::open(temp.path.parent().unwrap()).unwrap();
    other.lock().unwrap();
    assert_in_use(&temp.name);
    other.unlock().unwrap();
    bind(&temp.name).unwrap();
}

#[test]
fn one_of_several_binds_to_stale_file_succeeds() {
    const RACERS: usize = 4;
    let temp = TempSocket::new();
    for round in 0..200 {
        drop(UnixListener::bind(&temp.path).unwrap());
        let start = Barrier::new(RACERS);
        let race = || {
            start.wait();
            bind(&temp.name)
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1, "in round {round}");
        for loser in losers {
            assert_eq!(loser.unwrap_err(), NetworkError::AddressInUse);
        }
        for winner in winners {
            let (listener, bound, claim) = winner.unwrap();
            assert_reaches(&bound, &listener);
            claim.release().unwrap();
        }
    }
}

#[test]
fn claim_removes_file_on_release_and_drop() {
    let temp = TempSocket::new();
    let (_listener, _, claim) = bind(&temp.name).unwrap();
    claim.release().unwrap();
    assert!(!temp.path.exists());
    let (_listener, _, claim) = bind(&temp.name).unwrap();
    drop(claim);
    assert!(!temp.path.exists());
}

#[test]
fn claim_reports_lost_name_and_keeps_replacement() {
    let temp = TempSocket::new();
    let (_first, _, claim) = bind(&temp.name).unwrap();
    fs::remove_file(&temp.path).unwrap();
    assert_eq!(claim.release(), Err(NetworkError::PathReplaced));

    let (_second, _, second_claim) = bind(&temp.name).unwrap();
    // Another program may remove the file before it binds, as libzmq does.
    fs::remove_file(&temp.path).unwrap();
    let (_third, _, third_claim) = bind(&temp.name).unwrap();
    assert_eq!(second_claim.release(), Err(NetworkError::PathReplaced));
    fs::remove_file(&temp.path).unwrap();
    let (fourth, bound, _fourth_claim) = bind(&temp.name).unwrap();
    drop(third_claim);
    assert_reaches(&bound, &fourth);
}

#[test]
fn wildcard_bind_uses_private_directory_and_removes_it() {
    let (listener, bound, claim) = bind(&IpcName::Any).unwrap();
    let IpcName::Path(path) = &bound else { panic!("expected a path, got {bound:?}") };
    let directory = Path::new(path).parent().unwrap();
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert_reaches(&bound, &listener);
    let (_listener, other, _claim) = bind(&IpcName::Any).unwrap();
    assert_ne!(bound, other);
    claim.release().unwrap();
    assert!(!directory.exists());
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name_is_free_after_listener_is_dropped() {
    let name = IpcName::Abstract(format!("{}", TempSocket::new().path.display()));
    assert_eq!(connect(&name).unwrap_err(), NetworkError::Refused);
    let (listener, bound, claim) = bind(&name).unwrap();
    assert_eq!(bound, name);
    assert_reaches(&bound, &listener);
    assert_in_use(&name);
    claim.release().unwrap();
    drop(listener);
    bind(&name).unwrap();
}

#[test]
fn invalid_names_are_errors() {
    let error_of = |name: IpcName| {
        let bound = bind(&name).unwrap_err();
        assert_eq!(connect(&name).unwrap_err(), bound, "{name:?}");
        bound
    };
    let temp = TempSocket::new();
    let below = |path: &str| IpcName::Path(temp.path.with_file_name(path).to_str().unwrap().to_owned());
    assert_eq!(error_of(below(&"x".repeat(200))), NetworkError::InvalidPath);
    assert_eq!(error_of(below("a\0b")), NetworkError::InvalidPath);
    assert_eq!(error_of(IpcName::Path(String::new())), NetworkError::InvalidPath);
    let has_abstract_names = cfg!(any(target_os = "linux", target_os = "android"));
    let expected = if has_abstract_names { NetworkError::InvalidPath } else { NetworkError::NoAbstractNames };
    assert_eq!(error_of(IpcName::Abstract(String::new())), expected);
    assert_eq!(error_of(IpcName::Abstract("x".repeat(108))), expected);
    fs::write(temp.path.with_file_name("file"), "").unwrap();
    assert_eq!(error_of(below("file/socket")), NetworkError::NotADirectory);
    assert_eq!(connect(&IpcName::Any).unwrap_err(), NetworkError::InvalidPath);
}

#[test]
fn bind_names_the_fault_of_the_directory() {
    let temp = TempSocket::new();
    let nowhere = temp.path.with_file_name("nowhere").join("socket");
    let nowhere = IpcName::Path(nowhere.to_str().unwrap().to_owned());
    assert_eq!(bind(&nowhere).unwrap_err(), NetworkError::NoDirectory);
    assert_eq!(connect(&nowhere).unwrap_err(), NetworkError::PathNotFound);
    // A process of root may create files in each directory, so the tests cannot rely on permissions.
    for denied in [Errno::EACCES, Errno::EPERM, Errno::EROFS] {
        assert_eq!(bind_error(io::Error::from(denied).kind()), Some(NetworkError::DirectoryNotWritable), "{denied}");
    }
    assert_eq!(bind_error(ErrorKind::AddrInUse), None);
}

#[test]
fn error_reports_too_many_open_files() {
    assert_eq!(error(&Errno::EMFILE.into()), NetworkError::TooManyFiles);
    assert_eq!(error(&Errno::ENFILE.into()), NetworkError::TooManyFiles);
    assert_eq!(error(&Errno::ECONNREFUSED.into()), NetworkError::Refused);
    assert_eq!(error(&ErrorKind::AddrInUse.into()), NetworkError::AddressInUse);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials_are_reported_at_both_ends() {
    let temp = TempSocket::new();
    let (listener, bound, _claim) = bind(&temp.name).unwrap();
    let connected_stream = connect(&bound).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let owner = fs::metadata(&temp.path).unwrap();
    for stream in [connected_stream, accepted] {
        let peer = credentials(&stream).unwrap();
        assert_eq!((peer.pid, peer.uid, peer.gid), (Some(std::process::id()), owner.uid(), owner.gid()));
    }
    assert_eq!(credentials(&File::open("/").unwrap()), None);
}

#[test]
#[cfg(target_os = "linux")]
fn options_are_set_on_listener_and_both_ends() {
    let temp = TempSocket::new();
    let mut transport = TransportConfig::new();
    (transport.backlog, transport.send_buffer, transport.recv_buffer) = (Some(2), Some(30_000), Some(20_000));
    let (listener, bound, _claim) = super::bind(&temp.name, &transport).unwrap();
    let connected_stream = super::connect(&bound, &transport).unwrap();
    let (stream, _) = listener.accept().unwrap();
    accepted(&stream, &transport);
    for stream in [&connected_stream, &stream] {
        let socket = SockRef::from(stream);
        // Linux doubles the sizes.
        assert_eq!((socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap()), (60_000, 40_000));
    }
    let waiting: Vec<_> = core::iter::from_fn(|| connect(&bound).ok()).collect();
    assert_eq!(waiting.len(), 3, "Linux allows one connection more than the backlog");
}

#[test]
#[cfg(target_os = "linux")]
fn adopted_listener_accepts_and_keeps_its_file() {
    let temp = TempSocket::new();
    let (listener, claim) = from_listener(UnixListener::bind(&temp.path).unwrap(), &TransportConfig::new()).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_reaches(&temp.name, &listener);
    claim.release().unwrap();
    assert!(temp.path.exists());
    let not_listening = UnixListener::from(socket().unwrap());
    assert_eq!(from_listener(not_listening, &TransportConfig::new()).unwrap_err(), NetworkError::NotListening);
}

fn bind(name: &IpcName) -> Result<(UnixListener, IpcName, Claim), NetworkError> {
    super::bind(name, &TransportConfig::new())
}

fn connect(name: &IpcName) -> Result<UnixStream, NetworkError> {
    super::connect(name, &TransportConfig::new())
}

fn assert_in_use(name: &IpcName) {
    assert_eq!(bind(name).unwrap_err(), NetworkError::AddressInUse);
}

/// Asserts that a connection to `name` is accepted by `listener`.
fn assert_reaches(name: &IpcName, listener: &UnixListener) {
    let _stream = connect(name).unwrap();
    listener.accept().expect("the connection must reach this listener");
}

/// Unused socket name in a new temporary directory. The directory and its content are removed when this value is
/// dropped.
struct TempSocket {
    name: IpcName,
    path: PathBuf,
    directory: Directory,
}

impl TempSocket {
    fn new() -> Self {
        let directory = Directory::new().unwrap();
        let path = directory.0.join("socket");
        Self { name: IpcName::Path(path.to_str().unwrap().to_owned()), path, directory }
    }
}

impl Drop for TempSocket {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory.0).unwrap();
    }
}
