//! Tests of resource names, by which several sockets share one port, with libzmq as the peer. libzmq does not support
//! resource names.

use super::{ANY, Echo, Outcome, Python, pairs, socket, within};
use sansmq::proto::SocketType::{Dealer, Rep, Req, Router};

#[tokio::test]
async fn python_reaches_socket_bound_without_resource() -> Outcome {
    within(async {
        let (named, default) = (socket(Router), socket(Rep));
        let port = named.bind(format!("{ANY}/named")).await?.with_resource(None);
        // A client that connects before the bind waits.
        let early = Python::start("request_series.py", &["REQ", "connect", &port.to_string()]);
        default.bind(&port).await?;
        let _echoes = (Echo::of(&default), Echo::of(&named));
        early.expect_last_line("all received").await;
        Python::start("request_series.py", &["DEALER", "connect", &port.to_string()])
            .expect_last_line("all received")
            .await;

        let ours = socket(Req);
        ours.connect(format!("{port}/named"))?;
        pairs::request_series(&ours, Req).await
    })
    .await
}

#[tokio::test]
async fn python_ignores_requested_resource() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
        let bound = python.read_line().await;
        for kind in [Req, Dealer] {
            let ours = socket(kind);
            ours.connect(format!("{bound}/system/names"))?;
            pairs::request_series(&ours, kind).await?;
        }
        Ok(())
    })
    .await
}
