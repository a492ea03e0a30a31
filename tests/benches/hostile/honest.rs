//! The honest peers of the benchmark, which run in a process of their own.

use crate::attacks::{Attack, Service};
use crate::peer_of;
use sansmq::curve::{KeyPair, PublicKey};
use sansmq::kind::{Any, Dealer, Router};
use sansmq::{AuthCredentials, AuthReply, Endpoint, Options, RecvError, Security, SocketType, mio};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, thread};

pub(crate) const PEERS: usize = 4;

/// Size in bytes of the messages that a PUSH distributes. A peer that never reads takes them until the buffers of the
/// operating system are full, and is not different from a peer that reads until then.
const JOB: usize = 4 << 10;

/// Time without a reply after which an honest peer repeats its request. The reply may have been sent to another peer. A
/// REQ does not repeat requests.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(50);

/// Security that the attacked socket requires of its peers.
pub(crate) enum ServerSecurity {
    None,
    Plain,
    Curve(KeyPair),
}

impl ServerSecurity {
    pub(crate) fn of(attack: &Attack) -> Self {
        match attack.mechanism {
            "PLAIN" => Self::Plain,
            "CURVE" => Self::Curve(KeyPair::random()),
            _ => Self::None,
        }
    }

    /// Returns the options of the attacked socket. With PLAIN or CURVE this socket is a ROUTER.
    pub(crate) fn server(&self, attack: &Attack) -> Options<Any> {
        let router = Options::<Router>::new();
        let router = match self {
            Self::None => return Options::of(attack.target),
            Self::Curve(own) => router.security(Security::curve_server(own.clone())).any_key(),
            Self::Plain => router.security(Security::PlainServer).authenticate(|request| match &request.credentials {
                AuthCredentials::Plain { password, .. } if &password[..] == b"right" => AuthReply::accept(),
                _ => AuthReply::reject(),
            }),
        };
        router.erase()
    }
}

/// Returns the options of the socket of an honest peer. `key` is the public key of the attacked socket; only CURVE
/// needs it.
fn client(attack: &Attack, key: Option<&str>) -> io::Result<Options<Any>> {
    let security = match (attack.mechanism, key) {
        ("PLAIN", _) => Security::plain_client("me", "right"),
        ("CURVE", Some(server)) => {
            Security::curve_client(KeyPair::random(), server.parse::<PublicKey>().map_err(io::Error::other)?)
        }
        _ => return Ok(Options::of(peer_of(attack.target))),
    };
    Ok(Options::<Dealer>::new().security(security.map_err(io::Error::other)?).erase())
}

/// Handle of the process of the honest peers.
pub(crate) struct Honest {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Honest {
    /// Starts the process of the honest peers, and waits until each honest peer has received a reply. `bound` contains
    /// the endpoints of the attacked socket and of the trigger socket.
    pub(crate) fn start(attack: &Attack, bound: &[Endpoint; 2], security: &ServerSecurity) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?);
        child.args(["honest", attack.name]).args(bound.iter().map(ToString::to_string));
        if let ServerSecurity::Curve(own) = security {
            child.arg(own.public().to_string());
        }
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut honest = Self { child, lines };
        honest.replies()?;
        Ok(honest)
    }

    /// Returns the number of replies that all honest peers together have received so far.
    pub(crate) fn replies(&mut self) -> io::Result<f64> {
        self.child.stdin.as_mut().expect("stdin is piped").write_all(b"\n")?;
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other("the honest peers did not print a number"))
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Main function of the process of the honest peers. Runs [`PEERS`] peers, each on its own thread. When a line arrives
/// at the standard input, prints the number of replies that all peers have received so far.
pub(crate) fn run(attack: &'static Attack, at: &str, trigger: &str, key: Option<&str>) -> io::Result<()> {
    let counts: Vec<_> = (0..PEERS).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for (number, count) in counts.iter().enumerate() {
        let kind = peer_of(attack.target);
        let (socket, trigger_socket) =
            (mio::Socket::with_options(client(attack, key)?), mio::Socket::with_options(Options::of(SocketType::Push)));
        socket.connect(at).map_err(io::Error::other)?;
        trigger_socket.connect(trigger).map_err(io::Error::other)?;
        if kind == SocketType::Sub {
            socket.subscribe(name(number)).map_err(io::Error::other)?;
        }
        let count = Arc::clone(count);
        let request_socket = if attack.service == Service::Echo { socket.clone() } else { trigger_socket };
        if kind == SocketType::Pull {
            thread::spawn(move || while request_socket.send(vec![7; JOB]).is_ok() {});
            thread::spawn(move || {
                while socket.recv().is_ok() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            continue;
        }
        thread::spawn(move || send_requests(&name(number), &socket, &request_socket, kind == SocketType::Req, &count));
    }
    while counts.iter().any(|count| count.load(Ordering::Relaxed) == 0) {
        thread::sleep(Duration::from_millis(1));
    }
    for line in io::stdin().lock().lines() {
        line?;
        println!("{}", counts.iter().map(|count| count.load(Ordering::Relaxed)).sum::<u64>());
    }
    Ok(())
}

/// Returns the name of the honest peer with this number. The peer subscribes to this name, and sends it as the body of
/// each request.
fn name(number: usize) -> String {
    format!("honest {number}")
}

fn send_requests(
    name: &str,
    socket: &mio::Socket<Any>,
    request_socket: &mio::Socket<Any>,
    is_req: bool,
    count: &AtomicU64,
) {
    while request_socket.send(name).is_ok() {
        loop {
            match socket.recv_timeout(RELEASE_TIMEOUT) {
                Ok(_) => {
                    count.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(RecvError::TimedOut { .. }) if is_req => {}
                Err(_) => break,
            }
        }
    }
}
