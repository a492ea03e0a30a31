//! Sockets with peers of other implementations: the npm package `zeromq`, and `JeroMQ`. Each pair of socket types in both
//! directions, with each end binding, and with each mechanism. The end that binds is the server of the mechanism.

use crate::children::{PEERS, Process, variable};
use crate::{Outcome, soon};
use sansmq::curve::KeyPair;
use sansmq::kind::Any;
use sansmq::tokio::Socket;
use sansmq::{AllowList, ConnectionError, Event, Message, Options, Security, SocketType, proto::socket::SocketOption};
use sansmq_real_programs::Error;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

const ANY: &str = "tcp://127.0.0.1:*";
const TYPES: [(SocketType, &str); 8] = [
    (SocketType::Req, "REP"),
    (SocketType::Rep, "REQ"),
    (SocketType::Dealer, "ROUTER"),
    (SocketType::Router, "DEALER"),
    (SocketType::Push, "PULL"),
    (SocketType::Pull, "PUSH"),
    (SocketType::Pub, "SUB"),
    (SocketType::Sub, "PUB"),
];

mod npm_zeromq {
    use super::*;

    #[tokio::test]
    async fn null() -> Outcome {
        all_pairs(&node, "null").await
    }

    #[tokio::test]
    async fn plain() -> Outcome {
        all_pairs(&node, "plain").await
    }

    #[tokio::test]
    async fn curve() -> Outcome {
        all_pairs(&node, "curve").await
    }

    #[tokio::test]
    async fn unknown_client_is_refused() -> Outcome {
        refused(&node).await
    }
}

mod jeromq {
    use super::*;

    #[tokio::test]
    async fn null() -> Outcome {
        all_pairs(&java, "null").await
    }

    // Version 0.3 of JeroMQ, that of Debian, has no security.
    #[tokio::test]
    #[ignore = "needs JeroMQ 0.4 or later"]
    async fn plain() -> Outcome {
        all_pairs(&java, "plain").await
    }

    #[tokio::test]
    #[ignore = "needs JeroMQ 0.4 or later"]
    async fn curve() -> Outcome {
        all_pairs(&java, "curve").await
    }

    #[tokio::test]
    #[ignore = "needs JeroMQ 0.4 or later"]
    async fn unknown_client_is_refused() -> Outcome {
        refused(&java).await
    }
}

type Family = dyn Fn() -> Result<Command, Error>;

fn node() -> Result<Command, Error> {
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/peer.js")).env("SANSMQ_REAL_ZEROMQ", variable("SANSMQ_REAL_ZEROMQ")?);
    Ok(command)
}

/// The class path has the jar of `JeroMQ`, and the folder with the compiled `Peer.java`.
fn java() -> Result<Command, Error> {
    let mut command = Command::new("java");
    command.args(["-cp", &variable("SANSMQ_REAL_JEROMQ")?, "Peer"]);
    Ok(command)
}

async fn all_pairs(family: &Family, mechanism: &str) -> Outcome {
    for (own, other) in TYPES {
        for peer_binds in [false, true] {
            let keys = Keys::new();
            let pair = async {
                let socket = Socket::with_options(keys.options(own, mechanism, !peer_binds)?);
                let mut peer = connect(family, (other, mechanism, peer_binds), &socket, &keys).await?;
                exchange(&socket, own, &mut peer).await?;
                socket.close_within(Duration::ZERO).await;
                Ok::<_, Error>(())
            };
            pair.await
                .map_err(|error| format!("{own} with {other}, {mechanism}, peer binds: {peer_binds}: {error}"))?;
            println!("{own} with {other}, {mechanism}, {} binds: ok", if peer_binds { "peer" } else { "sansmq" });
        }
    }
    Ok(())
}

/// Starts the peer and connects it with the socket. One of them binds.
async fn connect(
    family: &Family,
    (other, mechanism, peer_binds): (&str, &str, bool),
    socket: &Socket,
    keys: &Keys,
) -> Result<Process, Error> {
    let endpoint = if peer_binds { ANY.to_owned() } else { socket.bind(ANY).await?.to_string() };
    let method = if peer_binds { "bind" } else { "connect" };
    let own = if peer_binds { &keys.server } else { &keys.client };
    let mut command = family()?;
    command.args([other, method, &endpoint, mechanism]);
    command.envs([("USER", "ann"), ("PASSWORD", keys.password)]);
    command.env("OWN_PUBLIC", own.public().to_string()).env("OWN_SECRET", own.secret().to_z85().as_str());
    command.env("SERVER_PUBLIC", keys.server.public().to_string());
    let mut peer = Process::start(&mut command)?;
    let bound = peer.line().await?;
    if peer_binds {
        socket.connect(bound)?;
    }
    Ok(peer)
}

/// Exchanges messages of one and of more frames, of different sizes.
async fn exchange(socket: &Socket, own: SocketType, peer: &mut Process) -> Outcome {
    let series = [
        vec!["news".to_owned()],
        vec!["news".into(), String::new(), "x".repeat(255)],
        vec!["news".into(), "y".repeat(9000)],
    ];
    for frames in series {
        let (message, line) = (Message::from(frames.clone()), hex(&frames));
        match own {
            SocketType::Req | SocketType::Dealer => {
                soon(socket.send(message.clone())).await??;
                assert_eq!(soon(socket.recv()).await??, message);
            }
            SocketType::Rep | SocketType::Router => {
                peer.write(&line).await?;
                let request = soon(socket.recv()).await??;
                assert!(request.frames().ends_with(message.frames()), "{request:?}");
                soon(socket.send(request)).await??;
                assert_eq!(peer.line().await?, line);
            }
            SocketType::Push => {
                soon(socket.send(message)).await??;
                assert_eq!(peer.line().await?, line);
            }
            SocketType::Pub => {
                soon(socket.wait_subscribed("news", 1)).await??;
                soon(socket.send("other, without subscription")).await??;
                soon(socket.send(message)).await??;
                assert_eq!(peer.line().await?, line);
            }
            SocketType::Pull => {
                peer.write(&line).await?;
                assert_eq!(soon(socket.recv()).await??, message);
            }
            // A PUB drops messages until the subscription has arrived, so the peer sends more than once.
            _ => {
                socket.subscribe("news")?;
                let received = async {
                    loop {
                        peer.write(&hex(&["other".into()])).await?;
                        peer.write(&line).await?;
                        match timeout(Duration::from_millis(20), socket.recv()).await {
                            // A copy of the message before may still arrive.
                            Ok(received) if received.as_ref().is_ok_and(|received| *received != message) => {
                                assert_eq!(received?.head(), "news");
                            }
                            Ok(received) => return received.map_err(Error::from),
                            Err(_) => {}
                        }
                    }
                };
                soon(received).await??;
            }
        }
    }
    Ok(())
}

/// Clients with a wrong password or with an unknown key are refused, by our server and by that of the peer.
async fn refused(family: &Family) -> Outcome {
    for (mechanism, peer_binds) in [("plain", false), ("curve", false), ("plain", true)] {
        let keys = Keys::new();
        let unknown = Keys { server: keys.server.clone(), client: KeyPair::random(), password: "wrong" };
        let (ours, theirs) = if peer_binds { (&unknown, &keys) } else { (&keys, &unknown) };
        let socket = Socket::with_options(ours.options(SocketType::Pull, mechanism, !peer_binds)?);
        let mut monitor = socket.monitor();
        let mut peer = connect(family, ("PUSH", mechanism, peer_binds), &socket, theirs).await?;
        peer.write(&hex(&["news".into()])).await?;
        let reason = soon(monitor.find(|event| match event {
            Event::HandshakeFailed { reason, .. } => Some(reason),
            _ => None,
        }));
        let reason = reason.await?.ok_or("the socket is closed")?;
        println!("{mechanism}, peer binds: {peer_binds}: {reason}");
        let is_expected = match &reason {
            ConnectionError::Denied(_) => !peer_binds,
            ConnectionError::Refused(status) => peer_binds && status == "400",
            _ => false,
        };
        assert!(is_expected, "{mechanism}, peer binds: {peer_binds}: {reason:?}");
        assert!(socket.try_recv().is_err());
    }
    Ok(())
}

struct Keys {
    server: KeyPair,
    client: KeyPair,
    password: &'static str,
}

impl Keys {
    fn new() -> Self {
        Self { server: KeyPair::random(), client: KeyPair::random(), password: "secret" }
    }

    /// Options of our socket, which admits the client only.
    fn options(&self, own: SocketType, mechanism: &str, server: bool) -> Result<Options<Any>, Error> {
        let known = AllowList::new().plain_user("ann", self.password).curve_keys([*self.client.public()]);
        let security = match (mechanism, server) {
            ("plain", true) => Security::PlainServer,
            ("plain", false) => Security::plain_client("ann", self.password)?,
            ("curve", true) => Security::curve_server(self.server.clone()),
            ("curve", false) => Security::curve_client(self.client.clone(), *self.server.public())?,
            _ => Security::Null,
        };
        let options = Options::of(own).set(SocketOption::Security(security))?;
        // An authenticator would refuse peers of ZMTP 2.0, such as JeroMQ 0.3, because they cannot authenticate.
        let authenticates = server && mechanism != "null";
        Ok(if authenticates { options.set(SocketOption::Authenticator(known.into()))? } else { options })
    }
}

fn hex(frames: &[String]) -> String {
    let digits = |frame: &String| frame.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    frames.iter().map(digits).collect::<Vec<_>>().join(",")
}
