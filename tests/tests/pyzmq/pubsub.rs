//! Publishers and subscribers: each type with each, either side ours, either side bound.

use super::{ANY, Outcome, Python, socket, within};
use sansmq::proto::SocketType::{self, Pub, Sub, XPub, XSub};
use sansmq::proto::kind::Any;
use sansmq::tokio::Socket;
use sansmq::{Frame, Message};
use sansmq_tests::TempDir;

#[tokio::test]
async fn pub_with_sub() -> Outcome {
    every_way(Pub, Sub).await
}

#[tokio::test]
async fn pub_with_xsub() -> Outcome {
    every_way(Pub, XSub).await
}

#[tokio::test]
async fn xpub_with_sub() -> Outcome {
    every_way(XPub, Sub).await
}

#[tokio::test]
async fn xpub_with_xsub() -> Outcome {
    every_way(XPub, XSub).await
}

#[tokio::test]
async fn what_our_xsub_says_besides_reaches_pythons_xpub_and_back() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["XPUB", "bind", ANY]);
        let xsub = socket(XSub);
        xsub.connect(python.line().await)?;
        xsub.send("\x01").await?;
        // An XPUB that sends everything back begins with the subscription.
        assert_eq!(xsub.recv().await?.body(), "\x01");
        xsub.send(["user", "words"]).await?;
        assert_eq!(xsub.recv().await?, Message::from(["user", "words"]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn over_unix_domain_sockets_too() -> Outcome {
    let place = TempDir::new();
    within(async {
        let publisher = socket(XPub);
        let bound = publisher.bind(place.endpoint()).await?.to_string();
        publish(&publisher, XPub, Python::start("subscribe.py", &["SUB", "connect", &bound])).await
    })
    .await
}

async fn every_way(from: SocketType, to: SocketType) -> Outcome {
    let (publisher, subscriber) = (from.to_string(), to.to_string());
    within(async {
        let ours = socket(from);
        let bound = ours.bind(ANY).await?.to_string();
        publish(&ours, from, Python::start("subscribe.py", &[&subscriber, "connect", &bound])).await?;

        let ours = socket(from);
        let mut python = Python::start("subscribe.py", &[&subscriber, "bind", ANY]);
        ours.connect(python.line().await)?;
        publish(&ours, from, python).await?;

        let ours = socket(to);
        let bound = ours.bind(ANY).await?.to_string();
        let _python = Python::start("publish.py", &[&publisher, "connect", &bound]);
        subscribe(&ours).await?;

        let ours = socket(to);
        let mut python = Python::start("publish.py", &[&publisher, "bind", ANY]);
        ours.connect(python.line().await)?;
        subscribe(&ours).await
    })
    .await
}

/// The same as in `tests/python/publish.py`.
fn news(number: usize) -> Message {
    let body = (0..=250).cycle().take(number % 600).collect::<Vec<u8>>();
    Message::from(("news.sport", number.to_string(), body))
}

pub(super) async fn publish(ours: &Socket<Any>, kind: SocketType, mut python: Python) -> Outcome {
    ours.wait_subscribed("news.sport", 1).await;
    for number in 0..100 {
        ours.send(("weather", number.to_string())).await?;
        ours.send(news(number)).await?;
    }
    while python.line().await != "all arrived" {}
    if kind == XPub {
        let mut told = Vec::new();
        while told.len() < 4 {
            told.push(ours.recv().await?);
        }
        let expected = ["\x01news", "\x01news.sport", "\0news.sport", "\0news"];
        assert_eq!(told, expected.map(Message::from), "each once, the last cancel of each");
        assert_eq!(ours.subscription_count(), 0);
    }
    python.ends_well().await;
    Ok(())
}

pub(super) async fn subscribe(ours: &Socket<Any>) -> Outcome {
    ours.subscribe("news")?;
    ours.subscribe("news.sport")?;
    let first = ours.recv().await?;
    let number: usize = first.get(1).map(Frame::to_text).ok_or("it has a number")?.parse()?;
    for number in number + 1..number + 100 {
        assert_eq!(ours.recv().await?, news(number));
    }
    Ok(())
}
