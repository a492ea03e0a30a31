//! Tests of messages that the limit of a peer refuses: the sender gets the reason, and the message is not sent again.

use super::super::fixture::{Monitor, PullSocket, PushSocket, Socket, run};
use super::inproc::unique_endpoint;
use super::security::SOON;
use super::{ANY, end_reason};
use sansmq::curve::KeyPair;
use sansmq::kind::{Pull, Push, Router};
use sansmq::proto::entropy::SeededEntropy;
use sansmq::{Endpoint, Event, Message, Options, Security, SendError};

pub(super) const LIMIT: usize = 100_000;

/// Waits until the socket of this monitor has finished a handshake.
pub(super) async fn ready(monitor: &mut Monitor) {
    monitor.find(|event| matches!(event, Event::Ready { .. }).then_some(())).await.unwrap();
}

/// Sends a message that the limits of the PULL refuse, and then one that they accept. `bind_push` selects the side that
/// accepts the connection. Checks the reasons of both sides, and that only the second message arrives.
async fn refuse_message(
    (push, pull): (Options<Push>, Options<Pull>),
    (refused, reason): (Message, &str),
    bind_push: bool,
) {
    let push = Socket::with_options(push.reconnect(SOON, SOON));
    let pull = Socket::with_options(pull.reconnect(SOON, SOON));
    let (mut push_monitor, mut pull_monitor) = (push.monitor(), pull.monitor());
    if bind_push {
        pull.connect(push.bind(ANY).await.unwrap()).unwrap();
    } else {
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
    }
    ready(&mut push_monitor).await;
    push.send(refused).await.unwrap();
    let text = end_reason(&mut push_monitor).await.unwrap().to_string();
    assert!(text.contains(reason), "bind_push = {bind_push}: {text}");
    let text = end_reason(&mut pull_monitor).await.unwrap().to_string();
    assert!(text.contains("see `Options::max_"), "{text}");
    ready(&mut push_monitor).await;
    push.send("accepted").await.unwrap();
    assert_eq!(pull.recv().await.unwrap().body(), "accepted");
    assert_eq!((pull.stats().received.messages, pull.stats().ended), (1, 1), "the message is not sent again");
}

pub(super) fn limited() -> Options<Pull> {
    Options::<Pull>::new().max_message_size(LIMIT)
}

#[test]
fn sender_receives_limit_that_refused_its_message() {
    run(|| async {
        for bind_push in [false, true] {
            let large = Message::from(vec![7; 10 * LIMIT]);
            let reason = "at most 100000 bytes, and one of at least 1000000 bytes was sent";
            refuse_message((Options::new(), limited()), (large, reason), bind_push).await;

            let frames = Message::from_frames(vec![vec![7; 30_000]; 4]).unwrap();
            let reason = "at most 100000 bytes, and one of at least 120000 bytes was sent";
            refuse_message((Options::new(), limited()), (frames, reason), bind_push).await;

            let frames = Message::from_frames(vec!["frame"; 4]).unwrap();
            let pull = Options::<Pull>::new().max_frames(3);
            refuse_message((Options::new(), pull), (frames, "at most 3 frames"), bind_push).await;
        }
    });
}

#[test]
fn encrypted_message_is_refused_with_its_reason() {
    run(|| async {
        let mut entropy = SeededEntropy::new(1);
        let [server, client] = [(); 2].map(|()| KeyPair::generate(&mut entropy));
        let login = Security::curve_client(client, *server.public()).unwrap();
        let pull = limited().security(Security::curve_server(server)).any_key().max_frames(3);
        let frames = Message::from_frames(vec!["frame"; 4]).unwrap();
        refuse_message((Options::new().security(login), pull), (frames, "at most 3 frames"), false).await;
    });
}

#[test]
fn message_of_ten_thousand_frames_is_accepted_by_default() {
    run(|| async {
        for endpoint in [ANY.parse::<Endpoint>().unwrap(), unique_endpoint()] {
            let (push, pull) = (PushSocket::new(), PullSocket::new());
            push.connect(pull.bind(endpoint).await.unwrap()).unwrap();
            let message = Message::from_frames((0..10_000).map(|number| format!("{number}"))).unwrap();
            push.send(message.clone()).await.unwrap();
            assert!(pull.recv().await.unwrap() == message);
        }
    });
}

/// Returns true if `send` refused a message because of its size.
pub(super) const fn is_refused<R>(sent: &Result<R, SendError>) -> bool {
    matches!(sent, Err(SendError::TooLarge(_)))
}

#[test]
fn max_send_size_refuses_message_before_a_peer_exists() {
    run(|| async {
        let push = Socket::with_options(Options::<Push>::new().max_send_size(LIMIT));
        let error = push.send(vec![7; LIMIT + 1]).await.unwrap_err();
        assert!(error.to_string().contains("has 100001 bytes in all its frames, which is more than"), "{error}");
        assert_eq!(error.into_message().size(), LIMIT + 1);

        let router = Socket::with_options(Options::<Router>::new().max_send_size(LIMIT).mandatory(true));
        let sized = |size| Message::from_frames([vec![b'x'; 20], vec![7; size]]).unwrap();
        assert!(is_refused(&router.send(sized(LIMIT + 1)).await));
        let error = router.send(sized(LIMIT)).await.unwrap_err();
        assert!(matches!(error, SendError::Unroutable(_)), "the routing id does not count: {error}");

        let pull = PullSocket::new();
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        push.send(vec![7; LIMIT]).await.unwrap();
        assert_eq!(pull.recv().await.unwrap().size(), LIMIT);
    });
}
