//! Connections that a DEALER makes to peers that use the older versions ZMTP 1.0 and 2.0.

use super::super::fixture::{DealerSocket, run};
use super::super::suite::hostile_peers::{legacy_peers, read_until};
use sansmq::{Endpoint, Message};
use smol::io::AsyncWriteExt;
use std::net::TcpListener;

#[test]
fn dealer_connects_to_legacy_peers() {
    run(|| async {
        for (sent, reply) in legacy_peers(6) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let dealer = DealerSocket::new();
            dealer.connect(Endpoint::from(listener.local_addr().unwrap())).unwrap();
            let (peer, _) = smol::unblock(move || listener.accept().unwrap()).await;
            let mut peer = smol::Async::new(peer).unwrap();
            peer.write_all(&sent).await.unwrap();
            assert_eq!(dealer.recv().await.unwrap(), Message::from("hello"));
            dealer.send("back").await.unwrap();
            read_until(&mut peer, reply).await;
        }
    });
}
