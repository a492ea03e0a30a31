//! The middles of things that sockets are dropped in.

use super::strangers::{World, nobody, shaken, stranger};
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

/// What stays when the socket is gone, so that it is not the peer's end that ends it.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) streams: Vec<TcpStream>,
    pub(crate) _monitors: Vec<Monitor>,
}

pub(crate) type Middle = for<'a> fn(&'a World, &'a RuntimeHandle) -> LocalBoxFuture<'a, Kept>;

/// Every middle of something: each makes sockets, and ends by dropping them.
pub(crate) const MIDDLES: [(&str, Middle); 30] = [
    ("nothing has happened", |_, handle| {
        bare(async {
            drop(dealer(handle));
        })
    }),
    ("binding", |_, handle| {
        bare(async {
            once(router(handle).bind(ANY)).await;
        })
    }),
    ("binding to a name", |_, handle| {
        bare(async {
            once(router(handle).bind("tcp://localhost:*")).await;
        })
    }),
    ("listening", |_, handle| {
        bare(async {
            router(handle).bind(ANY).await.unwrap();
        })
    }),
    ("unbinding", |_, handle| {
        bare(async {
            let router = router(handle);
            let endpoint = router.bind(ANY).await.unwrap();
            once(router.unbind(endpoint)).await;
        })
    }),
    ("dialling has not begun", |world, handle| {
        bare(async {
            dealer(handle).connect(world.silent()).unwrap();
        })
    }),
    ("dialling somebody busy", |world, handle| {
        bare(async {
            let dealer = dealer(handle);
            dealer.connect(world.busy()).unwrap();
            a_while(&dealer).await;
        })
    }),
    ("dialling somebody busy, with a message", |world, handle| {
        bare(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(world.busy()).unwrap();
            dealer.send("for nobody").await.unwrap();
            a_while(&dealer).await;
        })
    }),
    ("waiting to dial nobody again", |_, handle| {
        bare(async {
            let dealer = dealer(handle);
            let mut monitor = dealer.monitor();
            dealer.connect(nobody()).unwrap();
            monitor.find(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await.unwrap();
        })
    }),
    ("waiting to dial nobody again, with a message", |_, handle| {
        bare(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(nobody()).unwrap();
            dealer.send("for nobody").await.unwrap();
        })
    }),
    ("a name is looked up", |_, handle| {
        bare(async {
            let dealer = dealer(handle);
            dealer.connect("tcp://sansmq.invalid:1").unwrap();
            a_while(&dealer).await;
        })
    }),
    ("a handshake with somebody silent", |world, handle| {
        bare(async {
            let dealer = dealer(handle);
            let mut monitor = dealer.monitor();
            dealer.connect(world.silent()).unwrap();
            monitor.find(|event| matches!(event, Event::Connected { .. }).then_some(())).await.unwrap();
        })
    }),
    ("a handshake with somebody silent, with a message", |world, handle| {
        bare(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            let mut monitor = dealer.monitor();
            dealer.connect(world.silent()).unwrap();
            dealer.send("for nobody").await.unwrap();
            monitor.find(|event| matches!(event, Event::Connected { .. }).then_some(())).await.unwrap();
        })
    }),
    ("a handshake with somebody silent who came in", |_, handle| {
        Box::pin(async {
            let router = router(handle);
            let stream = stranger(&router, b"").await;
            Kept { streams: vec![stream], ..Kept::default() }
        })
    }),
    ("connected and idle", |_, handle| {
        bare(async {
            let (router, dealer) = pair(handle, ANY).await;
            drop((router, dealer));
        })
    }),
    ("connected to somebody who never hangs up", |_, handle| {
        Box::pin(async {
            let router = router(handle);
            let (stream, _) = shaken(&router).await;
            Kept { streams: vec![stream], ..Kept::default() }
        })
    }),
    ("messages wait for somebody deaf, and linger is zero", |_, handle| {
        Box::pin(async { deaf(handle, Duration::ZERO).await })
    }),
    ("messages wait for somebody deaf, and linger is short", |_, handle| Box::pin(async { deaf(handle, SHORT).await })),
    ("messages wait to be received", |_, handle| {
        bare(async {
            let (router, dealer) = pair(handle, ANY).await;
            for _ in 0..100 {
                dealer.send(vec![0; 10_000]).await.unwrap();
            }
            router.readable().await;
        })
    }),
    ("receiving", |_, handle| {
        bare(async {
            let (router, _dealer) = pair(handle, ANY).await;
            once(router.recv()).await;
        })
    }),
    ("sending", |_, handle| {
        bare(async {
            let dealer = dealer(handle);
            once(dealer.send("there is nobody")).await;
        })
    }),
    ("closing", |_, handle| {
        bare(async {
            let dealer = handle.socket(Options::<Dealer>::new().linger(SHORT));
            dealer.connect(nobody()).unwrap();
            dealer.send("for nobody").await.unwrap();
            once(dealer.close()).await;
        })
    }),
    ("a monitor listens on", |_, handle| {
        Box::pin(async {
            let (router, dealer) = pair(handle, ANY).await;
            Kept { _monitors: vec![router.monitor(), dealer.monitor()], ..Kept::default() }
        })
    }),
    ("ipc, listening", |_, handle| {
        bare(async {
            router(handle).bind("ipc://*").await.unwrap();
        })
    }),
    ("ipc, connected and idle", |_, handle| {
        bare(async {
            drop(pair(handle, "ipc://*").await);
        })
    }),
    ("ipc, connected, and one is there still", |_, handle| {
        bare(async {
            let (router, dealer) = pair(handle, "ipc://*").await;
            drop(dealer);
            once(router.recv()).await;
        })
    }),
    ("inproc, bound", |_, handle| {
        bare(async {
            router(handle).bind("inproc://here").await.unwrap();
        })
    }),
    ("inproc, waiting for a bind", |_, handle| {
        bare(async {
            dealer(handle).connect("inproc://here").unwrap();
        })
    }),
    ("inproc, connected", |_, handle| {
        bare(async {
            let (router, dealer) = pair(handle, "inproc://here").await;
            drop(dealer);
            once(router.recv()).await;
        })
    }),
    ("inproc, with messages for somebody who does not receive", |_, handle| {
        bare(async {
            let context = Context::new();
            let router = handle.socket_in(&context, Options::<Router>::new());
            let dealer = handle.socket_in(&context, Options::<Dealer>::new().linger(SHORT));
            dealer.connect("inproc://here").unwrap();
            router.bind("inproc://here").await.unwrap();
            while dealer.try_send("more").is_ok() {}
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

/// Polls once, and drops.
async fn once<R>(future: impl Future<Output = R>) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

/// Gives a socket's tasks time to begin what they were asked: until an address is bound that it was asked for later.
async fn a_while(dealer: &Handle<Dealer>) {
    dealer.bind(ANY).await.unwrap();
}

/// Keeps nothing.
fn bare<'a>(middle: impl Future<Output = ()> + 'a) -> LocalBoxFuture<'a, Kept> {
    Box::pin(async {
        middle.await;
        Kept::default()
    })
}

/// Two sockets that have exchanged a message.
pub(crate) async fn pair(handle: &RuntimeHandle, endpoint: &str) -> (Handle<Router>, Handle<Dealer>) {
    // What the other had not received when it went would be offered to the next who listens there, for as long as linger says.
    let (router, dealer) = (router(handle), handle.socket(Options::<Dealer>::new().linger(SHORT)));
    dealer.connect(router.bind(endpoint).await.unwrap()).unwrap();
    dealer.send("hello").await.unwrap();
    router.recv().await.unwrap();
    (router, dealer)
}

/// More is sent than a peer who does not read lets go out.
async fn deaf(handle: &RuntimeHandle, linger: Duration) -> Kept {
    let router = handle.socket(Options::<Router>::new().linger(linger));
    let (stream, id) = shaken(&router).await;
    for _ in 0..20 {
        router.send((id.clone(), vec![0; 1_000_000])).await.unwrap();
    }
    Kept { streams: vec![stream], ..Kept::default() }
}
