//! The examples on sockets of the operating system. Every loop passes the same tests, as a listener and as a dialler. The peers are
//! sockets on tokio, raw peers that do not send or do not read, and the same loop.

use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::tokio::{DealerSocket, ReqSocket, RouterSocket};
use sansmq::{Endpoint, Event, Message, NetworkError, Options, RecvError, kind};
use sansmq_tests::raw_peer::{frame, greeting_and_ready};
use std::error::Error;
use std::future::Future;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

#[path = "../../../../examples/embedding/embed_calloop.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_calloop;
#[path = "../../../../examples/embedding/embed_epoll.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_epoll;
#[path = "../../../../examples/embedding/embed_poll.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_poll;
#[path = "../../../../examples/embedding/embed_tick.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_tick;
#[path = "../../../../examples/embedding/embed_uring.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_uring;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Application<'a> = dyn FnMut(&mut Socket, Instant) -> Outcome + 'a;
/// The function `drive` of an example.
type Drive = fn(Socket, &mut Application<'_>) -> Outcome<Socket>;

type Bound = oneshot::Receiver<Result<Endpoint, NetworkError>>;

/// Time limit of each test.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Defines the tests of each loop.
macro_rules! loops {
    ($($name:ident $example:ident $is_available:expr)*) => { $(mod $name {
        use super::*;

        async fn run<F: Future<Output = Outcome>>(test: fn(Drive) -> F) -> Outcome {
            if !$is_available {
                return Ok(());
            }
            timeout(RELEASE_TIMEOUT, test(|socket, application| $example::drive(socket, application))).await?
        }

        #[tokio::test]
        async fn loop_serves_many_clients_in_one_thread() -> Outcome {
            run(serves_many_clients).await
        }

        #[tokio::test]
        async fn loop_returns_bind_error_to_application() -> Outcome {
            run(returns_bind_error).await
        }

        #[tokio::test]
        async fn loop_redials_until_peer_listens() -> Outcome {
            run(redials_until_peer_listens).await
        }

        #[tokio::test]
        async fn loop_listens_and_dials_by_name() -> Outcome {
            run(listens_and_dials).await
        }

        #[tokio::test]
        async fn loop_handles_timeouts_of_sessions_and_socket() -> Outcome {
            run(handles_timeouts).await
        }

        #[tokio::test]
        async fn loop_without_events_makes_few_steps() -> Outcome {
            run(waits_without_steps).await
        }

        #[tokio::test]
        async fn loop_closes_client_after_linger() -> Outcome {
            run(closes_client_after_linger).await
        }

        #[tokio::test]
        async fn loop_closes_server_after_linger() -> Outcome {
            run(closes_server_after_linger).await
        }
    })* };
}

loops! {
    poll embed_poll true
    epoll embed_epoll true
    calloop embed_calloop true
    tick embed_tick true
    uring embed_uring has_uring()
}

/// Returns false, with a message, if the system has no `io_uring`.
fn has_uring() -> bool {
    let outcome = sansmq_ring::Ring::new(2);
    if let Err(error) = &outcome {
        eprintln!("SKIPPED: the system does not allow io_uring: {error}");
    }
    outcome.is_ok()
}

async fn serves_many_clients(drive: Drive) -> Outcome {
    let (endpoint, unsent) = serve(drive, Options::new());
    expect_echo(&endpoint.await??).await?;
    assert_eq!(unsent.await??, 0, "close must send all replies");
    Ok(())
}

async fn returns_bind_error(drive: Drive) -> Outcome {
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = taken.local_addr()?.into();
    let outcome = on_thread(move || {
        let mut server = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
        let listener = server.bind(endpoint);
        drive(server, &mut |server, _| Ok(server.listener(listener).transpose().map(drop)?)).map(drop)
    });
    assert_eq!(outcome.await?, Err(NetworkError::AddressInUse.to_string()));
    Ok(())
}

async fn redials_until_peer_listens(drive: Drive) -> Outcome {
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
        drive(client, &mut |client, now| {
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
}

/// Both ends run on the loop: one listens, and the other dials a name.
async fn listens_and_dials(drive: Drive) -> Outcome {
    let (endpoint, unsent) = serve(drive, Options::new());
    let Endpoint::Tcp { port, .. } = endpoint.await?? else { return Err("not a TCP endpoint".into()) };
    let mut client = Socket::new(fast_reconnect(), SystemEntropy);
    client.connect(format!("tcp://localhost:{port}").parse()?, Instant::ORIGIN)?;
    // Larger than the buffers of the system, so that both ends wait until they can write.
    let sent = [vec![b'a'; 10_000_000], vec![b'b'; 10_000_000], b"bye".to_vec()];
    for body in &sent {
        client.send(body.clone())?;
    }
    let replies = on_thread(move || {
        let mut replies = Vec::new();
        drive(client, &mut |client, now| {
            while let Ok(reply) = client.recv() {
                replies.push(reply.body().to_vec());
            }
            if replies.len() == 3 {
                client.close(now);
            }
            Ok(())
        })?;
        Ok(replies)
    });
    assert!(replies.await?? == sent, "each reply is equal to its request");
    assert_eq!(unsent.await??, 0);
    Ok(())
}

async fn handles_timeouts(drive: Drive) -> Outcome {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = Socket::new(fast_reconnect().handshake_timeout(Duration::from_millis(20)), SystemEntropy);
    client.connect(silent.local_addr()?.into(), Instant::ORIGIN)?;
    let _thread = on_thread(move || drive(client, &mut |_, _| Ok(())).map(drop));
    let first = silent.accept().await?;
    let second = silent.accept().await?; // after the handshake timeout and the reconnect interval
    assert_ne!(first.1, second.1);

    let (endpoint, _thread) = serve(drive, Options::new().handshake_timeout(Duration::from_millis(20)));
    let Endpoint::Tcp { port, .. } = endpoint.await?? else { return Err("not a TCP endpoint".into()) };
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut greeting = Vec::new();
    silent.read_to_end(&mut greeting).await?; // ends when the server closes the connection
    assert_eq!(greeting.first(), Some(&0xff), "the server must send its greeting");
    Ok(())
}

/// Counts the steps of a server between its greeting and the handshake timeout of a silent peer.
async fn waits_without_steps(drive: Drive) -> Outcome {
    let (sender, receiver) = oneshot::channel();
    let count = Arc::<AtomicUsize>::default();
    let (mut sender, step) = (Some(sender), Arc::clone(&count));
    let _thread = on_thread(move || {
        let options = Options::<kind::Router>::new().handshake_timeout(Duration::from_millis(200));
        let mut server = Socket::new(options, SystemEntropy);
        let listener = server.bind("tcp://127.0.0.1:*".parse()?);
        drive(server, &mut |server, _| {
            step.fetch_add(1, Ordering::Relaxed);
            if let Some(outcome) = server.listener(listener)
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(outcome);
            }
            Ok(())
        })
        .map(drop)
    });
    let Endpoint::Tcp { port, .. } = receiver.await?? else { return Err("not a TCP endpoint".into()) };
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await?;
    silent.read_exact(&mut [0; 10]).await?;
    let before = count.load(Ordering::Relaxed);
    silent.read_to_end(&mut Vec::new()).await?; // ends after 200 ms
    let steps = count.load(Ordering::Relaxed) - before;
    assert!(steps < 50, "{steps} steps while there is nothing to do");
    Ok(())
}

async fn closes_client_after_linger(drive: Drive) -> Outcome {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = Socket::new(fast_reconnect().linger(Duration::from_millis(20)), SystemEntropy);
    client.connect(silent.local_addr()?.into(), Instant::ORIGIN)?;
    client.send("unsent")?;
    let unsent = on_thread(move || {
        let client = drive(client, &mut |client, now| {
            client.close(now);
            assert!(matches!(client.recv(), Err(RecvError::Closed)));
            Ok(())
        })?;
        Ok(client.unsent())
    });
    assert_eq!(unsent.await??, 1);
    Ok(())
}

async fn closes_server_after_linger(drive: Drive) -> Outcome {
    let (endpoint, unsent) = serve(drive, Options::new().linger(Duration::from_millis(20)));
    let Endpoint::Tcp { port, .. } = endpoint.await?? else { return Err("not a TCP endpoint".into()) };
    // The reply is larger than the system's buffers, and the peer never reads it.
    let mut peer = TcpStream::connect(("127.0.0.1", port)).await?;
    peer.write_all(&greeting_and_requests()).await?;
    assert_eq!(unsent.await??, 2, "both replies must be unsent");
    Ok(())
}

/// One message among ten thousand connections costs a few steps of the loop: `epoll` reports one stream, and the guest looks at no
/// other. With few descriptors there are fewer connections, which is printed.
#[test]
fn epoll_round_with_many_connections_takes_few_steps() -> Outcome {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = 10_000.min(usize::try_from(limit)?.saturating_sub(1000) / 2); // both ends of each, and other tests
    println!("{count} connections");
    assert!(count > 100, "the limit of open files, {limit}, is too low");
    let options = Options::<kind::Pull>::new().max_handshakes(0, 0).max_handshake_rate(0);
    let mut server = Socket::new(options, SystemEntropy);
    let listener = server.bind("tcp://127.0.0.1:*".parse()?);
    let (bound, to_dial) = mpsc::channel();
    let (all_ready, begin) = mpsc::channel();
    let client = thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let Endpoint::Tcp { port, .. } = to_dial.recv()? else { return Err("not a TCP endpoint".into()) };
        let mut peers = Vec::new();
        for _ in 0..count {
            let mut peer = std::net::TcpStream::connect(("127.0.0.1", port))?;
            peer.write_all(&greeting_and_ready("PUSH"))?;
            peer.read_exact(&mut [0; 64])?; // the greeting: the connection is accepted
            peers.push(peer);
        }
        begin.recv()?;
        for number in 0..10 {
            peers[number * count / 10].write_all(&frame(0, b"hello"))?;
            begin.recv()?; // the message has arrived
        }
        Ok(())
    });
    let (mut is_bound, mut has_begun, mut steps, mut longest, mut left) = (false, false, 0, 0, 10);
    embed_epoll::drive(server, |server, now| {
        if !is_bound && let Some(endpoint) = server.listener(listener).transpose()? {
            bound.send(endpoint)?;
            is_bound = true;
        }
        steps += 1;
        if !has_begun && server.ready_peers() == count {
            (has_begun, steps) = (true, 0);
            all_ready.send(())?;
        }
        while server.recv().is_ok() {
            longest = longest.max(steps);
            (steps, left) = (0, left - 1);
            all_ready.send(())?;
            if left == 0 {
                server.close(now);
            }
        }
        Ok(())
    })?;
    client.join().map_err(|_| "the clients have failed")?.map_err(|error| error.to_string())?;
    println!("at most {longest} steps for a message");
    assert!((1..30).contains(&longest), "{longest} steps for a message");
    Ok(())
}

/// Runs an echo server until it receives "bye". The channels receive its endpoint, and the number of unsent messages.
fn serve(drive: Drive, options: Options<kind::Router>) -> (Bound, oneshot::Receiver<Result<usize, String>>) {
    let (sender, receiver) = oneshot::channel();
    let unsent = on_thread(move || {
        let mut server = Socket::new(options, SystemEntropy);
        let listener = server.bind("tcp://127.0.0.1:*".parse()?);
        let mut sender = Some(sender);
        let server = drive(server, &mut |server, now| {
            if let Some(outcome) = server.listener(listener)
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(outcome);
            }
            embed_poll::echo(server, now)
        })?;
        Ok(server.unsent())
    });
    (receiver, unsent)
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

/// Runs a blocking event loop on a new thread. The returned channel receives the result of the loop.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send + 'static,
) -> oneshot::Receiver<Result<T, String>> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(work().map_err(|error| error.to_string())));
    receiver
}
