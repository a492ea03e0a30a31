//! Runtimes on which the benchmark can run.

use super::Failure;
use super::args::Flavor;
use ::smol::{Executor, block_on};
use sansmq::kind::Any;
use sansmq::{Handle, Options, mio, smol, tokio as on_tokio};
use std::sync::Arc;
use tokio::runtime::Builder;

/// Runtime on which the sockets of a benchmark run. Creates these sockets.
#[derive(Debug)]
pub(crate) enum Backend {
    Tokio,
    Smol(smol::Smol),
    Mio(mio::Remote),
    Blocking,
}

impl Backend {
    pub(crate) fn socket(&self, options: Options<Any>) -> Handle<Any> {
        match self {
            Self::Tokio => on_tokio::Socket::with_options(options).into_handle(),
            Self::Smol(smol) => smol::Socket::on(smol, options).into_handle(),
            Self::Mio(remote) => remote.socket(options),
            Self::Blocking => mio::Socket::with_options(options).handle().clone(),
        }
    }
}

/// Starts the runtime `flavor`. Calls `task` with the [`Backend`] of this runtime, which creates sockets, and runs the
/// returned future until it completes.
pub(crate) fn run<R: Send + 'static, F: Future<Output = Result<R, Failure>> + Send + 'static>(
    flavor: Flavor,
    task: impl FnOnce(Backend) -> F,
) -> Result<R, Failure> {
    let runtime = match flavor {
        Flavor::CurrentThread => Builder::new_current_thread().enable_all().build()?,
        Flavor::MultiThread => Builder::new_multi_thread().enable_all().build()?,
        Flavor::Smol => {
            // On the thread of `sansmq-smol` each message would pass between threads.
            let executor = Arc::new(Executor::new());
            let here = Arc::clone(&executor);
            let backend = Backend::Smol(smol::Smol::new(move |task| here.spawn(task).detach()));
            return block_on(executor.run(task(backend)));
        }
        // This thread only waits; a background thread drives the socket.
        Flavor::Blocking => return block_on(task(Backend::Blocking)),
        Flavor::Mio => {
            let mut events = mio::EventLoop::new()?;
            let backend = Backend::Mio(events.remote());
            return events.block_on(task(backend));
        }
    };
    // Spawned, because the future of `block_on` itself does not run on a worker thread.
    runtime.block_on(async { tokio::spawn(task(Backend::Tokio)).await })?
}
