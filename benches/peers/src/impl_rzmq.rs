//! rzmq on tokio, optionally with `TCP_CORK`, or with its backend on io_uring.

use crate::aio::{Aio, AioSock};
use crate::common::*;
use bytes::Bytes;
use rzmq::socket::options as opt;
use rzmq::{Context, Msg, Socket, SocketType};
use std::future::Future;
use std::time::Duration;

#[derive(Clone)]
pub struct Rzmq {
    context: Context,
    cork: bool,
}

impl Rzmq {
    pub fn new() -> Self {
        let context = Context::new().expect("context");
        Self { context: context.with_io_uring_sessions(false), cork: false }
    }

    /// Sets `TCP_CORK` on all sockets.
    pub fn corked(self) -> Self {
        Self { cork: true, ..self }
    }

    /// Runs all connections on io_uring.
    pub fn on_uring(self) -> Self {
        rzmq::uring::initialize_uring_backend(rzmq::uring::UringConfig::default()).expect("io_uring");
        Self { context: self.context.with_io_uring_sessions(true), ..self }
    }
}

pub struct Sock {
    s: Socket,
    multi: bool,
}

impl Aio for Rzmq {
    type Sock = Sock;
    async fn socket(&self, kind: Kind, a: &Args) -> Sock {
        let t = match kind {
            Kind::Push => SocketType::Push,
            Kind::Pull => SocketType::Pull,
            Kind::Req => SocketType::Req,
            Kind::Rep => SocketType::Rep,
            Kind::Dealer => SocketType::Dealer,
            Kind::Router => SocketType::Router,
            Kind::Pub => SocketType::Pub,
            Kind::Sub => SocketType::Sub,
            Kind::XPub | Kind::XSub => panic!("rzmq has no such socket"),
        };
        let s = self.context.socket(t).expect("socket");
        if matches!(kind, Kind::Dealer | Kind::Router) {
            // The default sends an empty frame that the other implementations do not send.
            s.set_option(opt::AUTO_DELIMITER, false).await.expect("AUTO_DELIMITER");
        }
        if kind == Kind::Pub {
            s.set_option(opt::XPUB_NODROP, 1i32).await.expect("XPUB_NODROP");
        }
        if self.cork {
            s.set_option(opt::TCP_CORK, 1i32).await.expect("TCP_CORK");
        }
        if a.scenario == Scenario::Curve {
            if a.role == Role::Bind {
                s.set_option(opt::CURVE_SERVER, 1i32).await.expect("CURVE_SERVER");
                s.set_option_raw(opt::CURVE_SECRET_KEY, &SERVER_SECRET).await.expect("key");
            } else {
                s.set_option_raw(opt::CURVE_SECRET_KEY, &CLIENT_SECRET).await.expect("key");
                s.set_option_raw(opt::CURVE_SERVER_KEY, &SERVER_PUBLIC).await.expect("key");
            }
        }
        Sock { s, multi: kind == Kind::Router }
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
        self.s.bind(ep).await.expect("bind");
    }
    async fn connect(&mut self, ep: &str) {
        self.s.connect(ep).await.expect("connect");
    }
    async fn subscribe_all(&mut self) {
        self.s.set_option(opt::SUBSCRIBE, "").await.expect("subscribe");
    }
    #[inline]
    async fn send(&mut self, t: &Bytes) {
        self.s.send(Msg::from_bytes(t.clone())).await.expect("send");
    }
    #[inline]
    async fn recv(&mut self) -> Seen {
        loop {
            let m = self.s.recv().await.expect("recv");
            if !m.is_more() {
                return Seen::one(m.data().unwrap_or_default());
            }
        }
    }
    async fn echo(&mut self) {
        if self.multi {
            let m = self.s.recv_multipart().await.expect("recv");
            self.s.send_multipart(m).await.expect("send");
        } else {
            let m = self.s.recv().await.expect("recv");
            self.s.send(m).await.expect("send");
        }
    }
}
