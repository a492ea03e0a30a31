//! Each security mechanism between sansmq and libzmq, with either as the server, with valid and invalid credentials,
//! and with and without an authenticator in libzmq.

use super::pairs::request_series;
use super::{ANY, Echo, Outcome, Python, SECOND, pubsub, within};
use sansmq::curve::{Certificate, CurveError, KeyPair, PublicKey};
use sansmq::keys::write_certificates;
use sansmq::proto::SocketType::{Dealer, XPub};
use sansmq::proto::connection::LikelyReason;
use sansmq::proto::kind;
use sansmq::tokio::{DealerSocket, RepSocket, RouterSocket, SubSocket, XPubSocket};
use sansmq::{
    AuthCredentials, AuthReply, AuthStatus, ConnectionError, Context, Event, Monitor, Options, Security, zap,
};
use sansmq_tests::TempDir;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::timeout;

mod plain {
    use super::*;

    #[tokio::test]
    async fn router_checks_python_password() -> Outcome {
        within(async {
            let router = RouterSocket::with_options(guarded(Options::new()));
            let bound = router.bind(ANY).await?.to_string();
            let _echo = Echo::of(&router.clone().erase());
            let good = ["DEALER", "connect", &bound, "PLAIN_USERNAME=ann", "PLAIN_PASSWORD=secret"];
            Python::start("request_series.py", &good).expect_last_line("all received").await;

            let mut monitor = router.monitor();
            let _bad = Python::start("request_series.py", &[&good[..4], &["PLAIN_PASSWORD=guess"]].concat());
            assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_checks_our_password() -> Outcome {
        within(async {
            let server = ["ROUTER", "bind", ANY, "PLAIN_SERVER=1", "ZAP_DOMAIN=global"];
            let mut python = Python::start("guarded_echo.py", &[&["plain:ann:secret"], &server[..]].concat());
            let address = python.read_line().await;
            let dealer = DealerSocket::with_options(Options::new().security(Security::plain_client("ann", "secret")?));
            dealer.connect(&*address)?;
            request_series(&dealer.erase(), Dealer).await?;
            python.expect_line("user ann").await;

            let security = Security::plain_client("ann", "guess")?;
            assert_eq!(connect_failure(Options::new().security(security), &address).await?, refused(b"400"));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_returns_after_temporary_refusal() -> Outcome {
        returns_after_temporary_refusal(
            Options::new().security(Security::PlainServer),
            &["PLAIN_USERNAME=ann", "PLAIN_PASSWORD=secret"],
        )
        .await
    }

    #[tokio::test]
    async fn python_is_admitted_only_while_a_handler_is_bound() -> Outcome {
        is_admitted_only_while_a_handler_is_bound(
            Security::PlainServer,
            &["PLAIN_USERNAME=ann", "PLAIN_PASSWORD=secret"],
        )
        .await
    }

    #[tokio::test]
    async fn python_client_reads_status_of_wrong_password() -> Outcome {
        within(async {
            let router = RouterSocket::with_options(guarded(Options::new()));
            let bound = router.bind(ANY).await?.to_string();
            let client = ["DEALER", "connect", &bound, "PLAIN_USERNAME=ann", "PLAIN_PASSWORD=guess"];
            let mut python = Python::start("handshake_failure.py", &client);
            python.expect_line("HANDSHAKE_FAILED_AUTH 400").await;
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn refused_client_reaches_python_when_it_accepts() -> Outcome {
        within(async {
            // Refuses every PLAIN client, because it has no authenticator.
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY, "PLAIN_SERVER=1"]);
            let address = python.read_line().await;
            let options = Options::new().security(Security::plain_client("ann", "secret")?);
            let options = options.reconnect(SECOND / 100, SECOND / 10).reconnect_refused(SECOND / 100, SECOND / 10);
            let dealer = DealerSocket::with_options(options);
            let mut monitor = dealer.monitor();
            dealer.connect(&*address)?;
            handshake_failure(&mut monitor).await?;
            assert!(!dealer.failing_dials().is_empty());
            drop(python);
            let accepting = ["plain:ann:secret", "ROUTER", "bind", &address, "PLAIN_SERVER=1", "ZAP_DOMAIN=global"];
            let _python = Python::start("guarded_echo.py", &accepting);
            request_series(&dealer.erase(), Dealer).await
        })
        .await
    }

    #[tokio::test]
    async fn python_with_another_mechanism_is_named_as_likely_cause() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY]);
            let address = python.read_line().await;
            for _ in 0..12 {
                let security = Security::plain_client("ann", "secret")?;
                let reason = connect_failure(Options::new().security(security), &address).await?.to_string();
                assert!(reason.contains("mechanism"), "{reason}");
            }
            Ok(())
        })
        .await
    }

    /// libzmq closes the connection without a valid ERROR command, so the client receives no reason.
    #[tokio::test]
    async fn python_without_authenticator_denies_plain() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY, "PLAIN_SERVER=1"]);
            let address = python.read_line().await;
            let security = Security::plain_client("ann", "secret")?;
            let reason = connect_failure(Options::new().security(security), &address).await?;
            assert_eq!(reason, ConnectionError::ClosedBeforeReady(LikelyReason::Credentials));
            Ok(())
        })
        .await
    }

    /// Returns options of a PLAIN server that accepts only the user `ann` with the password `secret`.
    fn guarded<T: kind::Zmtp>(options: Options<T>) -> Options<T> {
        options.security(Security::PlainServer).authenticate(|request| match &request.credentials {
            AuthCredentials::Plain { username, password } if username == "ann" && password == "secret" => {
                AuthReply::accept_as(username.clone())
            }
            _ => AuthReply::reject(),
        })
    }
}

mod curve {
    use super::*;

    #[tokio::test]
    async fn router_accepts_any_or_known_key_of_python() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            for known in [None, Some(*ann.public())] {
                let router = RouterSocket::with_options(guarded(Options::new(), &server, known));
                let bound = router.bind(ANY).await?.to_string();
                let _echo = Echo::of(&router.clone().erase());
                let options = client_options(&ann, server.public());
                Python::start("request_series.py", &arguments(&["DEALER", "connect", &bound], &options))
                    .expect_last_line("all received")
                    .await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_returns_after_temporary_refusal() -> Outcome {
        let (server, ann) = (KeyPair::random(), KeyPair::random());
        let options = Options::new().security(Security::curve_server(server.clone()));
        returns_after_temporary_refusal(options, &arguments(&[], &client_options(&ann, server.public()))).await
    }

    #[tokio::test]
    async fn python_is_admitted_only_while_a_handler_is_bound() -> Outcome {
        let (server, ann) = (KeyPair::random(), KeyPair::random());
        let options = client_options(&ann, server.public());
        is_admitted_only_while_a_handler_is_bound(Security::curve_server(server), &arguments(&[], &options)).await
    }

    #[tokio::test]
    async fn router_denies_unknown_key_and_wrong_server_key() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let router = RouterSocket::with_options(guarded(Options::new(), &server, Some(*ann.public())));
            let bound = router.bind(ANY).await?.to_string();
            let mut monitor = router.monitor();
            let unknown = client_options(&KeyPair::random(), server.public());
            let unknown = Python::start("send_lines.py", &arguments(&["DEALER", "connect", &bound], &unknown));
            assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            unknown.kill().await;

            let mut monitor = router.monitor();
            let wrong_server_key = client_options(&ann, KeyPair::random().public());
            let _wrong_server_key =
                Python::start("send_lines.py", &arguments(&["DEALER", "connect", &bound], &wrong_server_key));
            assert_eq!(handshake_failure(&mut monitor).await?, CurveError::Box("HELLO").into());
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_without_authenticator_accepts_any_curve_key() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let mut python = Python::start("echo.py", &arguments(&["ROUTER", "bind", ANY], &server_options(&server)));
            let address = python.read_line().await;
            let dealer = DealerSocket::with_options(Options::new().security(client(&ann, server.public())?));
            dealer.connect(&*address)?;
            request_series(&dealer.erase(), Dealer).await?;

            // With a wrong server key libzmq closes the connection without an ERROR.
            let wrong_server_key = Options::new().security(client(&ann, KeyPair::random().public())?);
            let reason = connect_failure(wrong_server_key, &address).await?;
            assert_eq!(reason, ConnectionError::ClosedBeforeReady(LikelyReason::ServerKey));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_authenticator_accepts_known_key_only() -> Outcome {
        let dir = TempDir::new();
        let directory = dir.directory().to_str().expect("a UTF-8 path");
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            write_certificates(directory, "ann", &Certificate::from(ann.clone()))?;
            let authenticator = format!("curve:{directory}");
            let front = [&*authenticator, "ROUTER", "bind", ANY, "ZAP_DOMAIN=global"];
            let mut python = Python::start("guarded_echo.py", &arguments(&front, &server_options(&server)));
            let address = python.read_line().await;
            let dealer = DealerSocket::with_options(Options::new().security(client(&ann, server.public())?));
            dealer.connect(&*address)?;
            request_series(&dealer.erase(), Dealer).await?;
            python.expect_line(&format!("user {}", ann.public())).await;

            let unknown = Options::new().security(client(&KeyPair::random(), server.public())?);
            assert_eq!(connect_failure(unknown, &address).await?, refused(b"400"));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn connecting_socket_may_be_curve_server() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let front = ["REQ", "bind", ANY];
            let mut python =
                Python::start("request_series.py", &arguments(&front, &client_options(&ann, server.public())));
            let rep = RepSocket::with_options(guarded(Options::new(), &server, Some(*ann.public())));
            rep.connect(python.read_line().await)?;
            let _echo = Echo::of(&rep.erase());
            python.expect_last_line("all received").await;
            Ok(())
        })
        .await
    }

    /// libzmq encrypts subscriptions as commands inside MESSAGE.
    #[tokio::test]
    async fn subscriptions_and_heartbeats_work_with_curve() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let heartbeats = ["HEARTBEAT_IVL=20", "HEARTBEAT_TIMEOUT=2000"].map(String::from);
            let publisher = XPubSocket::with_options(guarded(Options::new(), &server, None));
            let bound = publisher.bind(ANY).await?.to_string();
            let options = [&client_options(&ann, server.public())[..], &heartbeats].concat();
            let python = Python::start("subscribe.py", &arguments(&["SUB", "connect", &bound], &options));
            pubsub::publish(&publisher.erase(), XPub, python).await?;

            let options = [&server_options(&server)[..], &heartbeats].concat();
            let mut python = Python::start("publish.py", &arguments(&["PUB", "bind", ANY], &options));
            let options = Options::new().security(client(&ann, server.public())?).heartbeat(SECOND / 50);
            let subscriber = SubSocket::with_options(options);
            subscriber.connect(python.read_line().await)?;
            pubsub::subscribe(&subscriber.erase()).await?;
            Ok(())
        })
        .await
    }

    fn client(own: &KeyPair, server: &PublicKey) -> Result<Security, Box<dyn Error>> {
        Ok(Security::curve_client(own.clone(), *server)?)
    }

    /// Returns options of a CURVE server with the key pair `own`. The server accepts only clients with the key `known`;
    /// if `known` is `None`, it accepts clients with any key.
    fn guarded<T: kind::Zmtp>(options: Options<T>, own: &KeyPair, known: Option<PublicKey>) -> Options<T> {
        let options = options.security(Security::curve_server(own.clone()));
        let Some(known) = known else { return options.any_key() };
        options.authenticate(move |request| {
            if request.credentials == AuthCredentials::Curve(known) {
                AuthReply::accept_as("ann")
            } else {
                AuthReply::reject()
            }
        })
    }

    fn client_options(own: &KeyPair, server: &PublicKey) -> [String; 3] {
        let (public, secret) = (own.public(), own.secret().to_z85());
        [
            format!("CURVE_SERVERKEY={server}"),
            format!("CURVE_PUBLICKEY={public}"),
            format!("CURVE_SECRETKEY={}", *secret),
        ]
    }

    fn server_options(own: &KeyPair) -> [String; 2] {
        ["CURVE_SERVER=1".to_owned(), format!("CURVE_SECRETKEY={}", *own.secret().to_z85())]
    }

    fn arguments<'a>(front: &[&'a str], options: &'a [String]) -> Vec<&'a str> {
        front.iter().copied().chain(options.iter().map(String::as_str)).collect()
    }
}

mod null {
    use super::*;

    #[tokio::test]
    async fn python_authenticator_checks_our_address() -> Outcome {
        within(async {
            for (authenticator, accepted) in [("allow:127.0.0.1", true), ("deny:127.0.0.1", false)] {
                let mut python =
                    Python::start("guarded_echo.py", &[authenticator, "ROUTER", "bind", ANY, "ZAP_DOMAIN=global"]);
                let address = python.read_line().await;
                if accepted {
                    let dealer = DealerSocket::new();
                    dealer.connect(&*address)?;
                    request_series(&dealer.erase(), Dealer).await?;
                } else {
                    assert_eq!(connect_failure(Options::new(), &address).await?, refused(b"400"));
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn authenticator_receives_address_of_python() -> Outcome {
        within(async {
            let options = Options::new().zap_domain("global")?.authenticate(|request| {
                assert_eq!((&*request.domain, &*request.address), ("global", "127.0.0.1"));
                AuthReply::reject()
            });
            let router = RouterSocket::with_options(options);
            let bound = router.bind(ANY).await?.to_string();
            let mut monitor = router.monitor();
            let _python = Python::start("send_lines.py", &["DEALER", "connect", &bound]);
            assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            Ok(())
        })
        .await
    }
}

/// Returns the error of a client that receives an ERROR command with this status code.
fn refused(status: &'static [u8]) -> ConnectionError {
    ConnectionError::Refused(status.into())
}

/// Checks that a Python client connects again after the authenticator has refused it with status 300 once. A libzmq
/// client never connects again after an ERROR command.
async fn returns_after_temporary_refusal(options: Options<kind::Router>, client: &[&str]) -> Outcome {
    within(async {
        let calls = AtomicUsize::new(0);
        let router =
            RouterSocket::with_options(options.authenticate(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
                0 => AuthReply::Reject(AuthStatus::TemporaryError),
                _ => AuthReply::accept(),
            }));
        let bound = router.bind(ANY).await?.to_string();
        let mut monitor = router.monitor();
        let _echo = Echo::of(&router.erase());
        let python = Python::start("request_series.py", &[&["DEALER", "connect", &bound], client].concat());
        assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::TemporaryError));
        timeout(10 * SECOND, python.expect_last_line("all received")).await?;
        Ok(())
    })
    .await
}

/// Checks that a server without a ZAP handler refuses a Python client by closing, so that the client connects again and is
/// admitted when a handler is bound; and that the server refuses the next client after the handler is closed.
async fn is_admitted_only_while_a_handler_is_bound(security: Security, client: &[&str]) -> Outcome {
    within(async {
        let context = Context::new();
        let router = RouterSocket::in_context(&context, Options::new().security(security));
        let bound = router.bind(ANY).await?.to_string();
        let mut monitor = router.monitor();
        let _echo = Echo::of(&router.erase());
        let client = [&["DEALER", "connect", &bound], client].concat();
        let python = Python::start("request_series.py", &client);
        for _ in 0..2 {
            assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::NoAuthenticator);
        }
        let handler = RepSocket::in_context(&context, Options::new());
        handler.bind(zap::ENDPOINT).await?;
        let answers = tokio::spawn({
            let handler = handler.clone();
            async move {
                while let Ok(request) = handler.recv().await {
                    let request = zap::Request::read(&request).expect("a valid request");
                    handler.send(request.reply(&AuthReply::accept())).await.expect("a reply is due");
                }
            }
        });
        python.expect_last_line("all received").await;

        handler.close().await;
        answers.await?;
        let mut monitor = router.monitor();
        let _python = Python::start("request_series.py", &client);
        assert_eq!(handshake_failure(&mut monitor).await?, ConnectionError::NoAuthenticator);
        Ok(())
    })
    .await
}

/// Connects a DEALER with these options. Waits for the failure of its handshake and returns the reason.
async fn connect_failure(options: Options<kind::Dealer>, address: &str) -> Result<ConnectionError, Box<dyn Error>> {
    let dealer = DealerSocket::with_options(options);
    let mut monitor = dealer.monitor();
    dealer.connect(address)?;
    handshake_failure(&mut monitor).await
}

async fn handshake_failure(monitor: &mut Monitor) -> Result<ConnectionError, Box<dyn Error>> {
    let failed = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(failed.await.ok_or("the socket is closed")?)
}
