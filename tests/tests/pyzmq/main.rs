//! Interoperation with pyzmq, which is libzmq: every pair of socket types, both ways, and the tutorial's own programs.
//!
//! ```text
//! python3 -m venv venv && venv/bin/pip install pyzmq
//! SANSMQ_PYTHON=$PWD/venv/bin/python cargo test -p sansmq-tests --features pyzmq --test pyzmq
//! ```
//!
//! The Python programs are in `tests/python`. They bind to ports the system chooses and print their address first.

use sansmq::proto::ConnectionError;
use sansmq::proto::SocketType::{self, Dealer, Pair, Pull, Push, Rep, Req, Router};
use sansmq::proto::connection::Timeout;
use sansmq::proto::kind::Any;
use sansmq::tokio::{DealerSocket, PairSocket, RouterSocket, Socket};
use sansmq::{Event, Frame, Message, Options, SendError};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{error::Elapsed, timeout};

mod certificates;
mod differential;
mod ipc;
mod ports;
mod proxy;
mod pubsub;
mod security;

#[path = "../../../examples/dealer_client.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod dealer_client;
#[path = "../../../examples/load_balancer/main.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod load_balancer;
#[path = "../../../examples/meta_and_body.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod meta_and_body;
#[path = "../../../examples/router_server.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod router_server;

type Outcome = Result<(), Box<dyn Error>>;

const ANY: &str = "tcp://127.0.0.1:*";
const SECOND: Duration = Duration::from_secs(1);

mod pairs {
    use super::*;

    #[tokio::test]
    async fn req_with_rep() -> Outcome {
        every_way(Req, Rep).await
    }

    #[tokio::test]
    async fn dealer_with_router() -> Outcome {
        every_way(Dealer, Router).await
    }

    #[tokio::test]
    async fn dealer_with_rep() -> Outcome {
        every_way(Dealer, Rep).await
    }

    #[tokio::test]
    async fn req_with_router() -> Outcome {
        every_way(Req, Router).await
    }

    #[tokio::test]
    async fn dealer_with_dealer() -> Outcome {
        every_way(Dealer, Dealer).await
    }

    #[tokio::test]
    async fn pair_with_pair() -> Outcome {
        every_way(Pair, Pair).await
    }

    #[tokio::test]
    async fn push_with_pull() -> Outcome {
        within(async {
            let pull = socket(Pull);
            let pushes = Python::start("push.py", &["connect", &pull.bind(ANY).await?.to_string()]);
            want_series(&pull).await?;
            pushes.ends_well().await;

            let pull = socket(Pull);
            let mut pushes = Python::start("push.py", &["bind", ANY]);
            pull.connect(pushes.line().await)?;
            want_series(&pull).await?;
            pushes.ends_well().await;

            let push = socket(Push);
            let pulls = Python::start("pull.py", &["connect", &push.bind(ANY).await?.to_string()]);
            send_series(&push).await?;
            pulls.says("all arrived").await;

            let push = socket(Push);
            let mut pulls = Python::start("pull.py", &["bind", ANY]);
            push.connect(pulls.line().await)?;
            send_series(&push).await?;
            pulls.says("all arrived").await;
            Ok(())
        })
        .await
    }

    /// Either side asks, either side binds: four times the series there and back.
    async fn every_way(asker: SocketType, echoer: SocketType) -> Outcome {
        within(async {
            let ours = socket(echoer);
            let bound = ours.bind(ANY).await?.to_string();
            let echo = Echo::of(&ours);
            let python = Python::start("ask.py", &[&asker.to_string(), "connect", &bound]);
            python.says("all came back").await;
            drop(echo);

            let ours = socket(echoer);
            let mut python = Python::start("ask.py", &[&asker.to_string(), "bind", ANY]);
            ours.connect(python.line().await)?;
            let echo = Echo::of(&ours);
            python.says("all came back").await;
            drop(echo);

            let ours = socket(asker);
            let bound = ours.bind(ANY).await?.to_string();
            let _python = Python::start("echo.py", &[&echoer.to_string(), "connect", &bound]);
            ask(&ours, asker).await?;

            let ours = socket(asker);
            let mut python = Python::start("echo.py", &[&echoer.to_string(), "bind", ANY]);
            ours.connect(python.line().await)?;
            ask(&ours, asker).await
        })
        .await
    }

    pub(super) async fn ask(socket: &Socket<Any>, kind: SocketType) -> Outcome {
        if kind == Req {
            for message in series() {
                socket.send(message.clone()).await?;
                assert_eq!(socket.recv().await?, message);
            }
            return Ok(());
        }
        let delimited = series().into_iter().map(|mut message| {
            if kind == Dealer {
                message.push_front("");
            }
            message
        });
        let delimited: Vec<Message> = delimited.collect();
        for message in &delimited {
            socket.send(message.clone()).await?;
        }
        for message in delimited {
            assert_eq!(socket.recv().await?, message);
        }
        Ok(())
    }

    async fn send_series(socket: &Socket<Any>) -> Outcome {
        for message in series() {
            socket.send(message).await?;
        }
        assert_eq!(socket.close().await.unsent, 0);
        Ok(())
    }

    async fn want_series(socket: &Socket<Any>) -> Outcome {
        for message in series() {
            assert_eq!(socket.recv().await?, message);
        }
        Ok(())
    }
}

mod routing_ids {
    use super::*;

    #[tokio::test]
    async fn our_router_knows_python_by_the_id_it_chose() -> Outcome {
        within(async {
            for id in ["alice", "x", &"long".repeat(63)] {
                for kind in ["DEALER", "REQ"] {
                    let router = RouterSocket::with(Options::new().mandatory(true));
                    let bound = router.bind(ANY).await?.to_string();
                    let mut python = Python::start("talk.py", &[kind, "connect", &bound, &format!("ROUTING_ID={id}")]);
                    python.line().await;
                    python.tell("hello").await;
                    let request = router.recv().await?;
                    assert_eq!((request.head(), request.body()), (&Frame::from(id), &Frame::from("hello")));
                    router.send((id, "", "hello yourself")).await?;
                    python.says(if kind == "REQ" { "hello yourself" } else { "|hello yourself" }).await;
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn our_router_names_those_who_choose_no_id_with_five_octets_or_more_beginning_with_zero() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let mut python = Python::start("talk.py", &["DEALER", "connect", &bound]);
            python.line().await;
            python.tell("hello").await;
            let [id, _hello] = router.recv().await?.into_array().map_err(|odd| format!("{odd:?}"))?;
            assert!(id.len() >= 5 && id.first() == Some(&0), "{id:?}");
            router.send((id, "found you")).await?;
            python.says("found you").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn pythons_router_knows_us_by_the_id_we_chose() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let dealer = DealerSocket::with(Options::new().routing_id("alice")?);
            dealer.connect(python.line().await)?;
            dealer.send("hello").await?;
            assert_eq!(dealer.recv().await?, Message::from("hello"));
            assert_eq!(python.line().await, "from 616c696365");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_second_python_peer_of_the_same_id_takes_over_only_if_we_say_so() -> Outcome {
        within(async {
            for handover in [false, true] {
                let router = RouterSocket::with(Options::new().mandatory(true).handover(handover));
                let bound = router.bind(ANY).await?.to_string();
                let alice = ["DEALER", "connect", &bound, "ROUTING_ID=alice"];
                let mut first = Python::start("talk.py", &alice);
                first.line().await;
                first.tell("I am the first").await;
                assert_eq!(router.recv().await?, Message::from(["alice", "I am the first"]));

                let mut monitor = router.monitor();
                let mut second = Python::start("talk.py", &alice);
                second.line().await;
                second.tell("I am the second").await;
                let reason = disconnection(&mut monitor).await?;
                if handover {
                    assert_eq!(reason, ConnectionError::HandedOver);
                    assert_eq!(router.recv().await?, Message::from(["alice", "I am the second"]));
                    router.send(["alice", "to the second"]).await?;
                    second.says("to the second").await;
                } else {
                    assert_eq!(reason, ConnectionError::RoutingIdTaken);
                    router.send(["alice", "to the first"]).await?;
                    first.says("to the first").await;
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn our_router_names_pythons_router_and_may_speak_first() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let router = RouterSocket::with(Options::new().mandatory(true).routing_id("ours")?);
            router.connect_as(python.line().await, "python")?;
            for message in series() {
                let mut to_python = message;
                to_python.push_front("python");
                router.send(to_python.clone()).await?;
                assert_eq!(router.recv().await?, to_python);
                assert_eq!(python.line().await, "from 6f757273");
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn pythons_router_names_our_router_and_may_speak_first() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let _echo = Echo::of(&router.erase());
            let options = ["ROUTER", "connect", &bound, "to=rust", "CONNECT_ROUTING_ID=rust"];
            Python::start("ask.py", &options).says("all came back").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn two_routers_know_each_other_by_the_ids_they_announce() -> Outcome {
        within(async {
            let router = RouterSocket::with(Options::new().mandatory(true).routing_id("ours")?);
            let mut monitor = router.monitor();
            let bound = router.bind(ANY).await?.to_string();
            let unknown = router.try_send(["python", "anybody there?"]);
            assert!(matches!(unknown, Err(SendError::Unroutable(_))), "{unknown:?}");

            let mut python = Python::start("echo.py", &["ROUTER", "connect", &bound, "ROUTING_ID=python"]);
            ready(&mut monitor).await?;
            router.send(["python", "hello"]).await?;
            assert_eq!(router.recv().await?, Message::from(["python", "hello"]));
            python.line().await;
            assert_eq!(python.line().await, "from 6f757273");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_probe_makes_a_peer_known_before_it_speaks() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let _python =
                Python::start("talk.py", &["DEALER", "connect", &bound, "PROBE_ROUTER=1", "ROUTING_ID=alice"]);
            assert_eq!(router.recv().await?, Message::from(["alice", ""]));

            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let dealer = DealerSocket::with(Options::new().probe_router(true).routing_id("bob")?);
            dealer.connect(python.line().await)?;
            assert_eq!(python.line().await, "from 626f62");
            assert_eq!(dealer.recv().await?, Message::from(""));
            Ok(())
        })
        .await
    }
}

mod heartbeats {
    use super::*;

    /// For so long nothing is said but PING and PONG: many times each heartbeat's timeout below.
    const QUIET: Duration = Duration::from_millis(1500);

    #[tokio::test]
    async fn ours_are_answered_by_python() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
            let dealer = DealerSocket::with(Options::new().heartbeat(Duration::from_millis(200))?);
            let mut monitor = dealer.monitor();
            dealer.connect(python.line().await)?;
            ready(&mut monitor).await?;
            let lost = timeout(QUIET, disconnection(&mut monitor)).await;
            assert!(lost.is_err(), "{lost:?}");
            dealer.send(["", "still there?"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "still there?"]));

            // A process that stands still answers nothing, though its connection is whole.
            python.signal("STOP");
            assert_eq!(disconnection(&mut monitor).await?, ConnectionError::TimedOut(Timeout::Heartbeat));
            python.signal("CONT");
            ready(&mut monitor).await?;
            dealer.send(["", "there again?"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "there again?"]));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn pythons_are_answered_by_us() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let mut monitor = router.monitor();
            let bound = router.bind(ANY).await?.to_string();
            let heartbeat = ["HEARTBEAT_IVL=100", "HEARTBEAT_TIMEOUT=300", "HEARTBEAT_TTL=1000"];
            let mut python = Python::start("talk.py", &[&["DEALER", "connect", &bound], heartbeat.as_slice()].concat());
            ready(&mut monitor).await?;
            python.line().await;
            python.tell("hello").await;
            router.send(router.recv().await?).await?;
            python.says_next("hello").await;
            let lost = timeout(QUIET, disconnection(&mut monitor)).await;
            assert!(lost.is_err(), "{lost:?}");

            // Its last word is a PING, which asks us to end the connection after a second of silence.
            python.signal("STOP");
            assert_eq!(disconnection(&mut monitor).await?, ConnectionError::TimedOut(Timeout::TimeToLive));
            python.signal("CONT");
            python.tell("there again?").await;
            router.send(router.recv().await?).await?;
            python.says("there again?").await;
            Ok(())
        })
        .await
    }
}

mod restarts {
    use super::*;

    #[tokio::test]
    async fn we_find_a_restarted_python_again() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
            let endpoint = python.line().await;
            let dealer = DealerSocket::with(Options::new().reconnect(Duration::from_millis(10), SECOND / 10)?);
            let mut monitor = dealer.monitor();
            dealer.connect(&endpoint)?;
            for round in 1..=3 {
                let question = Message::from(("", format!("round {round}")));
                dealer.send(question.clone()).await?;
                assert_eq!(dealer.recv().await?, question);
                python.kill().await;
                let reason = disconnection(&mut monitor).await?;
                assert!(matches!(reason, ConnectionError::Eof | ConnectionError::Network(_)), "{reason}");
                // Sent while nobody is there: it waits.
                dealer.send(["", "anybody?"]).await?;
                python = Python::start("echo.py", &["REP", "bind", &endpoint]);
                assert_eq!(dealer.recv().await?, Message::from(["", "anybody?"]));
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_finds_us_again() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let endpoint = router.bind(ANY).await?;
            let options = ["DEALER", "connect", &endpoint.to_string(), "RECONNECT_IVL=10", "ROUTING_ID=alice"];
            let mut python = Python::start("talk.py", &options);
            python.line().await;
            python.tell("to the first").await;
            router.send(router.recv().await?).await?;
            python.says_next("to the first").await;
            router.close().await;

            let router = RouterSocket::new();
            router.bind(&endpoint).await?;
            python.tell("to the second").await;
            assert_eq!(router.recv().await?, Message::from(["alice", "to the second"]));
            router.send(["alice", "from the second"]).await?;
            python.says("from the second").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_pair_takes_the_next_python_when_the_first_is_gone() -> Outcome {
        within(async {
            let pair = PairSocket::new();
            let mut monitor = pair.monitor();
            let bound = pair.bind(ANY).await?.to_string();
            let first = Python::start("echo.py", &["PAIR", "connect", &bound]);
            pair.send("hello").await?;
            assert_eq!(pair.recv().await?, Message::from("hello"));
            first.kill().await;
            disconnection(&mut monitor).await?;
            let _second = Python::start("echo.py", &["PAIR", "connect", &bound]);
            ready(&mut monitor).await?;
            pair.send("hello again").await?;
            assert_eq!(pair.recv().await?, Message::from("hello again"));
            Ok(())
        })
        .await
    }
}

mod tutorial {
    use super::dealer_client::{Framing, talk};
    use super::*;

    #[tokio::test]
    async fn its_dealer_is_answered_by_our_router_server() -> Outcome {
        within(async {
            for program in ["tutorial_dealer.py", "tutorial_dealer_delimited.py"] {
                let router = RouterSocket::new();
                let bound = router.bind(ANY).await?.to_string();
                let python = Python::start(program, &[&bound]);
                router_server::serve(&router, 1).await?;
                python.says("Reply: ACK").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn many_of_its_dealers_are_answered_by_our_router_server() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let clients: Vec<_> = (0..5).map(|_| Python::start("tutorial_dealer.py", &[&bound])).collect();
            router_server::serve(&router, 5).await?;
            for client in clients {
                client.says("Reply: ACK").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn its_router_answers_our_dealer_client() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let dealer = DealerSocket::with(Options::new().routing_id("ours")?);
            dealer.connect(python.line().await)?;
            assert_eq!(talk(&dealer, Framing::Delimited, 3).await?, ["ACK"; 3]);
            for number in 1..=3 {
                assert_eq!(python.line().await, format!("From b'ours': Hello ROUTER, for the {number}. time"));
            }
            Ok(())
        })
        .await
    }

    /// What the examples say of the tutorial's framing: its DEALER sends what its ROUTER cannot unpack.
    #[tokio::test]
    async fn its_router_fails_on_one_frame_from_us_as_from_its_own_dealer() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let dealer = DealerSocket::new();
            dealer.connect(python.line().await)?;
            dealer.send("Hello ROUTER").await?;
            assert!(!python.ends().await.success());

            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let _dealer = Python::start("tutorial_dealer.py", &[&python.line().await]);
            assert!(!python.ends().await.success());
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn its_delayed_router_answers_all_that_we_sent_without_waiting() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_delayed_router.py", &[ANY]);
            let dealer = DealerSocket::new();
            dealer.connect(python.line().await)?;
            assert_eq!(talk(&dealer, Framing::Delimited, 3).await?, ["Response after delay"; 3]);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn its_meta_and_body_come_back_from_our_example() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let mut python = Python::start("tutorial_meta.py", &[&bound]);
            meta_and_body::serve(&router, 1).await?;
            python.says_next("Meta: META:userid=1234").await;
            python.says("Body: HELLO WORLD").await;
            Ok(())
        })
        .await
    }
}

mod balancing {
    use super::load_balancer::broker::Broker;
    use super::load_balancer::client::{self, Load};
    use super::load_balancer::progress::Progress;
    use super::load_balancer::{Failure, worker};
    use super::*;

    type Outcome = Result<(), Failure>;

    #[tokio::test]
    async fn python_workers_serve_our_client() -> Outcome {
        within(async {
            let broker = Running::new(Duration::from_mins(1)).await?;
            let mut workers = [("REQ", "py-req"), ("DEALER", "py-dealer")]
                .map(|(kind, name)| Python::start("lb_worker.py", &[kind, name, &broker.back]));
            for worker in &mut workers {
                worker.line().await;
            }
            let mut seen = BTreeMap::new();
            // The first may have it all before the second has even connected.
            while seen.len() < 2 {
                seen.append(&mut broker.client(100).await?);
            }
            assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["py-dealer", "py-req"]);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_clients_are_served_by_our_workers() -> Outcome {
        within(async {
            let broker = Running::new(Duration::from_mins(1)).await?;
            let worker = broker.worker("ours");
            for kind in ["REQ", "DEALER"] {
                let python = Python::start("lb_client.py", &[kind, &broker.front, "200"]);
                python.says("200 answered, the last by ours").await;
            }
            worker.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_clients_are_served_by_python_workers_through_our_broker() -> Outcome {
        within(async {
            let broker = Running::new(Duration::from_mins(1)).await?;
            let _worker = Python::start("lb_worker.py", &["REQ", "py", &broker.back]);
            let clients = ["REQ", "DEALER"].map(|kind| Python::start("lb_client.py", &[kind, &broker.front, "100"]));
            for client in clients {
                client.says("100 answered, the last by py").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn what_a_killed_python_worker_had_goes_to_ours() -> Outcome {
        within(async {
            let broker = Running::new(SECOND / 5).await?;
            let mut mortal = Python::start("lb_worker.py", &["REQ", "mortal", &broker.back, "3"]);
            let client = broker.client(20);
            let scene = async {
                mortal.line().await;
                mortal.says_next("dies with a request in its hands").await;
                mortal.kill().await;
                Ok(broker.worker("heir"))
            };
            let (workers, heir) = tokio::try_join!(client, scene)?;
            assert_eq!(workers, BTreeMap::from([("heir".to_owned(), 17), ("mortal".to_owned(), 3)]));
            heir.abort();
            Ok(())
        })
        .await
    }

    /// A broker that runs.
    struct Running {
        front: String,
        back: String,
        broker: JoinHandle<Result<(), Failure>>,
    }

    impl Running {
        async fn new(patience: Duration) -> Result<Self, Failure> {
            let mut broker = Broker::bind(ANY, ANY).await?;
            broker.patience = patience;
            let (front, back) = (broker.front.to_string(), broker.back.to_string());
            Ok(Self { front, back, broker: tokio::spawn(broker.run()) })
        }

        fn worker(&self, name: &'static str) -> JoinHandle<Result<(), Failure>> {
            let back = self.back.clone();
            tokio::spawn(async move { worker::run(name, &back, Duration::ZERO).await })
        }

        /// Asks so much, and tells how much each worker answered.
        async fn client(&self, requests: u64) -> Result<BTreeMap<String, u64>, Failure> {
            let load = Load { requests, in_flight: 8 };
            let report = client::run("client", &self.front, load, &Progress::of(requests)).await?;
            assert_eq!((report.requests, report.answers), (requests, requests));
            Ok(report.workers)
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.broker.abort();
        }
    }
}

/// The Python that runs them.
fn python() -> std::ffi::OsString {
    std::env::var_os("SANSMQ_PYTHON").expect(
        "SANSMQ_PYTHON is not set. It names a Python that has pyzmq: `python3 -m venv venv`, \
         `venv/bin/pip install pyzmq`, then SANSMQ_PYTHON=$PWD/venv/bin/python",
    )
}

fn socket(kind: SocketType) -> Socket<Any> {
    Socket::with(Options::of(kind))
}

/// The same as in `tests/python/common.py`.
fn series() -> Vec<Message> {
    let body = |size: usize| (0..=250).cycle().take(size).collect::<Vec<u8>>();
    let mut series: Vec<Message> = [0, 1, 255, 256, 65536, 1 << 20].into_iter().map(|size| body(size).into()).collect();
    series.push(["META:userid=1234", "Hello World"].into());
    series.push(["a", "", "b", ""].into());
    series.extend(Message::from_frames((0..300).map(body)));
    series
}

/// Sends everything back that a socket receives, until it is dropped.
struct Echo(JoinHandle<()>);

impl Echo {
    fn of(socket: &Socket<Any>) -> Self {
        let socket = socket.clone();
        Self(tokio::spawn(async move {
            while let Ok(message) = socket.recv().await {
                socket.send(message).await.expect("whoever asks wants an answer");
            }
        }))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ready(monitor: &mut sansmq::Monitor) -> Outcome {
    let ready = monitor.find(|event| matches!(event, Event::Ready { .. }).then_some(()));
    timeout(10 * SECOND, ready).await?.ok_or("the socket is closed")?;
    Ok(())
}

async fn disconnection(monitor: &mut sansmq::Monitor) -> Result<ConnectionError, Box<dyn Error>> {
    let disconnected = monitor.find(|event| match event {
        Event::Disconnected { reason, .. } | Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(timeout(10 * SECOND, disconnected).await?.ok_or("the socket is closed")?)
}

/// A program of `tests/python` that runs. What it says on stderr is shown as it is; it ends when this is dropped.
struct Python {
    name: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Python {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let python = python();
        let name = [&[program], arguments].concat().join(" ");
        let mut child = Command::new(&python)
            .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(program))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("SANSMQ_PYTHON is {}, which does not start: {error}", python.display()));
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { name, child, lines }
    }

    /// The next line of its output.
    async fn line(&mut self) -> String {
        let line = timeout(20 * SECOND, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("`{}` says nothing", self.name)).expect("its output is text");
        line.unwrap_or_else(|| panic!("`{}` ended instead of saying something; see above", self.name))
    }

    async fn says_next(&mut self, expected: &str) {
        assert_eq!(self.line().await, expected, "from `{}`", self.name);
    }

    /// Sooner or later it says that, as its last word.
    async fn says(mut self, expected: &str) {
        let mut last = self.line().await;
        while last != expected {
            last = self.line().await;
        }
        self.ends_well().await;
    }

    /// Gives it a line to read.
    async fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn ends(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let ended = timeout(20 * SECOND, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("`{}` does not end", self.name)).expect("it was started")
    }

    async fn ends_well(self) {
        let name = self.name.clone();
        let status = self.ends().await;
        assert!(status.success(), "`{name}` failed: {status}; see above");
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it was started");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let status = std::process::Command::new("kill").args(["-s", signal, &id]).status();
        assert!(status.expect("`kill` exists").success());
    }
}

/// No test waits for ever.
async fn within<E: From<Elapsed>>(test: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    timeout(60 * SECOND, test).await?
}
