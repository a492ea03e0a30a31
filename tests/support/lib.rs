//! What the tests of sansmq share: simulated and real runtimes, hostile peers, topologies, and checks for leaks.
//!
//! The tests are in `tests/`, grouped into few binaries by what isolates them from each other:
//!
//! - `core`: sockets without an operating system. `patterns` and `lifecycle` are on the simulated network [`Net`]; `session` has
//!   one session over a stream of the test; `driver` a shared socket without a runtime; `idle` the wake-ups of idle sockets;
//!   `costs` the allocations of messages, counted per thread; `fuzz` the checks of the fuzz targets, with recorded, remembered
//!   and random inputs (`fuzz/README.md`); `layers` and `table` read the source and this package's `README.md`;
//! - `runtimes`: one suite on `tokio`, `smol`, `mio_loop`, `mio_blocking` and in a simulation ([`sim`]); and `pairs`, `sharing` and
//!   `inproc_stress` between sockets of several runtimes or threads;
//! - `process`: `hostile` peers and `leaks`, which count memory and descriptors of the process and run one at a time;
//! - `examples`: the examples of the facade, run as an application would;
//! - `tracing` (feature `tracing`, on by default): what a subscriber receives, which is global to the process;
//! - `pyzmq` (feature `pyzmq`): real ZeroMQ peers, and random programs compared with libzmq.
//!
//! [`Net`]: sansmq_proto::testing::Net
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod fixture;
#[cfg(unix)]
pub mod harness;
#[cfg(unix)]
pub mod leak_check;
#[cfg(unix)]
pub mod memory;
pub mod net;
pub mod raw_peer;
pub mod runtimes;
pub mod sim;
pub mod tape;

pub use net::{Told, bodies, dropped, endings, events, recv_all};

use sansmq_proto::Endpoint;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
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

/// Returns whether the environment asks for more than a quick run: whether `NET_SEEDS` is set.
pub fn is_soak() -> bool {
    env::var_os("NET_SEEDS").is_some()
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

/// A PUSH that is nothing but a TCP stream: it has said its greeting and READY, and messages may be written to it.
///
/// # Errors
/// Nobody listens there.
pub fn push_peer(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&raw_peer::opening("PUSH"))?;
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
pub struct TempDir(PathBuf);

impl TempDir {
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

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
