//! sansmq: the same `Handle` on each of its runtimes, and its blocking sockets.

use crate::aio::{self, Aio, AioSock};
use crate::blk::{Blk, BlkSock};
use crate::common::*;
use crate::on_mio::beside;
use futures::FutureExt;
use futures::channel::mpsc;
use futures::future::BoxFuture;
use sansmq::curve::{KeyPair, PublicKey, SecretKey};
use sansmq::kind::{Any, Pull, Push};
use sansmq::{Handle, Message, Options, Proxy, Security, SlowSubscriber, SocketType, mio, smol, tokio as on_tokio};
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

fn kind_of(kind: Kind) -> SocketType {
    match kind {
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

pub fn options(kind: Kind, a: &Args) -> Options<Any> {
    match (a.scenario, kind) {
        (Scenario::Curve, Kind::Push) => Options::<Push>::new().security(security(a.role)).erase(),
        // As the default of libzmq: the other implementations have no list of client keys either.
        (Scenario::Curve, Kind::Pull) => Options::<Pull>::new().security(security(a.role)).any_key().erase(),
        (Scenario::Curve, _) => unsupported(a),
        // Waits instead of dropping messages, as with the other implementations.
        (_, Kind::Pub | Kind::XPub) => Options::of(kind_of(kind)).slow_subscriber(SlowSubscriber::Block),
        _ => Options::of(kind_of(kind)),
    }
}

fn security(role: Role) -> Security {
    let pair = |secret| KeyPair::from(SecretKey::from_bytes(secret));
    match role {
        Role::Bind => Security::curve_server(pair(SERVER_SECRET)),
        _ => {
            let server = PublicKey::from_bytes(SERVER_PUBLIC);
            Security::curve_client(pair(CLIENT_SECRET), server).expect("the key is valid")
        }
    }
}

#[inline]
pub fn seen(message: &Message) -> Seen {
    Seen::last_of(message.len(), message.body())
}

pub fn template(frames: usize, body: &[u8]) -> Message {
    if frames == 1 {
        Message::from(body)
    } else {
        Message::from_frames((0..frames).map(|_| body)).expect("--frames is at least 1")
    }
}

/// Place of sockets and tasks.
#[derive(Clone)]
pub enum Sansmq {
    /// The current tokio runtime.
    Tokio,
    /// The executor of `sansmq-smol`, which has its own thread.
    Smolg,
    /// An executor on the one thread that runs it.
    Smol(smol::Smol, Arc<::smol::Executor<'static>>),
    /// An event loop, and the tasks that run beside it.
    Mio(mio::Remote, mpsc::UnboundedSender<BoxFuture<'static, ()>>),
}

impl Sansmq {
    pub fn on_smol(executor: &Arc<::smol::Executor<'static>>) -> Self {
        let spawner = Arc::clone(executor);
        Self::Smol(smol::Smol::new(move |task| spawner.spawn(task).detach()), Arc::clone(executor))
    }
}

pub struct Sock {
    handle: Handle<Any>,
    /// Messages of one batch.
    batch: Vec<Message>,
}

impl Aio for Sansmq {
    type Sock = Sock;

    async fn socket(&self, kind: Kind, a: &Args) -> Sock {
        let options = options(kind, a);
        let handle = match self {
            Self::Tokio => on_tokio::Socket::with_options(options).into_handle(),
            Self::Smolg => smol::Socket::with_options(options).into_handle(),
            Self::Smol(runtime, _) => smol::Socket::on(runtime, options).into_handle(),
            Self::Mio(remote, _) => remote.socket(options),
        };
        Sock {
            handle,
            batch: Vec::new(),
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        match self {
            Self::Tokio => drop(tokio::spawn(task)),
            Self::Smolg => ::smol::spawn(task).detach(),
            Self::Smol(_, executor) => executor.spawn(task).detach(),
            Self::Mio(_, tasks) => tasks.unbounded_send(task.boxed()).expect("the event loop runs"),
        }
    }

    async fn sleep(&self, duration: Duration) {
        match self {
            Self::Tokio => tokio::time::sleep(duration).await,
            Self::Smolg | Self::Smol(..) => drop(::smol::Timer::after(duration).await),
            Self::Mio(..) => crate::on_mio::sleep(duration).await,
        }
    }

    async fn proxy(&self, front: Sock, back: Sock) {
        Proxy::new(&front.handle, &back.handle).run().await.expect("proxy");
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
        self.handle.bind(endpoint).await.expect("bind");
    }

    async fn connect(&mut self, endpoint: &str) {
        self.handle.connect(endpoint).expect("connect");
    }

    async fn subscribe_all(&mut self) {
        self.handle.subscribe("").expect("subscribe");
    }

    #[inline]
    async fn send(&mut self, message: &Message) {
        self.handle.send(message.clone()).await.expect("send");
    }

    async fn send_many(&mut self, ring: &mut Ring<Message>, count: u64) {
        self.batch.extend((0..count).map(|_| ring.next().clone()));
        while !self.batch.is_empty() {
            self.handle.send_many(&mut self.batch).await.expect("send_many");
        }
    }

    #[inline]
    async fn recv(&mut self) -> Seen {
        seen(&self.handle.recv().await.expect("recv"))
    }

    #[inline]
    fn try_recv(&mut self) -> Option<Seen> {
        self.handle.try_recv().ok().map(|message| seen(&message))
    }

    async fn recv_many(&mut self, check: &mut Check, limit: u64) {
        self.handle.recv_many(&mut self.batch, limit as usize).await.expect("recv_many");
        self.batch.drain(..).for_each(|message| check.take(seen(&message)));
    }

    async fn echo(&mut self) {
        let message = self.handle.recv().await.expect("recv");
        self.handle.send(message).await.expect("send");
    }
}

/// Runs the scenario of `a` on mio's event loop, on one thread.
pub fn run_mio(a: Args) -> ! {
    let mut events = mio::EventLoop::new().expect("event loop");
    let (tx, rx) = mpsc::unbounded();
    let i = Sansmq::Mio(events.remote(), tx);
    events.block_on(async {
        beside(rx, aio::run(i, a)).await;
        pending::<()>().await;
    });
    park()
}

/// Blocking sockets over mio's background thread.
#[derive(Clone)]
pub struct Blocking;

pub struct BlkSocket {
    socket: mio::Socket<Any>,
    /// Messages of one batch.
    batch: Vec<Message>,
}

impl Blk for Blocking {
    type Sock = BlkSocket;

    fn socket(&self, kind: Kind, a: &Args) -> BlkSocket {
        BlkSocket {
            socket: mio::Socket::with_options(options(kind, a)),
            batch: Vec::new(),
        }
    }

    fn poll(&self, sockets: &[BlkSocket], ready: &mut Vec<usize>) {
        let mut items: Vec<_> = sockets.iter().map(|socket| mio::PollItem::readable(socket.socket.handle())).collect();
        mio::poll(&mut items, None).expect("poll");
        ready.extend((0..items.len()).filter(|&k| items[k].is_ready()));
    }

    fn proxy(&self, front: BlkSocket, back: BlkSocket) {
        mio::run_proxy(&mut Proxy::new(front.socket.handle(), back.socket.handle())).expect("proxy");
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
        self.socket.handle().subscribe("").expect("subscribe");
    }

    #[inline]
    fn send(&mut self, message: &Message) {
        self.socket.send(message.clone()).expect("send");
    }

    fn send_many(&mut self, ring: &mut Ring<Message>, count: u64) {
        self.batch.extend((0..count).map(|_| ring.next().clone()));
        while !self.batch.is_empty() {
            self.socket.send_many(&mut self.batch).expect("send_many");
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
