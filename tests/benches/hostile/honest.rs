//! Honest peers, in a process of their own.

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

/// How long an answer may take before it is asked for again: it may have been given to somebody else.
const PATIENCE: Duration = Duration::from_millis(50);

/// What peers have to show at the door.
pub(crate) enum Lock {
    None,
    Plain,
    Curve(KeyPair),
}

impl Lock {
    pub(crate) fn of(attack: &Attack) -> Self {
        match attack.mechanism {
            "PLAIN" => Self::Plain,
            "CURVE" => Self::Curve(KeyPair::random()),
            _ => Self::None,
        }
    }

    /// The options of the socket that has it; who has one is a ROUTER.
    pub(crate) fn server(&self, attack: &Attack) -> Options<Any> {
        let router = Options::<Router>::new();
        let router = match self {
            Self::None => return Options::of(attack.target),
            Self::Curve(own) => router.security(Security::curve_server(own.clone())),
            Self::Plain => router.security(Security::PlainServer).authenticate(|request| match &request.credentials {
                AuthCredentials::Plain { password, .. } if &password[..] == b"right" => AuthReply::accept(),
                _ => AuthReply::refuse(),
            }),
        };
        router.erase()
    }
}

/// The options of an honest peer.
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

/// The process, as the socket's sees it.
pub(crate) struct Honest {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Honest {
    /// Goes on when all of them have been answered.
    pub(crate) fn start(attack: &Attack, bound: &[Endpoint; 2], lock: &Lock) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?);
        child.args(["honest", attack.name]).args(bound.iter().map(ToString::to_string));
        if let Lock::Curve(own) = lock {
            child.arg(own.public().to_string());
        }
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut honest = Self { child, lines };
        honest.answered()?;
        Ok(honest)
    }

    /// How many answers there were.
    pub(crate) fn answered(&mut self) -> io::Result<f64> {
        self.child.stdin.as_mut().expect("it was asked for").write_all(b"\n")?;
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        line.trim().parse().map_err(|_| io::Error::other("honest peers say no number"))
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks, in so many threads, and tells how many answers there were when a line is said to it.
pub(crate) fn go(attack: &'static Attack, at: &str, bell: &str, key: Option<&str>) -> io::Result<()> {
    let counts: Vec<_> = (0..PEERS).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for (number, count) in counts.iter().enumerate() {
        let kind = peer_of(attack.target);
        let (socket, ring) =
            (mio::Socket::with(client(attack, key)?), mio::Socket::with(Options::of(SocketType::Push)));
        socket.connect(at).map_err(io::Error::other)?;
        ring.connect(bell).map_err(io::Error::other)?;
        if kind == SocketType::Sub {
            socket.subscribe(name(number)).map_err(io::Error::other)?;
        }
        let count = Arc::clone(count);
        let asked = if attack.service == Service::Echo { socket.clone() } else { ring };
        thread::spawn(move || ask(&name(number), &socket, &asked, kind == SocketType::Req, &count));
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

/// By which a peer knows what is for it, where all subscribe.
fn name(number: usize) -> String {
    format!("honest {number}")
}

fn ask(name: &str, socket: &mio::Socket<Any>, asked: &mio::Socket<Any>, is_patient: bool, count: &AtomicU64) {
    while asked.send(name).is_ok() {
        loop {
            match socket.recv_timeout(PATIENCE) {
                Ok(_) => {
                    count.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(RecvError::Empty) if is_patient => {}
                Err(_) => break,
            }
        }
    }
}
