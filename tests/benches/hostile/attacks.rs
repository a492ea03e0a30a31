//! What strangers do, without end.

use sansmq::SocketType;
use sansmq_tests::raw_peer::{
    COMMAND, MORE, come, command, frame, greeting, head, opening, property, ready, say, vanish,
};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// An attack, and what it is made on.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) target: SocketType,
    pub(crate) service: Service,
    pub(crate) mechanism: &'static str,
    act: fn(SocketAddr) -> io::Result<()>,
}

/// What the socket does for honest peers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// It sends back what it receives.
    Echo,
    /// It sends when it is asked on another socket.
    Publish,
    /// It receives too.
    PublishAndReceive,
}

/// Those that go on in parallel.
const THREADS: usize = 4;

/// Connections that are held, where these cost no more than a descriptor.
const CROWD: usize = 3000;

/// Connections that are held, where more would be our own memory.
const FEW: usize = 500;

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
    on("half-open", SocketType::Router, |at| crowd(at, CROWD, &[])),
    on("announced-and-not-sent", SocketType::Router, |at| crowd(at, CROWD, &dealer(&head(0, 64 << 20)))),
    on("announced-in-handshake", SocketType::Router, |at| crowd(at, CROWD, &null(&head(COMMAND, 128 << 10)))),
    on("too-large", SocketType::Router, |at| crowd(at, FEW, &dealer(&head(0, 1 << 31)))),
    on("endless-message", SocketType::Router, |at| flood(at, &dealer(b""), |_| frame(MORE, b"").repeat(5000))),
    on("unknown-commands", SocketType::Router, |at| flood(at, &dealer(b""), |_| command("UNKNOWN", b"").repeat(1000))),
    on("large-commands", SocketType::Router, |at| flood(at, &dealer(b""), |_| command("UNKNOWN", &vec![7; 100 << 10]))),
    on("pings", SocketType::Router, |at| {
        flood(at, &dealer(b""), |_| command("PING", b"\0\0sixteen octets..").repeat(1000))
    }),
    on("router-never-read", SocketType::Router, |at| flood(at, &dealer(b""), |_| frame(0, &[7; 4096]))),
    on("rep-never-read", SocketType::Rep, |at| {
        flood(at, &opening("REQ"), |_| [frame(MORE, b""), frame(0, &[7; 4096])].concat())
    }),
    on("pub-never-read", SocketType::Pub, |at| crowd(at, FEW, &[opening("SUB"), command("SUBSCRIBE", b"")].concat())),
    on("push-never-read", SocketType::Push, |at| crowd(at, FEW, &opening("PULL"))),
    on("pub-subscriptions", SocketType::Pub, |at| flood(at, &opening("SUB"), different)),
    Attack {
        service: Service::PublishAndReceive,
        ..on("xpub-subscriptions", SocketType::XPub, |at| flood(at, &opening("SUB"), different))
    },
    on("xpub-never-received", SocketType::XPub, |at| flood(at, &opening("SUB"), on_and_off)),
    on("metadata", SocketType::Router, |at| crowd(at, FEW, &bomb())),
    on("churn", SocketType::Router, churn),
    Attack { mechanism: "PLAIN", ..on("plain-passwords", SocketType::Router, |at| crowd(at, FEW, &wrong_password())) },
    Attack { mechanism: "CURVE", ..on("curve-hellos", SocketType::Router, |at| crowd(at, FEW, &bogus_hello())) },
];

impl Attack {
    /// Does it for ever. Says so when it has begun.
    ///
    /// In what time the others leave: strangers would be on other machines, and these have processors of their own.
    pub(crate) fn go(&self, at: SocketAddr) -> io::Result<()> {
        rustix::process::nice(19)?;
        crate::want_descriptors()?;
        (self.act)(at)
    }
}

fn begun() -> io::Result<()> {
    io::stdout().write_all(b"begun\n")
}

fn idle() -> io::Result<()> {
    begun()?;
    loop {
        thread::park();
    }
}

/// Comes again and again and says this. The last so many stay.
fn crowd(at: SocketAddr, count: usize, octets: &[u8]) -> io::Result<()> {
    let mut streams = VecDeque::with_capacity(count);
    begun()?;
    loop {
        // Who is turned away tries again.
        if let Ok(stream) = say(at, octets) {
            streams.push_back(stream);
        }
        if streams.len() == count {
            streams.pop_front();
        }
    }
}

/// Says this, and then more for as long as anybody listens; reads nothing, and comes again.
fn flood(at: SocketAddr, opening: &[u8], more: fn(usize) -> Vec<u8>) -> io::Result<()> {
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let opening = opening.to_vec();
            thread::spawn(move || {
                loop {
                    let Ok(mut stream) = say(at, &opening) else { continue };
                    let mut round = 0;
                    while stream.write_all(&more(round)).is_ok() {
                        round += 1;
                    }
                }
            })
        })
        .collect();
    begun()?;
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn slow_handshakes(at: SocketAddr) -> io::Result<()> {
    let octets = &greeting("NULL")[..63];
    let mut streams: Vec<(TcpStream, usize)> = Vec::new();
    begun()?;
    loop {
        while streams.len() < FEW {
            streams.push((come(at)?, 0));
        }
        streams.retain_mut(|(stream, said)| {
            let octet = octets.get(*said..=*said).unwrap_or_default();
            *said += 1;
            // It is not yet noticed that nobody listens any more if nothing is said.
            stream.write_all(octet).is_ok()
        });
        thread::sleep(Duration::from_millis(10));
    }
}

fn churn(at: SocketAddr) -> io::Result<()> {
    begun()?;
    loop {
        drop(come(at));
        drop(say(at, &dealer(b"")));
        let _ = say(at, &dealer(&frame(0, b"hello"))).and_then(vanish);
    }
}

fn null(octets: &[u8]) -> Vec<u8> {
    [&greeting("NULL"), octets].concat()
}

fn dealer(octets: &[u8]) -> Vec<u8> {
    [&opening("DEALER"), octets].concat()
}

fn different(round: usize) -> Vec<u8> {
    let topics = round * 1000..(round + 1) * 1000;
    topics.flat_map(|topic| command("SUBSCRIBE", format!("{}/{topic}", std::process::id()).as_bytes())).collect()
}

fn on_and_off(_: usize) -> Vec<u8> {
    [command("SUBSCRIBE", b"on and off"), command("CANCEL", b"on and off")].concat().repeat(1000)
}

/// A READY as large as it may be, of as many properties as there may be.
fn bomb() -> Vec<u8> {
    let more = (1..128).flat_map(|number| property(&format!("X-{number:0251}"), &[b'x'; 700]));
    null(&ready("DEALER", &more.collect::<Vec<_>>()))
}

fn wrong_password() -> Vec<u8> {
    [greeting("PLAIN"), command("HELLO", b"\x02me\x05wrong")].concat()
}

/// All in order but the box, which only the key can tell.
fn bogus_hello() -> Vec<u8> {
    let body = [&[1, 0][..], &[0; 72], &[9; 32], &[0, 0, 0, 0, 0, 0, 0, 1], &[7; 80]].concat();
    [greeting("CURVE"), command("HELLO", &body)].concat()
}
