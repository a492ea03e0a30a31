//! A proxy of sansmq between sockets of libzmq. Its control socket is connected to a socket of libzmq.

use super::{ANY, Outcome, Python, Socket, within};
use sansmq::kind::{Dealer, Kind, Rep, Router, XPub, XSub};
use sansmq::{Options, Proxy};

/// Binds a socket; returns the socket and its endpoint.
async fn bound<T: Kind>(options: Options<T>) -> Result<(Socket<T>, String), Box<dyn std::error::Error>> {
    let socket = Socket::with_options(options);
    let endpoint = socket.bind(ANY).await?.to_string();
    Ok((socket, endpoint))
}

#[tokio::test]
async fn python_peers_exchange_requests_through_queue_proxy() -> Outcome {
    within(async {
        let (front, clients) = bound(Options::<Router>::new()).await?;
        let (back, workers) = bound(Options::<Dealer>::new()).await?;
        let mut proxy = Proxy::new(&front, &back);
        let proxy_control = proxy.control_handle();
        let proxy = tokio::spawn(async move { proxy.run().await });
        let _echo = Python::start("echo.py", &["REP", "connect", &workers]);
        Python::start("request_series.py", &["REQ", "connect", &clients]).expect_last_line("all received").await;
        Python::start("request_series.py", &["DEALER", "connect", &clients]).expect_last_line("all received").await;
        proxy_control.terminate();
        let statistics = proxy.await??;
        assert_eq!(statistics.frontend.received, statistics.backend.sent);
        assert_eq!(statistics.backend.received, statistics.frontend.sent);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn python_subscribes_through_forwarder_and_controls_it() -> Outcome {
    within(async {
        let (front, publishers) = bound(Options::<XSub>::new()).await?;
        let (back, subscribers) = bound(Options::<XPub>::new()).await?;
        let (control, control_endpoint) = bound(Options::<Rep>::new()).await?;
        let mut proxy = Proxy::new(&front, &back).control(&control);
        let proxy = tokio::spawn(async move { proxy.run().await });
        Python::start("forward.py", &[&publishers, &subscribers, &control_endpoint]).expect_last_line("done").await;
        assert_eq!(proxy.await??.frontend.received.messages, 2);
        Ok(())
    })
    .await
}
