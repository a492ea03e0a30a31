//! Tests of the example: it listens and dials, and its peers are sockets on tokio.

use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Endpoint, Message, Options, kind};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

#[path = "../embed_glib.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_glib;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Time limit of each test.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the loop with a main context of its own, on a thread of its own.
fn drive<T: Send + 'static>(
    socket: Socket,
    mut application: impl FnMut(&mut Socket, Instant) -> Outcome + Send + 'static,
    result: impl FnOnce(Socket) -> T + Send + 'static,
) -> oneshot::Receiver<Result<T, String>> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let run = || embed_glib::drive(socket, &mut application).map(result).map_err(|error| error.to_string());
        let outcome = glib::MainContext::new().with_thread_default(run);
        let _ = sender.send(outcome.unwrap_or_else(|error| Err(error.to_string())));
    });
    receiver
}

#[tokio::test]
async fn glib_listens() -> Outcome {
    let test = async {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let mut server = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
        let listener = server.bind("tcp://127.0.0.1:*".parse()?);
        let echo = move |server: &mut Socket, now: Instant| {
            if sender.is_some()
                && let Some(bound) = server.listener(listener).transpose()?
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(bound);
            }
            while let Ok(request) = server.recv() {
                let last = request.body() == "bye";
                server.send(request)?;
                if last {
                    server.close(now);
                }
            }
            Ok(())
        };
        let unsent = drive(server, echo, |server| server.unsent());
        let endpoint = receiver.await?;
        let dealers = [(); 8].map(|()| DealerSocket::new());
        let large = "x".repeat(3 << 20); // too large for one write
        for dealer in &dealers {
            dealer.connect(&endpoint)?;
            dealer.send("Hello").await?;
            dealer.send(large.as_str()).await?;
        }
        for dealer in &dealers {
            assert_eq!(dealer.recv().await?, Message::from("Hello"));
            assert!(dealer.recv().await? == Message::from(large.as_str()));
        }
        dealers[0].send("bye").await?;
        assert_eq!(dealers[0].recv().await?, Message::from("bye"));
        assert_eq!(unsent.await??, 0);
        Ok(())
    };
    timeout(RELEASE_TIMEOUT, test).await?
}

/// Counts the steps of the loop between its greeting and the handshake timeout of a silent peer.
#[tokio::test]
async fn glib_without_events_makes_few_steps() -> Outcome {
    let test = async {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let options = Options::<kind::Router>::new().handshake_timeout(Duration::from_millis(200));
        let mut server = Socket::new(options, SystemEntropy);
        let listener = server.bind("tcp://127.0.0.1:*".parse()?);
        let counter = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&counter);
        let count = move |server: &mut Socket, _: Instant| {
            counted.fetch_add(1, Ordering::Relaxed);
            if let Some(bound) = server.listener(listener).transpose()?
                && let Some(sender) = sender.take()
            {
                let _ = sender.send(bound);
            }
            Ok(())
        };
        let _closed = drive(server, count, drop);
        let Endpoint::Tcp { port, .. } = receiver.await? else { return Err("not a TCP endpoint".into()) };
        let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        silent.read_exact(&mut [0; 10]).await?;
        let before = counter.load(Ordering::Relaxed);
        silent.read_to_end(&mut Vec::new()).await?; // ends after 200 ms
        let steps = counter.load(Ordering::Relaxed) - before;
        assert!(steps < 50, "{steps} steps while there is nothing to do");
        Ok(())
    };
    timeout(RELEASE_TIMEOUT, test).await?
}

#[tokio::test]
async fn glib_dials_again_after_handshake_timeout() -> Outcome {
    let test = async {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = Endpoint::from(silent.local_addr()?);
        let short = Duration::from_millis(20);
        let options = Options::<kind::Dealer>::new().reconnect(short, short).handshake_timeout(short);
        let mut client = Socket::new(options, SystemEntropy);
        client.connect(endpoint.clone(), Instant::ORIGIN)?;
        client.send("Hello")?;
        let closed = drive(
            client,
            |client, now| {
                if client.recv().is_ok() {
                    client.close(now);
                }
                Ok(())
            },
            |client| client.is_closed(),
        );
        let first = silent.accept().await?;
        let second = silent.accept().await?;
        assert_ne!(first.1, second.1);
        drop((silent, first, second));
        let router = RouterSocket::new();
        router.bind(endpoint).await?;
        router.send(router.recv().await?).await?;
        assert!(closed.await??);
        Ok(())
    };
    timeout(RELEASE_TIMEOUT, test).await?
}
