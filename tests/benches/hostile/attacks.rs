//! The attacks of the benchmark. Each attack runs until its process is killed.

use sansmq::SocketType;
use sansmq_tests::raw_peer::{
    COMMAND, MORE, command, connect_and_send, connect_raw, frame, greeting, greeting_and_ready, head, property, ready,
    reset,
};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// An attack by hostile peers, and the socket that they attack: its type, its security mechanism, and its behaviour
/// towards honest peers.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) target: SocketType,
    pub(crate) service: Service,
    pub(crate) mechanism: &'static str,
    act: fn(SocketAddr) -> io::Result<()>,
}

/// Behaviour of the attacked socket towards honest peers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// The attacked socket sends each received message back to its sender.
    Echo,
    /// The attacked socket sends each message that the trigger socket receives. The trigger socket is a PULL of the
    /// benchmark, to which the honest peers send their requests.
    Publish,
    /// The attacked socket sends each message that the trigger socket receives, like `Publish`. It also receives the
    /// messages of its own peers, and drops them.
    PublishAndReceive,
}

/// Number of threads of [`flood`].
const THREADS: usize = 4;

/// Number of connections of each thread of [`flood`].
const FLOODS: usize = 250;

/// Number of connections that an attack keeps open if a connection costs the attacker only a file descriptor.
const MANY: usize = 3000;

/// Number of connections that an attack keeps open if a connection also costs the attacker memory.
const FEW: usize = 1000;

const fn on(name: &'static str, target: SocketType, act: fn(SocketAddr) -> io::Result<()>) -> Attack {
    let service = match target {
        SocketType::Router | SocketType::Rep => Service::Echo,
        _ => Service::Publish,
    };
    Attack { name, target, service, mechanism: "NULL", act }
}

pub(crate) const ATTACKS: [Attack; 21] = [
    on("none", SocketType::Router, |_| idle()),
    on("slow-handshakes", SocketType::Router, slow_handshakes),
    on("half-open", SocketType::Router, |at| connect_repeatedly(at, MANY, &[])),
    on("announced-and-not-sent", SocketType::Router, |at| connect_repeatedly(at, MANY, &dealer(&head(0, 64 << 20)))),
    on("announced-in-handshake", SocketType::Router, |at| {
        connect_repeatedly(at, MANY, &greeting_and(&head(COMMAND, 128 << 10)))
    }),
    on("too-large", SocketType::Router, |at| connect_repeatedly(at, FEW, &dealer(&head(0, 1 << 31)))),
    on("endless-message", SocketType::Router, |at| flood(at, &dealer(b""), |_| frame(MORE, b"").repeat(5000))),
    on("unknown-commands", SocketType::Router, |at| flood(at, &dealer(b""), |_| command("UNKNOWN", b"").repeat(1000))),
    on("large-commands", SocketType::Router, |at| flood(at, &dealer(b""), |_| command("UNKNOWN", &vec![7; 100 << 10]))),
    on("pings", SocketType::Router, |at| {
        flood(at, &dealer(b""), |_| command("PING", b"\0\0sixteen bytes...").repeat(1000))
    }),
    on("router-never-read", SocketType::Router, |at| flood(at, &dealer(b""), |_| frame(0, &[7; 4096]))),
    on("rep-never-read", SocketType::Rep, |at| {
        flood(at, &greeting_and_ready("REQ"), |_| [frame(MORE, b""), frame(0, &[7; 4096])].concat())
    }),
    on("pub-never-read", SocketType::Pub, |at| {
        connect_and_never_read(at, &[greeting_and_ready("SUB"), command("SUBSCRIBE", b"")].concat())
    }),
    on("push-never-read", SocketType::Push, |at| connect_and_never_read(at, &greeting_and_ready("PULL"))),
    on("pub-subscriptions", SocketType::Pub, |at| flood(at, &greeting_and_ready("SUB"), new_subscriptions)),
    Attack {
        service: Service::PublishAndReceive,
        ..on("xpub-subscriptions", SocketType::XPub, |at| flood(at, &greeting_and_ready("SUB"), new_subscriptions))
    },
    on("xpub-never-received", SocketType::XPub, |at| flood(at, &greeting_and_ready("SUB"), subscribe_and_cancel)),
    on("metadata", SocketType::Router, |at| connect_repeatedly(at, FEW, &largest_ready())),
    on("churn", SocketType::Router, churn),
    Attack {
        mechanism: "PLAIN",
        ..on("plain-passwords", SocketType::Router, |at| connect_repeatedly(at, FEW, &wrong_password()))
    },
    Attack {
        mechanism: "CURVE",
        ..on("curve-hellos", SocketType::Router, |at| connect_repeatedly(at, FEW, &invalid_hello()))
    },
];

impl Attack {
    /// Attacks the socket at the address `at` until the process is killed. Prints a line to stdout when the attack has
    /// begun.
    pub(crate) fn run(&self, at: SocketAddr) -> io::Result<()> {
        // Real attackers use the processors of other machines; here they run with the lowest priority.
        rustix::process::nice(19)?;
        crate::raise_descriptor_limit()?;
        (self.act)(at)
    }
}

fn report_start() -> io::Result<()> {
    io::stdout().write_all(b"begun\n")
}

fn idle() -> io::Result<()> {
    report_start()?;
    loop {
        thread::park();
    }
}

/// Connects to the attacked socket again and again, and sends `bytes` on each connection. When `count` connections are
/// open, closes the oldest.
fn connect_repeatedly(at: SocketAddr, count: usize, bytes: &[u8]) -> io::Result<()> {
    let mut streams = VecDeque::with_capacity(count);
    report_start()?;
    loop {
        // A rejected connection is tried again.
        if let Ok(stream) = connect_and_send(at, bytes) {
            streams.push_back(stream);
        }
        if streams.len() == count {
            streams.pop_front();
        }
    }
}

/// Does the following on each of [`FLOODS`] connections of each of [`THREADS`] threads: connects to the attacked socket,
/// sends `greeting_and_ready`, and then sends the results of `more` until the socket closes the connection. Then connects
/// again. Never reads. The argument of `more` is the number of its previous calls for the same connection.
fn flood(at: SocketAddr, greeting_and_ready: &[u8], more: fn(usize) -> Vec<u8>) -> io::Result<()> {
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let greeting_and_ready = greeting_and_ready.to_vec();
            thread::spawn(move || {
                let mut floods: Vec<_> = (0..FLOODS).map(|_| None).collect();
                loop {
                    let mut has_written = false;
                    for flood in &mut floods {
                        has_written |= continue_flood(flood, at, &greeting_and_ready, more).unwrap_or_else(|_| {
                            *flood = None;
                            true
                        });
                    }
                    if !has_written {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            })
        })
        .collect();
    report_start()?;
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

/// Connection of [`flood`]: its stream, the bytes to write next, and the number of calls of `more`.
type Flood = Option<(TcpStream, Vec<u8>, usize)>;

/// Connects `flood`, or writes to it once. Returns true if it has done so.
fn continue_flood(flood: &mut Flood, at: SocketAddr, greeting: &[u8], more: fn(usize) -> Vec<u8>) -> io::Result<bool> {
    let Some((stream, pending, round)) = flood else {
        let stream = connect_and_send(at, greeting)?;
        stream.set_nonblocking(true)?;
        *flood = Some((stream, Vec::new(), 0));
        return Ok(true);
    };
    if pending.is_empty() {
        *pending = more(*round);
        *round += 1;
    }
    match stream.write(pending) {
        Ok(written) => {
            pending.drain(..written);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Connects [`FEW`] times to the attacked socket and sends `bytes` on each connection. Keeps the connections open and never
/// reads.
fn connect_and_never_read(at: SocketAddr, bytes: &[u8]) -> io::Result<()> {
    let mut streams = Vec::new();
    while streams.len() < FEW {
        streams.extend(connect_and_send(at, bytes));
    }
    report_start()?;
    loop {
        thread::park();
    }
}

fn slow_handshakes(at: SocketAddr) -> io::Result<()> {
    let bytes = &greeting("NULL")[..63];
    let mut streams: Vec<(TcpStream, usize)> = Vec::new();
    report_start()?;
    loop {
        while streams.len() < FEW {
            streams.push((connect_raw(at)?, 0));
        }
        streams.retain_mut(|(stream, sent)| {
            let byte = bytes.get(*sent..=*sent).unwrap_or_default();
            *sent += 1;
            // After the last byte nothing is written, so a closed connection is not detected and stays in the list.
            stream.write_all(byte).is_ok()
        });
        thread::sleep(Duration::from_millis(10));
    }
}

fn churn(at: SocketAddr) -> io::Result<()> {
    report_start()?;
    loop {
        drop(connect_raw(at));
        drop(connect_and_send(at, &dealer(b"")));
        let _ = connect_and_send(at, &dealer(&frame(0, b"hello"))).and_then(reset);
    }
}

fn greeting_and(bytes: &[u8]) -> Vec<u8> {
    [&greeting("NULL"), bytes].concat()
}

fn dealer(bytes: &[u8]) -> Vec<u8> {
    [&greeting_and_ready("DEALER"), bytes].concat()
}

fn new_subscriptions(round: usize) -> Vec<u8> {
    let topics = round * 1000..(round + 1) * 1000;
    topics.flat_map(|topic| command("SUBSCRIBE", format!("{}/{topic}", std::process::id()).as_bytes())).collect()
}

fn subscribe_and_cancel(_: usize) -> Vec<u8> {
    [command("SUBSCRIBE", b"topic"), command("CANCEL", b"topic")].concat().repeat(1000)
}

/// Returns a READY command with the maximum number of properties, near the maximum size of a command.
fn largest_ready() -> Vec<u8> {
    let more = (1..128).flat_map(|number| property(&format!("X-{number:0251}"), &[b'x'; 700]));
    greeting_and(&ready("DEALER", &more.collect::<Vec<_>>()))
}

fn wrong_password() -> Vec<u8> {
    [greeting("PLAIN"), command("HELLO", b"\x02me\x05wrong")].concat()
}

/// Returns a CURVE HELLO of which only the encrypted box is invalid. Only the owner of the server's secret key can
/// detect this.
fn invalid_hello() -> Vec<u8> {
    let body = [&[1, 0][..], &[0; 72], &[9; 32], &[0, 0, 0, 0, 0, 0, 0, 1], &[7; 80]].concat();
    [greeting("CURVE"), command("HELLO", &body)].concat()
}
