//! Every example does what it says: the same code that `cargo run --example` runs, at addresses the system chooses.

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
async fn router_server_answers_each_client_in_its_own_framing() -> Outcome {
    within(async {
        let router = RouterSocket::new();
        let bound = router.bind(ANY).await?;
        let (bare, delimited, req, odd) =
            (DealerSocket::new(), DealerSocket::new(), ReqSocket::new(), DealerSocket::new());
        for dealer in [&bare, &delimited, &odd] {
            dealer.connect(&bound)?;
        }
        req.connect(&bound)?;
        odd.send(["neither", "of", "them"]).await?;
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
async fn dealer_client_sends_all_its_requests_before_it_receives_an_answer() -> Outcome {
    use dealer_client::Framing;
    within(async {
        for framing in [Framing::Delimited, Framing::Bare] {
            let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
            dealer.connect(router.bind(ANY).await?)?;
            // Takes all requests before it answers any: a client that waited for an answer would wait for ever.
            let server = async {
                let mut requests = Vec::new();
                for number in 1..=3 {
                    let request = router.recv().await?;
                    assert_eq!(request.len(), if framing == Framing::Bare { 2 } else { 3 });
                    assert_eq!(request.body(), format!("Hello ROUTER, for the {number}. time").as_bytes());
                    requests.push(request);
                }
                for request in requests {
                    let mut answer = request.into_frames();
                    answer.pop();
                    answer.push("ACK".into());
                    router.send(Message::from_frames(answer).ok_or("no frames")?).await?;
                }
                Ok(())
            };
            let ((), answers) = tokio::try_join!(server, dealer_client::talk(&dealer, framing, 3))?;
            assert_eq!(answers, ["ACK"; 3]);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn dealer_client_and_router_server_understand_each_other() -> Outcome {
    use dealer_client::Framing;
    within(async {
        for framing in [Framing::Delimited, Framing::Bare] {
            let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
            dealer.connect(router.bind(ANY).await?)?;
            let server = router_server::serve(&router, 5);
            let ((), answers) = tokio::try_join!(server, dealer_client::talk(&dealer, framing, 5))?;
            assert_eq!(answers, ["ACK"; 5]);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_server_lets_a_quick_request_overtake_a_slow_one() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let an_hour = "3600000";
        dealer.send(["", "slow", an_hour]).await?;
        dealer.send(["", "quick", "0"]).await?;
        tokio::select! {
            ended = delayed_answers::serve(&router, usize::MAX) => ended?,
            answer = dealer.recv() => assert_eq!(answer?, Message::from(["", "quick", "Response after 0ns"])),
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_client_matches_answers_in_any_order() -> Outcome {
    within(async {
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        dealer.connect(router.bind(ANY).await?)?;
        let backwards = async {
            let mut requests = Vec::new();
            for _ in 0..4 {
                requests.push(router.recv().await?);
            }
            while let Some(request) = requests.pop() {
                router.send(request).await?;
            }
            Ok(())
        };
        let ((), order) = tokio::try_join!(backwards, delayed_answers::ask(&dealer, &[1, 2, 3, 4]))?;
        assert_eq!(order, [4, 3, 2, 1]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn delayed_answers_answers_every_request() -> Outcome {
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
async fn meta_and_body_arrive_together() -> Outcome {
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
async fn custom_router_answers_the_chosen_client_only() -> Outcome {
    within(async {
        let router = RouterSocket::with(Options::new().mandatory(true));
        let bound = router.bind(ANY).await?;
        let (alice, bob) = (custom_router::say("alice", &bound).await?, custom_router::say("bob", &bound).await?);
        assert_eq!(custom_router::answer_only(&router, "alice", 2).await?, 1);
        assert_eq!(alice.recv().await?, Message::from(["", "for alice only"]));
        assert_eq!(bob.try_recv(), Err(RecvError::Empty));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn routing_table_sends_a_reading_to_the_display() -> Outcome {
    within(async {
        let (router, table) = (RouterSocket::with(Options::new().mandatory(true)), sensor_to_display());
        let bound = router.bind(ANY).await?;
        let server = routing_table::route(&router, &table, 3);
        let ((), shown) = tokio::try_join!(server, routing_table::show_one_reading(&bound, "21.5 °C"))?;
        assert_eq!(shown, "21.5 °C");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn routing_table_tells_the_sender_when_there_is_no_way() -> Outcome {
    within(async {
        let (router, table) = (RouterSocket::with(Options::new().mandatory(true)), sensor_to_display());
        let bound = router.bind(ANY).await?;
        let clients = async {
            let sensor = routing_table::join("sensor", &bound).await?;
            sensor.send(["", "21.5 °C"]).await?;
            assert_eq!(sensor.recv().await?, Message::from(["", "nobody is there"]));
            let stranger = routing_table::join("stranger", &bound).await?;
            stranger.send(["", "let me in"]).await?;
            assert_eq!(stranger.recv().await?, Message::from(["", "the table has no way for you"]));
            Ok(())
        };
        tokio::try_join!(routing_table::route(&router, &table, 4), clients)?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn proxy_carries_every_request_to_a_worker_and_every_answer_back() -> Result<(), Box<dyn Error + Send + Sync>> {
    within(async {
        let statistics = proxy::queue_with_peers(3, 2, 20).await?;
        assert_eq!((statistics.frontend.received.messages, statistics.frontend.sent.messages), (60, 60));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn req_and_rep_take_turns() -> Outcome {
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
async fn req_and_rep_say_what_to_use_instead() -> Outcome {
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
async fn one_port_serves_each_client_by_the_name_it_asks_for() -> Outcome {
    within(async {
        let services = one_port::Services::bind(ANY.parse()?).await?;
        let ((), heard) = tokio::try_join!(services.serve(), one_port::ask(&services.port))?;
        assert_eq!(heard, ("8".to_owned(), "and who are you?".to_owned()));
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
    async fn nothing_is_lost_whoever_works() -> Result<(), Failure> {
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
    async fn an_answer_that_overtakes_another_is_counted() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let (one, other) = (broker.worker("one").await?, broker.worker("other").await?);
            let client = broker.client(Load { requests: 3, in_flight: 2 });
            let (a, b) = tokio::try_join!(one.recv(), other.recv())?;
            let (holds_1, first, holds_2, second) =
                if a.body() == "1" { (one, a, other, b) } else { (other, b, one, a) };
            // The client asks for 3 when it has an answer: to 2, while 1 still waits.
            reply(&holds_2, second).await?;
            let third = holds_2.recv().await?;
            assert_eq!(third.body(), "3");
            reply(&holds_1, first).await?;
            reply(&holds_2, third).await?;

            let report = client.await??;
            assert_eq!((report.answers, report.first.first()), (3, Some(&2)));
            // Which of the last two came first is not known; what each order counts is.
            let overtakings = if report.first == [2, 1, 3] { 1 } else { 2 };
            assert_eq!(report.out_of_order, overtakings, "{report}");
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn what_a_dead_worker_had_goes_to_another() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            let mortal = broker.worker("mortal").await?;
            let client = broker.client(Load { requests: 5, in_flight: 5 });
            mortal.recv().await?;
            mortal.close().await;
            let heir = broker.spawn_worker("heir");

            let report = client.await??;
            assert_eq!(report.answers, 5);
            assert_eq!(report.workers, BTreeMap::from([("heir".to_owned(), 5)]));
            heir.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_worker_that_went_while_it_was_ready_costs_no_request() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            broker.worker("gone").await?.close().await;
            let client = broker.client(Load { requests: 5, in_flight: 5 });
            let heir = broker.spawn_worker("heir");
            assert_eq!(client.await??.workers, BTreeMap::from([("heir".to_owned(), 5)]));
            heir.abort();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_restarted_worker_is_given_its_request_again() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let before = broker.worker("phoenix").await?;
            let client = broker.client(Load { requests: 1, in_flight: 1 });
            let request = before.recv().await?;
            // The old connection still stands: the name goes over to the new one.
            let after = broker.worker("phoenix").await?;
            assert_eq!(after.recv().await?, request);
            reply(&after, request).await?;
            assert_eq!(client.await??.answers, 1);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn a_late_reply_is_not_a_second_answer() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_millis(100)).await?;
            let client = DealerSocket::new();
            client.connect(&broker.front)?;
            let slow = broker.worker("slow").await?;
            client.send(["", "1"]).await?;
            let late = slow.recv().await?;
            let heir = broker.worker("heir").await?;
            reply(&heir, heir.recv().await?).await?;
            assert_eq!(client.recv().await?, Message::from(["", "1", "done"]));

            // The late reply makes the slow worker ready again, behind the heir, which keeps request 2 for itself.
            reply(&slow, late).await?;
            client.send(["", "2"]).await?;
            client.send(["", "3"]).await?;
            heir.recv().await?;
            let next = slow.recv().await?;
            let number = next.body().clone();
            reply(&slow, next).await?;
            assert_eq!(client.recv().await?, Message::from((Frame::EMPTY, number, "done")));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn clients_are_answered_as_they_ask() -> Result<(), Failure> {
        within(async {
            let broker = Setup::new(Duration::from_mins(1)).await?;
            let heir = broker.spawn_worker("w");
            let (dealer, req) = (DealerSocket::new(), ReqSocket::new());
            dealer.connect(&broker.front)?;
            req.connect(&broker.front)?;
            dealer.send("7").await?;
            assert_eq!(dealer.recv().await?, Message::from(["7", "w"]));
            dealer.send(["", "8"]).await?;
            assert_eq!(dealer.recv().await?, Message::from(["", "8", "w"]));
            req.send("9").await?;
            assert_eq!(req.recv().await?, Message::from(["9", "w"]));
            heir.abort();
            Ok(())
        })
        .await
    }

    /// A running broker.
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

        /// A worker in the test's hands, which has said READY.
        async fn worker(&self, name: &str) -> Result<DealerSocket, Failure> {
            let worker = DealerSocket::with(Options::new().routing_id(name)?);
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

    /// Sends a request back as done.
    async fn reply(worker: &DealerSocket, mut request: Message) -> Result<(), SendError> {
        request.push_back("done");
        worker.send(request).await
    }
}

fn sensor_to_display() -> routing_table::Table {
    BTreeMap::from([(Frame::from("sensor"), Frame::from("display"))])
}

/// No test waits for ever.
async fn within<E: From<Elapsed>>(test: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    tokio::time::timeout(Duration::from_secs(20), test).await?
}

#[tokio::test]
async fn houses_of_every_material_let_in_whom_they_should_and_nobody_else() -> Outcome {
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
        let lost = stonehouse::refusal(keys, *KeyPair::random().public()).await?;
        assert_eq!(lost, CurveError::Box("HELLO").into());

        let place = TempDir::new();
        assert_eq!(ironhouse::visit(place.directory()).await?, ("Hello".into(), refused));
        Ok(())
    })
    .await
}
