//! Each publisher type with each subscriber type. One socket is of sansmq and the other is of libzmq, in both
//! combinations, and either socket binds.

use super::{ANY, Outcome, Python, socket, within};
use sansmq::proto::SocketType::{self, Pub, Sub, XPub, XSub};
use sansmq::proto::kind::Any;
use sansmq::tokio::Socket;
use sansmq::{Frame, Message};
use sansmq_tests::TempDir;

#[tokio::test]
async fn pub_with_sub() -> Outcome {
    all_directions(Pub, Sub).await
}

#[tokio::test]
async fn pub_with_xsub() -> Outcome {
    all_directions(Pub, XSub).await
}

#[tokio::test]
async fn xpub_with_sub() -> Outcome {
    all_directions(XPub, Sub).await
}

#[tokio::test]
async fn xpub_with_xsub() -> Outcome {
    all_directions(XPub, XSub).await
}

#[tokio::test]
async fn xsub_exchanges_user_messages_with_python_xpub() -> Outcome {
    within(async {
        let mut python = Python::start("echo.py", &["XPUB", "bind", ANY]);
        let xsub = socket(XSub);
        xsub.connect(python.read_line().await)?;
        xsub.send("\x01").await?;
        // The first message that the XPUB echoes is the subscription.
        assert_eq!(xsub.recv().await?.body(), "\x01");
        xsub.send(["user", "message"]).await?;
        assert_eq!(xsub.recv().await?, Message::from(["user", "message"]));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn xpub_with_sub_over_ipc() -> Outcome {
    let dir = TempDir::new();
    within(async {
        let publisher = socket(XPub);
        let bound = publisher.bind(dir.endpoint()).await?.to_string();
        publish(&publisher, XPub, Python::start("subscribe.py", &["SUB", "connect", &bound])).await
    })
    .await
}

async fn all_directions(from: SocketType, to: SocketType) -> Outcome {
    let (publisher, subscriber) = (from.to_string(), to.to_string());
    within(async {
        let ours = socket(from);
        let bound = ours.bind(ANY).await?.to_string();
        publish(&ours, from, Python::start("subscribe.py", &[&subscriber, "connect", &bound])).await?;

        let ours = socket(from);
        let mut python = Python::start("subscribe.py", &[&subscriber, "bind", ANY]);
        ours.connect(python.read_line().await)?;
        publish(&ours, from, python).await?;

        let ours = socket(to);
        let bound = ours.bind(ANY).await?.to_string();
        let _python = Python::start("publish.py", &[&publisher, "connect", &bound]);
        subscribe(&ours).await?;

        let ours = socket(to);
        let mut python = Python::start("publish.py", &[&publisher, "bind", ANY]);
        ours.connect(python.read_line().await)?;
        subscribe(&ours).await
    })
    .await
}

/// Returns the publication with this number, as `tests/python/publish.py` sends it.
fn publication(number: usize) -> Message {
    let body = (0..=250).cycle().take(number % 600).collect::<Vec<u8>>();
    Message::from(("news.sport", number.to_string(), body))
}

pub(super) async fn publish(ours: &Socket<Any>, kind: SocketType, mut python: Python) -> Outcome {
    ours.wait_subscribed("news.sport", 1).await?;
    for number in 0..100 {
        ours.send(("weather", number.to_string())).await?;
        ours.send(publication(number)).await?;
    }
    while python.read_line().await != "all received" {}
    if kind == XPub {
        let mut changes = Vec::new();
        while changes.len() < 4 {
            changes.push(ours.recv().await?);
        }
        let expected = ["\x01news", "\x01news.sport", "\0news.sport", "\0news"];
        assert_eq!(changes, expected.map(Message::from), "one subscription and one cancellation per topic");
        assert_eq!(ours.subscription_count(), 0);
    }
    python.expect_success().await;
    Ok(())
}

pub(super) async fn subscribe(ours: &Socket<Any>) -> Outcome {
    ours.subscribe("news")?;
    ours.subscribe("news.sport")?;
    let first = ours.recv().await?;
    let number: usize = first.get(1).map(Frame::to_text).ok_or("the message has no number")?.parse()?;
    for number in number + 1..number + 100 {
        assert_eq!(ours.recv().await?, publication(number));
    }
    Ok(())
}
