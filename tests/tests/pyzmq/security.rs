//! Every mechanism with libzmq, in both roles, with good and bad credentials, with and without an authenticator over there.

use super::pairs::ask;
use super::{ANY, Echo, Outcome, Python, SECOND, pubsub, within};
use sansmq::curve::{Certificate, CurveError, KeyPair, PublicKey};
use sansmq::keys::write_certificates;
use sansmq::proto::SocketType::{Dealer, XPub};
use sansmq::proto::kind;
use sansmq::tokio::{DealerSocket, RepSocket, RouterSocket, SubSocket, XPubSocket};
use sansmq::{AuthCredentials, AuthReply, AuthStatus, ConnectionError, Event, Monitor, Options, Security};
use sansmq_tests::TempDir;
use std::error::Error;

mod plain {
    use super::*;

    #[tokio::test]
    async fn python_shows_its_password_to_us() -> Outcome {
        within(async {
            let router = RouterSocket::with(guarded(Options::new()));
            let bound = router.bind(ANY).await?.to_string();
            let _echo = Echo::of(&router.clone().erase());
            let good = ["DEALER", "connect", &bound, "PLAIN_USERNAME=ann", "PLAIN_PASSWORD=secret"];
            Python::start("ask.py", &good).says("all came back").await;

            let mut monitor = router.monitor();
            let _bad = Python::start("ask.py", &[&good[..4], &["PLAIN_PASSWORD=guess"]].concat());
            assert_eq!(failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn we_show_our_password_to_python() -> Outcome {
        within(async {
            let server = ["ROUTER", "bind", ANY, "PLAIN_SERVER=1", "ZAP_DOMAIN=global"];
            let mut python = Python::start("guarded_echo.py", &[&["plain:ann:secret"], &server[..]].concat());
            let address = python.line().await;
            let dealer = DealerSocket::with(Options::new().security(Security::plain_client("ann", "secret")?));
            dealer.connect(&*address)?;
            ask(&dealer.erase(), Dealer).await?;
            python.says_next("user ann").await;

            let security = Security::plain_client("ann", "guess")?;
            assert_eq!(refusal(Options::new().security(security), &address).await?, refused(b"400"));
            Ok(())
        })
        .await
    }

    /// What libzmq answers by is malformed on the wire: its ERROR has no length.
    #[tokio::test]
    async fn python_lets_nobody_in_without_an_authenticator() -> Outcome {
        within(async {
            let mut python = Python::start("echo.py", &["ROUTER", "bind", ANY, "PLAIN_SERVER=1"]);
            let address = python.line().await;
            let security = Security::plain_client("ann", "secret")?;
            let reason = refusal(Options::new().security(security), &address).await?;
            assert_eq!(reason, ConnectionError::Eof);
            Ok(())
        })
        .await
    }

    /// In which ann has a password.
    fn guarded<T: kind::Zmtp>(options: Options<T>) -> Options<T> {
        options.security(Security::PlainServer).authenticate(|request| match &request.credentials {
            AuthCredentials::Plain { username, password } if username == "ann" && password == "secret" => {
                AuthReply::accept_as(username.clone())
            }
            _ => AuthReply::refuse(),
        })
    }
}

mod curve {
    use super::*;

    #[tokio::test]
    async fn python_comes_to_us_with_any_key_or_one_that_we_know() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            for known in [None, Some(*ann.public())] {
                let router = RouterSocket::with(guarded(Options::new(), &server, known));
                let bound = router.bind(ANY).await?.to_string();
                let _echo = Echo::of(&router.clone().erase());
                let options = client_options(&ann, server.public());
                Python::start("ask.py", &with(&["DEALER", "connect", &bound], &options)).says("all came back").await;
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn python_is_refused_for_its_key_and_for_what_it_takes_for_ours() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let router = RouterSocket::with(guarded(Options::new(), &server, Some(*ann.public())));
            let bound = router.bind(ANY).await?.to_string();
            let mut monitor = router.monitor();
            let stranger = client_options(&KeyPair::random(), server.public());
            let stranger = Python::start("talk.py", &with(&["DEALER", "connect", &bound], &stranger));
            assert_eq!(failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            stranger.kill().await;

            let mut monitor = router.monitor();
            let lost = client_options(&ann, KeyPair::random().public());
            let _lost = Python::start("talk.py", &with(&["DEALER", "connect", &bound], &lost));
            assert_eq!(failure(&mut monitor).await?, CurveError::Box("HELLO").into());
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn we_come_to_python_which_admits_any_key_without_an_authenticator() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let mut python = Python::start("echo.py", &with(&["ROUTER", "bind", ANY], &server_options(&server)));
            let address = python.line().await;
            let dealer = DealerSocket::with(Options::new().security(client(&ann, server.public())?));
            dealer.connect(&*address)?;
            ask(&dealer.erase(), Dealer).await?;

            // Who has the wrong key of the server gets no answer but the end.
            let lost = Options::new().security(client(&ann, KeyPair::random().public())?);
            let reason = refusal(lost, &address).await?;
            assert_eq!(reason, ConnectionError::Eof);
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn pythons_authenticator_knows_our_key_or_refuses_it() -> Outcome {
        let place = TempDir::new();
        let directory = place.directory().to_str().expect("a path of UTF-8");
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            write_certificates(directory, "ann", &Certificate::from(ann.clone()))?;
            let guard = format!("curve:{directory}");
            let front = [&*guard, "ROUTER", "bind", ANY, "ZAP_DOMAIN=global"];
            let mut python = Python::start("guarded_echo.py", &with(&front, &server_options(&server)));
            let address = python.line().await;
            let dealer = DealerSocket::with(Options::new().security(client(&ann, server.public())?));
            dealer.connect(&*address)?;
            ask(&dealer.erase(), Dealer).await?;
            python.says_next(&format!("user {}", ann.public())).await;

            let stranger = Options::new().security(client(&KeyPair::random(), server.public())?);
            assert_eq!(refusal(stranger, &address).await?, refused(b"400"));
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn who_connects_may_be_the_server() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let front = ["REQ", "bind", ANY];
            let mut python = Python::start("ask.py", &with(&front, &client_options(&ann, server.public())));
            let rep = RepSocket::with(guarded(Options::new(), &server, Some(*ann.public())));
            rep.connect(python.line().await)?;
            let _echo = Echo::of(&rep.erase());
            python.says("all came back").await;
            Ok(())
        })
        .await
    }

    /// Subscriptions are commands inside of messages, as libzmq sends them and understands them.
    #[tokio::test]
    async fn subscriptions_and_heartbeats_pass_both_ways() -> Outcome {
        within(async {
            let (server, ann) = (KeyPair::random(), KeyPair::random());
            let beats = ["HEARTBEAT_IVL=20", "HEARTBEAT_TIMEOUT=2000"].map(String::from);
            let publisher = XPubSocket::with(guarded(Options::new(), &server, None));
            let bound = publisher.bind(ANY).await?.to_string();
            let options = [&client_options(&ann, server.public())[..], &beats].concat();
            let python = Python::start("subscribe.py", &with(&["SUB", "connect", &bound], &options));
            pubsub::publish(&publisher.erase(), XPub, python).await?;

            let options = [&server_options(&server)[..], &beats].concat();
            let mut python = Python::start("publish.py", &with(&["PUB", "bind", ANY], &options));
            let options = Options::new().security(client(&ann, server.public())?).heartbeat(SECOND / 50)?;
            let subscriber = SubSocket::with(options);
            subscriber.connect(python.line().await)?;
            pubsub::subscribe(&subscriber.erase()).await?;
            Ok(())
        })
        .await
    }

    fn client(own: &KeyPair, server: &PublicKey) -> Result<Security, Box<dyn Error>> {
        Ok(Security::curve_client(own.clone(), *server)?)
    }

    /// Lets one key in, or any.
    fn guarded<T: kind::Zmtp>(options: Options<T>, own: &KeyPair, known: Option<PublicKey>) -> Options<T> {
        let options = options.security(Security::curve_server(own.clone()));
        let Some(known) = known else { return options };
        options.authenticate(move |request| {
            if request.credentials == AuthCredentials::Curve(known) {
                AuthReply::accept_as("ann")
            } else {
                AuthReply::refuse()
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

    fn with<'a>(front: &[&'a str], options: &'a [String]) -> Vec<&'a str> {
        front.iter().copied().chain(options.iter().map(String::as_str)).collect()
    }
}

mod null {
    use super::*;

    #[tokio::test]
    async fn pythons_authenticator_looks_at_our_address() -> Outcome {
        within(async {
            for (guard, comes_in) in [("allow:127.0.0.1", true), ("deny:127.0.0.1", false)] {
                let mut python = Python::start("guarded_echo.py", &[guard, "ROUTER", "bind", ANY, "ZAP_DOMAIN=global"]);
                let address = python.line().await;
                if comes_in {
                    let dealer = DealerSocket::new();
                    dealer.connect(&*address)?;
                    ask(&dealer.erase(), Dealer).await?;
                } else {
                    assert_eq!(refusal(Options::new(), &address).await?, refused(b"400"));
                }
            }
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn we_look_at_pythons_address() -> Outcome {
        within(async {
            let options = Options::new().zap_domain("global")?.authenticate(|request| {
                assert_eq!((&*request.domain, &*request.address), ("global", "127.0.0.1"));
                AuthReply::refuse()
            });
            let router = RouterSocket::with(options);
            let bound = router.bind(ANY).await?.to_string();
            let mut monitor = router.monitor();
            let _python = Python::start("talk.py", &["DEALER", "connect", &bound]);
            assert_eq!(failure(&mut monitor).await?, ConnectionError::Denied(AuthStatus::Denied));
            Ok(())
        })
        .await
    }
}

/// How a server over there refuses.
fn refused(status: &'static [u8]) -> ConnectionError {
    ConnectionError::Refused(status.into())
}

/// Why a socket with these options does not get in.
async fn refusal(options: Options<kind::Dealer>, address: &str) -> Result<ConnectionError, Box<dyn Error>> {
    let dealer = DealerSocket::with(options);
    let mut monitor = dealer.monitor();
    dealer.connect(address)?;
    failure(&mut monitor).await
}

async fn failure(monitor: &mut Monitor) -> Result<ConnectionError, Box<dyn Error>> {
    let failed = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(failed.await.ok_or("the socket is closed")?)
}
