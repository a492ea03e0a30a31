//! zeromq (zmq.rs) on tokio.

use crate::aio::{Aio, AioSock};
use crate::common::*;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;
use zeromq::{
    DealerSocket, PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket as _, SocketRecv,
    SocketSend, SubSocket, ZmqMessage,
};

#[derive(Clone)]
pub struct Zmqrs;

pub enum Sock {
    Push(PushSocket),
    Pull(PullSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Pub(PubSocket),
    Sub(SubSocket),
}

macro_rules! each {
    ($s:expr, $x:ident => $e:expr) => {
        match $s {
            Sock::Push($x) => $e,
            Sock::Pull($x) => $e,
            Sock::Req($x) => $e,
            Sock::Rep($x) => $e,
            Sock::Dealer($x) => $e,
            Sock::Router($x) => $e,
            Sock::Pub($x) => $e,
            Sock::Sub($x) => $e,
        }
    };
}

impl Sock {
    async fn take(&mut self) -> ZmqMessage {
        match self {
            Self::Pull(s) => s.recv().await,
            Self::Req(s) => s.recv().await,
            Self::Rep(s) => s.recv().await,
            Self::Dealer(s) => s.recv().await,
            Self::Router(s) => s.recv().await,
            Self::Sub(s) => s.recv().await,
            _ => panic!("not a receiving socket"),
        }
        .expect("recv")
    }
    async fn put(&mut self, m: ZmqMessage) {
        match self {
            Self::Push(s) => s.send(m).await,
            Self::Req(s) => s.send(m).await,
            Self::Rep(s) => s.send(m).await,
            Self::Dealer(s) => s.send(m).await,
            Self::Router(s) => s.send(m).await,
            Self::Pub(s) => s.send(m).await,
            _ => panic!("not a sending socket"),
        }
        .expect("send");
    }
}

impl Aio for Zmqrs {
    type Sock = Sock;
    async fn socket(&self, kind: Kind, a: &Args) -> Sock {
        if a.scenario == Scenario::Curve {
            unsupported(a);
        }
        match kind {
            Kind::Push => Sock::Push(PushSocket::new()),
            Kind::Pull => Sock::Pull(PullSocket::new()),
            Kind::Req => Sock::Req(ReqSocket::new()),
            Kind::Rep => Sock::Rep(RepSocket::new()),
            Kind::Dealer => Sock::Dealer(DealerSocket::new()),
            Kind::Router => Sock::Router(RouterSocket::new()),
            Kind::Pub => Sock::Pub(PubSocket::new()),
            Kind::Sub => Sock::Sub(SubSocket::new()),
            Kind::XPub | Kind::XSub => unsupported(a),
        }
    }
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, f: F) {
        tokio::spawn(f);
    }
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

impl AioSock for Sock {
    type Template = Bytes;
    fn template(body: &[u8]) -> Bytes {
        Bytes::copy_from_slice(body)
    }
    async fn bind(&mut self, ep: &str) {
        each!(self, s => { s.bind(ep).await.expect("bind"); });
    }
    async fn connect(&mut self, ep: &str) {
        each!(self, s => s.connect(ep).await.expect("connect"));
    }
    async fn subscribe_all(&mut self) {
        if let Self::Sub(s) = self {
            s.subscribe("").await.expect("subscribe");
        }
    }
    #[inline]
    async fn send(&mut self, t: &Bytes) {
        self.put(ZmqMessage::from(t.clone())).await;
    }
    #[inline]
    async fn recv(&mut self) -> Seen {
        let m = self.take().await;
        Seen::one(m.get(m.len() - 1).map_or(&[], |body| body))
    }
    async fn echo(&mut self) {
        let m = self.take().await;
        self.put(m).await;
    }
}
