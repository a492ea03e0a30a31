//! Where an end lives: one of the runtimes.

use super::Failure;
use super::args::Flavor;
use ::smol::{Executor, block_on};
use sansmq::kind::Any;
use sansmq::{Handle, Options, mio, smol, tokio as on_tokio};
use std::sync::Arc;
use tokio::runtime::Builder;

/// Makes sockets that a runtime serves.
#[derive(Debug)]
pub(crate) enum Home {
    Tokio,
    Smol(smol::Smol),
    Mio(mio::Remote),
    Blocking,
}

impl Home {
    pub(crate) fn socket(&self, options: Options<Any>) -> Handle<Any> {
        match self {
            Self::Tokio => on_tokio::Socket::with(options).into_handle(),
            Self::Smol(smol) => smol::Socket::on(smol, options).into_handle(),
            Self::Mio(remote) => remote.socket(options),
            Self::Blocking => mio::Socket::with(options).handle().clone(),
        }
    }
}

/// Runs a task on that runtime, to its end.
pub(crate) fn run<R: Send + 'static, F: Future<Output = Result<R, Failure>> + Send + 'static>(
    flavor: Flavor,
    task: impl FnOnce(Home) -> F,
) -> Result<R, Failure> {
    let runtime = match flavor {
        Flavor::CurrentThread => Builder::new_current_thread().enable_all().build()?,
        Flavor::MultiThread => Builder::new_multi_thread().enable_all().build()?,
        Flavor::Smol => {
            // On smol's global executor each message would go from thread to thread.
            let executor = Arc::new(Executor::new());
            let here = Arc::clone(&executor);
            let home = Home::Smol(smol::Smol::new(move |task| here.spawn(task).detach()));
            return block_on(executor.run(task(home)));
        }
        // This thread does nothing but wait; what serves the socket runs elsewhere.
        Flavor::Blocking => return block_on(task(Home::Blocking)),
        Flavor::Mio => {
            let mut events = mio::EventLoop::new()?;
            let home = Home::Mio(events.remote());
            return events.block_on(task(home));
        }
    };
    // A task of its own, because what `block_on` itself runs is no worker's.
    runtime.block_on(async { tokio::spawn(task(Home::Tokio)).await })?
}
