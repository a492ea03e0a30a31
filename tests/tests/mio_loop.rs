//! The suite on a mio event loop, which one thread shares with the scenario, and what concerns that loop alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite;

/// What the suite needs of a runtime.
mod bed {
    use sansmq::mio::{EventLoop, Remote};
    use sansmq::{Handle, Options, kind};
    use smol::LocalExecutor;
    use std::cell::RefCell;
    use std::ops::Deref;
    use std::rc::Rc;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    thread_local! {
        /// The loop of this thread, and the tasks that wait beside it.
        static HERE: RefCell<Option<(Remote, Rc<LocalExecutor<'static>>)>> = const { RefCell::new(None) };
    }

    /// Runs a scenario and its tasks on one thread with the loop. One that hangs fails.
    pub(crate) fn run<F: Future<Output = ()>>(scenario: impl Fn() -> F + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut events = EventLoop::new().unwrap();
            let tasks = Rc::new(LocalExecutor::new());
            HERE.set(Some((events.remote(), Rc::clone(&tasks))));
            events.block_on(tasks.run(scenario()));
            HERE.take();
            done.send(()).unwrap();
        });
        match is_done.recv_timeout(Duration::from_secs(30)) {
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        }
    }

    /// Runs a task beside the scenario.
    pub(crate) fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
        HERE.with_borrow(|here| here.as_ref().unwrap().1.spawn(task))
    }

    /// A socket on the loop of this thread.
    pub(crate) struct Socket<T: kind::Kind = kind::Any>(Handle<T>);

    impl<T: kind::Typed> Socket<T> {
        pub(crate) fn new() -> Self {
            Self::with(Options::new())
        }
    }

    impl<T: kind::Kind> Socket<T> {
        pub(crate) fn with(options: Options<T>) -> Self {
            HERE.with_borrow(|here| Self(here.as_ref().unwrap().0.socket(options)))
        }

        pub(crate) fn erase(&self) -> Socket {
            Socket(self.0.erase())
        }
    }

    impl<T: kind::Kind> Deref for Socket<T> {
        type Target = Handle<T>;

        fn deref(&self) -> &Handle<T> {
            &self.0
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
