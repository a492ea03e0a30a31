//! STREAM, with a server and a transport that are the system's.

use super::super::fixture::{Socket, run};
use super::super::suite::stream::{heard, notice};
use sansmq::kind::Stream;
use sansmq::{Endpoint, Message, Options};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn a_stream_is_a_plain_tcp_client_that_connects_again() {
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
        let client = Socket::with(Options::<Stream>::new().reconnect(short, short).unwrap());
        client.connect_as(&endpoint, "echo").unwrap();
        for word in ["first", "again"] {
            assert_eq!(notice(&client).await, "echo");
            client.send(["echo", word]).await.unwrap();
            heard(&client, &"echo".into(), word.as_bytes()).await;
            assert_eq!(notice(&client).await, "echo");
        }
        echo.await;
    });
}

#[cfg(unix)]
#[test]
fn a_stream_speaks_over_ipc_and_knows_whose_process_the_peer_is() {
    run(|| async {
        let server = Socket::with(Options::<Stream>::new());
        let mut monitor = server.monitor();
        let endpoint = server.bind("ipc://*").await.unwrap();
        let client = Socket::with(Options::<Stream>::new().notify(false));
        client.connect_as(&endpoint, "server").unwrap();
        client.send(["server", "hello"]).await.unwrap();
        let id = notice(&server).await;
        heard(&server, &id, b"hello").await;
        server.send(Message::from((&id, "hi"))).await.unwrap();
        heard(&client, &"server".into(), b"hi").await;
        let peer = loop {
            if let Some(sansmq::Event::Ready { peer, .. }) = monitor.next().await {
                break peer;
            }
        };
        assert_eq!(peer.credentials.unwrap().uid, rustix::process::getuid().as_raw());
    });
}
