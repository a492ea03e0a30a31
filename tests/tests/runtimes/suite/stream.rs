//! STREAM, and peers that know no ZMTP.

use super::super::fixture::{Socket, run, spawn};
use super::ANY;
use super::hostile_peers::stranger;
use sansmq::kind::Stream;
use sansmq::{BindError, ConnectError, Frame, Options, SendError};
use smol::io::AsyncReadExt;

/// Receives a notice; says whose.
pub(crate) async fn notice(socket: &Socket<Stream>) -> Frame {
    let [id, nothing] = socket.recv().await.unwrap().into_array().unwrap();
    assert!(nothing.is_empty(), "{nothing:?} is no notice");
    id
}

/// Receives from this peer until it has said that.
pub(crate) async fn heard(socket: &Socket<Stream>, from: &Frame, octets: &[u8]) {
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
            let mut browser = stranger(&endpoint, REQUEST).await;
            let page = spawn(async move {
                let (mut page, mut room) = (Vec::new(), vec![0; 64 << 10]);
                while let count @ 1.. = browser.read(&mut room).await.unwrap() {
                    page.extend_from_slice(&room[..count]);
                }
                page
            });
            let id = notice(&server).await;
            heard(&server, &id, REQUEST).await;
            server.send((&id, "HTTP/1.0 200 OK\r\n\r\n")).await.unwrap();
            if size > 0 {
                server.send((&id, vec![b'x'; size])).await.unwrap();
            }
            server.send((&id, "")).await.unwrap();
            assert!(matches!(server.send((&id, "late")).await, Err(SendError::Unroutable(_))));
            let page = page.await;
            assert!(page.starts_with(b"HTTP/1.0 200 OK\r\n\r\n"));
            assert_eq!(page.len(), 19 + size);
        }
        drop(stranger(&endpoint, b"never mind").await);
        let id = notice(&server).await;
        heard(&server, &id, b"never mind").await;
        assert_eq!(notice(&server).await, id, "who goes is told of");
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
