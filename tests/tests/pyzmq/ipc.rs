//! Tests of connections between sansmq and libzmq over Unix domain sockets, with paths and with abstract names of
//! Linux.

use super::{Echo, Outcome, Python, pairs, socket, within};
use sansmq::proto::SocketType::{Dealer, Rep, Req, Router};
use sansmq_tests::TempDir;

#[tokio::test]
async fn python_connects_to_our_ipc_endpoint() -> Outcome {
    let dir = TempDir::new();
    within(async {
        for name in [dir.endpoint(), dir.abstract_endpoint(), "ipc://*".into()] {
            let ours = socket(Router);
            let bound = ours.bind(&name).await?.to_string();
            let _echo = Echo::of(&ours);
            Python::start("request_series.py", &["DEALER", "connect", &bound]).expect_last_line("all received").await;
            Python::start("request_series.py", &["REQ", "connect", &bound]).expect_last_line("all received").await;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn our_sockets_connect_to_python_ipc_endpoint() -> Outcome {
    let dir = TempDir::new();
    within(async {
        for name in [dir.endpoint(), dir.abstract_endpoint()] {
            let mut python = Python::start("echo.py", &["REP", "bind", &name]);
            let bound = python.read_line().await;
            for kind in [Req, Dealer] {
                let ours = socket(kind);
                ours.connect(&bound)?;
                pairs::request_series(&ours, kind).await?;
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn bind_replaces_file_of_killed_but_not_running_python() -> Outcome {
    let dir = TempDir::new();
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", &dir.endpoint()]);
        let bound = python.read_line().await;
        let ours = socket(Rep);
        ours.bind(&bound).await.expect_err("the name is in use");
        let req = socket(Req);
        req.connect(&bound)?;
        pairs::request_series(&req, Req).await?;

        python.kill().await;
        assert!(dir.socket().exists());
        ours.bind(&bound).await?;
        let _echo = Echo::of(&ours);
        Python::start("request_series.py", &["REQ", "connect", &bound]).expect_last_line("all received").await;
        Ok(())
    })
    .await
}
