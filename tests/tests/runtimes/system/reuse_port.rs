//! Tests of the option `reuse_port`: several listeners at one port.

use super::super::fixture::{PullSocket, PushSocket, Socket, run};
use super::super::suite::ANY;
use futures_util::future::{Either, select};
use sansmq::kind::Pull;
use sansmq::{BindError, Context, Endpoint, Message, NetworkError, Options};
use std::collections::BTreeSet;
use std::pin::pin;

/// Number of peers. The operating system selects the listener of each, and will not select the same listener for all of them:
/// the probability is 2^-39.
const PEERS: usize = 40;

/// Number of messages of each peer.
const MESSAGES: usize = 50;

fn reusing(context: &Context) -> Socket<Pull> {
    Socket::in_context(context, Options::<Pull>::new().reuse_port(true))
}

fn is_in_use(outcome: &Result<Endpoint, BindError>) -> bool {
    matches!(outcome, Err(BindError::Network { error: NetworkError::AddressInUse, .. }))
}

/// Returns the next message that one of two sockets receives, and the index of the socket.
async fn recv_either(pulls: &[Socket<Pull>; 2]) -> (usize, Message) {
    match select(pin!(pulls[0].recv()), pin!(pulls[1].recv())).await {
        Either::Left((message, _)) => (0, message.unwrap()),
        Either::Right((message, _)) => (1, message.unwrap()),
    }
}

/// Connects many peers to `endpoint`, and asserts that the two sockets receive each message once, and both receive some.
async fn assert_shared(pulls: &[Socket<Pull>; 2], endpoint: &Endpoint) {
    let pushes: Vec<_> = (0..PEERS).map(|_| PushSocket::new()).collect();
    for push in &pushes {
        push.connect(endpoint).unwrap();
        push.wait_connected(1).await.unwrap();
    }
    let mut expected = BTreeSet::new();
    for number in 0..MESSAGES {
        for (peer, push) in pushes.iter().enumerate() {
            push.send(format!("{peer}:{number}")).await.unwrap();
            expected.insert(format!("{peer}:{number}"));
        }
    }
    let mut counts = [0; 2];
    while !expected.is_empty() {
        let (socket, message) = recv_either(pulls).await;
        let text = message.body().to_text();
        assert!(expected.remove(&*text), "{text} was received twice, or not sent");
        counts[socket] += 1;
    }
    assert!(counts.iter().all(|count| count % MESSAGES == 0), "each peer has one socket: {counts:?}");
    if cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "dragonfly")) {
        assert!(!counts.contains(&0), "one socket has received all messages: {counts:?}");
    }
}

#[test]
fn sockets_of_two_contexts_share_the_messages_at_a_port() {
    run(|| async {
        let pulls = [Context::new(), Context::new()].map(|context| reusing(&context));
        let endpoint = pulls[0].bind(ANY).await.unwrap();
        assert_eq!(pulls[1].bind(&endpoint).await.as_ref(), Ok(&endpoint));
        assert_shared(&pulls, &endpoint).await;
    });
}

#[test]
fn sockets_of_one_context_share_the_messages_at_a_port() {
    run(|| async {
        let context = Context::new();
        let pulls = [reusing(&context), reusing(&context)];
        let endpoint = pulls[0].bind(ANY).await.unwrap();
        assert_eq!(pulls[1].bind(&endpoint).await.as_ref(), Ok(&endpoint));
        assert_shared(&pulls, &endpoint).await;
    });
}

/// Without the option, the second bind fails, because a resource must be unique at a listener.
#[test]
fn sockets_with_the_same_resource_have_separate_listeners() {
    run(|| async {
        let context = Context::new();
        let pulls = [reusing(&context), reusing(&context)];
        let endpoint = pulls[0].bind(format!("{ANY}/work")).await.unwrap();
        assert_eq!(pulls[1].bind(&endpoint).await.as_ref(), Ok(&endpoint));
        assert_shared(&pulls, &endpoint).await;
    });
}

#[test]
fn port_is_in_use_unless_each_socket_reuses_it() {
    run(|| async {
        let context = Context::new();
        let (with, without) = (reusing(&context), PullSocket::new());
        let first = with.bind(ANY).await.unwrap();
        assert!(is_in_use(&without.bind(&first).await), "the second socket does not have the option");
        let second = without.bind(ANY).await.unwrap();
        assert!(is_in_use(&with.bind(&second).await), "the first socket does not have the option");
        let other = reusing(&context);
        assert_eq!(other.bind(&first).await, Ok(first));
    });
}

#[test]
fn port_stays_open_when_one_of_its_sockets_closes() {
    run(|| async {
        let pulls = [(); 2].map(|()| reusing(&Context::new()));
        let endpoint = pulls[0].bind(ANY).await.unwrap();
        pulls[1].bind(&endpoint).await.unwrap();
        pulls[0].close().await;
        for number in 0..10 {
            let push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            push.send(number.to_string()).await.unwrap();
            assert_eq!(pulls[1].recv().await.unwrap().body().to_text(), number.to_string());
        }
        let again = reusing(&Context::new());
        assert_eq!(again.bind(&endpoint).await, Ok(endpoint));
    });
}
