//! Loops of other people's making: the examples that drive `Socket` and `Session` without a runtime, against sockets on
//! tokio, and against peers that say nothing or never listen.

use calloop::EventLoop;
use sansmq::proto::{Instant, Socket, SystemEntropy};
use sansmq::tokio::{DealerSocket, ReqSocket, RouterSocket};
use sansmq::{Endpoint, Event, Message, NetworkError, Options, RecvError, kind};
use sansmq_tests::raw_peer::{frame, opening};
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

/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(20);

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::test]
async fn poll_serves_many_clients_in_one_thread() -> Outcome {
    within(async {
        let (tell, told) = oneshot::channel();
        let unsent = beside(move || {
            let mut server = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
            let listener = server.bind(any());
            let mut tell = Some(tell);
            drive(&mut server, |server, now| {
                if let Some(outcome) = server.listener(listener)
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(outcome);
                }
                echo(server, now)
            })?;
            Ok(server.unsent())
        });
        be_served(&told.await??).await?;
        assert_eq!(unsent.await??, 0, "close lets every answer out");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn poll_lets_the_application_know_that_it_cannot_listen() -> Outcome {
    within(async {
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = taken.local_addr()?.into();
        let outcome = beside(move || {
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
async fn poll_dials_until_somebody_listens() -> Outcome {
    within(async {
        // Holds a port at which nobody listens, and which a listener may share.
        let reserved = TcpSocket::new_v4()?;
        reserved.set_reuseaddr(true)?;
        reserved.bind(([127, 0, 0, 1], 0).into())?;
        let endpoint = Endpoint::from(reserved.local_addr()?);

        let mut client = Socket::new(quick(), SystemEntropy);
        client.monitor(true);
        client.connect(endpoint.clone(), Instant::ORIGIN)?;
        for number in 1..=3 {
            client.send(format!("Hello {number}"))?;
        }
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        let asked = beside(move || {
            let mut answers = Vec::new();
            drive(&mut client, |client, now| {
                if let Some(event) = client.poll_event().filter(|event| !matches!(event, Event::Connecting { .. }))
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(event);
                }
                while let Ok(answer) = client.recv() {
                    answers.push(answer.body().to_text().into_owned());
                }
                if answers.len() == 3 {
                    client.close(now);
                }
                Ok(())
            })?;
            Ok(answers)
        });
        let event = told.await?;
        assert!(matches!(event, Event::ConnectFailed { error: NetworkError::Refused, .. }), "{event:?}");

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
        let mut client = Socket::new(quick().handshake_timeout(Duration::from_millis(20)), SystemEntropy);
        client.connect(mute.local_addr()?.into(), Instant::ORIGIN)?;
        let _left = beside(move || drive(&mut client, |_, _| Ok(())));
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
        let mut client = Socket::new(quick().linger(Duration::from_millis(20)), SystemEntropy);
        client.connect(mute.local_addr()?.into(), Instant::ORIGIN)?;
        client.send("into the void")?;
        let unsent = beside(move || {
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

/// Lets the example's server live in a loop until it is closed. Gives back how much of what it had to say stayed behind.
fn be_guest(options: Options<kind::Router>, tell: oneshot::Sender<Endpoint>) -> Result<usize, Box<dyn Error>> {
    let mut events = EventLoop::try_new()?;
    let mut server = Guest::new(options, events.handle());
    let listener = server.socket.bind(any());
    server.round();
    let _ = tell.send(server.socket.listener(listener).ok_or("it listens at once")??);
    embed_calloop::serve(&mut events, &mut server)?;
    Ok(server.socket.unsent())
}

#[tokio::test]
async fn calloop_serves_many_clients_by_sources_alone() -> Outcome {
    within(async {
        let (tell, told) = oneshot::channel();
        let unsent = beside(move || be_guest(Options::new(), tell));
        be_served(&told.await?).await?;
        assert_eq!(unsent.await??, 0, "close lets every answer out");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calloop_wakes_for_the_deadline_of_a_session() -> Outcome {
    within(async {
        let (tell, told) = oneshot::channel();
        let options = Options::new().handshake_timeout(Duration::from_millis(20));
        let _left = beside(move || be_guest(options, tell));
        let Endpoint::Tcp { port, .. } = told.await? else {
            return Err("the server listens on TCP".into());
        };
        let mut mute = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut heard = Vec::new();
        mute.read_to_end(&mut heard).await?; // ends when the server hangs up
        assert_eq!(heard.first(), Some(&0xff), "the server greets first");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn calloop_closes_when_linger_runs_out() -> Outcome {
    within(async {
        let (tell, told) = oneshot::channel();
        let options = Options::new().linger(Duration::from_millis(20));
        let unsent = beside(move || be_guest(options, tell));
        let Endpoint::Tcp { port, .. } = told.await? else {
            return Err("the server listens on TCP".into());
        };
        // Asks for more than the stream holds, and never reads the answer.
        let mut deaf = TcpStream::connect(("127.0.0.1", port)).await?;
        deaf.write_all(&greeting_and_requests()).await?;
        assert_eq!(unsent.await??, 2, "the answers stay behind");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_but_numbers_survives_a_pulled_cable_the_same_way_each_time() -> Outcome {
    // In a thread of its own, because virtual time that stood still would be a loop without end.
    let twice = beside(|| Ok([embed_nothing::story()?, embed_nothing::story()?]));
    let [story, again] = timeout(PATIENCE, twice).await???;
    assert_eq!(again, story);
    let when = |wanted: &str| -> Vec<f64> {
        let told = story.iter().filter(|(_, what)| what.starts_with(wanted));
        told.map(|(at, _)| at.since(Instant::ORIGIN).as_secs_f64()).collect()
    };
    assert_eq!(when("answer: one"), [0.0]);
    // The cable is pulled at 10 s: PING one second after the last, and a second's silence.
    assert_eq!(when("disconnected: the peer did not answer a heartbeat"), [12.0]);
    let vain = when("dialled in vain");
    assert!(vain.len() > 3 && vain.iter().all(|&at| 12.0 < at && at < 30.0), "{vain:?}");
    let [_, again] = when("connected")[..] else {
        return Err(format!("connected once and once again: {story:?}").into());
    };
    assert!(30.0 < again && again <= vain[vain.len() - 1] + 5.0, "{again}");
    assert_eq!(when("answer: two"), [again]);
    assert_eq!(when("disconnected: this side closed the connection"), [40.0]);
    assert_eq!(when("closed: true").len(), 1);
    Ok(())
}

/// The guide walks through `embed_poll.rs` line by line. No piece compiles alone; that they are right is for the example
/// itself and for this test to say.
#[test]
fn the_guide_shows_every_line_of_the_poll_example_in_order() {
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
    // Indentation and empty lines are for each to decide.
    let all: Vec<_> = example.filter(|line| !line.is_empty()).collect();
    shown.retain(|line| !line.is_empty());
    for (number, (shown, line)) in shown.iter().zip(&all).enumerate() {
        assert_eq!(shown, line, "line {number} that the guide shows");
    }
    assert_eq!(shown.len(), all.len(), "the guide ends early, or goes on");
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

/// A DEALER that soon dials again.
fn quick() -> Options<kind::Dealer> {
    let soon = Duration::from_millis(1);
    Options::new().reconnect(soon, soon).expect("longer than zero")
}

/// Eight DEALERs and a REQ have an echo server answer them, and then close.
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
    req.send("bye").await?;
    assert_eq!(req.recv().await?, Message::from("bye"));
    Ok(())
}

/// What a DEALER says that asks for 32 MiB to be echoed, and then for the server to close.
fn greeting_and_requests() -> Vec<u8> {
    [opening("DEALER"), frame(0, &vec![b'x'; 32 << 20]), frame(0, b"bye")].concat()
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
    timeout(PATIENCE, test).await?
}
