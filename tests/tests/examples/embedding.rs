//! Tests of the examples that run `Socket` and `Session` (a session reads and writes one connection) in other event
//! loops. The peers are sockets on tokio, and raw peers that do not send or do not read.

use calloop::EventLoop;
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::tokio::{DealerSocket, ReqSocket, RouterSocket};
use sansmq::{Endpoint, Event, Message, NetworkError, Options, RecvError, kind};
use sansmq_tests::raw_peer::{frame, greeting_and_ready};
use std::error::Error;
use std::future::Future;
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

#[path = "../../../examples/embedding/embed_calloop.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_calloop;
#[path = "../../../examples/embedding/embed_nothing.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_nothing;
#[path = "../../../examples/embedding/embed_poll.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_poll;

use embed_calloop::Guest;
use embed_poll::{drive, echo};

/// Time limit of each test.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::test]
async fn poll_serves_many_clients_in_one_thread() -> Outcome {
    within(async {
        let (sender, receiver) = oneshot::channel();
        let unsent = on_thread(move || {
            let mut server = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
            let listener = server.bind(any());
            let mut sender = Some(sender);
            drive(&mut server, |server, now| {
                if let Some(outcome) = server.listener(listener)
                    && let Some(sender) = sender.take()
                {
                    let _ = sender.send(outcome);
                }
                echo(server, now)
            })?;
            Ok(server.unsent())
        });
        expect_echo(&receiver.await??).await?;
        assert_eq!(unsent.await??, 0, "close must send all replies");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_returns_bind_error_to_application() -> Outcome {
    within(async {
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = taken.local_addr()?.into();
        let outcome = on_thread(move || {
            let mut server = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
            let listener = server.bind(endpoint);
            drive(&mut server, |server, _| Ok(server.listener(listener).transpose().map(drop)?))
        });
        assert_eq!(outcome.await?, Err(NetworkError::AddressInUse.to_string()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_redials_until_peer_listens() -> Outcome {
    within(async {
        // Reserves a port without listening; `SO_REUSEADDR` lets a listener bind to it.
        let reserved = TcpSocket::new_v4()?;
        reserved.set_reuseaddr(true)?;
        reserved.bind(([127, 0, 0, 1], 0).into())?;
        let endpoint = Endpoint::from(reserved.local_addr()?);

        let mut client = Socket::new(fast_reconnect(), SystemEntropy);
        client.monitor(true);
        client.connect(endpoint.clone(), Instant::ORIGIN)?;
        for number in 1..=3 {
            client.send(format!("Hello {number}"))?;
        }
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let client_task = on_thread(move || {
            let mut replies = Vec::new();
            drive(&mut client, |client, now| {
                if let Some(event) = client.poll_event().filter(|event| !matches!(event, Event::Connecting { .. }))
                    && let Some(sender) = sender.take()
                {
                    let _ = sender.send(event);
                }
                while let Ok(reply) = client.recv() {
                    replies.push(reply.body().to_text().into_owned());
                }
                if replies.len() == 3 {
                    client.close(now);
                }
                Ok(())
            })?;
            Ok(replies)
        });
        let event = receiver.await?;
        assert!(matches!(event, Event::ConnectFailed { error: NetworkError::Refused, .. }), "{event:?}");

        let router = RouterSocket::new();
        router.bind(endpoint).await?;
        for _ in 0..3 {
            router.send(router.recv().await?).await?;
        }
        assert_eq!(client_task.await??, ["Hello 1", "Hello 2", "Hello 3"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_handles_timeouts_of_sessions_and_socket() -> Outcome {
    within(async {
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = Socket::new(fast_reconnect().handshake_timeout(Duration::from_millis(20)), SystemEntropy);
        client.connect(silent.local_addr()?.into(), Instant::ORIGIN)?;
        let _thread = on_thread(move || drive(&mut client, |_, _| Ok(())));
        let first = silent.accept().await?;
        let second = silent.accept().await?; // after the handshake timeout and the reconnect interval
        assert_ne!(first.1, second.1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_closes_after_linger() -> Outcome {
    within(async {
        let silent = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = Socket::new(fast_reconnect().linger(Duration::from_millis(20)), SystemEntropy);
        client.connect(silent.local_addr()?.into(), Instant::ORIGIN)?;
        client.send("unsent")?;
        let unsent = on_thread(move || {
            drive(&mut client, |client, now| {
                client.close(now);
                assert!(matches!(client.recv(), Err(RecvError::Closed)));
                Ok(())
            })?;
            Ok(client.unsent())
        });
        assert_eq!(unsent.await??, 1);
        Ok(())
    })
    .await
}

/// Runs the server of the calloop example until it is closed, and returns the number of unsent messages.
fn serve_on_calloop(
    options: Options<kind::Router>,
    sender: oneshot::Sender<Endpoint>,
) -> Result<usize, Box<dyn Error>> {
    let mut events = EventLoop::try_new()?;
    let mut server = Guest::new(options, events.handle());
    let listener = server.socket.bind(any());
    server.round();
    let _ = sender.send(server.socket.listener(listener).ok_or("the listener was not opened at once")??);
    embed_calloop::serve(&mut events, &mut server)?;
    Ok(server.socket.unsent())
}

#[tokio::test]
async fn calloop_serves_many_clients() -> Outcome {
    within(async {
        let (sender, receiver) = oneshot::channel();
        let unsent = on_thread(move || serve_on_calloop(Options::new(), sender));
        expect_echo(&receiver.await?).await?;
        assert_eq!(unsent.await??, 0, "close must send all replies");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calloop_handles_session_timeout() -> Outcome {
    within(async {
        let (sender, receiver) = oneshot::channel();
        let options = Options::new().handshake_timeout(Duration::from_millis(20));
        let _thread = on_thread(move || serve_on_calloop(options, sender));
        let Endpoint::Tcp { port, .. } = receiver.await? else {
            return Err("not a TCP endpoint".into());
        };
        let mut silent = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut greeting = Vec::new();
        silent.read_to_end(&mut greeting).await?; // ends when the server closes the connection
        assert_eq!(greeting.first(), Some(&0xff), "the server must send its greeting");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calloop_closes_after_linger() -> Outcome {
    within(async {
        let (sender, receiver) = oneshot::channel();
        let options = Options::new().linger(Duration::from_millis(20));
        let unsent = on_thread(move || serve_on_calloop(options, sender));
        let Endpoint::Tcp { port, .. } = receiver.await? else {
            return Err("not a TCP endpoint".into());
        };
        // The reply is larger than the system's buffers, and the peer never reads it.
        let mut peer = TcpStream::connect(("127.0.0.1", port)).await?;
        peer.write_all(&greeting_and_requests()).await?;
        assert_eq!(unsent.await??, 2, "both replies must be unsent");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn simulated_disconnect_is_reproducible() -> Outcome {
    // On a thread of its own, so that the timeout works even if virtual time stands still and the loop never ends.
    let twice = on_thread(|| Ok([embed_nothing::simulate()?, embed_nothing::simulate()?]));
    let [log, second_log] = timeout(RELEASE_TIMEOUT, twice).await???;
    assert_eq!(second_log, log);
    let times = |prefix: &str| -> Vec<f64> {
        let entries = log.iter().filter(|(_, event)| event.starts_with(prefix));
        entries.map(|(at, _)| at.since(Instant::ORIGIN).as_secs_f64()).collect()
    };
    assert_eq!(times("reply: one"), [0.0]);
    // The connection is cut at 10 s. The next PING is sent one second later, and its timeout is one second.
    assert_eq!(times("disconnected: the peer did not answer a heartbeat"), [12.0]);
    let failed = times("dial failed");
    assert!(failed.len() > 3 && failed.iter().all(|&at| 12.0 < at && at < 30.0), "{failed:?}");
    let [_, reconnected] = times("connected")[..] else {
        return Err(format!("expected two connections: {log:?}").into());
    };
    assert!(30.0 < reconnected && reconnected <= failed[failed.len() - 1] + 5.0, "{reconnected}");
    assert_eq!(times("reply: two"), [reconnected]);
    assert_eq!(times("disconnected: this side closed the connection"), [40.0]);
    assert_eq!(times("closed: true").len(), 1);
    Ok(())
}

/// Checks that the code blocks of the guide, in order, are exactly the lines of `embed_poll.rs`. They cannot be
/// compiled one by one.
#[test]
fn guide_contains_poll_example_line_by_line() {
    let mut shown = Vec::new();
    let mut inside = false;
    for line in include_str!("../../../proto/src/embedding.md").lines() {
        match line {
            "```text" => inside = true,
            "```" => inside = false,
            line if inside => shown.push(line.trim()),
            _ => {}
        }
    }
    let example = include_str!("../../../examples/embedding/embed_poll.rs").lines().map(str::trim);
    let example = example.skip_while(|line| line.starts_with("//!"));
    // Indentation and empty lines may differ.
    let expected: Vec<_> = example.filter(|line| !line.is_empty()).collect();
    shown.retain(|line| !line.is_empty());
    for (number, (shown, line)) in shown.iter().zip(&expected).enumerate() {
        assert_eq!(shown, line, "line {number} of the guide");
    }
    assert_eq!(shown.len(), expected.len(), "the guide has too few or too many lines");
}

#[test]
fn each_example_is_under_120_lines() {
    for source in [
        include_str!("../../../examples/embedding/embed_poll.rs"),
        include_str!("../../../examples/embedding/embed_calloop.rs"),
        include_str!("../../../examples/embedding/embed_nothing.rs"),
    ] {
        assert!(source.lines().count() < 120);
    }
}

/// Returns options of a DEALER that reconnects 1 ms after a failure.
fn fast_reconnect() -> Options<kind::Dealer> {
    let interval = Duration::from_millis(1);
    Options::new().reconnect(interval, interval)
}

/// Asserts that the echo server at `bound` serves eight DEALERs and a REQ. Then ends the server with the message `bye`.
async fn expect_echo(bound: &Endpoint) -> Outcome {
    let mut dealers = Vec::new();
    for number in 0..8 {
        let dealer = DealerSocket::new();
        dealer.connect(bound)?;
        for round in 0..3 {
            dealer.send(["", &format!("{number}.{round}")]).await?;
        }
        dealers.push(dealer);
    }
    for (number, dealer) in dealers.iter().enumerate() {
        for round in 0..3 {
            assert_eq!(dealer.recv().await?, Message::from(["", &format!("{number}.{round}")]));
        }
    }
    let req = ReqSocket::new();
    req.connect(bound)?;
    let large = vec![7; 3 << 20]; // too large for one write
    for body in [b"Hello".to_vec(), large] {
        req.send(body.clone()).await?;
        assert_eq!(req.recv().await?, Message::from(body));
    }
    req.send("bye").await?;
    assert_eq!(req.recv().await?, Message::from("bye"));
    Ok(())
}

/// Returns the bytes that a DEALER sends: greeting, READY, a request of 32 MiB, and the request `bye`, which ends the
/// server.
fn greeting_and_requests() -> Vec<u8> {
    [greeting_and_ready("DEALER"), frame(0, &vec![b'x'; 32 << 20]), frame(0, b"bye")].concat()
}

fn any() -> Endpoint {
    "tcp://127.0.0.1:*".parse().expect("an endpoint")
}

/// Runs a blocking event loop on a new thread. The returned channel receives the result of the loop.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send + 'static,
) -> oneshot::Receiver<Result<T, String>> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(work().map_err(|error| error.to_string())));
    receiver
}

/// Limits the time of a test to [`RELEASE_TIMEOUT`].
async fn within(test: impl Future<Output = Outcome>) -> Outcome {
    timeout(RELEASE_TIMEOUT, test).await?
}
