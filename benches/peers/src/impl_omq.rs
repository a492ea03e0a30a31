//! omq-tokio: sockets on the current runtime, on an IO thread of their own, blocking sockets, and exclusive sockets (`lat` only).

use crate::aio::{Aio, AioSock};
use crate::blk::{Blk, BlkSock};
use crate::common::*;
use bytes::Bytes;
use omq_tokio::exclusive;
use omq_tokio::message::MAX_INLINE_MESSAGE;
use omq_tokio::{Context, CurveKeypair, CurveSecretKey, Message, Options, Socket, SocketType, TrySendError, blocking};
use std::future::Future;
use std::time::Duration;

fn kind_of(k: Kind) -> SocketType {
    match k {
        Kind::Push => SocketType::Push,
        Kind::Pull => SocketType::Pull,
        Kind::Req => SocketType::Req,
        Kind::Rep => SocketType::Rep,
        Kind::Dealer => SocketType::Dealer,
        Kind::Router => SocketType::Router,
        Kind::Pub => SocketType::Pub,
        Kind::Sub => SocketType::Sub,
        Kind::XPub => SocketType::XPub,
        Kind::XSub => SocketType::XSub,
    }
}

fn pair(secret: [u8; 32]) -> CurveKeypair {
    let secret = CurveSecretKey::from_bytes(secret);
    CurveKeypair { public: secret.derive_public(), secret }
}

fn options(k: Kind, a: &Args) -> Options {
    let mut o = Options::default();
    if matches!(k, Kind::Pub | Kind::XPub) {
        o.xpub_nodrop = true;
    }
    if a.scenario == Scenario::Curve {
        let server = pair(SERVER_SECRET);
        o = match a.role {
            Role::Bind => o.curve_server(server),
            _ => o.curve_client(pair(CLIENT_SECRET), server.public),
        };
    }
    o
}

/// Small bodies are copied into each message, larger bodies are shared.
pub struct Template {
    body: Bytes,
    msg: Message,
}

impl Template {
    fn new(body: &[u8]) -> Self {
        let body = Bytes::copy_from_slice(body);
        Self { msg: Message::single(body.clone()), body }
    }
    #[inline]
    fn message(&self) -> Message {
        if self.body.len() <= MAX_INLINE_MESSAGE { Message::from_slice(&self.body) } else { self.msg.clone() }
    }
}

#[inline]
fn seen(message: &Message) -> Seen {
    Seen::one(message.part_slice(message.len() - 1).unwrap_or_default())
}

#[derive(Clone)]
pub struct Omq {
    ctx: Context,
}

impl Omq {
    /// Sockets on the current runtime.
    pub fn current() -> Self {
        Self { ctx: Context::current() }
    }
    /// Sockets on an IO thread of their own.
    pub fn owned() -> Self {
        Self { ctx: Context::new() }
    }
}

pub struct Sock(Socket);

impl Aio for Omq {
    type Sock = Sock;
    async fn socket(&self, kind: Kind, a: &Args) -> Sock {
        Sock(self.ctx.socket(kind_of(kind), options(kind, a)))
    }
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, f: F) {
        tokio::spawn(f);
    }
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

impl AioSock for Sock {
    type Template = Template;
    fn template(body: &[u8]) -> Template {
        Template::new(body)
    }
    async fn bind(&mut self, ep: &str) {
        self.0.bind(ep).await.expect("bind");
    }
    async fn connect(&mut self, ep: &str) {
        self.0.connect(ep).await.expect("connect");
    }
    async fn subscribe_all(&mut self) {
        self.0.subscribe(Bytes::new()).await.expect("subscribe");
    }
    #[inline]
    async fn send(&mut self, t: &Template) {
        match self.0.try_send(t.message()) {
            Ok(()) => {}
            Err(TrySendError::Full(m)) => self.0.send(m).await.expect("send"),
            Err(e) => panic!("try_send: {e}"),
        }
    }
    #[inline]
    async fn recv(&mut self) -> Seen {
        seen(&self.0.recv().await.expect("recv"))
    }
    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.0.try_recv().ok().map(|m| seen(&m))
    }
    async fn echo(&mut self) {
        let m = self.0.recv().await.expect("recv");
        match self.0.try_send(m) {
            Ok(()) => {}
            Err(TrySendError::Full(m)) => self.0.send(m).await.expect("send"),
            Err(e) => panic!("try_send: {e}"),
        }
    }
    async fn breathe(&mut self) {
        tokio::task::coop::consume_budget().await;
    }
}

pub struct BlkSocket(blocking::Socket);

impl Blk for Omq {
    type Sock = BlkSocket;
    fn socket(&self, kind: Kind, a: &Args) -> BlkSocket {
        BlkSocket(self.ctx.blocking_socket(kind_of(kind), options(kind, a)))
    }
}

impl BlkSock for BlkSocket {
    type Template = Template;
    fn template(body: &[u8]) -> Template {
        Template::new(body)
    }
    fn bind(&mut self, ep: &str) {
        self.0.bind(ep).expect("bind");
    }
    fn connect(&mut self, ep: &str) {
        self.0.connect(ep).expect("connect");
    }
    fn subscribe_all(&mut self) {
        self.0.subscribe(Bytes::new()).expect("subscribe");
    }
    #[inline]
    fn send(&mut self, t: &Template) {
        match self.0.try_send(t.message()) {
            Ok(()) => {}
            Err(TrySendError::Full(m)) => self.0.send(m).expect("send"),
            Err(e) => panic!("try_send: {e}"),
        }
    }
    #[inline]
    fn recv(&mut self) -> Seen {
        seen(&self.0.recv().expect("recv"))
    }
    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.0.try_recv().ok().map(|m| seen(&m))
    }
    fn echo(&mut self) {
        let m = self.0.recv().expect("recv");
        self.0.send(m).expect("send");
    }
}

/// Socket with one peer over TCP that its caller drives; it has the scenario `lat` only.
#[derive(Clone)]
pub struct Exclusive;

pub struct ExSock {
    kind: SocketType,
    s: Option<exclusive::Socket>,
}

impl ExSock {
    fn get(&mut self) -> &mut exclusive::Socket {
        self.s.as_mut().expect("bound or connected")
    }
}

impl Aio for Exclusive {
    type Sock = ExSock;
    async fn socket(&self, kind: Kind, a: &Args) -> ExSock {
        if a.scenario != Scenario::Lat {
            unsupported(a);
        }
        ExSock { kind: kind_of(kind), s: None }
    }
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, f: F) {
        tokio::spawn(f);
    }
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

impl AioSock for ExSock {
    type Template = Message;
    fn template(body: &[u8]) -> Message {
        Message::single(Bytes::copy_from_slice(body))
    }
    async fn bind(&mut self, ep: &str) {
        let (s, _) = exclusive::Socket::bind(self.kind, ep, exclusive::Options::default()).await.expect("bind");
        self.s = Some(s);
    }
    async fn connect(&mut self, ep: &str) {
        let s = exclusive::Socket::connect(self.kind, ep, exclusive::Options::default()).await.expect("connect");
        self.s = Some(s);
    }
    async fn subscribe_all(&mut self) {
        panic!("the scenario lat has no subscriber");
    }
    async fn send(&mut self, t: &Message) {
        self.get().send(t).await.expect("send");
    }
    async fn recv(&mut self) -> Seen {
        seen(&self.get().recv().await.expect("recv"))
    }
    async fn echo(&mut self) {
        let m = self.get().recv().await.expect("recv");
        self.get().send(&m).await.expect("send");
    }
}
