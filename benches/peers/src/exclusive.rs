//! sansmq's exclusive sockets, which their caller drives: on tokio, and blocking.

use crate::aio::{Aio, AioSock};
use crate::blk::{Blk, BlkSock};
use crate::common::*;
use crate::impl_sansmq::{options, seen, template};
use sansmq::Message;
use sansmq::kind::Any;
use sansmq::mio::ExclusiveSocket as BlockingSocket;
use sansmq::tokio::ExclusiveSocket;
use std::future::Future;
use std::time::Duration;

/// The scenarios with one socket per process. A PUSH queues its messages with `feed`, and flushes them once per burst or batch.
fn require_one_socket(a: &Args) {
    if !matches!(a.scenario, Scenario::Thr | Scenario::ThrBatch | Scenario::Lat) {
        unsupported(a);
    }
}

#[derive(Clone)]
pub struct OnTokio;

pub struct Sock {
    socket: ExclusiveSocket<Any>,
    kind: Kind,
    /// Messages of one batch.
    batch: Vec<Message>,
}

impl Aio for OnTokio {
    type Sock = Sock;

    async fn socket(&self, kind: Kind, a: &Args) -> Sock {
        require_one_socket(a);
        Sock {
            socket: ExclusiveSocket::with_options(options(kind, a)),
            kind,
            batch: Vec::new(),
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        tokio::spawn(task);
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl AioSock for Sock {
    type Template = Message;

    fn template(body: &[u8]) -> Message {
        template(1, body)
    }

    fn frames(count: usize, body: &[u8]) -> Message {
        template(count, body)
    }

    async fn bind(&mut self, endpoint: &str) {
        self.socket.bind(endpoint).await.expect("bind");
    }

    async fn connect(&mut self, endpoint: &str) {
        self.socket.connect(endpoint).expect("connect");
    }

    async fn subscribe_all(&mut self) {
        self.socket.subscribe("").expect("subscribe");
    }

    #[inline]
    async fn send(&mut self, message: &Message) {
        if self.kind == Kind::Push {
            self.socket.feed(message.clone()).await.expect("feed");
        } else {
            self.socket.send(message.clone()).await.expect("send");
        }
    }

    async fn flush(&mut self) {
        self.socket.flush().await;
    }

    async fn send_many(&mut self, ring: &mut Ring<Message>, count: u64) {
        self.batch.extend((0..count).map(|_| ring.next().clone()));
        while !self.batch.is_empty() {
            self.socket.feed_many(&mut self.batch).await.expect("feed_many");
        }
    }

    #[inline]
    async fn recv(&mut self) -> Seen {
        seen(&self.socket.recv().await.expect("recv"))
    }

    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.socket.try_recv().ok().map(|message| seen(&message))
    }

    async fn recv_many(&mut self, check: &mut Check, limit: u64) {
        self.socket.recv_many(&mut self.batch, limit as usize).await.expect("recv_many");
        self.batch.drain(..).for_each(|message| check.take(seen(&message)));
    }

    async fn echo(&mut self) {
        let message = self.socket.recv().await.expect("recv");
        self.socket.send(message).await.expect("send");
    }
}

#[derive(Clone)]
pub struct OnThread;

pub struct BlkSocket {
    socket: BlockingSocket<Any>,
    kind: Kind,
    /// Messages of one batch.
    batch: Vec<Message>,
}

impl Blk for OnThread {
    type Sock = BlkSocket;

    fn socket(&self, kind: Kind, a: &Args) -> BlkSocket {
        require_one_socket(a);
        BlkSocket {
            socket: BlockingSocket::with_options(options(kind, a)).expect("socket"),
            kind,
            batch: Vec::new(),
        }
    }
}

impl BlkSock for BlkSocket {
    type Template = Message;

    fn template(body: &[u8]) -> Message {
        template(1, body)
    }

    fn frames(count: usize, body: &[u8]) -> Message {
        template(count, body)
    }

    fn bind(&mut self, endpoint: &str) {
        self.socket.bind(endpoint).expect("bind");
    }

    fn connect(&mut self, endpoint: &str) {
        self.socket.connect(endpoint).expect("connect");
    }

    fn subscribe_all(&mut self) {
        self.socket.subscribe("").expect("subscribe");
    }

    #[inline]
    fn send(&mut self, message: &Message) {
        if self.kind == Kind::Push {
            self.socket.feed(message.clone()).expect("feed");
        } else {
            self.socket.send(message.clone()).expect("send");
        }
    }

    fn flush(&mut self) {
        self.socket.flush(None);
    }

    fn send_many(&mut self, ring: &mut Ring<Message>, count: u64) {
        self.batch.extend((0..count).map(|_| ring.next().clone()));
        while !self.batch.is_empty() {
            self.socket.feed_many(&mut self.batch).expect("feed_many");
        }
    }

    #[inline]
    fn recv(&mut self) -> Seen {
        seen(&self.socket.recv().expect("recv"))
    }

    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.socket.try_recv().ok().map(|message| seen(&message))
    }

    fn recv_many(&mut self, check: &mut Check, limit: u64) {
        self.socket.recv_many(&mut self.batch, limit as usize).expect("recv_many");
        self.batch.drain(..).for_each(|message| check.take(seen(&message)));
    }

    fn echo(&mut self) {
        let message = self.socket.recv().expect("recv");
        self.socket.send(message).expect("send");
    }
}
