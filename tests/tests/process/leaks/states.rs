//! States in which the leak tests drop sockets.

use super::peers::{RawPeers, closed_endpoint, greeted_peer, raw_peer};
use futures_util::future::LocalBoxFuture;
use sansmq::kind::{Dealer, Router};
use sansmq::{Context, Event, Handle, Monitor, Options};
use sansmq_tests::runtimes::RuntimeHandle;
use std::future::poll_fn;
use std::net::TcpStream;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

pub(crate) const ANY: &str = "tcp://127.0.0.1:*";

/// Streams and monitors that a test keeps until the tasks of its dropped sockets have ended. A stream that was dropped
/// earlier would itself end the connection.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) streams: Vec<TcpStream>,
    pub(crate) _monitors: Vec<Monitor>,
}

pub(crate) type State = for<'a> fn(&'a RawPeers, &'a RuntimeHandle) -> LocalBoxFuture<'a, Kept>;

/// Name of each state, and a function that brings sockets into this state and then drops them.
pub(crate) const STATES: [(&str, State); 30] = [
    ("unused", |_, handle| {
        keep_nothing(async {
            drop(dealer(handle));
        })
    }),
    ("binding", |_, handle| {
        keep_nothing(async {
            poll_once(router(handle).bind(ANY)).await;
        })
    }),
    ("binding to a host name", |_, handle| {
        keep_nothing(async {
            poll_once(router(handle).bind("tcp://localhost:*")).await;
        })
    }),
    ("listening", |_, handle| {
        keep_nothing(async {
            router(handle).bind(ANY).await.unwrap();
        })
    }),
    ("unbinding", |_, handle| {
        keep_nothing(async {
            let router = router(handle);
            let endpoint = router.bind(ANY).await.unwrap();
            poll_once(router.unbind(endpoint)).await;
        })
    }),
    ("connect called, not dialled yet", |peers, handle| {
        keep_nothing(async {
            dealer(handle).connect(peers.silent()).unwrap();
        })
    }),
    ("dialling a peer that does not accept", |peers, handle| {
        keep_nothing(async {
            let dealer = dealer(handle);
            dealer.connect(peers.busy()).unwrap();
            run_tasks(&dealer).await;
        })
    }),
    ("dialling a peer that does not accept, with a message", |peers, handle| {
        keep_nothing(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(peers.busy()).unwrap();
            dealer.send("unsent").await.unwrap();
            run_tasks(&dealer).await;
        })
    }),
    ("waiting for a reconnect", |_, handle| {
        keep_nothing(async {
            let dealer = dealer(handle);
            let mut monitor = dealer.monitor();
            dealer.connect(closed_endpoint()).unwrap();
            monitor.find(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await.unwrap();
        })
    }),
    ("waiting for a reconnect, with a message", |_, handle| {
        keep_nothing(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(closed_endpoint()).unwrap();
            dealer.send("unsent").await.unwrap();
        })
    }),
    ("looking up a host name", |_, handle| {
        keep_nothing(async {
            let dealer = dealer(handle);
            dealer.connect("tcp://sansmq.invalid:1").unwrap();
            run_tasks(&dealer).await;
        })
    }),
    ("handshake of a connected silent peer", |peers, handle| {
        keep_nothing(async {
            let dealer = dealer(handle);
            let mut monitor = dealer.monitor();
            dealer.connect(peers.silent()).unwrap();
            monitor.find(|event| matches!(event, Event::Connected { .. }).then_some(())).await.unwrap();
        })
    }),
    ("handshake of a connected silent peer, with a message", |peers, handle| {
        keep_nothing(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            let mut monitor = dealer.monitor();
            dealer.connect(peers.silent()).unwrap();
            dealer.send("unsent").await.unwrap();
            monitor.find(|event| matches!(event, Event::Connected { .. }).then_some(())).await.unwrap();
        })
    }),
    ("handshake of an accepted silent peer", |_, handle| {
        Box::pin(async {
            let router = router(handle);
            let stream = raw_peer(&router, b"").await;
            Kept { streams: vec![stream], ..Kept::default() }
        })
    }),
    ("connected and idle", |_, handle| {
        keep_nothing(async {
            let (router, dealer) = pair(handle, ANY).await;
            drop((router, dealer));
        })
    }),
    ("connected to a peer that does not close", |_, handle| {
        Box::pin(async {
            let router = router(handle);
            let (stream, _) = greeted_peer(&router).await;
            Kept { streams: vec![stream], ..Kept::default() }
        })
    }),
    ("full queue to a peer that does not read, zero linger", |_, handle| {
        Box::pin(async { full_queue(handle, Duration::ZERO).await })
    }),
    ("full queue to a peer that does not read, short linger", |_, handle| {
        Box::pin(async { full_queue(handle, SHORT).await })
    }),
    ("unreceived messages", |_, handle| {
        keep_nothing(async {
            let (router, dealer) = pair(handle, ANY).await;
            for _ in 0..100 {
                dealer.send(vec![0; 10_000]).await.unwrap();
            }
            router.readable().await;
        })
    }),
    ("receiving", |_, handle| {
        keep_nothing(async {
            let (router, _dealer) = pair(handle, ANY).await;
            poll_once(router.recv()).await;
        })
    }),
    ("sending", |_, handle| {
        keep_nothing(async {
            let dealer = dealer(handle);
            poll_once(dealer.send("unsent")).await;
        })
    }),
    ("closing", |_, handle| {
        keep_nothing(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(closed_endpoint()).unwrap();
            dealer.send("unsent").await.unwrap();
            poll_once(dealer.close()).await;
        })
    }),
    ("monitors outlive their sockets", |_, handle| {
        Box::pin(async {
            let (router, dealer) = pair(handle, ANY).await;
            Kept { _monitors: vec![router.monitor(), dealer.monitor()], ..Kept::default() }
        })
    }),
    ("ipc, listening", |_, handle| {
        keep_nothing(async {
            router(handle).bind("ipc://*").await.unwrap();
        })
    }),
    ("ipc, connected and idle", |_, handle| {
        keep_nothing(async {
            drop(pair(handle, "ipc://*").await);
        })
    }),
    ("ipc, connected, one socket dropped before the other", |_, handle| {
        keep_nothing(async {
            let (router, dealer) = pair(handle, "ipc://*").await;
            drop(dealer);
            poll_once(router.recv()).await;
        })
    }),
    ("inproc, bound", |_, handle| {
        keep_nothing(async {
            router(handle).bind("inproc://name").await.unwrap();
        })
    }),
    ("inproc, waiting for a bind", |_, handle| {
        keep_nothing(async {
            dealer(handle).connect("inproc://name").unwrap();
        })
    }),
    ("inproc, connected", |_, handle| {
        keep_nothing(async {
            let (router, dealer) = pair(handle, "inproc://name").await;
            drop(dealer);
            poll_once(router.recv()).await;
        })
    }),
    ("inproc, with a full queue", |_, handle| {
        keep_nothing(async {
            let context = Context::new();
            let router = handle.socket_in(&context, Options::<Router>::new());
            let dealer = handle.socket_in(&context, Options::<Dealer>::new().linger(SHORT));
            dealer.connect("inproc://name").unwrap();
            router.bind("inproc://name").await.unwrap();
            while dealer.try_send("message").is_ok() {}
        })
    }),
];

const SHORT: Duration = Duration::from_millis(50);

pub(crate) fn router(handle: &RuntimeHandle) -> Handle<Router> {
    handle.socket(Options::new())
}

fn dealer(handle: &RuntimeHandle) -> Handle<Dealer> {
    handle.socket(Options::new())
}

/// Polls a future once and drops it, so that its operation has begun but is not finished.
async fn poll_once<R>(future: impl Future<Output = R>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

/// Runs the tasks of a socket until the work of earlier calls, such as `connect`, has begun. Binds the socket and waits
/// for this later call to finish.
async fn run_tasks(dealer: &Handle<Dealer>) {
    dealer.bind(ANY).await.unwrap();
}

/// Runs `state` and returns an empty [`Kept`].
fn keep_nothing<'a>(state: impl Future<Output = ()> + 'a) -> LocalBoxFuture<'a, Kept> {
    Box::pin(async {
        state.await;
        Kept::default()
    })
}

/// Creates a ROUTER that is bound to `endpoint`, and a DEALER that is connected to it. Sends a message from the DEALER
/// to the ROUTER.
pub(crate) async fn pair(handle: &RuntimeHandle, endpoint: &str) -> (Handle<Router>, Handle<Dealer>) {
    // A message that the ROUTER had not received would keep the DEALER reconnecting for its linger.
    let (router, dealer) = (router(handle), handle.socket(Options::<Dealer>::new().linger(SHORT)));
    dealer.connect(router.bind(endpoint).await.unwrap()).unwrap();
    dealer.send("hello").await.unwrap();
    router.recv().await.unwrap();
    (router, dealer)
}

/// Creates a ROUTER with a full queue and the linger time `linger`: sends more bytes than the buffers of the system
/// hold to a peer that does not read. Returns the stream of this peer.
async fn full_queue(handle: &RuntimeHandle, linger: Duration) -> Kept {
    let router = handle.socket(Options::<Router>::new().linger(linger));
    let (stream, id) = greeted_peer(&router).await;
    for _ in 0..20 {
        router.send((id.clone(), vec![0; 1_000_000])).await.unwrap();
    }
    Kept { streams: vec![stream], ..Kept::default() }
}
