//! Tests of STREAM sockets with a TCP server of the standard library, and over `ipc`.

use super::super::fixture::{Socket, run};
use super::super::suite::stream::{expect_bytes, recv_notification};
use sansmq::kind::Stream;
use sansmq::{Endpoint, Message, Options};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn stream_reconnects_to_tcp_server() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let echo = smol::unblock(move || {
            for _ in 0..2 {
                let (mut peer, _) = listener.accept().unwrap();
                let mut word = [0; 5];
                peer.read_exact(&mut word).unwrap();
                peer.write_all(&word).unwrap();
            }
        });
        let short = Duration::from_millis(10);
        let client = Socket::with_options(Options::<Stream>::new().reconnect(short, short));
        client.connect_as(&endpoint, "echo").unwrap();
        for word in ["first", "again"] {
            assert_eq!(recv_notification(&client).await, "echo");
            client.send(["echo", word]).await.unwrap();
            expect_bytes(&client, &"echo".into(), word.as_bytes()).await;
            assert_eq!(recv_notification(&client).await, "echo");
        }
        echo.await;
    });
}

#[cfg(unix)]
#[test]
fn stream_over_ipc_reports_peer_credentials() {
    run(|| async {
        let server = Socket::with_options(Options::<Stream>::new());
        let mut monitor = server.monitor();
        let endpoint = server.bind("ipc://*").await.unwrap();
        let client = Socket::with_options(Options::<Stream>::new().notify(false));
        client.connect_as(&endpoint, "server").unwrap();
        client.send(["server", "hello"]).await.unwrap();
        let id = recv_notification(&server).await;
        expect_bytes(&server, &id, b"hello").await;
        server.send(Message::from((&id, "hi"))).await.unwrap();
        expect_bytes(&client, &"server".into(), b"hi").await;
        let peer = loop {
            if let Some(sansmq::Event::Ready { peer, .. }) = monitor.next().await {
                break peer;
            }
        };
        assert_eq!(peer.credentials.unwrap().uid, rustix::process::getuid().as_raw());
    });
}
