//! Loops of other people's making: the examples that drive `Socket` and `Session` without a runtime, against sockets on
//! tokio, against each other, and against peers that say nothing.

use sansmq::tokio::{DealerSocket, ReqSocket, RouterSocket};
use sansmq::{Endpoint, Event, Message, NetworkError, Options, kind};
use std::error::Error;
use std::future::Future;
use std::thread;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

#[path = "../../examples/embed_poll.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod embed_poll;

use embed_poll::Loop;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::test]
async fn poll_serves_many_clients_in_one_thread() -> Outcome {
    within(async {
        let mut server = Loop::new(Options::<kind::Router>::new());
        let bound = server.bind(any())?;
        let served = beside(move || {
            embed_poll::serve(&mut server, 8 * 3 + 2)?;
            Ok(server.close()?)
        });
        be_served(&bound).await?;
        assert_eq!(served.await??, 0, "close lets every answer out");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_dials_until_somebody_listens() -> Outcome {
    within(async {
        // Holds a port at which nobody listens, and which a listener may share.
        let reserved = TcpSocket::new_v4()?;
        reserved.set_reuseaddr(true)?;
        reserved.bind(([127, 0, 0, 1], 0).into())?;
        let endpoint = Endpoint::from(reserved.local_addr()?);

        let mut client = Loop::new(quick());
        client.socket.monitor(true);
        client.socket.connect(endpoint.clone(), client.now())?;
        let (tell, told) = oneshot::channel();
        let asked = beside(move || {
            let event = loop {
                client.round()?;
                if let Some(event) = client.socket.poll_event() {
                    break event;
                }
            };
            let _ = tell.send(event);
            let answers = embed_poll::ask(&mut client, 3)?;
            client.close()?;
            Ok(answers)
        });
        let event = told.await?;
        assert!(matches!(event, Event::DialFailed { error: NetworkError::Refused, .. }), "{event:?}");

        let router = RouterSocket::new();
        router.bind(endpoint).await?;
        for _ in 0..3 {
            router.send(router.recv().await?).await?;
        }
        assert_eq!(asked.await??, ["Hello 1", "Hello 2", "Hello 3"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_wakes_for_the_deadlines_of_sessions_and_of_the_socket() -> Outcome {
    within(async {
        let mute = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = Loop::new(quick().handshake_timeout(Duration::from_millis(20)));
        client.socket.connect(mute.local_addr()?.into(), client.now())?;
        let _left = beside(move || embed_poll::ask(&mut client, 1));
        let first = mute.accept().await?;
        let second = mute.accept().await?; // the handshake timed out, and so did the pause before the next dial
        assert_ne!(first.1, second.1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_closes_when_linger_runs_out() -> Outcome {
    within(async {
        let mute = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = Loop::new(quick().linger(Duration::from_millis(20)));
        client.socket.connect(mute.local_addr()?.into(), client.now())?;
        client.socket.send("into the void")?;
        assert_eq!(beside(move || Ok(client.close()?)).await??, 1);
        Ok(())
    })
    .await
}

/// A DEALER that soon dials again.
fn quick() -> Options<kind::Dealer> {
    let soon = Duration::from_millis(1);
    Options::new().reconnect(soon, soon).expect("longer than zero")
}

/// Eight DEALERs and a REQ have an echo server answer them.
async fn be_served(bound: &Endpoint) -> Outcome {
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
    let large = vec![7; 3 << 20]; // more than fits into the stream at once
    for body in [b"Hello".to_vec(), large] {
        req.send(body.clone()).await?;
        assert_eq!(req.recv().await?, Message::from(body));
    }
    Ok(())
}

fn any() -> Endpoint {
    "tcp://127.0.0.1:*".parse().expect("an endpoint")
}

/// Runs a loop in a thread of its own, for it blocks.
fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Box<dyn Error>> + Send + 'static,
) -> oneshot::Receiver<Result<T, String>> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(work().map_err(|error| error.to_string())));
    receiver
}

/// No test waits for ever.
async fn within(test: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(Duration::from_secs(20), test).await?
}
