//! Floors of each runtime for the scenario `lat`: prepared frames over the runtime's own streams, without a message library.
//!
//! The floor of mio is in `raw/gate.rs`, since only the way to wait differs from the other plain sockets.

use crate::common::*;
use crate::raw::{Listener, Stream, envelope};
use smol::Async;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Stream of a runtime.
trait Duplex {
    async fn put(&mut self, bytes: &[u8]);
    async fn exact(&mut self, buffer: &mut [u8]);
}

struct OnTokio<S>(S);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Duplex for OnTokio<S> {
    async fn put(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("write");
    }

    async fn exact(&mut self, buffer: &mut [u8]) {
        self.0.read_exact(buffer).await.expect("read");
    }
}

struct OnSmol<S>(S);

impl<S: smol::io::AsyncRead + smol::io::AsyncWrite + Unpin> Duplex for OnSmol<S> {
    async fn put(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("write");
    }

    async fn exact(&mut self, buffer: &mut [u8]) {
        self.0.read_exact(buffer).await.expect("read");
    }
}

/// Runs one side on tokio's current-thread runtime.
pub fn run_tokio(a: &Args) -> ! {
    let stream = handshake(a);
    stream.set_nonblocking();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        match stream {
            Stream::Tcp(stream) => {
                side(OnTokio(tokio::net::TcpStream::from_std(stream).expect("a nonblocking stream")), a).await;
            }
            Stream::Unix(stream) => {
                side(OnTokio(tokio::net::UnixStream::from_std(stream).expect("a nonblocking stream")), a).await;
            }
        }
    });
    park()
}

/// Runs one side on async-io, on one thread.
pub fn run_smol(a: &Args) -> ! {
    let stream = handshake(a);
    smol::block_on(async {
        match stream {
            Stream::Tcp(stream) => side(OnSmol(Async::<TcpStream>::new(stream).expect("register")), a).await,
            Stream::Unix(stream) => side(OnSmol(Async::<UnixStream>::new(stream).expect("register")), a).await,
        }
    });
    park()
}

/// Connects or accepts, and exchanges greetings and READY, with blocking calls.
fn handshake(a: &Args) -> Stream {
    match (a.scenario, a.role) {
        (Scenario::Lat, Role::Bind) => {
            let listener = Listener::bind(&a.endpoint);
            mark("ready");
            let mut stream = listener.accept().expect("accept");
            stream.handshake("REP");
            stream
        }
        (Scenario::Lat, Role::Connect) => {
            let mut stream = Stream::connect(&a.endpoint);
            stream.handshake("REQ");
            stream
        }
        _ => unsupported(a),
    }
}

async fn side(mut stream: impl Duplex, a: &Args) {
    let mut ring = Ring::new(a, 0, envelope);
    let mut buffer = ring.clone().next().clone();
    if a.role == Role::Bind {
        loop {
            stream.exact(&mut buffer).await;
            stream.put(&buffer).await;
        }
    }
    let body = buffer.len() - a.size;
    let mut check = Check::new(a);
    let mut rtts = Vec::with_capacity(a.total() as usize);
    let mut window = None;
    for k in 0..a.total() {
        if k == a.warmup {
            rtts.clear();
            window = Some(Window::start());
        }
        let begin = Instant::now();
        stream.put(ring.next()).await;
        stream.exact(&mut buffer).await;
        rtts.push(nanos_since(begin));
        check.take(Seen::one(&buffer[body..]));
    }
    let measured = window.expect("--count is at least 1").stop();
    report(a, measured, a.count, check.finish(a.total()), &mut rtts);
    // The peer would fail if the stream were dropped.
    park()
}
