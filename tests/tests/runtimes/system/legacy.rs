//! Peers of before ZMTP 3 that are dialled.

use super::super::fixture::{DealerSocket, run};
use super::super::suite::hostile_peers::{elders, hears};
use sansmq::{Endpoint, Message};
use smol::io::AsyncWriteExt;
use std::net::TcpListener;

#[test]
fn peers_of_before_zmtp_3_are_served_when_they_are_dialled() {
    run(|| async {
        for (said, answer) in elders(6) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let dealer = DealerSocket::new();
            dealer.connect(Endpoint::from(listener.local_addr().unwrap())).unwrap();
            let (peer, _) = smol::unblock(move || listener.accept().unwrap()).await;
            let mut peer = smol::Async::new(peer).unwrap();
            peer.write_all(&said).await.unwrap();
            assert_eq!(dealer.recv().await.unwrap(), Message::from("hello"));
            dealer.send("back").await.unwrap();
            hears(&mut peer, answer).await;
        }
    });
}
