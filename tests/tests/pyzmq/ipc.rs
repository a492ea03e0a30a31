//! The same over Unix domain sockets, at paths and at Linux's abstract names.

use super::{Echo, Outcome, Python, pairs, socket, within};
use sansmq::proto::SocketType::{Dealer, Rep, Req, Router};
use sansmq_tests::TempDir;

#[tokio::test]
async fn we_bind_and_python_connects() -> Outcome {
    let place = TempDir::new();
    within(async {
        for name in [place.endpoint(), place.abstract_endpoint(), "ipc://*".into()] {
            let ours = socket(Router);
            let bound = ours.bind(&name).await?.to_string();
            let _echo = Echo::of(&ours);
            Python::start("ask.py", &["DEALER", "connect", &bound]).says("all came back").await;
            Python::start("ask.py", &["REQ", "connect", &bound]).says("all came back").await;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn python_binds_and_we_connect() -> Outcome {
    let place = TempDir::new();
    within(async {
        for name in [place.endpoint(), place.abstract_endpoint()] {
            let mut python = Python::start("echo.py", &["REP", "bind", &name]);
            let bound = python.line().await;
            for kind in [Req, Dealer] {
                let ours = socket(kind);
                ours.connect(&bound)?;
                pairs::ask(&ours, kind).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_file_that_a_killed_python_leaves_is_replaced_and_the_name_of_a_living_one_is_not() -> Outcome {
    let place = TempDir::new();
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", &place.endpoint()]);
        let bound = python.line().await;
        let ours = socket(Rep);
        ours.bind(&bound).await.expect_err("somebody listens there");
        let asks = socket(Req);
        asks.connect(&bound)?;
        pairs::ask(&asks, Req).await?;

        python.kill().await;
        assert!(place.socket().exists());
        ours.bind(&bound).await?;
        let _echo = Echo::of(&ours);
        Python::start("ask.py", &["REQ", "connect", &bound]).says("all came back").await;
        Ok(())
    })
    .await
}
