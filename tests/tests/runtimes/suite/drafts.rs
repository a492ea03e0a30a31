//! Tests of the draft socket types CLIENT and SERVER, SCATTER and GATHER, CHANNEL, and PEER.

use super::super::fixture::{Socket, run};
use super::{ANY, end_reason, free_endpoint};
use sansmq::kind::{Channel, Client, Gather, Peer, Scatter, Server, Typed};
use sansmq::proto::ConnectionError;
use sansmq::{Event, Message, Options, SendError, UnbindError};

fn socket<T: Typed>() -> Socket<T> {
    Socket::with_options(Options::new())
}

#[test]
fn server_replies_to_each_client() {
    run(|| async {
        let server = socket::<Server>();
        let endpoint = server.bind(ANY).await.unwrap();
        let clients = [socket::<Client>(), socket(), socket()];
        for (number, client) in clients.iter().enumerate() {
            client.connect(&endpoint).unwrap();
            client.send(format!("{number}")).await.unwrap();
        }
        for _ in &clients {
            let [id, body] = server.recv().await.unwrap().into_array().unwrap();
            server.send((id, format!("for {}", body.to_text()))).await.unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            assert_eq!(client.recv().await.unwrap(), Message::from(format!("for {number}")));
        }
        let refused = clients[0].send(["two", "frames"]).await;
        assert!(matches!(refused, Err(SendError::SingleFrame(message)) if message.len() == 2));
    });
}

#[test]
fn server_disconnects_one_client() {
    run(|| async {
        let server = socket::<Server>();
        let endpoint = server.bind(ANY).await.unwrap();
        let client = Socket::with_options(Options::<Client>::new().no_reconnect());
        let mut monitor = client.monitor();
        client.connect(&endpoint).unwrap();
        client.send("hello").await.unwrap();
        let id = server.recv().await.unwrap().head().clone();
        server.send((&id, "goodbye")).await.unwrap();
        server.disconnect_peer(&id).unwrap();
        assert_eq!(client.recv().await.unwrap().body(), "goodbye");
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PeerClosed));
        assert!(matches!(server.send((&id, "late")).await, Err(SendError::Unroutable(_))));
        assert_eq!(server.disconnect_peer(&id), Err(UnbindError::UnknownPeer(id)));
    });
}

#[test]
fn scatter_distributes_messages_round_robin() {
    run(|| async {
        let scatter = socket::<Scatter>();
        let gathers = [socket::<Gather>(), socket()];
        for gather in &gathers {
            scatter.connect(gather.bind(ANY).await.unwrap()).unwrap();
        }
        for number in 0..100 {
            scatter.send(format!("{number}")).await.unwrap();
        }
        for number in 0..100 {
            let received = gathers[number % 2].recv().await.unwrap();
            assert_eq!(received, Message::from(format!("{number}")));
        }
    });
}

#[test]
fn channel_rejects_second_peer_and_keeps_first() {
    run(|| async {
        let (bound, first, second) = (socket::<Channel>(), socket::<Channel>(), socket::<Channel>());
        let endpoint = bound.bind(ANY).await.unwrap();
        let mut monitor = bound.monitor();
        first.connect(&endpoint).unwrap();
        first.send("request").await.unwrap();
        assert_eq!(bound.recv().await.unwrap().body(), "request");
        second.connect(&endpoint).unwrap();
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PairInUse));
        bound.send("reply").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "reply");
    });
}

#[test]
fn peer_sends_to_connected_peer_before_it_binds() {
    run(|| async {
        let endpoint = free_endpoint().await;
        let connected = socket::<Peer>();
        let mut monitor = connected.monitor();
        let id = connected.connect_peer(&endpoint).unwrap();
        connected.send((&id, "early")).await.unwrap();
        while !matches!(monitor.next().await, Some(Event::ConnectFailed { .. })) {}
        let bound = socket::<Peer>();
        bound.bind(&endpoint).await.unwrap();
        let [peer_id, body] = bound.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "early");
        bound.send((peer_id, "welcome")).await.unwrap();
        assert_eq!(connected.recv().await.unwrap(), Message::from((&id, "welcome")));
        connected.disconnect_peer(&id).unwrap();
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::LocallyClosed));
    });
}
