//! Simulated runtime: the sockets of an application without an operating system. One thread runs all tasks, the clock
//! jumps to the next deadline when no task is ready, and the network consists of queues. A seed determines the order of
//! tasks, the sizes of chunks, the latency and the capacity of connections.
//!
//! ```
//! use sansmq::Options;
//! use sansmq::kind::{Pull, Push};
//! use sansmq_tests::sim::{Socket, run};
//!
//! run(7, || async {
//!     let pull = Socket::with_options(Options::<Pull>::new());
//!     let push = Socket::with_options(Options::<Push>::new());
//!     push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
//!     push.send("hello").await.unwrap();
//!     assert_eq!(pull.recv().await.unwrap().body(), "hello");
//! });
//! ```

mod executor;
mod network;
mod stream;
mod world;

pub use executor::{end_step, run, run_around, spawn, turns};
pub use network::{SimListener, dial, is_free};
pub use stream::SimStream;
pub use world::{Sim, SimTimer};

use sansmq_proto::address::TransportConfig;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{Endpoint, Entropy, Instant, NetworkError, SessionBuffers, kind};
use sansmq_runtime::{
    BoundListener, CurrentRuntime, DialTimer, Runtime, Served, StartError, Task, TaskFuture, TimedRuntime,
};
use std::cell::RefCell;

/// Socket in the simulation that [`run`] is running.
pub type Socket<T = kind::Any> = Served<Sim, T>;

thread_local! {
    /// Simulation that this thread is running; `None` outside [`run`].
    static CURRENT: RefCell<Option<Sim>> = const { RefCell::new(None) };
}

impl CurrentRuntime for Sim {
    /// Returns the simulation that this thread is running within [`run`].
    fn try_current() -> Result<Self, StartError> {
        CURRENT.with_borrow(|sim| sim.clone().ok_or(StartError::NoRuntime("simulated")))
    }
}

impl Runtime for Sim {
    type Stream = SimStream;
    type Listener = SimListener;

    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        work(&mut SessionBuffers::with_read_size(4096))
    }

    fn spawn(&self, task: Task<Self>) {
        let task = TaskFuture::new(task, SimTimer::new(self.clone()));
        self.add(Box::pin(task), executor::Owner::Sockets);
    }

    fn now(&self) -> Instant {
        self.time()
    }

    fn entropy(&self) -> impl Entropy + 'static {
        self.with(|world, _| SeededEntropy::new(world.rng.next_u64()))
    }

    fn network(&self) -> u64 {
        self.with(|world, _| world.number)
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(SimListener, Endpoint), NetworkError> {
        network::listen(&self, &endpoint).await
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<SimListener, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, endpoint: Endpoint, _: TransportConfig, _: DialTimer) -> Result<SimStream, NetworkError> {
        network::connect(&self, &endpoint).await
    }
}

impl TimedRuntime for Sim {
    type Timer = SimTimer;

    fn new_timer(&self) -> Result<SimTimer, NetworkError> {
        Ok(SimTimer::new(self.clone()))
    }
}
