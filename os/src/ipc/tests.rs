//! A stale name is had, a live one is not, and what is given back is one's own.

use super::*;
use crate::credentials;
use nix::sys::socket::Backlog;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

#[test]
fn a_stale_file_is_replaced() {
    let place = Place::new();
    drop(UnixListener::bind(&place.path).unwrap());
    assert!(place.path.exists(), "std leaves it behind, as a killed process does");
    let (listener, bound, _claim) = bind(&place.name).unwrap();
    assert_eq!(bound, place.name);
    assert_reaches(&bound, &listener);
}

#[test]
fn whoever_is_alive_keeps_the_name_and_notices_nothing() {
    let place = Place::new();
    let (listener, bound, _claim) = bind(&place.name).unwrap();
    assert_in_use(&place.name);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody is to see the probe");
    assert_reaches(&bound, &listener);
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen_yet_is_alive() {
    let place = Place::new();
    let socket = socket().unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &address(&place.name).unwrap()).unwrap();
    assert_in_use(&place.name);
    nix::sys::socket::listen(&socket, Backlog::MAXCONN).unwrap();
    assert_reaches(&place.name, &UnixListener::from(socket));
}

#[test]
fn a_full_backlog_is_somebody_alive_who_may_be_tried_again() {
    let place = Place::new();
    let socket = socket().unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &address(&place.name).unwrap()).unwrap();
    nix::sys::socket::listen(&socket, Backlog::new(1).unwrap()).unwrap();
    let mut connected = Vec::new();
    let full = loop {
        match connect(&place.name) {
            Ok(stream) => connected.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(error(&full), NetworkError::TimedOut);
    assert_in_use(&place.name);
    let listener = UnixListener::from(socket);
    listener.accept().unwrap();
    connect(&place.name).unwrap();
}

#[test]
fn no_other_kind_of_file_is_touched() {
    let place = Place::new();
    fs::write(&place.path, "precious").unwrap();
    assert_in_use(&place.name);
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "precious");
    assert_eq!(error(&connect(&place.name).unwrap_err()), NetworkError::Refused);

    // Nor a symbolic link, though it leads to a stale socket.
    let stale = place.path.with_extension("stale");
    drop(UnixListener::bind(&stale).unwrap());
    fs::remove_file(&place.path).unwrap();
    std::os::unix::fs::symlink(&stale, &place.path).unwrap();
    assert_in_use(&place.name);
    assert!(place.path.is_symlink() && stale.exists());
}

#[test]
fn a_stale_file_is_left_alone_while_another_replaces_something_in_the_directory() {
    let place = Place::new();
    drop(UnixListener::bind(&place.path).unwrap());
    let other = File::open(place.path.parent().unwrap()).unwrap();
    other.lock().unwrap();
    assert_in_use(&place.name);
    other.unlock().unwrap();
    bind(&place.name).unwrap();
}

#[test]
fn of_several_who_race_for_a_stale_file_one_wins_and_is_reachable() {
    const RACERS: usize = 4;
    let place = Place::new();
    for round in 0..200 {
        drop(UnixListener::bind(&place.path).unwrap());
        let start = Barrier::new(RACERS);
        let race = || {
            start.wait();
            bind(&place.name)
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1, "in round {round}");
        for loser in losers {
            assert_eq!(loser.unwrap_err().kind(), ErrorKind::AddrInUse);
        }
        for winner in winners {
            let (listener, bound, claim) = winner.unwrap();
            assert_reaches(&bound, &listener);
            claim.release().unwrap();
        }
    }
}

#[test]
fn a_name_is_given_back_when_its_claim_is_released_or_dropped() {
    let place = Place::new();
    let (_listener, _, claim) = bind(&place.name).unwrap();
    claim.release().unwrap();
    assert!(!place.path.exists());
    let (_listener, _, claim) = bind(&place.name).unwrap();
    drop(claim);
    assert!(!place.path.exists());
}

#[test]
fn a_name_that_somebody_removed_or_took_is_reported_and_left_as_it_is() {
    let place = Place::new();
    let (_first, _, claim) = bind(&place.name).unwrap();
    fs::remove_file(&place.path).unwrap();
    assert_eq!(claim.release(), Err(NetworkError::NameLost));

    let (_second, _, second_claim) = bind(&place.name).unwrap();
    // As libzmq binds.
    fs::remove_file(&place.path).unwrap();
    let (_third, _, third_claim) = bind(&place.name).unwrap();
    assert_eq!(second_claim.release(), Err(NetworkError::NameLost));
    fs::remove_file(&place.path).unwrap();
    let (fourth, bound, _fourth_claim) = bind(&place.name).unwrap();
    drop(third_claim);
    assert_reaches(&bound, &fourth);
}

#[test]
fn a_wildcard_is_a_file_in_a_private_directory_and_both_go() {
    let (listener, bound, claim) = bind(&IpcName::Any).unwrap();
    let IpcName::Path(path) = &bound else { panic!("it is a path: {bound:?}") };
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
fn abstract_names_are_no_files_and_free_at_once() {
    let name = IpcName::Abstract(format!("{}", Place::new().path.display()));
    assert_eq!(error(&connect(&name).unwrap_err()), NetworkError::Refused);
    let (listener, bound, claim) = bind(&name).unwrap();
    assert_eq!(bound, name);
    assert_reaches(&bound, &listener);
    assert_in_use(&name);
    claim.release().unwrap();
    drop(listener);
    bind(&name).unwrap();
}

#[test]
fn names_that_cannot_be_are_errors_that_say_so() {
    let of = |name: IpcName| {
        let bound = error(&bind(&name).unwrap_err());
        assert_eq!(error(&connect(&name).unwrap_err()), bound, "{name:?}");
        bound
    };
    let place = Place::new();
    let below = |path: &str| IpcName::Path(place.path.with_file_name(path).to_str().unwrap().to_owned());
    assert_eq!(of(below(&"x".repeat(200))), NetworkError::BadName);
    assert_eq!(of(below("a\0b")), NetworkError::BadName);
    assert_eq!(of(IpcName::Path(String::new())), NetworkError::BadName);
    assert_eq!(of(IpcName::Abstract(String::new())), NetworkError::BadName);
    assert_eq!(of(IpcName::Abstract("x".repeat(108))), NetworkError::BadName);
    assert_eq!(of(below("nowhere/socket")), NetworkError::NoSuchName);
    fs::write(place.path.with_file_name("file"), "").unwrap();
    assert_eq!(of(below("file/socket")), NetworkError::NoSuchName);
    assert_eq!(error(&connect(&IpcName::Any).unwrap_err()), NetworkError::BadName);
}

#[test]
fn errors_tell_that_too_many_files_are_open() {
    assert_eq!(error(&Errno::EMFILE.into()), NetworkError::TooManyFiles);
    assert_eq!(error(&Errno::ENFILE.into()), NetworkError::TooManyFiles);
    assert_eq!(error(&Errno::ECONNREFUSED.into()), NetworkError::Refused);
    assert_eq!(error(&ErrorKind::AddrInUse.into()), NetworkError::AddressInUse);
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn both_ends_know_whose_process_the_other_is() {
    let place = Place::new();
    let (listener, bound, _claim) = bind(&place.name).unwrap();
    let dialled = connect(&bound).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let owner = fs::metadata(&place.path).unwrap();
    for stream in [dialled, accepted] {
        let peer = credentials(&stream).unwrap();
        assert_eq!((peer.pid, peer.uid, peer.gid), (Some(std::process::id()), owner.uid(), owner.gid()));
    }
    assert_eq!(credentials(&File::open("/").unwrap()), None);
}

#[test]
#[cfg(target_os = "linux")]
fn options_reach_listeners_and_both_ends() {
    let place = Place::new();
    let mut transport = TransportConfig::new();
    (transport.backlog, transport.send_buffer, transport.recv_buffer) = (Some(2), Some(30_000), Some(20_000));
    let (listener, bound, _claim) = super::bind(&place.name, &transport).unwrap();
    let dialled = super::connect(&bound, &transport).unwrap();
    let (stream, _) = listener.accept().unwrap();
    accepted(&stream, &transport);
    for stream in [&dialled, &stream] {
        let socket = SockRef::from(stream);
        // Linux doubles them.
        assert_eq!((socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap()), (60_000, 40_000));
    }
    let waiting: Vec<_> = core::iter::from_fn(|| connect(&bound).ok()).collect();
    assert_eq!(waiting.len(), 3, "Linux allows one more than asked for");
}

#[test]
#[cfg(target_os = "linux")]
fn an_adopted_listener_accepts_and_keeps_its_makers_file() {
    let place = Place::new();
    let (listener, claim) = from_listener(UnixListener::bind(&place.path).unwrap(), &TransportConfig::new()).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_reaches(&place.name, &listener);
    claim.release().unwrap();
    assert!(place.path.exists());
    let deaf = UnixListener::from(socket().unwrap());
    assert_eq!(from_listener(deaf, &TransportConfig::new()).unwrap_err(), NetworkError::NotListening);
}

fn bind(name: &IpcName) -> io::Result<(UnixListener, IpcName, Claim)> {
    super::bind(name, &TransportConfig::new())
}

fn connect(name: &IpcName) -> io::Result<UnixStream> {
    super::connect(name, &TransportConfig::new())
}

fn assert_in_use(name: &IpcName) {
    assert_eq!(bind(name).unwrap_err().kind(), ErrorKind::AddrInUse);
}

/// Whoever connects to the name is accepted by this listener.
fn assert_reaches(name: &IpcName, listener: &UnixListener) {
    let _stream = connect(name).unwrap();
    listener.accept().expect("the connection is to this listener");
}

/// A name that nobody has, in a directory that goes with everything in it.
struct Place {
    name: IpcName,
    path: PathBuf,
    directory: Directory,
}

impl Place {
    fn new() -> Self {
        let directory = Directory::new().unwrap();
        let path = directory.0.join("socket");
        Self { name: IpcName::Path(path.to_str().unwrap().to_owned()), path, directory }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory.0).unwrap();
    }
}
