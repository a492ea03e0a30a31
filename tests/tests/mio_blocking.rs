//! The suite on blocking sockets, and what concerns blocking alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite;

/// What the suite needs of a runtime. A scenario is `async`, so that it can do several things at once; here each of its
/// sends and receives is a blocking call with a short time-out, made again until it is ready.
mod bed {
    use futures_util::future::{Either, select};
    use sansmq::mio;
    use sansmq::proto::ParseEndpointError;
    use sansmq::{BindError, Closed, Endpoint, Handle, Message, Options, RecvError, SendError, UnbindError, kind};
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
