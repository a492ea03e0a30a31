//! Shared support of the tests of sansmq: simulated and real runtimes, hostile peers, topologies, and leak checks.
//!
//! The tests are in `tests/`, grouped into few binaries by what must be isolated:
//!
//! - `core`: sockets without an operating system. `patterns` and `lifecycle` run on the simulated network [`Net`];
//!   `session` drives one session over a stream that the test controls; `idle` counts wake-ups of idle sockets; `costs`
//!   counts allocations of messages per thread; `fuzz` runs the checks of the fuzz targets with recorded inputs, former
//!   crashes and random inputs (`fuzz/README.md`); `layers` and `table` check the source and the `README.md` of this
//!   package;
//! - `runtimes`: one suite on `tokio`, `smol`, `mio_loop`, `mio_blocking` and in a simulation ([`sim`]), in part on
//!   `exclusive` sockets; `pairs`,
//!   `sharing` and `inproc_stress` test sockets of several runtimes or threads together;
//! - `process`: `hostile` peers and `leaks`, which count memory and descriptors of the process;
//! - `examples`: the examples of the facade, run as an application runs them;
//! - `tracing` (feature `tracing`, on by default): records and spans that a subscriber receives; the subscriber is
//!   global to the process;
//! - `pyzmq` (feature `pyzmq`): real ZeroMQ peers, and random programs compared with libzmq.
//!
//! [`Net`]: sansmq_proto::testing::Net
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod fixture;
#[cfg(unix)]
pub mod harness;
#[cfg(unix)]
pub mod leak_check;
#[cfg(unix)]
pub mod memory;
pub mod net;
#[cfg(unix)]
pub mod preload;
pub mod raw_peer;
pub mod runtimes;
pub mod sim;
pub mod test_stream;

pub use net::{TracedNet, bodies, dropped, endings, events, recv_all};

use sansmq_proto::Endpoint;
use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

/// Runs a test for each seed below `count`. The environment variable `NET_SEEDS` multiplies `count`; `NET_SEED` selects
/// a single seed. A failure prints the command that repeats it.
///
/// # Panics
/// If one of the variables is not a number.
pub fn for_seeds(count: u64, mut test: impl FnMut(u64)) {
    let seeds = match (env_number("NET_SEED"), env_number("NET_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, times) => 0..count * times.unwrap_or(1),
    };
    for seed in seeds {
        let _reporter = FailureReporter(seed);
        test(seed);
    }
}

/// Returns `true` if the environment variable `NET_SEEDS` is set, which requests a long test run.
pub fn is_soak() -> bool {
    env::var_os("NET_SEEDS").is_some()
}

/// Reports that the current test is skipped, because this machine lacks something. The scripts in `.ci` list the reports in their
/// summary: they pass the path of a file in the environment variable `CI_NOTES`.
pub fn report_skipped(reason: impl Display) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let line = format!("not available here: {test}: {reason}\n");
    eprint!("{line}");
    if let Some(notes) = env::var_os("CI_NOTES") {
        let file = fs::OpenOptions::new().append(true).create(true).open(notes);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

fn env_number(variable: &str) -> Option<u64> {
    let value = env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("the environment variable {variable} must be a number")))
}

struct FailureReporter(u64);

impl Drop for FailureReporter {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to repeat this failure: NET_SEED={} {}", self.0, command());
        }
    }
}

/// Returns the `cargo test` command that repeats the test that runs on this thread.
fn command() -> String {
    let package = env!("CARGO_PKG_NAME");
    let file = env::current_exe().unwrap_or_default();
    let file = file.file_stem().unwrap_or_default().to_string_lossy();
    // Cargo appends a hash to the file name.
    let target = file.rsplit_once('-').map_or(&*file, |(name, _)| name);
    let thread = thread::current();
    // With `--test-threads=1` all tests run on the main thread and have no name here; the command then runs the whole
    // file.
    let test = thread.name().filter(|&name| name != "main").map(|name| format!("{name} -- --exact"));
    format!("cargo test -p {package} --test {target} {}", test.unwrap_or_default())
}

/// Connects a raw TCP stream to `address`. The stream acts as a PUSH that has already sent its greeting and READY, so
/// the test can write messages to it.
///
/// # Errors
/// If the connection is refused, or the stream fails.
pub fn push_peer(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&raw_peer::greeting_and_ready("PUSH"))?;
    Ok(stream)
}

/// Opens a real TCP connection (not a simulated one) to an endpoint, for peers that are not sockets of sansmq.
///
/// # Errors
/// If the connection is refused, or the endpoint has no IP address.
pub async fn dial(endpoint: &Endpoint) -> io::Result<smol::net::TcpStream> {
    smol::net::TcpStream::connect(endpoint.socket_addr().ok_or(io::ErrorKind::InvalidInput)?).await
}

/// Size in bytes of a large message: 300 of them do not fit into the buffers of the operating system.
pub const LARGE: usize = 100_000;

/// Returns `true` if a TCP endpoint is free, so that a socket can be bound to it.
pub fn is_free(endpoint: &Endpoint) -> bool {
    endpoint.socket_addr().is_some_and(|address| TcpListener::bind(address).is_ok())
}

/// Temporary directory for one Unix domain socket; removed with its contents on drop.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Creates a directory below the system's directory for temporary files.
    ///
    /// # Panics
    /// If the directory cannot be created.
    #[expect(clippy::new_without_default, reason = "it creates a directory")]
    pub fn new() -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        let path = env::temp_dir().join(format!("sansmq-test-{random:x}"));
        fs::create_dir(&path).expect("the system's directory for temporary files is writable");
        Self(path)
    }

    /// Returns the path of the directory.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// Returns the path of the Unix domain socket. The file does not exist before a bind.
    pub fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    /// Returns the `ipc` endpoint of the Unix domain socket in this directory.
    pub fn endpoint(&self) -> String {
        format!("ipc://{}", self.socket().display())
    }

    /// Returns an `ipc` endpoint in the abstract namespace of Linux. Its name is as unique as the path of this
    /// directory.
    pub fn abstract_endpoint(&self) -> String {
        format!("ipc://@{}", self.socket().display())
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
