//! The scenarios for asynchronous implementations, written once over two traits.
//!
//! An implementation supplies [`Aio`] (its context and its runtime) and [`AioSock`].

mod pubsub;
mod push_pull;
mod requests;

use crate::common::*;
use std::future::{Future, ready};
use std::time::Duration;

pub trait AioSock: Send + Sized + 'static {
    /// Message that is prepared once and then sent many times, in the way that the documentation of the implementation calls the
    /// cheapest.
    type Template: Send + Sync + 'static;
    fn template(body: &[u8]) -> Self::Template;
    /// Prepares a message of `count` frames with this body each.
    fn frames(count: usize, body: &[u8]) -> Self::Template {
        assert_eq!(count, 1, "this implementation has messages of one frame only");
        Self::template(body)
    }
    fn bind(&mut self, endpoint: &str) -> impl Future<Output = ()> + Send;
    fn connect(&mut self, endpoint: &str) -> impl Future<Output = ()> + Send;
    fn subscribe_all(&mut self) -> impl Future<Output = ()> + Send;
    fn send(&mut self, message: &Self::Template) -> impl Future<Output = ()> + Send;
    /// Hands the sent messages to the operating system, where this needs a call.
    fn flush(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }
    /// Sends the next `count` messages. The default is a loop of one message per call.
    fn send_many(&mut self, ring: &mut Ring<Self::Template>, count: u64) -> impl Future<Output = ()> + Send {
        async move {
            for _ in 0..count {
                self.send(ring.next()).await;
            }
        }
    }
    fn recv(&mut self) -> impl Future<Output = Seen> + Send;
    /// Receives without waiting. `None`: no message is queued, or there is no such call.
    fn try_recv(&mut self) -> Option<Seen> {
        None
    }
    /// Waits for a message, and checks at most `limit` messages. The default is a loop of one message per call.
    fn recv_many(&mut self, check: &mut Check, limit: u64) -> impl Future<Output = ()> + Send {
        recv_each(self, check, limit)
    }
    /// Receives one message and sends it back to its sender.
    fn echo(&mut self) -> impl Future<Output = ()> + Send;
    /// Yields to other tasks where the calls of this implementation do not. Called once per batch.
    fn breathe(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// Waits for a message, and checks at most `limit` messages, one per call.
pub async fn recv_each<S: AioSock>(socket: &mut S, check: &mut Check, limit: u64) {
    check.take(socket.recv().await);
    for _ in 1..limit {
        let Some(seen) = socket.try_recv() else { break };
        check.take(seen);
    }
}

pub trait Aio: Clone + Send + Sync + 'static {
    type Sock: AioSock;
    fn socket(&self, kind: Kind, a: &Args) -> impl Future<Output = Self::Sock> + Send;
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F);
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    /// Passes messages between the two sockets until the process ends.
    fn proxy(&self, front: Self::Sock, back: Self::Sock) -> impl Future<Output = ()> + Send {
        drop((front, back));
        async { panic!("this implementation has no proxy") }
    }
}

/// Runs the scenario of `a`. May return after the result is printed; the process must then keep its tasks running.
pub async fn run<I: Aio>(i: I, a: Args) {
    match (a.scenario, a.role) {
        (Scenario::Thr | Scenario::ThrBatch | Scenario::Curve | Scenario::Fanin, Role::Bind) => {
            let mut socket = bound(&i, Kind::Pull, &a).await;
            push_pull::pull(&mut socket, &a).await;
            sleep_until_killed(&i).await;
        }
        (Scenario::Thr | Scenario::ThrBatch | Scenario::Curve, Role::Connect) => {
            let mut socket = connected(&i, Kind::Push, &a).await;
            push_pull::push(&mut socket, &a).await;
            sleep_until_killed(&i).await;
        }
        (Scenario::Lat, Role::Connect) => {
            let mut socket = connected(&i, Kind::Req, &a).await;
            requests::ping(&mut socket, &a).await;
            sleep_until_killed(&i).await;
        }
        (Scenario::Lat, Role::Bind) => echo(&mut bound(&i, Kind::Rep, &a).await).await,
        (Scenario::Router | Scenario::Conns | Scenario::Olat, Role::Bind) => {
            echo(&mut bound(&i, Kind::Router, &a).await).await;
        }
        (Scenario::Fanin, Role::Connect) => push_pull::fan_in(i, a).await,
        (Scenario::Multi, Role::Bind) => push_pull::multi_pull(i, a).await,
        (Scenario::Multi, Role::Connect) => push_pull::multi_push(i, a).await,
        (Scenario::Router, Role::Connect) => requests::router_clients(i, a).await,
        (Scenario::Conns, Role::Connect) => requests::conns_clients(i, a).await,
        (Scenario::Pubsub, Role::Bind) => pubsub::publish(i, a).await,
        (Scenario::Pubsub, Role::Connect) => pubsub::subscribers(i, a).await,
        (Scenario::Proxy, Role::Bind) => proxy(i, a).await,
        (Scenario::InprocThr, Role::Both) => push_pull::inproc(i, a).await,
        (Scenario::InprocLat, Role::Both) => requests::inproc(i, a).await,
        _ => unsupported(&a),
    }
}

async fn bound<I: Aio>(i: &I, kind: Kind, a: &Args) -> I::Sock {
    let mut socket = i.socket(kind, a).await;
    socket.bind(&a.endpoint).await;
    mark("ready");
    socket
}

async fn connected<I: Aio>(i: &I, kind: Kind, a: &Args) -> I::Sock {
    let mut socket = i.socket(kind, a).await;
    socket.connect(&a.endpoint).await;
    socket
}

async fn echo<S: AioSock>(socket: &mut S) {
    loop {
        socket.echo().await;
    }
}

async fn proxy<I: Aio>(i: I, a: Args) {
    let (front, back) = a.proxied();
    let (mut front, mut back) = (i.socket(front, &a).await, i.socket(back, &a).await);
    front.bind(&a.endpoint).await;
    back.connect(&a.back).await;
    mark("ready");
    i.proxy(front, back).await;
}

/// Keeps sockets and their tasks alive until the driver ends the process.
async fn sleep_until_killed<I: Aio>(i: &I) {
    loop {
        i.sleep(Duration::from_secs(60)).await;
    }
}
