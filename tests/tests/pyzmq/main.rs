//! Interoperation with pyzmq (libzmq): each pair of socket types in both directions, and the programs of a Korean
//! ZeroMQ tutorial for Python.
//!
//! ```text
//! python3 -m venv venv && venv/bin/pip install pyzmq
//! SANSMQ_PYTHON=$PWD/venv/bin/python cargo test -p sansmq-tests --features pyzmq --test pyzmq
//! ```
//!
//! The Python programs are in `tests/python`. They bind to ports that the system chooses and print their address on the
//! first line.

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
mod slow;

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
        all_directions(Req, Rep).await
    }

    #[tokio::test]
    async fn dealer_with_router() -> Outcome {
        all_directions(Dealer, Router).await
    }

    #[tokio::test]
    async fn dealer_with_rep() -> Outcome {
        all_directions(Dealer, Rep).await
    }

    #[tokio::test]
    async fn req_with_router() -> Outcome {
        all_directions(Req, Router).await
    }

    #[tokio::test]
    async fn dealer_with_dealer() -> Outcome {
        all_directions(Dealer, Dealer).await
    }

    #[tokio::test]
    async fn pair_with_pair() -> Outcome {
        all_directions(Pair, Pair).await
    }

    #[tokio::test]
    async fn push_with_pull() -> Outcome {
        within(async {
            let pull = socket(Pull);
            let push_program = Python::start("push.py", &["connect", &pull.bind(ANY).await?.to_string()]);
            expect_series(&pull).await?;
            push_program.expect_success().await;

            let pull = socket(Pull);
            let mut push_program = Python::start("push.py", &["bind", ANY]);
            pull.connect(push_program.read_line().await)?;
            expect_series(&pull).await?;
            push_program.expect_success().await;

            let push = socket(Push);
            let pull_program = Python::start("pull.py", &["connect", &push.bind(ANY).await?.to_string()]);
            send_series(&push).await?;
            pull_program.expect_last_line("all received").await;

            let push = socket(Push);
            let mut pull_program = Python::start("pull.py", &["bind", ANY]);
            push.connect(pull_program.read_line().await)?;
            send_series(&push).await?;
            pull_program.expect_last_line("all received").await;
            Ok(())
        })
        .await
    }

    /// Sends the messages of [`series`] from a `requester` to an `echoer` and back. Repeats this four times: either the
    /// requester or the echoer is a socket of sansmq (the other is one of pyzmq), and either of the two binds.
    async fn all_directions(requester: SocketType, echoer: SocketType) -> Outcome {
        within(async {
            let ours = socket(echoer);
            let bound = ours.bind(ANY).await?.to_string();
            let echo = Echo::of(&ours);
            let python = Python::start("request_series.py", &[&requester.to_string(), "connect", &bound]);
            python.expect_last_line("all received").await;
            drop(echo);

            let ours = socket(echoer);
            let mut python = Python::start("request_series.py", &[&requester.to_string(), "bind", ANY]);
            ours.connect(python.read_line().await)?;
            let echo = Echo::of(&ours);
            python.expect_last_line("all received").await;
            drop(echo);

            let ours = socket(requester);
            let bound = ours.bind(ANY).await?.to_string();
            let _python = Python::start("echo.py", &[&echoer.to_string(), "connect", &bound]);
            request_series(&ours, requester).await?;

            let ours = socket(requester);
            let mut python = Python::start("echo.py", &[&echoer.to_string(), "bind", ANY]);
            ours.connect(python.read_line().await)?;
            request_series(&ours, requester).await
        })
        .await
    }

    pub(super) async fn request_series(socket: &Socket<Any>, kind: SocketType) -> Outcome {
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

    async fn expect_series(socket: &Socket<Any>) -> Outcome {
        for message in series() {
            assert_eq!(socket.recv().await?, message);
        }
        Ok(())
    }
}

mod routing_ids {
    use super::*;

    #[tokio::test]
    async fn router_addresses_python_by_announced_id() -> Outcome {
        within(async {
            for id in ["alice", "x", &"long".repeat(63)] {
                for kind in ["DEALER", "REQ"] {
                    let router = RouterSocket::with_options(Options::new().mandatory(true));
                    let bound = router.bind(ANY).await?.to_string();
                    let mut python =
                        Python::start("send_lines.py", &[kind, "connect", &bound, &format!("ROUTING_ID={id}")]);
                    python.read_line().await;
                    python.write_line("hello").await;
                    let request = router.recv().await?;
                    assert_eq!((request.head(), request.body()), (&Frame::from(id), &Frame::from("hello")));
                    router.send((id, "", "reply")).await?;
                    python.expect_last_line(if kind == "REQ" { "reply" } else { "|reply" }).await;
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn router_generates_id_beginning_with_zero_byte() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let mut python = Python::start("send_lines.py", &["DEALER", "connect", &bound]);
            python.read_line().await;
            python.write_line("hello").await;
            let [id, _body] = router.recv().await?.into_array().map_err(|error| error.to_string())?;
            assert!(id.len() >= 5 && id.first() == Some(&0), "{id:?}");
            router.send((id, "reply")).await?;
            python.expect_last_line("reply").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_router_receives_our_routing_id() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let dealer = DealerSocket::with_options(Options::new().routing_id("alice")?);
            dealer.connect(python.read_line().await)?;
            dealer.send("hello").await?;
            assert_eq!(dealer.recv().await?, Message::from("hello"));
            assert_eq!(python.read_line().await, "from 616c696365");
            Ok(())
        })
        .await
    }

    /// libzmq closes the connection without a reason.
    #[tokio::test]
    async fn message_above_python_limit_is_named_in_the_event() -> Outcome {
        within(async {
            let mut python = Python::start("pull.py", &["bind", ANY, "MAXMSGSIZE=2000000"]);
            let push = socket(Push);
            let mut monitor = push.monitor();
            push.connect(python.read_line().await)?;
            push.send(vec![7; 100 << 20]).await?;
            let reason = disconnection(&mut monitor).await?;
            assert_eq!(reason, ConnectionError::ClosedDuringMessage { size: (100 << 20) + 9 });
            // The message is not sent again.
            for message in series() {
                push.send(message).await?;
            }
            python.expect_last_line("all received").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn refused_python_peer_loses_no_message() -> Outcome {
        within(async {
            for (server, kind) in [(socket(Router), "DEALER"), (socket(Pair), "PAIR")] {
                let bound = server.bind(ANY).await?.to_string();
                let first = match kind {
                    "DEALER" => DealerSocket::with_options(Options::new().routing_id("alice")?).erase(),
                    _ => socket(Pair),
                };
                first.connect(&*bound)?;
                first.send("first").await?;
                assert_eq!(server.recv().await?.body(), "first");

                let mut monitor = server.monitor();
                let arguments = [kind, "connect", &bound, "ROUTING_ID=alice"];
                let python = Python::start("send_numbers.py", &arguments);
                // If the client were refused after READY, each attempt could lose messages.
                for _ in 0..20 {
                    let reason = disconnection(&mut monitor).await?;
                    assert!(matches!(reason, ConnectionError::RoutingIdTaken | ConnectionError::PairInUse), "{reason}");
                }
                first.close().await;
                for number in 0..20 {
                    assert_eq!(server.recv().await?.body().to_text(), format!("{number}"));
                }
                python.expect_success().await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn second_peer_with_same_id_replaces_first_only_with_handover() -> Outcome {
        within(async {
            for handover in [false, true] {
                let router = RouterSocket::with_options(Options::new().mandatory(true).handover(handover));
                let bound = router.bind(ANY).await?.to_string();
                let arguments = ["DEALER", "connect", &bound, "ROUTING_ID=alice"];
                let mut first = Python::start("send_lines.py", &arguments);
                first.read_line().await;
                first.write_line("first").await;
                assert_eq!(router.recv().await?, Message::from(["alice", "first"]));

                let mut monitor = router.monitor();
                let mut second = Python::start("send_lines.py", &arguments);
                second.read_line().await;
                second.write_line("second").await;
                let reason = disconnection(&mut monitor).await?;
                if handover {
                    assert_eq!(reason, ConnectionError::HandedOver);
                    assert_eq!(router.recv().await?, Message::from(["alice", "second"]));
                    router.send(["alice", "to the second"]).await?;
                    second.expect_last_line("to the second").await;
                } else {
                    assert_eq!(reason, ConnectionError::RoutingIdTaken);
                    router.send(["alice", "to the first"]).await?;
                    first.expect_last_line("to the first").await;
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn router_with_connect_as_sends_first_to_python_router() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let router = RouterSocket::with_options(Options::new().mandatory(true).routing_id("ours")?);
            router.connect_as(python.read_line().await, "python")?;
            for message in series() {
                let mut to_python = message;
                to_python.push_front("python");
                router.send(to_python.clone()).await?;
                assert_eq!(router.recv().await?, to_python);
                assert_eq!(python.read_line().await, "from 6f757273");
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_router_with_connect_id_sends_first_to_router() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let _echo = Echo::of(&router.erase());
            let options = ["ROUTER", "connect", &bound, "to=rust", "CONNECT_ROUTING_ID=rust"];
            Python::start("request_series.py", &options).expect_last_line("all received").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn routers_exchange_messages_by_announced_ids() -> Outcome {
        within(async {
            let router = RouterSocket::with_options(Options::new().mandatory(true).routing_id("ours")?);
            let mut monitor = router.monitor();
            let bound = router.bind(ANY).await?.to_string();
            let unknown = router.try_send(["python", "too early"]);
            assert!(matches!(unknown, Err(SendError::Unroutable(_))), "{unknown:?}");

            let mut python = Python::start("echo.py", &["ROUTER", "connect", &bound, "ROUTING_ID=python"]);
            ready(&mut monitor).await?;
            router.send(["python", "hello"]).await?;
            assert_eq!(router.recv().await?, Message::from(["python", "hello"]));
            python.read_line().await;
            assert_eq!(python.read_line().await, "from 6f757273");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn probe_router_announces_peer_before_first_message() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let _python =
                Python::start("send_lines.py", &["DEALER", "connect", &bound, "PROBE_ROUTER=1", "ROUTING_ID=alice"]);
            assert_eq!(router.recv().await?, Message::from(["alice", ""]));

            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let dealer = DealerSocket::with_options(Options::new().probe_router(true).routing_id("bob")?);
            dealer.connect(python.read_line().await)?;
            assert_eq!(python.read_line().await, "from 626f62");
            assert_eq!(dealer.recv().await?, Message::from(""));
            Ok(())
        })
        .await
    }
}

mod heartbeats {
    use super::*;

    /// Time without messages in which sockets send only PING and PONG. It is longer than each heartbeat timeout below.
    const QUIET: Duration = Duration::from_millis(1500);

    #[tokio::test]
    async fn python_answers_our_heartbeats() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
            let dealer = DealerSocket::with_options(Options::new().heartbeat(Duration::from_millis(200)));
            let mut monitor = dealer.monitor();
            dealer.connect(python.read_line().await)?;
            ready(&mut monitor).await?;
            let disconnected = timeout(QUIET, disconnection(&mut monitor)).await;
            assert!(disconnected.is_err(), "{disconnected:?}");
            dealer.send(["", "first"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "first"]));

            // A stopped process does not answer, although its connection is open.
            python.signal("STOP");
            assert_eq!(disconnection(&mut monitor).await?, ConnectionError::TimedOut(Timeout::Heartbeat));
            python.signal("CONT");
            ready(&mut monitor).await?;
            dealer.send(["", "second"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "second"]));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn router_answers_python_heartbeats() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let mut monitor = router.monitor();
            let bound = router.bind(ANY).await?.to_string();
            let heartbeat = ["HEARTBEAT_IVL=100", "HEARTBEAT_TIMEOUT=300", "HEARTBEAT_TTL=1000"];
            let mut python =
                Python::start("send_lines.py", &[&["DEALER", "connect", &bound], heartbeat.as_slice()].concat());
            ready(&mut monitor).await?;
            python.read_line().await;
            python.write_line("hello").await;
            router.send(router.recv().await?).await?;
            python.expect_line("hello").await;
            let disconnected = timeout(QUIET, disconnection(&mut monitor)).await;
            assert!(disconnected.is_err(), "{disconnected:?}");

            // The TTL of the last PING ends the connection after a second without input.
            python.signal("STOP");
            assert_eq!(disconnection(&mut monitor).await?, ConnectionError::TimedOut(Timeout::TimeToLive));
            python.signal("CONT");
            python.write_line("second").await;
            router.send(router.recv().await?).await?;
            python.expect_last_line("second").await;
            Ok(())
        })
        .await
    }
}

mod restarts {
    use super::*;

    #[tokio::test]
    async fn dealer_reconnects_to_restarted_python() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
            let endpoint = python.read_line().await;
            let dealer = DealerSocket::with_options(Options::new().reconnect(Duration::from_millis(10), SECOND / 10));
            let mut monitor = dealer.monitor();
            dealer.connect(&endpoint)?;
            for round in 1..=3 {
                let request = Message::from(("", format!("round {round}")));
                dealer.send(request.clone()).await?;
                assert_eq!(dealer.recv().await?, request);
                python.kill().await;
                let reason = disconnection(&mut monitor).await?;
                assert!(matches!(reason, ConnectionError::PeerClosed | ConnectionError::Network(_)), "{reason}");
                // Sent while no peer is connected: the message is queued.
                dealer.send(["", "queued"]).await?;
                python = Python::start("echo.py", &["REP", "bind", &endpoint]);
                assert_eq!(dealer.recv().await?, Message::from(["", "queued"]));
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn router_gives_python_that_took_the_address_its_own_id() -> Outcome {
        within(async {
            let options = Options::new().mandatory(true).reconnect(SECOND / 100, SECOND / 10);
            let router = RouterSocket::with_options(options);
            let mut monitor = router.monitor();
            let mut endpoint = ANY.to_string();
            for (id, former) in [("ann", None), ("bob", Some("ann")), ("bob", None)] {
                let mut python = Python::start("echo.py", &["DEALER", "bind", &endpoint, &format!("ROUTING_ID={id}")]);
                if endpoint == ANY {
                    endpoint = python.read_line().await;
                    router.connect(&endpoint)?;
                }
                ready(&mut monitor).await?;
                if let Some(former) = former {
                    assert!(matches!(router.send([former, "late"]).await, Err(SendError::Unroutable(_))));
                } else if id == "bob" {
                    assert_eq!(router.recv().await?, Message::from(["bob", "waits for bob"]));
                }
                router.send([id, "hello"]).await?;
                assert_eq!(router.recv().await?, Message::from([id, "hello"]));
                python.kill().await;
                disconnection(&mut monitor).await?;
                router.send([id, &format!("waits for {id}")]).await?;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_reconnects_to_restarted_router() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let endpoint = router.bind(ANY).await?;
            let options = ["DEALER", "connect", &endpoint.to_string(), "RECONNECT_IVL=10", "ROUTING_ID=alice"];
            let mut python = Python::start("send_lines.py", &options);
            python.read_line().await;
            python.write_line("to the first").await;
            router.send(router.recv().await?).await?;
            python.expect_line("to the first").await;
            router.close().await;

            let router = RouterSocket::new();
            router.bind(&endpoint).await?;
            python.write_line("to the second").await;
            assert_eq!(router.recv().await?, Message::from(["alice", "to the second"]));
            router.send(["alice", "from the second"]).await?;
            python.expect_last_line("from the second").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn pair_accepts_next_python_after_first_is_killed() -> Outcome {
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
    use super::dealer_client::{Framing, send_and_receive};
    use super::*;

    #[tokio::test]
    async fn router_server_replies_to_tutorial_dealers() -> Outcome {
        within(async {
            for program in ["tutorial_dealer.py", "tutorial_dealer_delimited.py"] {
                let router = RouterSocket::new();
                let bound = router.bind(ANY).await?.to_string();
                let python = Python::start(program, &[&bound]);
                router_server::serve(&router, 1).await?;
                python.expect_last_line("Reply: ACK").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn router_server_replies_to_five_tutorial_dealers() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let clients: Vec<_> = (0..5).map(|_| Python::start("tutorial_dealer.py", &[&bound])).collect();
            router_server::serve(&router, 5).await?;
            for client in clients {
                client.expect_last_line("Reply: ACK").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn tutorial_router_replies_to_dealer_client() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let dealer = DealerSocket::with_options(Options::new().routing_id("ours")?);
            dealer.connect(python.read_line().await)?;
            assert_eq!(send_and_receive(&dealer, Framing::Delimited, 3).await?, ["ACK"; 3]);
            for number in 1..=3 {
                assert_eq!(python.read_line().await, format!("From b'ours': Hello ROUTER, for the {number}. time"));
            }
            Ok(())
        })
        .await
    }

    /// The DEALER of the tutorial sends messages of one frame, but the ROUTER of the tutorial expects three frames and
    /// fails. The examples mention this failure.
    #[tokio::test]
    async fn tutorial_router_fails_on_message_of_one_frame() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let dealer = DealerSocket::new();
            dealer.connect(python.read_line().await)?;
            dealer.send("Hello ROUTER").await?;
            assert!(!python.wait().await.success());

            let mut python = Python::start("tutorial_router.py", &[ANY]);
            let _dealer = Python::start("tutorial_dealer.py", &[&python.read_line().await]);
            assert!(!python.wait().await.success());
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn tutorial_delayed_router_replies_to_pipelined_requests() -> Outcome {
        within(async {
            let mut python = Python::start("tutorial_delayed_router.py", &[ANY]);
            let dealer = DealerSocket::new();
            dealer.connect(python.read_line().await)?;
            assert_eq!(send_and_receive(&dealer, Framing::Delimited, 3).await?, ["Response after delay"; 3]);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn meta_and_body_example_replies_to_tutorial_dealer() -> Outcome {
        within(async {
            let router = RouterSocket::new();
            let bound = router.bind(ANY).await?.to_string();
            let mut python = Python::start("tutorial_meta.py", &[&bound]);
            meta_and_body::serve(&router, 1).await?;
            python.expect_line("Meta: META:userid=1234").await;
            python.expect_last_line("Body: HELLO WORLD").await;
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
                worker.read_line().await;
            }
            let mut seen = BTreeMap::new();
            // The first worker may receive all requests before the second has connected.
            while seen.len() < 2 {
                seen.append(&mut broker.client(100).await?);
            }
            assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["py-dealer", "py-req"]);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn our_workers_serve_python_clients() -> Outcome {
        within(async {
            let broker = Running::new(Duration::from_mins(1)).await?;
            let worker = broker.worker("ours");
            for kind in ["REQ", "DEALER"] {
                let python = Python::start("lb_client.py", &[kind, &broker.front, "200"]);
                python.expect_last_line("200 answered, the last by ours").await;
            }
            worker.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_workers_serve_python_clients() -> Outcome {
        within(async {
            let broker = Running::new(Duration::from_mins(1)).await?;
            let _worker = Python::start("lb_worker.py", &["REQ", "py", &broker.back]);
            let clients = ["REQ", "DEALER"].map(|kind| Python::start("lb_client.py", &[kind, &broker.front, "100"]));
            for client in clients {
                client.expect_last_line("100 answered, the last by py").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn request_of_killed_python_worker_goes_to_ours() -> Outcome {
        within(async {
            let broker = Running::new(SECOND / 5).await?;
            let mut killed = Python::start("lb_worker.py", &["REQ", "killed", &broker.back, "3"]);
            let client = broker.client(20);
            let steps = async {
                killed.read_line().await;
                killed.expect_line("holds a request").await;
                killed.kill().await;
                Ok(broker.worker("successor"))
            };
            let (workers, successor) = tokio::try_join!(client, steps)?;
            assert_eq!(workers, BTreeMap::from([("successor".to_owned(), 17), ("killed".to_owned(), 3)]));
            successor.abort();
            Ok(())
        })
        .await
    }

    /// Broker of the example `load_balancer` that runs in a task, with its endpoints for clients and workers. Drop ends
    /// the task.
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

        /// Runs a client that sends `requests` requests. Returns the number of replies of each worker.
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

/// Returns the path of the Python interpreter, from the environment variable `SANSMQ_PYTHON`.
fn python() -> std::ffi::OsString {
    std::env::var_os("SANSMQ_PYTHON").expect(
        "SANSMQ_PYTHON is not set. Set it to a Python interpreter with pyzmq: `python3 -m venv venv`, \
         `venv/bin/pip install pyzmq`, then SANSMQ_PYTHON=$PWD/venv/bin/python",
    )
}

fn socket(kind: SocketType) -> Socket<Any> {
    Socket::with_options(Options::of(kind))
}

/// Returns the same messages as `SERIES` in `tests/python/common.py`, which the Python programs send and expect.
fn series() -> Vec<Message> {
    let body = |size: usize| (0..=250).cycle().take(size).collect::<Vec<u8>>();
    let mut series: Vec<Message> = [0, 1, 255, 256, 65536, 1 << 20].into_iter().map(|size| body(size).into()).collect();
    series.push(["META:userid=1234", "Hello World"].into());
    series.push(["a", "", "b", ""].into());
    series.extend(Message::from_frames((0..300).map(body)));
    series
}

/// Task that sends back each message that a socket receives. Drop ends the task.
struct Echo(JoinHandle<()>);

impl Echo {
    fn of(socket: &Socket<Any>) -> Self {
        let socket = socket.clone();
        Self(tokio::spawn(async move {
            while let Ok(message) = socket.recv().await {
                socket.send(message).await.expect("a peer accepts the echo");
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

/// A running program of `tests/python`. Its stderr is inherited. The program is killed when dropped.
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
            .unwrap_or_else(|error| panic!("SANSMQ_PYTHON is {}, which cannot be started: {error}", python.display()));
        let lines = BufReader::new(child.stdout.take().expect("the stream is piped")).lines();
        Self { name, child, lines }
    }

    /// Waits for the next line that the program prints to its standard output, and returns it.
    async fn read_line(&mut self) -> String {
        let line = timeout(20 * SECOND, self.lines.next_line()).await;
        let line =
            line.unwrap_or_else(|_| panic!("`{}` printed nothing for 20 s", self.name)).expect("the output is UTF-8");
        line.unwrap_or_else(|| panic!("`{}` ended without output; see above", self.name))
    }

    async fn expect_line(&mut self, expected: &str) {
        assert_eq!(self.read_line().await, expected, "from `{}`", self.name);
    }

    /// Reads the lines that the program prints until one is equal to `expected`. Asserts that the program then ends
    /// with success.
    async fn expect_last_line(mut self, expected: &str) {
        let mut last = self.read_line().await;
        while last != expected {
            last = self.read_line().await;
        }
        self.expect_success().await;
    }

    /// Writes a line to the standard input of the program.
    async fn write_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("the stream is piped");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("the program reads its input");
    }

    async fn wait(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let status = timeout(20 * SECOND, self.child.wait()).await;
        status.unwrap_or_else(|_| panic!("`{}` did not end within 20 s", self.name)).expect("the process was started")
    }

    async fn expect_success(self) {
        let name = self.name.clone();
        let status = self.wait().await;
        assert!(status.success(), "`{name}` failed: {status}; see above");
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("the process was started");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().expect("the process is running").to_string();
        let status = std::process::Command::new("kill").args(["-s", signal, &id]).status();
        assert!(status.expect("`kill` exists").success());
    }
}

/// Limits the time of a test to 60 seconds.
async fn within<E: From<Elapsed>>(test: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    timeout(60 * SECOND, test).await?
}
