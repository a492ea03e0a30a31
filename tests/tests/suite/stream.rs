//! STREAM, and peers that know no ZMTP.

use super::super::bed::{Socket, run};
use super::ANY;
use super::strangers::stranger;
use sansmq::kind::Stream;
use sansmq::{BindError, ConnectError, Endpoint, Frame, Message, Options, SendError};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

/// Receives a notice; says whose.
async fn notice(socket: &Socket<Stream>) -> Frame {
    let [id, nothing] = socket.recv().await.unwrap().into_array().unwrap();
    assert!(nothing.is_empty(), "{nothing:?} is no notice");
    id
}

/// Receives from this peer until it has said that.
async fn heard(socket: &Socket<Stream>, from: &Frame, octets: &[u8]) {
    let mut got = Vec::new();
    while got.len() < octets.len() {
        let [id, more] = socket.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&id, more.is_empty()), (from, false));
        got.extend_from_slice(&more);
    }
    assert_eq!(got, octets);
}

#[test]
fn a_stream_serves_plain_tcp_clients_and_hangs_up_after_the_last_octet() {
    const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
    run(|| async {
        let server = Socket::with(Options::<Stream>::new());
        let endpoint = server.bind(ANY).await.unwrap();
        for size in [0, 10, 3_000_000] {
            let mut browser = stranger(&endpoint, REQUEST);
            let page = smol::unblock(move || {
                let mut page = Vec::new();
                browser.read_to_end(&mut page).map(|_| page)
            });
            let id = notice(&server).await;
            heard(&server, &id, REQUEST).await;
            server.send((&id, "HTTP/1.0 200 OK\r\n\r\n")).await.unwrap();
            if size > 0 {
                server.send((&id, vec![b'x'; size])).await.unwrap();
            }
            server.send((&id, "")).await.unwrap();
            assert!(matches!(server.send((&id, "late")).await, Err(SendError::Unroutable(_))));
            let page = page.await.unwrap();
            assert!(page.starts_with(b"HTTP/1.0 200 OK\r\n\r\n"));
            assert_eq!(page.len(), 19 + size);
        }
        drop(stranger(&endpoint, b"never mind"));
        let id = notice(&server).await;
        heard(&server, &id, b"never mind").await;
        assert_eq!(notice(&server).await, id, "who goes is told of");
    });
}

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

#[test]
fn a_stream_refuses_inproc() {
    run(|| async {
        let stream = Socket::with(Options::<Stream>::new());
        let error = stream.bind("inproc://place").await.unwrap_err();
        assert!(matches!(error, BindError::Transport(..)), "{error}");
        assert!(error.to_string().contains("tcp and ipc only"), "{error}");
        let error = stream.connect("inproc://place").unwrap_err();
        assert!(matches!(error, ConnectError::Transport(..)), "{error}");
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
