//! CLIENT and SERVER, SCATTER and GATHER, CHANNEL, PEER: one scenario for each couple.

use super::super::fixture::{Socket, run};
use super::{ANY, ending, free_place};
use sansmq::kind::{Channel, Client, Gather, Peer, Scatter, Server, Typed};
use sansmq::proto::ConnectionError;
use sansmq::{Event, Message, Options, SendError, UnbindError};

fn socket<T: Typed>() -> Socket<T> {
    Socket::with(Options::new())
}

#[test]
fn clients_ask_a_server_and_each_is_answered() {
    run(|| async {
        let server = socket::<Server>();
        let place = server.bind(ANY).await.unwrap();
        let clients = [socket::<Client>(), socket(), socket()];
        for (number, client) in clients.iter().enumerate() {
            client.connect(&place).unwrap();
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
        assert!(matches!(refused, Err(SendError::SingleFrame(given_back)) if given_back.len() == 2));
    });
}

#[test]
fn a_server_ends_the_connection_of_one_client() {
    run(|| async {
        let server = socket::<Server>();
        let place = server.bind(ANY).await.unwrap();
        let client = Socket::with(Options::<Client>::new().no_reconnect());
        let mut story = client.monitor();
        client.connect(&place).unwrap();
        client.send("who am I?").await.unwrap();
        let id = server.recv().await.unwrap().head().clone();
        server.send((&id, "goodbye")).await.unwrap();
        server.disconnect_peer(&id).unwrap();
        assert_eq!(client.recv().await.unwrap().body(), "goodbye");
        assert_eq!(ending(&mut story).await, Some(ConnectionError::Eof));
        assert!(matches!(server.send((&id, "late")).await, Err(SendError::Unroutable(_))));
        assert_eq!(server.disconnect_peer(&id), Err(UnbindError::UnknownPeer(id)));
    });
}

#[test]
fn a_scatter_deals_out_to_its_gathers() {
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
            let got = gathers[number % 2].recv().await.unwrap();
            assert_eq!(got, Message::from(format!("{number}")));
        }
    });
}

#[test]
fn a_channel_carries_both_ways_and_refuses_a_second_peer() {
    run(|| async {
        let (bound, first, second) = (socket::<Channel>(), socket::<Channel>(), socket::<Channel>());
        let place = bound.bind(ANY).await.unwrap();
        let mut story = bound.monitor();
        first.connect(&place).unwrap();
        first.send("there").await.unwrap();
        assert_eq!(bound.recv().await.unwrap().body(), "there");
        second.connect(&place).unwrap();
        assert_eq!(ending(&mut story).await, Some(ConnectionError::PairInUse));
        bound.send("and back").await.unwrap();
        assert_eq!(first.recv().await.unwrap().body(), "and back");
    });
}

#[test]
fn a_peer_is_spoken_to_before_it_is_there() {
    run(|| async {
        let place = free_place().await;
        let here = socket::<Peer>();
        let mut story = here.monitor();
        let id = here.connect_peer(&place).unwrap();
        here.send((&id, "early")).await.unwrap();
        while !matches!(story.next().await, Some(Event::ConnectFailed { .. })) {}
        let there = socket::<Peer>();
        there.bind(&place).await.unwrap();
        let [me, body] = there.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "early");
        there.send((me, "welcome")).await.unwrap();
        assert_eq!(here.recv().await.unwrap(), Message::from((&id, "welcome")));
        here.disconnect_peer(&id).unwrap();
        assert_eq!(ending(&mut story).await, Some(ConnectionError::PeerClosed));
    });
}

#[test]
fn over_inproc_they_speak_the_same() {
    run(|| async {
        let context = sansmq::Context::new();
        let [here, there] = [(); 2].map(|()| Socket::in_context(&context, Options::<Peer>::new()));
        let id = here.connect_peer("inproc://peer").unwrap();
        here.send((&id, "early")).await.unwrap();
        there.bind("inproc://peer").await.unwrap();
        let [me, body] = there.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "early");
        there.send((&me, "welcome")).await.unwrap();
        assert_eq!(here.recv().await.unwrap(), Message::from((&id, "welcome")));
        let mut story = here.monitor();
        there.disconnect_peer(&me).unwrap();
        assert!(ending(&mut story).await.is_some());
        assert!(matches!(there.send((me, "late")).await, Err(SendError::Unroutable(_))));
    });
}
