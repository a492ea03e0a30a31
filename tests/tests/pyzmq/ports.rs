//! Several of our sockets at one port: Python names no resource, and knows none.

use super::{ANY, Echo, Outcome, Python, pairs, socket, within};
use sansmq::proto::SocketType::{Dealer, Rep, Req, Router};

#[tokio::test]
async fn python_reaches_the_socket_that_is_bound_without_a_name() -> Outcome {
    within(async {
        let (named, default) = (socket(Router), socket(Rep));
        let port = named.bind(format!("{ANY}/named")).await?.with_resource(None);
        // One that comes too early waits.
        let early = Python::start("ask.py", &["REQ", "connect", &port.to_string()]);
        default.bind(&port).await?;
        let _echoes = (Echo::of(&default), Echo::of(&named));
        early.says("all came back").await;
        Python::start("ask.py", &["DEALER", "connect", &port.to_string()]).says("all came back").await;

        let ours = socket(Req);
        ours.connect(format!("{port}/named"))?;
        pairs::ask(&ours, Req).await
    })
    .await
}

#[tokio::test]
async fn python_serves_us_whatever_we_ask_for() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["REP", "bind", ANY]);
        let bound = python.line().await;
        for kind in [Req, Dealer] {
            let ours = socket(kind);
            ours.connect(format!("{bound}/system/names"))?;
            pairs::ask(&ours, kind).await?;
        }
        Ok(())
    })
    .await
}
