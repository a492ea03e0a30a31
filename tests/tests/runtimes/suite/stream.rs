//! Tests of STREAM sockets with TCP streams as peers.

use super::super::fixture::{Socket, run, spawn};
use super::ANY;
use super::hostile_peers::raw_peer;
use sansmq::kind::Stream;
use sansmq::{BindError, ConnectError, Frame, Options, SendError};
use smol::io::AsyncReadExt;

/// Receives an empty message (a connect or disconnect notification) and returns its routing id.
pub(crate) async fn recv_notification(socket: &Socket<Stream>) -> Frame {
    let [id, body] = socket.recv().await.unwrap().into_array().unwrap();
    assert!(body.is_empty(), "expected an empty body, received {body:?}");
    id
}

/// Receives messages from the peer with the routing id `from` until their bodies together have the length of
/// `expected`. Asserts that the bodies are equal to `expected`.
pub(crate) async fn expect_bytes(socket: &Socket<Stream>, from: &Frame, expected: &[u8]) {
    let mut received = Vec::new();
    while received.len() < expected.len() {
        let [id, more] = socket.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&id, more.is_empty()), (from, false));
        received.extend_from_slice(&more);
    }
    assert_eq!(received, expected);
}

#[test]
fn stream_sends_all_bytes_before_it_disconnects_a_peer() {
    const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
    run(|| async {
        let server = Socket::with_options(Options::<Stream>::new());
        let endpoint = server.bind(ANY).await.unwrap();
        for size in [0, 10, 3_000_000] {
            let mut client = raw_peer(&endpoint, REQUEST).await;
            let response = spawn(async move {
                let (mut response, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
                while let count @ 1.. = client.read(&mut buffer).await.unwrap() {
                    response.extend_from_slice(&buffer[..count]);
                }
                response
            });
            let id = recv_notification(&server).await;
            expect_bytes(&server, &id, REQUEST).await;
            server.send((&id, "HTTP/1.0 200 OK\r\n\r\n")).await.unwrap();
            if size > 0 {
                server.send((&id, vec![b'x'; size])).await.unwrap();
            }
            server.send((&id, "")).await.unwrap();
            assert!(matches!(server.send((&id, "late")).await, Err(SendError::Unroutable(_))));
            let response = response.await;
            assert!(response.starts_with(b"HTTP/1.0 200 OK\r\n\r\n"));
            assert_eq!(response.len(), 19 + size);
        }
        drop(raw_peer(&endpoint, b"abandoned").await);
        let id = recv_notification(&server).await;
        expect_bytes(&server, &id, b"abandoned").await;
        assert_eq!(recv_notification(&server).await, id, "a disconnect must be notified");
    });
}

#[test]
fn stream_rejects_inproc_endpoint() {
    run(|| async {
        let stream = Socket::with_options(Options::<Stream>::new());
        let error = stream.bind("inproc://name").await.unwrap_err();
        assert!(matches!(error, BindError::Transport(..)), "{error}");
        assert!(error.to_string().contains("only tcp and ipc"), "{error}");
        let error = stream.connect("inproc://name").unwrap_err();
        assert!(matches!(error, ConnectError::Transport(..)), "{error}");
    });
}
