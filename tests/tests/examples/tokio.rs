//! Tests of the examples on tokio.

use sansmq::curve::{CurveError, KeyPair};
use sansmq::tokio::{DealerSocket, RepSocket, ReqSocket, RouterSocket};
use sansmq::{ConnectionError, Frame, Message, Options, RecvError, SendError};
use sansmq_tests::TempDir;
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::error::Elapsed;

#[path = "../../../examples/custom_router.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod custom_router;
#[path = "../../../examples/dealer_client.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod dealer_client;
#[path = "../../../examples/delayed_answers.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod delayed_answers;
#[path = "../../../examples/security_1_grasslands.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod grasslands;
#[path = "../../../examples/security_5_ironhouse.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod ironhouse;
#[path = "../../../examples/load_balancer/main.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod load_balancer;
#[path = "../../../examples/meta_and_body.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod meta_and_body;
#[path = "../../../examples/one_port.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod one_port;
#[path = "../../../examples/proxy.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod proxy;
#[path = "../../../examples/req_rep.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod req_rep;
#[path = "../../../examples/router_server.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod router_server;
#[path = "../../../examples/routing_table.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod routing_table;
#[path = "../../../examples/security_4_stonehouse.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod stonehouse;
#[path = "../../../examples/security_2_strawhouse.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod strawhouse;
#[path = "../../../examples/security_3_woodhouse.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod woodhouse;

type Outcome = Result<(), Box<dyn Error>>;

const ANY: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn router_server_replies_in_framing_of_client() -> Outcome {
    within(async {
        let router = RouterSocket::new();
        let bound = router.bind(ANY).await?;
        let (bare, delimited, req, odd) =
            (DealerSocket::new(), DealerSocket::new(), ReqSocket::new(), DealerSocket::new());
        for dealer in [&bare, &delimited, &odd] {
            dealer.connect(&bound)?;
        }
        req.connect(&bound)?;
        odd.send(["invalid", "framing", "x"]).await?;
        bare.send("Hello ROUTER").await?;
        delimited.send(["", "Hello ROUTER"]).await?;
        req.send("Hello ROUTER").await?;

        router_server::serve(&router, 4).await?;
        assert_eq!(bare.recv().await?, Message::from("ACK"));
        assert_eq!(delimited.recv().await?, Message::from(["", "ACK"]));
        assert_eq!(req.recv().await?, Message::from("ACK"));
        assert_eq!(odd.try_recv(), Err(RecvError::Empty));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn dealer_client_sends_all_requests_before_replies() -> Outcome {
    use dealer_client::Framing;
    within(async {
        for framing in [Framing::Delimited, Framing::Bare] {
            let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
            dealer.connect(router.bind(ANY).await?)?;
            // Receives all requests before it replies: a client that waits for a reply after each request would block.
            let server = async {
                let mut requests = Vec::new();
                for number in 1..=3 {
                    let request = router.recv().await?;
                    assert_eq!(request.len(), if framing == Framing::Bare { 2 } else { 3 });
                    assert_eq!(request.body(), format!("Hello ROUTER, for the {number}. time").as_bytes());
                    requests.push(request);
                }
                for request in requests {
                    let mut reply = request.into_frames();
                    reply.pop();
                    reply.push("ACK".into());
                    router.send(Message::from_frames(reply).ok_or("no frames")?).await?;
                }
                Ok(())
            };
            let ((), replies) = tokio::try_join!(server, dealer_client::send_and_receive(&dealer, framing, 3))?;
            assert_eq!(replies, ["ACK"; 3]);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn dealer_client_and_router_server_exchange_messages() -> Outcome {
    use dealer_client::Framing;
    within(async {
        for framing in [Framing::Delimited, Framing::Bare] {
            let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
            dealer.connect(router.bind(ANY).await?)?;
            let server = router_server::serve(&router, 5);
            let ((), replies) = tokio::try_join!(server, dealer_client::send_and_receive(&dealer, framing, 5))?;
            assert_eq!(replies, ["ACK"; 5]);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_quick_request_overtakes_slow_one() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let an_hour = "3600000";
        dealer.send(["", "slow", an_hour]).await?;
        dealer.send(["", "quick", "0"]).await?;
        tokio::select! {
            ended = delayed_answers::serve(&router, usize::MAX) => ended?,
            reply = dealer.recv() => assert_eq!(reply?, Message::from(["", "quick", "Response after 0ns"])),
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_client_accepts_replies_in_any_order() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let reverse = async {
            let mut requests = Vec::new();
            for _ in 0..4 {
                requests.push(router.recv().await?);
            }
            while let Some(request) = requests.pop() {
                router.send(request).await?;
            }
            Ok(())
        };
        let ((), order) = tokio::try_join!(reverse, delayed_answers::ask(&dealer, &[1, 2, 3, 4]))?;
        assert_eq!(order, [4, 3, 2, 1]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_server_replies_to_each_request() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let server = delayed_answers::serve(&router, 4);
        let ((), mut order) = tokio::try_join!(server, delayed_answers::ask(&dealer, &[30, 20, 10, 0]))?;
        order.sort_unstable();
        assert_eq!(order, [1, 2, 3, 4]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn meta_and_body_are_parts_of_one_message() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let ((), (meta, body)) = tokio::try_join!(meta_and_body::serve(&router, 1), meta_and_body::ask(&dealer, 1234))?;
        assert_eq!((meta.as_str(), body.as_str()), ("META:userid=1234", "HELLO WORLD"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn custom_router_replies_to_chosen_client_only() -> Outcome {
    within(async {
        let router = RouterSocket::with_options(Options::new().mandatory(true));
        let bound = router.bind(ANY).await?;
        let (alice, bob) = (
            custom_router::connect_client("alice", &bound).await?,
            custom_router::connect_client("bob", &bound).await?,
        );
        assert_eq!(custom_router::answer_only(&router, "alice", 2).await?, 1);
        assert_eq!(alice.recv().await?, Message::from(["", "for alice only"]));
        assert_eq!(bob.try_recv(), Err(RecvError::Empty));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn routing_table_forwards_reading_to_display() -> Outcome {
    within(async {
        let (router, table) = (RouterSocket::with_options(Options::new().mandatory(true)), sensor_to_display());
        let bound = router.bind(ANY).await?;
        let server = routing_table::route(&router, &table, 3);
        let ((), shown) = tokio::try_join!(server, routing_table::show_one_reading(&bound, "21.5 °C"))?;
        assert_eq!(shown, "21.5 °C");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn routing_table_reports_missing_route_to_sender() -> Outcome {
    within(async {
        let (router, table) = (RouterSocket::with_options(Options::new().mandatory(true)), sensor_to_display());
        let bound = router.bind(ANY).await?;
        let clients = async {
            let sensor = routing_table::register("sensor", &bound).await?;
            sensor.send(["", "21.5 °C"]).await?;
            assert_eq!(sensor.recv().await?, Message::from(["", "peer not connected"]));
            let unknown = routing_table::register("unknown", &bound).await?;
            unknown.send(["", "message"]).await?;
            assert_eq!(unknown.recv().await?, Message::from(["", "no route"]));
            Ok(())
        };
        tokio::try_join!(routing_table::route(&router, &table, 4), clients)?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn proxy_forwards_each_request_and_reply() -> Result<(), Box<dyn Error + Send + Sync>> {
    within(async {
        let statistics = proxy::queue_with_peers(3, 2, 20).await?;
        assert_eq!((statistics.frontend.received.messages, statistics.frontend.sent.messages), (60, 60));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn req_and_rep_alternate() -> Outcome {
    within(async {
        let (rep, req) = (RepSocket::new(), ReqSocket::new());
        req.connect(rep.bind(ANY).await?)?;
        let ((), replies) = tokio::try_join!(req_rep::serve(&rep, 2), req_rep::ask(&req, 2))?;
        assert_eq!(replies, ["Hello 1, to you too", "Hello 2, to you too"]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn req_and_rep_errors_advise_dealer_and_router() -> Outcome {
    within(async {
        let (rep, req) = (RepSocket::new(), ReqSocket::new());
        let bound = rep.bind(ANY).await?;
        req.connect(&bound)?;
        let (early, second) = req_rep::strict_alternation(&req, &rep).await?;
        assert_eq!(early, RecvError::OutOfTurn);
        assert!(matches!(&second, SendError::OutOfTurn(message) if message.body() == "two"), "{second:?}");
        for text in [early.to_string(), second.to_string()] {
            assert!(text.contains("use a DEALER") && text.contains("use a ROUTER"), "{text}");
        }
        req_rep::one_at_a_time(&rep, &bound).await
    })
    .await
}

#[tokio::test]
async fn one_port_serves_clients_by_resource() -> Outcome {
    within(async {
        let services = one_port::Services::bind(ANY.parse()?).await?;
        let ((), received) = tokio::try_join!(services.serve(), one_port::run_clients(&services.port))?;
        assert_eq!(received, ("8".to_owned(), "and who are you?".to_owned()));
        Ok(())
    })
    .await
}

mod balancing {
    use super::load_balancer::broker::Broker;
    use super::load_balancer::client::{self, Load};
    use super::load_balancer::progress::Progress;
    use super::load_balancer::{Failure, everything, worker};
    use super::*;
    use tokio::task::JoinHandle;

    #[tokio::test]
    async fn quick_and_slow_workers_lose_no_request() -> Result<(), Failure> {
        within(async {
            let load = Load { requests: 50, in_flight: 8 };
            let workers = [("quick", Duration::ZERO), ("slow", Duration::from_millis(3))];
            let report = everything::run(3, load, &workers).await?;
            assert_eq!((report.requests, report.answers), (150, 150));
            assert_eq!(report.workers.values().sum::<u64>(), 150);
            assert!(report.workers.keys().all(|name| name == "quick" || name == "slow"), "{:?}", report.workers);
            assert!(report.to_string().contains("lost: 0"), "{report}");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn overtaking_reply_is_counted_as_out_of_order() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let (worker_a, worker_b) = (broker.worker("a").await?, broker.worker("b").await?);
            let client = broker.client(Load { requests: 3, in_flight: 2 });
            let (a, b) = tokio::try_join!(worker_a.recv(), worker_b.recv())?;
            let (holds_1, first, holds_2, second) =
                if a.body() == "1" { (worker_a, a, worker_b, b) } else { (worker_b, b, worker_a, a) };
            // The client sends request 3 after a reply: the reply to 2, while 1 is still pending.
            reply(&holds_2, second).await?;
            let third = holds_2.recv().await?;
            assert_eq!(third.body(), "3");
            reply(&holds_1, first).await?;
            reply(&holds_2, third).await?;

            let report = client.await??;
            assert_eq!((report.answers, report.first.first()), (3, Some(&2)));
            // The order of the last two replies is not determined, but the count for each order is.
            let expected = if report.first == [2, 1, 3] { 1 } else { 2 };
            assert_eq!(report.out_of_order, expected, "{report}");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn request_of_closed_worker_goes_to_another() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            let closed = broker.worker("closed").await?;
            let client = broker.client(Load { requests: 5, in_flight: 5 });
            closed.recv().await?;
            closed.close().await;
            let successor = broker.spawn_worker("successor");

            let report = client.await??;
            assert_eq!(report.answers, 5);
            assert_eq!(report.workers, BTreeMap::from([("successor".to_owned(), 5)]));
            successor.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn idle_worker_that_closes_loses_no_request() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            broker.worker("gone").await?.close().await;
            let client = broker.client(Load { requests: 5, in_flight: 5 });
            let successor = broker.spawn_worker("successor");
            assert_eq!(client.await??.workers, BTreeMap::from([("successor".to_owned(), 5)]));
            successor.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn restarted_worker_receives_its_request_again() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let before = broker.worker("worker").await?;
            let client = broker.client(Load { requests: 1, in_flight: 1 });
            let request = before.recv().await?;
            // The old connection is still open: the routing id moves to the new connection.
            let after = broker.worker("worker").await?;
            assert_eq!(after.recv().await?, request);
            reply(&after, request).await?;
            assert_eq!(client.await??.answers, 1);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn late_reply_is_not_sent_to_client_again() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            let client = DealerSocket::new();
            client.connect(&broker.front)?;
            let slow = broker.worker("slow").await?;
            client.send(["", "1"]).await?;
            let late = slow.recv().await?;
            let successor = broker.worker("successor").await?;
            reply(&successor, successor.recv().await?).await?;
            assert_eq!(client.recv().await?, Message::from(["", "1", "done"]));

            // The late reply makes the slow worker ready again, after the successor, which keeps request 2.
            reply(&slow, late).await?;
            client.send(["", "2"]).await?;
            client.send(["", "3"]).await?;
            successor.recv().await?;
            let next = slow.recv().await?;
            let number = next.body().clone();
            reply(&slow, next).await?;
            assert_eq!(client.recv().await?, Message::from((Frame::EMPTY, number, "done")));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn broker_replies_in_framing_of_request() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let successor = broker.spawn_worker("w");
            let (dealer, req) = (DealerSocket::new(), ReqSocket::new());
            dealer.connect(&broker.front)?;
            req.connect(&broker.front)?;
            dealer.send("7").await?;
            assert_eq!(dealer.recv().await?, Message::from(["7", "w"]));
            dealer.send(["", "8"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "8", "w"]));
            req.send("9").await?;
            assert_eq!(req.recv().await?, Message::from(["9", "w"]));
            successor.abort();
            Ok(())
        })
        .await
    }

    /// Broker that runs in a task, with its endpoints for clients and workers. Drop ends the task.
    struct Setup {
        front: String,
        back: String,
        broker: JoinHandle<Result<(), Failure>>,
    }

    impl Setup {
        async fn new(patience: Duration) -> Result<Self, Failure> {
            let mut broker = Broker::bind(ANY, ANY).await?;
            broker.patience = patience;
            let (front, back) = (broker.front.to_string(), broker.back.to_string());
            Ok(Self { front, back, broker: tokio::spawn(broker.run()) })
        }

        /// Creates a worker and sends its READY. The test itself receives the requests and sends the replies.
        async fn worker(&self, name: &str) -> Result<DealerSocket, Failure> {
            let worker = DealerSocket::with_options(Options::new().routing_id(name)?);
            worker.connect(&self.back)?;
            worker.send(["", "READY"]).await?;
            Ok(worker)
        }

        fn spawn_worker(&self, name: &'static str) -> JoinHandle<Result<(), Failure>> {
            let back = self.back.clone();
            tokio::spawn(async move { worker::run(name, &back, Duration::ZERO).await })
        }

        fn client(&self, load: Load) -> JoinHandle<Result<load_balancer::report::Report, Failure>> {
            let front = self.front.clone();
            tokio::spawn(async move { client::run("client", &front, load, &Progress::of(load.requests)).await })
        }
    }

    impl Drop for Setup {
        fn drop(&mut self) {
            self.broker.abort();
        }
    }

    /// Sends the reply of `worker` to a request: the frames of the request, and one more frame, `done`.
    async fn reply(worker: &DealerSocket, mut request: Message) -> Result<(), SendError> {
        request.push_back("done");
        worker.send(request).await
    }
}

fn sensor_to_display() -> routing_table::Table {
    BTreeMap::from([(Frame::from("sensor"), Frame::from("display"))])
}

/// Limits the time of a test to 20 seconds.
async fn within<E: From<Elapsed>>(test: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    tokio::time::timeout(Duration::from_secs(20), test).await?
}

#[tokio::test]
async fn security_examples_accept_and_reject_as_documented() -> Outcome {
    let refused = ConnectionError::Refused("400".into());
    within(async {
        assert_eq!(grasslands::hello().await?, "Hello");

        let (known, unknown) = ("127.0.0.1".parse()?, "192.0.2.1".parse()?);
        assert_eq!(strawhouse::hello(known).await?, "Hello");
        assert_eq!(strawhouse::refusal(unknown).await?, refused);

        assert_eq!(woodhouse::hello("admin", "secret").await?, "Hello");
        assert_eq!(woodhouse::refusal("admin", "guess").await?, refused);

        let keys = KeyPair::random();
        assert_eq!(stonehouse::hello(keys.clone()).await?, "Hello");
        let wrong_key = stonehouse::refusal(keys, *KeyPair::random().public()).await?;
        assert_eq!(wrong_key, CurveError::Box("HELLO").into());

        let dir = TempDir::new();
        assert_eq!(ironhouse::run(dir.directory()).await?, ("Hello".into(), refused));
        Ok(())
    })
    .await
}
