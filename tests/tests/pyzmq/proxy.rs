//! A proxy of ours with libzmq's sockets on both sides, and one of them steering it.

use super::{ANY, Outcome, Python, Socket, within};
use sansmq::kind::{Dealer, Kind, Rep, Router, XPub, XSub};
use sansmq::{Options, Proxy};

/// A socket that listens, and where.
async fn bound<T: Kind>(options: Options<T>) -> Result<(Socket<T>, String), Box<dyn std::error::Error>> {
    let socket = Socket::with(options);
    let place = socket.bind(ANY).await?.to_string();
    Ok((socket, place))
}

#[tokio::test]
async fn python_asks_python_through_a_queue() -> Outcome {
    within(async {
        let (front, clients) = bound(Options::<Router>::new()).await?;
        let (back, workers) = bound(Options::<Dealer>::new()).await?;
        let mut proxy = Proxy::new(&front, &back);
        let control = proxy.control_handle();
        let proxy = tokio::spawn(async move { proxy.run().await });
        let _echo = Python::start("echo.py", &["REP", "connect", &workers]);
        Python::start("ask.py", &["REQ", "connect", &clients]).says("all came back").await;
        Python::start("ask.py", &["DEALER", "connect", &clients]).says("all came back").await;
        control.terminate();
        let statistics = proxy.await??;
        assert_eq!(statistics.frontend.received, statistics.backend.sent);
        assert_eq!(statistics.backend.received, statistics.frontend.sent);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn python_subscribes_to_python_through_a_forwarder_that_it_steers() -> Outcome {
    within(async {
        let (front, publishers) = bound(Options::<XSub>::new()).await?;
        let (back, subscribers) = bound(Options::<XPub>::new()).await?;
        let (control, place) = bound(Options::<Rep>::new()).await?;
        let mut proxy = Proxy::new(&front, &back).control(&control);
        let proxy = tokio::spawn(async move { proxy.run().await });
        Python::start("forward.py", &[&publishers, &subscribers, &place]).says("all went as it should").await;
        assert_eq!(proxy.await??.frontend.received.messages, 2);
        Ok(())
    })
    .await
}
