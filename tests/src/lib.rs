//! The conformance suite of sansmq. Everything is in `tests/`:
//!
//! - `patterns`, `life`: the socket types and their life cycle on the simulated network, without a runtime;
//! - `session`: one session over a stream that the test holds: its turns, its farewell, and what it costs;
//! - `tokio`, `smol`, `mio_loop`, `mio_blocking`: what sockets promise to an application: one suite, run on each runtime;
//! - `sim`: the same suite in a simulation ([`sim`]), without an operating system and with a clock that jumps;
//! - `inproc_stress`: threads that flood each other within one process;
//! - `pairs`: every runtime speaking with every other over every transport;
//! - `sharing`: one port for sockets of several runtimes;
//! - `leaks`: sockets dropped in the middle of anything, and what happens without descriptors;
//! - `tracing` (feature `tracing`, which is on): what a subscriber sees;
//! - `examples`, `perf`: the facade's examples, run as an application would;
//! - `pyzmq` (feature `pyzmq`): real ZeroMQ peers on the other side, and random programs compared with libzmq;
//! - `hostile`: peers that mean no good, on every runtime: what becomes of them, and of everybody else meanwhile; and the
//!   benchmark of that name, what it costs;
//! - `fuzz`: what the fuzz targets check, with recorded, remembered and random inputs; see `fuzz/README.md`;
//! - `layers`: imports of the core, and words that are forbidden in a crate, read from the source;
//! - `costs`: what messages ask of the allocator;
//! - `idle`: who is woken while nobody has anything to do;
//! - `table`: libzmq's own tests and their counterparts here, a table in this package's `README.md`, names what exists.
//!
//! What those files share is here: seeds, words to look into a simulated network, the simulated runtime, the words of
//! [strangers](stranger), and names for Unix domain sockets.

pub mod sim;
pub mod stranger;

use sansmq_proto::socket::DropReason;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Endpoint, Event, Message, RecvError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

/// Runs a test for each seed below `count`; or for `NET_SEEDS` times as many, or for the seed `NET_SEED` alone, if the
/// environment has that. When it fails it says how to repeat it.
///
/// # Panics
/// If what the environment has is no number.
pub fn for_seeds(count: u64, mut test: impl FnMut(u64)) {
    let seeds = match (number("NET_SEED"), number("NET_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, times) => 0..count * times.unwrap_or(1),
    };
    for seed in seeds {
        let _note = Note(seed);
        test(seed);
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

struct Note(u64);

impl Drop for Note {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to see this failure alone: NET_SEED={} {}", self.0, command());
        }
    }
}

/// What runs the test of this thread.
fn command() -> String {
    let package = env!("CARGO_PKG_NAME");
    let file = env::current_exe().unwrap_or_default();
    let file = file.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo adds a hash to the name.
    let target = file.rsplit_once('-').map_or(&*file, |(name, _)| name);
    let thread = thread::current();
    // Without threads of their own tests have no name here, and all of the file's have to do.
    let test = thread.name().filter(|&name| name != "main").map(|name| format!("{name} -- --exact"));
    format!("cargo test -p {package} --test {target} {}", test.unwrap_or_default())
}

/// A simulated network that tells what happened on it, if that ends in a failure.
#[derive(Debug)]
pub struct Told(pub Net);

impl Deref for Told {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.0
    }
}

impl DerefMut for Told {
    fn deref_mut(&mut self) -> &mut Net {
        &mut self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.trace().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// Takes all messages that wait, letting the network settle until no more come.
///
/// # Panics
/// If receiving fails for another reason than that nothing is there.
pub fn recv_all(net: &mut Net, node: NodeId) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        net.settle();
        match net[node].recv() {
            Ok(message) => messages.push(message),
            Err(RecvError::Empty) => return messages,
            Err(other) => panic!("{other}"),
        }
    }
}

/// The last frames of messages, as text.
pub fn bodies(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| message.body().to_text().into_owned()).collect()
}

/// All events that wait.
pub fn events(net: &mut Net, node: NodeId) -> Vec<Event> {
    core::iter::from_fn(|| net[node].poll_event()).collect()
}

/// The reasons among these events for which connections ended, as text.
pub fn endings(events: &[Event]) -> Vec<String> {
    let endings = events.iter().filter_map(|event| match event {
        Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    endings.collect()
}

/// How many messages these events say were dropped for this reason.
pub fn dropped(events: &[Event], why: DropReason) -> usize {
    let counts = events.iter().map(|event| match event {
        Event::Dropped { reason, messages } if *reason == why => *messages,
        _ => 0,
    });
    counts.sum()
}

/// A PUSH that is nothing but a TCP stream: it has said its greeting and READY, and messages may be written to it.
///
/// # Errors
/// Nobody listens there.
pub fn push_peer(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&stranger::opening("PUSH"))?;
    Ok(stream)
}

/// A connection of the system's to a TCP endpoint, for peers that are not ours.
///
/// # Errors
/// Nobody listens there, or it is no address.
pub async fn dial(endpoint: &Endpoint) -> io::Result<smol::net::TcpStream> {
    smol::net::TcpStream::connect(endpoint.socket_addr().ok_or(io::ErrorKind::InvalidInput)?).await
}

/// Whether the system lets anybody listen at a TCP endpoint.
pub fn is_free(endpoint: &Endpoint) -> bool {
    endpoint.socket_addr().is_some_and(|address| TcpListener::bind(address).is_ok())
}

/// A directory for one Unix domain socket. It goes with everything in it when this is dropped.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// A new directory, in the one for temporary files.
    ///
    /// # Panics
    /// If it cannot be made.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        let path = env::temp_dir().join(format!("sansmq-test-{random:x}"));
        fs::create_dir(&path).expect("there is a directory for temporary files");
        Self(path)
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The socket's path. Nothing is there yet.
    pub fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    /// The socket's endpoint.
    pub fn endpoint(&self) -> String {
        format!("ipc://{}", self.socket().display())
    }

    /// An endpoint that nobody else has either, and that is no file.
    pub fn abstract_endpoint(&self) -> String {
        format!("ipc://@{}", self.socket().display())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
