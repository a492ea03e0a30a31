//! The suite on blocking sockets, and what concerns blocking alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite;
mod system;

/// What the suite needs of a runtime. A scenario is `async`, so that it can do several things at once; here each of its
/// sends and receives is a blocking call with a short time-out, made again until it is ready.
mod bed {
    use futures_util::future::{Either, select};
    use sansmq::mio::StdListener;
    use sansmq::proto::address::ParseEndpointError;
    use sansmq::{BindError, Closed, Endpoint, Handle, Message, Options, RecvError, SendError, UnbindError, kind, mio};
    pub(crate) use sansmq_tests::{dial, is_free};
    use std::future::poll_fn;
    use std::ops::Deref;
    use std::pin::pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    /// How long each call blocks.
    const SHORT: Duration = Duration::from_millis(1);

    /// Runs a scenario. One that hangs fails.
    pub(crate) fn run<F: Future<Output = ()>>(scenario: impl Fn() -> F) {
        let limit = smol::Timer::after(Duration::from_secs(30));
        if let Either::Right(_) = smol::block_on(select(pin!(scenario()), limit)) {
            panic!("it hangs");
        }
    }

    /// Runs a task beside the scenario.
    pub(crate) fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
        let thread = std::thread::spawn(|| smol::block_on(task));
        smol::unblock(|| thread.join().unwrap())
    }

    /// A blocking socket, in the words of the suite.
    pub(crate) struct Socket<T: kind::Kind = kind::Any>(mio::Socket<T>);

    impl<T: kind::Typed> Socket<T> {
        pub(crate) fn new() -> Self {
            Self(mio::Socket::new())
        }
    }

    impl<T: kind::Kind> Socket<T> {
        pub(crate) fn with(options: Options<T>) -> Self {
            Self(mio::Socket::with(options))
        }

        pub(crate) fn in_context(context: &sansmq::Context, options: Options<T>) -> Self {
            Self(mio::Socket::in_context(context, options))
        }

        pub(crate) fn erase(&self) -> Socket {
            Socket(self.0.erase())
        }

        pub(crate) async fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
        where
            E: TryInto<Endpoint>,
            ParseEndpointError: From<E::Error>,
        {
            let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
            self.bind_there(endpoint).await
        }

        pub(crate) async fn bind_listener(
            &self,
            listener: impl Into<StdListener> + Send,
        ) -> Result<Endpoint, BindError> {
            let listener = listener.into();
            self.beside(|socket| socket.bind_listener(listener)).await
        }

        pub(crate) async fn unbind<E>(&self, endpoint: E) -> Result<(), UnbindError>
        where
            E: TryInto<Endpoint>,
            ParseEndpointError: From<E::Error>,
        {
            let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
            self.unbind_there(endpoint).await
        }

        pub(crate) async fn close(&self) -> Closed {
            self.beside(mio::Socket::close).await
        }

        async fn bind_there(&self, endpoint: Endpoint) -> Result<Endpoint, BindError> {
            self.beside(|socket| socket.bind(endpoint)).await
        }

        async fn unbind_there(&self, endpoint: Endpoint) -> Result<(), UnbindError> {
            self.beside(|socket| socket.unbind(endpoint)).await
        }

        /// Makes a call on another thread.
        async fn beside<R: Send + 'static>(&self, call: impl FnOnce(&mio::Socket<T>) -> R + Send + 'static) -> R {
            let socket = self.0.clone();
            smol::unblock(move || call(&socket)).await
        }
    }

    impl<T: kind::Sends> Socket<T> {
        pub(crate) fn send(
            &self,
            message: impl Into<Message>,
        ) -> impl Future<Output = Result<(), SendError>> + Send + Unpin {
            let mut message = Some(message.into());
            poll_fn(move |cx| match self.0.send_timeout(message.take().unwrap(), SHORT) {
                Err(SendError::Full(full)) => {
                    message = Some(full);
                    again(cx)
                }
                result => Poll::Ready(result),
            })
        }
    }

    impl<T: kind::Receives> Socket<T> {
        pub(crate) fn recv(&self) -> impl Future<Output = Result<Message, RecvError>> + Send + Unpin {
            poll_fn(|cx| match self.0.recv_timeout(SHORT) {
                Err(RecvError::Empty) => again(cx),
                result => Poll::Ready(result),
            })
        }
    }

    fn again<R>(cx: &Context<'_>) -> Poll<R> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    impl<T: kind::Kind> Deref for Socket<T> {
        type Target = Handle<T>;

        fn deref(&self) -> &Handle<T> {
            self.0.handle()
        }
    }

    impl<T: kind::Kind> Clone for Socket<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    pub(crate) type ReqSocket = Socket<kind::Req>;
    pub(crate) type RepSocket = Socket<kind::Rep>;
    pub(crate) type DealerSocket = Socket<kind::Dealer>;
    pub(crate) type RouterSocket = Socket<kind::Router>;
    pub(crate) type PairSocket = Socket<kind::Pair>;
    pub(crate) type PushSocket = Socket<kind::Push>;
    pub(crate) type PullSocket = Socket<kind::Pull>;
}

use sansmq::mio::{DealerSocket, PollItem, PullSocket, PushSocket, RouterSocket, Socket, poll};
use sansmq::{Event, Message, Options, RecvError, SendError, SocketType, kind};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_call_ends_when_its_time_is_over_and_not_before() {
    let (pull, push) = (PullSocket::new(), Socket::with(Options::<kind::Push>::new().send_hwm(1)));
    let before = Instant::now();
    assert_eq!(pull.recv_timeout(SHORT), Err(RecvError::Empty));
    assert!(before.elapsed() >= SHORT);
    let before = Instant::now();
    let unsent = push.send_timeout("to nobody", SHORT).unwrap_err();
    assert!(matches!(unsent, SendError::Full(message) if message == Message::from("to nobody")));
    assert!(before.elapsed() >= SHORT);
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.send_timeout("to somebody", LONG).unwrap();
    let (message, peer) = pull.recv_from().unwrap();
    assert_eq!((message.body(), peer.socket_type), (&"to somebody".into(), SocketType::Push));
    assert_eq!(pull.try_recv_from().unwrap_err(), RecvError::Empty);
    assert_eq!(pull.recv_timeout(Duration::MAX.min(SHORT)), Err(RecvError::Empty));
}

#[test]
fn several_threads_share_a_socket_and_each_message_goes_to_one() {
    let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
    dealer.connect(router.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let router = router.clone();
            thread::spawn(move || {
                for request in router.iter() {
                    router.send(request.unwrap()).unwrap();
                }
            })
        })
        .collect();
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let dealer = dealer.clone();
            thread::spawn(move || (0..250).for_each(|number| dealer.send(format!("{sender} {number}")).unwrap()))
        })
        .collect();
    let answers: BTreeSet<_> =
        (0..1000).map(|_| dealer.recv_timeout(LONG).unwrap().body().to_text().into_owned()).collect();
    assert_eq!(answers.len(), 1000);
    router.close();
    for thread in servers.into_iter().chain(senders) {
        thread.join().unwrap();
    }
}

#[test]
fn a_monitor_is_an_iterator_that_ends_with_its_socket() {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    let story = pull.monitor();
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.send("x").unwrap();
    pull.recv().unwrap();
    assert_eq!((pull.stats().received.messages, push.peer_stats()[0].sent.octets), (1, 1));
    pull.close();
    let story: Vec<_> = story.collect();
    assert!(story.iter().any(|event| matches!(event, Event::Ready { .. })), "{story:?}");
}

#[test]
fn poll_waits_for_sockets_and_descriptors_alike() {
    let (pulls, pushes) = ([PullSocket::new(), PullSocket::new()], [PushSocket::new(), PushSocket::new()]);
    for (pull, push) in pulls.iter().zip(&pushes) {
        push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    }
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let ready = |timeout| {
        let mut items =
            [PollItem::readable(pulls[0].handle()), PollItem::readable(pulls[1].handle()), PollItem::input(&reader)];
        let count = poll(&mut items, timeout).unwrap();
        let ready = items.each_ref().map(PollItem::is_ready);
        assert_eq!(ready.iter().filter(|ready| **ready).count(), count);
        ready
    };
    assert_eq!(ready(Some(Duration::ZERO)), [false; 3]);
    assert_eq!(ready(Some(SHORT)), [false; 3]);

    pushes[1].send("one").unwrap();
    assert_eq!(ready(None), [false, true, false]);
    assert_eq!(ready(Some(SHORT)), [false, true, false], "it is a level, not an edge");
    writer.write_all(b"x").unwrap();
    assert_eq!(ready(None), [false, true, true]);
    pulls[1].try_recv().unwrap();
    assert_eq!(ready(None), [false, false, true]);
    (&reader).read_exact(&mut [0]).unwrap();
    assert_eq!(ready(Some(SHORT)), [false; 3]);

    let late = thread::spawn({
        let push = pushes[0].clone();
        move || push.send("from another thread").unwrap()
    });
    assert_eq!(ready(None), [true, false, false]);
    late.join().unwrap();
    drop(writer);
    assert!(ready(None)[2], "a pipe at its end is readable");
    reader.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn poll_tells_when_there_is_room_and_when_a_socket_is_closed() {
    let pull = Socket::with(Options::<kind::Pull>::new().recv_hwm(1));
    let push = Socket::with(Options::<kind::Push>::new().send_hwm(1));
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let body = vec![0; 1_000_000];
    let room = |timeout| poll(&mut [PollItem::writable(push.handle())], timeout).unwrap();
    let mut sent = 0;
    while room(Some(SHORT)) == 1 {
        push.try_send(body.clone()).unwrap();
        sent += 1;
        assert!(sent < 1000, "there is always room");
    }
    let reader = thread::spawn(move || pull.iter().count());
    assert_eq!(room(None), 1);
    push.close();
    assert_eq!(room(None), 1, "it has something to say: that it is closed");
    drop(reader);
}

#[test]
fn who_waits_for_room_at_a_mandatory_router_sleeps() {
    use rustix::time::{ClockId, clock_gettime};
    let router = Socket::with(Options::<kind::Router>::new().mandatory(true).send_hwm(1));
    router.handle().connect_as("inproc://who waits for room, and nobody binds", "peer").unwrap();
    router.send(("peer", "fills the queue")).unwrap();
    let work = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = work();
    let full = router.send_timeout(("peer", "does not fit"), 10 * SHORT).unwrap_err();
    assert!(matches!(full, SendError::Full(message) if message == Message::from(("peer", "does not fit"))));
    assert!(work() < before + 5 * SHORT, "it turned round and round");
}
