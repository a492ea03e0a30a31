//! monocoque on tokio: sockets that have one connection and move bytes only while they are called, so `thr` and `lat` only.

use crate::common::*;
use bytes::Bytes;
use monocoque::rt::{LocalRuntime, TcpListener, TcpStream, UnixListener, UnixStream};
use monocoque::zmq::{PullSocket, PushSocket, RepSocket, ReqSocket, SocketOptions};
use std::time::Instant;

/// Way in which small messages are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Many together, when the buffer is full or flushed.
    Together,
    /// Each with its own call.
    Each,
}

/// Runs the scenario of `a`. In `thr_batch`, the sender flushes after each batch; otherwise after the last message.
pub fn run(a: Args, writes: Writes) -> ! {
    let push = matches!(a.scenario, Scenario::Thr | Scenario::ThrBatch);
    if !push && a.scenario != Scenario::Lat {
        unsupported(&a);
    }
    let options = SocketOptions::default().with_write_coalescing(push && writes == Writes::Together);
    LocalRuntime::new().expect("runtime").block_on(async move {
        match a.endpoint.strip_prefix("ipc://") {
            Some(path) => ipc::run(&a, path, options).await,
            None => tcp::run(&a, a.endpoint.strip_prefix("tcp://").expect("tcp or ipc"), options).await,
        }
    });
    park()
}

/// The sockets of both transports have the same methods, but no common trait.
macro_rules! over {
    ($name:ident, $listener:ident, $stream:ident, $with:ident) => {
        mod $name {
            use super::*;

            pub(super) async fn run(a: &Args, at: &str, options: SocketOptions) {
                if a.role == Role::Bind {
                    let listener = $listener::bind(at).await.expect("bind");
                    mark("ready");
                    let stream = listener.accept().await.expect("accept").0;
                    if a.scenario == Scenario::Lat {
                        let mut socket = RepSocket::$with(stream, options).await.expect("REP");
                        while let Some(message) = socket.recv().await.expect("recv") {
                            socket.send(message).await.expect("send");
                        }
                    } else {
                        pull(a, stream, options).await;
                    }
                } else {
                    let stream = $stream::connect(at).await.expect("connect");
                    if a.scenario == Scenario::Lat {
                        ping(a, stream, options).await;
                    } else {
                        push(a, stream, options).await;
                    }
                }
            }

            async fn push(a: &Args, stream: $stream, options: SocketOptions) {
                let mut socket = PushSocket::$with(stream, options).await.expect("PUSH");
                let mut ring = Ring::new(a, 0, Bytes::copy_from_slice);
                let burst = if a.scenario == Scenario::ThrBatch { BATCH } else { u64::MAX };
                let mut left = a.total();
                while left > 0 {
                    let count = left.min(burst);
                    for _ in 0..count {
                        socket.send_one(ring.next().clone()).await.expect("send");
                    }
                    socket.flush().await.expect("flush");
                    left -= count;
                }
                // Dropping the socket would close the connection before the peer has its result.
                park()
            }

            async fn pull(a: &Args, stream: $stream, options: SocketOptions) {
                let mut socket = PullSocket::$with(stream, options).await.expect("PULL");
                let batch = if a.scenario == Scenario::ThrBatch { BATCH } else { u64::MAX };
                let mut check = Check::new(a);
                let mut frames: Vec<Bytes> = Vec::new();
                let mut window = None;
                for end in [a.warmup, a.total()] {
                    while check.count() < end {
                        assert!(socket.recv_into(&mut frames).await.expect("recv"), "the connection has ended");
                        check.take(Seen::last_of(frames.len(), &frames[frames.len() - 1]));
                        let last = end.min(check.count().saturating_add(batch - 1));
                        while check.count() < last && socket.try_recv_into(&mut frames).expect("recv") {
                            check.take(Seen::last_of(frames.len(), &frames[frames.len() - 1]));
                        }
                    }
                    window.get_or_insert_with(Window::start);
                }
                let measured = window.expect("set in the loop").stop();
                report(a, measured, a.count, check.finish(a.total()), &mut []);
                park()
            }

            async fn ping(a: &Args, stream: $stream, options: SocketOptions) {
                let mut socket = ReqSocket::$with(stream, options).await.expect("REQ");
                let mut ring = Ring::new(a, 0, Bytes::copy_from_slice);
                let mut check = Check::new(a);
                let mut rtts = Vec::with_capacity(a.total() as usize);
                let mut window = None;
                for k in 0..a.total() {
                    if k == a.warmup {
                        rtts.clear();
                        window = Some(Window::start());
                    }
                    let begin = Instant::now();
                    socket.send_one(ring.next().clone()).await.expect("send");
                    let message = socket.recv().await.expect("recv").expect("a reply");
                    rtts.push(nanos_since(begin));
                    check.take(Seen::one(&message[message.len() - 1]));
                }
                let measured = window.expect("--count is at least 1").stop();
                report(a, measured, a.count, check.finish(a.total()), &mut rtts);
                park()
            }
        }
    };
}

over!(tcp, TcpListener, TcpStream, from_tcp_with_options);
over!(ipc, UnixListener, UnixStream, from_unix_stream_with_options);
